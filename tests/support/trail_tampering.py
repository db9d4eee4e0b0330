"""List ways to tamper with the tables and views of the audit trail by plain SQL.

`TRAIL_TAMPERING` maps a description to the statements and to a text that verify-audit must report.
"""

# ruff: noqa: S608  (every statement is written in this file)

from __future__ import annotations

from tests.support.schema_edits import rebuild_table, replace_view, schema_sql_of

ANN, BOB = "ann@example.com", "bob@example.com"
NOW = "2024-01-15T10:30:00.000Z"
TRAIL_COLUMNS = (
    "id, user_email, capture_type, data_snapshot, source_endpoint, timestamp, ip_address, "
    "user_agent, status, error_details"
)
RECORD_VALUES = f"('{ANN}', 'payment', NULL, '/payment', '{NOW}', NULL, NULL, 'success', NULL)"
ID, AUDIT, CHAIN = (
    "id              INTEGER PRIMARY KEY AUTOINCREMENT",
    "data_capture_audit",
    "data_capture_audit_chain",
)
CHAIN_ID = "audit_id   INTEGER PRIMARY KEY"
CREATE_HIDING_VIEW = f"CREATE VIEW {AUDIT} AS SELECT {TRAIL_COLUMNS} FROM hidden"

TRAIL_TAMPERING: dict[str, tuple[str, str]] = {
    # --- the audit table, rebuilt
    "a nullable id and a row NULL": rebuild_table(
        AUDIT, ID, "id INTEGER", f"INSERT INTO {AUDIT} VALUES (NULL, {RECORD_VALUES[1:]}"
    ),
    "a nullable id and no row NULL": rebuild_table(AUDIT, ID, "id INTEGER"),
    "a nullable id and a duplicate row": rebuild_table(
        AUDIT, ID, "id INTEGER", f"INSERT INTO {AUDIT} SELECT * FROM {AUDIT} WHERE id = 7"
    ),
    "a text id and a row '7'": rebuild_table(
        AUDIT, ID, "id TEXT", f"INSERT INTO {AUDIT} VALUES ('7', {RECORD_VALUES[1:]}"
    ),
    "ids that are texts": rebuild_table(AUDIT, ID, "id TEXT PRIMARY KEY"),
    "ids that are reals": rebuild_table(AUDIT, ID, "id REAL PRIMARY KEY"),
    "ids of any type and a row 7.5": rebuild_table(
        AUDIT, ID, "id", f"INSERT INTO {AUDIT} VALUES (7.5, {RECORD_VALUES[1:]}"
    ),
    "ids of any type and a row x'37'": rebuild_table(
        AUDIT, ID, "id", f"INSERT INTO {AUDIT} VALUES (x'37', {RECORD_VALUES[1:]}"
    ),
    "ids of any type and a row ''": rebuild_table(
        AUDIT, ID, "id", f"INSERT INTO {AUDIT} VALUES ('', {RECORD_VALUES[1:]}"
    ),
    "ids that are BLOBs": rebuild_table(
        AUDIT, ID, "id BLOB PRIMARY KEY", f"UPDATE {AUDIT} SET id = CAST(id AS BLOB)"
    ),
    "INT for INTEGER": rebuild_table(AUDIT, ID, "id INT PRIMARY KEY"),
    "descending ids": rebuild_table(AUDIT, ID, "id INTEGER PRIMARY KEY DESC"),
    "no AUTOINCREMENT": rebuild_table(AUDIT, ID, "id INTEGER PRIMARY KEY"),
    "WITHOUT ROWID": (
        f"""PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON; CREATE TABLE rebuilt (
            {schema_sql_of(AUDIT).split("(", 1)[1].replace(" AUTOINCREMENT", "")} WITHOUT ROWID;
            INSERT INTO rebuilt SELECT * FROM {AUDIT}; DROP TABLE {AUDIT}; ALTER TABLE rebuilt
            RENAME TO {AUDIT}""",
        AUDIT,
    ),
    "no foreign key": rebuild_table(
        AUDIT, ",\n    FOREIGN KEY (user_email) REFERENCES users (email)", ""
    ),
    "a cascading foreign key": rebuild_table(
        AUDIT, "REFERENCES users (email)", "REFERENCES users (email) ON DELETE CASCADE"
    ),
    "a CHECK that refuses failures": rebuild_table(
        AUDIT, "status          TEXT", "status TEXT CHECK (status <> 'failed')"
    ),
    "a CHECK that is always true": rebuild_table(
        AUDIT, "ip_address      TEXT", "ip_address TEXT CHECK (1)"
    ),
    "NOT NULL with another conflict rule": rebuild_table(
        AUDIT, "user_email      TEXT NOT NULL", "user_email TEXT NOT NULL ON CONFLICT IGNORE"
    ),
    "no NOT NULL": rebuild_table(AUDIT, "user_email      TEXT NOT NULL", "user_email TEXT"),
    "another collation": rebuild_table(
        AUDIT, "user_email      TEXT NOT NULL", "user_email TEXT NOT NULL COLLATE NOCASE"
    ),
    "another default": rebuild_table(AUDIT, "DEFAULT 'success'", "DEFAULT 'partial'"),
    "another type": rebuild_table(AUDIT, "user_agent      TEXT", "user_agent NUMERIC"),
    "a generated column": rebuild_table(
        AUDIT,
        "user_agent      TEXT",
        "user_agent TEXT AS ('Browser/1.0')",
        columns="""id, user_email,
        capture_type, data_snapshot, source_endpoint, timestamp, ip_address, status,
        error_details""",
    ),
    "an additional column": (f"ALTER TABLE {AUDIT} ADD COLUMN approved INTEGER", AUDIT),
    "an additional generated column": (
        f"ALTER TABLE {AUDIT} ADD COLUMN kind TEXT AS (lower(capture_type))",
        AUDIT,
    ),
    "two columns swapped": (
        f"""ALTER TABLE {AUDIT} RENAME COLUMN ip_address TO moved;
            ALTER TABLE {AUDIT} RENAME COLUMN user_agent TO ip_address;
            ALTER TABLE {AUDIT} RENAME COLUMN moved TO user_agent""",
        AUDIT,
    ),
    "a column removed": (
        f"DROP VIEW audit_logs; ALTER TABLE {AUDIT} DROP COLUMN error_details",
        AUDIT,
    ),
    "a column of the chain renamed": (f"ALTER TABLE {CHAIN} RENAME COLUMN link TO chain", CHAIN),
    "a STRICT table": (
        f"""CREATE TABLE rebuilt (audit_id INTEGER PRIMARY KEY, adopted INTEGER NOT NULL, salt BLOB,
        commitment BLOB NOT NULL, link BLOB NOT NULL) STRICT; INSERT INTO rebuilt SELECT * FROM
        {CHAIN}; DROP TABLE {CHAIN};
        ALTER TABLE rebuilt RENAME TO {CHAIN}""",
        CHAIN,
    ),
    # --- the chain, rebuilt
    "a nullable audit_id and an entry NULL": rebuild_table(
        CHAIN,
        CHAIN_ID,
        "audit_id INTEGER",
        f"INSERT INTO {CHAIN} VALUES (NULL, 0, NULL, zeroblob(32), zeroblob(32))",
    ),
    "a duplicate entry": rebuild_table(
        CHAIN,
        CHAIN_ID,
        "audit_id INTEGER",
        f"INSERT INTO {CHAIN} SELECT * FROM {CHAIN} WHERE audit_id = 9",
    ),
    "an entry 'x'": rebuild_table(
        CHAIN,
        CHAIN_ID,
        "audit_id",
        f"INSERT INTO {CHAIN} VALUES ('x', 0, NULL, zeroblob(32), zeroblob(32))",
    ),
    "audit_ids that are texts": rebuild_table(CHAIN, CHAIN_ID, "audit_id TEXT PRIMARY KEY"),
    "an adopted that is a real": rebuild_table(
        CHAIN, "adopted    INTEGER NOT NULL", "adopted", f"UPDATE {CHAIN} SET adopted = 0.0"
    ),
    "an adopted that is NULL": rebuild_table(
        CHAIN, "adopted    INTEGER NOT NULL", "adopted", f"UPDATE {CHAIN} SET adopted = NULL"
    ),
    "a link that is NULL": rebuild_table(
        CHAIN,
        "link       BLOB NOT NULL",
        "link",
        f"UPDATE {CHAIN} SET link = NULL WHERE audit_id = 5",
    ),
    "the chain WITHOUT ROWID": (
        f"""CREATE TABLE rebuilt ({schema_sql_of(CHAIN).split("(", 1)[1]} WITHOUT ROWID;
            INSERT INTO rebuilt SELECT * FROM {CHAIN};
            DROP TABLE {CHAIN}; ALTER TABLE rebuilt RENAME TO {CHAIN}""",
        CHAIN,
    ),
    # --- a view in place of a table, or the reverse
    "a view in place of the renamed audit table": (
        f"ALTER TABLE {AUDIT} RENAME TO hidden; DROP VIEW audit_logs; {CREATE_HIDING_VIEW}",
        AUDIT,
    ),
    "a view that hides records": (
        f"ALTER TABLE {AUDIT} RENAME TO hidden; DROP VIEW audit_logs; {CREATE_HIDING_VIEW} "
        "WHERE status = 'success'",
        AUDIT,
    ),
    "a view that never ends": (
        f"""ALTER TABLE {AUDIT} RENAME TO hidden; DROP VIEW audit_logs; CREATE VIEW {AUDIT} AS
        WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT * FROM n JOIN
        hidden USING (id)""",
        AUDIT,
    ),
    "a view in place of the renamed chain": (
        f"ALTER TABLE {CHAIN} RENAME TO hidden; CREATE VIEW {CHAIN} AS SELECT * FROM hidden",
        CHAIN,
    ),
    "a virtual table in place of the chain": (
        f"DROP TABLE {CHAIN}; CREATE VIRTUAL TABLE {CHAIN} USING fts5 (audit_id, adopted, salt, "
        "commitment, link)",
        CHAIN,
    ),
    "a view in place of payment_data": (
        """ALTER TABLE payment_data RENAME TO hidden; DROP VIEW payments_latest;
        CREATE VIEW payment_data AS SELECT * FROM hidden""",
        "payment_data",
    ),
    "a table in place of the view": (
        f"DROP VIEW audit_logs; CREATE TABLE audit_logs AS SELECT {TRAIL_COLUMNS} FROM {AUDIT}",
        "audit_logs",
    ),
    "an index in place of the view": (
        f"DROP VIEW audit_logs; CREATE INDEX audit_logs ON {AUDIT} (status)",
        "audit_logs",
    ),
    # --- the views
    "audit_logs without failures": replace_view(
        "audit_logs", f"FROM {AUDIT}", f"FROM {AUDIT} WHERE status = 'success'"
    ),
    "audit_logs with other values": replace_view(
        "audit_logs", "user_email", "'someone' AS user_email"
    ),
    "audit_logs with two columns swapped": replace_view(
        "audit_logs", "status, error_details", "error_details AS status, status AS error_details"
    ),
    "audit_logs of another table": replace_view(
        "audit_logs", f"FROM {AUDIT}", f"FROM (SELECT * FROM {AUDIT} LIMIT 10)"
    ),
    "audit_logs with a list of column names": replace_view(
        "audit_logs",
        "audit_logs AS",
        "audit_logs (id, timestamp, user_email, capture_type, error_details, status, "
        "source_endpoint, ip_address, user_agent, "
        "data_snapshot) AS",
    ),
    "audit_logs with an additional record": replace_view(
        "audit_logs",
        f"FROM {AUDIT}",
        f"FROM {AUDIT} UNION ALL SELECT 999, '', '', 'payment', 'success', '', '', '', '', ''",
    ),
    "audit_logs removed": ("DROP VIEW audit_logs", "audit_logs"),
    "payments_latest without a payment": replace_view(
        "payments_latest",
        "WHERE transaction_id IS NULL",
        "WHERE user_email <> 'x' AND transaction_id IS NULL",
    ),
    "payments_latest oldest first": replace_view("payments_latest", "DESC", "ASC"),
    "payments_latest with the status completed": replace_view(
        "payments_latest", "payment_status", "'completed' AS payment_status"
    ),
    "a keyword in quotes": replace_view("payments_latest", "IS NULL", 'IS "NULL"'),
}
