"""Log to the console, and to one rotated file for services and manager.

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
    """Configure logging in this process, for a service or the `manager`."""
    logging.config.dictConfig(logging_configuration(name, settings))


def service_logger(name: str) -> logging.Logger:
    """Return the logger for the process of the service `name`."""
    return logging.getLogger(f"data_capture.{name}")


def logging_configuration(name: str, settings: Settings) -> dict[str, Any]:
    """Return the configuration for `logging.config.dictConfig`.

    granian applies it again in the worker process.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"no worker exit": {"()": _WorkerExitFilter}},
        "formatters": {"line": {"()": _LineFormatter, "name": name}},
        "handlers": {
            "console": {"()": _Console, "formatter": "line"},
            "file": {"()": _LogFile, "path": settings.log_file, "formatter": "line"},
        },
        "root": {"level": "WARNING", "handlers": ["console", "file"]},
        "loggers": {
            "data_capture": {"level": "DEBUG" if settings.debug else "INFO"},
            "_granian": {"filters": ["no worker exit"]},  # granian sets the level itself
        },
    }


class _WorkerExitFilter(logging.Filter):
    """Drop granian's error about a worker that ended with Ctrl-C.

    `serve` reports real crashes.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log the record."""
        return not record.getMessage().startswith("Unexpected exit from worker")


class _LineFormatter(logging.Formatter):
    """Format a record as a line: time in UTC, level, service, message."""

    converter = staticmethod(time.gmtime)

    def __init__(self, name: str) -> None:
        super().__init__(
            f"%(asctime)s.%(msecs)03dZ %(levelname)s {name} %(message)s", "%Y-%m-%dT%H:%M:%S"
        )


class _Console(logging.Handler):
    """Write to standard error; never fail or wait, even if nobody reads it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's line, or drop it if the console does not accept it.

        The log file has the line as well.
        """
        line = self.format(record) + "\n"
        with suppress(OSError):
            os.write(2, line.encode(errors="backslashreplace"))


class _LogFile(ConcurrentRotatingFileHandler):
    """Write to the log file, which other processes write and rotate, too.

    Only its owner can read it.
    """

    def __init__(self, path: Path) -> None:
        self._has_reported_error = False
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
            OSError: the file cannot be opened, or is not ours.
        """
        _reject_foreign_file(self.baseFilename)
        return super().do_open(mode)

    def atomic_open(self, file_path: str) -> TextIOWrapper:
        """Open the lock file, unless it is a link or belongs to another user.

        Raises:
            OSError: the file cannot be opened, or is not ours.
        """
        _reject_foreign_file(file_path)
        return super().atomic_open(file_path)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002  (logging's name)
        """Report once that the file cannot be written; the service continues."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError) and not self._has_reported_error:
            self._has_reported_error = True
            print(
                f"The log file {self.baseFilename} can't be written ({error.strerror}); the log "
                "goes to the console only.",
                file=sys.stderr,
                flush=True,
            )


def _reject_foreign_file(path: str) -> None:
    """Reject a link, and a file that belongs neither to this user nor to root.

    Either would get our lines and our file mode.

    Raises:
        OSError: the path is such a file.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if stat.S_ISLNK(status.st_mode):
        raise OSError(errno.ELOOP, "it is a link, which another user may have planted", path)
    if status.st_uid not in (0, os.geteuid()):
        raise OSError(errno.EPERM, "it belongs to another user", path)
