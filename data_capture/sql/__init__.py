"""Share helpers for raw SQL between the rooms that read and write the database.

bulk.py           selects and inserts many rows with few statements
pragmas.py        quotes identifiers, and asks SQLite for tables, columns and keys
schema_file.py    reads schema.sql: its statements, and a database that it creates
database_file.py  recognises a database file by its header
reports.py        tells locks and damage from other errors and reports of SQLite
"""
