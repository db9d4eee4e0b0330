"""Firestore's typed values, as its REST interface sends them: {"stringValue": "Pro"}."""

from __future__ import annotations

import re
from typing import Any

from data_capture.json_codec import JsonObject

_INTEGER = re.compile(r"-?[0-9]{1,19}")

_TYPES = frozenset({
    "stringValue", "integerValue", "doubleValue", "booleanValue", "timestampValue", "nullValue",
    "mapValue", "arrayValue", "referenceValue", "bytesValue", "geoPointValue",
})  # fmt: skip


def is_typed(fields: Any) -> bool:
    """Tell whether all members of an object are typed values."""
    return isinstance(fields, dict) and bool(fields) and all(map(_is_value, fields.values()))


def decode_fields(fields: JsonObject) -> JsonObject:
    """Decode the `fields` of a document; return other objects as they are."""
    if not is_typed(fields):
        return fields
    return {name: _decode_value(value) for name, value in fields.items()}


def _is_value(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and not _TYPES.isdisjoint(value)


def _decode_value(value: JsonObject) -> Any:
    [(type_name, content)] = value.items()
    if type_name == "nullValue":
        return None
    if type_name == "integerValue" and isinstance(content, str) and _INTEGER.fullmatch(content):
        return int(content)
    if type_name == "mapValue" and isinstance(content, dict):
        fields = content.get("fields", {})
        return decode_fields(fields) if isinstance(fields, dict) else fields
    if type_name == "arrayValue" and isinstance(content, dict):
        values = content.get("values", [])
        if isinstance(values, list):
            return [_decode_value(item) if _is_value(item) else item for item in values]
    return content
