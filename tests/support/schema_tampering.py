"""List ways to tamper with the schema by plain SQL.

`TAMPERING` maps a description to the statements and to a text that verify-audit must report.
"""

# ruff: noqa: S608  (every statement is written in this file)

from __future__ import annotations

from tests.support.schema_edits import (
    create_trigger,
    edit_schema,
    edit_sql,
    quote,
    rebuild_table,
    schema_sql_of,
    swap_root_pages,
)
from tests.support.trail_tampering import (
    ANN,
    AUDIT,
    CHAIN,
    CHAIN_ID,
    RECORD_VALUES,
    TRAIL_TAMPERING,
)

TAMPERING: dict[str, tuple[str, str]] = {
    **TRAIL_TAMPERING,
    # --- triggers
    "a trigger on new records": create_trigger(AUDIT),
    "a trigger that drops records": create_trigger(AUDIT, "BEFORE INSERT", "SELECT RAISE(IGNORE)"),
    "a trigger that changes records": create_trigger(
        AUDIT, "AFTER INSERT", f"UPDATE {AUDIT} SET status = 'success' WHERE id = new.id"
    ),
    "a trigger on erased records": create_trigger(AUDIT, "AFTER UPDATE OF user_email"),
    "a trigger on removed records": create_trigger(AUDIT, "AFTER DELETE"),
    "a trigger on the chain": create_trigger(CHAIN),
    "a trigger on payments": create_trigger("payment_data"),
    "a trigger on main.payment_data": create_trigger("main.payment_data"),
    "a trigger on questionnaires": create_trigger("questionnaire_data", "BEFORE UPDATE"),
    "a trigger on dashboards": create_trigger("dashboard_data"),
    "a trigger on activities": create_trigger("trading_activity_log"),
    "a trigger on receipts": create_trigger(
        "capture_receipts", "BEFORE INSERT", "SELECT RAISE(IGNORE)"
    ),
    "a trigger on erasures": create_trigger(
        "data_capture_erasures", "AFTER INSERT", "DELETE FROM data_capture_erasures"
    ),
    "a trigger on passwords": create_trigger("user_credentials"),
    "a trigger on users": create_trigger("users", "AFTER UPDATE OF password_hash"),
    "a trigger INSTEAD OF the view": create_trigger("audit_logs", "INSTEAD OF DELETE"),
    "a trigger in capitals": create_trigger(AUDIT.upper()),
    "a trigger with the name of the view": create_trigger(AUDIT, name="audit_logs"),
    "a trigger disguised as a view": (
        create_trigger(AUDIT)[0]
        + ";"
        + edit_schema("UPDATE sqlite_master SET type = 'view' WHERE name = 'helper'"),
        "helper",
    ),
    "a trigger disguised as another table's": (
        create_trigger(AUDIT)[0]
        + ";"
        + edit_schema("UPDATE sqlite_master SET tbl_name = 'other' WHERE name = 'helper'"),
        "helper",
    ),
    "a trigger with its table in comments": (
        f"CREATE TRIGGER /* ON users */ helper -- ON users\n AFTER INSERT ON {AUDIT} "
        "BEGIN SELECT 1; END",
        "helper",
    ),
    # --- indexes
    "an index removed": ("DROP INDEX data_capture_audit_by_person", "data_capture_audit_by_person"),
    "an index that became partial": (
        f"""DROP INDEX data_capture_audit_by_person; CREATE INDEX data_capture_audit_by_person
        ON {AUDIT} (user_email, timestamp) WHERE id < 100""",
        "data_capture_audit_by_person",
    ),
    "an index over other columns": (
        f"""DROP INDEX data_capture_audit_by_person; CREATE INDEX data_capture_audit_by_person
        ON {AUDIT} (timestamp, user_email)""",
        "data_capture_audit_by_person",
    ),
    "an index that became unique": (
        """DROP INDEX payment_data_by_person; CREATE UNIQUE INDEX payment_data_by_person
        ON payment_data (user_email, created_at, id)""",
        "payment_data_by_person",
    ),
    "an index of another table": (
        """DROP INDEX payment_data_by_person; CREATE INDEX payment_data_by_person
        ON dashboard_data (user_email, created_at)""",
        "payment_data_by_person",
    ),
    "an additional unique index": (f"CREATE UNIQUE INDEX once ON {AUDIT} (id)", "once"),
    "an additional unique index of receipts": (
        "CREATE UNIQUE INDEX once ON capture_receipts (row_id)",
        "once",
    ),
    "an additional partial index": (
        f"CREATE INDEX part ON {AUDIT} (status) WHERE status = 'x'",
        "part",
    ),
    "an index over an expression": (
        "CREATE INDEX expression ON payment_data (abs(final_price))",
        "expression",
    ),
    "an index with a collation": (
        "CREATE INDEX folded ON payment_data (user_email COLLATE NOCASE)",
        "folded",
    ),
    "a unique index of our users": (
        "CREATE UNIQUE INDEX one_plan ON users (normalized_email, plan_type)",
        "one_plan",
    ),
    # --- our other tables
    "a payment table with a CHECK": rebuild_table(
        "payment_data",
        "final_price             DECIMAL(10,2)",
        "final_price DECIMAL(10,2) CHECK (final_price < 100000)",
    ),
    "a payment table without its foreign key": rebuild_table(
        "payment_data", ",\n    FOREIGN KEY (user_email) REFERENCES users (email)", ""
    ),
    "receipts that replace rows with a NULL": rebuild_table(
        "capture_receipts",
        "outcome        TEXT NOT NULL",
        "outcome TEXT NOT NULL ON CONFLICT REPLACE",
    ),
    "erasures with a nullable column": rebuild_table(
        "data_capture_erasures", "remaining    INTEGER NOT NULL", "remaining INTEGER"
    ),
    "our users where a duplicate email replaces the row": rebuild_table(
        "users",
        "email             TEXT NOT NULL UNIQUE",
        "email TEXT NOT NULL UNIQUE ON CONFLICT REPLACE",
    ),
    "our users with an additional column": (
        "ALTER TABLE users ADD COLUMN is_admin INTEGER DEFAULT 1",
        "users",
    ),
    "a table removed": ("DROP TABLE user_credentials", "user_credentials"),
    "our users removed": ("PRAGMA foreign_keys = OFF; DROP TABLE users", "users"),
    "our users renamed": ("ALTER TABLE users RENAME TO people", "users"),
    "the audit table removed": (f"DROP TABLE {AUDIT}", AUDIT),
    "the audit table renamed": (f"ALTER TABLE {AUDIT} RENAME TO other", AUDIT),
    "the chain removed": (f"DROP TABLE {CHAIN}", CHAIN),
    "payments renamed, and an empty table in their place": (
        f"""PRAGMA legacy_alter_table = ON; ALTER TABLE payment_data RENAME TO hidden;
            {schema_sql_of("payment_data")}""",
        "payment_data_by_person",
    ),
    "a view in place of an index": (
        "DROP INDEX payment_data_by_person; CREATE VIEW payment_data_by_person AS SELECT 1",
        "payment_data_by_person",
    ),
    "a name with a line break": (
        f'CREATE TRIGGER "helper\n\x1b[31m" AFTER INSERT ON {AUDIT} BEGIN SELECT 1; END',
        "helper??[31m",
    ),
    "a hundred triggers": (
        ";".join(create_trigger(AUDIT, name=f"helper_{number}")[0] for number in range(100)),
        "and 50 findings more",
    ),
    "a default that needs a function": edit_sql(
        AUDIT, "DEFAULT 'success'", "DEFAULT (no_such_function())"
    ),
    "a generated column that needs a function": edit_sql(
        CHAIN, "link       BLOB NOT NULL", "link BLOB AS (no_such_function())"
    ),
    "an unknown collation": edit_sql(
        AUDIT, "capture_type    TEXT NOT NULL", "capture_type TEXT NOT NULL COLLATE nowhere"
    ),
    "an unknown collation of the ids": edit_sql(
        CHAIN, CHAIN_ID, "audit_id TEXT COLLATE nowhere PRIMARY KEY"
    ),
    "a NULL inserted while NOT NULL was removed": (
        edit_sql(AUDIT, "user_email      TEXT NOT NULL", "user_email TEXT")[0]
        + f"UPDATE {AUDIT} SET user_email = NULL WHERE id = 9;",
        "record 9 ",
    ),
    "an id of -1": (f"INSERT INTO {AUDIT} VALUES (-1, {RECORD_VALUES[1:]}", "record -1 "),
    "the highest id": (
        f"INSERT INTO {AUDIT} VALUES (9223372036854775807, {RECORD_VALUES[1:]}",
        "record 9223372036854775807 ",
    ),
    "an entry of the highest id": (
        f"INSERT INTO {CHAIN} VALUES (9223372036854775807, 0, NULL, zeroblob(32), zeroblob(32))",
        "record 9223372036854775807 ",
    ),
    "an entry of the lowest id": (
        f"INSERT INTO {CHAIN} VALUES (-9223372036854775808, 1, NULL, zeroblob(32), zeroblob(32))",
        "record -9223372036854775808 ",
    ),
    "an erasure nested too deeply to be parsed": (
        f"""UPDATE {AUDIT} SET capture_type = 'erasure',
            data_snapshot = replace(hex(zeroblob(100000)), '0', '[') WHERE id = 8""",
        "record 8 ",
    ),
    "an erasure of a number that is too large": (
        f"""UPDATE {AUDIT} SET capture_type = 'erasure',
            data_snapshot =
            '{{"left": {{"' || replace(hex(zeroblob(5000)), '0', '9') || '": "00"}}}}'
            WHERE id = 8""",
        "record 8 ",
    ),
    # --- by PRAGMA writable_schema
    "NOT NULL in a comment": edit_sql(
        AUDIT, "    user_email      TEXT NOT NULL,", "    user_email TEXT /* NOT NULL */,"
    ),
    "a default by writable_schema": edit_sql(AUDIT, "DEFAULT 'success'", "DEFAULT 'partial'"),
    "a CHECK by writable_schema": edit_sql(
        AUDIT,
        "capture_type    TEXT NOT NULL",
        "capture_type TEXT NOT NULL CHECK (capture_type <> 'login_failed')",
    ),
    "a view by writable_schema": edit_sql(
        "audit_logs", f"FROM {AUDIT}", f"FROM {AUDIT} WHERE id < 100"
    ),
    "SQL that is a BLOB": (
        edit_schema("UPDATE sqlite_master SET sql = CAST(sql AS BLOB) WHERE name = 'audit_logs'"),
        "audit_logs",
    ),
    "no SQL": (
        edit_schema("UPDATE sqlite_master SET sql = NULL WHERE name = 'audit_logs'"),
        "audit_logs",
    ),
    "SQL that is empty": (
        edit_schema("UPDATE sqlite_master SET sql = '' WHERE name = 'audit_logs'"),
        "audit_logs",
    ),
    "SQL that is invalid": (
        edit_schema(
            "UPDATE sqlite_master SET sql = 'CREATE VIEW audit_logs AS' WHERE name = 'audit_logs'"
        ),
        "audit_logs",
    ),
    "SQL with a zero byte": (
        edit_schema(
            "UPDATE sqlite_master SET sql = sql || char(0) || ' WHERE 0' WHERE name = 'audit_logs'"
        ),
        "audit_logs",
    ),
    "SQL that is no UTF-8": (
        edit_schema(
            "UPDATE sqlite_master SET sql = sql || CAST(x'2d2dff' AS TEXT) || ' ' || char(10) || "
            "'LIMIT 3' "
            "WHERE name = 'audit_logs'"
        ),
        "audit_logs",
    ),
    "SQL of another object": (
        edit_schema(
            f"UPDATE sqlite_master SET sql = {quote(schema_sql_of('payments_latest'))} "
            "WHERE name = 'audit_logs'"
        ),
        "audit_logs",
    ),
    "a name of another object": (
        edit_schema("UPDATE sqlite_master SET name = 'logs' WHERE name = 'audit_logs'"),
        "audit_logs",
    ),
    "a duplicate row of the schema": (
        edit_schema(
            "INSERT INTO sqlite_master SELECT * FROM sqlite_master WHERE name = 'audit_logs'"
        ),
        "audit_logs",
    ),
    "a row of the schema removed": (
        edit_schema("DELETE FROM sqlite_master WHERE name = 'payments_latest'"),
        "payments_latest",
    ),
    "the row of an automatic index removed": (
        edit_schema("DELETE FROM sqlite_master WHERE name = 'sqlite_autoindex_users_1'"),
        "sqlite_autoindex_users_1",
    ),
    "the row of the audit table removed": (
        edit_schema(f"DELETE FROM sqlite_master WHERE name = '{AUDIT}'"),
        AUDIT,
    ),
    "an invalid type": (
        edit_schema(f"UPDATE sqlite_master SET type = 'other' WHERE name = '{CHAIN}'"),
        CHAIN,
    ),
    "two tables on one page": (
        edit_schema(
            """UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master
               WHERE name = 'payment_data') WHERE name = 'users'"""
        ),
        "users",
    ),
    "a second name for the audit table": (
        "CREATE TABLE other (a);"
        + edit_schema(
            f"""UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master
                WHERE name = '{AUDIT}') WHERE name = 'other'"""
        ),
        "other",
    ),
    "two indexes swapped": (
        swap_root_pages("payment_data_by_person", "payment_data_by_transaction"),
        "payment_data_by_",
    ),
    "an index of other rows": (
        f"""CREATE TABLE other (user_email, timestamp);
            INSERT INTO other SELECT user_email, timestamp FROM {AUDIT} WHERE id > 100;
            CREATE INDEX others ON other (user_email, timestamp);"""
        + swap_root_pages("others", "data_capture_audit_by_person"),
        "data_capture_audit_by_person",
    ),
    "the audit table on the page of another table": (
        f"""CREATE TABLE other AS SELECT * FROM {AUDIT} WHERE id > 100;"""
        + swap_root_pages("other", AUDIT),
        "record 1 ",
    ),
    "a page that does not exist": (
        edit_schema("UPDATE sqlite_master SET rootpage = 99999 WHERE name = 'payment_data'"),
        "payment_data",
    ),
    "no page": (
        edit_schema("UPDATE sqlite_master SET rootpage = 0 WHERE name = 'payment_data_by_person'"),
        "payment_data_by_person",
    ),
    # --- counters
    "the counter of records set forward": (
        f"UPDATE sqlite_sequence SET seq = 5000 WHERE name = '{AUDIT}'",
        "record 301 ",
    ),
    "a counter that is text": (
        f"UPDATE sqlite_sequence SET seq = 'x' WHERE name = '{AUDIT}'",
        f"counter of {AUDIT}",
    ),
    "a second counter": (f"INSERT INTO sqlite_sequence VALUES ('{AUDIT}', 5)", "has 2 counters"),
    "a counter at its end": (
        "UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'payment_data'",
        "counter of payment_data",
    ),
    "a counter above what JSON can represent": (
        "UPDATE sqlite_sequence SET seq = 4611686018427387903 WHERE name = 'payment_data'",
        "counter of payment_data",
    ),
    "a counter after a row with a huge id": (
        f"INSERT INTO payment_data (id, user_email) VALUES ({2**53}, '{ANN}')",
        "counter of payment_data",
    ),
    "a counter set forward by trillions": (
        f"UPDATE sqlite_sequence SET seq = {2**41} WHERE name = 'payment_data'",
        "counter of payment_data",
    ),
    "a counter set back": (
        "UPDATE sqlite_sequence SET seq = 3 WHERE name = 'payment_data'",
        "counter of payment_data",
    ),
    "a counter removed": (
        "DELETE FROM sqlite_sequence WHERE name = 'payment_data'",
        "counter of payment_data",
    ),
}
