"""From the bytes of a request to a JSON object that is safe to walk, store and write out again."""

from __future__ import annotations

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from functools import partial
from json.encoder import c_make_encoder  # type: ignore[attr-defined]  # typeshed leaves it out
from json.encoder import encode_basestring as quoted
from typing import Any, Generic, NoReturn, TypeVar, cast

from data_capture.images import is_large_file
from data_capture.large_json import LargeDecoder
from data_capture.problems import NOT_JSON, TOO_LARGE, Problem
from data_capture.scanning import LARGE_STEP_CHARACTERS, pause, steps

MAX_BYTES = 1_000_000
MAX_BYTES_OF_A_BATCH = 20_000_000
MAX_BYTES_WITH_SCREENSHOT = (
    20_000_000  # 14 MB for a picture of 10 MB in base64, and room for the rest
)
# Commas, to be exact, and opening brackets, which are counted at once: a body of 1 MB that holds more is no page's.
MAX_VALUES = 50_000
MAX_DIFFERENT_KEYS = (
    10_000  # in all objects of a body; what a key says of its value is found out once for each
)
MAX_KEY_CHARACTERS = 256
MAX_DIGITS = 1_000  # of a number, in all its parts; a whole one takes time in the square of them
MAX_DEPTH = 64  # real payloads nest to about 6; the bound keeps every walk's recursion small

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_REPLACEMENT_CHARACTER = "�"
_BYTE_ORDER_MARK = "\ufeff"

_MAX_EXACT_CHARACTERS = 16  # of a number with a point: a double has 15 digits for certain

# Of one object, of all objects, and how many objects: what callers can make this keep is some MB at most.
_MAX_KEYS_REMEMBERED, _MAX_KEYS_REMEMBERED_IN_ALL, _MAX_OBJECTS_REMEMBERED = 100, 10_000, 500
_UNKNOWN = object()
Derived = TypeVar("Derived")

JsonObject = dict[str, Any]
"""A JSON object as parsed here: numbers with a point or an exponent are `Decimal`, so that money keeps its digits."""


def decode_json_object(body: bytes) -> JsonObject:
    """The JSON object that `body` holds: UTF-8, RFC 8259, no key twice or over `MAX_KEY_CHARACTERS`, at most `MAX_DEPTH` deep.

    Lone surrogates, which no UTF-8 file can hold, become U+FFFD.

    Raises:
        Problem: 400, saying what is wrong and where; 413 with more than `MAX_VALUES` or `MAX_DIFFERENT_KEYS`.
    """
    try:
        text = (body.decode() if len(body) <= MAX_BYTES else _decoded_in_steps(body)).removeprefix(
            _BYTE_ORDER_MARK
        )
    except UnicodeDecodeError as error:
        raise _not_utf8(error.start) from error
    if not text.strip():
        raise Problem(NOT_JSON, "The body is empty; a JSON object is needed.")
    value = decode_json(text)
    if not isinstance(value, dict):
        raise Problem(NOT_JSON, f"The body is JSON, but {_name_of(value)}; an object is needed.")
    return value


def decode_json(text: str) -> Any:
    """The JSON value that `text` holds, under the rules of `decode_json_object`.

    Raises:
        Problem: as `decode_json_object`.
    """
    is_large = len(text) > MAX_BYTES
    count = partial(_count, text) if is_large else text.count
    if count(",") > MAX_VALUES:
        raise _too_many_values()
    try:
        value = (_LARGE_DECODER if is_large else _DECODER).decode(text)
    except json.JSONDecodeError as error:
        raise Problem(
            NOT_JSON,
            f"The body is not JSON: {error.msg}, line {error.lineno}, column {error.colno}.",
        ) from error
    except RecursionError as error:
        raise _too_deep() from error
    brackets = count("{") + count("[")
    if brackets > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise _too_deep()
    if brackets > MAX_VALUES:
        raise _too_many_values()
    # With fewer colons there can't be more keys.
    if count(":") > MAX_DIFFERENT_KEYS and len(keys_in(value)) > MAX_DIFFERENT_KEYS:
        raise Problem(TOO_LARGE, f"The body holds more than {MAX_DIFFERENT_KEYS:,} different keys.")
    if is_large or ("\\u" in text and _ESCAPED_SURROGATE.search(text)):
        return _without_lone_surrogates(value)
    return value


def _decoded_in_steps(body: bytes) -> str:
    decoder = getincrementaldecoder("utf-8")()
    pieces: list[str] = []
    read_bytes = 0
    for step in steps(body, LARGE_STEP_CHARACTERS):
        kept_bytes = len(
            decoder.getstate()[0]
        )  # of a character that the step before has not all of
        try:
            pieces.append(decoder.decode(step, final=read_bytes + len(step) == len(body)))
        except UnicodeDecodeError as error:
            raise _not_utf8(read_bytes - kept_bytes + error.start) from error
        read_bytes += len(step)
    return "".join(pieces)


def _count(text: str, sign: str) -> int:
    """Count a sign in a large text, and let other threads have their turn."""
    count = text.count(sign)
    pause()
    return count


def keys_in(value: Any) -> set[str]:
    """All keys of all objects in a JSON value."""
    keys: set[str] = set()
    _add_keys(value, keys)
    return keys


def text_characters(value: Any) -> int:
    """How many characters a payload's keys and texts have, without the pictures and other files."""
    if isinstance(value, str):
        return 0 if is_large_file(value) else len(value)
    if isinstance(value, dict):
        return sum(map(len, value)) + sum(map(text_characters, value.values()))
    return sum(map(text_characters, value)) if isinstance(value, list) else 0


def encode_json(value: Any, *, sort_keys: bool = False) -> str:
    """`value` as compact JSON text that SQLite and any reader take."""
    return "".join((_encode_sorted if sort_keys else _encode)(value, 0))


def encode_decimal(number: Decimal) -> str:
    """What `encode_json` makes of a number."""
    encoded = _encode_decimal(number)
    return repr(encoded) if isinstance(encoded, float) else quoted(encoded)


class ByKeys(Generic[Derived]):
    """What follows from an object's keys alone, remembered, since pages send objects with the same keys again and again.

    Args:
        derive: what gives it; it has to give the same for the same keys.
    """

    def __init__(self, derive: Callable[[tuple[str, ...]], Derived]) -> None:
        self._derive = derive
        self._known: dict[tuple[str, ...], Derived] = {}
        self._keys_known = 0

    def of(self, members: JsonObject) -> Derived:
        """What follows from the keys of `members`."""
        keys = tuple(members)
        known = self._known.get(keys, _UNKNOWN)
        if known is not _UNKNOWN:
            return cast("Derived", known)
        derived = self._derive(keys)
        if len(keys) <= _MAX_KEYS_REMEMBERED and sum(map(len, keys)) <= _MAX_KEYS_REMEMBERED * 20:
            self._keys_known += len(keys)
            if (
                len(self._known) >= _MAX_OBJECTS_REMEMBERED
                or self._keys_known > _MAX_KEYS_REMEMBERED_IN_ALL
            ):
                self._known.clear()
                self._keys_known = len(keys)
            self._known[keys] = derived
        return derived


class FreeNames:
    """Names for members that would have one that another has already: `name (2)`, `name (3)` and so on.

    What was tried for one member is not tried for the next, however many would have the same name.

    Args:
        members: the object so far, which each member that gets a name is then put into.
    """

    def __init__(self, members: JsonObject) -> None:
        self._members = members
        self._next_numbers: dict[str, int] | None = None

    def free(self, name: str) -> str:
        """`name`, or when it is taken, one that is not."""
        if name not in self._members:
            return name
        if self._next_numbers is None:
            self._next_numbers = {}
        number = self._next_numbers.get(name, 2)
        while (other := f"{name} ({number})") in self._members:
            number += 1
        self._next_numbers[name] = number + 1
        return other


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise Problem(NOT_JSON, "The body holds a number with too many digits.")
    return int(text)


def _decimal(text: str) -> Decimal:
    if len(text) > MAX_DIGITS:
        raise Problem(NOT_JSON, "The body holds a number with too many digits.")
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise Problem(NOT_JSON, "The body holds a number with too large an exponent.") from error


def _encode_decimal(value: Any) -> float | str:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is not a JSON value")
    # The shortest spelling of the nearest double is the number itself for up to 15 digits; longer ones keep theirs as text.
    digits, nearest = str(value), float(value)
    if len(digits) <= _MAX_EXACT_CHARACTERS and "E" not in digits:
        return nearest
    return nearest if Decimal(repr(nearest)) == value else digits


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Problem(
            NOT_JSON, "An object in the body has the same key twice, so it has no one meaning."
        )
    # Most objects' keys are short all together, and that is quicker to see.
    if len("".join(members)) > MAX_KEY_CHARACTERS and max(map(len, members)) > MAX_KEY_CHARACTERS:
        raise Problem(
            NOT_JSON,
            f"An object in the body has a key of more than {MAX_KEY_CHARACTERS} characters.",
        )
    return members


def _refuse_constant(_name: str) -> NoReturn:
    raise Problem(
        NOT_JSON, "The body is not JSON: NaN and Infinity are not JSON numbers; send null."
    )


def _quoted(text: str) -> str:
    """Call `quoted` from Python, so that other threads can run between two texts.

    If the encoder called it, no other thread would run until the whole value is encoded, which takes 50 ms at 1 MB.
    """
    if len(text) <= LARGE_STEP_CHARACTERS:
        return quoted(text)
    return f'"{"".join([quoted(step)[1:-1] for step in steps(text, LARGE_STEP_CHARACTERS)])}"'


# Made once: json.loads and json.dumps would make them anew at each call.
_DECODER = json.JSONDecoder(
    parse_int=_integer,
    parse_float=_decimal,
    parse_constant=_refuse_constant,
    object_pairs_hook=_object,
)
_LARGE_DECODER = LargeDecoder(
    parse_int=_integer,
    parse_float=_decimal,
    parse_constant=_refuse_constant,
    object_pairs_hook=_object,
    max_digits=MAX_DIGITS,
)
_encode, _encode_sorted = (
    # What is parsed from JSON holds no circles, and no NaN.
    c_make_encoder(None, _encode_decimal, _quoted, None, ":", ",", sort_keys, False, False)
    for sort_keys in (False, True)
)


def _is_deeper(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        children: Iterable[Any] = value.values()
    elif isinstance(value, list):
        children = value
    else:
        return False
    return levels == 0 or any(_is_deeper(child, levels - 1) for child in children)


def _add_keys(value: Any, keys: set[str]) -> None:
    if isinstance(value, dict):
        keys.update(value)
        value = value.values()
    elif not isinstance(value, list):
        return
    for child in value:
        if isinstance(child, (dict, list)):
            _add_keys(child, keys)


def file_characters(value: Any) -> int:
    """Count the characters of the pictures and other files in a payload, which are not stored."""
    if isinstance(value, dict):
        return sum(map(file_characters, value.values()))
    if isinstance(value, list):
        return sum(map(file_characters, value))
    return len(value) if isinstance(value, str) and is_large_file(value) else 0


def _without_lone_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        if value.isascii():
            return value
        return "".join([_LONE_SURROGATE.sub(_REPLACEMENT_CHARACTER, step) for step in steps(value)])
    if isinstance(value, list):
        return [_without_lone_surrogates(item) for item in value]
    if isinstance(value, dict):
        members: JsonObject = {}
        names = FreeNames(members)  # two keys that differ in such halves alone become one
        for key, item in value.items():
            members[names.free(_without_lone_surrogates(key))] = _without_lone_surrogates(item)
        return members
    return value


def _name_of(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _not_utf8(byte: int) -> Problem:
    return Problem(NOT_JSON, f"The body is not UTF-8: byte {byte} can't be decoded.")


def _too_deep() -> Problem:
    return Problem(NOT_JSON, f"The body nests objects or arrays more than {MAX_DEPTH} deep.")


def _too_many_values() -> Problem:
    return Problem(TOO_LARGE, f"The body holds more than {MAX_VALUES:,} values.")
