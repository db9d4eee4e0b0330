"""The audit trail's chain: as documented, begun where there was none, kept through erasures, and verified by command."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import pty
import shutil
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
import rfc8785

from data_capture.audit import pseudonymise_audit
from data_capture.audit.append import audit_trail_of
from data_capture.audit.format import encode_record
from data_capture.store.sqlite.connection import open_connection
from data_capture.store.sqlite.schema import DatabaseRefused, prepare
from data_capture.store.sqlite.users import ensure_user
from tests.support.installations import CommandServer, Installation, add_payments
from tests.support.services import REPOSITORY, RunningService, eventually, rows

EVERYTHING = """
SELECT id, user_email, capture_type, data_snapshot, source_endpoint, timestamp, ip_address, user_agent, status, error_details,
       adopted, salt, commitment, link
FROM data_capture_audit JOIN data_capture_audit_chain ON audit_id = id ORDER BY id
"""
NOW = "2024-01-15T10:30:00.000Z"
NOBODY = "erased-1@data-capture.invalid"


def pay(service: RunningService, user: str, number: int = 1) -> None:
    payment = {
        "user_email": user,
        "final_price": "9.90",
        "transaction_id": f"TX-{number}",
        "note": "caf\u00e9 \U0001f600",
    }
    assert service.capture("payment", payment).status_code == 201


def installation_of(service: RunningService, folder: Path, server: CommandServer) -> Installation:
    installation = Installation(folder, server)
    installation.database = service.database
    return installation


def key_of(database: Path) -> bytes:
    return bytes.fromhex((database.parent / "trading_bots.keys" / "audit.key").read_text())


def verified(installation: Installation, *arguments: object) -> str:
    outcome = installation.run("verify-audit", *arguments)
    assert outcome.status == 0, (outcome.output, outcome.errors)
    return outcome.output


def erase(database: Path, user: str, pseudonym: str = NOBODY) -> int:
    with closing(open_connection(database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        ensure_user(connection, pseudonym, None, NOW)
        erased = pseudonymise_audit(
            connection, user, pseudonym, timestamp=NOW, source_endpoint="erase"
        )
        connection.execute("COMMIT")
    return erased


# --- The format ---------------------------------------------------------------------------------------------------------


def test_the_chain_can_be_computed_from_its_description(
    capture_service: RunningService, signup_service: RunningService, user: str
) -> None:
    """As an auditor would, with the standard library's HMAC, a package for RFC 8785, and the key."""
    pay(capture_service, user)
    account = {"email": f"two-{user}", "password": "correct horse"}
    requests.post(f"{signup_service.url}/api/auth/register", json=account, timeout=10)
    requests.post(
        f"{signup_service.url}/api/auth/login", json={**account, "password": "wrong"}, timeout=10
    )
    key, previous, written = key_of(capture_service.database), bytes(32), set()
    for record in rows(capture_service.database, EVERYTHING):
        adopted, salt, commitment, link = (
            record.pop(name) for name in ("adopted", "salt", "commitment", "link")
        )
        canonical = rfc8785.dumps(record)
        assert commitment == hmac.digest(salt, canonical, "sha256")
        said = (
            b"link\0" + previous + commitment + record["id"].to_bytes(8, "big") + bytes([adopted])
        )
        assert link == hmac.digest(key, said, "sha256")
        previous = link
        written.add(record["capture_type"])
    assert {"payment", "signup", "login_failed"} <= written


@pytest.mark.parametrize(
    ("values", "canonical"),
    [
        (("a@example.com", "payment", None, "/p", NOW, None, None, "success", None), None),
        (("a@example.com", "payment", 'quote " backslash \\ slash / \b\f\n\r\t \x00\x1f\x7f \u2028 \U0001f600', *"xxxxxx"), None),
        ((1, 2.5, b"\xff", None, None, None, None, None, None),
         b'{"capture_type":{"real":"4004000000000000"},"data_snapshot":{"blob":"ff"},"error_details":null,"id":7,"ip_address":null,'
         b'"source_endpoint":null,"status":null,"timestamp":null,"user_agent":null,"user_email":1}'),
    ],
    ids=["NULL", "every kind of character", "what an older program may have stored"],
)  # fmt: skip
def test_a_record_is_hashed_as_canonical_json(
    values: tuple[Any, ...], canonical: bytes | None
) -> None:
    names = ("id", "user_email", "capture_type", "data_snapshot", "source_endpoint", "timestamp", "ip_address", "user_agent",
             "status", "error_details")  # fmt: skip
    if canonical is None:
        canonical = rfc8785.dumps(dict(zip(names, (7, *values), strict=True)))
    assert encode_record(7, *values) == canonical


# --- Written with the services ------------------------------------------------------------------------------------------


def test_two_services_that_write_at_once_write_one_chain(
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
        paid = [pool.submit(pay, capture_service, user, number) for number in range(60)]
        assert [one.result() for one in signed_up] == [201] * 6
        assert [one.result() for one in paid] == [None] * 60
    assert "each is as it was written" in verified(
        installation_of(capture_service, tmp_path, server)
    )


def test_a_user_who_was_only_captured_has_as_many_records_as_data_points(
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
        f"{capture_service.url}/api/data-capture/stats/{user}", timeout=10
    ).json()
    assert statistics["data_counts"]["audit_records"] == statistics["total_data_points"] == 2


def test_someone_who_is_locked_out_has_a_record_of_the_failed_login(
    signup_service: RunningService, user: str
) -> None:
    account = {"email": user, "password": "correct horse"}
    assert (
        requests.post(
            f"{signup_service.url}/api/auth/register", json=account, timeout=10
        ).status_code
        == 201
    )
    with closing(sqlite3.connect(signup_service.database, timeout=10)) as connection, connection:
        connection.execute("UPDATE users SET status = 'suspended' WHERE email = ?", (user,))
    assert (
        requests.post(f"{signup_service.url}/api/auth/login", json=account, timeout=10).status_code
        == 403
    )
    written = rows(
        signup_service.database,
        "SELECT capture_type, status FROM data_capture_audit WHERE user_email = ?",
        user,
    )
    assert [tuple(record.values()) for record in written] == [
        ("signup", "success"),
        ("login_failed", "failed"),
    ]


def test_the_head_is_noted_soon_after_a_record_is_written(
    capture_service: RunningService, user: str
) -> None:
    pay(capture_service, user)
    newest_first = "SELECT audit_id, lower(hex(link)) AS link FROM data_capture_audit_chain ORDER BY audit_id DESC LIMIT 1"
    [newest] = rows(capture_service.database, newest_first)
    noted = capture_service.database.with_name("trading_bots.db-audit-head")
    wanted = f"{newest['audit_id']}:{newest['link']}\n"
    eventually(lambda: noted.exists() and noted.read_text() == wanted, "the newest record is noted")
    assert stat.S_IMODE(noted.stat().st_mode) == 0o600


def test_without_the_key_nothing_is_written_that_could_not_be_proved(
    tmp_path: Path, user: str
) -> None:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    (tmp_path / "trading_bots.keys" / "audit.key").unlink()
    with pytest.raises(sqlite3.OperationalError, match="audit key"):
        erase(database, user)


def test_a_connection_reads_the_audit_key_once(tmp_path: Path) -> None:
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


# --- Begun ----------------------------------------------------------------------------------------------------------------


def test_the_key_is_its_owners_alone_and_lies_outside_of_the_database(tmp_path: Path) -> None:
    prepare(tmp_path / "trading_bots.db")
    key = tmp_path / "trading_bots.keys" / "audit.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert len(key_of(tmp_path / "trading_bots.db")) == 32
    assert key_of(tmp_path / "trading_bots.db") not in (tmp_path / "trading_bots.db").read_bytes()


def test_records_of_before_the_chain_are_taken_into_it_and_told_apart(
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
    assert "2,500 audit records" in verified(installation)
    assert "Of these, 2,500 were there before the chain began" in verified(installation)
    assert rows(installation.database, "SELECT * FROM data_capture_audit") == before


def test_a_database_that_came_without_its_key_begins_a_new_chain_and_earlier_heads_are_void(
    installation: Installation,
) -> None:
    head = begun(installation)
    key = installation.directory / "trading_bots.keys" / "audit.key"
    key.unlink()
    outcome = installation.run("verify-audit")
    assert (outcome.status, "There is no key" in outcome.errors) == (1, True)
    installation.database.with_name("trading_bots.db-audit-head").unlink()
    prepare(installation.database)
    assert "Of these, 4 were there before the chain began" in verified(installation)
    outcome = installation.run("verify-audit", "--since", head)
    assert (outcome.status, outcome.output.startswith("Audit record 4 is not what it was")) == (
        1,
        True,
    )


def begun(installation: Installation) -> str:
    """Three adopted records and an erasure; the head."""
    for path in (installation.directory / "trading_bots.keys").iterdir():
        path.unlink()
    prepare(installation.database)
    erase(installation.database, "nobody@example.com")
    prepare(installation.database)
    return verified(installation, "--head").strip()


def test_a_new_database_in_the_place_of_one_that_was_moved_away_begins_with_an_empty_trail(
    installation: Installation,
) -> None:
    begun(installation)
    shutil.move(installation.database, installation.directory / "away.db")
    prepare(installation.database)
    assert "0 audit records" in verified(installation)


def test_a_file_that_holds_no_key_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "trading_bots.keys").mkdir()
    (tmp_path / "trading_bots.keys" / "audit.key").write_text("short")
    with pytest.raises(DatabaseRefused, match=r"audit\.key should hold 64 hexadecimal digits"):
        prepare(tmp_path / "trading_bots.db")


# --- Erasures -------------------------------------------------------------------------------------------------------------


def test_an_erased_user_is_gone_from_the_records_and_the_chain_still_verifies(
    capture_service: RunningService, user: str, tmp_path: Path, server: CommandServer
) -> None:
    pay(capture_service, user)
    pay(capture_service, f"not-{user}")
    capture_service.capture(
        "questionnaire", {"user_email": user, "accountSize": "a secret of theirs"}
    )
    installation = installation_of(capture_service, tmp_path, server)
    head = verified(installation, "--head").strip()
    pseudonym = f"erased-{hashlib.sha256(user.encode()).hexdigest()[:8]}@data-capture.invalid"
    assert erase(capture_service.database, user, pseudonym) == 2
    records = [
        record
        for record in rows(capture_service.database, EVERYTHING)
        if record["user_email"] == pseudonym
    ]
    assert [record["capture_type"] for record in records] == ["payment", "questionnaire", "erasure"]
    for record in records[:2]:
        taken = ("data_snapshot", "ip_address", "user_agent", "error_details", "salt")
        assert [record[name] for name in taken] == [None] * len(taken)
        assert record["source_endpoint"].endswith(record["capture_type"])
    assert list(json.loads(records[2]["data_snapshot"])["left"]) == [
        str(record["id"]) for record in records[:2]
    ]
    assert user not in json.dumps(
        [{**record, "salt": "", "commitment": "", "link": ""} for record in records]
    )
    assert "Nothing up to record" in verified(installation, "--since", head)


def test_a_user_with_thousands_of_records_is_erased_from_all_of_them(
    tmp_path: Path, server: CommandServer
) -> None:
    installation = Installation(tmp_path, server)
    prepare(installation.database)
    add_payments(installation.database, 2500)
    (tmp_path / "trading_bots.keys" / "audit.key").unlink()
    prepare(installation.database)
    assert erase(installation.database, "p@example.com") == 2500
    assert (
        len(
            rows(
                installation.database,
                "SELECT id FROM data_capture_audit WHERE capture_type = 'erasure'",
            )
        )
        == 3
    )
    assert "Of these, 2,500 belong to erased users" in verified(installation)


def test_the_erasure_of_someone_without_records_is_recorded_too(
    tmp_path: Path, server: CommandServer
) -> None:
    installation = Installation(tmp_path, server)
    prepare(installation.database)
    assert erase(installation.database, "nobody@example.com") == 0
    assert verified(installation).startswith("1 audit record:")


# --- The command ----------------------------------------------------------------------------------------------------------


def test_a_head_of_earlier_proves_that_nothing_before_it_changed(
    installation: Installation,
) -> None:
    head = begun(installation)
    erase(installation.database, "p@example.com", "erased-2@data-capture.invalid")
    assert f"Nothing up to record {head.split(':')[0]} has changed" in verified(
        installation, "--since", head
    )
    another = head[:-1] + ("0" if head[-1] != "0" else "1")
    assert installation.run("verify-audit", "--since", another).status == 1
    assert installation.run("verify-audit", "--since", "9999:" + "0" * 64).status == 1


@pytest.mark.parametrize("text", ["", "17", "17:abc", "-1:" + "0" * 64, "x:" + "0" * 64])
def test_a_head_that_is_none_is_refused_in_words(installation: Installation, text: str) -> None:
    outcome = installation.run("verify-audit", f"--since={text}")
    assert outcome.status == 2
    assert "a number, a colon, 64 hexadecimal digits" in outcome.errors


def test_a_backup_verifies_with_the_installations_key_and_not_without(
    installation: Installation,
) -> None:
    head = begun(installation)
    backup = installation.back_up()
    erase(installation.database, "p@example.com", "erased-2@data-capture.invalid")
    outcome = installation.run("verify-audit", "--database", backup)
    assert (outcome.status, "--key" in outcome.errors) == (1, True)
    key = installation.directory / "trading_bots.keys" / "audit.key"
    assert verified(installation, "--database", backup, "--key", key, "--head").strip() == head


def test_a_restored_backup_verifies_and_is_written_on(installation: Installation) -> None:
    head = begun(installation)
    backup = installation.back_up()
    erase(installation.database, "p@example.com", "erased-2@data-capture.invalid")
    prepare(installation.database)
    assert installation.run("restore", backup).status == 0
    assert "Nothing up to record" in verified(installation, "--since", head)
    prepare(installation.database)
    erase(installation.database, "p@example.com", "erased-3@data-capture.invalid")
    assert "Nothing up to record" in verified(installation, "--since", head)


def test_an_older_copy_put_in_place_by_hand_is_found_and_the_way_out_is_said(
    installation: Installation,
) -> None:
    begun(installation)
    backup = installation.back_up()
    erase(installation.database, "p@example.com", "erased-2@data-capture.invalid")
    prepare(installation.database)
    shutil.copyfile(backup, installation.database)
    outcome = installation.run("verify-audit")
    assert (outcome.status, outcome.output.startswith("Audit record 5 was removed")) == (1, True)
    assert f"remove {installation.database}-audit-head" in outcome.output


def test_what_has_no_audit_trail_is_refused_in_words(installation: Installation) -> None:
    (installation.directory / "foreign.keys").mkdir(mode=0o700)
    shutil.copy(
        installation.directory / "trading_bots.keys" / "audit.key",
        installation.directory / "foreign.keys" / "audit.key",
    )
    with closing(sqlite3.connect(installation.directory / "foreign.db")) as connection, connection:
        connection.execute("CREATE TABLE something (else_)")
    for name, words in (
        ("foreign.db", "not a database of Enhanced"),
        ("nowhere.db", "There is no file"),
    ):
        outcome = installation.run("verify-audit", "--database", installation.directory / name)
        assert (outcome.status, words in outcome.errors) == (1, True), outcome.errors


def test_on_a_terminal_it_shows_how_far_it_is(installation: Installation) -> None:
    begun(installation)
    ours, its = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "data_capture",
        "verify-audit",
        "--database",
        str(installation.database),
    ]
    ran = subprocess.run(
        command,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=its,
        stdin=its,
        check=True,
        timeout=60,
    )
    os.close(its)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "Verifying  [##############################]  100%" in shown
    assert ran.stdout.startswith(b"4 audit records")


@pytest.mark.skipif("EDC_FULL_AUDIT" not in os.environ, reason="takes a minute: EDC_FULL_AUDIT=1")
def test_a_million_records_are_verified_at_a_hundred_thousand_a_second(
    tmp_path: Path, server: CommandServer
) -> None:
    installation = Installation(tmp_path, server)
    prepare(installation.database)
    add_payments(installation.database, 1_000_000)
    with closing(sqlite3.connect(installation.database)) as connection, connection:
        connection.execute(
            "UPDATE data_capture_audit SET data_snapshot = ?",
            (json.dumps({"plan_name": "x" * 400}),),
        )
    (tmp_path / "trading_bots.keys" / "audit.key").unlink()
    prepare(installation.database)
    rates = [float(verified(installation).split("(", 1)[1].split()[0]) for _ in range(3)]
    assert min(rates) <= 10.0, rates
