"""`admin-token`: shows the admin token once, or writes it as a header for curl into a file that only its owner can read."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from data_capture.cli import CommandError
from data_capture.key_files import open_new_file
from data_capture.settings import Settings
from data_capture.web.admin_token import fetch_admin_token, rotate_admin_token


def show_admin_token(settings: Settings, *, rotate: bool) -> None:
    """Print the token.

    Raises:
        CommandError: it was shown before, or EDC_ADMIN_TOKEN gives it.
    """
    if settings.admin_token:
        raise CommandError(
            "The admin token is what EDC_ADMIN_TOKEN says; it is shown and changed where that is set."
        )
    print(_token_of(settings, rotate=rotate), flush=True)
    print("Keep it in a password manager: it is not shown again.", file=sys.stderr, flush=True)


def write_admin_header(path: Path, settings: Settings, *, rotate: bool) -> None:
    """Write `Authorization: Bearer TOKEN` into a new file, which curl takes with -H @FILE.

    The file is made before the token is fetched, which is possible only once.

    Raises:
        CommandError: there is such a file, the token was shown before, or it can't be rotated.
        OSError: the file can't be made.
    """
    if settings.admin_token and rotate:
        raise CommandError(
            "The admin token is what EDC_ADMIN_TOKEN says; it is changed where that is set."
        )
    try:
        descriptor = open_new_file(path)
    except FileExistsError:
        raise CommandError(f"There is a file {path} already. Name another, or remove it.") from None
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(
                f"Authorization: Bearer {settings.admin_token or _token_of(settings, rotate=rotate)}\n"
            )
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    print(
        f"{path} holds the header with the admin token: curl -H @{path.name}",
        file=sys.stderr,
        flush=True,
    )


def _token_of(settings: Settings, *, rotate: bool) -> str:
    if not settings.database.parent.is_dir():
        raise CommandError(f"There is no folder {settings.database.parent}.")
    token = rotate_admin_token(settings) if rotate else fetch_admin_token(settings)
    if token is None:
        raise CommandError(
            "The admin token was shown before, and only its hash is kept. With --rotate you get a new one."
        )
    return token
