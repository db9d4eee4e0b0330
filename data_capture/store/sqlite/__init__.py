"""Store captures and users in one SQLite file, in raw SQL.

connection.py      opens connections with the settings that the promises depend on
lock.py            the writer lock: one writer at a time, across all processes
writer.py          writes groups in transactions
writer_health.py   decides what a failed write means
file_watch.py      detects deleted or replaced files, and a full disk
keys.py            the keys of receipts and tombstones
captures.py        stores one capture
bulk.py            stores many captures together, with bulk_insert.py
capture_rows.py    the rows of captures
receipts.py        what each capture_id was answered with
tombstones.py      which addresses were erased, and when
users.py           finds and adds users
"""
