"""Neither covering records nor erasures and the retention make a changed audit record good."""

# ruff: noqa: S608  (every statement is spelled out here)

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from data_capture.audit import (
    RETENTION_USER,
    RetentionAttestations,
    clear,
    clear_columns,
    pseudonymise_audit,
    record_audit,
)
from data_capture.audit.format import RECORD_COLUMNS, compute_commitment, encode_record
from data_capture.store.sqlite.connection import open_connection
from data_capture.store.sqlite.schema import prepare
from data_capture.store.sqlite.users import ensure_user
from tests.support.installations import CommandServer, Installation, writing_to

ANN, BOB, CLEO = "ann@example.com", "bob@example.com", "cleo@example.com"
NOBODY, NOBODY_ELSE = "erased-1@data-capture.invalid", "erased-2@data-capture.invalid"
NOW = "2024-01-15T10:30:00.000Z"

# What the database holds, by id:
#   1 - 3    payments of Ann's        4 - 6    payments of Bob's
#   7 - 8    payments of Cleo's, who was erased
#   9        that erasure
#   10 - 11  a payment of Ann's and one of Bob's, whose addresses the retention has taken
#   12       that retention
#   13 - 14  a payment of Ann's, a payment of Bob's

CONTENT = """
UPDATE data_capture_audit SET data_snapshot = '{"final_price": 0}', timestamp = '2020-01-01T00:00:00.000Z',
user_email = 'bob@example.com'
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation with the records above, as its services leave it."""
    folder = tmp_path_factory.mktemp("original")
    database = folder / "trading_bots.db"
    with writing_to(
        database, (ANN, BOB, CLEO, NOBODY, NOBODY_ELSE, RETENTION_USER), NOW
    ) as connection:
        for user in (ANN, ANN, ANN, BOB, BOB, BOB, CLEO, CLEO):
            write(connection, user)
        assert (
            pseudonymise_audit(connection, CLEO, NOBODY, timestamp=NOW, source_endpoint="erase")
            == 2
        )
        write(connection, ANN)
        write(connection, BOB)
        age(connection, "ip_address", 10, 11)
        write(connection, ANN)
        write(connection, BOB)
    return folder


def write(connection: sqlite3.Connection, user: str) -> None:
    record_audit(
        connection, user_email=user, capture_type="payment", timestamp=NOW, source_endpoint="/payment",
        snapshot='{"final_price": 10}', ip_address="192.0.2.1", user_agent="Browser/1.0",
    )  # fmt: skip


def age(
    connection: sqlite3.Connection,
    column: str,
    *numbers: int,
    attestations: RetentionAttestations | None = None,
) -> int:
    return clear_columns(
        connection,
        {column: numbers},
        RETENTION_USER,
        timestamp=NOW,
        source_endpoint="retention",
        attestations=attestations,
    )


@pytest.fixture
def installation(original: Path, tmp_path: Path, server: CommandServer) -> Installation:
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return Installation(tmp_path, server)


def tamper(installation: Installation, *statements: str) -> None:
    with closing(sqlite3.connect(installation.database)) as connection, connection:
        for statement in statements:
            connection.executescript(statement)


def taking(
    installation: Installation, *, erase: str = "", column: str = "", numbers: tuple[int, ...] = ()
) -> int:
    """Erase a user from the audit trail, or take a column from records; return how many records that concerned."""
    with closing(open_connection(installation.database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        if erase:
            found = pseudonymise_audit(
                connection, erase, NOBODY_ELSE, timestamp=NOW, source_endpoint="erase"
            )
        else:
            found = age(connection, column, *numbers)
        connection.execute("COMMIT")
    return found


def assert_found_at(installation: Installation, record: int) -> str:
    outcome = installation.run("verify-audit")
    assert outcome.output.startswith(f"Audit record {record} "), (outcome.output, outcome.errors)
    assert outcome.status == 1
    return outcome.output


def assert_good(installation: Installation) -> None:
    outcome = installation.run("verify-audit")
    assert outcome.status == 0, outcome.output


def content_of(installation: Installation, *numbers: int) -> list[tuple[object, ...]]:
    marks = ", ".join(map(str, numbers))
    with closing(sqlite3.connect(installation.database)) as connection:
        connection.text_factory = lambda text: text.decode(errors="replace")
        return connection.execute(
            f"SELECT user_email, data_snapshot, ip_address, user_agent FROM data_capture_audit WHERE id IN ({marks}) ORDER BY id"
        ).fetchall()


# --- Covers that are forged -----------------------------------------------------------------------------------------------


def covering(number: int, kind: str, *covered: int) -> str:
    said = json.dumps({"left": {str(one): "00" * 32 for one in covered}}, separators=(",", ":"))
    return f"UPDATE data_capture_audit SET capture_type = '{kind}', data_snapshot = '{said}' WHERE id = {number};"


def without_salt(*numbers: int) -> str:
    return f"UPDATE data_capture_audit_chain SET salt = NULL WHERE audit_id IN ({', '.join(map(str, numbers))});"


def add_to_erasure(*numbers: int) -> str:
    more = ", ".join(f"'$.left.{number}', '{'00' * 32}'" for number in numbers)
    return f"UPDATE data_capture_audit SET data_snapshot = json_set(data_snapshot, {more}) WHERE id = 9;"


ALL = range(1, 15)
FORGED = {
    "the first covers everything": (
        covering(1, "erasure", *ALL) + without_salt(*ALL) + f"{CONTENT} WHERE id > 1", 1),
    "the newest covers everything": (
        covering(14, "erasure", *ALL) + without_salt(*ALL) + f"{CONTENT} WHERE id < 14", 14),
    "one covers itself and one before": (
        covering(5, "erasure", 2, 5) + without_salt(2, 5) + f"{CONTENT} WHERE id = 2", 5),
    "one covers itself and one after": (
        covering(2, "erasure", 2, 5) + without_salt(2, 5) + f"{CONTENT} WHERE id = 5", 2),
    "one covers itself, as the retention": (covering(5, "retention", 5) + without_salt(5), 5),
    "one keeps its salt and covers another": (
        covering(5, "retention", 2) + without_salt(2) + f"{CONTENT} WHERE id = 2", 5),
    "two cover each other": (covering(2, "erasure", 5) + covering(5, "erasure", 2) + without_salt(2, 5), 5),
    "two cover each other, the later with its salt": (
        covering(2, "erasure", 5) + covering(5, "erasure", 2) + without_salt(2), 5),
    "three cover each other": (
        covering(2, "erasure", 5) + covering(5, "retention", 6) + covering(6, "erasure", 2) + without_salt(2, 5, 6), 6),
    "the genuine erasure covers itself": (add_to_erasure(9) + without_salt(9), 9),
    "the genuine erasure covers itself and another": (
        add_to_erasure(9, 2) + without_salt(9, 2) + f"{CONTENT} WHERE id = 2", 9),
    "the genuine erasure covers another, and keeps its salt": (
        add_to_erasure(2) + without_salt(2) + f"{CONTENT} WHERE id = 2", 9),
    "the genuine erasure has no salt": (without_salt(9), 9),
    "the genuine retention has no salt, and what it covers is changed": (
        without_salt(12) + f"{CONTENT} WHERE id = 10", 12),
    "the genuine covering records cover each other": (
        covering(9, "erasure", 12) + covering(12, "retention", 9) + without_salt(9, 12), 7),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORGED)
def test_a_covering_record_that_was_changed_covers_nothing(
    kind: str, installation: Installation
) -> None:
    statements, record = FORGED[kind]
    tamper(installation, statements)
    assert_found_at(installation, record)


def test_a_changed_covering_record_that_speaks_of_nothing_is_named_itself(
    installation: Installation,
) -> None:
    tamper(installation, covering(5, "erasure"))
    assert_found_at(installation, 5)


# --- What an erasure and the retention take -------------------------------------------------------------------------------


CHANGED = {
    "its snapshot": "data_snapshot = '{}'",
    "its time": "timestamp = '2020-01-01T00:00:00.000Z'",
    "its endpoint": "source_endpoint = '/other'",
    "its status": "status = 'failed'",
    "its address, which is taken": "ip_address = '192.0.2.2'",
    "its bytes, which are no UTF-8": "user_agent = CAST(x'ff' AS TEXT)",
    "its type, which is a BLOB": "data_snapshot = CAST(data_snapshot AS BLOB)",
    "its kind": "capture_type = 'activity'",
    "its kind, to one that covers": "capture_type = 'erasure'",
}


@pytest.mark.parametrize("what", CHANGED)
@pytest.mark.parametrize("by", ["erasure", "retention"])
def test_a_changed_record_is_no_better_when_something_was_taken_of_it(
    by: str, what: str, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    tamper(installation, f"UPDATE data_capture_audit SET {CHANGED[what]} WHERE id = 2")
    with caplog.at_level(logging.ERROR, "data_capture.audit"):
        taken = (
            {"erase": ANN} if by == "erasure" else {"column": "ip_address", "numbers": (1, 2, 3)}
        )
        assert taking(installation, **taken) == (5 if by == "erasure" else 3)  # type: ignore[arg-type]
    assert "record 2 had been changed" in caplog.text
    assert_found_at(installation, 2)
    if by == "erasure":
        assert content_of(installation, 1, 2, 3) == [(NOBODY_ELSE, None, None, None)] * 3
    else:
        assert [record[2] for record in content_of(installation, 1, 2, 3)] == [None] * 3


def test_an_erasure_of_many_records_deletes_the_salts_of_changed_ones(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clear, "_MAX_RECORDS_PER_ATTESTATION", 2)
    tamper(installation, "UPDATE data_capture_audit SET status = 'partial' WHERE id = 13")
    assert taking(installation, erase=ANN) == 5
    with closing(sqlite3.connect(installation.database)) as connection:
        kept = "SELECT audit_id FROM data_capture_audit_chain WHERE audit_id IN (1, 2, 3, 10, 13)"
        assert connection.execute(f"{kept} AND salt IS NOT NULL").fetchall() == []
    assert_found_at(installation, 13)


def test_the_retention_makes_nothing_good_by_and_by(installation: Installation) -> None:
    tamper(installation, f"{CONTENT} WHERE id = 2")
    for column in ("ip_address", "user_agent", "data_snapshot"):
        taking(installation, column=column, numbers=(1, 2, 3))
        assert_found_at(installation, 2)
    taking(installation, erase=BOB)
    taking(installation, erase=ANN)
    assert_found_at(installation, 2)


def test_the_records_of_another_user_do_not_go_unnoticed_with_an_erasure(
    installation: Installation,
) -> None:
    tamper(
        installation,
        f"UPDATE data_capture_audit SET user_email = '{ANN}' WHERE user_email = '{BOB}'",
    )
    taking(installation, erase=ANN)
    assert_found_at(installation, 4)


@pytest.mark.parametrize("by", ["erasure", "retention"])
def test_what_was_taken_from_before_is_verified_by_what_covers_it(
    by: str, installation: Installation
) -> None:
    tamper(
        installation,
        "UPDATE data_capture_audit SET timestamp = '2020-01-01T00:00:00.000Z' WHERE id = 10",
    )
    if by == "erasure":
        taking(installation, erase=ANN)
    else:
        taking(installation, column="user_agent", numbers=(10, 11))
    assert_found_at(installation, 10)


def test_a_record_without_a_salt_or_a_cover_is_not_covered(installation: Installation) -> None:
    tamper(installation, without_salt(2))
    taking(installation, column="ip_address", numbers=(1, 2, 3))
    assert_found_at(installation, 2)
    taking(installation, erase=ANN)
    assert_found_at(installation, 2)


def test_a_record_without_an_entry_is_not_covered(installation: Installation) -> None:
    tamper(installation, "DELETE FROM data_capture_audit_chain WHERE audit_id = 2")
    taking(installation, erase=ANN)
    assert_found_at(installation, 2)


def test_a_commitment_that_fits_the_changed_record_does_not_help(
    installation: Installation,
) -> None:
    """Anyone can compute a commitment; the link is what needs the key."""
    tamper(
        installation,
        f"{CONTENT} WHERE id = 2",
        f"UPDATE data_capture_audit SET user_email = '{ANN}' WHERE id = 2",
    )
    with closing(sqlite3.connect(installation.database)) as connection, connection:
        row = connection.execute(
            f"SELECT {', '.join(RECORD_COLUMNS)} FROM data_capture_audit WHERE id = 2"
        ).fetchone()
        connection.execute(
            "UPDATE data_capture_audit_chain SET salt = zeroblob(16), commitment = ? WHERE audit_id = 2",
            (compute_commitment(encode_record(*row), bytes(16)),),
        )
    taking(installation, erase=ANN)
    assert_found_at(installation, 2)


def test_a_forged_retention_record_does_not_cover_what_is_taken_next(
    installation: Installation,
) -> None:
    tamper(
        installation,
        without_salt(2), f"{CONTENT} WHERE id = 2", covering(6, "retention", 2),
        f"UPDATE data_capture_audit SET user_email = '{RETENTION_USER}' WHERE id = 6",
    )  # fmt: skip
    taking(installation, column="ip_address", numbers=(1, 2, 3))
    assert_found_at(installation, 6)
    taking(installation, erase=BOB)
    assert_found_at(installation, 6)


def test_an_erasure_does_not_take_what_only_an_index_says_is_the_user_s(
    installation: Installation,
) -> None:
    tamper(installation, """
        CREATE TABLE other (user_email, timestamp);
        INSERT INTO other (rowid, user_email, timestamp) SELECT id, 'ann@example.com', timestamp FROM data_capture_audit;
        CREATE INDEX others ON other (user_email, timestamp);
        PRAGMA writable_schema = ON;
        UPDATE sqlite_master SET rootpage = (SELECT sum(rootpage) FROM sqlite_master
        WHERE name IN ('others', 'data_capture_audit_by_person')) - rootpage
        WHERE name IN ('others', 'data_capture_audit_by_person');
        PRAGMA schema_version = 900""")  # fmt: skip
    assert taking(installation, erase=ANN) == 5
    tamper(installation, "REINDEX")
    assert [record[0] for record in content_of(installation, 4, 5, 6, 14)] == [BOB] * 4


def test_the_snapshot_of_a_covering_record_is_never_taken(installation: Installation) -> None:
    before = content_of(installation, 9, 12)
    tamper(installation, f"UPDATE data_capture_audit SET user_email = '{CLEO}' WHERE id IN (9, 12)")
    taking(installation, erase=CLEO)
    taking(installation, column="data_snapshot", numbers=(9, 12))
    assert installation.run("verify-audit").status == 1
    assert [record[1] for record in content_of(installation, 9, 12)] == [
        record[1] for record in before
    ]
    tamper(installation, f"UPDATE data_capture_audit SET user_email = '{NOBODY}' WHERE id = 9",
           f"UPDATE data_capture_audit SET user_email = '{RETENTION_USER}' WHERE id = 12")  # fmt: skip
    assert_good(installation)  # as they were written


def test_what_only_looks_like_a_covering_record_keeps_nothing_personal(
    installation: Installation,
) -> None:
    tamper(
        installation,
        "UPDATE data_capture_audit SET capture_type = 'erasure' WHERE user_email = 'ann@example.com'",
    )
    taking(installation, erase=ANN)
    assert content_of(installation, 1, 2, 3, 10, 13) == [(NOBODY_ELSE, None, None, None)] * 5


# --- What nobody tampered with --------------------------------------------------------------------------------------------


def test_records_stay_good_through_retention_after_retention_and_an_erasure(
    installation: Installation,
) -> None:
    attestations = RetentionAttestations()
    with closing(open_connection(installation.database, 5)) as connection:
        for column in ("user_agent", "ip_address", "data_snapshot"):
            connection.execute("BEGIN IMMEDIATE")
            age(connection, column, 1, 2, 3, 4, attestations=attestations)
            age(connection, column, 5, 10, 11, attestations=attestations)
            connection.execute("COMMIT")
    assert_good(installation)
    assert taking(installation, erase=ANN) == 5
    assert_good(installation)
    assert taking(installation, erase=BOB) == 5
    assert_good(installation)


def test_a_program_that_respells_addresses_does_not_keep_covers_from_being_found(
    tmp_path: Path, server: CommandServer
) -> None:
    installation = Installation(tmp_path, server)
    tamper(
        installation,
        """
        CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL);
        CREATE TRIGGER capitals AFTER INSERT ON users BEGIN UPDATE users SET email = upper(email) WHERE id = new.id; END""",
    )
    prepare(installation.database)
    with closing(open_connection(installation.database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        ann, nobody, whose = (
            ensure_user(connection, one, None, NOW) for one in (ANN, NOBODY, RETENTION_USER)
        )
        assert whose.isupper()
        write(connection, ann)
        for column in ("ip_address", "user_agent"):
            clear_columns(
                connection, {column: [1]}, whose, timestamp=NOW, source_endpoint="retention"
            )
        pseudonymise_audit(connection, ann, nobody, timestamp=NOW, source_endpoint="erase")
        connection.execute("COMMIT")
    assert_good(installation)


def test_what_someone_else_has_taken_meanwhile_is_not_covered_again(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    assert taking(installation, column="ip_address", numbers=(1, 7, 8, 10)) == 1
    assert taking(installation, column="ip_address", numbers=(1, 7, 8, 10)) == 0
    assert caplog.text == ""
    assert_good(installation)
