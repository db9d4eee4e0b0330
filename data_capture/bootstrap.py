"""The first lines of every command: run it in this Python if possible, otherwise in `.venv`.

Standard library only. Pythons that are too old also read this file, and the lines of each command
before its call. Keep their syntax old, so that the user gets a sentence and not a SyntaxError.
"""

import sys

OLDEST_PYTHON = (3, 10)


def ensure_environment(script: str, module_name: str = "__main__", *more_requirements: str) -> None:
    """Return if this process has the packages; otherwise restart it in `.venv`.

    Args:
        script: the command's `__file__`.
        module_name: its `__name__`; nothing happens if it was imported and not run.
        more_requirements: requirement files besides requirements.txt, in the script's folder.

    Raises:
        SystemExit: status 1, after a sentence that says what to install.
    """
    if module_name != "__main__":
        return
    if sys.version_info < OLDEST_PYTHON:
        oldest = ".".join(str(part) for part in OLDEST_PYTHON)
        sys.exit(
            f"Enhanced Data Capture needs Python {oldest} or newer, and this is "
            f"{sys.version.split()[0]}: {sys.executable}."
        )
    try:
        import fcntl  # noqa: F401
    except ImportError:
        sys.exit(
            "Enhanced Data Capture needs Linux or macOS: on Windows, run it in WSL (wsl --install)."
        )
    from data_capture.venv import ensure_packages

    ensure_packages(script, ("requirements.txt", *more_requirements))
