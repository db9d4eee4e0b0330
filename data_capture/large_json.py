"""Decoding JSON texts of many MB in steps, since no other thread runs while the standard decoder reads one."""

from __future__ import annotations

import re
from collections.abc import Callable
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed leaves it out
from typing import Any

from data_capture.scanning import LARGE_STEP_CHARACTERS, pause

_FIRST_STEP_CHARACTERS = 4_096  # of a string; most end within it
_MAX_ESCAPE_CHARACTERS = len("\\ud83d")
_BLANK = frozenset(" \t\n\r")
_BLANKS = re.compile("[ \t\n\r]*")
_WORD = re.compile("true|false|null|NaN|-?Infinity")
_MEANT = {"true": True, "false": False, "null": None}


class LargeDecoder:
    """Decodes what `json.JSONDecoder` decodes, to the same values; between two values of the text other threads can run.

    Args:
        parse_int: called with each whole number.
        parse_float: called with each other number.
        parse_constant: called with NaN and the infinities.
        object_pairs_hook: called with each object's pairs.
        max_digits: how many digits of a number are read; one that has more is passed on with more, and not whole.
    """

    def __init__(
        self,
        *,
        parse_int: Callable[[str], Any],
        parse_float: Callable[[str], Any],
        parse_constant: Callable[[str], Any],
        object_pairs_hook: Callable[[list[tuple[str, Any]]], Any],
        max_digits: int,
    ) -> None:
        self._parse_int = parse_int
        self._parse_float = parse_float
        self._parse_constant = parse_constant
        self._object_pairs_hook = object_pairs_hook
        digits = f"[0-9]{{0,{max_digits}}}"
        self._number = re.compile(
            rf"(-?(?:0|[1-9]{digits}))(\.[0-9]{digits})?([eE][-+]?[0-9]{digits})?"
        )

    def decode(self, text: str) -> Any:
        """Return the value that `text` holds.

        Raises:
            JSONDecodeError: it is not JSON.
            RecursionError: it nests too deep.
        """
        value, end = self._value(text, _after_blanks(text, 0))
        end = _after_blanks(text, end)
        if end < len(text):
            raise JSONDecodeError("Extra data", text, end)
        return value

    def _value(self, text: str, begin: int) -> tuple[Any, int]:
        sign = text[begin : begin + 1]
        if sign == '"':
            return _string(text, begin + 1)
        if sign == "{":
            return self._object(text, begin + 1)
        if sign == "[":
            return self._array(text, begin + 1)
        number = self._number.match(text, begin)
        if number is not None:
            is_whole = number[2] is None and number[3] is None
            return (self._parse_int if is_whole else self._parse_float)(number[0]), number.end()
        word = _WORD.match(text, begin)
        if word is None:
            raise JSONDecodeError("Expecting value", text, begin)
        return _MEANT[word[0]] if word[0] in _MEANT else self._parse_constant(word[0]), word.end()

    def _object(self, text: str, begin: int) -> tuple[Any, int]:
        pairs: list[tuple[str, Any]] = []
        at = _after_blanks(text, begin)
        if text[at : at + 1] == "}":
            return self._object_pairs_hook(pairs), at + 1
        while True:
            if text[at : at + 1] != '"':
                raise JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
            key, at = _string(text, at + 1)
            at = _after_blanks(text, at)
            if text[at : at + 1] != ":":
                raise JSONDecodeError("Expecting ':' delimiter", text, at)
            value, at = self._value(text, _after_blanks(text, at + 1))
            pairs.append((key, value))
            at, is_last = _after_comma(text, at, "}")
            if is_last:
                return self._object_pairs_hook(pairs), at

    def _array(self, text: str, begin: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        at = _after_blanks(text, begin)
        if text[at : at + 1] == "]":
            return items, at + 1
        while True:
            item, at = self._value(text, at)
            items.append(item)
            at, is_last = _after_comma(text, at, "]")
            if is_last:
                return items, at


def _after_blanks(text: str, begin: int) -> int:
    if text[begin : begin + 1] not in _BLANK:
        return begin
    while True:
        blanks = _BLANKS.match(text, begin, begin + LARGE_STEP_CHARACTERS)
        assert blanks is not None
        if blanks.end() < begin + LARGE_STEP_CHARACTERS:
            return blanks.end()
        begin = blanks.end()
        pause()


def _after_comma(text: str, begin: int, closing: str) -> tuple[int, bool]:
    """Where what follows a member begins, and whether it was the last, with the object's or array's end behind it."""
    at = _after_blanks(text, begin)
    sign = text[at : at + 1]
    if sign == closing:
        return at + 1, True
    if sign != ",":
        raise JSONDecodeError("Expecting ',' delimiter", text, at)
    return _after_blanks(text, at + 1), False


def _string(text: str, begin: int) -> tuple[str, int]:
    """The string that begins there, behind its quote, and where what follows begins."""
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
        _append(pieces, found)
        if end <= len(piece):
            return "".join(pieces), at + end
        at += len(piece)
        step = min(2 * step, LARGE_STEP_CHARACTERS)


def _without_cut_escape(piece: str) -> str:
    """`piece`, which does not begin within an escape, without the escape that its end cuts off."""
    last = piece.rfind("\\", -min(len(piece), _MAX_ESCAPE_CHARACTERS))
    if last < 0:
        return piece
    backslashes = last + 1 - len(piece[: last + 1].rstrip("\\"))
    if backslashes % 2 == 0:  # the last is escaped by the one before
        return piece
    end = last + (_MAX_ESCAPE_CHARACTERS if piece.startswith("u", last + 1) else len("\\n"))
    return piece[:last] if end > len(piece) else piece


def _append(pieces: list[str], piece: str) -> None:
    """Append a piece of a string; two halves of a character that two escapes spell, one at each side, become one."""
    if pieces and "\ud800" <= pieces[-1][-1:] <= "\udbff" and "\udc00" <= piece[:1] <= "\udfff":
        halves = pieces[-1][-1:] + piece[:1]
        pieces[-1] = pieces[-1][:-1] + halves.encode("utf-16", "surrogatepass").decode("utf-16")
        piece = piece[1:]
    pieces.append(piece)
