"""Test what follows an erasure: its completion, late captures, restored backups."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, parse_capture
from data_capture.capture.timestamps import timestamp
from data_capture.privacy.erasure_completion import UserEraser
from data_capture.privacy.erasure_log import (
    append_to_erasure_log,
    erasure_log_file,
    read_erasure_log,
)
from data_capture.store.sqlite.captures import record_capture
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.tombstones import (
    COMPLETE,
    NEEDS_CHECKPOINT,
    TOMBSTONE_DAYS,
    add_hashed_tombstones,
    delete_expired_tombstones,
    reject_erased_capture,
)
from tests.support.erasing import (
    TraceableUser,
    assert_whole,
    count_pending_erasures,
    erase,
    find_traces,
    send_captures,
    service_in,
    store_captures,
    store_in,
)
from tests.support.installations import CommandServer, Installation
from tests.support.services import RunningService, capture_service_in, eventually

ANN, BOB = TraceableUser("ann"), TraceableUser("bob")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """Run a capture service with an admin token and eight captures of two users each."""
    with service_in(tmp_path) as running:
        send_captures(running, ANN, ANN.captures(8))
        send_captures(running, BOB, BOB.captures(8))
        yield running


@contextmanager
def read_transaction(database: Path) -> Iterator[None]:
    """Keep a read transaction of another program open, which holds up a checkpoint."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM users").fetchone()
        yield


def payload_dated(moment: datetime | str) -> dict[str, Any]:
    return {
        "user_email": ANN.email,
        "capture_timestamp": moment if isinstance(moment, str) else timestamp(moment),
    }


# --- Completion -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_erasure_during_a_read_transaction_is_accepted_and_completed_later(
    service: RunningService,
) -> None:
    with read_transaction(service.database):
        response = erase(service, ANN.email)
        assert (response.status_code, response.json()["complete"]) == (202, False)
        assert count_pending_erasures(service) == 1
        assert service.capture("activity", {"user_email": BOB.email}).status_code == 201
        assert find_traces(service.database.parent, ANN.traces()) != []
    eventually(lambda: count_pending_erasures(service) == 0, "the erasure is complete")
    assert find_traces(service.database.parent, ANN.traces()) == []
    assert_whole(service)


@pytest.mark.slow
def test_erasure_is_completed_after_a_restart(service: RunningService) -> None:
    with read_transaction(service.database):
        assert erase(service, ANN.email).status_code == 202
        service.kill()
    service.start()
    eventually(lambda: count_pending_erasures(service) == 0, "the erasure is complete")
    assert find_traces(service.database.parent, ANN.traces()) == []
    assert_whole(service)


@pytest.mark.slow
def test_health_hides_pending_erasures_from_other_machines(service: RunningService) -> None:
    health = requests.get(
        f"{service.url}/api/data-capture/health",
        headers={"X-Forwarded-For": "192.0.2.1"},
        timeout=30,
    )
    assert "erasures_pending" not in health.json()


def test_file_is_vacuumed_once_while_checkpoints_are_retried(tmp_path: Path) -> None:
    """VACUUM is expensive and is not repeated because a later WAL checkpoint fails."""
    with closing(store_in(tmp_path)) as store:
        store_captures(store, ANN.captures(4))
        eraser, vacuums = UserEraser(store), []
        vacuum, checkpoint = store.vacuum, store.checkpoint
        succeeds = iter([True, False, False, True, True])
        store.vacuum = lambda: vacuums.append(vacuum()) is None  # type: ignore[method-assign]
        store.checkpoint = lambda: next(succeeds) and checkpoint()  # type: ignore[method-assign]
        eraser.erase(ANN.email, "a test")
        assert vacuums == [True]
        assert eraser.count_pending() == 0


# --- Late captures --------------------------------------------------------------------------------


@pytest.mark.slow
def test_capture_older_than_the_erasure_gets_410(service: RunningService) -> None:
    erase(service, ANN.email)
    for kind in KINDS:
        for days in (0, 6, 25):
            captured_at = datetime.now(timezone.utc) - timedelta(days=days, minutes=1)
            response = service.capture(kind, payload_dated(captured_at))
            assert response.status_code == 410
            assert response.json()["type"].rpartition(":")[2] == "gone"
            assert response.headers["Content-Type"] == "application/problem+json"
    assert service.rows("SELECT * FROM users WHERE email = ?", ANN.email) == []


@pytest.mark.slow
def test_batch_after_an_erasure_rejects_older_captures_and_stores_newer_ones(
    service: RunningService,
) -> None:
    def dated_now() -> list[dict[str, Any]]:
        return [{**one, **payload_dated(datetime.now(timezone.utc))} for one in ANN.captures(4)]

    older = dated_now()
    erase(service, ANN.email.upper())
    assert send_captures(service, ANN, [*older, *BOB.captures(4)]) == [410] * 4 + [201] * 4
    # The erasure deleted the receipts, so that the same capture_ids are not duplicates.
    assert send_captures(service, ANN, dated_now()) == [201] * 4


TIME_NOTATIONS: dict[str, Callable[[datetime], Any]] = {
    "ISO 8601": datetime.isoformat,
    "ISO 8601 without a zone": lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S"),
    "SQL": lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S"),
    "with an offset": lambda moment: moment.astimezone(timezone(timedelta(hours=9))).isoformat(),
    "RFC 1123": lambda moment: format_datetime(moment, usegmt=True),
    "Date.toString()": lambda moment: moment.strftime("%a %b %d %Y %H:%M:%S GMT+0000 (UTC)"),
    "seconds": lambda moment: int(moment.timestamp()),
    "seconds as text": lambda moment: str(int(moment.timestamp())),
    "milliseconds": lambda moment: int(moment.timestamp() * 1000),
    "milliseconds as text": lambda moment: str(int(moment.timestamp() * 1000)),
    "microseconds": lambda moment: int(moment.timestamp() * 1e6),
    "Firestore": lambda moment: {"seconds": int(moment.timestamp()), "nanoseconds": 0},
    "Firestore Admin": lambda moment: {"_seconds": int(moment.timestamp()), "_nanoseconds": 0},
    "MongoDB": lambda moment: {"$date": moment.isoformat()},
}


@pytest.mark.slow
def test_no_notation_of_an_older_time_brings_an_erased_user_back(service: RunningService) -> None:
    erase(service, ANN.email)
    now = datetime.now(timezone.utc)
    for days in (0, 6, 25, 400):
        before = now - timedelta(days=days, hours=1)
        for name, notation in TIME_NOTATIONS.items():
            for key in ("capture_timestamp", "captureTimestamp", "capture-timestamp"):
                payload = {"user_email": ANN.email, key: notation(before)}
                assert service.capture("activity", payload).status_code == 410, (name, days)
    older_and_newer = {
        "user_email": ANN.email,
        "capture_timestamp": now.isoformat(),
        "captureTimestamp": (now - timedelta(hours=1)).isoformat(),
    }
    assert service.capture("payment", older_and_newer).status_code == 410
    assert service.rows("SELECT * FROM users WHERE email = ?", ANN.email) == []
    soon = now + timedelta(minutes=2)
    for name, notation in TIME_NOTATIONS.items():
        payload = {"user_email": ANN.email, "capture_timestamp": notation(soon)}
        assert service.capture("activity", payload).status_code == 201, name


@pytest.mark.slow
def test_capture_whose_time_cannot_be_read_is_rejected_after_an_erasure(
    service: RunningService,
) -> None:
    in_an_hour = datetime.now(timezone.utc) + timedelta(hours=1)
    unreadable = (
        "soon", "11/27/2026, 10:00:00 AM", 0, {"time": "now"}, True,
        in_an_hour.strftime("%Y-%m-%d %H:%M:%S"),  # of a zone ahead of UTC, an unknown time ago
    )  # fmt: skip
    for time_ in unreadable:
        payload = {"user_email": BOB.email, "capture_timestamp": time_}
        assert service.capture("activity", payload).status_code == 201
    erase(service, ANN.email)
    for time_ in unreadable:
        payload = {"user_email": ANN.email, "capture_timestamp": time_}
        assert service.capture("activity", payload).status_code == 410, time_
    assert (
        service.capture("activity", payload_dated("0001-01-01T00:00:00+14:00")).status_code == 410
    )
    for newer in ("", "9999-12-31T23:59:59-14:00"):
        assert service.capture("activity", payload_dated(newer)).status_code == 201
    assert service.capture("activity", {"user_email": ANN.email}).status_code == 201


@pytest.mark.slow
def test_second_service_on_the_file_rejects_captures_older_than_the_erasure(
    service: RunningService,
) -> None:
    other = capture_service_in(service.database.parent)
    other.start()
    try:
        before = payload_dated(datetime.now(timezone.utc))
        assert other.capture("activity", before).status_code == 201
        erase(service, ANN.email)
        assert other.capture("activity", before).status_code == 410
    finally:
        other.stop()


def test_completed_tombstones_expire_after_thirty_days(tmp_path: Path) -> None:
    with closing(store_in(tmp_path)) as store:
        now = datetime.now(timezone.utc)
        long_ago, lately = (
            timestamp(now - timedelta(days=days))
            for days in (TOMBSTONE_DAYS + 1, TOMBSTONE_DAYS - 1)
        )
        tombstones = [
            ("a" * 64, long_ago, COMPLETE),
            ("b" * 64, long_ago, NEEDS_CHECKPOINT),
            ("c" * 64, lately, COMPLETE),
        ]
        for *tombstone, remaining in tombstones:
            store.write(
                lambda connection, one=tuple(tombstone), remaining=remaining: add_hashed_tombstones(
                    connection, [one], remaining
                )
            )
        store.write(lambda connection: delete_expired_tombstones(connection, timestamp(now)))
        left = store.read(
            lambda connection: connection.execute(
                "SELECT address_hash FROM data_capture_erasures"
            ).fetchall()
        )
        assert [address_hash[0] for (address_hash,) in left] == ["b", "c"]


def test_tombstone_lookup_costs_a_fraction_of_storing_a_capture(tmp_path: Path) -> None:
    """Every capture pays for the lookup, whether there are tombstones or not."""
    with closing(store_in(tmp_path)) as store:
        caller = Caller("/", None, None, datetime.now(timezone.utc))
        payloads = [
            {"user_email": BOB.email, "activity_type": f"{number}"} for number in range(100)
        ]
        captures = [parse_capture(KINDS["activity"], payload, caller, ()) for payload in payloads]

        def look_up(connection: StoreConnection) -> float:
            began_at = time.perf_counter()
            for capture in captures:
                reject_erased_capture(connection, capture)
            return time.perf_counter() - began_at

        def time_storing() -> float:
            began_at = time.perf_counter()
            for capture in captures:
                store.write(lambda connection, capture=capture: record_capture(connection, capture))
            return time.perf_counter() - began_at

        lookup_without_tombstones = min(store.write(look_up) for _ in range(5))
        UserEraser(store).erase(ANN.email, "a test")
        lookup = min(store.write(look_up) for _ in range(5))
        storing = time_storing()
        assert max(lookup, lookup_without_tombstones) < storing / 20


# --- Backups --------------------------------------------------------------------------------------


@pytest.fixture
def installation(service: RunningService, server: CommandServer) -> Installation:
    """Return the service's installation, to run commands on it."""
    return Installation(service.database.parent, server)


def restore(installation: Installation, service: RunningService, backup: Path) -> str:
    service.stop()
    outcome = installation.run("restore", backup)
    assert outcome.status == 0, outcome.errors
    service.start()
    return outcome.output


def users_in(service: RunningService) -> set[str]:
    return {row["user_email"] for row in service.rows("SELECT user_email FROM payment_data")}


@pytest.mark.slow
def test_restore_repeats_erasures_newer_than_the_backup(
    service: RunningService, installation: Installation
) -> None:
    backup = installation.back_up()
    unsent = payload_dated(datetime.now(timezone.utc))
    erase(service, ANN.email)
    output = restore(installation, service, backup)
    assert "Erased again, as they were erased after the backup: 1 user" in output
    assert users_in(service) == {BOB.email}
    content = service.database.read_bytes()
    assert not [name for name, trace in ANN.traces().items() if trace in content]
    assert service.capture("activity", unsent).status_code == 410
    assert_whole(service)


@pytest.mark.slow
def test_backup_newer_than_the_erasure_is_restored_unchanged(
    service: RunningService, installation: Installation
) -> None:
    erase(service, ANN.email)
    newer = {"user_email": ANN.email, "transaction_id": "after the erasure"}
    assert service.capture("payment", newer).status_code == 201
    backup = installation.back_up()
    assert "Erased again" not in restore(installation, service, backup)
    assert users_in(service) == {ANN.email, BOB.email}
    second_backup = installation.back_up()
    assert "Erased again" not in restore(installation, service, second_backup)
    assert users_in(service) == {ANN.email, BOB.email}


@pytest.mark.slow
def test_start_repeats_erasures_in_a_database_replaced_by_an_older_copy(
    service: RunningService, installation: Installation
) -> None:
    backup = installation.back_up()
    erase(service, ANN.email)
    service.stop()
    shutil.copyfile(backup, service.database)
    (service.database.parent / "trading_bots.db-audit-head").unlink(missing_ok=True)
    service.start()
    eventually(lambda: count_pending_erasures(service) == 0, "the erasure is complete")
    assert users_in(service) == {BOB.email}
    assert "erased again: 1" in service.log_file.read_text()
    assert ANN.email not in service.log_file.read_text()
    assert_whole(service)


@pytest.mark.slow
def test_erasure_log_identifies_no_user_and_tolerates_an_incomplete_line(
    service: RunningService,
) -> None:
    erase(service, ANN.email)
    erasure_log = erasure_log_file(service.database)
    assert erasure_log.stat().st_mode & 0o777 == 0o600
    assert len(read_erasure_log(service.database)) == 1
    with erasure_log.open("a") as file:
        file.write("0123456789abcdef")
    append_to_erasure_log(service.database, {("f" * 64, "2024-01-15T10:30:00.000Z")})
    assert len(read_erasure_log(service.database)) == 2
    assert ANN.name not in erasure_log.read_text()
