"""Pictures as pages send them: base64, alone or in a data: URL. What they are, their content says; none is ever decoded."""

from __future__ import annotations

import binascii
import hashlib
import re
from typing import Any

MOST_PICTURE_BYTES = 10 * 1024 * 1024  # 10 MB as pages count them

_DATA_URL = re.compile(r"data:[a-z]{1,20}/[a-z.+-]{1,50};base64,", re.IGNORECASE)
_BASE64_BEFORE_ITS_END = re.compile(r"[A-Za-z0-9+/\r\n]*")
_BASE64_IN_LINES = re.compile(r"[A-Za-z0-9+/\r\n]*={0,2}")  # without the blanks at its end, which could be either's
# Of all lines but the last: they have 64 in PEM (RFC 7468), 76 in MIME (RFC 2045), and a list of numbers has fewer.
_SHORTEST_LINE_CHARACTERS = 60
_SHORTEST_FILE_CHARACTERS = 10_000
_STEP_CHARACTERS = 1_000_000

# How the content begins, and how that looks in base64. WebP has its size between its two names.
_BEGINNINGS = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}
_BEGINNINGS_IN_BASE64 = ("iVBORw0KGg", "/9j/", "UklGR")
_LONGEST_BEGINNING_CHARACTERS = 16  # 12 bytes


class NotAPicture(ValueError):
    """A value that is no picture that is stored; the text says why, for a person."""


def check_picture(given: Any) -> None:
    """Raises NotAPicture for what isn't a PNG, JPEG or WebP picture of at most `MOST_PICTURE_BYTES` in base64."""
    if not isinstance(given, str) or not is_file(given) or media_type_of(given) is None:
        raise NotAPicture("is not a picture (PNG, JPEG or WebP) in base64")
    characters = len(_content(given))
    if characters % 4 == 1:
        raise NotAPicture("is not whole base64")
    if characters * 3 // 4 > MOST_PICTURE_BYTES:
        raise NotAPicture(f"is larger than {MOST_PICTURE_BYTES:,} bytes")


def media_type_of(given: str) -> str | None:
    """What a picture in base64 is by its content; None for another file."""
    begins_at = _begin_of_content(given)
    beginning = _decoded(given[begins_at : begins_at + _LONGEST_BEGINNING_CHARACTERS].rstrip("="))
    return next((media_type for media_type, pattern in _BEGINNINGS.items() if pattern.match(beginning)), None)


def is_file(text: str) -> bool:
    """Whether a text is what a file is sent as: it begins as a picture does, or is long, and is nothing but base64."""
    begins_at = _begin_of_content(text)
    if len(text) < _SHORTEST_FILE_CHARACTERS and not text.startswith(_BEGINNINGS_IN_BASE64, begins_at):
        return False
    last_begins_at = _begin_of_last_step(text, begins_at)
    if last_begins_at is None or not _BASE64_IN_LINES.fullmatch(text, last_begins_at, len(text.rstrip())):
        return False
    if "\n" not in text and "\r" not in text:  # as nearly all are sent
        return True
    return all(len(line) >= _SHORTEST_LINE_CHARACTERS for line in text[begins_at:].split()[:-1])


def _begin_of_last_step(text: str, begins_at: int) -> int | None:
    """Where the last step of a text begins when all before it is base64; None when it is not.

    It is looked through in steps, since no other thread runs while `re` looks.
    """
    end = len(text.rstrip())
    while end - begins_at > _STEP_CHARACTERS + 2:  # the last step has both signs that may end it
        if not _BASE64_BEFORE_ITS_END.fullmatch(text, begins_at, begins_at + _STEP_CHARACTERS):
            return None
        begins_at += _STEP_CHARACTERS
    return begins_at


def described(given: str) -> dict[str, Any]:
    """What stands for a picture where it is not stored itself: its SHA-256, its size in bytes, and its type.

    Where no picture was sent in its place, of the text as it came, with None for a type.
    """
    try:
        check_picture(given)
    except NotAPicture:
        content, media_type = given.encode(), None
    else:
        content, media_type = content_of(given), media_type_of(given)
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "type": media_type}


def content_of(given: str) -> bytes:
    """The bytes of a picture that `check_picture` lets through."""
    return _decoded(_content(given))


def _begin_of_content(text: str) -> int:
    data_url = _DATA_URL.match(text)
    return data_url.end() if data_url else 0


def _content(text: str) -> str:
    """The base64 alone, without the signs that fill it up at its end; browsers' own decoders need none of them either."""
    return "".join(text[_begin_of_content(text) :].split()).rstrip("=")


def _decoded(content: str) -> bytes:
    return binascii.a2b_base64(content + "=" * (-len(content) % 4))


def with_stand_ins(value: Any, stand_ins: dict[str, dict[str, Any]]) -> Any:
    """`value`, a JSON value, with what stands for each of these texts in its place."""
    if isinstance(value, dict):
        return {key: with_stand_ins(member, stand_ins) for key, member in value.items()}
    return stand_ins.get(value, value) if isinstance(value, str) else value
