"""Whatever plain SQL does to the audit trail, `verify-audit` finds it and names the record."""

# ruff: noqa: S608  (every statement is spelled out here)

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from data_capture.audit import pseudonymise_audit, record_audit
from data_capture.store.sqlite.connection import open_connection
from data_capture.store.sqlite.schema import prepare
from data_capture.store.sqlite.users import ensure_user
from tests.support.installations import CommandServer, Installation
from tests.support.services import REPOSITORY

ANN, BOB, CLEO, NOBODY = (
    "ann@example.com",
    "bob@example.com",
    "cleo@example.com",
    "erased-1@data-capture.invalid",
)
NOW = "2024-01-15T10:30:00.000Z"
PAYMENT = '{"plan_name": "Pro", "final_price": "179.99", "note": "caf\u00e9"}'

# What the database holds, by id:
#   1, 2, 4   there before the chain began; 3 and 5 were deleted before that
#   6 - 9     a payment and a partial questionnaire of Ann's, a dashboard and an activity of Bob's
#   10 - 12   three records of Cleo's, who was erased
#   13        that erasure
#   14 - 17   a payment of Ann's, a payment and a failed login of Bob's, a payment of Ann's


def write(
    connection: sqlite3.Connection,
    user: str,
    kind: str,
    snapshot: str | None = PAYMENT,
    status: str = "success",
) -> None:
    record_audit(
        connection, user_email=user, capture_type=kind, timestamp=NOW, source_endpoint=f"/api/data-capture/{kind}",
        snapshot=snapshot, ip_address="192.0.2.1", user_agent="Browser/1.0", status=status,
        error_details="accountSize is not a number" if status == "partial" else None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation with the records above, as its services leave it."""
    folder = tmp_path_factory.mktemp("original")
    database = folder / "trading_bots.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript((REPOSITORY / "schema.sql").read_text())
        connection.execute("DROP TABLE data_capture_audit_chain")
        for user in (ANN, BOB, CLEO, NOBODY):
            ensure_user(connection, user, None, NOW)
        for number in range(1, 6):
            connection.execute(INSERTED.replace("?", str(number)))
        connection.execute("DELETE FROM data_capture_audit WHERE id IN (3, 5)")
        connection.commit()
    prepare(database)
    with closing(open_connection(database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        write(connection, ANN, "payment")
        write(connection, ANN, "questionnaire", status="partial")
        write(connection, BOB, "dashboard")
        write(connection, BOB, "activity", '{"pair": "EURUSD"}')
        for kind in ("payment", "signup", "login_failed"):
            write(connection, CLEO, kind)
        assert (
            pseudonymise_audit(connection, CLEO, NOBODY, timestamp=NOW, source_endpoint="erase")
            == 3
        )
        write(connection, ANN, "payment")
        write(connection, BOB, "payment")
        write(connection, BOB, "login_failed", None, "failed")
        write(connection, ANN, "payment")
        connection.execute("COMMIT")
    prepare(database)  # the next start
    return folder


class Tampered:
    """A copy of it, to be tampered with."""

    def __init__(self, original: Path, copy: Path, server: CommandServer) -> None:
        shutil.copytree(original, copy, dirs_exist_ok=True)
        self.installation = Installation(copy, server)
        self.database = self.installation.database

    def run(self, *statements: str) -> None:
        """What anyone can do who can write the file, and is not kept from it by any rule of ours."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            for statement in statements:
                connection.executescript(statement)

    def assert_found_at(self, record: int) -> None:
        outcome = self.installation.run("verify-audit")
        assert outcome.output.startswith(f"Audit record {record} "), (
            outcome.output,
            outcome.errors,
        )
        assert outcome.status == 1


@pytest.fixture
def tampered(original: Path, tmp_path: Path, server: CommandServer) -> Tampered:
    return Tampered(original, tmp_path, server)


def changed(assignment: str, record: int = 8) -> tuple[str, int]:
    return f"UPDATE data_capture_audit SET {assignment} WHERE id = {record}", record


def changed_entry(assignment: str, record: int = 8) -> tuple[str, int]:
    return f"UPDATE data_capture_audit_chain SET {assignment} WHERE audit_id = {record}", record


def deleted(condition: str) -> str:
    return f"""DELETE FROM data_capture_audit WHERE {condition};
               DELETE FROM data_capture_audit_chain WHERE {condition.replace("id", "audit_id")};"""


def copied(condition: str, by: int) -> str:
    return f"""
        INSERT INTO data_capture_audit
        SELECT id + {by}, user_email, capture_type, data_snapshot, source_endpoint, timestamp, ip_address, user_agent, status,
               error_details
        FROM data_capture_audit WHERE {condition};
        INSERT INTO data_capture_audit_chain
        SELECT audit_id + {by}, adopted, salt, commitment, link
        FROM data_capture_audit_chain WHERE {condition.replace("id", "audit_id")};
    """


def renumbered(old: str, new: str) -> str:
    return f"""
        UPDATE data_capture_audit SET id = -id WHERE {old};
        UPDATE data_capture_audit SET id = {new.replace("#", "-id")} WHERE id < 0;
        UPDATE data_capture_audit_chain SET audit_id = -audit_id WHERE {old.replace("id", "audit_id")};
        UPDATE data_capture_audit_chain SET audit_id = {new.replace("#", "-audit_id")} WHERE audit_id < 0;
    """


INSERTED = (
    f"INSERT INTO data_capture_audit (id, user_email, capture_type) VALUES (?, '{ANN}', 'payment');"
)
FORGED_ENTRY = "INSERT INTO data_capture_audit_chain VALUES (?, 0, randomblob(16), randomblob(32), randomblob(32));"
COUNTER = "UPDATE sqlite_sequence SET seq = ? WHERE name = 'data_capture_audit';"

TAMPERING: dict[str, tuple[str, int]] = {
    # --- a record's columns
    "moved to another person": changed(f"user_email = '{ANN}'"),
    "the person in capitals": changed("user_email = upper(user_email)"),
    "the person with a space": changed("user_email = user_email || ' '"),
    "another kind": changed("capture_type = 'payment'"),
    "a digit of the snapshot": changed("data_snapshot = replace(data_snapshot, '179.99', '179.98')"),
    "a space in the snapshot": changed("data_snapshot = replace(data_snapshot, ': ', ':')"),
    "a line break after the snapshot": changed("data_snapshot = data_snapshot || char(10)"),
    "the snapshot's order": changed("""data_snapshot = '{"final_price": "179.99", "plan_name": "Pro", "note": "caf\u00e9"}'"""),
    "a look-alike in the snapshot": changed("data_snapshot = replace(data_snapshot, 'o', '\u043e')"),
    "the same letter, composed otherwise": changed("data_snapshot = replace(data_snapshot, '\u00e9', 'e\u0301')"),
    "the same JSON, escaped": changed("data_snapshot = replace(data_snapshot, '\u00e9', '\\u00e9')"),
    "no snapshot": changed("data_snapshot = NULL"),
    "the snapshot as a BLOB": changed("data_snapshot = CAST(data_snapshot AS BLOB)"),
    "a snapshot that is no text": changed("data_snapshot = CAST(x'ff' AS TEXT)"),
    "a snapshot where none was": changed("data_snapshot = 'null'", 16),
    "another endpoint": changed("source_endpoint = '/api/data-capture/payment'"),
    "a millisecond later": changed("timestamp = '2024-01-15T10:30:00.001Z'"),
    "the same time, written otherwise": changed("timestamp = '2024-01-15T10:30:00Z'"),
    "another address": changed("ip_address = '192.0.2.2'"),
    "no address": changed("ip_address = NULL"),
    "an address as a BLOB": changed("ip_address = CAST(ip_address AS BLOB)"),
    "another user agent": changed("user_agent = 'Browser/1.1'"),
    "a zero byte": changed("user_agent = user_agent || char(0)"),
    "partial becomes success": changed("status = 'success'", 7),
    "failed becomes success": changed("status = 'success'", 16),
    "no status": changed("status = NULL"),
    "no error details": changed("error_details = NULL", 7),
    "an empty text for NULL": changed("error_details = ''"),
    "a number for NULL": changed("error_details = 1"),
    "a record from before the chain": changed("status = 'partial'", 4),
    "the newest record": changed("status = 'partial'", 17),
    "all records at once": ("UPDATE data_capture_audit SET status = 'partial'", 1),
    "two records' snapshots swapped": (
        """CREATE TEMP TABLE before AS SELECT id, data_snapshot FROM data_capture_audit; UPDATE data_capture_audit
           SET data_snapshot = (SELECT data_snapshot FROM before WHERE before.id = 15 - data_capture_audit.id)
           WHERE id IN (6, 9)""", 6),
    # --- an entry's columns
    "another salt": changed_entry("salt = randomblob(16)"),
    "a longer salt": changed_entry("salt = CAST(salt || x'00' AS BLOB)"),
    "a shorter salt": changed_entry("salt = substr(salt, 1, 15)"),
    "a salt that is text": changed_entry("salt = hex(salt)"),
    "no salt": changed_entry("salt = NULL"),
    "no salt of any record": ("UPDATE data_capture_audit_chain SET salt = NULL", 1),
    "another commitment": changed_entry("commitment = randomblob(32)"),
    "a commitment that is text": changed_entry("commitment = hex(commitment)"),
    "another link": changed_entry("link = randomblob(32)"),
    "a link that is a number": changed_entry("link = 1"),
    "the newest link": changed_entry("link = randomblob(32)", 17),
    "an earlier link": changed_entry("link = (SELECT link FROM data_capture_audit_chain WHERE audit_id = 7)"),
    "passed off as from before the chain": changed_entry("adopted = 1"),
    "passed off as from after the chain's beginning": changed_entry("adopted = 0", 2),
    "neither before nor after": changed_entry("adopted = 2"),
    "a salt where no record was": changed_entry("salt = randomblob(16)", 5),
    "another entry's commitment and salt": (
        """UPDATE data_capture_audit_chain SET (salt, commitment) = (SELECT salt, commitment FROM data_capture_audit_chain
           WHERE audit_id = 9) WHERE audit_id = 8""", 8),
    # --- removed
    "a record removed": ("DELETE FROM data_capture_audit WHERE id = 8", 8),
    "a record and its entry removed": (deleted("id = 8"), 8),
    "an entry removed": ("DELETE FROM data_capture_audit_chain WHERE audit_id = 8", 8),
    "several removed": (deleted("id IN (7, 8, 9)"), 7),
    "the first removed": (deleted("id = 1"), 1),
    "one from before the chain removed": (deleted("id = 2"), 2),
    "all from before the chain removed": (deleted("id <= 5"), 1),
    "the last but one removed": (deleted("id = 16"), 16),
    "the newest removed": (deleted("id = 17"), 17),
    "the newest removed, and the counter set back": (deleted("id >= 15") + COUNTER.replace("?", "14"), 15),
    "the newest removed, and the counter removed": (deleted("id >= 15") + "DELETE FROM sqlite_sequence", 15),
    "the newest entry removed": ("DELETE FROM data_capture_audit_chain WHERE audit_id = 17", 17),
    "one person's records removed": (deleted("id IN (8, 9, 15, 16)"), 8),
    "everything removed": (deleted("id > 0"), 1),
    "everything removed, and the counter": (deleted("id > 0") + "DELETE FROM sqlite_sequence", 1),
    "all records removed": ("DELETE FROM data_capture_audit", 1),
    "all entries removed": ("DELETE FROM data_capture_audit_chain", 1),
    # --- inserted
    "a record inserted": (INSERTED.replace("?", "18"), 18),
    "a record inserted with an entry": ((INSERTED + FORGED_ENTRY).replace("?", "18"), 18),
    "a record inserted far off, with an entry": ((INSERTED + FORGED_ENTRY).replace("?", "1000"), 1000),
    "an entry inserted": (FORGED_ENTRY.replace("?", "18"), 18),
    "a record inserted before all others": (INSERTED.replace("?", "0"), 0),
    "a record inserted where one was deleted before the chain": (INSERTED.replace("?", "5"), 5),
    "a record replaced": (deleted("id = 8") + (INSERTED + FORGED_ENTRY).replace("?", "8"), 8),
    "a record twice": (copied("id = 8", 10), 18),
    "a part of the chain replayed": (copied("id BETWEEN 6 AND 9", 12), 18),
    "the newest records replayed over": (deleted("id >= 14") + copied("id BETWEEN 6 AND 9", 8), 14),
    # --- moved
    "a record renumbered": ("UPDATE data_capture_audit SET id = 900 WHERE id = 9", 9),
    "a record renumbered with its entry": (renumbered("id = 17", "18"), 17),
    "all from one on renumbered": (renumbered("id >= 14", "# + 1"), 14),
    "two records swapped": (
        """UPDATE data_capture_audit SET id = -id WHERE id IN (8, 9);
           UPDATE data_capture_audit SET id = 17 + id WHERE id < 0;""", 8),
    "two records swapped with their entries": (renumbered("id IN (8, 9)", "17 - #"), 8),
    "two entries swapped": (
        """UPDATE data_capture_audit_chain SET audit_id = -audit_id WHERE audit_id IN (8, 9);
           UPDATE data_capture_audit_chain SET audit_id = 17 + audit_id WHERE audit_id < 0;""", 8),
    "the order reversed": (renumbered("id BETWEEN 6 AND 9", "15 - #"), 6),
    # --- erased
    "an erased record changed": changed("timestamp = '2024-01-15T10:30:00.001Z'", 11),
    "an erased record given back": changed(f"user_email = '{CLEO}'", 10),
    "an erased record given a snapshot": changed("data_snapshot = '{}'", 12),
    "an erased record given a salt": changed_entry("salt = randomblob(16)", 10),
    "an erased record removed": (deleted("id = 11"), 11),
    "erased by hand": (
        f"""UPDATE data_capture_audit SET user_email = '{NOBODY}', data_snapshot = NULL, ip_address = NULL, user_agent = NULL
            WHERE id = 14; UPDATE data_capture_audit_chain SET salt = NULL WHERE audit_id = 14""", 14),
    "erased by hand, with a copy of an erasure's record": (
        f"""UPDATE data_capture_audit SET user_email = '{NOBODY}', data_snapshot = NULL WHERE id = 14;
            UPDATE data_capture_audit_chain SET salt = NULL WHERE audit_id = 14;""" + copied("id = 13", 5)
            + """UPDATE data_capture_audit SET data_snapshot = replace(data_snapshot, '"12"', '"14"') WHERE id = 18;""", 14),
    "the erasure's record changed": changed("timestamp = '2024-01-15T10:30:00.001Z'", 13),
    "another record added to the erasure's": changed(
        """data_snapshot = replace(data_snapshot, '{"10"', '{"14":"00","10"')""", 13),
    "the erasure's record removed": (deleted("id = 13"), 10),  # what it covered is the first without a salt and a cover
}  # fmt: skip


def test_there_are_forty_kinds_and_more() -> None:
    assert len(TAMPERING) >= 40


def test_what_nobody_tampered_with_verifies(tampered: Tampered) -> None:
    outcome = tampered.installation.run("verify-audit")
    assert outcome.status == 0, outcome.output
    assert outcome.output.startswith("15 audit records: each is as it was written")
    assert "Of these, 3 were there before the chain began" in outcome.output
    assert "Of these, 3 belong to erased users" in outcome.output


@pytest.mark.parametrize("kind", TAMPERING)
def test_tampering_is_found_and_the_record_named(kind: str, tampered: Tampered) -> None:
    statements, record = TAMPERING[kind]
    tampered.run(statements)
    tampered.assert_found_at(record)


@pytest.mark.parametrize(
    "kind",
    [
        "all entries removed",
        "the newest removed, and the counter set back",
        "no salt",
        "a record inserted",
    ],
)
def test_a_restart_does_not_make_it_good(kind: str, tampered: Tampered) -> None:
    statements, record = TAMPERING[kind]
    tampered.run(statements)
    prepare(tampered.database)
    tampered.assert_found_at(record)


@pytest.mark.parametrize(
    ("counter", "found_at"),
    [
        ("", 15),
        (
            COUNTER.replace("?", "14"),
            17,
        ),  # the one that was noted: what is there now has its number, and is another
    ],
    ids=["and the numbers go on", "and the numbers are given again"],
)
def test_records_written_afterwards_do_not_make_it_good(
    counter: str, found_at: int, tampered: Tampered
) -> None:
    tampered.run(deleted("id >= 15"), counter)
    with closing(open_connection(tampered.database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(10):
            write(connection, ANN, "payment")
        connection.execute("COMMIT")
    prepare(tampered.database)
    tampered.assert_found_at(found_at)


def test_records_are_written_on_where_entries_were_left_behind_and_it_is_still_found(
    tampered: Tampered,
) -> None:
    tampered.run("DELETE FROM data_capture_audit WHERE id >= 15", COUNTER.replace("?", "14"))
    with closing(open_connection(tampered.database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(10):
            write(connection, ANN, "payment")
        connection.execute("COMMIT")
    tampered.assert_found_at(15)


@pytest.mark.parametrize("link", ["NULL", "1", "'text'", "x''"])
def test_records_are_written_on_after_a_link_that_is_none_and_it_is_still_found(
    link: str, tampered: Tampered
) -> None:
    tampered.run(
        "CREATE TABLE other AS SELECT * FROM data_capture_audit_chain",
        "DROP TABLE data_capture_audit_chain",
        "CREATE TABLE data_capture_audit_chain (audit_id INTEGER PRIMARY KEY, adopted, salt, commitment, link)",
        "INSERT INTO data_capture_audit_chain SELECT * FROM other",
        f"UPDATE data_capture_audit_chain SET link = {link} WHERE audit_id = 17",
    )
    with closing(open_connection(tampered.database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        write(connection, ANN, "payment")
        connection.execute("COMMIT")
    tampered.assert_found_at(17)


def test_a_chain_that_was_dropped_is_found_also_after_a_restart(tampered: Tampered) -> None:
    tampered.run("DROP TABLE data_capture_audit_chain")
    outcome = tampered.installation.run("verify-audit")
    assert (outcome.status, "is gone" in outcome.errors) == (1, True)
    prepare(tampered.database)
    tampered.assert_found_at(1)


def test_a_chain_that_was_made_with_another_key_does_not_verify(tampered: Tampered) -> None:
    key = tampered.installation.directory / "trading_bots.keys" / "audit.key"
    key.chmod(0o600)
    key.write_text("00" * 32)
    tampered.assert_found_at(1)
    assert "another installation's" in tampered.installation.run("verify-audit").output
