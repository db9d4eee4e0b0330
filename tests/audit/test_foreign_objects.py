"""What other tables, triggers and names in the file could do to ours is found; what they do among themselves is theirs."""

# ruff: noqa: S608  (every statement is spelled out here)

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest

from data_capture.audit import record_audit
from data_capture.capture.timestamps import timestamp
from data_capture.cli.integrity_report import find_damage, open_snapshot
from data_capture.privacy.erasure import erase_user
from data_capture.store.sqlite.connection import open_connection
from data_capture.store.sqlite.schema import prepare
from tests.support.installations import CommandServer, Installation, writing_to

ANN, BOB = "ann@example.com", "bob@example.com"
NOW = "2024-01-15T10:30:00.000Z"
USERS = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL, username TEXT, first_name TEXT);"


def filled(folder: Path, *statements: str) -> Path:
    """A database that was adopted with the objects that the statements make, and is in use."""
    database = folder / "trading_bots.db"
    run(database, *statements)
    with writing_to(database, (ANN, BOB), NOW) as connection:
        for number in range(60):
            user = (ANN, BOB)[number % 2]
            connection.execute(
                "INSERT INTO payment_data (user_email, created_at) VALUES (?, ?)", (user, NOW)
            )
            connection.execute(
                "INSERT INTO capture_receipts (user_email, capture_id, capture_type, row_id, outcome, payload_digest) "
                "VALUES (?, ?, 'payment', ?, 'stored', x'00')",
                (user, f"id-{number}", number + 1),
            )
            record_audit(
                connection,
                user_email=user,
                capture_type="payment",
                timestamp=NOW,
                source_endpoint="/payment",
            )
    return database


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("ours")).parent


@pytest.fixture(scope="module")
def beside_another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(
        tmp_path_factory.mktemp("others"),
        USERS,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, total)",
    ).parent


@pytest.fixture
def installation(ours: Path, tmp_path: Path, server: CommandServer) -> Installation:
    shutil.copytree(ours, tmp_path, dirs_exist_ok=True)
    return Installation(tmp_path, server)


@pytest.fixture
def with_others_users(beside_another: Path, tmp_path: Path, server: CommandServer) -> Installation:
    """One whose `users` is another program's."""
    shutil.copytree(beside_another, tmp_path, dirs_exist_ok=True)
    return Installation(tmp_path, server)


def run(database: Path, *statements: str) -> None:
    for statement in statements:  # each with a connection of its own, which reads the schema again
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.create_collation("nosuch", lambda a, b: (a > b) - (a < b))
            connection.executescript(statement)


def assert_found(installation: Installation, *words: str) -> None:
    for command in ("verify-audit", "doctor"):
        outcome = installation.run(command, *(["--quick"] if command == "doctor" else []))
        assert outcome.status == 1, (command, outcome.output, outcome.errors)
        for word in words:
            assert word in outcome.output, (command, outcome.output)


def assert_good(installation: Installation) -> str:
    outcome = installation.run("verify-audit")
    assert outcome.status == 0, outcome.output
    assert "Schema:" not in outcome.output
    return outcome.output


# --- What our writes can set off ------------------------------------------------------------------------------------------


def schema(*statements: str) -> str:
    return f"PRAGMA writable_schema = ON; {'; '.join(statements)}; PRAGMA schema_version = 900;"


NOTES = """CREATE TABLE notes (c TEXT, u TEXT,
FOREIGN KEY (c, u) REFERENCES capture_receipts (capture_id, user_email) ON DELETE CASCADE);"""
OF_USERS = "CREATE TABLE notes (u TEXT REFERENCES users (email) ON DELETE CASCADE);"
STRIKE = "BEGIN DELETE FROM payment_data WHERE user_email = 'bob@example.com'; END;"
HARMLESS = "BEGIN SELECT 1; END;"
ON_NOTES = f"CREATE TRIGGER nt BEFORE DELETE ON notes {STRIKE}"
OTHER = "CREATE TABLE other (a);"

FOREIGN = {
    "a table that refers to receipts, with a trigger": (NOTES + ON_NOTES, "nt on notes"),
    "the table alone": (NOTES, "notes"),
    "one that refers and acts on nothing": ("CREATE TABLE notes (p REFERENCES payment_data (id));", "notes"),
    "one that refers in capitals": ('CREATE TABLE notes (p REFERENCES "PAYMENT_DATA" (id));', "notes"),
    "one that refers in brackets": ("CREATE TABLE notes (p /* */ REFERENCES [payment_data] (id));", "notes"),
    "one that refers to a text": ("CREATE TABLE notes (p REFERENCES 'payment_data' (id));", "notes"),
    "a trigger on a table that goes with users": (OF_USERS + ON_NOTES, "nt on notes"),
    "a trigger there that does not speak of us": (
        OF_USERS + f"CREATE TRIGGER nt AFTER DELETE ON notes {HARMLESS}", "nt on notes"),
    "a trigger on a table whose reference is emptied": (
        "CREATE TABLE notes (u TEXT REFERENCES users (email) ON DELETE SET NULL);"
        f"CREATE TRIGGER nt AFTER UPDATE ON notes {HARMLESS}", "nt on notes"),
    "a trigger on a table that follows an address": (
        "CREATE TABLE notes (u TEXT REFERENCES users (email) ON UPDATE CASCADE);"
        f"CREATE TRIGGER nt AFTER UPDATE ON notes {HARMLESS}", "nt on notes"),
    "a trigger on a table that goes with one that goes with users": (
        "CREATE TABLE middle (id INTEGER PRIMARY KEY, u TEXT REFERENCES users (email) ON DELETE CASCADE);"
        "CREATE TABLE notes (m REFERENCES middle ON DELETE CASCADE);"
        f"CREATE TRIGGER nt AFTER DELETE ON notes {HARMLESS}", "nt on notes"),
    "a trigger elsewhere that speaks of us": (OTHER + f"CREATE TRIGGER nt AFTER INSERT ON other {STRIKE}", "payment_data"),
    "in brackets": (
        OTHER + "CREATE TRIGGER nt AFTER INSERT ON other BEGIN DELETE FROM [PAYMENT_DATA]; END;", "payment_data"),
    "as a text": (OTHER + "CREATE TRIGGER nt AFTER INSERT ON other BEGIN DELETE FROM 'payment_data'; END;", "payment_data"),
    "after a byte order mark": (
        OTHER + "CREATE TRIGGER nt AFTER INSERT ON other BEGIN DELETE FROM \ufeffpayment_data; END;", "payment_data"),
    "a reference after a byte order mark": ("CREATE TABLE notes (p REFERENCES \ufeffpayment_data (id));", "notes"),
    "a reference after a vertical tab": ("CREATE TABLE notes (p REFERENCES \vpayment_data (id));", "notes"),
    "a trigger on a table, after a vertical tab": (
        OF_USERS + f"CREATE TRIGGER nt AFTER DELETE ON \vnotes {HARMLESS}", "nt on notes"),
    "an index on SQLite's own table": (
        OTHER + "CREATE INDEX i ON other (a);" + schema(
            "UPDATE sqlite_master SET tbl_name = 'sqlite_sequence', sql = 'CREATE INDEX i ON sqlite_sequence (name)' "
            "WHERE name = 'i'"), "index i is on sqlite_sequence"),
    "of our users": (
        OTHER + "CREATE TRIGGER nt AFTER INSERT ON other BEGIN UPDATE users SET password_hash = 'x'; END;", "users"),
    "in place of a view": (
        f"CREATE VIEW other AS SELECT 1 AS a; CREATE TRIGGER nt INSTEAD OF INSERT ON other {STRIKE}", "payment_data"),
    "as a BLOB": (
        OF_USERS + ON_NOTES + schema("UPDATE sqlite_master SET sql = CAST(sql AS BLOB) WHERE name IN ('notes', 'nt')"), "nt"),
}  # fmt: skip
SAID_OTHERWISE = {
    "a trigger that passes for an index": "type = 'index', name = 'x'",
    "a trigger that passes for another table's": "tbl_name = 'other'",
    "a trigger that passes for another name's": "name = 'x'",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_our_writes_could_set_off_is_found(kind: str, installation: Installation) -> None:
    statements, word = FOREIGN[kind]
    run(installation.database, statements)
    assert_found(installation, word)
    prepare(installation.database)
    assert_found(installation, word)


@pytest.mark.parametrize("kind", SAID_OTHERWISE)
def test_a_row_of_the_schema_that_is_something_else_is_found(
    kind: str, installation: Installation
) -> None:
    change = f"UPDATE sqlite_master SET {SAID_OTHERWISE[kind]} WHERE name = 'nt'"
    run(installation.database, OF_USERS + OTHER + ON_NOTES + schema(change))
    outcome = installation.run("verify-audit")
    assert (outcome.status, "creates the trigger nt" in outcome.output) == (1, True), outcome.output


def test_a_trigger_is_found_before_an_erasure_runs_it(installation: Installation) -> None:
    run(
        installation.database,
        NOTES,
        f"INSERT INTO notes SELECT capture_id, user_email FROM capture_receipts; {ON_NOTES}",
    )
    assert_found(installation, "notes is not ours and refers to capture_receipts", "nt on notes")
    with closing(open_connection(installation.database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        erase_user(
            connection,
            ANN,
            erased_at=timestamp(datetime.now(timezone.utc)),
            source_endpoint="erase",
        )
        (left,) = connection.execute("SELECT count(*) FROM payment_data").fetchone()
        connection.execute("ROLLBACK")
    assert left == 0  # that is what it does


HARMLESS_TO_US = {
    "tables among themselves": """
        CREATE TABLE customers (id INTEGER PRIMARY KEY);
        CREATE TABLE invoices (c REFERENCES customers ON DELETE CASCADE);
        CREATE TRIGGER numbers AFTER DELETE ON invoices BEGIN DELETE FROM customers; END;""",
    "a table that keeps users from going": f"""
        CREATE TABLE invoices (u TEXT REFERENCES users (email));
        CREATE TRIGGER numbers AFTER INSERT ON invoices {HARMLESS}""",
    "a table that goes with users": OF_USERS,
    "words that are no names of ours": """
        CREATE TABLE payments (id); CREATE TABLE audit (id);
        CREATE TRIGGER numbers AFTER INSERT ON payments BEGIN INSERT INTO audit VALUES (new.id); END;""",
    "a virtual table": "CREATE VIRTUAL TABLE found USING fts5 (a, \"references\", users)",
    "what SQLite makes of odd names": """
        CREATE TABLE "a b" ("on" INTEGER, "c""d" TEXT UNIQUE); CREATE INDEX [i x] ON "a b" ("on");
        CREATE TRIGGER main."t t" AFTER UPDATE OF "on" ON "a b" BEGIN SELECT 1; END;
        ALTER TABLE "a b" RENAME TO 'e f'; ALTER TABLE "e f" ADD COLUMN g; ANALYZE;
        CREATE TABLE IF NOT EXISTS "Gr\u00f6\u00dfe" AS SELECT 1 AS a; CREATE VIEW w AS SELECT * FROM "Gr\u00f6\u00dfe";""",
}  # fmt: skip


@pytest.mark.parametrize("kind", HARMLESS_TO_US)
def test_what_has_nothing_to_do_with_us_is_not_mentioned(
    kind: str, installation: Installation
) -> None:
    run(installation.database, HARMLESS_TO_US[kind])
    assert "To know" not in assert_good(installation)


def test_the_program_whose_users_it_is_may_write_them_by_triggers(
    with_others_users: Installation,
) -> None:
    run(with_others_users.database,
        "CREATE TRIGGER totals AFTER INSERT ON orders BEGIN UPDATE users SET username = username; END;")  # fmt: skip
    assert "To know" not in assert_good(with_others_users)
    run(with_others_users.database,
        "CREATE TRIGGER more AFTER INSERT ON orders BEGIN UPDATE payment_data SET user_name = ''; END;")  # fmt: skip
    assert_found(with_others_users, "more on orders mentions payment_data")


def test_what_was_there_when_it_was_adopted_is_told_and_is_right(
    tmp_path: Path, server: CommandServer
) -> None:
    payments = "CREATE TABLE notes (p REFERENCES payment_data (id), note TEXT);"
    goes = "CREATE TABLE goes (u TEXT REFERENCES users (email) ON DELETE CASCADE);"
    filled(
        tmp_path, USERS, payments + goes + f"CREATE TRIGGER gone AFTER DELETE ON goes {HARMLESS}"
    )
    installation = Installation(tmp_path, server)
    said = assert_good(installation)
    assert "To know: The table notes is another program's, refers to payment_data" in said
    assert "To know: The trigger gone on goes is another program's" in said
    run(installation.database, "ALTER TABLE notes ADD COLUMN more")
    assert "To know: notes is another program's, and was altered" in assert_good(installation)
    run(
        installation.database,
        "ALTER TABLE notes ADD COLUMN receipt REFERENCES capture_receipts (capture_id)",
    )
    assert_found(installation, "notes is not ours and refers to capture_receipts and payment_data")


# --- Names of SQLite's functions ------------------------------------------------------------------------------------------


SHADOWS = {
    "pragma_page_count": "CREATE TABLE pragma_page_count (page_count); CREATE TABLE pragma_page_size (page_size);",
    "pragma_table_xinfo": "CREATE TABLE PRAGMA_table_xinfo (a);",
    "pragma_foreign_key_list": "CREATE TABLE pragma_foreign_key_list (a);",
    "pragma_table_info": "CREATE VIEW pragma_table_info AS SELECT 1 AS a;",
    "pragma_foreign_key_check": "CREATE TABLE [pragma_foreign_key_check] (a);",
    "json_each": "CREATE TABLE json_each (key, value);",
    "json_tree": "CREATE VIEW json_tree AS SELECT 1 AS a;",
}


@pytest.mark.parametrize("name", SHADOWS)
def test_what_has_the_name_of_a_function_is_found(name: str, installation: Installation) -> None:
    run(installation.database, SHADOWS[name])
    assert_found(installation, f"{name} has the name of an SQLite function")


@pytest.mark.parametrize("name", SHADOWS)
def test_what_has_the_name_of_a_function_is_in_nobody_s_way(
    name: str, installation: Installation
) -> None:
    run(installation.database, SHADOWS[name])
    outcome = installation.run("backup")
    assert outcome.status == 0, outcome.errors
    prepare(installation.database)
    outcome = installation.run("erase", ANN, "--yes")
    assert outcome.status == 0, outcome.errors


# --- What keeps SQLite's check from looking -------------------------------------------------------------------------------


def without_rows(index: str, columns: str) -> list[str]:
    """Take all rows but some from an index, and leave what the schema says of it."""
    said = f"CREATE INDEX {index} ON {columns}"

    def say(sql: str, version: int) -> str:
        return (f"PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = '{sql}' WHERE name = '{index}';"
                f"PRAGMA schema_version = {version}")  # fmt: skip

    return [say(f"{said} WHERE id > 20", 901), f"REINDEX {index}", say(said, 902)]


AUDIT_INDEX = without_rows(
    "data_capture_audit_by_person", "data_capture_audit (user_email, timestamp)"
)
PAYMENT_INDEX = without_rows("payment_data_by_person", "payment_data (user_email, created_at)")
UNKNOWN_COLLATION = """
CREATE TABLE "a z" (x TEXT COLLATE nosuch); CREATE INDEX zi ON "a z" (x); INSERT INTO "a z" VALUES ('a'), ('b')
"""
HIDING = {
    "nothing": [],
    "an unknown collation": [UNKNOWN_COLLATION],
    "an unknown function": [
        "CREATE TABLE z (x CHECK (x > 0)); INSERT INTO z VALUES (1)",
        """PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE TABLE z (x CHECK (nosuch(x)))' WHERE name = 'z';
           PRAGMA schema_version = 910"""],
    "a check that fails while it is computed": [
        "CREATE TABLE z (x CHECK (x < 0)); INSERT INTO z VALUES (-9223372036854775808)",
        """PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE TABLE z (x CHECK (abs(x) > 0))' WHERE name = 'z';
           PRAGMA schema_version = 910"""],
    "hundreds of broken rules": [
        """CREATE TABLE z (x INTEGER); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
           INSERT INTO z SELECT NULL FROM n""",
        """PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE TABLE z (x INTEGER NOT NULL)' WHERE name = 'z';
           PRAGMA schema_version = 910"""],
    "tables with names of functions": [
        "CREATE TABLE pragma_page_count (page_count); CREATE TABLE pragma_page_size (page_size);"
        "INSERT INTO pragma_page_count VALUES (1000000); INSERT INTO pragma_page_size VALUES (4096)"],
    "a large file": ["CREATE TABLE z (x); INSERT INTO z VALUES (zeroblob(20000000))"],
}  # fmt: skip


@pytest.mark.parametrize("kind", HIDING)
@pytest.mark.parametrize("index", ["data_capture_audit_by_person", "payment_data_by_person"])
def test_an_index_that_hides_rows_is_found_whatever_else_is_in_the_file(
    index: str, kind: str, installation: Installation
) -> None:
    run(installation.database, *(AUDIT_INDEX if "audit" in index else PAYMENT_INDEX), *HIDING[kind])
    for command in ("verify-audit", "doctor"):
        outcome = installation.run(command)
        assert (outcome.status, index in outcome.output) == (1, True), outcome.output


@pytest.mark.parametrize(
    "kind", ["an unknown collation", "an unknown function", "hundreds of broken rules"]
)
def test_what_another_program_s_table_lacks_is_no_damage(
    kind: str, installation: Installation
) -> None:
    run(installation.database, *HIDING[kind])
    assert_good(installation)
    outcome = installation.run("backup")
    assert outcome.status == 0, outcome.errors


def test_a_check_of_our_own_table_that_fails_is_damage(installation: Installation) -> None:
    run(
        installation.database,
        "CREATE INDEX foreign_index ON payment_data (user_name COLLATE nosuch)",
    )
    with open_snapshot(installation.database) as connection:
        assert find_damage(connection) == [
            "payment_data can't be checked: no such collation sequence: nosuch"
        ]


def test_an_sqlite_that_checks_no_single_table_says_what_it_could_not_check(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(installation.database, UNKNOWN_COLLATION)
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 32, 3))
    with open_snapshot(installation.database) as connection:
        (report,) = find_damage(connection, only_schema_tables=True)
    assert "no such collation sequence: nosuch" in report
    assert "SQLite 3.33" in report
