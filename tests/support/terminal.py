"""Run programs at a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.support.services import REPOSITORY


def run_on_terminal(
    command: Sequence[str],
    cwd: Path = REPOSITORY,
    env: Mapping[str, str] | None = None,
    expected_status: int = 0,
) -> str:
    """Run a program at a terminal, and return everything that it prints."""
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        command, cwd=cwd, env=env, stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    shown = b""
    with suppress(OSError):  # Linux: the program has ended
        while piece := os.read(screen, 10_000):
            shown += piece
    os.close(screen)
    assert process.wait(timeout=60) == expected_status
    return shown.decode()
