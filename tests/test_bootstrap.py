"""Test the first run of commands on a machine that has only Python.

They create `.venv` and install the packages, or say in a sentence what to install.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.services import REPOSITORY, eventually, free_port

COMMANDS = (
    "start_enhanced_data_capture.py",
    "test_enhanced_data_capture.py",
    "enhanced_data_capture_system.py",
    "enhanced_signup_handler.py",
)
HELP = ("start_enhanced_data_capture.py", "--help")

_NOT_PART_OF_A_CLONE = shutil.ignore_patterns(
    ".git",
    ".venv",
    ".*.lock",
    "*.db*",
    "*.keys",
    "*.log*",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    "node_modules",
)


def clone_into(directory: Path) -> Path:
    """Copy the repository's files as a clone has them."""
    return Path(shutil.copytree(REPOSITORY, directory / "clone", ignore=_NOT_PART_OF_A_CLONE))


def bare_python_in(directory: Path) -> Path:
    """Make a Python that has only its standard library."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(directory / "bare")], check=True
    )
    return directory / "bare" / "bin" / "python"


def environment_in(directory: Path, **more: str) -> dict[str, str]:
    """Return the environment of a new user: an empty HOME, and no settings of the product."""
    (directory / "home").mkdir(exist_ok=True)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EDC_", "XDG_", "VIRTUAL_ENV"))
    }
    return {**inherited, "HOME": str(directory / "home"), **more}


class NewMachine:
    """A clone, a Python without packages, and an empty HOME."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clone = clone_into(directory)
        self.python = bare_python_in(directory)

    def start(
        self, *command: str, python: str | Path | None = None, **environment: str
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(python or self.python), str(self.clone / command[0]), *command[1:]],
            env=environment_in(self.directory, **environment),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self, command: Sequence[str] = HELP, python: str | Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        process = self.start(*command, python=python, **environment)
        try:
            output, errors = process.communicate(timeout=600)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return subprocess.CompletedProcess(command, process.returncode, output, errors)


@pytest.fixture
def machine(tmp_path: Path) -> NewMachine:
    return NewMachine(tmp_path)


def sitecustomize_in(directory: Path, program: str) -> str:
    """Return a PYTHONPATH with which every Python runs `program` first."""
    folder = directory / "sitecustomize"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(program)
    return str(folder)


def assert_short_error(refused: subprocess.CompletedProcess[str]) -> None:
    """Check that a command failed with at most four lines and without a traceback."""
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert len(refused.stderr.strip().splitlines()) <= 4, refused.stderr
    assert refused.stdout == ""


# --- Errors ---


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_venv_module_is_reported_with_its_package(
    machine: NewMachine, tmp_path: Path, command: str
) -> None:
    refused = machine.run(
        (command,),
        PYTHONPATH=sitecustomize_in(tmp_path, "import sys; sys.modules['ensurepip'] = None"),
    )
    assert_short_error(refused)
    assert len(refused.stderr.splitlines()) == 2  # the step, and why it failed
    assert (
        f"apt-get install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in refused.stderr
    )
    assert not (machine.clone / ".venv").exists()


@pytest.mark.slow
def test_a_missing_network_is_reported(machine: NewMachine) -> None:
    index = f"http://127.0.0.1:{free_port()}/simple"
    package_index = {
        "PIP_INDEX_URL": index,
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_CONFIG_FILE": os.devnull,
    }
    refused = machine.run(**package_index, PIP_RETRIES="1")
    assert_short_error(refused)
    assert (
        "the package index can't be reached. Connect this machine to the network" in refused.stderr
    )
    assert "NewConnectionError" in (machine.clone / ".venv" / "pip.log").read_text()


@pytest.mark.slow
def test_errors_of_pip_are_shown(machine: NewMachine) -> None:
    (machine.clone / "requirements.txt").write_text("flask>=3.1\n")
    (machine.clone / "constraints.txt").write_text("flask==0.0.0.1\n")
    refused = machine.run(PIP_NO_INDEX="1")
    assert_short_error(refused)
    assert "Installing the packages failed:" in refused.stderr
    assert "flask" in refused.stderr.splitlines()[-1]


def test_a_folder_without_write_access_is_reported_with_an_alternative(machine: NewMachine) -> None:
    (machine.clone / ".venv.lock").mkdir()  # not even root can open it as a file
    refused = machine.run()
    assert_short_error(refused)
    assert f"{machine.clone} can't be written to" in refused.stderr
    assert "FOLDER/bin/python" in refused.stderr


def older_pythons() -> list[str]:
    """Return the Pythons before 3.10 of this machine, if any."""
    folders = [
        *os.environ.get("PATH", "").split(os.pathsep),
        *map(str, Path.home().glob(".pyenv/versions/3.*/bin")),
    ]
    found = (
        shutil.which(f"python3.{minor}", path=folder)
        for folder in folders
        for minor in range(6, 10)
    )
    return [one for one in {os.path.realpath(one) for one in found if one} if is_python(one)]


def is_python(path: str) -> bool:
    """Tell whether a program runs Python, and is not a placeholder of a version manager."""
    return (
        subprocess.run([path, "-c", "print(0)"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.slow
def test_an_old_python_is_refused_with_the_required_version(machine: NewMachine) -> None:
    for file in (*COMMANDS, "data_capture/__init__.py", "data_capture/bootstrap.py"):
        ast.parse((REPOSITORY / file).read_text(), feature_version=(3, 7))
    for python in older_pythons():
        for command in COMMANDS:
            refused = machine.run((command,), python)
            assert_short_error(refused)
            assert re.match(
                r"Enhanced Data Capture needs Python 3\.10 or newer, and this is 3\.[6-9]\.",
                refused.stderr,
            )


# --- An environment with the packages ---


@pytest.mark.slow
def test_an_environment_with_the_packages_is_used_unchanged(machine: NewMachine) -> None:
    helped = machine.run(python=sys.executable)
    assert helped.returncode == 0
    assert helped.stderr == ""
    assert "--capture-port" in helped.stdout
    assert not (machine.clone / ".venv").exists()
    assert not (machine.clone / ".venv.lock").exists()


def test_importing_a_command_installs_nothing(machine: NewMachine) -> None:
    program = (
        "import data_capture.bootstrap as bootstrap; "
        "bootstrap.ensure_environment('x', 'enhanced_signup_handler')"
    )
    imported = subprocess.run(
        [str(machine.python), "-c", program],
        cwd=machine.clone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (imported.returncode, imported.stderr) == (0, "")


# --- The first run ---


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> NewMachine:
    """A machine whose first run was killed while it installed packages."""
    machine = NewMachine(tmp_path_factory.mktemp("machine"))
    process = machine.start(*HELP)
    packages = (
        machine.clone
        / ".venv"
        / "lib"
        / f"python{sys.version_info[0]}.{sys.version_info[1]}"
        / "site-packages"
    )

    def is_half_installed() -> bool:
        if process.poll() is not None:
            errors = process.stderr.read() if process.stderr else ""
            if "package index can't be reached" in errors and os.environ.get("CI") != "true":
                pytest.skip("the package index can't be reached")
            raise AssertionError(errors)
        return len(list(packages.glob("*.dist-info"))) > 4

    try:
        eventually(is_half_installed, "some packages are installed", 600)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    return machine


@pytest.mark.slow
def test_two_concurrent_runs_finish_an_interrupted_installation_once(
    interrupted: NewMachine,
) -> None:
    first, second = interrupted.start(*HELP), interrupted.start(*HELP)
    all_errors = []
    for process in (first, second):
        output, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        assert "--capture-port" in output
        all_errors.append(errors)
    assert sum("Installing what .venv lacks" in errors for errors in all_errors) == 1
    assert (
        sum("Another command is making .venv; waiting for it" in errors for errors in all_errors)
        == 1
    )


# A complete .venv costs a command no time, because no program such as pip is started.
FORBID_CHILD_PROCESSES = """
import sys

def forbid(event, _arguments):
    if event in ("subprocess.Popen", "os.system", "os.fork", "os.posix_spawn"):
        raise RuntimeError(f"{event} is forbidden")

sys.addaudithook(forbid)
"""


@pytest.mark.slow
def test_a_complete_environment_is_used_without_output_or_child_processes(
    interrupted: NewMachine, tmp_path: Path
) -> None:
    interrupted.run()
    environment = {"PYTHONPATH": sitecustomize_in(tmp_path, FORBID_CHILD_PROCESSES)}
    for python in (interrupted.python, interrupted.clone / ".venv" / "bin" / "python"):
        helped = interrupted.run(python=python, **environment)
        assert (helped.returncode, helped.stderr) == (0, "")


@pytest.mark.slow
def test_installed_packages_are_pinned_in_constraints_txt(interrupted: NewMachine) -> None:
    interrupted.run()
    pip = [str(interrupted.clone / ".venv" / "bin" / "python"), "-m", "pip", "freeze"]
    installed = subprocess.run(pip, capture_output=True, text=True, check=True).stdout.splitlines()
    pinned = (REPOSITORY / "constraints.txt").read_text().splitlines()
    assert installed
    assert [one for one in installed if one not in pinned] == []


@pytest.mark.slow
def test_an_incomplete_package_is_installed_again(
    interrupted: NewMachine,
) -> None:
    interrupted.run()
    (packages,) = (interrupted.clone / ".venv" / "lib").glob("python*/site-packages")
    (record,) = packages.glob("[fF]lask-3*.dist-info/RECORD")
    record.unlink()  # pip writes it last
    (packages / "flask" / "app.py").unlink()
    repaired = interrupted.run()
    assert repaired.returncode == 0, repaired.stderr
    assert "Installing what .venv lacks of requirements.txt" in repaired.stderr
    assert (packages / "flask" / "app.py").exists()


@pytest.mark.slow
def test_a_venv_without_its_python_is_recreated(interrupted: NewMachine) -> None:
    interrupted.run()
    python = interrupted.clone / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(interrupted.directory / "an-uninstalled-python")
    remade = interrupted.run()
    assert remade.returncode == 0, remade.stderr
    assert "First run: making .venv and installing requirements.txt" in remade.stderr
    assert re.search(r"^ {2}flask$", remade.stderr, re.MULTILINE)
    assert "--capture-port" in remade.stdout
