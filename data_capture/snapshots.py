"""What is kept of a payload beside its columns: the snapshot in its audit record, and the digest in its receipt."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from json.encoder import encode_basestring as quoted
from typing import Any

from data_capture.payloads import ByKeys, JsonObject, encode_decimal, encode_json

_MASKED = "_masked"
_KIND = "type"


def snapshot_of(payload: JsonObject, masked: list[str]) -> str:
    """What an audit record keeps of a payload: the payload as it is stored, and under `_masked` where it was masked."""
    return snapshot_and_digest(payload, masked)[0]


def snapshot_and_digest(payload: JsonObject, masked: list[str]) -> tuple[str, bytes]:
    """The same, and what tells whether two payloads under one `capture_id` are the same, in whatever order their members come.

    The digest is SHA-256 of the payload as JSON with sorted keys, but for its `type`, which the address of a capture says
    as well. Most members are neither objects nor lists: their text is the same in both, and is made once.
    """
    names, order = _SPELLED.of(payload)
    members: list[str] = []
    nested: dict[int, str] = {}
    for name, value in zip(names, payload.values(), strict=True):
        if isinstance(value, str):
            members.append(name + quoted(value))
            continue
        if isinstance(value, (dict, list)):
            nested[len(members)] = name + encode_json(value, sort_keys=True)
        members.append(name + _encoded(value))
    in_order = members if not nested else [nested.get(place, member) for place, member in enumerate(members)]
    digest = hashlib.sha256(f"{{{','.join([in_order[place] for place in order])}}}".encode()).digest()
    if masked:
        name = _MASKED
        while name in payload:  # a member of the page's own
            name = f"_{name}"
        members.append(f"{quoted(name)}:{encode_json(masked)}")
    return f"{{{','.join(members)}}}", digest


def _encoded(value: Any) -> str:
    if value is None:
        return "null"
    return encode_decimal(value) if isinstance(value, Decimal) else encode_json(value)


def _spelled(keys: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """An object's keys as JSON spells them, and the places of its members in the order in which the digest has them."""
    in_digest = sorted((key, place) for place, key in enumerate(keys) if key != _KIND)
    return tuple(f"{quoted(key)}:" for key in keys), tuple(place for _, place in in_digest)


_SPELLED = ByKeys(_spelled)
