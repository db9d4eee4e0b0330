"""Decoding JSON texts of many MB so that other threads can run in between.

No other thread runs while the standard decoder reads a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from json import JSONDecodeError, JSONDecoder
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed leaves it out
from typing import Any

from data_capture.scanning import LARGE_STEP_CHARACTERS, join_pieces, pause

_FIRST_STEP_CHARACTERS = 4_096  # of a string; most strings end within it
# Objects that end within these are left to the standard decoder: a dashboard of 20 MB takes a third
# of the time. A longer object is read twice so far, which a body may cause a limited number of
# times.
_SMALL_OBJECT_CHARACTERS = 4_096
_MAX_OBJECTS_READ_TWICE = 1_000
_MAX_ESCAPE_CHARACTERS = len("\\ud83d")
_BLANK = frozenset(" \t\n\r")
_BLANKS = re.compile("[ \t\n\r]*")
_WORD = re.compile("true|false|null|NaN|-?Infinity")
_MEANT = {"true": True, "false": False, "null": None}


class LargeDecoder:
    """A decoder with the results of `json.JSONDecoder`, for one text.

    It is written in Python, except for small objects. Other threads can run between any two values
    of the text, or any two small objects.

    Args:
        parse_int: called with each whole number.
        parse_float: called with each other number.
        parse_constant: called with NaN and the infinities.
        object_pairs_hook: called with each object's pairs.
        max_digits: limits each part of a number. A longer number is cut off, but is still passed on
            with more digits than this, so that the callee can reject it.
        key_hook: called with each key outside small objects; returns the key to use.
    """

    def __init__(
        self,
        *,
        parse_int: Callable[[str], Any],
        parse_float: Callable[[str], Any],
        parse_constant: Callable[[str], Any],
        object_pairs_hook: Callable[[list[tuple[str, Any]]], Any],
        max_digits: int,
        key_hook: Callable[[str], str] = str,
    ) -> None:
        self._parse_int = parse_int
        self._parse_float = parse_float
        self._parse_constant = parse_constant
        self._object_pairs_hook = object_pairs_hook
        self._key_hook = key_hook
        decoder = JSONDecoder(
            parse_int=parse_int,
            parse_float=parse_float,
            parse_constant=parse_constant,
            object_pairs_hook=object_pairs_hook,
        )
        self._scan_small = decoder.scan_once  # type: ignore[attr-defined]  # as above
        self._may_read_twice = _MAX_OBJECTS_READ_TWICE
        digits = f"[0-9]{{0,{max_digits}}}"
        self._number = re.compile(
            rf"(-?(?:0|[1-9]{digits}))(\.[0-9]{digits})?([eE][-+]?[0-9]{digits})?"
        )

    def decode(self, text: str) -> Any:
        """Decode a JSON text.

        Raises:
            JSONDecodeError: the text is not JSON.
            RecursionError: the text nests too deep.
        """
        value, end = self._decode_value(text, _skip_blanks(text, 0))
        end = _skip_blanks(text, end)
        if end < len(text):
            raise JSONDecodeError("Extra data", text, end)
        return value

    def _decode_value(self, text: str, begin: int) -> tuple[Any, int]:
        character = text[begin : begin + 1]
        if character == '"':
            return _decode_string(text, begin + 1)
        if character == "{":
            return self._decode_object(text, begin + 1)
        if character == "[":
            return self._decode_array(text, begin + 1)
        number = self._number.match(text, begin)
        if number is not None:
            is_whole = number[2] is None and number[3] is None
            return (self._parse_int if is_whole else self._parse_float)(number[0]), number.end()
        word = _WORD.match(text, begin)
        if word is None:
            raise JSONDecodeError("Expecting value", text, begin)
        return _MEANT[word[0]] if word[0] in _MEANT else self._parse_constant(word[0]), word.end()

    def _decode_object(self, text: str, begin: int) -> tuple[Any, int]:
        if self._may_read_twice:
            piece = text[begin - 1 : begin - 1 + _SMALL_OBJECT_CHARACTERS]
            try:
                value, end = self._scan_small(piece, 0)
            except (JSONDecodeError, StopIteration):  # too long, or not JSON
                self._may_read_twice -= 1
            else:
                return value, begin - 1 + end
        pairs: list[tuple[str, Any]] = []
        at = _skip_blanks(text, begin)
        if text[at : at + 1] == "}":
            return self._object_pairs_hook(pairs), at + 1
        while True:
            if text[at : at + 1] != '"':
                raise JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
            key, at = _decode_string(text, at + 1)
            at = _skip_blanks(text, at)
            if text[at : at + 1] != ":":
                raise JSONDecodeError("Expecting ':' delimiter", text, at)
            value, at = self._decode_value(text, _skip_blanks(text, at + 1))
            pairs.append((self._key_hook(key), value))
            at, is_last = _skip_comma(text, at, "}")
            if is_last:
                return self._object_pairs_hook(pairs), at

    def _decode_array(self, text: str, begin: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        at = _skip_blanks(text, begin)
        if text[at : at + 1] == "]":
            return items, at + 1
        while True:
            item, at = self._decode_value(text, at)
            items.append(item)
            at, is_last = _skip_comma(text, at, "]")
            if is_last:
                return items, at


def _skip_blanks(text: str, begin: int) -> int:
    if text[begin : begin + 1] not in _BLANK:
        return begin
    while True:
        blanks = _BLANKS.match(text, begin, begin + LARGE_STEP_CHARACTERS)
        assert blanks is not None
        if blanks.end() < begin + LARGE_STEP_CHARACTERS:
            return blanks.end()
        begin = blanks.end()
        pause()


def _skip_comma(text: str, begin: int, closing: str) -> tuple[int, bool]:
    """Read what follows a member: a comma, or the end of its object or array.

    Returns where the rest begins, and whether the member was the last.
    """
    at = _skip_blanks(text, begin)
    character = text[at : at + 1]
    if character == closing:
        return at + 1, True
    if character != ",":
        raise JSONDecodeError("Expecting ',' delimiter", text, at)
    return _skip_blanks(text, at + 1), False


def _decode_string(text: str, begin: int) -> tuple[str, int]:
    """Decode the string that begins at `begin`, and return where the rest begins."""
    quote = text.find('"', begin, begin + _FIRST_STEP_CHARACTERS)
    if quote >= 0 and text.find("\\", begin, quote) < 0:
        found, end = scanstring(text, begin)
        return found, end
    pieces: list[str] = []
    at, step = begin, _FIRST_STEP_CHARACTERS
    while True:
        if step == LARGE_STEP_CHARACTERS:
            pause()
        piece = _without_cut_escape(text[at : at + step])
        if not piece:
            raise JSONDecodeError("Unterminated string starting at", text, begin - 1)
        try:
            found, end = scanstring(f'{piece}"', 0)
        except JSONDecodeError as error:
            raise JSONDecodeError(error.msg, text, at + error.pos) from error
        _append_piece(pieces, found)
        if end <= len(piece):
            return join_pieces(pieces), at + end
        at += len(piece)
        step = min(2 * step, LARGE_STEP_CHARACTERS)


def _without_cut_escape(piece: str) -> str:
    """Remove an incomplete escape from the end of a piece.

    The piece must not begin within an escape.
    """
    last = piece.rfind("\\", -min(len(piece), _MAX_ESCAPE_CHARACTERS))
    if last < 0:
        return piece
    backslashes = last + 1 - len(piece[: last + 1].rstrip("\\"))
    if backslashes % 2 == 0:  # the last one is escaped by the one before
        return piece
    end = last + (_MAX_ESCAPE_CHARACTERS if piece.startswith("u", last + 1) else len("\\n"))
    return piece[:last] if end > len(piece) else piece


def _append_piece(pieces: list[str], piece: str) -> None:
    """Append a piece of a string, and join a surrogate pair that the cut separated."""
    if pieces and "\ud800" <= pieces[-1][-1:] <= "\udbff" and "\udc00" <= piece[:1] <= "\udfff":
        halves = pieces[-1][-1:] + piece[:1]
        pieces[-1] = pieces[-1][:-1] + halves.encode("utf-16", "surrogatepass").decode("utf-16")
        piece = piece[1:]
    pieces.append(piece)
