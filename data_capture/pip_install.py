"""Installing the packages of the requirement files with pip, and explaining its failures.

Standard library only.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

# Settings of the user's pip that make no sense in a virtual environment.
_PIP_OVERRIDES = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
_PIP_REMOVED = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")

# pip's output while it retries, and when it gives up, because it cannot reach the package index.
_NO_NETWORK = re.compile(
    r"Retrying \(|NewConnectionError|ConnectTimeoutError|NameResolutionError|Max retries exceeded"
    r"|Cannot connect to proxy"
)


def install(root: Path, python: Path, transcript: Path, requirement_files: Sequence[str]) -> None:
    """Run pip and show one line per package.

    Args:
        root: the folder of the requirement files and of constraints.txt.
        python: the Python to install for.
        transcript: the file for pip's whole output.
        requirement_files: their names.

    Raises:
        SystemExit: status 1, after a sentence that says what failed and what to do.
    """
    command = [str(python), "-m", "pip", "install", "-c", "constraints.txt"]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    for name in requirement_files:
        command += ["-r", name]
    output: list[str] = []
    with transcript.open("w") as log, _started_pip(command, root) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            log.write(line)
            output.append(line.strip())
            _show_progress(output)
        status = pip.wait()
    if status != 0:
        _exit_with_cause(output, transcript)


@contextmanager
def _started_pip(command: Sequence[str], root: Path) -> Iterator[subprocess.Popen[str]]:
    """Start pip, and end it if this process is interrupted."""
    environment = {name: value for name, value in os.environ.items() if name not in _PIP_REMOVED}
    pip = subprocess.Popen(
        command,
        cwd=root,
        env=environment | _PIP_OVERRIDES,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        yield pip
    except BaseException:
        pip.kill()
        pip.wait()
        raise


def _show_progress(output: Sequence[str]) -> None:
    """Show the last line of pip's output if it tells about progress."""
    line = output[-1]
    # pip "processes" packages on this machine, and "collects" those that it downloads.
    collecting = re.match(
        r"(?:Collecting |Processing \S*/)([A-Za-z0-9._-]+?)(?:-\d.*\.whl|[^A-Za-z0-9._-]|$)", line
    )
    if collecting:
        report(f"  {collecting.group(1)}")
    elif line.startswith("Installing collected packages"):
        report(f"  installing {line.count(',') + 1} packages …")
    elif (
        _NO_NETWORK.search(line)
        and sum(bool(_NO_NETWORK.search(earlier)) for earlier in output) == 1
    ):
        report("  no answer from the package index; trying again …")


def _exit_with_cause(output: Sequence[str], transcript: Path) -> NoReturn:
    """Exit with a sentence about why pip failed."""
    if any(_NO_NETWORK.search(line) for line in output):
        sys.exit(
            "The packages could not be downloaded: the package index can't be reached. Connect "
            "this machine to the network (or set a proxy or another index in pip's settings) and "
            f"run this command again. pip's output: {transcript}"
        )
    errors = [line.partition("ERROR:")[2].strip() for line in output if line.startswith("ERROR:")]
    cause = errors[0] if errors else last_line("\n".join(output))
    sys.exit(f"Installing the packages failed: {cause} pip's output: {transcript}")


def last_line(output: str) -> str:
    """Return the last line of a program's output that is not blank."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "there was no output."


def report(line: str) -> None:
    """Print a line about the progress."""
    print(line, file=sys.stderr, flush=True)
