"""Format tables and claims, and end a benchmark: for both benchmarks."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn


def format_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table: the first column flush left, the others flush right."""
    table = [head, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    return [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


def format_claim(what: str, wanted: str, got: str, *, holds: bool) -> str:
    """Return the line that says whether a claim holds."""
    return f"{what}: wanted {wanted}, got {got}: {'yes' if holds else 'NO'}"


def format_left_out(left_out: Mapping[str, str]) -> list[str]:
    """Return a line with the reason for everything that was not measured."""
    return [f"left out: {name}: {reason}" for name, reason in left_out.items()]


def join_report(lines: Iterable[str], claims: Iterable[object]) -> str:
    """Return the text of a report, with the claims at its end."""
    return "\n".join([*lines, "", *map(str, claims)])


def print_report(text: str, document: Mapping[str, Any], *, as_json: bool) -> None:
    """Print a report for people or for programs."""
    print(json.dumps(document, indent=2) if as_json else text)


def exit_on_sigterm() -> None:
    """Let SIGTERM raise SystemExit, so that a benchmark stops its processes."""
    signal.signal(signal.SIGTERM, _exit)


def _exit(_number: int, _frame: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)
