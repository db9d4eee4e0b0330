"""Bodies of more than 1 MB that take, or could take, long to process, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.support.body_shapes import capture_body
from tests.support.large_dashboards import BYTES_PER_TRADE, encode, make_dashboard


class LargeShape(NamedTuple):
    """A maker of bodies of more than 1 MB, and whether the service accepts them."""

    kind: str
    body: Callable[[int], bytes]
    is_accepted: bool = False


def _string_of(
    piece: bytes,
    kind: str = "batch",
    before: bytes = b'"note":"',
    after: bytes = b'"',
    *,
    is_accepted: bool = False,
) -> LargeShape:
    """Return one capture whose text repeats one piece, alone or in a batch."""

    def body(size: int) -> bytes:
        capture = capture_body(before + piece * (size // len(piece)) + after)
        return b'{"captures":[{"type":"payment",%s]}' % capture[1:] if kind == "batch" else capture

    return LargeShape(kind, body, is_accepted)


def _captures_of(piece: bytes, size_of_each: int) -> LargeShape:
    """Return a batch of captures of `size_of_each` bytes, at most the limit of a capture."""

    def body(size: int) -> bytes:
        note = piece * (size_of_each // len(piece))
        return b'{"captures":[%s]}' % b",".join(
            b'{"type":"payment","user_email":"large%d@example.com","note":"%s"}' % (number, note)
            for number in range(size // (size_of_each + 100))
        )

    return LargeShape("batch", body, is_accepted=True)


def _picture_in(line: bytes) -> LargeShape:
    """Return a questionnaire with the largest accepted picture, in base64 of these lines."""

    def body(size: int) -> bytes:
        pieces = line * (min(size, 13_500_000) // len(line))
        return capture_body(b'"account_screenshot":"iVBORw0KGgoA' + pieces + b'AA=="')

    return LargeShape("questionnaire", body, is_accepted=True)


def _trades(size: int) -> bytes:
    """Return a dashboard with as many trades as fit."""
    return encode(make_dashboard("large@example.com", size // (BYTES_PER_TRADE + 40)))


LARGE_SHAPES: dict[str, LargeShape] = {
    "a dashboard of trades": LargeShape("dashboard", _trades, is_accepted=True),
    "a dashboard of words": _string_of(b"=a ", "dashboard", is_accepted=True),
    "a dashboard of digits with blanks": _string_of(b"4 ", "dashboard", is_accepted=True),
    "a dashboard of texts with a card": _string_of(
        b'4111111111111111",' + b'"', "dashboard", b'"list":["', b'"]', is_accepted=True
    ),
    "lone surrogates": _string_of(b"\\ud800"),
    "letters that are longer in lower case": _string_of("\u0130".encode()),
    "letters that are longer in lower case, and words": _string_of("\u0130=".encode()),
    "equals signs and words": _string_of(b"=a "),
    "backslashes": _string_of(b"\\\\"),
    "quotes": _string_of(b'\\"'),
    "escaped letters": _string_of(b"\\u0041"),
    "digits with blanks": _string_of(b"4 "),
    "a list of lone surrogates": _string_of(
        b'\\ud800\\ud800",' + b'"', "batch", b'"list":["', b'"]'
    ),
    "blanks": _string_of(b" ", "batch", b'"number":', b"1", is_accepted=True),
    "captures of words": _captures_of(b"=a ", 980_000),
    "captures of letters that are longer in lower case": _captures_of("\u0130=".encode(), 960_000),
    "captures of backslashes": _captures_of(b"\\\\", 980_000),
    "captures of digits with blanks": _captures_of(b"4 ", 980_000),
    "small captures of words": _captures_of(b"=a ", 196_000),
    "a questionnaire of lone surrogates": _string_of(b"\\ud800", "questionnaire"),
    "a questionnaire of letters and lone surrogates": _string_of(
        b"a" * 150 + b"\\ud800", "questionnaire"
    ),
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
        lambda size: capture_body(b'"list":[{"name":"%s","value":"1"}]' % (b"A" * size)),
        is_accepted=True,
    ),
    "a picture's digits as a card number": LargeShape(
        "questionnaire",
        lambda size: capture_body(b'"cardNumber":"%s"' % (b"4" * size)),
        is_accepted=True,
    ),
    "a picture's letters in another column": LargeShape(
        "questionnaire",
        lambda size: capture_body(b'"custom_forex_pairs":"%s"' % (b"A" * size)),
        is_accepted=True,
    ),
}
