"""What the comparison with schema.sql takes for tampering, and what a start may make good."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from data_capture.audit import clear_columns, pseudonymise_audit, record_audit
from data_capture.audit.append import begin_chain
from data_capture.audit.schema_sql import is_plain_index, parse_create, tokenize_sql
from data_capture.cli import CommandError
from data_capture.cli.progress import Progress
from data_capture.cli.verify_audit import verify_audit
from data_capture.key_files import keep_key, new_key
from data_capture.store.sqlite.connection import open_connection
from data_capture.store.sqlite.schema import prepare
from data_capture.store.sqlite.users import ensure_user
from tests.support.installations import CommandServer, Installation
from tests.support.services import REPOSITORY

ANN, BOB, NOBODY = "kim@example.com", "lee@example.com", "erased-1@data-capture.invalid"
NOW = "2024-01-15T10:30:00.000Z"
DATABASES = REPOSITORY / "tests" / "databases"
EARLIER = sorted((REPOSITORY / "data_capture" / "audit" / "earlier_schemas").glob("*.sql"))

USERS = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL, username TEXT, first_name TEXT);"
OTHERS_PAYMENTS = """
CREATE TABLE Payment_Data (id INTEGER PRIMARY KEY, shop TEXT, user_id, user_email, user_name,
plan_name, original_price,
    discount_amount, final_price, coupon_code, payment_method, transaction_id, payment_status,
    payment_processor, crypto_transaction_hash, crypto_from_address, crypto_amount, ip_address,
    user_agent, created_at, updated_at);
CREATE UNIQUE INDEX payment_by_shop ON payment_data (shop, transaction_id);
CREATE TRIGGER shops AFTER INSERT ON payment_data BEGIN SELECT 1; END;
"""
TAKEN_OVER = {
    "users of an ORM": ["users_by_orm.sql"],
    "users in SQL, and what other programs keep": ["users_in_sql.sql", "other_programs.sql"],
    "users without passwords": ["users_without_passwords.sql"],
    "payments of another program, with an index and a trigger": [USERS, OTHERS_PAYMENTS],
}


def run(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for statement in statements:
            connection.executescript(statement)


def made(folder: Path, *scripts: str) -> Path:
    database = folder / "trading_bots.db"
    run(
        database,
        *(
            (DATABASES / script).read_text() if script.endswith(".sql") else script
            for script in scripts
        ),
    )
    return database


def fill(database: Path) -> None:
    """Add records of two users, erase one and take what is old from the other's."""
    with closing(open_connection(database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for user in (ANN, BOB, NOBODY):
            ensure_user(connection, user, None, NOW)
        for number in range(20):
            record_audit(
                connection, user_email=(ANN, BOB)[number % 2], capture_type="payment", timestamp=NOW,
                source_endpoint="/payment", snapshot="{}", ip_address="192.0.2.1", user_agent="Browser/1.0",
            )  # fmt: skip
        pseudonymise_audit(connection, ANN, NOBODY, timestamp=NOW, source_endpoint="erase")
        old = [
            number
            for (number,) in connection.execute(
                "SELECT id FROM data_capture_audit WHERE user_email = ?", (BOB,)
            )
        ]
        clear_columns(
            connection, {"ip_address": old}, NOBODY, timestamp=NOW, source_endpoint="retention"
        )
        connection.execute("COMMIT")


def verified(
    database: Path, capsys: pytest.CaptureFixture[str], key_file: Path | None = None
) -> tuple[bool, str]:
    try:
        is_good = verify_audit(database, key_file, None, print_head=False, progress=Progress())
    except CommandError as error:
        return False, str(error)
    return is_good, capsys.readouterr().out


def assert_good(
    database: Path, capsys: pytest.CaptureFixture[str], key_file: Path | None = None
) -> str:
    is_good, said = verified(database, capsys, key_file)
    assert is_good, said
    assert "Schema:" not in said
    return said


def assert_found(database: Path, capsys: pytest.CaptureFixture[str], *words: str) -> None:
    is_good, said = verified(database, capsys)
    assert not is_good, said
    assert [word for word in words if word not in said] == [], said


def made_by_an_earlier_version(folder: Path, schema: Path) -> Path:
    """A database as a version before the note has left it: its tables, its key and its chain."""
    database = folder / "trading_bots.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.executescript(schema.read_text())
        key = new_key()
        begin_chain(connection, key)
    keep_key(folder / "trading_bots.keys" / "audit.key", key)
    fill(database)
    return database


def note_of(database: Path) -> Path:
    return database.with_name("trading_bots.keys") / "schema"


# --- No false alarm -------------------------------------------------------------------------------


def test_a_database_of_ours_is_good_whatever_is_usual_with_it(
    tmp_path: Path, server: CommandServer, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = Installation(tmp_path, server)
    database = installation.database
    prepare(database)
    assert "To know" not in assert_good(database, capsys)
    fill(database)
    said = assert_good(database, capsys)
    assert "belong to erased users" in said
    assert "deleted by the retention" in said
    run(database, "VACUUM; ANALYZE; REINDEX; PRAGMA optimize")
    prepare(database)
    assert_good(database, capsys)
    run(database, f"VACUUM INTO '{tmp_path / 'copy.db'}'")
    assert_good(tmp_path / "copy.db", capsys, tmp_path / "trading_bots.keys" / "audit.key")
    backup = installation.back_up()
    assert_good(backup, capsys, tmp_path / "trading_bots.keys" / "audit.key")
    outcome = installation.run("restore", backup)
    assert outcome.status == 0, outcome.errors
    assert_good(database, capsys)
    prepare(database)
    assert_good(database, capsys)


def test_what_other_programs_add_beside_ours_is_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    run(
        database,
        """CREATE TABLE orders (id INTEGER PRIMARY KEY, email TEXT UNIQUE, total REAL CHECK (total > 0));
           CREATE VIEW paid AS SELECT * FROM payments_latest;
           CREATE TRIGGER paid_orders AFTER INSERT ON orders BEGIN SELECT 1; END;
           CREATE INDEX by_total ON orders (abs(total));
           CREATE INDEX payments_by_plan ON payment_data (plan_name, created_at DESC);
           CREATE VIRTUAL TABLE texts USING fts5 (text);""",
    )
    assert "To know" not in assert_good(database, capsys)


@pytest.mark.parametrize("case", TAKEN_OVER)
def test_a_database_of_other_programs_is_good_as_it_was_adopted(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = made(tmp_path, *TAKEN_OVER[case])
    prepare(database)
    fill(database)
    prepare(database)
    assert_good(database, capsys)
    run(database, "VACUUM")
    assert_good(database, capsys)


@pytest.mark.parametrize("schema", EARLIER, ids=lambda path: path.stem)
def test_a_database_of_an_earlier_version_is_good_before_and_after_its_first_start_and_so_are_its_backups(
    schema: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = made_by_an_earlier_version(tmp_path, schema)
    assert_good(database, capsys)
    backup = tmp_path / "backup.db"
    run(database, f"VACUUM INTO '{backup}'")
    prepare(database)
    assert_good(database, capsys)
    assert_good(backup, capsys, tmp_path / "trading_bots.keys" / "audit.key")


def test_an_earlier_versions_database_over_another_programs_is_noted_with_its_backups(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = made(tmp_path, USERS, OTHERS_PAYMENTS)
    database = made_by_an_earlier_version(tmp_path, EARLIER[-1])
    backup = tmp_path / "backup.db"
    run(database, f"VACUUM INTO '{backup}'")
    prepare(database)
    assert "The table payment_data is as it was adopted" in assert_good(database, capsys)
    assert_good(backup, capsys, tmp_path / "trading_bots.keys" / "audit.key")


# --- What is adopted ------------------------------------------------------------------------------


def test_what_was_adopted_is_told_and_a_change_of_it_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = made(tmp_path, USERS, OTHERS_PAYMENTS)
    prepare(database)
    said = assert_good(database, capsys)
    assert "To know: The table payment_data is as it was adopted" in said
    assert "To know: The trigger shops on payment_data is another program's" in said
    run(
        database,
        "DROP TRIGGER shops; CREATE TRIGGER shops AFTER INSERT ON payment_data BEGIN SELECT 2; END",
    )
    assert_found(database, capsys, "The trigger shops on payment_data")
    run(
        database, "DROP TRIGGER shops; DROP INDEX payment_by_shop"
    )  # their program may do without them
    assert_good(database, capsys)
    run(database, "ALTER TABLE payment_data ADD COLUMN refunded")
    assert_found(
        database,
        capsys,
        "The table payment_data was changed: its SQL differs from the recorded one",
    )


def test_another_program_may_alter_its_users_but_not_what_stands_on_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = made(tmp_path, "users_in_sql.sql", "other_programs.sql")
    prepare(database)
    assert "users_get_progress" in assert_good(database, capsys)
    run(
        database,
        "ALTER TABLE users ADD COLUMN shoe_size; CREATE UNIQUE INDEX shoes ON users (shoe_size)",
    )
    run(
        database, "ALTER TABLE audit_logs ADD COLUMN reason"
    )  # another program's table, which has a name of ours
    said = assert_good(database, capsys)
    assert (
        "To know: The table users is another program's, and was altered since it was recorded."
        in said
    )
    assert "To know: audit_logs is another program's, and was altered" in said
    run(database, "CREATE TRIGGER watch AFTER UPDATE ON users BEGIN SELECT 1; END")
    assert_found(database, capsys, "The trigger watch on users")


def test_a_users_table_that_became_a_view_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = made(tmp_path, USERS)
    prepare(database)
    run(database, "ALTER TABLE users RENAME TO people; CREATE VIEW users AS SELECT * FROM people")
    assert_found(database, capsys, "The table users is a view now.")


# --- The note -------------------------------------------------------------------------------------


def test_the_note_is_its_owners_alone_and_stays_as_it_is(tmp_path: Path) -> None:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    note = note_of(database)
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    before = note.read_bytes()
    run(
        database,
        "CREATE TRIGGER helper AFTER INSERT ON payment_data BEGIN SELECT 1; END; DROP VIEW payments_latest",
    )
    prepare(database)
    assert note.read_bytes() == before
    assert [path.name for path in note.parent.iterdir() if path.name.startswith(".")] == []


CHANGES = {
    "a view": "DROP VIEW audit_logs; CREATE VIEW audit_logs AS SELECT * FROM data_capture_audit WHERE id < 3",
    "a trigger": "CREATE TRIGGER helper AFTER INSERT ON payment_data BEGIN SELECT 1; END",
    "a column": "ALTER TABLE user_credentials ADD COLUMN hint",
    "an index": "CREATE UNIQUE INDEX once ON payment_data (transaction_id)",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_start_does_not_make_it_good_not_even_one_that_adds_what_is_missing(
    change: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    run(database, CHANGES[change], "DROP INDEX payment_data_by_person; DROP VIEW payments_latest")
    prepare(database)
    is_good, said = verified(database, capsys)
    assert not is_good
    assert "is gone" not in said  # that the start has put back
    prepare(database)
    assert not verified(database, capsys)[0]


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_done_on_purpose_is_accepted_once_the_note_is_removed(
    change: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    run(database, CHANGES[change])
    assert_found(database, capsys, f"remove {note_of(database)}")
    note_of(database).unlink()
    assert not verified(database, capsys)[0]
    prepare(database)
    assert_good(database, capsys)
    run(database, "CREATE TRIGGER another AFTER INSERT ON data_capture_audit BEGIN SELECT 1; END")
    assert_found(database, capsys, "The trigger another on data_capture_audit")


def test_a_note_that_someone_else_has_written_counts_for_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    note = note_of(database)
    code, _, states = note.read_text().partition("\n")
    state = json.loads(states)[-1]
    for forged in (
        "",
        "nothing",
        f"{code}\n",
        f"{code}\n[{json.dumps([*state, ['trigger', 'x', 'users', 'x']])}]\n",
        "\xff",
    ):
        note.write_text(forged, encoding="latin-1")
        assert_found(database, capsys, f"Schema: The recorded schema, {note}, was changed")
        prepare(database)
        assert note.read_text(encoding="latin-1") == forged


def test_a_database_that_came_without_its_key_is_noted_again_under_the_new_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    (tmp_path / "trading_bots.keys" / "audit.key").unlink()
    prepare(database)
    assert_good(database, capsys)


def test_a_copy_is_compared_with_the_note_beside_the_key_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here").mkdir()
    database = made(tmp_path / "here", USERS, OTHERS_PAYMENTS)
    prepare(database)
    run(database, f"VACUUM INTO '{tmp_path / 'copy.db'}'")
    key = tmp_path / "here" / "trading_bots.keys" / "audit.key"
    assert_good(tmp_path / "copy.db", capsys, key)
    shutil.copy(key, tmp_path / "audit.key")
    is_good, said = verified(tmp_path / "copy.db", capsys, tmp_path / "audit.key")
    assert not is_good
    assert f"There is no note of this database's schema beside {tmp_path / 'audit.key'}" in said
    run(tmp_path / "copy.db", "DROP VIEW audit_logs")
    assert not verified(tmp_path / "copy.db", capsys, key)[0]


# --- The doctor -----------------------------------------------------------------------------------


def test_the_doctor_says_the_same(tmp_path: Path, server: CommandServer) -> None:
    installation = Installation(tmp_path, server)
    prepare(installation.database)
    findings = {
        one["question"]: one
        for one in json.loads(installation.run("doctor", "--json").output)["findings"]
    }
    assert findings["integrity"]["level"] == "ok"
    run(installation.database, *CHANGES.values())
    outcome = installation.run("doctor", "--json", "--quick")
    assert outcome.status == 1
    finding = {one["question"]: one for one in json.loads(outcome.output)["findings"]}["integrity"]
    assert finding["level"] == "problem"
    for words in (
        "The view audit_logs was changed",
        "The trigger helper on payment_data",
        "user_credentials",
        "once",
    ):
        assert words in finding["answer"], finding
    assert "verify-audit" in finding["advice"]


def test_the_doctor_says_nothing_of_a_database_that_no_service_has_adopted(
    tmp_path: Path, server: CommandServer
) -> None:
    installation = Installation(tmp_path, server)
    made(tmp_path, "users_in_sql.sql", "other_programs.sql")
    findings = {
        one["question"]: one
        for one in json.loads(installation.run("doctor", "--json").output)["findings"]
    }
    assert findings["integrity"]["level"] == "ok", findings


# --- SQL ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        "create  table\tT(A integer)",
        "CREATE TABLE IF NOT EXISTS t (a INTEGER);",
        'CREATE TABLE "t" (`a` INTEGER)',
        "CREATE TABLE [t] -- a comment ) here\n (a /* and */ INTEGER)",
    ],
)
def test_what_makes_no_difference(other: str) -> None:
    names = {"t", "a"}
    assert tokenize_sql(other, names) == tokenize_sql("CREATE TABLE t (a INTEGER)", names)


@pytest.mark.parametrize(
    "other",
    [
        "CREATE TABLE t (a 'INTEGER')",
        'CREATE TABLE t (a "INTEGER")',
        "CREATE TABLE t (a INT EGER)",
        "CREATE TABLE t (\xa0a INTEGER)",
        "CREATE TABLE t (a INTEGER)\0",
        "CREATE TABLE t (a INTEGER /* )",
        "CREATE TABLE t (\u212a INTEGER)",
        "CREATE TABLE t (a INTEGER) -- x\r WITHOUT ROWID\n STRICT",
        "CREATE TABLE t (a\v INTEGER)",
    ],
)
def test_what_makes_a_difference(other: str) -> None:
    assert tokenize_sql(other, {"t", "a"}) != tokenize_sql("CREATE TABLE t (a INTEGER)", {"t", "a"})


@pytest.mark.parametrize("hostile", ["[", "'", '"', "/*", "`", "x'", "--", "''", "(", "\xe9 "])
def test_reading_hostile_sql_takes_one_pass(hostile: str) -> None:
    assert len(tokenize_sql("CREATE TABLE t (" + hostile * 50_000)) <= 100_100


def test_what_a_statement_creates_is_read_whatever_it_is_called() -> None:
    statement = 'CREATE TRIGGER main."on" AFTER UPDATE OF "on", b ON main.[T x] BEGIN SELECT 1; END'
    created = parse_create(tokenize_sql(statement))
    assert created is not None
    assert created[:3] == ("trigger", "on", "t x")
    for broken in (
        "",
        "CREATE",
        "CREATE TABLE",
        "CREATE TRIGGER x AFTER",
        "SELECT 1",
        "CREATE UNIQUE",
    ):
        assert parse_create(tokenize_sql(broken)) is None


@pytest.mark.parametrize(
    ("index", "is_plain"),
    [
        ("CREATE INDEX i ON t (a, b DESC)", True),
        ('CREATE INDEX i ON "t" ("a")', True),
        ("CREATE UNIQUE INDEX i ON t (a)", False),
        ("CREATE INDEX i ON t (a) WHERE b", False),
        ("CREATE INDEX i ON t (lower(a))", False),
        ("CREATE INDEX i ON t (a + 1)", False),
        ("CREATE INDEX i ON t (a || b)", False),
        ("CREATE INDEX i ON t (a COLLATE x)", False),
        ("CREATE INDEX i ON t ('a')", False),
        ("CREATE INDEX i ON t (-a)", False),
        ("CREATE INDEX i ON t (a IS b)", False),
    ],
)
def test_an_index_that_can_refuse_rows_is_told_from_one_that_can_not(
    index: str, is_plain: bool
) -> None:
    assert is_plain_index(tokenize_sql(index)) is is_plain
