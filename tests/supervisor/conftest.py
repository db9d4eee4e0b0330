"""Fixtures: a shared manager, and a function that starts one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.managed import RunningManager, StartManager


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartManager]:
    """A function that starts a manager in the test's folder."""
    started: list[RunningManager] = []

    def start_one(*flags: str, ports: tuple[int, int] | None = None) -> RunningManager:
        started.append(RunningManager(tmp_path, *flags, ports=ports))
        return started[-1]

    yield start_one
    for manager in started:
        manager.clean_up()


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningManager]:
    """A running manager that several tests share."""
    manager = RunningManager(tmp_path_factory.mktemp("manager")).wait_until_running()
    yield manager
    manager.clean_up()
