"""List objects of other programs that could affect our tables, and some that cannot.

`FOREIGN` maps a description to the statements and to a text that must be reported.
"""

# ruff: noqa: S608  (every statement is written in this file)

from __future__ import annotations

from tests.support.schema_edits import edit_schema

NOTES_OF_RECEIPTS = """CREATE TABLE notes (c TEXT, u TEXT,
FOREIGN KEY (c, u) REFERENCES capture_receipts (capture_id, user_email) ON DELETE CASCADE);"""
NOTES_OF_USERS = "CREATE TABLE notes (u TEXT REFERENCES users (email) ON DELETE CASCADE);"
DELETE_PAYMENTS = "BEGIN DELETE FROM payment_data WHERE user_email = 'bob@example.com'; END;"
DO_NOTHING = "BEGIN SELECT 1; END;"
TRIGGER_ON_NOTES = f"CREATE TRIGGER nt BEFORE DELETE ON notes {DELETE_PAYMENTS}"
OTHER_TABLE = "CREATE TABLE other (a);"

FOREIGN = {
    "a table that refers to receipts, with a trigger": (
        NOTES_OF_RECEIPTS + TRIGGER_ON_NOTES,
        "nt on notes",
    ),
    "a table that refers to receipts": (NOTES_OF_RECEIPTS, "notes"),
    "a table with a reference without an action": (
        "CREATE TABLE notes (p REFERENCES payment_data (id));",
        "notes",
    ),
    "a reference in capitals": ('CREATE TABLE notes (p REFERENCES "PAYMENT_DATA" (id));', "notes"),
    "a reference in brackets": (
        "CREATE TABLE notes (p /* */ REFERENCES [payment_data] (id));",
        "notes",
    ),
    "a reference in single quotes": (
        "CREATE TABLE notes (p REFERENCES 'payment_data' (id));",
        "notes",
    ),
    "a trigger on a table that cascades from users": (
        NOTES_OF_USERS + TRIGGER_ON_NOTES,
        "nt on notes",
    ),
    "a trigger on such a table that does not name our tables": (
        NOTES_OF_USERS + f"CREATE TRIGGER nt AFTER DELETE ON notes {DO_NOTHING}",
        "nt on notes",
    ),
    "a trigger on a table with ON DELETE SET NULL": (
        "CREATE TABLE notes (u TEXT REFERENCES users (email) ON DELETE SET NULL);"
        f"CREATE TRIGGER nt AFTER UPDATE ON notes {DO_NOTHING}",
        "nt on notes",
    ),
    "a trigger on a table with ON UPDATE CASCADE": (
        "CREATE TABLE notes (u TEXT REFERENCES users (email) ON UPDATE CASCADE);"
        f"CREATE TRIGGER nt AFTER UPDATE ON notes {DO_NOTHING}",
        "nt on notes",
    ),
    "a trigger on a table that cascades from users in two steps": (
        "CREATE TABLE middle "
        "(id INTEGER PRIMARY KEY, u TEXT REFERENCES users (email) ON DELETE CASCADE);"
        "CREATE TABLE notes (m REFERENCES middle ON DELETE CASCADE);"
        f"CREATE TRIGGER nt AFTER DELETE ON notes {DO_NOTHING}",
        "nt on notes",
    ),
    "a trigger on another table that names ours": (
        OTHER_TABLE + f"CREATE TRIGGER nt AFTER INSERT ON other {DELETE_PAYMENTS}",
        "payment_data",
    ),
    "a trigger that names our table in brackets": (
        OTHER_TABLE
        + "CREATE TRIGGER nt AFTER INSERT ON other BEGIN DELETE FROM [PAYMENT_DATA]; END;",
        "payment_data",
    ),
    "a trigger that names our table in single quotes": (
        OTHER_TABLE
        + "CREATE TRIGGER nt AFTER INSERT ON other BEGIN DELETE FROM 'payment_data'; END;",
        "payment_data",
    ),
    "a trigger that names our table after a byte order mark": (
        OTHER_TABLE
        + "CREATE TRIGGER nt AFTER INSERT ON other BEGIN DELETE FROM \ufeffpayment_data; END;",
        "payment_data",
    ),
    "a reference after a byte order mark": (
        "CREATE TABLE notes (p REFERENCES \ufeffpayment_data (id));",
        "notes",
    ),
    "a reference after a vertical tab": (
        "CREATE TABLE notes (p REFERENCES \vpayment_data (id));",
        "notes",
    ),
    "a trigger on a table, after a vertical tab": (
        NOTES_OF_USERS + f"CREATE TRIGGER nt AFTER DELETE ON \vnotes {DO_NOTHING}",
        "nt on notes",
    ),
    "an index on SQLite's own table": (
        OTHER_TABLE
        + "CREATE INDEX i ON other (a);"
        + edit_schema(
            "UPDATE sqlite_master SET tbl_name = 'sqlite_sequence', "
            "sql = 'CREATE INDEX i ON sqlite_sequence (name)' "
            "WHERE name = 'i'"
        ),
        "index i is on sqlite_sequence",
    ),
    "a trigger that updates our users": (
        OTHER_TABLE + "CREATE TRIGGER nt AFTER INSERT ON other "
        "BEGIN UPDATE users SET password_hash = 'x'; END;",
        "users",
    ),
    "an INSTEAD OF trigger on a view": (
        "CREATE VIEW other AS SELECT 1 AS a; "
        f"CREATE TRIGGER nt INSTEAD OF INSERT ON other {DELETE_PAYMENTS}",
        "payment_data",
    ),
    "a trigger as a BLOB": (
        NOTES_OF_USERS
        + TRIGGER_ON_NOTES
        + edit_schema(
            "UPDATE sqlite_master SET sql = CAST(sql AS BLOB) WHERE name IN ('notes', 'nt')"
        ),
        "nt",
    ),
}
DISGUISED = {
    "a trigger disguised as an index": "type = 'index', name = 'x'",
    "a trigger disguised as another table's": "tbl_name = 'other'",
    "a trigger under another name": "name = 'x'",
}
UNRELATED = {
    "a trigger between two tables": """
        CREATE TABLE customers (id INTEGER PRIMARY KEY);
        CREATE TABLE invoices (c REFERENCES customers ON DELETE CASCADE);
        CREATE TRIGGER numbers AFTER DELETE ON invoices BEGIN DELETE FROM customers; END;""",
    "a table that prevents the deletion of users": f"""
        CREATE TABLE invoices (u TEXT REFERENCES users (email));
        CREATE TRIGGER numbers AFTER INSERT ON invoices {DO_NOTHING}""",
    "a table that cascades from users": NOTES_OF_USERS,
    "names similar to ours": """
        CREATE TABLE payments (id); CREATE TABLE audit (id);
        CREATE TRIGGER numbers AFTER INSERT ON payments
        BEGIN INSERT INTO audit VALUES (new.id); END;""",
    "a virtual table": 'CREATE VIRTUAL TABLE found USING fts5 (a, "references", users)',
    "unusual names": """
        CREATE TABLE "a b" ("on" INTEGER, "c""d" TEXT UNIQUE); CREATE INDEX [i x] ON "a b" ("on");
        CREATE TRIGGER main."t t" AFTER UPDATE OF "on" ON "a b" BEGIN SELECT 1; END;
        ALTER TABLE "a b" RENAME TO 'e f'; ALTER TABLE "e f" ADD COLUMN g; ANALYZE;
        CREATE TABLE IF NOT EXISTS "Gr\u00f6\u00dfe" AS SELECT 1 AS a;
        CREATE VIEW w AS SELECT * FROM "Gr\u00f6\u00dfe";""",
}
NAMED_LIKE_FUNCTIONS = {
    "pragma_page_count": (
        "CREATE TABLE pragma_page_count (page_count); CREATE TABLE pragma_page_size (page_size);"
    ),
    "pragma_table_xinfo": "CREATE TABLE PRAGMA_table_xinfo (a);",
    "pragma_foreign_key_list": "CREATE TABLE pragma_foreign_key_list (a);",
    "pragma_table_info": "CREATE VIEW pragma_table_info AS SELECT 1 AS a;",
    "pragma_foreign_key_check": "CREATE TABLE [pragma_foreign_key_check] (a);",
    "json_each": "CREATE TABLE json_each (key, value);",
    "json_tree": "CREATE VIEW json_tree AS SELECT 1 AS a;",
}
