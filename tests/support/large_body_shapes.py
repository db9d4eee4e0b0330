"""BodyBuffer of more than 1 MB that are made to take long, by name and size."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.support.body_shapes import around


class LargeShape(NamedTuple):
    """A body of more than 1 MB, and whether it is taken."""

    kind: str
    body: Callable[[int], bytes]
    is_taken: bool = False


def _string_of(
    piece: bytes,
    kind: str = "batch",
    before: bytes = b'"note":"',
    after: bytes = b'"',
    *,
    is_taken: bool = False,
) -> LargeShape:
    """One capture with a text of one piece again and again, alone or in a batch."""

    def body(size: int) -> bytes:
        capture = around(before + piece * (size // len(piece)) + after)
        return b'{"captures":[{"type":"payment",%s]}' % capture[1:] if kind == "batch" else capture

    return LargeShape(kind, body, is_taken)


def _captures_of(piece: bytes, size_of_each: int) -> LargeShape:
    """A batch of captures that are as large as a capture may be, or smaller."""

    def body(size: int) -> bytes:
        note = piece * (size_of_each // len(piece))
        return b'{"captures":[%s]}' % b",".join(
            b'{"type":"payment","user_email":"large%d@example.com","note":"%s"}' % (number, note)
            for number in range(size // (size_of_each + 100))
        )

    return LargeShape("batch", body, is_taken=True)


def _picture_in(line: bytes) -> LargeShape:
    """A questionnaire with the largest picture that is taken; its base64 is written in such pieces."""

    def body(size: int) -> bytes:
        pieces = line * (min(size, 13_500_000) // len(line))
        return around(b'"account_screenshot":"iVBORw0KGgoA' + pieces + b'AA=="')

    return LargeShape("questionnaire", body, is_taken=True)


LARGE_SHAPES: dict[str, LargeShape] = {
    "halves of characters": _string_of(b"\\ud800"),
    "letters that are longer in lower case": _string_of("\u0130".encode()),
    "the same with words": _string_of("\u0130=".encode()),
    "equals signs and words": _string_of(b"=a "),
    "backslashes": _string_of(b"\\\\"),
    "quotes": _string_of(b'\\"'),
    "escaped letters": _string_of(b"\\u0041"),
    "digits with blanks": _string_of(b"4 "),
    "a list of halves of characters": _string_of(
        b'\\ud800\\ud800",' + b'"', "batch", b'"list":["', b'"]'
    ),
    "blanks": _string_of(b" ", "batch", b'"number":', b"1", is_taken=True),
    "captures of words": _captures_of(b"=a ", 980_000),
    "captures of letters that are longer in lower case": _captures_of("\u0130=".encode(), 960_000),
    "captures of backslashes": _captures_of(b"\\\\", 980_000),
    "captures of digits with blanks": _captures_of(b"4 ", 980_000),
    "small captures of words": _captures_of(b"=a ", 196_000),
    "a questionnaire of halves of characters": _string_of(b"\\ud800", "questionnaire"),
    "the same with letters between": _string_of(b"a" * 150 + b"\\ud800", "questionnaire"),
    "a questionnaire of words": _string_of(b"a" * 24 + b" ", "questionnaire"),
    "a number without end": _string_of(b"1", "questionnaire", b'"number":1.', b""),
    "small pictures": _string_of(
        b"iVBORw0KGg" + b"A" * 600 + b'","', "questionnaire", b'"list":["', b'"]'
    ),
    "a picture": _picture_in(b"A" * 76),
    "a picture with slashes": _picture_in(b"A" * 62 + b"\\/"),
    "a picture in lines": _picture_in(b"A" * 76 + b"\\n"),
    "a picture's letters as a name in a pair": LargeShape(
        "questionnaire",
        lambda size: around(b'"list":[{"name":"%s","value":"1"}]' % (b"A" * size)),
        is_taken=True,
    ),
    "a picture's digits as a card number": LargeShape(
        "questionnaire", lambda size: around(b'"cardNumber":"%s"' % (b"4" * size)), is_taken=True
    ),
    "a picture's letters in another column": LargeShape(
        "questionnaire",
        lambda size: around(b'"custom_forex_pairs":"%s"' % (b"A" * size)),
        is_taken=True,
    ),
}
