"""Acknowledged means on disk, once, whatever one machine does: each fault is caused, below real services over a real file.

`python3 -m tests.faults --kills 1000` is the long version of the first test. EDC_FULL_FAULTS=1 kills 30 times, and makes
the other tests take as long as such faults last.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import hashlib
import os
import resource
import socket
import sqlite3
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import requests

from tests.faults.installation import Managed
from tests.faults.kills import Campaign
from tests.faults.shim import Shim
from tests.support.managed import worker_of
from tests.support.services import capture_service_in, eventually, rows

FULL = os.environ.get("EDC_FULL_FAULTS") == "1"
KILLS = 30 if FULL else 8
LOCKED_SECONDS = 30.0 if FULL else 2.0
FULL_DISK_SECONDS = 25.0 if FULL else 1.5
IDLE_LOG_BYTES = 24 * 1024 * 1024
HALF_A_BODY = (
    b"POST /api/data-capture/payment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\n{"
)


@pytest.fixture
def managed(tmp_path: Path) -> Iterator[Managed]:
    one = Managed(tmp_path)
    yield one
    one.manager.all_processes()
    one.manager.clean_up()


@pytest.fixture
def shimmed(tmp_path: Path, shim: Shim) -> Iterator[Managed]:
    """A manager and services below which the disk can fail and the clock can jump."""
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in shim.environment.items():
            patch.setenv(variable, value)
        one = Managed(tmp_path, "--request-seconds", "1")
    yield one
    shim.set()
    one.manager.all_processes()
    one.manager.clean_up()


@contextmanager
def another_program(database: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        yield connection


# --- Kills ------------------------------------------------------------------------------------------------------------


def test_kills_under_load_lose_and_duplicate_nothing(tmp_path: Path) -> None:
    with Campaign(tmp_path) as campaign:
        for _ in range(KILLS):
            campaign.kill_once()
        outcome = campaign.finish()
    assert outcome.all_held, str(outcome)
    assert outcome.kills == KILLS
    # What was killed is there again about as soon as it can be; the median, since a busy machine has its moments.
    assert outcome.seconds[KILLS // 2] < 2 * outcome.start_seconds, str(outcome)


# --- Other programs ---------------------------------------------------------------------------------------------------


def test_while_another_program_holds_the_lock_reads_work_and_writes_time_out(
    tmp_path: Path,
) -> None:
    service = capture_service_in(tmp_path, EDC_REQUEST_SECONDS="1")
    service.start()
    try:
        writes: list[tuple[int, float, str | None]] = []
        over = threading.Event()

        def write() -> None:
            while not over.is_set():
                began = time.monotonic()
                answer = service.capture("payment", {"user_email": "a@example.com"})
                writes.append(
                    (
                        answer.status_code,
                        time.monotonic() - began,
                        answer.headers.get("Retry-After"),
                    )
                )

        with another_program(service.database) as connection:
            connection.execute("BEGIN IMMEDIATE")
            writers = [threading.Thread(target=write) for _ in range(4)]
            for writer in writers:
                writer.start()
                time.sleep(0.3)  # so that who commits for all has waited longer than the others
            locked_until = time.monotonic() + LOCKED_SECONDS
            while time.monotonic() < locked_until:
                for path in ("stats/a@example.com", "health"):
                    began = time.monotonic()
                    assert (
                        requests.get(
                            f"{service.url}/api/data-capture/{path}", timeout=5
                        ).status_code
                        == 200
                    )
                    assert time.monotonic() - began < 1
                time.sleep(0.1)
            over.set()
            for writer in writers:
                writer.join()
        assert {(status, retry) for status, _, retry in writes} == {(503, "1")}
        assert all(0.9 < seconds < 2.5 for _, seconds, _ in writes)
        assert service.capture("payment", {"user_email": "a@example.com"}).status_code == 201
        assert len(service.rows("SELECT 1 FROM payment_data")) == 1
    finally:
        service.stop()


def test_wal_grows_during_a_long_read_transaction_and_shrinks_afterwards(
    managed: Managed,
) -> None:
    with another_program(managed.database) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM payment_data").fetchone()
        picture = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(8_000_000)).decode()
        for number in range(5):
            payload = {
                "user_email": "a@example.com",
                "account_screenshot": picture,
                "propFirm": str(number),
            }
            answer = requests.post(
                f"{managed.url}/api/data-capture/questionnaire", json=payload, timeout=30
            )
            assert answer.status_code == 201
        assert managed.health()["wal_bytes"] > 1.5 * IDLE_LOG_BYTES
        assert managed.health()["http"] == 200
        assert reader.execute("SELECT count(*) FROM questionnaire_data").fetchone() == (0,)
    for _ in range(3):
        assert managed.capture().status_code == 201
    assert managed.health()["wal_bytes"] <= IDLE_LOG_BYTES


# --- The disk ---------------------------------------------------------------------------------------------------------


def assert_full_and_then_not(managed: Managed, make_room: Callable[[], object]) -> None:
    """With no room already: refused, red, readable; with room again: green by itself, in the same process."""
    process = managed.health()["pid"]
    mark = uuid.uuid4().hex
    for _ in range(2):
        answer = managed.capture(mark, mark_of_size="x" * 50_000)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1"), answer.text
    full_until = time.monotonic() + FULL_DISK_SECONDS
    while time.monotonic() < full_until:
        assert managed.capture(mark, mark_of_size="x" * 50_000).status_code == 503
        assert (
            requests.get(
                f"{managed.url}/api/data-capture/stats/a@example.com", timeout=5
            ).status_code
            == 200
        )
        time.sleep(0.2)
    assert managed.is_red("The database can't be used")
    make_room()
    eventually(
        lambda: managed.health().get("http") == 200, "it notices by itself that there is room", 5
    )
    assert managed.health()["pid"] == process
    assert managed.capture(mark, mark_of_size="x" * 50_000).status_code == 201
    managed.assert_each_is_there_once()


@pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="this system can't limit a running process (prlimit)"
)
def test_captures_get_503_until_a_file_size_limit_is_lifted(managed: Managed) -> None:
    assert managed.capture().status_code == 201
    worker = managed.manager.worker_process("capture")
    _, hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (managed.health()["wal_bytes"] + 1000, hard))
    assert_full_and_then_not(
        managed, lambda: resource.prlimit(worker, resource.RLIMIT_FSIZE, (hard, hard))
    )


def test_captures_get_503_until_a_full_disk_has_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk of its own can't be mounted here: {mounted.stderr.strip()}")
    try:
        managed = Managed(disk, "--log-file", str(tmp_path / "elsewhere.log"))
        try:
            assert managed.capture().status_code == 201
            ballast = disk / "ballast"
            fill(ballast)
            assert_full_and_then_not(managed, ballast.unlink)
        finally:
            managed.manager.all_processes()
            managed.manager.clean_up()
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def fill(ballast: Path) -> None:
    """Takes all the room that its disk has left."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    status = os.statvfs(ballast)
    assert status.f_bavail == 0


@pytest.mark.parametrize("fault", ["write_errno", "sync_errno"])
def test_a_failed_write_or_sync_is_not_acknowledged_and_the_service_restarts(
    shimmed: Managed, shim: Shim, fault: str
) -> None:
    assert shimmed.capture().status_code == 201
    process = shimmed.health()["pid"]
    shim.set(**{fault: errno.EIO})
    mark = uuid.uuid4().hex
    answer = shimmed.capture(mark)
    assert answer.status_code == 503, answer.text
    assert answer.headers["Retry-After"] == "1"
    assert shimmed.is_red("disk I/O error")
    assert shimmed.capture(mark).status_code == 503  # also where the next sync would succeed
    shim.set()
    assert shimmed.capture(mark).status_code == 503
    eventually(lambda: shimmed.is_another_and_healthy(process), "another process serves", 8)
    assert "Ending, since the database was lost" in shimmed.manager.log_file.read_text()
    assert shimmed.capture(mark).status_code in (200, 201)
    shimmed.assert_each_is_there_once()


# --- The file ---------------------------------------------------------------------------------------------------------


def test_a_deleted_database_is_reported_and_used_again_when_it_is_back(
    managed: Managed, tmp_path: Path
) -> None:
    assert managed.capture().status_code == 201
    second_name = tmp_path / "kept"
    os.link(managed.database, second_name)
    managed.database.unlink()
    assert managed.capture().status_code == 503
    assert managed.is_red("The database file was deleted or moved away while it was in use.")
    refusal = "trading_bots.db-wal beside it holds the latest captures of the file that was there"
    eventually(
        lambda: refusal in managed.manager.log_file.read_text(),
        "the log says why it does not start",
        8,
    )
    assert not managed.database.exists()
    assert managed.health() == {}
    second_name.rename(managed.database)
    eventually(lambda: managed.health().get("http") == 200, "it serves again", 35)
    managed.assert_each_is_there_once()


def test_a_database_deleted_with_its_wal_is_not_replaced_by_an_empty_one(
    managed: Managed, tmp_path: Path
) -> None:
    assert managed.capture().status_code == 201
    for file in tmp_path.glob("trading_bots.db*"):
        file.unlink()
    assert managed.capture().status_code == 503
    refusal = f"{managed.database} is gone, or empty: it was deleted, moved away or cut off while the services ran."
    eventually(
        lambda: refusal in managed.manager.log_file.read_text(),
        "the log says why it does not start",
        8,
    )
    time.sleep(1)
    assert not managed.database.exists()
    assert managed.health() == {}


def test_a_new_database_in_place_of_an_earlier_one_is_logged(tmp_path: Path) -> None:
    first = Managed(tmp_path)
    assert first.capture().status_code == 201
    assert first.manager.stop() == 0
    first.database.unlink()
    second = Managed(tmp_path)  # whoever starts everything after that wants a new one
    try:
        assert (
            "There was a database before, and it is gone: a new, empty one is made."
            in second.manager.log_file.read_text()
        )
        assert second.capture().status_code == 201
    finally:
        second.manager.all_processes()
        second.manager.clean_up()


def test_a_replaced_database_is_detected_and_not_damaged_by_the_old_wal(
    managed: Managed, tmp_path: Path
) -> None:
    assert managed.capture().status_code == 201
    replacement = tmp_path / "replacement"
    with another_program(managed.database) as source, another_program(replacement) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
        target.execute(
            "CREATE TABLE of_the_replacement AS SELECT randomblob(2000) AS content FROM data_capture_audit"
        )
        target.executescript("VACUUM")
    for _ in range(20):
        managed.capture()
    process = managed.health()["pid"]
    replacement.replace(managed.database)
    managed.acknowledged.clear()  # they are in the file that is gone, as its owner wanted
    assert managed.capture().status_code == 503
    assert managed.is_red("The database file was replaced by another one while it was in use.")
    eventually(lambda: managed.is_another_and_healthy(process), "it serves the new file", 8)
    assert managed.capture().status_code == 201
    assert rows(managed.database, "SELECT count(*) AS n FROM of_the_replacement") == [{"n": 1}]
    managed.assert_each_is_there_once()
    assert list(tmp_path.glob("trading_bots.db-wal.of-replaced-file-*"))


def test_a_deleted_wal_is_detected(managed: Managed) -> None:
    assert managed.capture().status_code == 201
    process = managed.health()["pid"]
    managed.database.with_name("trading_bots.db-wal").unlink()
    mark = uuid.uuid4().hex
    assert managed.capture(mark).status_code == 503
    assert managed.is_red("The database's WAL (-wal) was deleted or replaced while it was in use.")
    eventually(lambda: managed.is_another_and_healthy(process), "it serves again", 8)
    assert managed.capture(mark).status_code == 201
    managed.manager.assert_database_is_sound()


def test_a_damaged_database_prevents_the_start_and_is_unchanged(tmp_path: Path) -> None:
    service = capture_service_in(tmp_path)
    service.start()
    for number in range(50):
        service.capture("payment", {"user_email": f"{number}@example.com"})
    service.stop()
    with service.database.open("r+b") as file:
        for page in range(2, service.database.stat().st_size // 4096, 3):
            file.seek(page * 4096)
            file.write(b"\xa5" * 1000)
    before = hashlib.sha256(service.database.read_bytes()).digest()
    with pytest.raises(AssertionError, match=r"is damaged: .*python3 -m data_capture backup"):
        service.start()
    assert hashlib.sha256(service.database.read_bytes()).digest() == before


# --- The clock --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [1, -1])
def test_a_clock_jump_of_a_day_changes_no_order_and_no_deadline(
    shimmed: Managed, shim: Shim, days: int
) -> None:
    assert shimmed.capture().status_code == 201
    process = shimmed.health()["pid"]
    real_now = datetime.now(timezone.utc)
    with shimmed.database.with_name("trading_bots.db-gate").open("rb") as writer_lock:
        fcntl.flock(
            writer_lock, fcntl.LOCK_EX
        )  # as another process of ours that writes and does not get on
        threading.Timer(0.3, lambda: shim.set(clock_seconds=days * 86400)).start()
        began = time.monotonic()
        assert shimmed.capture().status_code == 503
        assert 0.9 < time.monotonic() - began < 2.5
    assert shimmed.capture().status_code == 201
    # By the service's clock this is a day old, which is believed, or a day in the future, which is not.
    assert shimmed.capture(capture_timestamp=real_now.isoformat()).status_code == 201
    found = rows(
        shimmed.database, "SELECT transaction_id, created_at FROM payment_data ORDER BY id"
    )
    assert [row["transaction_id"] for row in found] == shimmed.acknowledged
    jumped = real_now + timedelta(days=days)
    times = [datetime.fromisoformat(row["created_at"].replace("Z", "+00:00")) for row in found]
    assert abs(times[1] - jumped) < timedelta(minutes=1)
    assert abs(times[2] - (real_now if days > 0 else jumped)) < timedelta(minutes=1)
    shim.set()
    assert shimmed.capture().status_code == 201
    time.sleep(2)  # the manager has asked meanwhile
    assert shimmed.health()["pid"] == process
    shimmed.assert_each_is_there_once()


# --- Callers ----------------------------------------------------------------------------------------------------------


def test_5000_connections_use_bounded_memory_and_do_not_block_captures(
    tmp_path: Path,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 6000:
        pytest.skip(f"a process may have {hard} descriptors here, and this takes 6,000")
    service = capture_service_in(tmp_path)
    service.start()
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 6000), hard))
    try:
        assert service._process is not None
        worker = worker_of(service._process.pid)
        with ExitStack() as callers:
            for number in range(5000):
                caller = callers.enter_context(
                    closing(socket.create_connection(("127.0.0.1", service.port), timeout=20))
                )
                caller.sendall((HALF_A_BODY, HALF_A_BODY[:30], b"")[number % 3])
            began = time.monotonic()
            for number in range(20):
                assert (
                    service.capture("payment", {"user_email": f"{number}@example.com"}).status_code
                    == 201
                )
            assert time.monotonic() - began < 20
            if Path("/proc/self/status").exists():
                assert number_in_status(worker, "VmRSS") < 250_000  # kB
                assert number_in_status(worker, "Threads") < 40
        assert service.capture("payment", {"user_email": "last@example.com"}).status_code == 201
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        service.stop()


def number_in_status(process: int, name: str) -> int:
    [line] = [
        line
        for line in Path(f"/proc/{process}/status").read_text().splitlines()
        if line.startswith(f"{name}:")
    ]
    return int(line.split()[1])
