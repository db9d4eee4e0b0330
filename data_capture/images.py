"""Pictures as pages send them: base64, alone or in a data: URL. What they are, their content says; none is ever decoded."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterator
from typing import Any

from data_capture.scanning import LARGE_STEP_CHARACTERS, pause, steps

MAX_PICTURE_BYTES = 10 * 1024 * 1024  # 10 MB as pages count them

_DATA_URL = re.compile(r"data:[a-z]{1,20}/[a-z.+-]{1,50};base64,", re.IGNORECASE)
_BASE64_BEFORE_ITS_END = re.compile(r"[A-Za-z0-9+/\r\n]*")
_BASE64_IN_LINES = re.compile(
    r"[A-Za-z0-9+/\r\n]*={0,2}"
)  # without the blanks at its end, which could be either's
# Of all lines but the last: they have 64 in PEM (RFC 7468), 76 in MIME (RFC 2045), and a list of numbers has fewer.
_MIN_LINE_CHARACTERS = 60
MIN_FILE_CHARACTERS = 10_000
# What base64 and the beginnings of data: URLs consist of; in JSON, line ends and some others are escaped.
_FILE_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=:;,.-"
_LONG_ESCAPE = b"\\u"
_MORE_BYTES_OF_LONG_ESCAPES = 4  # \u002b stands for one byte, and has one that is no file's

# How the content begins, and how that looks in base64. WebP has its size between its two names.
_BEGINNINGS = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}
_BEGINNINGS_IN_BASE64 = ("iVBORw0KGg", "/9j/", "UklGR")
_MAX_BEGINNING_CHARACTERS = 16  # 12 bytes


class NotAPicture(ValueError):
    """A value that is no picture that is stored; the text says why, for a person."""


def check_picture(given: Any) -> None:
    """Raises NotAPicture for what isn't a PNG, JPEG or WebP picture of at most `MAX_PICTURE_BYTES` in base64."""
    if not isinstance(given, str) or not is_file(given) or media_type_of(given) is None:
        raise NotAPicture("is not a picture (PNG, JPEG or WebP) in base64")
    characters = sum(map(len, _content(given)))
    if characters % 4 == 1:
        raise NotAPicture("is not whole base64")
    if characters * 3 // 4 > MAX_PICTURE_BYTES:
        raise NotAPicture(f"is larger than {MAX_PICTURE_BYTES:,} bytes")


def media_type_of(given: str) -> str | None:
    """What a picture in base64 is by its content; None for another file."""
    begins_at = _begin_of_content(given)
    beginning = _decoded(given[begins_at : begins_at + _MAX_BEGINNING_CHARACTERS].rstrip("="))
    return next(
        (media_type for media_type, pattern in _BEGINNINGS.items() if pattern.match(beginning)),
        None,
    )


def is_file(text: str) -> bool:
    """Whether a text is what a file is sent as: it begins as a picture does, or is long, and is nothing but base64."""
    begins_at = _begin_of_content(text)
    if len(text) < MIN_FILE_CHARACTERS and not text.startswith(_BEGINNINGS_IN_BASE64, begins_at):
        return False
    last_begins_at = _begin_of_last_step(text, begins_at)
    if last_begins_at is None or not _BASE64_IN_LINES.fullmatch(
        text, last_begins_at, len(text.rstrip())
    ):
        return False
    if "\n" not in text and "\r" not in text:  # as nearly all are sent
        return True
    return not _has_short_line(text, begins_at)


def is_large_file(text: str) -> bool:
    """Whether a text is a file that is large enough for its size to matter."""
    return len(text) >= MIN_FILE_CHARACTERS and is_file(text)


def least_bytes_but_files(json_text: bytes) -> int:
    """How many bytes of a JSON text, at least, are not of files. It is quick, and no string has to be decoded for it."""
    return sum(
        len(step.translate(None, _FILE_BYTES))
        + _MORE_BYTES_OF_LONG_ESCAPES * step.count(_LONG_ESCAPE)
        for step in steps(json_text, LARGE_STEP_CHARACTERS)
    )


def _begin_of_last_step(text: str, begins_at: int) -> int | None:
    """Where the last step of a text begins when all before it is base64; None when it is not.

    It is looked through in steps, since no other thread runs while `re` looks.
    """
    end = len(text.rstrip())
    while (
        end - begins_at > LARGE_STEP_CHARACTERS + 2
    ):  # the last step has both signs that may end it
        if not _BASE64_BEFORE_ITS_END.fullmatch(text, begins_at, begins_at + LARGE_STEP_CHARACTERS):
            return None
        begins_at += LARGE_STEP_CHARACTERS
        pause()
    return begins_at


def _has_short_line(text: str, begins_at: int) -> bool:
    """Whether a line but the last is shorter than those of a file, in steps that end where lines do."""
    end = len(text.rstrip())
    while end - begins_at > LARGE_STEP_CHARACTERS:
        step_end = begins_at + LARGE_STEP_CHARACTERS
        line_end = max(text.rfind("\n", begins_at, step_end), text.rfind("\r", begins_at, step_end))
        if line_end < 0:
            begins_at = step_end - _MIN_LINE_CHARACTERS  # within a line, which is a long one
        elif any(len(line) < _MIN_LINE_CHARACTERS for line in text[begins_at:line_end].split()):
            return True
        else:
            begins_at = line_end + 1
        pause()
    return any(len(line) < _MIN_LINE_CHARACTERS for line in text[begins_at:end].split()[:-1])


def described(given: str) -> dict[str, Any]:
    """What stands for a picture where it is not stored itself: its SHA-256, its size in bytes, and its type.

    Where no picture was sent in its place, of the text as it came, with None for a type.
    """
    try:
        check_picture(given)
    except NotAPicture:
        content, media_type = iter([given.encode()]), None
    else:
        content, media_type = _content_in_steps(given), media_type_of(given)
    digest, size = hashlib.sha256(), 0
    for step in content:
        digest.update(step)
        size += len(step)
    return {"sha256": digest.hexdigest(), "size": size, "type": media_type}


def content_of(given: str) -> bytes:
    """The bytes of a picture that `check_picture` lets through."""
    return b"".join(_content_in_steps(given))


def _content_in_steps(given: str) -> Iterator[bytes]:
    waiting = (
        ""  # up to three characters: base64 makes three bytes of each four (RFC 4648 section 4)
    )
    for step in _content(given):
        waiting += step
        whole = len(waiting) - len(waiting) % 4
        yield _decoded(waiting[:whole])
        waiting = waiting[whole:]
    yield _decoded(waiting)


def _begin_of_content(text: str) -> int:
    data_url = _DATA_URL.match(text)
    return data_url.end() if data_url else 0


def _content(text: str) -> Iterator[str]:
    """The base64 alone, in steps, without the signs that fill it up at its end; browsers' own decoders need none either."""
    for step in steps(text[_begin_of_content(text) :], LARGE_STEP_CHARACTERS):
        yield "".join(step.split()).rstrip("=")


def _decoded(content: str) -> bytes:
    return binascii.a2b_base64(content + "=" * (-len(content) % 4))


def with_stand_ins(value: Any, stand_ins: dict[str, dict[str, Any]]) -> Any:
    """`value`, a JSON value, with what stands for each of these texts in its place."""
    if isinstance(value, dict):
        return {key: with_stand_ins(member, stand_ins) for key, member in value.items()}
    return stand_ins.get(value, value) if isinstance(value, str) else value
