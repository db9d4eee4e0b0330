"""The first lines of every command: makes sure that this Python can run it, or makes and uses a `.venv` that can.

Standard library only. This file, and what the commands do before they call it, is also read by Pythons that are too
old, so that these get a sentence and not a SyntaxError.
"""

import sys

OLDEST_PYTHON = (3, 10)


def ensure_environment(script: str, module_name: str = "__main__", *more_requirements: str) -> None:
    """Returns once this process has the packages of requirements.txt; re-executes the command in `.venv` where it has to.

    Args:
        script: the command's `__file__`.
        module_name: its `__name__`; nothing happens when it was imported and not run.
        more_requirements: further requirement files, relative to the script's folder.

    Raises:
        SystemExit: status 1, after one sentence that says what to install.
    """
    if module_name != "__main__":
        return
    if sys.version_info < OLDEST_PYTHON:
        oldest = ".".join(str(part) for part in OLDEST_PYTHON)
        sys.exit(
            f"Enhanced Data Capture needs Python {oldest} or newer, and this is {sys.version.split()[0]}: {sys.executable}."
        )
    try:
        import fcntl  # noqa: F401
    except ImportError:
        sys.exit(
            "Enhanced Data Capture needs Linux or macOS: on Windows, run it in WSL (wsl --install)."
        )
    from data_capture.venv import provide

    provide(script, ("requirements.txt", *more_requirements))
