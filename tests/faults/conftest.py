"""Fixtures: a manager with both services, also with the shim."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.managed_services import ManagedServices
from tests.faults.shim import Shim


@pytest.fixture
def services(tmp_path: Path) -> Iterator[ManagedServices]:
    """A manager with both services over a database in `tmp_path`."""
    services = ManagedServices(tmp_path)
    yield services
    services.kill()


@pytest.fixture
def services_with_shim(tmp_path: Path, shim: Shim) -> Iterator[ManagedServices]:
    """A manager with both services, whose disk can fail and whose clock can jump."""
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in shim.environment.items():
            patch.setenv(variable, value)
        services = ManagedServices(tmp_path, "--request-seconds", "1")
    yield services
    shim.set()
    services.kill()
