"""Pictures as pages send them: in base64, alone or in a data: URL.

A picture's media type is read from the first bytes of its content. Pictures are never rendered.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterator
from typing import Any

from data_capture.scanning import LARGE_STEP_CHARACTERS, pause, steps

MAX_PICTURE_BYTES = 10 * 1024 * 1024  # pages count 10 MB so
MIN_FILE_CHARACTERS = 10_000

_DATA_URL = re.compile(r"data:[a-z]{1,20}/[a-z.+-]{1,50};base64,", re.IGNORECASE)
_BASE64_WITHOUT_PADDING = re.compile(r"[A-Za-z0-9+/\r\n]*")
_BASE64_WITH_PADDING = re.compile(r"[A-Za-z0-9+/\r\n]*={0,2}")
# Of all lines but the last: PEM has 64 (RFC 7468), MIME 76 (RFC 2045). A list of numbers has fewer.
_MIN_LINE_CHARACTERS = 60
# The characters of base64 and data: URLs; JSON escapes line ends and some others.
_FILE_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=:;,.-"
_LONG_ESCAPE = b"\\u"
_MORE_BYTES_OF_LONG_ESCAPES = 4  # \u002b: 6 bytes for one character, 1 of which no file has

_MAGIC_NUMBERS = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),  # the size stands between the names
}
_MAGIC_NUMBERS_IN_BASE64 = ("iVBORw0KGg", "/9j/", "UklGR")
_MAGIC_NUMBER_CHARACTERS = 16  # 12 bytes in base64


class NotAPicture(ValueError):
    """A value is not a picture that can be stored; the text completes "The field …"."""


def check_picture(sent: Any) -> None:
    """Check that a value is a PNG, JPEG or WebP picture in base64.

    Raises:
        NotAPicture: it is not, or is larger than `MAX_PICTURE_BYTES`.
    """
    if not isinstance(sent, str) or not is_file(sent) or media_type_of(sent) is None:
        raise NotAPicture("is not a picture (PNG, JPEG or WebP) in base64")
    characters = sum(map(len, _base64_in_steps(sent)))
    if characters % 4 == 1:
        raise NotAPicture("is not whole base64")
    if characters * 3 // 4 > MAX_PICTURE_BYTES:
        raise NotAPicture(f"is larger than {MAX_PICTURE_BYTES:,} bytes")


def media_type_of(sent: str) -> str | None:
    """Return a picture's media type by its content; None for other files."""
    begin = _begin_of_base64(sent)
    beginning = _decode(sent[begin : begin + _MAGIC_NUMBER_CHARACTERS].rstrip("="))
    return next(
        (media_type for media_type, magic in _MAGIC_NUMBERS.items() if magic.match(beginning)),
        None,
    )


def is_file(text: str) -> bool:
    """Tell whether a text is a file in base64.

    It consists of base64 only, and is long or begins as a picture does.
    """
    begin = _begin_of_base64(text)
    if len(text) < MIN_FILE_CHARACTERS and not text.startswith(_MAGIC_NUMBERS_IN_BASE64, begin):
        return False
    last_begin = _begin_of_last_step(text, begin)
    # Trailing blanks are left out of the match, because the pattern's class has line ends too.
    if last_begin is None or not _BASE64_WITH_PADDING.fullmatch(
        text, last_begin, len(text.rstrip())
    ):
        return False
    if "\n" not in text and "\r" not in text:
        return True
    return not _has_short_line(text, begin)


def is_large_file(text: str) -> bool:
    """Tell whether a text is a file that is large enough for its size to matter."""
    return len(text) >= MIN_FILE_CHARACTERS and is_file(text)


def min_bytes_without_files(json_text: bytes) -> int:
    """Return a lower bound for the bytes of a JSON text that do not belong to files.

    It counts characters that no file has, and decodes no string.
    """
    return sum(
        len(step.translate(None, _FILE_BYTES))
        + _MORE_BYTES_OF_LONG_ESCAPES * step.count(_LONG_ESCAPE)
        for step in steps(json_text, LARGE_STEP_CHARACTERS)
    )


def describe_picture(sent: str) -> dict[str, Any]:
    """Describe a picture by its SHA-256, its size in bytes and its media type.

    For a text that is not a picture, describe the text, with None for the media type.
    """
    try:
        check_picture(sent)
    except NotAPicture:
        content, media_type = iter([sent.encode()]), None
    else:
        content, media_type = _content_in_steps(sent), media_type_of(sent)
    digest, size_bytes = hashlib.sha256(), 0
    for step in content:
        digest.update(step)
        size_bytes += len(step)
    return {"sha256": digest.hexdigest(), "size": size_bytes, "type": media_type}


def content_of(sent: str) -> bytes:
    """Decode a picture that `check_picture` accepts."""
    return b"".join(_content_in_steps(sent))


def replace_texts(value: Any, replacements: dict[str, dict[str, Any]]) -> Any:
    """Replace texts in a JSON value and the objects in it; lists are left alone."""
    if isinstance(value, dict):
        return {key: replace_texts(member, replacements) for key, member in value.items()}
    return replacements.get(value, value) if isinstance(value, str) else value


def _begin_of_last_step(text: str, begin: int) -> int | None:
    """Return where the last step begins; None if the text before is not base64.

    The text is searched in steps, since no other thread runs while `re` searches.
    """
    end = len(text.rstrip())
    while end - begin > LARGE_STEP_CHARACTERS + len("=="):  # the last step has the whole padding
        if not _BASE64_WITHOUT_PADDING.fullmatch(text, begin, begin + LARGE_STEP_CHARACTERS):
            return None
        begin += LARGE_STEP_CHARACTERS
        pause()
    return begin


def _has_short_line(text: str, begin: int) -> bool:
    """Tell whether any line but the last is too short for a file."""
    end = len(text.rstrip())
    while end - begin > LARGE_STEP_CHARACTERS:
        step_end = begin + LARGE_STEP_CHARACTERS
        line_end = max(text.rfind("\n", begin, step_end), text.rfind("\r", begin, step_end))
        if line_end < 0:
            begin = step_end - _MIN_LINE_CHARACTERS  # within a line, which is long enough
        elif any(len(line) < _MIN_LINE_CHARACTERS for line in text[begin:line_end].split()):
            return True
        else:
            begin = line_end + 1
        pause()
    return any(len(line) < _MIN_LINE_CHARACTERS for line in text[begin:end].split()[:-1])


def _content_in_steps(sent: str) -> Iterator[bytes]:
    pending = ""  # up to three characters: four make three bytes (RFC 4648 section 4)
    for step in _base64_in_steps(sent):
        pending += step
        whole = len(pending) - len(pending) % 4
        yield _decode(pending[:whole])
        pending = pending[whole:]
    yield _decode(pending)


def _base64_in_steps(sent: str) -> Iterator[str]:
    """Yield the base64 without line ends and padding.

    Browsers' decoders need neither.
    """
    for step in steps(sent[_begin_of_base64(sent) :], LARGE_STEP_CHARACTERS):
        yield "".join(step.split()).rstrip("=")


def _begin_of_base64(text: str) -> int:
    data_url = _DATA_URL.match(text)
    return data_url.end() if data_url else 0


def _decode(base64_text: str) -> bytes:
    return binascii.a2b_base64(base64_text + "=" * (-len(base64_text) % 4))
