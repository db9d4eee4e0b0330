"""Test the chain of the audit trail: its format, its beginning, and erasures."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
import rfc8785

from data_capture.audit.append import audit_trail_of
from data_capture.audit.format import RECORD_COLUMNS, ChainKey, encode_record
from data_capture.audit.head import HeadFileUpdater, head_file
from data_capture.store.sqlite.connection import open_connection
from data_capture.store.sqlite.schema import DatabaseRefused, prepare
from tests.support.audit_trails import NOW, begin_chain, erase_records, verify
from tests.support.installations import CommandServer, Installation, add_payments
from tests.support.services import REPOSITORY, RunningService, eventually, rows

SELECT_TRAIL = """
SELECT id, user_email, capture_type, data_snapshot, source_endpoint, timestamp, ip_address,
       user_agent, status, error_details, adopted, salt, commitment, link
FROM data_capture_audit JOIN data_capture_audit_chain ON audit_id = id ORDER BY id
"""


def send_payment(service: RunningService, user: str, number: int = 1) -> None:
    payment = {
        "user_email": user,
        "final_price": "9.90",
        "transaction_id": f"TX-{number}",
        "note": "caf\u00e9 \U0001f600",
    }
    assert service.capture("payment", payment).status_code == 201


def open_installation(service: RunningService, folder: Path, server: CommandServer) -> Installation:
    installation = Installation(folder, server)
    installation.database = service.database
    return installation


def audit_key_of(database: Path) -> bytes:
    return bytes.fromhex((database.parent / "trading_bots.keys" / "audit.key").read_text())


# --- The format -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_chain_can_be_computed_from_its_documentation(
    capture_service: RunningService, signup_service: RunningService, user: str
) -> None:
    """An auditor needs HMAC, a package for RFC 8785, and the key."""
    send_payment(capture_service, user)
    account = {"email": f"two-{user}", "password": "correct horse"}
    requests.post(f"{signup_service.url}/api/auth/register", json=account, timeout=30)
    requests.post(
        f"{signup_service.url}/api/auth/login", json={**account, "password": "wrong"}, timeout=30
    )
    key, previous, written = audit_key_of(capture_service.database), bytes(32), set()
    for record in rows(capture_service.database, SELECT_TRAIL):
        adopted, salt, commitment, link = (
            record.pop(name) for name in ("adopted", "salt", "commitment", "link")
        )
        canonical = rfc8785.dumps(record)
        assert commitment == hmac.digest(salt, canonical, "sha256")
        message = (
            b"link\0" + previous + commitment + record["id"].to_bytes(8, "big") + bytes([adopted])
        )
        assert link == hmac.digest(key, message, "sha256")
        previous = link
        written.add(record["capture_type"])
    assert {"payment", "signup", "login_failed"} <= written


@pytest.mark.parametrize(
    ("values", "canonical"),
    [
        (("a@example.com", "payment", None, "/p", NOW, None, None, "success", None), None),
        (
            (
                "a@example.com",
                "payment",
                'quote " backslash \\ slash / \b\f\n\r\t \x00\x1f\x7f \u2028 \U0001f600',
                *"xxxxxx",
            ),
            None,
        ),
        (
            (1, 2.5, b"\xff", None, None, None, None, None, None),
            b'{"capture_type":{"real":"4004000000000000"},"data_snapshot":{"blob":"ff"},'
            b'"error_details":null,"id":7,"ip_address":null,"source_endpoint":null,'
            b'"status":null,"timestamp":null,"user_agent":null,"user_email":1}',
        ),
    ],
    ids=["NULL", "every kind of character", "other types than text"],
)
def test_record_is_hashed_as_canonical_json(
    values: tuple[Any, ...], canonical: bytes | None
) -> None:
    if canonical is None:
        canonical = rfc8785.dumps(dict(zip(RECORD_COLUMNS, (7, *values), strict=True)))
    assert encode_record(7, *values) == canonical


# --- Records of the services --------------------------------------------------------------------


@pytest.mark.slow
def test_two_services_writing_at_once_produce_one_valid_chain(
    capture_service: RunningService,
    signup_service: RunningService,
    user: str,
    tmp_path: Path,
    server: CommandServer,
) -> None:
    def sign_up(number: int) -> int:
        account = {"email": f"{number}-{user}", "password": "correct horse"}
        return requests.post(
            f"{signup_service.url}/api/auth/register", json=account, timeout=30
        ).status_code

    with ThreadPoolExecutor(8) as pool:
        signed_up = [pool.submit(sign_up, number) for number in range(6)]
        paid = [pool.submit(send_payment, capture_service, user, number) for number in range(60)]
        assert [one.result() for one in signed_up] == [201] * 6
        assert [one.result() for one in paid] == [None] * 60
    assert "each is as it was written" in verify(
        open_installation(capture_service, tmp_path, server)
    )


def test_provisional_user_has_one_audit_record_per_data_point(
    capture_service: RunningService, user: str
) -> None:
    for number in (1, 2, 1):
        payment = {
            "user_email": user,
            "transaction_id": f"TX-{number}",
            "capture_id": f"{user.partition('@')[0]}-{number}",
        }
        assert capture_service.capture("payment", payment).status_code == 201
    statistics = requests.get(
        f"{capture_service.url}/api/data-capture/stats/{user}", timeout=30
    ).json()
    assert statistics["data_counts"]["audit_records"] == statistics["total_data_points"] == 2


def test_login_of_suspended_user_has_failed_login_record(
    signup_service: RunningService, user: str
) -> None:
    account = {"email": user, "password": "correct horse"}
    response = requests.post(f"{signup_service.url}/api/auth/register", json=account, timeout=30)
    assert response.status_code == 201
    with closing(sqlite3.connect(signup_service.database, timeout=30)) as connection, connection:
        connection.execute("UPDATE users SET status = 'suspended' WHERE email = ?", (user,))
    response = requests.post(f"{signup_service.url}/api/auth/login", json=account, timeout=30)
    assert response.status_code == 403
    records = rows(
        signup_service.database,
        "SELECT capture_type, status FROM data_capture_audit WHERE user_email = ?",
        user,
    )
    assert [tuple(record.values()) for record in records] == [
        ("signup", "success"),
        ("login_failed", "failed"),
    ]


def test_head_is_saved_to_a_file_after_a_record_is_written(
    capture_service: RunningService, user: str
) -> None:
    send_payment(capture_service, user)
    [newest] = rows(
        capture_service.database,
        "SELECT audit_id, lower(hex(link)) AS link FROM data_capture_audit_chain "
        "ORDER BY audit_id DESC LIMIT 1",
    )
    head_file = capture_service.database.with_name("trading_bots.db-audit-head")
    head = f"{newest['audit_id']}:{newest['link']}\n"
    eventually(
        lambda: head_file.exists() and head_file.read_text() == head,
        "the newest record is in the head file",
        seconds=60,
    )
    assert stat.S_IMODE(head_file.stat().st_mode) == 0o600


@pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="only Linux lists the open files of a process"
)
def test_head_of_a_replaced_database_is_not_saved(tmp_path: Path) -> None:
    """A restore can replace the file while an update waits for the restore's lock."""
    database = tmp_path / "trading_bots.db"
    prepare(database)
    erase_records(database, "nobody@example.com")
    eventually(head_file(database).exists, "the head is saved", seconds=60)
    shutil.copy(database, tmp_path / "restored.db")
    updater = HeadFileUpdater(database, ChainKey(audit_key_of(database)))
    with closing(sqlite3.connect(database, isolation_level=None)) as restore:
        restore.execute("PRAGMA journal_mode = DELETE")
        restore.execute("BEGIN EXCLUSIVE")
        head_file(database).unlink()
        threads = {*threading.enumerate()}
        updater.schedule()
        [update] = {*threading.enumerate()} - threads
        eventually(lambda: count_open_files(database) > 1, "the update waits for the lock")
        (tmp_path / "restored.db").replace(database)
    update.join(60)
    assert not update.is_alive()
    assert not head_file(database).exists()


def count_open_files(path: Path) -> int:
    """Return how many times this process has a file open."""
    wanted = path.stat()
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # it was closed since
            count += os.path.samestat(descriptor.stat(), wanted)
    return count


def test_audit_record_is_not_written_without_the_audit_key(tmp_path: Path, user: str) -> None:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    (tmp_path / "trading_bots.keys" / "audit.key").unlink()
    with pytest.raises(sqlite3.OperationalError, match="audit key"):
        erase_records(database, user)


def test_connection_reads_the_audit_key_once(tmp_path: Path) -> None:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    key_file = tmp_path / "trading_bots.keys" / "audit.key"
    with closing(open_connection(database, 5)) as connection:
        trail = audit_trail_of(connection)
        key_file.unlink()
        assert audit_trail_of(connection) is trail
    with (
        closing(open_connection(database, 5)) as connection,
        pytest.raises(sqlite3.OperationalError, match="audit key"),
    ):
        audit_trail_of(connection)


# --- The beginning --------------------------------------------------------------------------------


def test_audit_key_is_private_and_not_in_the_database(tmp_path: Path) -> None:
    prepare(tmp_path / "trading_bots.db")
    key = tmp_path / "trading_bots.keys" / "audit.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert len(audit_key_of(tmp_path / "trading_bots.db")) == 32
    assert (
        audit_key_of(tmp_path / "trading_bots.db")
        not in (tmp_path / "trading_bots.db").read_bytes()
    )


@pytest.mark.slow
def test_records_older_than_the_chain_are_adopted_and_counted_separately(
    tmp_path: Path, server: CommandServer
) -> None:
    installation = Installation(tmp_path, server)
    with closing(sqlite3.connect(installation.database)) as connection:
        connection.executescript(
            (REPOSITORY / "schema.sql").read_text() + "DROP TABLE data_capture_audit_chain;"
        )
    add_payments(installation.database, 2500)
    before = rows(installation.database, "SELECT * FROM data_capture_audit")
    prepare(installation.database)
    assert "2,500 audit records" in verify(installation)
    assert "Of these, 2,500 were there before the chain began" in verify(installation)
    assert rows(installation.database, "SELECT * FROM data_capture_audit") == before


@pytest.mark.slow
def test_database_without_its_key_starts_a_new_chain_and_earlier_heads_fail(
    installation: Installation,
) -> None:
    head = begin_chain(installation)
    key = installation.directory / "trading_bots.keys" / "audit.key"
    key.unlink()
    outcome = installation.run("verify-audit")
    assert (outcome.status, "There is no key" in outcome.errors) == (1, True)
    installation.database.with_name("trading_bots.db-audit-head").unlink()
    prepare(installation.database)
    assert "Of these, 4 were there before the chain began" in verify(installation)
    outcome = installation.run("verify-audit", "--since", head)
    assert (outcome.status, outcome.output.startswith("Audit record 4 is not what it was")) == (
        1,
        True,
    )


def test_new_database_in_place_of_a_moved_one_has_an_empty_audit_trail(
    installation: Installation,
) -> None:
    begin_chain(installation)
    shutil.move(installation.database, installation.directory / "away.db")
    prepare(installation.database)
    assert "0 audit records" in verify(installation)


def test_invalid_key_file_is_reported_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "trading_bots.keys").mkdir()
    (tmp_path / "trading_bots.keys" / "audit.key").write_text("short")
    with pytest.raises(DatabaseRefused, match=r"audit\.key should hold 64 hexadecimal digits"):
        prepare(tmp_path / "trading_bots.db")


# --- Erasures -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_erasure_removes_user_from_audit_records_and_chain_still_verifies(
    capture_service: RunningService, user: str, tmp_path: Path, server: CommandServer
) -> None:
    send_payment(capture_service, user)
    send_payment(capture_service, f"not-{user}")
    capture_service.capture("questionnaire", {"user_email": user, "accountSize": "personal data"})
    installation = open_installation(capture_service, tmp_path, server)
    head = verify(installation, "--head").strip()
    pseudonym = f"erased-{hashlib.sha256(user.encode()).hexdigest()[:8]}@data-capture.invalid"
    assert erase_records(capture_service.database, user, pseudonym) == 2
    records = [
        record
        for record in rows(capture_service.database, SELECT_TRAIL)
        if record["user_email"] == pseudonym
    ]
    assert [record["capture_type"] for record in records] == ["payment", "questionnaire", "erasure"]
    for record in records[:2]:
        deleted = ("data_snapshot", "ip_address", "user_agent", "error_details", "salt")
        assert [record[name] for name in deleted] == [None] * len(deleted)
        assert record["source_endpoint"].endswith(record["capture_type"])
    assert list(json.loads(records[2]["data_snapshot"])["left"]) == [
        str(record["id"]) for record in records[:2]
    ]
    assert user not in json.dumps(
        [{**record, "salt": "", "commitment": "", "link": ""} for record in records]
    )
    assert "Nothing up to record" in verify(installation, "--since", head)


@pytest.mark.slow
def test_erasure_covers_thousands_of_records_of_one_user(
    tmp_path: Path, server: CommandServer
) -> None:
    installation = Installation(tmp_path, server)
    prepare(installation.database)
    add_payments(installation.database, 2500)
    (tmp_path / "trading_bots.keys" / "audit.key").unlink()
    prepare(installation.database)
    assert erase_records(installation.database, "p@example.com") == 2500
    attestations = rows(
        installation.database, "SELECT id FROM data_capture_audit WHERE capture_type = 'erasure'"
    )
    assert len(attestations) == 3
    assert "Of these, 2,500 belong to erased users" in verify(installation)


def test_erasure_of_user_without_records_is_recorded(tmp_path: Path, server: CommandServer) -> None:
    installation = Installation(tmp_path, server)
    prepare(installation.database)
    assert erase_records(installation.database, "nobody@example.com") == 0
    assert verify(installation).startswith("1 audit record:")
