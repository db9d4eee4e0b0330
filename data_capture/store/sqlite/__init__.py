"""Store captures and users in one SQLite file, in raw SQL.

connection.py      opens connections with the settings that the promises depend on
lock.py            the writer lock: one writer at a time, across all processes
writer.py          writes groups in transactions
writer_health.py   decides what a failed write means
file_watch.py      detects deleted or replaced files, and a full disk
keys.py            the keys of receipts and tombstones
captures.py        stores one capture
bulk.py            stores many captures together, with bulk_insert.py
placement.py       finds where a capture belongs: to a new row, or to one that it repeats
payment_comparison.py  compares a captured payment with the row of one
partial.py         lays a partial update over the user's latest state
page_ids.py        the page's own ids of users, records and payments
targeted_captures.py  stores updates that say only by their request whose row they change, with
                   target_resolution.py (whose it is), target_rows.py (payments without a number),
                   unattributed.py (those that belong to nobody) and late_attribution.py (until a
                   capture says whose they are)
growth.py          lets one questionnaire grow that a page saves step by step
state_comparison.py  tells whether a dashboard says nothing that its row does not say
payments.py        recognises one payment that is saved twice, with and without its number
payment_keys.py    finds a payment by its idempotency key
payment_updates.py recognises captures of a payment that say little of it
payment_facts.py   writes the currency, status and amount of payments
capture_rows.py    the rows of captures
payment_facts.py   what is computed from a payment
payment_events.py  events of payment providers, with event_matching.py (which payment they are
                   about) and event_facts.py (what follows from them)
unsent_payments.py joins a provider's payment with what a page saved without its number
receipts.py        the first response to each capture_id
tombstones.py      which addresses were erased, and when
users.py           finds and adds users
user_rows.py       the columns of `users`, and new rows
stored_emails.py   how `users` spells an address
sign_ups.py        sign-ups and logins in `users`
user_passwords.py  hashes of passwords, in `users` or in `user_credentials`
row_marks.py       which rows of `users` this product made
credentials.py     what account a row of `users` is, with account_columns.py (names of columns) and
                   column_values.py (their values)
schema.py          creates or extends the database
file_checks.py     checks the file and its keys before that
schema_checks.py   checks the tables before that, and rehearses writes
schema_history.py  replaces what earlier versions of schema.sql made differently
"""
