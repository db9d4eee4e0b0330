"""From the bytes of a request to a JSON object that is safe to walk, store and write out again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NoReturn, cast

from flask import Request

from data_capture.problems import NOT_JSON, NOT_JSON_TYPE, TOO_LARGE, Problem

MOST_BYTES = 1_000_000
MOST_BYTES_WITH_SCREENSHOT = 20_000_000  # a 13 MB picture as base64, and room for the rest
MOST_DEPTH = 64  # real payloads nest to about 6; the bound keeps every walk's recursion small

# A browser sends text/plain across origins without asking first, which is what gets a capture out of a closing page.
CAPTURE_MEDIA_TYPES = ("application/json", "text/plain")
JSON_MEDIA_TYPES = ("application/json",)

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_REPLACEMENT_CHARACTER = "�"

JsonObject = dict[str, Any]
"""A JSON object as parsed here: numbers with a point or an exponent are `Decimal`, so that money keeps its digits."""


def read_json_object(request: Request, media_types: tuple[str, ...], most_bytes: int = MOST_BYTES) -> JsonObject:
    """The request's body as a JSON object.

    Raises:
        Problem: 400 not such an object, 413 over `most_bytes`, 415 another media type.
    """
    media_type = request.mimetype
    if media_type not in media_types and not (media_type.startswith("application/") and media_type.endswith("+json")):
        raise Problem(NOT_JSON_TYPE, "Send a JSON object with the header 'Content-Type: application/json'.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(NOT_JSON_TYPE, "Compressed bodies are not taken; send the JSON as it is.")
    if request.content_length is not None and request.content_length > most_bytes:
        raise _too_large(most_bytes)
    request.max_content_length = most_bytes  # for a body of unannounced length: reading stops here
    return decode_json_object(request.get_data(cache=False))


def decode_json_object(body: bytes) -> JsonObject:
    """The JSON object that `body` holds: UTF-8, RFC 8259, no key twice, nested at most `MOST_DEPTH` deep.

    Lone surrogates, which no UTF-8 file can hold, become U+FFFD.

    Raises:
        Problem: 400, saying what is wrong and where.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(NOT_JSON, f"The body is not UTF-8: byte {error.start} can't be decoded.") from error
    if not text.strip():
        raise Problem(NOT_JSON, "The body is empty; a JSON object is needed.")
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise Problem(NOT_JSON, f"The body is not JSON: {error.msg}, line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:  # Python's own bound on the digits of an integer
        raise Problem(NOT_JSON, "The body holds a number with too many digits.") from error
    if not isinstance(value, dict):
        raise Problem(NOT_JSON, f"The body is JSON, but {_name_of(value)}; an object is needed.")
    if _is_deeper(value, MOST_DEPTH):
        raise _too_deep()
    if _ESCAPED_SURROGATE.search(text):
        value = _without_lone_surrogates(value)
    return cast(JsonObject, value)


def encode_json(value: Any, *, sort_keys: bool = False) -> str:
    """`value` as compact JSON text that SQLite and any reader take."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=sort_keys, default=_encode_decimal)


def _encode_decimal(value: Any) -> float | str:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is not a JSON value")
    # The shortest spelling of the nearest double is the number itself for up to 15 digits; longer ones keep theirs as text.
    nearest = float(value)
    return nearest if Decimal(repr(nearest)) == value else str(value)


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Problem(NOT_JSON, "An object in the body has the same key twice, so it has no one meaning.")
    return members


def _refuse_constant(_name: str) -> NoReturn:
    raise Problem(NOT_JSON, "The body is not JSON: NaN and Infinity are not JSON numbers; send null.")


def _is_deeper(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        children: Iterable[Any] = value.values()
    elif isinstance(value, list):
        children = value
    else:
        return False
    return levels == 0 or any(_is_deeper(child, levels - 1) for child in children)


def _without_lone_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _LONE_SURROGATE.sub(_REPLACEMENT_CHARACTER, value)
    if isinstance(value, list):
        return [_without_lone_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_lone_surrogates(key): _without_lone_surrogates(item) for key, item in value.items()}
    return value


def _name_of(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _too_deep() -> Problem:
    return Problem(NOT_JSON, f"The body nests objects or arrays more than {MOST_DEPTH} deep.")


def _too_large(most_bytes: int) -> Problem:
    return Problem(TOO_LARGE, f"The body is larger than the {most_bytes:,} bytes that this address takes.")
