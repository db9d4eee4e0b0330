"""The application that the tests visit, built from app/src by the bundlers that its package.json names."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from bench.installing import NotInstalled, prepare_node

APP = Path(__file__).resolve().parent / "app"
_MAX_SECONDS = 120


@cache
def why_not() -> str:
    """Why nothing can be built here; empty when it can. The first call installs the packages, where there is npm."""
    try:
        prepare_node(APP, "the bundlers and supabase-js", install=True)
    except NotInstalled as reason:
        return str(reason)
    return ""


def build(bundler: str, entry: Path, folder: Path) -> Path:
    """Builds an entry with esbuild, vite or webpack.

    Returns:
        The built script, in `folder`, which has its chunks, too.

    Raises:
        AssertionError: the bundler complained; the text is its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run_node(["build.mjs", bundler, str(entry), str(folder)])
    return folder / entry.with_suffix(".js").name


def run_node(arguments: list[str]) -> str:
    """What a node program in the app's folder prints; fails when it complains."""
    node = prepare_node(APP, "the bundlers and supabase-js", install=False)
    outcome = subprocess.run(
        [node, *arguments],
        cwd=APP,
        capture_output=True,
        text=True,
        check=False,
        timeout=_MAX_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome.stdout
