"""`admin-token`: show the admin token, or write it to a file for curl."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from data_capture.cli.arguments import parse_path
from data_capture.cli.errors import CommandError
from data_capture.cli.progress import Progress
from data_capture.key_files import open_new_file
from data_capture.settings import Settings, add_flags

SUMMARY = "shows the token for reading and erasing users' data, once, or replaces it"

DESCRIPTION = """\
Print the admin token. Programs send it as "Authorization: Bearer TOKEN" to
export or erase a user's data. The first start of the services creates it. Only
its hash is kept, so it is printed once: keep it in a password manager. --rotate
replaces it at any time, also while the services run; the previous token is then
void.

--header writes the token to a new file that only you can read, as a line for
curl -H @FILE. A token on a command line is visible to everyone on the machine,
and remains in the shell's history:

  python3 -m data_capture admin-token --header admin-header
  curl -H @admin-header http://127.0.0.1:5003/api/data-capture/stats/user@example.com

If EDC_ADMIN_TOKEN is set, that is the token, and this command only writes its
header.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--rotate",
        action="store_true",
        help="create a new token; the previous one is void at once",
    )
    parser.add_argument(
        "--header",
        type=parse_path,
        metavar="FILE",
        help="write the token as a header to FILE, a new file, instead of printing it",
    )
    add_flags(parser, {"database"})


def run(arguments: Namespace, settings: Settings, _progress: Progress) -> int:
    """Print the token or write the header."""
    if settings.admin_token and (arguments.rotate or arguments.header is None):
        raise CommandError(
            "EDC_ADMIN_TOKEN sets the admin token. Read it or change it where that is set."
        )
    if arguments.header is None:
        print(_fetch_token(settings, rotate=arguments.rotate), flush=True)
        print("Keep it in a password manager: it is not shown again.", file=sys.stderr, flush=True)
    else:
        _write_header(arguments.header, settings, rotate=arguments.rotate)
    return 0


def _write_header(path: Path, settings: Settings, *, rotate: bool) -> None:
    """Write `Authorization: Bearer TOKEN` to a new file.

    The file is created before the token is fetched, because the token can be fetched only once.

    Raises:
        CommandError: the file exists, or the token was shown before.
        OSError: the file can't be created.
    """
    try:
        descriptor = open_new_file(path)
    except FileExistsError:
        raise CommandError(f"There is a file {path} already. Name another, or remove it.") from None
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            token = settings.admin_token or _fetch_token(settings, rotate=rotate)
            file.write(f"Authorization: Bearer {token}\n")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    print(
        f"{path} holds the header with the admin token: curl -H @{path.name}",
        file=sys.stderr,
        flush=True,
    )


def _fetch_token(settings: Settings, *, rotate: bool) -> str:
    from data_capture.web.admin_token import fetch_admin_token, rotate_admin_token

    if not settings.database.parent.is_dir():
        raise CommandError(f"There is no folder {settings.database.parent}.")
    token = rotate_admin_token(settings) if rotate else fetch_admin_token(settings)
    if token is None:
        raise CommandError(
            "The admin token was shown before, and only its hash is kept. "
            "Create a new one with --rotate."
        )
    return token
