"""The commands on a machine that has only Python: they make what they lack, or say in a sentence what to install."""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.services import REPOSITORY, eventually, free_port

COMMANDS = ("start_enhanced_data_capture.py", "test_enhanced_data_capture.py",
            "enhanced_data_capture_system.py", "enhanced_signup_handler.py")  # fmt: skip
HELP = ("start_enhanced_data_capture.py", "--help")

_NOT_PART_OF_A_CLONE = shutil.ignore_patterns(".git", ".venv", ".*.lock", "*.db*", "*.keys", "*.log*", "__pycache__", ".*_cache",
                                              ".hypothesis", "node_modules")  # fmt: skip


def clone_into(directory: Path) -> Path:
    """The repository as someone who has just fetched it has it."""
    return Path(shutil.copytree(REPOSITORY, directory / "clone", ignore=_NOT_PART_OF_A_CLONE))


def bare_python_in(directory: Path) -> Path:
    """A Python that has nothing but its standard library."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(directory / "bare")], check=True
    )
    return directory / "bare" / "bin" / "python"


def environment_in(directory: Path, **more: str) -> dict[str, str]:
    """A new user's: a fresh HOME, and none of our settings."""
    (directory / "home").mkdir(exist_ok=True)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EDC_", "XDG_", "VIRTUAL_ENV"))
    }
    return {**inherited, "HOME": str(directory / "home"), **more}


class NewMachine:
    """A clone, a Python with nothing installed, and a fresh HOME."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clone = clone_into(directory)
        self.python = bare_python_in(directory)

    def start(
        self, *command: str, python: str | Path | None = None, **environment: str
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(python or self.python), str(self.clone / command[0]), *command[1:]],
            env=environment_in(self.directory, **environment), cwd=self.directory, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def run(
        self, command: Sequence[str] = HELP, python: str | Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        process = self.start(*command, python=python, **environment)
        try:
            output, errors = process.communicate(timeout=180)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return subprocess.CompletedProcess(command, process.returncode, output, errors)


@pytest.fixture
def machine(tmp_path: Path) -> NewMachine:
    return NewMachine(tmp_path)


def shadow_in(directory: Path, program: str) -> str:
    """A PYTHONPATH under which every Python runs `program` first."""
    folder = directory / "shadow"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(program)
    return str(folder)


def assert_is_one_sentence(refused: subprocess.CompletedProcess[str]) -> None:
    """Exit status 1, and what to do as the last line, with no traceback and no wall of text."""
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert len(refused.stderr.strip().splitlines()) <= 4, refused.stderr
    assert refused.stdout == ""


# --- What stands in the way is said in a sentence -----------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_venv_module_is_reported_with_its_package(
    machine: NewMachine, tmp_path: Path, command: str
) -> None:
    refused = machine.run(
        (command,), PYTHONPATH=shadow_in(tmp_path, "import sys; sys.modules['ensurepip'] = None")
    )
    assert_is_one_sentence(refused)
    assert len(refused.stderr.splitlines()) == 2  # what it is about to do, and why it can't
    assert (
        f"apt-get install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in refused.stderr
    )
    assert not (machine.clone / ".venv").exists()


def test_a_missing_network_is_reported(machine: NewMachine) -> None:
    index = f"http://127.0.0.1:{free_port()}/simple"
    only_there = {
        "PIP_INDEX_URL": index,
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_CONFIG_FILE": os.devnull,
    }
    refused = machine.run(**only_there, PIP_RETRIES="1")
    assert_is_one_sentence(refused)
    assert (
        "the package index can't be reached. Connect this machine to the network" in refused.stderr
    )
    assert "NewConnectionError" in (machine.clone / ".venv" / "pip.log").read_text()


def test_errors_of_pip_are_shown(machine: NewMachine) -> None:
    (machine.clone / "requirements.txt").write_text("flask>=3.1\n")
    (machine.clone / "constraints.txt").write_text("flask==0.0.0.1\n")
    refused = machine.run(PIP_NO_INDEX="1")
    assert_is_one_sentence(refused)
    assert "Installing the packages failed:" in refused.stderr
    assert "flask" in refused.stderr.splitlines()[-1]


def test_a_folder_without_write_access_is_reported_with_an_alternative(machine: NewMachine) -> None:
    (machine.clone / ".venv.lock").mkdir()  # nobody can open this as a file, the superuser neither
    refused = machine.run()
    assert_is_one_sentence(refused)
    assert f"{machine.clone} can't be written to" in refused.stderr
    assert "FOLDER/bin/python" in refused.stderr


def older_pythons() -> list[str]:
    """The Pythons before 3.10 that this machine has, if any."""
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
    """Whether it runs; version managers put placeholders on PATH that don't."""
    return (
        subprocess.run([path, "-c", "print(0)"], capture_output=True, check=False).returncode == 0
    )


def test_an_old_python_is_refused_with_the_required_version(machine: NewMachine) -> None:
    for file in (*COMMANDS, "data_capture/__init__.py", "data_capture/bootstrap.py"):
        ast.parse((REPOSITORY / file).read_text(), feature_version=(3, 7))
    for python in older_pythons():
        for command in COMMANDS:
            refused = machine.run((command,), python)
            assert_is_one_sentence(refused)
            assert re.match(
                r"Enhanced Data Capture needs Python 3\.10 or newer, and this is 3\.[6-9]\.",
                refused.stderr,
            )


# --- An environment that has the packages is used as it is ----------------------------------------------------------------


def test_an_environment_with_the_packages_is_used_unchanged(machine: NewMachine) -> None:
    helped = machine.run(python=sys.executable)
    assert helped.returncode == 0
    assert helped.stderr == ""
    assert "--capture-port" in helped.stdout
    assert not (machine.clone / ".venv").exists()
    assert not (machine.clone / ".venv.lock").exists()


def test_importing_a_command_installs_nothing(machine: NewMachine) -> None:
    imported = subprocess.run(
        [str(machine.python), "-c", "import data_capture.bootstrap as b; b.ensure_environment('x', 'enhanced_signup_handler')"],
        cwd=machine.clone, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (imported.returncode, imported.stderr) == (0, "")


# --- A first run that works -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> NewMachine:
    """A machine whose first run was killed in the middle of installing."""
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
        eventually(is_half_installed, "some packages are installed", 180)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    return machine


def test_two_concurrent_runs_finish_an_interrupted_installation_once(
    interrupted: NewMachine,
) -> None:
    first, second = interrupted.start(*HELP), interrupted.start(*HELP)
    said = []
    for process in (first, second):
        output, errors = process.communicate(timeout=180)
        assert process.returncode == 0, errors
        assert "--capture-port" in output
        said.append(errors)
    assert sum("Installing what .venv lacks" in errors for errors in said) == 1
    assert sum("Another command is making .venv; waiting for it" in errors for errors in said) == 1


def test_a_complete_environment_is_used_without_output_or_installation(
    interrupted: NewMachine,
) -> None:
    interrupted.run()
    times = []
    for python in (interrupted.python, interrupted.clone / ".venv" / "bin" / "python"):
        started_at = time.monotonic()
        helped = interrupted.run(python=python)
        times.append(time.monotonic() - started_at)
        assert (helped.returncode, helped.stderr) == (0, "")
    assert times[0] - times[1] < 0.5  # finding and using .venv, beside Python's own start


def test_installed_packages_are_pinned_in_constraints_txt(interrupted: NewMachine) -> None:
    interrupted.run()
    pip = [str(interrupted.clone / ".venv" / "bin" / "python"), "-m", "pip", "freeze"]
    installed = subprocess.run(pip, capture_output=True, text=True, check=True).stdout.splitlines()
    pinned = (REPOSITORY / "constraints.txt").read_text().splitlines()
    assert installed
    assert [one for one in installed if one not in pinned] == []


def test_an_incomplete_package_is_installed_again(
    interrupted: NewMachine,
) -> None:
    interrupted.run()
    (packages,) = (interrupted.clone / ".venv" / "lib").glob("python*/site-packages")
    (record,) = packages.glob("[fF]lask-3*.dist-info/RECORD")
    record.unlink()  # what pip writes last
    (packages / "flask" / "app.py").unlink()
    mended = interrupted.run()
    assert mended.returncode == 0, mended.stderr
    assert "Installing what .venv lacks of requirements.txt" in mended.stderr
    assert (packages / "flask" / "app.py").exists()


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
