"""Argument types and arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path


def parse_path(text: str) -> Path:
    """Return an absolute path; `~` is the home directory."""
    return Path(text).expanduser().absolute()


def parse_positive_integer(text: str) -> int:
    """Return a number that is 1 or more.

    Raises:
        argparse.ArgumentTypeError: the text is something else.
    """
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("it takes a number, 1 or more")
    return int(text)


def add_email(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a user."""
    parser.add_argument("email", metavar="EMAIL", help="the user's email address")


def add_yes(parser: argparse.ArgumentParser) -> None:
    """Add the flag that leaves out the question before a change."""
    parser.add_argument(
        "--yes",
        action="store_true",
        help="don't ask for confirmation (without a terminal, the command never asks)",
    )
