"""Install the packages of the other servers, inside `bench/`.

Node's packages go to node_modules, Datasette to .venv. better-sqlite3 downloads a binary from
GitHub. Where GitHub can't be reached, it is compiled. That needs a C++ compiler, make, and Node's
headers: those next to the node program (nodesource's package has them; Debian's are in
libnode-dev), or else node-gyp downloads them.
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
_SERVER_PROBE = "require('fastify'); new (require('better-sqlite3'))(':memory:')"
_PACKAGES_PROBE = (
    "for (const name in require('./package.json').dependencies) "
    "require('fs').statSync('node_modules/' + name)"
)
# Without a network, npm would try again for minutes.
_NPM_OPTIONS = (
    "--no-audit", "--no-fund", "--no-package-lock",
    "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000",
)  # fmt: skip
_INSTALL_TIMEOUT_SECONDS = 600
_MAX_SHOWN_CHARACTERS = 200


class NotInstalled(Exception):
    """A program or a package is missing; the text says why a server is left out."""


def find_node(*, install: bool) -> str:
    """Return the node program, after its packages for the Fastify server are installed.

    Raises:
        NotInstalled: Node is missing; or packages are missing and can't or may not be installed.
    """
    return prepare_node(HERE, "Fastify and better-sqlite3", install=install, probe=_SERVER_PROBE)


def prepare_node(folder: Path, what: str, *, install: bool, probe: str = _PACKAGES_PROBE) -> str:
    """Return the node program; install the packages of a package.json if needed.

    Args:
        folder: contains package.json; the packages go to its node_modules.
        what: the packages' names, for messages.
        install: whether missing packages may be installed.
        probe: a line of JavaScript that fails without the packages.

    Raises:
        NotInstalled: Node is missing; or packages are missing and can't or may not be installed.
    """
    node = shutil.which("node")
    if node is None:
        raise NotInstalled("there is no node")
    if _succeeds([node, "-e", probe], folder):
        return node
    npm = shutil.which("npm")
    if not install or npm is None:
        raise NotInstalled(
            "its packages are not installed"
            if npm
            else "there is no npm to install its packages with"
        )
    with _lock_folder(folder):
        if not _succeeds([node, "-e", probe], folder):
            _print_status(
                f"installing {what} in {os.path.relpath(folder, HERE.parent)}/node_modules …"
            )
            headers = Path(node).resolve().parent.parent / "include" / "node" / "node.h"
            environment = (
                {"npm_config_nodedir": str(headers.parent.parent.parent)}
                if headers.exists()
                else {}
            )
            _run(
                [npm, "install", *_NPM_OPTIONS],
                environment,
                folder,
            )
            if not _succeeds([node, "-e", probe], folder):
                raise NotInstalled(f"{what} do not run with this Node")
    return node


@contextmanager
def _lock_folder(folder: Path) -> Iterator[None]:
    """Wait until no other process installs in the folder.

    Two npm processes at once break each other's node_modules.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def find_datasette(*, install: bool) -> str:
    """Return the datasette program, after it is installed.

    Raises:
        NotInstalled: it is missing, and can't or may not be installed.
    """
    program = HERE / ".venv" / "bin" / "datasette"
    if _succeeds([str(program), "--version"]):
        return str(program)
    if not install:
        raise NotInstalled("it is not installed")
    _print_status("installing Datasette in bench/.venv …")
    _run([sys.executable, "-m", "venv", "--clear", str(HERE / ".venv")])
    pip = [str(program.with_name("python")), "-m", "pip"]
    options = ["--quiet", "--disable-pip-version-check", "-r", str(HERE / "requirements.txt")]
    _run([*pip, "install", *options])
    return str(program)


def read_output(*command: str) -> str:
    """Run a program and return the line that it prints."""
    return subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    ).stdout.strip()


def _succeeds(command: Sequence[str], folder: Path = HERE) -> bool:
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
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_INSTALL_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(
            f"{Path(command[0]).name} did not end within {_INSTALL_TIMEOUT_SECONDS} s"
        ) from None
    if outcome.returncode != 0:
        errors = [
            line for line in (outcome.stdout + outcome.stderr).splitlines() if "err" in line.lower()
        ] or ["no message"]
        raise NotInstalled(
            f"{Path(command[0]).name} failed: {errors[0].strip()[:_MAX_SHOWN_CHARACTERS]}"
        )


def _print_status(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
