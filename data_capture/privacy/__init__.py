"""One person's data, and what they and the law may ask for: how much there is, all of it, none of it, no older than so.

statistics.py         how much is held on a person
export.py             all of it, as JSON or as a ZIP archive
erasure.py            what an erasure does to the rows, in one transaction
erasure_completion.py what comes after it: until the files' bytes hold nothing of the person either; also after a restart
erasure_log.py        who was erased, noted outside the database, for when an older copy of it is put in its place
retention.py          what goes by itself when it is old
receipts.py           receipts that have outlived what they are of
housekeeping.py       the thread of the capture service that sees to these
tables.py             which tables hold something of a person
"""
