"""What the other servers need, installed inside `bench/`: Node's packages in node_modules, Datasette in .venv.

better-sqlite3 fetches a prebuilt binary from GitHub; where that can't be reached it is compiled, which takes a C++
compiler, make, and Node's headers: those beside the node program (nodesource's package brings them, Debian's has them in
libnode-dev), else node-gyp downloads them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
_NODE_LOOKS = "require('fastify'); new (require('better-sqlite3'))(':memory:')"
_NODE_FINDS_EACH = "for (const name in require('./package.json').dependencies) require('fs').statSync('node_modules/' + name)"
_MAX_SECONDS = 600
_SHOWN_CHARACTERS = 200


class Missing(Exception):
    """Something that a server needs is not there; the text says what, for the line that leaves the server out."""


def node_packages(install: bool) -> str:
    """The node program, with the packages of package.json.

    Raises:
        Missing: there is no Node, or no packages and they may not or can't be installed.
    """
    return packages_of(HERE, "Fastify and better-sqlite3", install=install, look=_NODE_LOOKS)


def packages_of(folder: Path, what: str, *, install: bool, look: str = _NODE_FINDS_EACH) -> str:
    """The node program, with the packages of the package.json in `folder`, in its node_modules.

    Args:
        folder: where package.json is.
        what: the packages' names, for people.
        install: whether they may be installed when they aren't.
        look: a line of JavaScript that fails without them.

    Raises:
        Missing: there is no Node, or no packages and they may not or can't be installed.
    """
    node = shutil.which("node")
    if node is None:
        raise Missing("there is no node")
    if _runs([node, "-e", look], folder):
        return node
    npm = shutil.which("npm")
    if not install or npm is None:
        raise Missing(
            "its packages are not installed"
            if npm
            else "there is no npm to install its packages with"
        )
    with _one_at_a_time(folder):
        if not _runs([node, "-e", look], folder):
            _say(f"installing {what} in {os.path.relpath(folder, HERE.parent)}/node_modules …")
            headers = Path(node).resolve().parent.parent / "include" / "node" / "node.h"
            environment = (
                {"npm_config_nodedir": str(headers.parent.parent.parent)}
                if headers.exists()
                else {}
            )
            _run(
                [npm, "install", "--no-audit", "--no-fund", "--no-package-lock"],
                environment,
                folder,
            )
            if not _runs([node, "-e", look], folder):
                raise Missing(f"{what} do not run with this Node")
    return node


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Waits until no other process installs in the folder: two npm at once break each other's node_modules."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def datasette_program(install: bool) -> str:
    """The datasette program.

    Raises:
        Missing: it is not installed and may not or can't be.
    """
    program = HERE / ".venv" / "bin" / "datasette"
    if _runs([str(program), "--version"]):
        return str(program)
    if not install:
        raise Missing("it is not installed")
    _say("installing Datasette in bench/.venv …")
    _run([sys.executable, "-m", "venv", "--clear", str(HERE / ".venv")])
    _run([str(program.with_name("python")), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
          "-r", str(HERE / "requirements.txt")])  # fmt: skip
    return str(program)


def printed_by(*command: str) -> str:
    """The one line that a program prints of itself."""
    return subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    ).stdout.strip()


def _runs(command: Sequence[str], folder: Path = HERE) -> bool:
    try:
        return (
            subprocess.run(
                command, cwd=folder, capture_output=True, check=False, stdin=subprocess.DEVNULL
            ).returncode
            == 0
        )
    except OSError:
        return False


def _run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, folder: Path = HERE
) -> None:
    try:
        outcome = subprocess.run(
            command, cwd=folder, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", check=False, timeout=_MAX_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Missing(f"{Path(command[0]).name} did not end within {_MAX_SECONDS} s") from None
    if outcome.returncode != 0:
        said = [
            line for line in (outcome.stdout + outcome.stderr).splitlines() if "err" in line.lower()
        ] or ["it said nothing"]
        raise Missing(f"{Path(command[0]).name} failed: {said[0].strip()[:_SHOWN_CHARACTERS]}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
