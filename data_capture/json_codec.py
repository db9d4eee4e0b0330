"""JSON: from a request's bytes to an object that is safe to walk and store, and back to text."""

from __future__ import annotations

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from functools import partial
from json.encoder import c_make_encoder  # type: ignore[attr-defined]  # typeshed leaves it out
from json.encoder import encode_basestring as quoted
from typing import Any, NoReturn

from data_capture.images import is_large_file
from data_capture.json_limits import (
    MAX_DIFFERENT_KEYS,
    MAX_VALUES,
    JsonLimits,
    max_values_in,
)
from data_capture.large_json import LargeDecoder
from data_capture.problems import NOT_JSON, TOO_LARGE, Problem
from data_capture.scanning import (
    LARGE_STEP_CHARACTERS,
    contains,
    join_pieces,
    overlapping_steps,
    pause,
    steps,
)
from data_capture.unique_keys import UniqueKeys

MAX_BYTES = 1_000_000
MAX_BYTES_OF_A_BATCH = 20_000_000
MAX_BYTES_WITH_SCREENSHOT = 20_000_000  # a picture of 10 MB is 14 MB of base64
MAX_BYTES_OF_A_DASHBOARD = 20_000_000  # 54,000 trades of 370 bytes
MAX_KEY_CHARACTERS = 256
MAX_DIGITS = 1_000  # of a number; parsing an integer takes time in the square of its digits
MAX_DEPTH = 64  # real payloads nest about 6 deep; recursive walks need a limit

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_REPLACEMENT_CHARACTER = "�"
_BYTE_ORDER_MARK = "\ufeff"

_MAX_EXACT_CHARACTERS = 16  # a double represents 15 digits exactly; one more for the point

JsonObject = dict[str, Any]
"""A parsed JSON object. Numbers with a point or an exponent are `Decimal` and keep all digits."""


def decode_json_object(body: bytes, max_values: int = MAX_VALUES) -> JsonObject:
    """Decode a body that holds a JSON object in UTF-8 (RFC 8259).

    Keys must be unique in their object and at most `MAX_KEY_CHARACTERS` long, and the nesting at
    most `MAX_DEPTH` deep. Lone surrogates, which UTF-8 cannot represent, become U+FFFD.

    Raises:
        Problem: 400 if the body is not such an object; 413 if it has more than `max_values` values,
            or too many opening brackets or different keys for as many values.
    """
    try:
        text = body.decode() if len(body) <= MAX_BYTES else _decode_in_steps(body)
    except UnicodeDecodeError as error:
        raise _not_utf8(error.start) from error
    text = text.removeprefix(_BYTE_ORDER_MARK)
    if not text.strip():
        raise Problem(NOT_JSON, "The body is empty; a JSON object is needed.")
    value = decode_json(text, max_values)
    if not isinstance(value, dict):
        raise Problem(
            NOT_JSON, f"The body is JSON, but {_describe_type(value)}; an object is needed."
        )
    return value


def decode_json(text: str, max_values: int | None = None) -> Any:
    """Decode a JSON text, with the limits of `decode_json_object`.

    Args:
        text: the text.
        max_values: None stands for `max_values_in`.

    Raises:
        Problem: as `decode_json_object`.
    """
    # A text of this length cannot exceed a limit. Counting takes a fifth of a payment's decoding.
    if len(text) <= MAX_DIFFERENT_KEYS:
        value = _parse(text, _DECODER)
        if text.count("{") + text.count("[") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
            raise _too_deep()
        return _without_lone_surrogates(value) if _has_escaped_surrogate(text) else value
    return _decode_limited(
        text, JsonLimits(max_values_in(len(text)) if max_values is None else max_values)
    )


def _decode_limited(text: str, limits: JsonLimits) -> Any:
    is_large = len(text) > MAX_BYTES
    count = partial(_count_and_pause, text) if is_large else text.count
    if count(",") > limits.values:
        raise _too_many_values(limits.values)
    brackets = count("{") + count("[")
    if is_large and brackets > limits.brackets:
        raise _too_many_values(limits.brackets)
    value = _parse(text, _make_large_decoder(limits) if is_large else _DECODER)
    if brackets > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise _too_deep()
    if brackets > limits.brackets:
        raise _too_many_values(limits.brackets)
    # Each key has a colon, so the keys need counting only if there are many colons.
    if (
        not is_large
        and count(":") > limits.different_keys
        and len(collect_keys(value)) > limits.different_keys
    ):
        raise _too_many_keys(limits.different_keys)
    if any(map(_has_escaped_surrogate, overlapping_steps(text))):
        return _without_lone_surrogates(value)
    return value


def encode_json(value: Any, *, sort_keys: bool = False) -> str:
    """Encode a JSON value as compact text, without escapes for non-ASCII characters."""
    return "".join((_encode_sorted if sort_keys else _encode)(value, 0))


def encode_decimal(number: Decimal) -> str:
    """Encode a number as `encode_json` does."""
    encodable = _to_encodable(number)
    return repr(encodable) if isinstance(encodable, float) else quoted(encodable)


def collect_keys(value: Any) -> set[str]:
    """Collect all keys of all objects in a JSON value."""
    keys: set[str] = set()
    _add_keys(value, keys)
    return keys


def count_text_characters(value: Any) -> int:
    """Count the characters of a payload's keys and texts, without files."""
    if isinstance(value, str):
        return 0 if is_large_file(value) else len(value)
    if isinstance(value, dict):
        return sum(map(len, value)) + sum(map(count_text_characters, value.values()))
    return sum(map(count_text_characters, value)) if isinstance(value, list) else 0


def count_file_characters(value: Any) -> int:
    """Count the characters of the pictures and other files in a payload."""
    if isinstance(value, dict):
        return sum(map(count_file_characters, value.values()))
    if isinstance(value, list):
        return sum(map(count_file_characters, value))
    return len(value) if isinstance(value, str) and is_large_file(value) else 0


# --- Decoding ---------------------------------------------------------------------------------


def _decode_in_steps(body: bytes) -> str:
    """Decode UTF-8 in steps, so that other threads can run in between."""
    decoder = getincrementaldecoder("utf-8")()
    pieces: list[str] = []
    read_bytes = 0
    for step in steps(body, LARGE_STEP_CHARACTERS):
        pending_bytes = len(decoder.getstate()[0])  # of a character that began in the step before
        try:
            pieces.append(decoder.decode(step, final=read_bytes + len(step) == len(body)))
        except UnicodeDecodeError as error:
            raise _not_utf8(read_bytes - pending_bytes + error.start) from error
        read_bytes += len(step)
    return join_pieces(pieces)


def _count_and_pause(text: str, character: str) -> int:
    count = text.count(character)
    pause()
    return count


def _parse(text: str, decoder: json.JSONDecoder | LargeDecoder) -> Any:
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        raise Problem(
            NOT_JSON,
            f"The body is not JSON: {error.msg}, line {error.lineno}, column {error.colno}.",
        ) from error
    except RecursionError as error:
        raise _too_deep() from error


def _parse_integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise Problem(NOT_JSON, "The body holds a number with too many digits.")
    return int(text)


def _parse_decimal(text: str) -> Decimal:
    if len(text) > MAX_DIGITS:
        raise Problem(NOT_JSON, "The body holds a number with too many digits.")
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise Problem(NOT_JSON, "The body holds a number with too large an exponent.") from error


def _reject_constant(_name: str) -> NoReturn:
    raise Problem(
        NOT_JSON, "The body is not JSON: NaN and Infinity are not JSON numbers; send null."
    )


def _build_object(pairs: list[tuple[str, Any]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Problem(
            NOT_JSON, "An object in the body has the same key twice, so its meaning is ambiguous."
        )
    # Most objects' keys are short all together. Without the first check, decoding a payment takes
    # 6 % longer.
    if len("".join(members)) > MAX_KEY_CHARACTERS and max(map(len, members)) > MAX_KEY_CHARACTERS:
        raise Problem(
            NOT_JSON,
            f"An object in the body has a key of more than {MAX_KEY_CHARACTERS} characters.",
        )
    return members


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


def _has_escaped_surrogate(text: str) -> bool:
    return "\\u" in text and contains(_ESCAPED_SURROGATE, text)


def _without_lone_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        if value.isascii():
            return value
        return join_pieces(
            _LONE_SURROGATE.sub(_REPLACEMENT_CHARACTER, step) for step in steps(value)
        )
    if isinstance(value, list):
        return [_without_lone_surrogates(item) for item in value]
    if isinstance(value, dict):
        members: JsonObject = {}
        unique_keys = UniqueKeys(members)  # keys that differ only in surrogates become equal
        for key, item in value.items():
            unique_key = unique_keys.make_unique(_without_lone_surrogates(key))
            members[unique_key] = _without_lone_surrogates(item)
        return members
    return value


def _describe_type(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _not_utf8(byte: int) -> Problem:
    return Problem(NOT_JSON, f"The body is not UTF-8: byte {byte} can't be decoded.")


def _too_deep() -> Problem:
    return Problem(NOT_JSON, f"The body nests objects or arrays more than {MAX_DEPTH} deep.")


def _too_many_values(max_values: int) -> Problem:
    return Problem(TOO_LARGE, f"The body holds more than {max_values:,} values.")


def _too_many_keys(max_keys: int) -> Problem:
    return Problem(TOO_LARGE, f"The body holds more than {max_keys:,} different keys.")


# json.loads and json.dumps would create a decoder or encoder for each call.
_DECODER = json.JSONDecoder(
    parse_int=_parse_integer,
    parse_float=_parse_decimal,
    parse_constant=_reject_constant,
    object_pairs_hook=_build_object,
)


def _make_large_decoder(limits: JsonLimits) -> LargeDecoder:
    """Return a decoder that keeps one copy of each key, and counts the keys as it reads them."""
    known: dict[str, str] = {}
    max_keys = limits.different_keys

    def note_key(key: str) -> str:
        found = known.setdefault(key, key)
        if len(known) > max_keys:
            raise _too_many_keys(max_keys)
        return found

    def build_object(pairs: list[tuple[str, Any]]) -> JsonObject:
        return _build_object([(note_key(key), value) for key, value in pairs])

    return LargeDecoder(
        parse_int=_parse_integer,
        parse_float=_parse_decimal,
        parse_constant=_reject_constant,
        object_pairs_hook=build_object,
        max_digits=MAX_DIGITS,
        key_hook=note_key,
    )


# --- Encoding ---------------------------------------------------------------------------------


def _to_encodable(value: Any) -> float | str:
    """Return a number as a float if that keeps its digits, otherwise as text."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is not a JSON value")
    # The shortest spelling of the nearest double is the number itself for up to 15 digits.
    digits = str(value)
    nearest = float(digits)
    if len(digits) <= _MAX_EXACT_CHARACTERS and "E" not in digits:
        return nearest
    return nearest if Decimal(repr(nearest)) == value else digits


def _quote(text: str) -> str:
    """Encode a text as a JSON string.

    The encoder calls it from Python, so that other threads run between two texts. If the encoder
    called `quoted` itself, no other thread would run until the whole value is encoded, which takes
    50 ms at 1 MB.
    """
    if len(text) <= LARGE_STEP_CHARACTERS:
        return quoted(text)
    pieces = [quoted(step)[1:-1] for step in steps(text, LARGE_STEP_CHARACTERS)]
    return join_pieces(['"', *pieces, '"'])


# Called directly: with json.dumps, parsing a payment takes as long, a questionnaire 22 % and a
# dashboard 31 % longer. Parsed JSON has no cycles and no NaN, so both checks are off.
_encode, _encode_sorted = (
    c_make_encoder(None, _to_encodable, _quote, None, ":", ",", sort_keys, False, False)
    for sort_keys in (False, True)
)
