"""What is kept of a payload beside its columns: the snapshot in its audit record, and the digest in its receipt."""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal
from itertools import islice
from json.encoder import encode_basestring as quoted
from typing import Any

from data_capture.identity import normalise_email
from data_capture.payloads import ByKeys, JsonObject, encode_decimal, encode_json

_CONTENT = hashlib.blake2b(digest_size=hashlib.sha256().digest_size)  # copied: that takes a fifth of the time of making one
_MASKED = "_masked"
_KIND = "type"

_VOLATILE_WORDS = (
    "capture_id", "capture_timestamp", "timestamp", "ts", "nonce", "request_id", "created_at", "updated_at", "saved_at",
    "sent_at", "last_activity", "last_seen", "last_saved", "last_sync", "last_synced", "last_update", "last_updated",
)  # fmt: skip


def _in_camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


VOLATILE_NAMES = frozenset({*_VOLATILE_WORDS, *map(_in_camel_case, _VOLATILE_WORDS)})
"""Members that differ each time the same is sent. Captures that differ in nothing else have the same content."""

_ADDRESS_KEYS = frozenset({"user_email", "userEmail", "email"})

_VOLATILE = re.compile(f'"(?:{"|".join(sorted(VOLATILE_NAMES))})":')


def snapshot_of(payload: JsonObject, masked: list[str]) -> str:
    """What an audit record keeps of a payload: the payload as it is stored, and under `_masked` where it was masked."""
    return snapshot_and_digest(payload, masked)[0]


def snapshot_and_digest(payload: JsonObject, masked: list[str]) -> tuple[str, bytes]:
    """The same, and what tells whether two payloads under one `capture_id` are the same, in whatever order their members come."""
    return snapshot_and_digests(payload, masked)[:2]


def snapshot_and_digests(
    payload: JsonObject, masked: list[str], user_email: str | None = None
) -> tuple[str, bytes, bytes]:
    """The same, and what tells whether two captures have the same content: whether the second says nothing but the time.

    The digest is SHA-256 of the payload as JSON with sorted keys, but for its `type`, which the address of a capture says
    as well. That of the content, BLAKE2b, also leaves out `VOLATILE_NAMES`, and how the payload spells `user_email`. Most
    members are neither objects nor lists: their text is the same in all three, and is made once.
    """
    names, order, lasting, addresses = _SPELLED.of(payload)
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
    digest = hashlib.sha256(_object([in_order[place] for place in order])).digest()
    values = list(payload.values()) if nested else []
    for place, text in nested.items():
        if _VOLATILE.search(text) is not None:
            in_order[place] = names[place] + encode_json(_without_volatile(values[place]), sort_keys=True)
    respelled = [place for place in addresses if _is_respelled(payload, place, user_email)]
    if respelled:
        same = quoted(user_email or "")
        in_order = [names[place] + same if place in respelled else member for place, member in enumerate(in_order)]
    content = _CONTENT.copy()
    content.update(_object([in_order[place] for place in lasting]))
    if masked:
        name = _MASKED
        while name in payload:  # a member of the page's own
            name = f"_{name}"
        members.append(f"{quoted(name)}:{encode_json(masked)}")
    return f"{{{','.join(members)}}}", digest, content.digest()


def _object(members: list[str]) -> bytes:
    return f"{{{','.join(members)}}}".encode()


def _without_volatile(value: Any) -> Any:
    """An object without its volatile members, and without those of the objects in it. In a list each time is content."""
    if not isinstance(value, dict):
        return value
    return {name: _without_volatile(member) for name, member in value.items() if name not in VOLATILE_NAMES}


def _encoded(value: Any) -> str:
    if value is None:
        return "null"
    return encode_decimal(value) if isinstance(value, Decimal) else encode_json(value)


def _is_respelled(payload: JsonObject, place: int, user_email: str | None) -> bool:
    """Whether a member is the address of the capture's user in another spelling than the normalised one."""
    value = next(islice(payload.values(), place, None))
    return user_email is not None and value != user_email and normalise_email(value) == user_email


def _spelled(keys: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """An object's keys as JSON spells them, the places of its members in the order in which each digest has them, and those
    of members that may be the user's address.
    """
    in_digest = sorted((key, place) for place, key in enumerate(keys) if key != _KIND)
    lasting = tuple(place for key, place in in_digest if key not in VOLATILE_NAMES)
    addresses = tuple(place for place, key in enumerate(keys) if key in _ADDRESS_KEYS)
    return tuple(f"{quoted(key)}:" for key in keys), tuple(place for _, place in in_digest), lasting, addresses


_SPELLED = ByKeys(_spelled)
