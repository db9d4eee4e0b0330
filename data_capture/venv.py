"""The Python environment of a command: this one if it has the packages, otherwise `.venv`.

Standard library only. Every start checks the installed packages, which takes about a millisecond;
there is no stamp file that could be wrong. pip writes a package's RECORD last, and installs a
package after those that it needs. So a `.venv` is complete if every package of the requirement
files has its RECORD, and an interrupted installation is noticed and finished.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from data_capture.pip_install import install, last_line, report

_REEXECUTED_VARIABLE = "EDC_REEXECUTED_PROCESS"  # holds the process id, which exec keeps

_Version = tuple[int, ...]


def ensure_packages(script: str, requirement_files: Sequence[str]) -> None:
    """Return if this process has the packages; otherwise restart it in `.venv`.

    Makes `.venv`, or completes it, where it is missing or incomplete.

    Raises:
        SystemExit: status 1, after a sentence that says what failed and what to do.
    """
    is_restarted = os.environ.pop(_REEXECUTED_VARIABLE, None) == str(os.getpid())
    root = Path(script).resolve().parent
    environment = root / ".venv"
    wanted = _lower_bounds(root, requirement_files)
    inside = Path(sys.prefix).resolve() == environment.resolve()
    missing = _missing_packages(wanted, [Path(folder) for folder in sys.path if folder], inside)
    if not missing:
        return
    if is_restarted and not inside:
        sys.exit(
            f"{environment} does not work as an environment. Remove it and run this command again."
        )
    if not inside and _is_ready(environment, wanted):
        _restart_in(environment)
    if is_restarted:
        sys.exit(
            f"{environment} still lacks {', '.join(missing)} after the installation. Remove it and "
            "run this command again."
        )
    with _lock(root):
        if not _is_ready(environment, wanted):  # another command may have completed it meanwhile
            _complete(root, environment, requirement_files)
    _restart_in(environment)


def _lower_bounds(root: Path, requirement_files: Sequence[str]) -> dict[str, _Version]:
    """Read the packages of the files (`name>=version`) with their minimum versions."""
    wanted = {}
    for name in requirement_files:
        for line in (root / name).read_text().splitlines():
            requirement = line.partition("#")[0].strip()
            if requirement:
                package, _, version = requirement.partition(">=")
                wanted[_normalise_name(package)] = _parse_version(version)
    return wanted


def _normalise_name(package: str) -> str:
    """Normalise a package's name (packaging.python.org, "Names and normalization")."""
    return re.sub(r"[-_.]+", "-", package.strip()).lower()


def _parse_version(text: str) -> _Version:
    release = re.match(r"[0-9.]*", text.strip())
    return tuple(int(part) for part in (release.group() if release else "").split(".") if part)


def _missing_packages(
    wanted: Mapping[str, _Version], folders: Iterable[Path], ours: bool
) -> list[str]:
    """Return the packages that are not in `folders`, or too old.

    In `.venv` (`ours`), a package without its RECORD is missing, because pip was interrupted.
    """
    installed: dict[str, _Version] = {}
    for folder in folders:
        for name, version in _packages_in(folder, ours):
            installed.setdefault(name, version)
    return [
        name for name, lowest in wanted.items() if name not in installed or installed[name] < lowest
    ]


def _packages_in(folder: Path, ours: bool) -> Iterator[tuple[str, _Version]]:
    try:
        entries = os.listdir(folder)
    except OSError:
        return
    for entry in entries:
        stem, suffix = os.path.splitext(entry)
        # Debian's packages have no RECORD, and some have an egg-info.
        if suffix in (".dist-info", ".egg-info") and (
            not ours or (folder / entry / "RECORD").exists()
        ):
            package, _, version = stem.partition("-")
            yield _normalise_name(package), _parse_version(version)


def _is_ready(environment: Path, wanted: Mapping[str, _Version]) -> bool:
    """Tell whether `environment` is complete, without running its Python."""
    return os.access(_python_of(environment), os.X_OK) and not _missing_packages(
        wanted, [_packages_folder(environment)], True
    )


def _python_of(environment: Path) -> Path:
    return environment / "bin" / "python"


def _packages_folder(environment: Path) -> Path:
    """Return the folder of the packages, by the version in pyvenv.cfg.

    Without a pyvenv.cfg, return a folder that does not exist.
    """
    try:
        configuration = (environment / "pyvenv.cfg").read_text()
    except OSError:
        return environment / "missing"
    version = re.search(r"^version\s*=\s*(\d+\.\d+)", configuration, re.MULTILINE)
    return environment / "lib" / f"python{version.group(1) if version else ''}" / "site-packages"


@contextmanager
def _lock(root: Path) -> Iterator[None]:
    """Keep other commands from making `.venv` at the same time."""
    try:
        descriptor = os.open(root / ".venv.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        sys.exit(
            f"The packages of requirements.txt are missing, and {root} can't be written to, so "
            f".venv can't be made there ({error.strerror}). Install the packages elsewhere "
            "(python3 -m venv FOLDER; FOLDER/bin/pip install -r requirements.txt) and run this "
            "command with FOLDER/bin/python."
        )
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("Another command is making .venv; waiting for it …")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _complete(root: Path, environment: Path, requirement_files: Sequence[str]) -> None:
    """Make `.venv` if it is missing or broken, and install the packages that it lacks."""
    packages = _packages_folder(environment)
    usable = _python_starts(environment) and any(
        name == "pip" for name, _ in _packages_in(packages, True)
    )
    lists = " and ".join(requirement_files)
    if usable:
        report(f"Installing what .venv lacks of {lists} …")
        for unfinished in packages.glob("*.dist-info"):
            if not (unfinished / "RECORD").exists():
                shutil.rmtree(unfinished)  # otherwise pip would consider it installed
    else:
        report(f"First run: making .venv and installing {lists} (about a minute) …")
        _make(environment)
    install(root, _python_of(environment), environment / "pip.log", requirement_files)
    report("Done.")


def _python_starts(environment: Path) -> bool:
    """Tell whether the environment's Python starts and has its packages' version."""
    program = "import sys; print('python%d.%d' % sys.version_info[:2])"
    try:
        outcome = subprocess.run(
            [_python_of(environment), "-c", program], capture_output=True, text=True, check=False
        )
    except OSError:
        return False
    return (
        outcome.returncode == 0
        and outcome.stdout.strip() == _packages_folder(environment).parent.name
    )


def _make(environment: Path) -> None:
    """Make `.venv` with the Python that this one is based on."""
    python = getattr(sys, "_base_executable", None) or sys.executable
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    remedy = (
        f"Install the part of Python {version} that makes virtual environments (on Debian and "
        f"Ubuntu: apt-get install python{version}-venv) and run this command again."
    )
    if find_spec("venv") is None or find_spec("ensurepip") is None:
        sys.exit(
            f"The packages of requirements.txt are missing, and this Python ({python}) has no venv "
            f"module. {remedy}"
        )
    outcome = subprocess.run(
        [python, "-m", "venv", "--clear", str(environment)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if outcome.returncode != 0:
        failure = f"Making {environment} failed: {last_line(outcome.stdout)}"
        sys.exit(f"{failure} {remedy}" if "ensurepip" in outcome.stdout else failure)


def _restart_in(environment: Path) -> NoReturn:
    """Run this command in `environment`'s Python, in the same process.

    Its arguments and Python's flags stay the same.
    """
    os.environ[_REEXECUTED_VARIABLE] = str(os.getpid())
    sys.stdout.flush()
    sys.stderr.flush()
    python = str(_python_of(environment))
    try:
        os.execv(python, [python, *sys.orig_argv[1:]])  # noqa: S606  (no shell is needed)
    except OSError as error:
        sys.exit(
            f"{python} can't be run ({error.strerror}). Remove {environment} and run this command "
            "again."
        )
