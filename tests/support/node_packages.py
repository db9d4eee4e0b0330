"""Node's packages that the tests need: those of the script's build, of the application and of the
framework pages.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from bench.installing import NotInstalled, prepare_node
from tests.support.services import REPOSITORY

MODULES = REPOSITORY / "browser"
APP = REPOSITORY / "tests" / "engines" / "app"
FRAMEWORKS = REPOSITORY / "tests" / "engines" / "frameworks"

_OLDEST_NODE_OF_FRAMEWORKS = (20, 9)

_HAS_PINNED_VERSIONS = """
const { dependencies, devDependencies } = require('./package.json');
for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
  const file = 'node_modules/' + name + '/package.json';
  if (JSON.parse(require('fs').readFileSync(file)).version !== version) throw Error(name);
}
"""


def prepare_build() -> str:
    """Return the path of node, after installing the pinned esbuild and terser.

    Raises:
        NotInstalled: Node or the packages are missing, and the packages can't be installed.
    """
    return prepare_node(MODULES, "esbuild and terser", install=True, probe=_HAS_PINNED_VERSIONS)


def prepare_application() -> str:
    """Return the path of node, after installing the bundlers and clients of the application.

    Raises:
        NotInstalled: Node or the packages are missing, and the packages can't be installed.
    """
    return prepare_node(APP, "the bundlers and supabase-js", install=True)


def prepare_framework_pages() -> str:
    """Return the path of node, after installing the libraries of the small framework pages.

    Raises:
        NotInstalled: Node or the packages are missing, and the packages can't be installed.
    """
    return _prepare_pinned(FRAMEWORKS, "the libraries of the framework pages")


def prepare_nextjs() -> str:
    """Return the path of node, after installing Next.js.

    Raises:
        NotInstalled: Node or the packages are missing, and the packages can't be installed.
    """
    return _prepare_pinned(FRAMEWORKS / "nextjs", "Next.js")


def prepare_sveltekit() -> str:
    """Return the path of node, after installing SvelteKit.

    Raises:
        NotInstalled: Node or the packages are missing, and the packages can't be installed.
    """
    return _prepare_pinned(FRAMEWORKS / "sveltekit", "SvelteKit")


def _prepare_pinned(folder: Path, what: str) -> str:
    node = shutil.which("node")
    if node and _version_of(node) < _OLDEST_NODE_OF_FRAMEWORKS:
        oldest = ".".join(map(str, _OLDEST_NODE_OF_FRAMEWORKS))
        raise NotInstalled(f"Node is older than {oldest}, the minimum for {what}")
    return prepare_node(folder, what, install=True, probe=_HAS_PINNED_VERSIONS)


def _version_of(node: str) -> tuple[int, ...]:
    outcome = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    return tuple(map(int, re.findall(r"\d+", outcome.stdout)))


def install_packages(*, full: bool) -> None:
    """Install the packages now, before pytest hides what the installation prints.

    Args:
        full: whether the slow tests run, too.
    """
    needed = [
        (prepare_build, "build"),
        (prepare_application, "application"),
        (prepare_framework_pages, "framework pages"),
    ]
    if full:
        needed += [(prepare_nextjs, "Next.js page"), (prepare_sveltekit, "SvelteKit page")]
    for prepare, tests in needed:
        try:
            prepare()
        except NotInstalled as reason:
            print(f"The tests of the {tests} can't run: {reason}.", flush=True)
