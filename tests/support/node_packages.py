"""Node's packages that the tests need: those of the script's build and of the application."""

from __future__ import annotations

from bench.installing import NotInstalled, prepare_node
from tests.support.services import REPOSITORY

MODULES = REPOSITORY / "browser"
APP = REPOSITORY / "tests" / "engines" / "app"

_HAS_PINNED_VERSIONS = """
for (const [name, version] of Object.entries(require('./package.json').devDependencies)) {
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


def install_packages() -> None:
    """Install the packages now, before pytest hides what the installation prints."""
    for prepare, tests in ((prepare_build, "build"), (prepare_application, "application")):
        try:
            prepare()
        except NotInstalled as reason:
            print(f"The tests of the {tests} can't run: {reason}.", flush=True)
