"""`write-token`: create, list and revoke write tokens."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from data_capture.cli.errors import CommandError
from data_capture.cli.progress import Progress
from data_capture.settings import Settings, add_flags

SUMMARY = "creates, lists and revokes tokens with which your servers confirm captures"

DESCRIPTION = """\
Create a write token and print it, once; only its hash is kept. If your server
sends captures with the header "Authorization: Bearer TOKEN", they are
confirmed. All other captures are claims: anyone can send one for any address.
The view capture_sources shows which is which. A write token gives no other
access: nothing can be read or erased with it.

Never put one into a page, where every visitor can read it. Each token has a
name:

  python3 -m data_capture write-token shop            creates the token "shop"
  python3 -m data_capture write-token --list          lists the names of all tokens
  python3 -m data_capture write-token shop --revoke   voids it at once, also for running services
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "name",
        nargs="?",
        type=_parse_name,
        metavar="NAME",
        default="default",
        help="the token's name: lower-case letters, digits, hyphens (default: default)",
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--list", action="store_true", help="list the names of all write tokens; create none"
    )
    choice.add_argument("--revoke", action="store_true", help="void the token at once")
    add_flags(parser, {"database"})


def run(arguments: Namespace, settings: Settings, _progress: Progress) -> int:
    """Create, list or revoke."""
    from data_capture.web.write_tokens import write_token_names

    if not settings.database.parent.is_dir():
        raise CommandError(f"There is no folder {settings.database.parent}.")
    if arguments.list:
        for name in write_token_names(settings):
            print(name)
    elif arguments.revoke:
        _revoke(arguments.name, settings)
    else:
        _create(arguments.name, settings)
    return 0


def _create(name: str, settings: Settings) -> None:
    from data_capture.web.write_tokens import create_write_token

    token = create_write_token(settings, name)
    if token is None:
        raise CommandError(
            f"There is a write token {name} already. "
            "Choose another name, or revoke it with --revoke."
        )
    print(token, flush=True)
    print(
        "Keep it in your server's secret store: it is not shown again.", file=sys.stderr, flush=True
    )


def _revoke(name: str, settings: Settings) -> None:
    from data_capture.web.write_tokens import revoke_write_token

    if not revoke_write_token(settings, name):
        raise CommandError(f"There is no write token {name}. --list shows the names of all.")
    print(f"The write token {name} is revoked.", file=sys.stderr, flush=True)


def _parse_name(text: str) -> str:
    from data_capture.web.write_tokens import NAME

    if not NAME.fullmatch(text):
        raise ArgumentTypeError("it takes 1 to 40 lower-case letters, digits and hyphens")
    return text
