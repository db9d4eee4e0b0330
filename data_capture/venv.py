"""The Python environment that a command runs in: this one, when it has the packages, else `.venv` beside the command.

There is no stamp that could be wrong: what is installed is looked at, at every start, which takes about a millisecond.
pip writes a package's RECORD last, and a package after those that it needs; so a `.venv` in which every package of the
requirement files has its RECORD is complete, and an interrupted installation is seen and finished.
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

_REEXECUTED_VARIABLE = (
    "EDC_REEXECUTED_PROCESS"  # holds the process that was, which stays the same over exec
)

# Settings of people's pip that make no sense in an environment of our own.
_PIP_OVERRIDES = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
_PIP_REMOVED = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")

# What pip says while it tries again, and in the end, when there is no way to the package index.
_NO_NETWORK = re.compile(
    r"Retrying \(|NewConnectionError|ConnectTimeoutError|NameResolutionError|Max retries exceeded|Cannot connect to proxy"
)

_Version = tuple[int, ...]


def provide(script: str, requirement_files: Sequence[str]) -> None:
    """Returns when this process has what the files list; else makes `.venv` and runs the command again in it.

    Raises:
        SystemExit: status 1, after one sentence that says what stands in the way.
    """
    again = os.environ.pop(_REEXECUTED_VARIABLE, None) == str(os.getpid())
    root = Path(script).resolve().parent
    environment = root / ".venv"
    wanted = _lower_bounds(root, requirement_files)
    inside = Path(sys.prefix).resolve() == environment.resolve()
    if not _lacking(wanted, [Path(folder) for folder in sys.path if folder], inside):
        return
    if again and not inside:
        sys.exit(
            f"{environment} does not work as an environment. Remove it, and run this command again."
        )
    if not inside and _is_ready(environment, wanted):
        _run_in(environment)
    if again:
        lacking = ", ".join(
            _lacking(wanted, [Path(folder) for folder in sys.path if folder], inside)
        )
        sys.exit(
            f"{environment} still lacks {lacking} after installing it. Remove it, and run this command again."
        )
    with _alone(root):
        if not _is_ready(environment, wanted):  # another command may have made it in the meantime
            _complete(root, environment, requirement_files)
    _run_in(environment)


def _lower_bounds(root: Path, requirement_files: Sequence[str]) -> dict[str, _Version]:
    """The packages that the files list, as `name>=version` or `name`, with the least version that will do."""
    wanted = {}
    for name in requirement_files:
        for line in (root / name).read_text().splitlines():
            requirement = line.partition("#")[0].strip()
            if requirement:
                package, _, version = requirement.partition(">=")
                wanted[_normalised(package)] = _version(version)
    return wanted


def _normalised(package: str) -> str:
    """A package's name as all its spellings have it (packaging.python.org, "Names and normalization")."""
    return re.sub(r"[-_.]+", "-", package.strip()).lower()


def _version(text: str) -> _Version:
    release = re.match(r"[0-9.]*", text.strip())
    return tuple(int(part) for part in (release.group() if release else "").split(".") if part)


def _lacking(wanted: Mapping[str, _Version], folders: Iterable[Path], ours: bool) -> list[str]:
    """Which packages are not in `folders`, or too old; in an environment of ours also those not installed to the end."""
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
        # Debian's packages have no RECORD, and some an egg-info.
        if suffix in (".dist-info", ".egg-info") and (
            not ours or (folder / entry / "RECORD").exists()
        ):
            package, _, version = stem.partition("-")
            yield _normalised(package), _version(version)


def _is_ready(environment: Path, wanted: Mapping[str, _Version]) -> bool:
    """Whether `environment` can be run in, as far as can be seen without running it."""
    return os.access(_python_of(environment), os.X_OK) and not _lacking(
        wanted, [_packages_folder(environment)], True
    )


def _python_of(environment: Path) -> Path:
    return environment / "bin" / "python"


def _packages_folder(environment: Path) -> Path:
    """Where the packages of `environment` are, by the version in its pyvenv.cfg; a folder that isn't there if it has none."""
    try:
        configuration = (environment / "pyvenv.cfg").read_text()
    except OSError:
        return environment / "missing"
    version = re.search(r"^version\s*=\s*(\d+\.\d+)", configuration, re.MULTILINE)
    return environment / "lib" / f"python{version.group(1) if version else ''}" / "site-packages"


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Holds off other commands that want to make `.venv` at the same time."""
    try:
        descriptor = os.open(root / ".venv.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        sys.exit(
            f"The packages of requirements.txt are missing, and {root} can't be written to, so that no .venv can be made there "
            f"({error.strerror}). Install them elsewhere (python3 -m venv FOLDER; FOLDER/bin/pip install -r requirements.txt) "
            "and run this command with FOLDER/bin/python."
        )
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Another command is making .venv; waiting for it …")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _complete(root: Path, environment: Path, requirement_files: Sequence[str]) -> None:
    """Makes `.venv` where it is missing or broken, and installs what it lacks."""
    packages = _packages_folder(environment)
    usable = _runs(environment) and any(name == "pip" for name, _ in _packages_in(packages, True))
    lists = " and ".join(requirement_files)
    if usable:
        _say(f"Installing what .venv lacks of {lists} …")
        for unfinished in packages.glob("*.dist-info"):
            if not (unfinished / "RECORD").exists():
                shutil.rmtree(unfinished)  # else pip would take it for installed
    else:
        _say(f"First run: making .venv and installing {lists} (about a minute) …")
        _make(environment)
    _install(root, environment, requirement_files)
    _say("Done.")


def _runs(environment: Path) -> bool:
    """Whether its Python starts, and is of the version that its packages were installed for."""
    program = "import sys; print('python%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [_python_of(environment), "-c", program], capture_output=True, text=True, check=False
        )
    except OSError:
        return False
    return (
        answer.returncode == 0
        and answer.stdout.strip() == _packages_folder(environment).parent.name
    )


def _make(environment: Path) -> None:
    python = getattr(sys, "_base_executable", None) or sys.executable
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    remedy = (
        f"Install the part of Python {version} that makes virtual environments (on Debian and Ubuntu: "
        f"apt-get install python{version}-venv) and run this command again."
    )
    if find_spec("venv") is None or find_spec("ensurepip") is None:
        sys.exit(
            f"The packages of requirements.txt are missing, and this Python ({python}) has no venv module. {remedy}"
        )
    outcome = subprocess.run(
        [python, "-m", "venv", "--clear", str(environment)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if outcome.returncode != 0:
        said = _last_line(outcome.stdout)
        if "ensurepip" in outcome.stdout:
            sys.exit(f"Making {environment} failed: {said} {remedy}")
        sys.exit(f"Making {environment} failed: {said}")


def _install(root: Path, environment: Path, requirement_files: Sequence[str]) -> None:
    """Runs pip, showing a line a package; its whole output is kept in `.venv`."""
    command = [str(_python_of(environment)), "-m", "pip", "install", "--disable-pip-version-check", "--no-input",
               "--progress-bar", "off", "-c", "constraints.txt"]  # fmt: skip
    for name in requirement_files:
        command += ["-r", name]
    pip_environment = {
        name: value for name, value in os.environ.items() if name not in _PIP_REMOVED
    } | _PIP_OVERRIDES
    transcript = environment / "pip.log"
    said: list[str] = []
    with transcript.open("w") as log:
        pip = subprocess.Popen(
            command, cwd=root, env=pip_environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        assert pip.stdout is not None
        try:
            for line in pip.stdout:
                log.write(line)
                said.append(line.strip())
                _show_progress(said)
            status = pip.wait()
        except BaseException:
            pip.kill()
            pip.wait()
            raise
    if status != 0:
        _explain_failure(said, transcript)


def _show_progress(said: Sequence[str]) -> None:
    line = said[-1]
    # pip processes what lies on this machine, and collects what it has to fetch.
    collecting = re.match(
        r"(?:Collecting |Processing \S*/)([A-Za-z0-9._-]+?)(?:-\d.*\.whl|[^A-Za-z0-9._-]|$)", line
    )
    if collecting:
        _say(f"  {collecting.group(1)}")
    elif line.startswith("Installing collected packages"):
        _say(f"  installing {line.count(',') + 1} packages …")
    elif (
        _NO_NETWORK.search(line) and sum(bool(_NO_NETWORK.search(earlier)) for earlier in said) == 1
    ):
        _say("  no answer from the package index; trying again …")


def _explain_failure(said: Sequence[str], transcript: Path) -> NoReturn:
    errors = [line.partition("ERROR:")[2].strip() for line in said if line.startswith("ERROR:")]
    cause = errors[0] if errors else _last_line("\n".join(said))
    if any(_NO_NETWORK.search(line) for line in said):
        sys.exit(
            "The packages could not be downloaded: there is no way to the package index. Connect this machine to the network "
            f"(or name a proxy or an index of yours in pip's settings) and run this command again. pip's own words: {transcript}"
        )
    sys.exit(f"Installing the packages failed: {cause} pip's own words: {transcript}")


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing."


def _run_in(environment: Path) -> NoReturn:
    """Runs this command, with its arguments and Python's own flags, by the Python of `environment`, in this process."""
    os.environ[_REEXECUTED_VARIABLE] = str(os.getpid())
    sys.stdout.flush()
    sys.stderr.flush()
    python = str(_python_of(environment))
    try:
        os.execv(python, [python, *sys.orig_argv[1:]])  # noqa: S606  (there is no shell, as there should be none)
    except OSError as error:
        sys.exit(
            f"{python} can't be run ({error.strerror}). Remove {environment}, and run this command again."
        )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
