"""Tampering with the tables and views of the audit trail by plain SQL: the statements, and what verify-audit has to name."""

# ruff: noqa: S608  (every statement is spelled out here)

from __future__ import annotations

from tests.support.schema_edits import rebuilt, sql_of, view

ANN, BOB = "ann@example.com", "bob@example.com"
NOW = "2024-01-15T10:30:00.000Z"
TRAIL_COLUMNS = (
    "id, user_email, capture_type, data_snapshot, source_endpoint, timestamp, ip_address, "
    "user_agent, status, error_details"
)
A_ROW = f"('{ANN}', 'payment', NULL, '/payment', '{NOW}', NULL, NULL, 'success', NULL)"
ID, AUDIT, CHAIN = (
    "id              INTEGER PRIMARY KEY AUTOINCREMENT",
    "data_capture_audit",
    "data_capture_audit_chain",
)
CHAIN_ID = "audit_id   INTEGER PRIMARY KEY"
HIDING = f"CREATE VIEW {AUDIT} AS SELECT {TRAIL_COLUMNS} FROM hidden"

TRAIL_TAMPERING: dict[str, tuple[str, str]] = {
    # --- the audit table made again
    "a nullable id and a row NULL": rebuilt(
        AUDIT, ID, "id INTEGER", f"INSERT INTO {AUDIT} VALUES (NULL, {A_ROW[1:]}"
    ),
    "a nullable id, no such row": rebuilt(AUDIT, ID, "id INTEGER"),
    "a nullable id and a row twice": rebuilt(
        AUDIT, ID, "id INTEGER", f"INSERT INTO {AUDIT} SELECT * FROM {AUDIT} WHERE id = 7"
    ),
    "a text id and a row '7'": rebuilt(
        AUDIT, ID, "id TEXT", f"INSERT INTO {AUDIT} VALUES ('7', {A_ROW[1:]}"
    ),
    "ids that are texts": rebuilt(AUDIT, ID, "id TEXT PRIMARY KEY"),
    "ids that are reals": rebuilt(AUDIT, ID, "id REAL PRIMARY KEY"),
    "ids of any type and a row 7.5": rebuilt(
        AUDIT, ID, "id", f"INSERT INTO {AUDIT} VALUES (7.5, {A_ROW[1:]}"
    ),
    "ids of any type and a row x'37'": rebuilt(
        AUDIT, ID, "id", f"INSERT INTO {AUDIT} VALUES (x'37', {A_ROW[1:]}"
    ),
    "ids of any type and a row ''": rebuilt(
        AUDIT, ID, "id", f"INSERT INTO {AUDIT} VALUES ('', {A_ROW[1:]}"
    ),
    "ids that are BLOBs": rebuilt(
        AUDIT, ID, "id BLOB PRIMARY KEY", f"UPDATE {AUDIT} SET id = CAST(id AS BLOB)"
    ),
    "INT for INTEGER": rebuilt(AUDIT, ID, "id INT PRIMARY KEY"),
    "descending ids": rebuilt(AUDIT, ID, "id INTEGER PRIMARY KEY DESC"),
    "no AUTOINCREMENT": rebuilt(AUDIT, ID, "id INTEGER PRIMARY KEY"),
    "WITHOUT ROWID": (
        f"""PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON; CREATE TABLE rebuilt (
            {sql_of(AUDIT).split("(", 1)[1].replace(" AUTOINCREMENT", "")} WITHOUT ROWID;
            INSERT INTO rebuilt SELECT * FROM {AUDIT}; DROP TABLE {AUDIT}; ALTER TABLE rebuilt
            RENAME TO {AUDIT}""",
        AUDIT,
    ),
    "no foreign key": rebuilt(
        AUDIT, ",\n    FOREIGN KEY (user_email) REFERENCES users (email)", ""
    ),
    "a cascading foreign key": rebuilt(
        AUDIT, "REFERENCES users (email)", "REFERENCES users (email) ON DELETE CASCADE"
    ),
    "a CHECK that refuses failures": rebuilt(
        AUDIT, "status          TEXT", "status TEXT CHECK (status <> 'failed')"
    ),
    "a UNIQUE that ignores repetitions": rebuilt(
        AUDIT, "ip_address      TEXT", "ip_address TEXT CHECK (1)"
    ),
    "NOT NULL with another conflict rule": rebuilt(
        AUDIT, "user_email      TEXT NOT NULL", "user_email TEXT NOT NULL ON CONFLICT IGNORE"
    ),
    "no NOT NULL": rebuilt(AUDIT, "user_email      TEXT NOT NULL", "user_email TEXT"),
    "another collation": rebuilt(
        AUDIT, "user_email      TEXT NOT NULL", "user_email TEXT NOT NULL COLLATE NOCASE"
    ),
    "another default": rebuilt(AUDIT, "DEFAULT 'success'", "DEFAULT 'partial'"),
    "another type": rebuilt(AUDIT, "user_agent      TEXT", "user_agent NUMERIC"),
    "a generated column": rebuilt(
        AUDIT,
        "user_agent      TEXT",
        "user_agent TEXT AS ('Browser/1.0')",
        columns="""id, user_email,
        capture_type, data_snapshot, source_endpoint, timestamp, ip_address, status,
        error_details""",
    ),
    "a column more": (f"ALTER TABLE {AUDIT} ADD COLUMN approved INTEGER", AUDIT),
    "a hidden generated column more": (
        f"ALTER TABLE {AUDIT} ADD COLUMN kind TEXT AS (lower(capture_type))",
        AUDIT,
    ),
    "two columns exchanged": (
        f"""ALTER TABLE {AUDIT} RENAME COLUMN ip_address TO moved; ALTER TABLE {AUDIT} RENAME COLUMN user_agent TO ip_address;
            ALTER TABLE {AUDIT} RENAME COLUMN moved TO user_agent""",
        AUDIT,
    ),
    "a column less": (
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
    # --- the chain made again
    "a nullable audit_id and an entry NULL": rebuilt(
        CHAIN,
        CHAIN_ID,
        "audit_id INTEGER",
        f"INSERT INTO {CHAIN} VALUES (NULL, 0, NULL, zeroblob(32), zeroblob(32))",
    ),
    "an entry twice": rebuilt(
        CHAIN,
        CHAIN_ID,
        "audit_id INTEGER",
        f"INSERT INTO {CHAIN} SELECT * FROM {CHAIN} WHERE audit_id = 9",
    ),
    "an entry 'x'": rebuilt(
        CHAIN,
        CHAIN_ID,
        "audit_id",
        f"INSERT INTO {CHAIN} VALUES ('x', 0, NULL, zeroblob(32), zeroblob(32))",
    ),
    "audit_ids that are texts": rebuilt(CHAIN, CHAIN_ID, "audit_id TEXT PRIMARY KEY"),
    "an adopted that is a real": rebuilt(
        CHAIN, "adopted    INTEGER NOT NULL", "adopted", f"UPDATE {CHAIN} SET adopted = 0.0"
    ),
    "an adopted that is NULL": rebuilt(
        CHAIN, "adopted    INTEGER NOT NULL", "adopted", f"UPDATE {CHAIN} SET adopted = NULL"
    ),
    "a link that is NULL": rebuilt(
        CHAIN,
        "link       BLOB NOT NULL",
        "link",
        f"UPDATE {CHAIN} SET link = NULL WHERE audit_id = 5",
    ),
    "the chain WITHOUT ROWID": (
        f"""CREATE TABLE rebuilt ({sql_of(CHAIN).split("(", 1)[1]} WITHOUT ROWID; INSERT INTO rebuilt SELECT * FROM {CHAIN};
            DROP TABLE {CHAIN}; ALTER TABLE rebuilt RENAME TO {CHAIN}""",
        CHAIN,
    ),
    # --- a table that is no table
    "a view over the audit table, hidden": (
        f"ALTER TABLE {AUDIT} RENAME TO hidden; DROP VIEW audit_logs; {HIDING}",
        AUDIT,
    ),
    "a view that hides records": (
        f"ALTER TABLE {AUDIT} RENAME TO hidden; DROP VIEW audit_logs; {HIDING} WHERE status = "
        "'success'",
        AUDIT,
    ),
    "a view that never ends": (
        f"""ALTER TABLE {AUDIT} RENAME TO hidden; DROP VIEW audit_logs; CREATE VIEW {AUDIT} AS
        WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT * FROM n JOIN
        hidden USING (id)""",
        AUDIT,
    ),
    "a view over the chain, hidden": (
        f"ALTER TABLE {CHAIN} RENAME TO hidden; CREATE VIEW {CHAIN} AS SELECT * FROM hidden",
        CHAIN,
    ),
    "a virtual table": (
        f"DROP TABLE {CHAIN}; CREATE VIRTUAL TABLE {CHAIN} USING fts5 (audit_id, adopted, salt, "
        "commitment, link)",
        CHAIN,
    ),
    "payment_data a view": (
        """ALTER TABLE payment_data RENAME TO hidden; DROP VIEW payments_latest;
        CREATE VIEW payment_data AS SELECT * FROM hidden""",
        "payment_data",
    ),
    "a table in the view's place": (
        f"DROP VIEW audit_logs; CREATE TABLE audit_logs AS SELECT {TRAIL_COLUMNS} FROM {AUDIT}",
        "audit_logs",
    ),
    "an index in the view's place": (
        f"DROP VIEW audit_logs; CREATE INDEX audit_logs ON {AUDIT} (status)",
        "audit_logs",
    ),
    # --- the views
    "audit_logs without failures": view(
        "audit_logs", f"FROM {AUDIT}", f"FROM {AUDIT} WHERE status = 'success'"
    ),
    "audit_logs with other values": view("audit_logs", "user_email", "'someone' AS user_email"),
    "audit_logs with two columns exchanged": view(
        "audit_logs", "status, error_details", "error_details AS status, status AS error_details"
    ),
    "audit_logs of another table": view(
        "audit_logs", f"FROM {AUDIT}", f"FROM (SELECT * FROM {AUDIT} LIMIT 10)"
    ),
    "audit_logs with columns named anew": view(
        "audit_logs",
        "audit_logs AS",
        "audit_logs (id, timestamp, user_email, capture_type, error_details, status, "
        "source_endpoint, ip_address, user_agent, "
        "data_snapshot) AS",
    ),
    "audit_logs with a record more": view(
        "audit_logs",
        f"FROM {AUDIT}",
        f"FROM {AUDIT} UNION ALL SELECT 999, '', '', 'payment', 'success', '', '', '', '', ''",
    ),
    "audit_logs removed": ("DROP VIEW audit_logs", "audit_logs"),
    "payments_latest without a payment": view(
        "payments_latest",
        "WHERE transaction_id IS NULL",
        "WHERE user_email <> 'x' AND transaction_id IS NULL",
    ),
    "payments_latest oldest first": view("payments_latest", "DESC", "ASC"),
    "payments_latest that says paid": view(
        "payments_latest", "payment_status", "'completed' AS payment_status"
    ),
    "a keyword in quotes": view("payments_latest", "IS NULL", 'IS "NULL"'),
}
