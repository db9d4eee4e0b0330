"""Ask the operator before a change."""

from __future__ import annotations

import sys
from collections.abc import Callable

Confirm = Callable[[Callable[[], str]], bool]
"""Takes a function that describes the change; returns whether to make the change."""


def choose_confirmation(*, assume_yes: bool) -> Confirm:
    """Return a function that always agrees, or one that asks on the terminal."""
    return (lambda _describe: True) if assume_yes else _ask_on_terminal


def _ask_on_terminal(describe: Callable[[], str]) -> bool:
    """Show what is about to happen and ask.

    Without a terminal, the command continues: a script has nobody who could answer.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    print(describe(), file=sys.stderr)
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
