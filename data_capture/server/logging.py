"""Where log lines go: the console, and one rotated file that both services and the manager write to.

2024-01-15T10:30:00.123Z INFO capture Listening on http://127.0.0.1:5003, …
"""

from __future__ import annotations

import errno
import logging
import logging.config
import os
import stat
import sys
import time
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from concurrent_log_handler import ConcurrentRotatingFileHandler

from data_capture.settings import Settings

LOG_FILE_BYTES = 10_000_000
OLD_LOG_FILES = 5


def configure_logging(name: str, settings: Settings) -> None:
    """Sets up logging in this process for the service (or the `manager`) called `name`."""
    logging.config.dictConfig(logging_configuration(name, settings))


def log_of(name: str) -> logging.Logger:
    """The logger for what happens to the service `name` as a process."""
    return logging.getLogger(f"data_capture.{name}")


def logging_configuration(name: str, settings: Settings) -> dict[str, Any]:
    """As `logging.config.dictConfig` takes it; granian applies it again in the worker process."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"no false alarm": {"()": _NoFalseAlarm}},
        "formatters": {"line": {"()": _LineFormatter, "name": name}},
        "handlers": {
            "console": {"()": _Console, "formatter": "line"},
            "file": {"()": _LogFile, "path": settings.log_file, "formatter": "line"},
        },
        "root": {"level": "WARNING", "handlers": ["console", "file"]},
        "loggers": {
            "data_capture": {"level": "DEBUG" if settings.debug else "INFO"},
            "_granian": {"filters": ["no false alarm"]},  # granian sets its level itself
        },
    }


class _NoFalseAlarm(logging.Filter):
    """Passes over what granian says of a worker that ended with Ctrl-C; `serve` tells it from one that crashed."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log it."""
        return not record.getMessage().startswith("Unexpected exit from worker")


class _LineFormatter(logging.Formatter):
    """One line a record, but for tracebacks: time in UTC, level, service, message."""

    converter = staticmethod(time.gmtime)

    def __init__(self, name: str) -> None:
        super().__init__(
            f"%(asctime)s.%(msecs)03dZ %(levelname)s {name} %(message)s", "%Y-%m-%dT%H:%M:%S"
        )


def _refuse_planted(path: str) -> None:
    """Raise OSError for a link, and for a file of a user who is neither this one nor root: both get our lines and our mode."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if stat.S_ISLNK(status.st_mode):
        raise OSError(errno.ELOOP, "it is a link, which another user may have planted", path)
    if status.st_uid not in (0, os.geteuid()):
        raise OSError(errno.EPERM, "it belongs to another user", path)


class _Console(logging.Handler):
    """Standard error; a console that is gone, or that nobody reads, is no reason to fail or to wait."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record's line; drops it when the console does not take it. The file has it."""
        line = self.format(record) + "\n"
        with suppress(OSError):
            os.write(2, line.encode(errors="backslashreplace"))


class _LogFile(ConcurrentRotatingFileHandler):
    """The log file, which other processes write to and rotate at the same time; only its owner can read it."""

    def __init__(self, path: Path) -> None:
        self._complained = False
        super().__init__(
            str(path),
            maxBytes=LOG_FILE_BYTES,
            backupCount=OLD_LOG_FILES,
            chmod=0o600,
            encoding="utf-8",
        )

    def do_open(self, mode: str | None = None) -> TextIOWrapper:
        """Open the log file, unless it is a link or belongs to another user.

        Raises:
            OSError: it can't be opened, or is not ours.
        """
        _refuse_planted(self.baseFilename)
        return super().do_open(mode)

    def atomic_open(self, file_path: str) -> TextIOWrapper:
        """Open the lock file, unless it is a link or belongs to another user.

        Raises:
            OSError: it can't be opened, or is not ours.
        """
        _refuse_planted(file_path)
        return super().atomic_open(file_path)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002  (logging's name)
        """Says once that the file can't be written; the console goes on, and so does the service."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError) and not self._complained:
            self._complained = True
            print(f"The log file {self.baseFilename} can't be written ({error.strerror}); the log goes to the console only.",
                  file=sys.stderr, flush=True)  # fmt: skip
