"""A user's data: statistics, export, erasure and retention.

statistics.py          counts a user's data
export.py              exports a user's data
csv_format.py          writes the CSV files of an export
erasure.py             erases a user's rows, in one transaction
user_removal.py        deletes the row in `users`, or empties it for other programs' references
erasure_completion.py  completes erasures: no byte of the user remains in the database's files
erasure_log.py         records erasures outside the database, and repeats them after a restore
retention.py           deletes old data by the configured periods
receipts.py            deletes orphaned and redundant receipts
payment_facts.py       adds the facts of payments that have none
unattributed.py        counts and deletes updates without a user, and ids without a payment
housekeeping.py        runs all of this in a thread of the capture service
pseudonyms.py          makes the addresses that replace erased ones
tables.py              lists the tables with users' data
"""
