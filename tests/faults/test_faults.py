"""Test kills, locks, full and failing disks, clock jumps and many connections.

An acknowledged capture is on disk exactly once after each of them. `python3 -m tests.faults --kills
1000` is the long version of the first test. EDC_FULL_FAULTS=1 kills 30 times, and keeps locks and
full disks for as long as they may last in practice.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import os
import re
import resource
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import requests

from tests.faults.kills import Campaign
from tests.faults.managed_services import ManagedServices, connection_of_another_program
from tests.faults.shim import Shim
from tests.support.managed import worker_of
from tests.support.services import capture_service_in, eventually, rows

FULL = os.environ.get("EDC_FULL_FAULTS") == "1"
KILLS = 30 if FULL else 8
LOCKED_SECONDS = 30.0 if FULL else 2.0
FULL_DISK_SECONDS = 25.0 if FULL else 1.5
DEFAULT_REQUEST_SECONDS = 5.0
IDLE_WAL_BYTES = 24 * 1024 * 1024
INCOMPLETE_REQUEST = (
    b"POST /api/data-capture/payment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\n{"
)


# --- Kills ---


@pytest.mark.slow
def test_kills_under_load_lose_and_duplicate_nothing(tmp_path: Path) -> None:
    with Campaign(tmp_path) as campaign:
        for _ in range(KILLS):
            campaign.kill_once()
        outcome = campaign.finish()
    assert outcome.passed, str(outcome)
    assert outcome.kills == KILLS
    # A restart takes about as long as the first start. The median ignores the stalls of a busy
    # machine.
    assert outcome.recovery_seconds[KILLS // 2] < 2 * outcome.start_seconds, str(outcome)


# --- Other programs ---


def test_while_another_program_holds_the_lock_reads_work_and_writes_time_out(
    tmp_path: Path,
) -> None:
    service = capture_service_in(tmp_path, EDC_REQUEST_SECONDS="1")
    service.start()
    try:
        writes: list[tuple[int, float, str | None]] = []
        is_over = threading.Event()

        def write() -> None:
            while not is_over.is_set():
                began_at = time.monotonic()
                response = service.capture("payment", {"user_email": "a@example.com"})
                seconds = time.monotonic() - began_at
                writes.append((response.status_code, seconds, response.headers.get("Retry-After")))

        with connection_of_another_program(service.database) as connection:
            connection.execute("BEGIN IMMEDIATE")
            writers = [threading.Thread(target=write) for _ in range(4)]
            for writer in writers:
                writer.start()
                # The writes share a transaction. With a gap between them, each has a deadline of
                # its own.
                time.sleep(0.3)
            locked_until = time.monotonic() + LOCKED_SECONDS
            while time.monotonic() < locked_until:
                url = f"{service.url}/api/data-capture/"
                statistics = requests.get(f"{url}stats/a@example.com", timeout=30)
                assert statistics.status_code == 200
                # Each write of these tests is refused, so that the first one makes it unhealthy.
                has_refused = bool(writes)
                health = requests.get(f"{url}health", timeout=30).status_code
                assert health in ((503,) if has_refused else (200, 503))
                time.sleep(0.1)
            is_over.set()
            for writer in writers:
                writer.join()
        # All responses came while the lock was held, so that their deadlines caused them.
        assert {(status, retry) for status, _, retry in writes} == {(503, "1")}
        assert all(seconds > 0.9 for _, seconds, _ in writes)
        assert min(seconds for _, seconds, _ in writes) < DEFAULT_REQUEST_SECONDS
        assert service.capture("payment", {"user_email": "a@example.com"}).status_code == 201
        health = requests.get(f"{service.url}/api/data-capture/health", timeout=30)
        assert health.status_code == 200
        assert len(service.rows("SELECT 1 FROM payment_data")) == 1
        lines = service.log_file.read_text().splitlines()
        [warning] = [line for line in lines if "Writes are refused with status 503" in line]
        assert "Another program holds the database's lock." in warning
        [end] = [line for line in lines if "The database can be written again" in line]
        # Housekeeping may have been refused, too.
        [refused] = re.findall(r"in which (\d+) writes were refused", end)
        assert len(writes) <= int(refused) <= len(writes) + 1
    finally:
        service.stop()


@pytest.mark.slow
def test_a_service_is_unhealthy_but_not_restarted_while_another_program_holds_the_lock(
    services_with_shim: ManagedServices,
) -> None:
    services = services_with_shim
    process = services.health()["pid"]
    with connection_of_another_program(services.database) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert services.capture().status_code == 503
        # The manager replaces a service that does not respond for 15 s.
        locked_until = time.monotonic() + 18
        while time.monotonic() < locked_until:
            assert services.is_unhealthy("Another program holds the database's lock.")
            time.sleep(0.2)
    eventually(services.is_healthy, "the service notices by itself that it can write", 30)
    assert services.health()["pid"] == process
    assert "starting it again" not in services.manager.log_file.read_text()
    assert services.capture().status_code == 201


@pytest.mark.slow
def test_wal_grows_during_a_long_read_transaction_and_shrinks_afterwards(
    services: ManagedServices,
) -> None:
    with connection_of_another_program(services.database) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM payment_data").fetchone()
        picture = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(8_000_000)).decode()
        for number in range(5):
            payload = {
                "user_email": "a@example.com",
                "account_screenshot": picture,
                "propFirm": str(number),
            }
            response = requests.post(
                f"{services.url}/api/data-capture/questionnaire", json=payload, timeout=60
            )
            assert response.status_code == 201
        assert services.health()["wal_bytes"] > 1.5 * IDLE_WAL_BYTES
        assert services.is_healthy()
        assert reader.execute("SELECT count(*) FROM questionnaire_data").fetchone() == (0,)
    for _ in range(3):
        assert services.capture().status_code == 201
    assert services.health()["wal_bytes"] <= IDLE_WAL_BYTES


# --- The disk ---


def assert_recovers_from_full_disk(
    services: ManagedServices, free_space: Callable[[], object], reason: str
) -> None:
    """Check a service whose disk is full, before and after `free_space`.

    While the disk is full, captures get 503, the health is 503 and reading works. Afterwards, the
    same process is healthy again.
    """
    process = services.health()["pid"]
    mark = uuid.uuid4().hex

    def capture_large_payment() -> requests.Response:
        return services.capture(mark, padding="x" * 50_000)

    for _ in range(2):
        response = capture_large_payment()
        assert (response.status_code, response.headers["Retry-After"]) == (503, "1"), response.text
    full_until = time.monotonic() + FULL_DISK_SECONDS
    while time.monotonic() < full_until:
        assert capture_large_payment().status_code == 503
        assert services.get_statistics().status_code == 200
        time.sleep(0.2)
    assert services.is_unhealthy(reason)
    free_space()
    eventually(services.is_healthy, "the service notices the free space", 30)
    assert services.health()["pid"] == process
    assert capture_large_payment().status_code == 201
    services.assert_stored_once()
    log = services.manager.log_file.read_text()
    assert "Writes are refused with status 503: " in log
    assert log.index("Writes are refused") < log.index("The database can be written again, after")


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="this system can't limit a running process (prlimit)"
)
def test_captures_get_503_until_a_file_size_limit_is_lifted(services: ManagedServices) -> None:
    assert services.capture().status_code == 201
    worker = services.manager.worker_process("capture")
    _, hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (services.health()["wal_bytes"] + 1000, hard))
    assert_recovers_from_full_disk(
        services,
        lambda: resource.prlimit(worker, resource.RLIMIT_FSIZE, (hard, hard)),
        "The database can't be used",
    )


def test_captures_get_503_until_a_full_disk_has_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"this user can't mount a small disk: {mounted.stderr.strip()}")
    try:
        log_file = tmp_path / "elsewhere.log"
        services = ManagedServices(disk, "--log-file", str(log_file))
        services.manager.log_file = log_file
        try:
            assert services.capture().status_code == 201
            filler = disk / "filler"
            fill_disk(filler)
            # The failed write says "disk is full", the free space "disk is almost full".
            assert_recovers_from_full_disk(services, filler.unlink, " full")
        finally:
            services.kill()
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def fill_disk(filler: Path) -> None:
    """Write a file that uses all free space of its disk."""
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    assert os.statvfs(filler).f_bavail == 0


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize("fault", ["write_errno", "sync_errno"])
def test_a_failed_write_or_sync_is_not_acknowledged_and_the_service_restarts(
    services_with_shim: ManagedServices, shim: Shim, fault: str
) -> None:
    services = services_with_shim
    assert services.capture().status_code == 201
    process = services.health()["pid"]
    shim.set(**{fault: errno.EIO})
    mark = uuid.uuid4().hex
    response = services.capture(mark)
    assert response.status_code == 503, response.text
    assert response.headers["Retry-After"] == "1"
    assert services.is_unhealthy("disk I/O error")
    assert services.capture(mark).status_code == 503  # also if the next sync would succeed
    shim.set()
    assert services.capture(mark).status_code == 503
    eventually(lambda: services.has_restarted(process), "another process is healthy", 60)
    assert "Ending, since the database was lost" in services.manager.log_file.read_text()
    assert services.capture(mark).status_code in (200, 201)
    services.assert_stored_once()


# --- The clock ---


@pytest.mark.slow
@pytest.mark.parametrize("days", [1, -1])
def test_a_clock_jump_of_a_day_changes_no_order_and_no_deadline(
    services_with_shim: ManagedServices, shim: Shim, days: int
) -> None:
    services = services_with_shim
    assert services.capture().status_code == 201
    process = services.health()["pid"]
    real_now = datetime.now(timezone.utc)
    with services.database.with_name("trading_bots.db-gate").open("rb") as writer_lock:
        # As another process of the product whose write hangs.
        fcntl.flock(writer_lock, fcntl.LOCK_EX)
        threading.Timer(0.3, lambda: shim.set(clock_seconds=days * 86400)).start()
        began_at = time.monotonic()
        assert services.capture().status_code == 503
        # The deadline of a second came neither too early nor, as the request did not time out, a
        # day too late.
        assert time.monotonic() - began_at > 0.9
    assert services.capture().status_code == 201
    # By the service's clock, this time is a day ago, which is stored, or a day in the future, which
    # is replaced by the current time.
    assert services.capture(capture_timestamp=real_now.isoformat()).status_code == 201
    found = rows(
        services.database, "SELECT transaction_id, created_at FROM payment_data ORDER BY id"
    )
    assert [row["transaction_id"] for row in found] == services.acknowledged
    jumped = real_now + timedelta(days=days)
    times = [datetime.fromisoformat(row["created_at"].replace("Z", "+00:00")) for row in found]
    # An hour is far from a day, and longer than this test takes on any machine.
    assert abs(times[1] - jumped) < timedelta(hours=1)
    assert abs(times[2] - (real_now if days > 0 else jumped)) < timedelta(hours=1)
    shim.set()
    assert services.capture().status_code == 201
    time.sleep(2)  # the manager checks the health every second, and must not restart the service
    assert services.health()["pid"] == process
    services.assert_stored_once()


# --- Connections ---


@pytest.mark.slow
def test_5000_connections_use_bounded_memory_and_do_not_block_captures(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 6000:
        pytest.skip(f"a process can have only {hard} descriptors here, and this test needs 6,000")
    service = capture_service_in(tmp_path)
    service.start()
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 6000), hard))
    try:
        assert service._process is not None
        worker = worker_of(service._process.pid)
        with ExitStack() as connections:
            for number in range(5000):
                connection = connections.enter_context(
                    closing(socket.create_connection(("127.0.0.1", service.port), timeout=60))
                )
                connection.sendall((INCOMPLETE_REQUEST, INCOMPLETE_REQUEST[:30], b"")[number % 3])
            # Each capture that had to wait for the others' timeouts would take 10 s.
            began_at = time.monotonic()
            for number in range(20):
                response = service.capture("payment", {"user_email": f"{number}@example.com"})
                assert response.status_code == 201
            assert time.monotonic() - began_at < 100
            if Path("/proc/self/status").exists():
                assert read_status_number(worker, "VmRSS") < 250_000  # kB
                assert read_status_number(worker, "Threads") < 40
        assert service.capture("payment", {"user_email": "last@example.com"}).status_code == 201
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        service.stop()


def read_status_number(process: int, name: str) -> int:
    """Read a number from /proc/<process>/status."""
    [line] = [
        line
        for line in Path(f"/proc/{process}/status").read_text().splitlines()
        if line.startswith(f"{name}:")
    ]
    return int(line.split()[1])
