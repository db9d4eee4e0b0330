"""Fixtures: a user, both services over one temporary database, and installations."""

from __future__ import annotations

import shutil
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.faults.shim import Shim, ShimUnavailable
from tests.support.installations import CommandServer, Installation, make_database
from tests.support.services import RunningService, capture_service_in, signup_service_in

pytest_plugins = ["tests.support.suite"]

# On a busy machine any example may take long.
hypothesis.settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any-machine")


def pytest_configure() -> None:
    """Give programs that tests start the default handlers of SIGINT and SIGHUP.

    A run in the background or under nohup ignores these signals, and its programs inherit that.
    They do not inherit a handler. This one does nothing.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda _number, _frame: None)


@pytest.fixture
def user() -> str:
    """An address that no other test uses."""
    return f"user-{uuid.uuid4().hex[:12]}@example.com"


@pytest.fixture(scope="session")
def _service_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("services")


@pytest.fixture(scope="session")
def _capture_service(_service_directory: Path) -> Iterator[RunningService]:
    service = capture_service_in(_service_directory)
    yield service
    service.stop()


@pytest.fixture(scope="session")
def _signup_service(_service_directory: Path) -> Iterator[RunningService]:
    service = signup_service_in(_service_directory)
    yield service
    service.stop()


@pytest.fixture
def capture_service(_capture_service: RunningService) -> RunningService:
    """The running capture service. All tests share it, so that each uses its own `user`."""
    _capture_service.start()
    return _capture_service


@pytest.fixture
def signup_service(_signup_service: RunningService) -> RunningService:
    """The running signup service, with the database of `capture_service`; also shared."""
    _signup_service.start()
    return _signup_service


@pytest.fixture(scope="module")
def server() -> Iterator[CommandServer]:
    """Runs the operator's commands of one test file."""
    with CommandServer() as server:
        yield server


@pytest.fixture
def installation(tmp_path: Path, server: CommandServer) -> Installation:
    """An installation with three payments."""
    installation = Installation(tmp_path, server)
    make_database(installation.database, 3)
    return installation


@pytest.fixture(scope="module")
def large_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of 60 MB, so that a backup can be interrupted while it copies."""
    database = tmp_path_factory.mktemp("large") / "trading_bots.db"
    make_database(database, 6000, kilobytes=10)
    return database


@pytest.fixture
def large_installation(tmp_path: Path, server: CommandServer, large_database: Path) -> Installation:
    """An installation with a copy of the large database."""
    shutil.copyfile(large_database, tmp_path / "trading_bots.db")
    return Installation(tmp_path, server)


@pytest.fixture
def shim(tmp_path: Path) -> Shim:
    """Makes the disk fail and the clock jump below a service, and records system calls."""
    try:
        return Shim(tmp_path)
    except ShimUnavailable as reason:
        pytest.skip(str(reason))
