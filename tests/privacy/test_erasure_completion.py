"""What comes after an erasure: readers of an older state, restarts, captures that browsers still hold, restored backups."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
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
from data_capture.store.sqlite.tombstones import (
    COMPLETE,
    NEEDS_CHECKPOINT,
    TOMBSTONE_DAYS,
    add_hashed_tombstones,
    delete_expired_tombstones,
    reject_erased_capture,
)
from tests.support.erasing import (
    Marked,
    assert_whole,
    erase,
    erasures_pending,
    found_in,
    record,
    send,
    service_in,
    store_in,
)
from tests.support.installations import CommandServer, Installation
from tests.support.services import RunningService, capture_service_in, eventually

ANN, BOB = Marked("ann"), Marked("bob")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """A capture service with an admin token, over a database of its own, with eight captures of two people each."""
    with service_in(tmp_path) as running:
        send(running, ANN, ANN.captures(8))
        send(running, BOB, BOB.captures(8))
        yield running


@contextmanager
def reader_of(database: Path) -> Iterator[None]:
    """Another program that reads, for the block, the state of now."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM users").fetchone()
        yield


def said_at(moment: datetime | str) -> dict[str, Any]:
    return {
        "user_email": ANN.email,
        "capture_timestamp": moment if isinstance(moment, str) else timestamp(moment),
    }


# --- Readers and restarts -----------------------------------------------------------------------------------------------------


def test_while_somebody_reads_an_older_state_it_is_accepted_and_finished_when_they_let_go(
    service: RunningService,
) -> None:
    with reader_of(service.database):
        answer = erase(service, ANN.email)
        assert (answer.status_code, answer.json()["complete"]) == (202, False)
        assert erasures_pending(service) == 1
        assert service.capture("activity", {"user_email": BOB.email}).status_code == 201
        assert found_in(service.database.parent, ANN.traces()) != []
    eventually(lambda: erasures_pending(service) == 0, "the erasure is complete")
    assert found_in(service.database.parent, ANN.traces()) == []
    assert_whole(service)


def test_an_erasure_is_finished_after_a_restart(service: RunningService) -> None:
    with reader_of(service.database):
        assert erase(service, ANN.email).status_code == 202
        service.kill()
    service.start()
    eventually(lambda: erasures_pending(service) == 0, "the erasure is complete")
    assert found_in(service.database.parent, ANN.traces()) == []
    assert_whole(service)


def test_strangers_are_not_told_of_erasures(service: RunningService) -> None:
    health = requests.get(
        f"{service.url}/api/data-capture/health",
        headers={"X-Forwarded-For": "192.0.2.1"},
        timeout=10,
    )
    assert "erasures_pending" not in health.json()


def test_what_was_done_already_is_not_done_again(tmp_path: Path) -> None:
    """A file is written anew once, however often the log can't be emptied afterwards."""
    with closing(store_in(tmp_path)) as store:
        record(store, ANN.captures(4))
        eraser, rewritten = UserEraser(store), []
        vacuum, store.vacuum = store.vacuum, lambda: rewritten.append(vacuum()) is None  # type: ignore[method-assign]
        emptied = iter([True, False, False, True, True])
        checkpoint, store.checkpoint = store.checkpoint, lambda: next(emptied) and checkpoint()  # type: ignore[method-assign]
        eraser.erase(ANN.email, "a test")
        assert rewritten == [True]
        assert eraser.count_pending() == 0


# --- Browsers ----------------------------------------------------------------------------------------------------------------


def test_what_was_captured_before_the_erasure_is_gone(service: RunningService) -> None:
    erase(service, ANN.email)
    for kind in KINDS:
        for days in (0, 6, 25):
            answer = service.capture(
                kind, said_at(datetime.now(timezone.utc) - timedelta(days=days, minutes=1))
            )
            assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (410, "gone")
            assert answer.headers["Content-Type"] == "application/problem+json"
    assert service.rows("SELECT * FROM users WHERE email = ?", ANN.email) == []


def test_in_a_batch_each_is_answered_for_itself_and_a_new_life_begins(
    service: RunningService,
) -> None:
    old = ANN.captures(4)
    old_times = [{**one, **said_at(datetime.now(timezone.utc))} for one in old]
    erase(service, ANN.email.upper())
    assert (
        send(service, ANN, [*old_times, *BOB.captures(4)]) == [410] * 4 + [201] * 4
    )  # the same ids: there are no receipts
    assert (
        send(service, ANN, [{**one, **said_at(datetime.now(timezone.utc))} for one in old])
        == [201] * 4
    )
    assert (
        service.capture("activity", {"user_email": ANN.email}).status_code == 201
    )  # it does not say when
    for strange in (
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "soon",
        "2024-01-15T10:30:00",
    ):
        assert service.capture("activity", said_at(strange)).status_code == (
            410 if strange.startswith("0001") else 201
        )


def test_another_service_over_the_same_file_refuses_it_too(service: RunningService) -> None:
    other = capture_service_in(service.database.parent)
    other.start()
    try:
        before = said_at(datetime.now(timezone.utc))
        assert other.capture("activity", before).status_code == 201
        erase(service, ANN.email)
        assert other.capture("activity", before).status_code == 410
    finally:
        other.stop()


def test_after_thirty_days_it_is_forgotten(tmp_path: Path) -> None:
    with closing(store_in(tmp_path)) as store:
        now = datetime.now(timezone.utc)
        long_ago, lately = (
            timestamp(now - timedelta(days=days))
            for days in (TOMBSTONE_DAYS + 1, TOMBSTONE_DAYS - 1)
        )
        noted = [
            ("a" * 64, long_ago, COMPLETE),
            ("b" * 64, long_ago, NEEDS_CHECKPOINT),
            ("c" * 64, lately, COMPLETE),
        ]
        for address_hash, erased_at, remaining in noted:
            store.write(
                lambda connection, one=(address_hash, erased_at), left=remaining: (
                    add_hashed_tombstones(connection, [one], left)
                )
            )  # type: ignore[misc]
        store.write(lambda connection: delete_expired_tombstones(connection, timestamp(now)))
        left = store.read(
            lambda connection: connection.execute(
                "SELECT address_hash FROM data_capture_erasures"
            ).fetchall()
        )
        assert [address_hash[0] for (address_hash,) in left] == ["b", "c"]


def test_asking_costs_microseconds(tmp_path: Path) -> None:
    """What every capture pays; the bound is for the noisiest machine, the figure is 1 to 2 microseconds."""
    with closing(store_in(tmp_path)) as store:
        caller = Caller("/", None, None, datetime.now(timezone.utc))
        capture = parse_capture(KINDS["activity"], {"user_email": BOB.email}, caller, ())

        def ask(connection: sqlite3.Connection) -> float:
            began_at = time.perf_counter()
            for _ in range(2000):
                reject_erased_capture(connection, capture)
            return (time.perf_counter() - began_at) / 2000

        without = min(store.write(ask) for _ in range(3))
        UserEraser(store).erase(ANN.email, "a test")
        assert max(without, min(store.write(ask) for _ in range(3))) < 50e-6


# --- Backups -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def place(service: RunningService, server: CommandServer) -> Installation:
    """The service's folder, as whoever runs it sees it."""
    return Installation(service.database.parent, server)


def restore(place: Installation, service: RunningService, backup: Path) -> str:
    service.stop()
    outcome = place.run("restore", backup)
    assert outcome.status == 0, outcome.errors
    service.start()
    return outcome.output


def users_in(service: RunningService) -> set[str]:
    return {row["user_email"] for row in service.rows("SELECT user_email FROM payment_data")}


def test_restoring_a_backup_erases_again_who_was_erased_after_it(
    service: RunningService, place: Installation
) -> None:
    backup = place.back_up()
    held = said_at(datetime.now(timezone.utc))
    erase(service, ANN.email)
    assert "Erased again, as they were erased after the backup: 1 user" in restore(
        place, service, backup
    )
    assert users_in(service) == {BOB.email}
    [database] = [path for path in service.database.parent.iterdir() if path == service.database]
    assert not [name for name, trace in ANN.traces().items() if trace in database.read_bytes()]
    assert service.capture("activity", held).status_code == 410
    assert_whole(service)


def test_a_backup_of_a_time_after_the_erasure_is_restored_as_it_is(
    service: RunningService, place: Installation
) -> None:
    erase(service, ANN.email)
    assert (
        service.capture(
            "payment", {"user_email": ANN.email, "transaction_id": "a new life"}
        ).status_code
        == 201
    )
    backup = place.back_up()
    assert "Erased again" not in restore(place, service, backup)
    assert users_in(service) == {ANN.email, BOB.email}
    restored_twice = place.back_up()
    assert "Erased again" not in restore(place, service, restored_twice)
    assert users_in(service) == {ANN.email, BOB.email}


def test_an_older_copy_put_in_place_by_hand_is_erased_from_at_the_start(
    service: RunningService, place: Installation
) -> None:
    backup = place.back_up()
    erase(service, ANN.email)
    service.stop()
    shutil.copyfile(backup, service.database)
    (service.database.parent / "trading_bots.db-audit-head").unlink(missing_ok=True)
    service.start()
    eventually(lambda: erasures_pending(service) == 0, "the erasure is complete")
    assert users_in(service) == {BOB.email}
    assert "erased again: 1" in service.log_file.read_text()
    assert ANN.email not in service.log_file.read_text()
    assert_whole(service)


def test_the_journal_names_nobody_and_survives_a_line_that_a_crash_cut_off(
    service: RunningService,
) -> None:
    erase(service, ANN.email)
    journal = erasure_log_file(service.database)
    assert journal.stat().st_mode & 0o777 == 0o600
    assert len(read_erasure_log(service.database)) == 1
    with journal.open("a") as file:
        file.write("0123456789abcdef")
    append_to_erasure_log(service.database, {("f" * 64, "2024-01-15T10:30:00.000Z")})
    assert len(read_erasure_log(service.database)) == 2
    assert ANN.name not in journal.read_text()
