"""Build the bundled application from app/src with esbuild, Vite or webpack."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from bench.installing import NotInstalled
from tests.support.node_packages import APP, prepare_application

_TIMEOUT_SECONDS = 120


@cache
def missing() -> str:
    """Return what has to be installed before anything can be built; empty if nothing has.

    The first call installs the packages of app/package.json, if npm is installed.
    """
    try:
        prepare_application()
    except NotInstalled as error:
        return str(error)
    return ""


def build(bundler: str, entry: Path, folder: Path) -> Path:
    """Bundle an entry module with esbuild, Vite or webpack.

    Returns:
        The built script in `folder`, which also has its chunks.

    Raises:
        AssertionError: the bundler failed; the text is its output.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run_node(["build.mjs", bundler, str(entry), str(folder)])
    return folder / entry.with_suffix(".js").name


def run_node(arguments: list[str]) -> str:
    """Run a Node program in the application's folder and return its output.

    Raises:
        AssertionError: the program failed; the text is its output.
    """
    node = prepare_application()
    outcome = subprocess.run(
        [node, *arguments],
        cwd=APP,
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome.stdout
