"""Run one command of `python3 -m data_capture`."""

from __future__ import annotations

import io
import os
import sqlite3
import sys
from argparse import Namespace
from collections.abc import Sequence

from data_capture.cli.errors import CommandError
from data_capture.cli.parser import build_parser
from data_capture.cli.progress import Progress
from data_capture.cli.signals import Interrupted, raise_on_signals
from data_capture.key_files import UntrustedKeysError, check_keys_directory
from data_capture.settings import SettingError, Settings, load_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Returns:
        What the command returns; 1 after an error, with a sentence on standard error; 2 after wrong
        arguments; 128 plus the signal's number after a signal.
    """
    _accept_every_character()
    parser = build_parser()
    if not (sys.argv[1:] if arguments is None else arguments):
        parser.print_help()
        return 2
    parsed = parser.parse_args(arguments)
    try:
        settings = load_settings(vars(parsed))
    except SettingError as error:
        parser.error(str(error))
    return _run(parsed, settings)


def _accept_every_character() -> None:
    """Escape characters that the terminal's encoding lacks: a path may contain any."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _run(parsed: Namespace, settings: Settings) -> int:
    progress = Progress()
    try:
        with raise_on_signals():
            if parsed.command != "doctor":  # doctor reports untrusted keys as a finding
                _reject_untrusted_keys(settings)
            status: int = parsed.run(parsed, settings, progress)
            return status
    except BrokenPipeError:  # `doctor | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except CommandError as error:
        progress.clear()
        print(error, file=sys.stderr, flush=True)
        return 1
    except (OSError, sqlite3.Error) as error:
        progress.clear()
        print(_describe(error, parsed.command), file=sys.stderr, flush=True)
        return 1
    except Interrupted as interrupted:
        progress.clear()
        print("Interrupted.", file=sys.stderr, flush=True)
        return 128 + interrupted.signal_number


def _describe(error: OSError | sqlite3.Error, command: str) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename} can't be used: {error.strerror}."
    return f"The {command} failed: {error}."


def _reject_untrusted_keys(settings: Settings) -> None:
    """Raise CommandError if other users may have read or written the keys.

    They could have copied a token from there, and could forge a proof.
    """
    try:
        check_keys_directory(settings.database)
    except UntrustedKeysError as error:
        raise CommandError(f"{error} Nothing was done.") from error
