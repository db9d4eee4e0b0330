"""Fixtures: a person nobody else is, and both services, running over one temporary database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import RunningService, capture_service_in, signup_service_in


@pytest.fixture
def person() -> str:
    """An address that no other test uses."""
    return f"person-{uuid.uuid4().hex[:12]}@example.com"


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
    """The capture service, running; shared by all tests, so each uses a `person` of its own."""
    _capture_service.start()
    return _capture_service


@pytest.fixture
def signup_service(_signup_service: RunningService) -> RunningService:
    """The signup service, running over the same database as `capture_service`; shared likewise."""
    _signup_service.start()
    return _signup_service
