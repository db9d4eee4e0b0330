"""Test that health, doctor and log tell the state that a capture meets, for each fault.

Before: a capture gets 201, the health is 200, and the doctor finds no problem. During the fault: a
capture gets 503, and the health in the same moment, the doctor and the log say why. Afterwards: a
capture gets 201, the health is 200, and the log says that writing works again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.cli.test_doctor import Diagnosis
from tests.faults.managed_services import ManagedServices, connection_of_another_program
from tests.faults.shim import Shim
from tests.faults.test_faults import fill_disk
from tests.support.installations import CommandServer, Installation
from tests.support.managed import ports_of
from tests.support.services import eventually

AGAIN = "The database can be written again, after "
RESTARTED = "Ending, since the database was lost"
RECOVERY_SECONDS = 60

Begin = Callable[[ManagedServices, Shim], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """A fault, and what must be told while it lasts."""

    begin: Begin
    reason: str
    """In the health and in the log."""
    doctor: str
    """In the doctor's text."""
    over: str = AGAIN
    """In the log afterwards."""
    free_disk: str = "0"
    """EDC_MIN_FREE_DISK."""


@contextmanager
def lock_of_another_program(services: ManagedServices, _shim: Shim) -> Iterator[None]:
    with connection_of_another_program(services.database) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def writer_lock_of_another_process(services: ManagedServices, _shim: Shim) -> Iterator[None]:
    with services.database.with_name("trading_bots.db-gate").open("rb") as writer_lock:
        fcntl.flock(writer_lock, fcntl.LOCK_EX)
        yield


@contextmanager
def full_disk(services: ManagedServices, _shim: Shim) -> Iterator[None]:
    filler = services.database.with_name("filler")
    fill_disk(filler)
    yield
    filler.unlink()


@contextmanager
def nearly_full_disk(services: ManagedServices, _shim: Shim) -> Iterator[None]:
    filler = services.database.with_name("filler")
    disk = os.statvfs(services.database.parent)
    # The minimum is a twentieth of this disk.
    filler.write_bytes(bytes(disk.f_bavail * disk.f_frsize - disk.f_blocks * disk.f_frsize // 40))
    time.sleep(1.1)  # the services check the space once a second
    yield
    filler.unlink()


@contextmanager
def file_size_limit(services: ManagedServices, _shim: Shim) -> Iterator[None]:
    worker = services.manager.worker_process("capture")
    _, hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (services.health()["wal_bytes"] + 100, hard))
    yield
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (hard, hard))


def failing(**errors: int) -> Begin:
    """Return a fault of the disk: each write or each sync fails."""

    @contextmanager
    def begin(_services: ManagedServices, shim: Shim) -> Iterator[None]:
        shim.set(**errors)
        yield
        shim.set()

    return begin


@contextmanager
def damaged_pages(services: ManagedServices, _shim: Shim) -> Iterator[None]:
    with connection_of_another_program(services.database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [(page,)] = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'payment_data'"
        )
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        with services.database.open("r+b") as file:
            file.seek((page - 1) * page_bytes)
            before = file.read(page_bytes)
            replace_page(services.database, page, page_bytes, b"\xa5" * page_bytes)
            # After another program's write, the services read the pages again.
            connection.execute("PRAGMA user_version = 0")
            yield
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            replace_page(services.database, page, page_bytes, before)
            connection.execute("PRAGMA user_version = 0")


def replace_page(database: Path, page: int, page_bytes: int, content: bytes) -> None:
    with database.open("r+b") as file:
        file.seek((page - 1) * page_bytes)
        file.write(content)


@contextmanager
def deleted_database(services: ManagedServices, _shim: Shim) -> Iterator[None]:
    kept = services.database.with_name("kept")
    os.link(services.database, kept)
    services.database.unlink()
    yield
    kept.rename(services.database)


@contextmanager
def deleted_wal(services: ManagedServices, _shim: Shim) -> Iterator[None]:
    services.database.with_name("trading_bots.db-wal").unlink()
    yield


@contextmanager
def replaced_database(services: ManagedServices, _shim: Shim) -> Iterator[None]:
    copy = services.database.with_name("copy")
    with (
        closing(sqlite3.connect(services.database)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    copy.replace(services.database)
    yield


LOST = {"over": RESTARTED}
FAULTS = {
    "lock of another program": Fault(
        lock_of_another_program,
        "Another program holds the database's lock.",
        "responds with 503: Another program holds the database's lock.",
    ),
    "writer lock of another process": Fault(
        writer_lock_of_another_process,
        "Another process is writing to the database.",
        "is held for longer than",
    ),
    "full disk": Fault(full_disk, "disk is full", "free some space"),
    "disk below its minimum": Fault(
        nearly_full_disk, "disk is almost full (EDC_MIN_FREE_DISK)", "free some space", free_disk=""
    ),
    "limit on file sizes": Fault(
        file_size_limit, "The database can't be used", "responds with 503: The database can't be"
    ),
    "no space for a write": Fault(
        failing(write_errno=errno.ENOSPC), "disk is full", "responds with 503: The database can't"
    ),
    "I/O error of a write": Fault(
        failing(write_errno=errno.EIO), "disk I/O error", "disk I/O error", **LOST
    ),
    "write to a read-only disk": Fault(
        failing(write_errno=errno.EROFS), "disk I/O error", "disk I/O error", **LOST
    ),
    "I/O error of a sync": Fault(
        failing(sync_errno=errno.EIO), "disk I/O error", "disk I/O error", **LOST
    ),
    "damaged pages": Fault(damaged_pages, "malformed", "damaged"),
    "deleted database": Fault(
        deleted_database,
        "The database file was deleted or moved away",
        "was deleted or moved away",
        **LOST,
    ),
    "deleted WAL": Fault(
        deleted_wal, "The database's WAL (-wal) was deleted", "WAL (-wal) was deleted", **LOST
    ),
    "replaced database": Fault(
        replaced_database, "was replaced by another one", "was replaced by another one", **LOST
    ),
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"this user can't mount a small disk: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def start(folder: Path, tmp_path: Path, shim: Shim, free_disk: str) -> ManagedServices:
    log_file = tmp_path / "truthful.log"
    flags = ("--request-seconds", "1", "--log-file", str(log_file), "--min-free-disk", free_disk)
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in shim.environment.items():
            patch.setenv(variable, value)
        services = ManagedServices(folder, *flags)
    services.manager.log_file = log_file
    return services


def diagnose(services: ManagedServices, server: CommandServer, free_disk: str) -> Diagnosis:
    installation = Installation(services.database.parent, server)
    installation.database, installation.log_file = services.database, services.manager.log_file
    installation.capture_port, installation.signup_port = ports_of(services.manager)
    flags = ("--expect-running", "--request-seconds", 0.3, "--min-free-disk", free_disk)
    return Diagnosis(installation, *flags)


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_health_doctor_and_log_tell_the_state_that_a_capture_meets(
    disk: Path, tmp_path: Path, shim: Shim, server: CommandServer, fault: Fault
) -> None:
    services = start(disk, tmp_path, shim, fault.free_disk)
    try:
        for _ in range(3):
            assert services.capture().status_code == 201
        assert services.is_healthy()
        before = diagnose(services, server, fault.free_disk)
        assert before.problems() == set(), before.text
        log_before = services.manager.log_file.read_text()
        with fault.begin(services, shim):
            response = services.capture(padding="x" * 20_000)
            health = services.health()
            assert response.status_code == 503, response.text
            assert health["http"] == 503
            assert fault.reason in health["detail"]
            during = diagnose(services, server, fault.free_disk)
            assert during.problems() != set()
            assert fault.doctor in during.text
            log = services.manager.log_file.read_text()[len(log_before) :]
            told = [line for line in log.splitlines() if fault.reason in line]
            assert told, log
            assert {line.split()[1] for line in told} <= {"WARNING", "ERROR"}
            assert AGAIN not in log
        # The health recovers by itself, except where only a client's write can show it.
        if fault.begin is damaged_pages:
            assert services.health()["http"] == 503
            assert services.capture().status_code == 201
        eventually(services.is_healthy, "the service is healthy again", RECOVERY_SECONDS)
        assert services.capture().status_code == 201
        assert services.is_healthy()
        eventually(
            lambda: fault.over in services.manager.log_file.read_text()[len(log_before) :],
            "the log says that it is over",
            RECOVERY_SECONDS,
        )
        services.manager.assert_database_is_intact()
    finally:
        shim.set()
        services.kill()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_doctor_and_log_tell_a_service_that_does_not_respond(
    disk: Path, tmp_path: Path, shim: Shim, server: CommandServer, number: signal.Signals
) -> None:
    services = start(disk, tmp_path, shim, "0")
    try:
        assert services.capture().status_code == 201
        manager = services.manager
        worker, main = manager.worker_process("capture"), manager.main_process("capture")
        os.kill(manager.process.pid, signal.SIGSTOP)  # so that it does not start another one
        for process in (main, worker):
            os.kill(process, number)
        with pytest.raises(requests.RequestException):
            requests.get(f"{services.url}/api/data-capture/health", timeout=1)
        during = diagnose(services, server, "0")
        assert during.problems() == {"capture port"}
        answer = during.answer("capture port")
        expected = "is not running" if number == signal.SIGKILL else "does not respond within"
        assert expected in answer
        for process in (manager.process.pid, *((worker, main) if number != signal.SIGKILL else ())):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
        eventually(services.is_healthy, "a service is healthy", RECOVERY_SECONDS)
        assert services.capture().status_code == 201
        assert diagnose(services, server, "0").problems() == set()
        if number == signal.SIGKILL:
            assert "starting it again in" in manager.log_file.read_text()
    finally:
        services.kill()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lock of another program", "disk below its minimum"])
def test_the_signup_service_tells_what_a_sign_up_meets(
    disk: Path, tmp_path: Path, shim: Shim, name: str
) -> None:
    fault = FAULTS[name]
    services = start(disk, tmp_path, shim, fault.free_disk)
    url = services.manager.urls["signup"]

    def sign_up(number: int) -> requests.Response:
        body = {"email": f"{number}@example.com", "password": "correct horse battery"}
        return requests.post(f"{url}/api/auth/register", json=body, timeout=60)

    try:
        assert sign_up(1).status_code == 201
        assert requests.get(f"{url}/api/health", timeout=30).status_code == 200
        with fault.begin(services, shim):
            assert sign_up(2).status_code == 503
            health = requests.get(f"{url}/api/health", timeout=30)
            assert health.status_code == 503
            assert fault.reason in health.json()["detail"]
            log = services.manager.log_file.read_text()
            assert f"signup Writes are refused with status 503: {health.json()['detail']}" in log
        eventually(
            lambda: requests.get(f"{url}/api/health", timeout=30).ok,
            "the signup service is healthy again",
            RECOVERY_SECONDS,
        )
        assert sign_up(2).status_code == 201
    finally:
        services.kill()
