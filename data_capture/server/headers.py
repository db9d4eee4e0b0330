"""Request headers: joining the lines of a name, and the body's length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The services never read cookies, and a page's own cookie may contain any byte.
_NEVER_READ = frozenset({"cookie"})


def join_header_lines(headers: Any) -> dict[str, str]:
    """Return the readable headers by name, with the lines of a name joined.

    The lines are joined by ", " (RFC 9110 section 5.2), those of Cookie by "; " (RFC 9113 section
    8.2.3). Building this dictionary costs as much as one lookup of granian's own. granian leaves
    out values with other bytes than visible ASCII: see `has_unreadable_header`.

    Args:
        headers: granian's headers of a request.
    """
    lines: list[tuple[str, str]] = headers.items()
    joined = dict(lines)
    if len(joined) == len(lines):
        return joined
    joined = {}
    for name, value in lines:
        separator = "; " if name == "cookie" else ", "
        joined[name] = f"{joined[name]}{separator}{value}" if name in joined else value
    return joined


def has_unreadable_header(headers: Any, joined: Mapping[str, str]) -> bool:
    """Tell whether a header that the services may read has no readable value.

    If a readable line of a name precedes an unreadable one, granian hides the second line. No
    address of a proxy is lost so: a proxy that adds a line adds it last, and the others join all
    lines to one.

    Args:
        headers: granian's headers of a request.
        joined: the result of `join_header_lines`.
    """
    if len(joined) == len(headers):
        return False
    return not {*headers.keys()} - joined.keys() <= _NEVER_READ


def parse_content_length(headers: Mapping[str, str]) -> int | None:
    """Return the announced length of the body in bytes; None for a chunked body."""
    if "transfer-encoding" in headers:
        return None
    return int(headers.get("content-length") or 0)  # hyper has rejected anything but a number
