"""Whatever plain SQL does to the schema, `verify-audit` finds it and names the object."""

# ruff: noqa: S608  (every statement is spelled out here)

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from data_capture.audit import record_audit
from data_capture.commands import Refused
from data_capture.commands.verify_audit import verify_audit
from data_capture.commands.words import Progress
from data_capture.store.connection import open_connection
from data_capture.store.people import ensure_person
from data_capture.store.takeover import prepare
from tests.installations import CommandServer, Installation
from tests.support import REPOSITORY, rows

ANN, BOB = "ann@example.com", "bob@example.com"
NOW = "2024-01-15T10:30:00.000Z"
RECORDS = 300
INDEXES_OF = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ?"
TRAIL_COLUMNS = (
    "id, user_email, capture_type, data_snapshot, source_endpoint, timestamp, ip_address, "
    "user_agent, status, error_details"
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation with some hundred records, as its services leave it."""
    folder = tmp_path_factory.mktemp("original")
    database = folder / "trading_bots.db"
    prepare(database)
    with closing(open_connection(database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for person in (ANN, BOB):
            ensure_person(connection, person, None, NOW)
        for number in range(RECORDS):
            person = (ANN, BOB)[number % 2]
            connection.execute(
                "INSERT INTO payment_data (user_email, transaction_id, payment_status) VALUES "
                "(?, ?, 'pending')",
                (person, f"TX-{number}"),
            )
            record_audit(
                connection, user_email=person, capture_type="payment", timestamp=NOW, source_endpoint="/payment",
                snapshot=f'{{"transaction_id": "TX-{number}"}}', ip_address="192.0.2.1", user_agent="Browser/1.0",
            )  # fmt: skip
        connection.execute("COMMIT")
    prepare(database)
    return folder


@pytest.fixture
def database(original: Path, tmp_path: Path) -> Path:
    """The database of a copy of it."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return tmp_path / "trading_bots.db"


def run(database: Path, *statements: str) -> None:
    """Run what anyone can run who can write the file."""
    for statement in statements:  # each with a connection of its own, which reads the schema again
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(
                f"BEGIN; {statement}; COMMIT" if "PRAGMA" not in statement else statement
            )


def verified(
    database: Path, capsys: pytest.CaptureFixture[str], key_file: Path | None = None
) -> tuple[bool, str]:
    """Return whether verify-audit found everything good, and what it said."""
    try:
        is_good = verify_audit(database, key_file, None, print_head=False, progress=Progress())
    except Refused as refusal:
        return False, str(refusal)
    return is_good, capsys.readouterr().out


def sql_of(name: str) -> str:
    """Return the SQL with which schema.sql makes an object."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript((REPOSITORY / "schema.sql").read_text())
        (sql,) = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = ?", (name,)
        ).fetchone()
        return str(sql)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# --- Ways to do it --------------------------------------------------------------------------------


def edited(name: str, old: str, new: str) -> tuple[str, str]:
    """Change what the schema says, and not one row."""
    sql = sql_of(name)
    assert old in sql, (name, old)
    return schema(
        f"UPDATE sqlite_master SET sql = {quoted(sql.replace(old, new, 1))} WHERE name = '{name}'"
    ), name


def schema(*statements: str) -> str:
    return f"PRAGMA writable_schema = ON; {'; '.join(statements)}; PRAGMA schema_version = 900;"


def rebuilt(name: str, old: str, new: str, more: str = "", columns: str = "*") -> tuple[str, str]:
    """Make the table again with other SQL, with all of its rows, indexes and counter."""
    sql = sql_of(name)
    assert old in sql, (name, old)
    made = sql.replace(name, "rebuilt", 1).replace(old, new, 1)
    indexes = ";".join(sql_of(index) for index in INDEXES.get(name, ()))
    return (
        f"""PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON; {made};
            INSERT INTO rebuilt SELECT {columns} FROM {name};
            DROP TABLE {name}; ALTER TABLE rebuilt RENAME TO {name}; {indexes};
            {more}""",
        name,
    )


INDEXES = {"data_capture_audit": ["data_capture_audit_by_person"]}


def view(name: str, old: str, new: str) -> tuple[str, str]:
    sql = sql_of(name)
    assert old in sql, (name, old)
    return f"DROP VIEW {name}; {sql.replace(old, new, 1)}", name


def trigger(
    on: str, when: str = "AFTER INSERT", what: str = "SELECT 1", name: str = "helper"
) -> tuple[str, str]:
    return f"CREATE TRIGGER {name} {when} ON {on} BEGIN {what}; END", name


A_ROW = f"('{ANN}', 'payment', NULL, '/payment', '{NOW}', NULL, NULL, 'success', NULL)"
ID, AUDIT, CHAIN = (
    "id              INTEGER PRIMARY KEY AUTOINCREMENT",
    "data_capture_audit",
    "data_capture_audit_chain",
)
CHAIN_ID = "audit_id   INTEGER PRIMARY KEY"
HIDING = f"CREATE VIEW {AUDIT} AS SELECT {TRAIL_COLUMNS} FROM hidden"

TAMPERING: dict[str, tuple[str, str]] = {
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
    # --- triggers
    "a trigger on new records": trigger(AUDIT),
    "a trigger that drops records": trigger(AUDIT, "BEFORE INSERT", "SELECT RAISE(IGNORE)"),
    "a trigger that changes records": trigger(
        AUDIT, "AFTER INSERT", f"UPDATE {AUDIT} SET status = 'success' WHERE id = new.id"
    ),
    "a trigger on erased records": trigger(AUDIT, "AFTER UPDATE OF user_email"),
    "a trigger on removed records": trigger(AUDIT, "AFTER DELETE"),
    "a trigger on the chain": trigger(CHAIN),
    "a trigger on payments": trigger("payment_data"),
    "a trigger on main.payment_data": trigger("main.payment_data"),
    "a trigger on questionnaires": trigger("questionnaire_data", "BEFORE UPDATE"),
    "a trigger on dashboards": trigger("dashboard_data"),
    "a trigger on activities": trigger("trading_activity_log"),
    "a trigger on receipts": trigger("capture_receipts", "BEFORE INSERT", "SELECT RAISE(IGNORE)"),
    "a trigger on erasures": trigger(
        "data_capture_erasures", "AFTER INSERT", "DELETE FROM data_capture_erasures"
    ),
    "a trigger on passwords": trigger("user_credentials"),
    "a trigger on users": trigger("users", "AFTER UPDATE OF password_hash"),
    "a trigger INSTEAD OF the view": trigger("audit_logs", "INSTEAD OF DELETE"),
    "a trigger in capitals": trigger(AUDIT.upper()),
    "a trigger of the view's name": trigger(AUDIT, name="audit_logs"),
    "a trigger that says it is a view": (
        trigger(AUDIT)[0]
        + ";"
        + schema("UPDATE sqlite_master SET type = 'view' WHERE name = 'helper'"),
        "helper",
    ),
    "a trigger that says it is on another table": (
        trigger(AUDIT)[0]
        + ";"
        + schema("UPDATE sqlite_master SET tbl_name = 'other' WHERE name = 'helper'"),
        "helper",
    ),
    "a trigger in a comment's shade": (
        f"CREATE TRIGGER /* ON users */ helper -- ON users\n AFTER INSERT ON {AUDIT} BEGIN SELECT 1; END",
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
    "a unique index more": (f"CREATE UNIQUE INDEX once ON {AUDIT} (id)", "once"),
    "a unique index of receipts": ("CREATE UNIQUE INDEX once ON capture_receipts (row_id)", "once"),
    "a partial index more": (f"CREATE INDEX part ON {AUDIT} (status) WHERE status = 'x'", "part"),
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
    # --- other tables of ours
    "a payment table with a CHECK": rebuilt(
        "payment_data",
        "final_price             DECIMAL(10,2)",
        "final_price DECIMAL(10,2) CHECK (final_price < 100000)",
    ),
    "a payment table without its foreign key": rebuilt(
        "payment_data", ",\n    FOREIGN KEY (user_email) REFERENCES users (email)", ""
    ),
    "receipts that replace": rebuilt(
        "capture_receipts",
        "outcome        TEXT NOT NULL",
        "outcome TEXT NOT NULL ON CONFLICT REPLACE",
    ),
    "erasures that do not last": rebuilt(
        "data_capture_erasures", "remaining    INTEGER NOT NULL", "remaining INTEGER"
    ),
    "our users with one email for several": rebuilt(
        "users",
        "email             TEXT NOT NULL UNIQUE",
        "email TEXT NOT NULL UNIQUE ON CONFLICT REPLACE",
    ),
    "our users with a column more": (
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
            {sql_of("payment_data")}""",
        "payment_data_by_person",
    ),
    "a view in an index's place": (
        "DROP INDEX payment_data_by_person; CREATE VIEW payment_data_by_person AS SELECT 1",
        "payment_data_by_person",
    ),
    "a name with a line break": (
        f'CREATE TRIGGER "helper\n\x1b[31m" AFTER INSERT ON {AUDIT} BEGIN SELECT 1; END',
        "helper??[31m",
    ),
    "a hundred triggers": (
        ";".join(trigger(AUDIT, name=f"helper_{number}")[0] for number in range(100)),
        "and 50 findings more",
    ),
    "a default that needs a function": edited(
        AUDIT, "DEFAULT 'success'", "DEFAULT (no_such_function())"
    ),
    "a generated column that needs a function": edited(
        CHAIN, "link       BLOB NOT NULL", "link BLOB AS (no_such_function())"
    ),
    "a collation that is not there": edited(
        AUDIT, "capture_type    TEXT NOT NULL", "capture_type TEXT NOT NULL COLLATE nowhere"
    ),
    "a collation of the ids that is not there": edited(
        CHAIN, CHAIN_ID, "audit_id TEXT COLLATE nowhere PRIMARY KEY"
    ),
    "a NULL behind a rule that was lifted and put back": (
        edited(AUDIT, "user_email      TEXT NOT NULL", "user_email TEXT")[0]
        + f"UPDATE {AUDIT} SET user_email = NULL WHERE id = 9;",
        "record 9 ",
    ),
    "an id of -1": (f"INSERT INTO {AUDIT} VALUES (-1, {A_ROW[1:]}", "record -1 "),
    "the highest id": (
        f"INSERT INTO {AUDIT} VALUES (9223372036854775807, {A_ROW[1:]}",
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
    "erasures nested deeper than can be read": (
        f"""UPDATE {AUDIT} SET capture_type = 'erasure',
            data_snapshot = replace(hex(zeroblob(100000)), '0', '[') WHERE id = 8""",
        "record 8 ",
    ),
    "an erasure of a number that is none": (
        f"""UPDATE {AUDIT} SET capture_type = 'erasure',
            data_snapshot = '{{"left": {{"' || replace(hex(zeroblob(5000)), '0', '9') || '": "00"}}}}'
            WHERE id = 8""",
        "record 8 ",
    ),
    # --- by PRAGMA writable_schema
    "a comment that hides a rule": edited(
        AUDIT, "    user_email      TEXT NOT NULL,", "    user_email TEXT /* NOT NULL */,"
    ),
    "a default by writable_schema": edited(AUDIT, "DEFAULT 'success'", "DEFAULT 'partial'"),
    "a CHECK by writable_schema": edited(
        AUDIT,
        "capture_type    TEXT NOT NULL",
        "capture_type TEXT NOT NULL CHECK (capture_type <> 'login_failed')",
    ),
    "a view by writable_schema": edited(
        "audit_logs", f"FROM {AUDIT}", f"FROM {AUDIT} WHERE id < 100"
    ),
    "SQL that is a BLOB": (
        schema("UPDATE sqlite_master SET sql = CAST(sql AS BLOB) WHERE name = 'audit_logs'"),
        "audit_logs",
    ),
    "no SQL": (
        schema("UPDATE sqlite_master SET sql = NULL WHERE name = 'audit_logs'"),
        "audit_logs",
    ),
    "SQL that is empty": (
        schema("UPDATE sqlite_master SET sql = '' WHERE name = 'audit_logs'"),
        "audit_logs",
    ),
    "SQL that is none": (
        schema(
            "UPDATE sqlite_master SET sql = 'CREATE VIEW audit_logs AS' WHERE name = 'audit_logs'"
        ),
        "audit_logs",
    ),
    "SQL with a zero byte": (
        schema(
            "UPDATE sqlite_master SET sql = sql || char(0) || ' WHERE 0' WHERE name = 'audit_logs'"
        ),
        "audit_logs",
    ),
    "SQL that is no UTF-8": (
        schema(
            "UPDATE sqlite_master SET sql = sql || CAST(x'2d2dff' AS TEXT) || ' ' || char(10) || "
            "'LIMIT 3' "
            "WHERE name = 'audit_logs'"
        ),
        "audit_logs",
    ),
    "SQL of another object": (
        schema(
            f"UPDATE sqlite_master SET sql = {quoted(sql_of('payments_latest'))} WHERE name = "
            "'audit_logs'"
        ),
        "audit_logs",
    ),
    "a name of another object": (
        schema("UPDATE sqlite_master SET name = 'logs' WHERE name = 'audit_logs'"),
        "audit_logs",
    ),
    "a row of the schema twice": (
        schema("INSERT INTO sqlite_master SELECT * FROM sqlite_master WHERE name = 'audit_logs'"),
        "audit_logs",
    ),
    "a row of the schema removed": (
        schema("DELETE FROM sqlite_master WHERE name = 'payments_latest'"),
        "payments_latest",
    ),
    "the row of an automatic index removed": (
        schema("DELETE FROM sqlite_master WHERE name = 'sqlite_autoindex_users_1'"),
        "sqlite_autoindex_users_1",
    ),
    "the row of the audit table removed": (
        schema(f"DELETE FROM sqlite_master WHERE name = '{AUDIT}'"),
        AUDIT,
    ),
    "a type that is none": (
        schema(f"UPDATE sqlite_master SET type = 'other' WHERE name = '{CHAIN}'"),
        CHAIN,
    ),
    "two tables on one page": (
        schema(
            """UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master
               WHERE name = 'payment_data') WHERE name = 'users'"""
        ),
        "users",
    ),
    "a second name for the audit table": (
        "CREATE TABLE other (a);"
        + schema(
            f"""UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master
                WHERE name = '{AUDIT}') WHERE name = 'other'"""
        ),
        "other",
    ),
    "two indexes exchanged": (
        schema("""UPDATE sqlite_master SET rootpage = (SELECT sum(rootpage) FROM sqlite_master WHERE name IN
        ('payment_data_by_person', 'payment_data_by_transaction')) - rootpage
        WHERE name IN ('payment_data_by_person', 'payment_data_by_transaction')"""),
        "payment_data_by_",
    ),
    "an index of other rows": (
        f"""CREATE TABLE other (user_email, timestamp); INSERT INTO other SELECT user_email, timestamp FROM {AUDIT}
        WHERE id > 100; CREATE INDEX others ON other (user_email, timestamp);"""
        + schema(
            """UPDATE sqlite_master SET rootpage = (SELECT sum(rootpage) FROM sqlite_master WHERE name IN
        ('others', 'data_capture_audit_by_person')) - rootpage WHERE name IN ('others',
        'data_capture_audit_by_person')"""
        ),
        "data_capture_audit_by_person",
    ),
    "the audit table on another one's page": (
        f"""CREATE TABLE other AS SELECT * FROM {AUDIT} WHERE id > 100;"""
        + schema(
            f"""UPDATE sqlite_master SET rootpage = (SELECT sum(rootpage) FROM sqlite_master WHERE name IN
        ('other', '{AUDIT}')) - rootpage WHERE name IN ('other', '{AUDIT}')"""
        ),
        "record 1 ",
    ),
    "a page that is not there": (
        schema("UPDATE sqlite_master SET rootpage = 99999 WHERE name = 'payment_data'"),
        "payment_data",
    ),
    "no page": (
        schema("UPDATE sqlite_master SET rootpage = 0 WHERE name = 'payment_data_by_person'"),
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
    "a counter that JSON does not hold": (
        "UPDATE sqlite_sequence SET seq = 4611686018427387903 WHERE name = 'payment_data'",
        "counter of payment_data",
    ),
    "a counter after a row far off": (
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


def test_there_are_eighty_kinds_and_more() -> None:
    assert len(TAMPERING) >= 80


@pytest.mark.parametrize("kind", TAMPERING)
def test_tampering_with_the_schema_is_found_and_the_object_named(
    kind: str, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    statements, name = TAMPERING[kind]
    run(database, statements)
    is_good, said = verified(database, capsys)
    assert not is_good, said
    assert name in said, said


@pytest.mark.parametrize("counter", [RECORDS, RECORDS + 1_000_000_000, 2**40])
def test_a_counter_after_rows_that_were_deleted_is_no_tampering(
    counter: int, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(database, f"UPDATE sqlite_sequence SET seq = {counter} WHERE name = 'payment_data'")
    is_good, said = verified(database, capsys)
    assert is_good, said


@pytest.mark.parametrize("table", [AUDIT, CHAIN, "payment_data", "users", "capture_receipts"])
def test_a_table_made_again_as_it_was_is_no_tampering(
    table: str, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sql = sql_of(table)
    indexes = [one for one in rows(database, INDEXES_OF, table) if one["sql"]]
    made = sql.replace(table, '"rebuilt"', 1)
    again = ";".join(one["sql"] for one in indexes)
    run(
        database,
        f"""PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON; {made};
            INSERT INTO rebuilt SELECT * FROM {table}; DROP TABLE {table};
            ALTER TABLE rebuilt RENAME TO {table}; {again}""",
    )
    is_good, said = verified(database, capsys)
    assert is_good, said


BY_DOCTOR = [
    "audit_logs without failures", "a trigger on payments", "a nullable id and a row NULL",
    "a view over the audit table, hidden", "a virtual table", "a unique index more", "a counter removed",
    "SQL that is none", "two tables on one page", "the audit table removed",
]  # fmt: skip


@pytest.mark.parametrize("kind", BY_DOCTOR)
def test_the_doctor_finds_it_too(kind: str, database: Path, server: CommandServer) -> None:
    statements, name = TAMPERING[kind]
    run(database, statements)
    outcome = Installation(database.parent, server).run("doctor", "--json", "--quick")
    assert outcome.status == 1
    findings = {one["question"]: one for one in json.loads(outcome.output)["findings"]}
    assert findings["integrity"]["level"] == "problem"
    assert name.strip() in findings["integrity"]["answer"], findings["integrity"]
