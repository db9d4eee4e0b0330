"""What is kept of a payload beside its columns: the snapshot in its audit record, and the digest in its receipt."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from json.encoder import encode_basestring as quoted
from operator import itemgetter
from typing import Any, NamedTuple

from data_capture.capture.email import normalise_email
from data_capture.json_codec import ByKeys, JsonObject, encode_decimal, encode_json
from data_capture.scanning import LARGE_STEP_CHARACTERS, is_in, pause

_CONTENT = hashlib.blake2b(
    digest_size=hashlib.sha256().digest_size
)  # copied: that takes a fifth of the time of making one
_SCALARS = frozenset({str, int, bool, float, type(None), Decimal})
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
    spelled = _SPELLED.of(payload)
    values = [*payload.values()]
    members = [
        name
        + (
            quoted(value)
            if isinstance(value, str) and len(value) <= LARGE_STEP_CHARACTERS
            else _encoded(value)
        )
        for name, value in zip(spelled.names, values, strict=True)
    ]
    in_order = lasting = members
    if not _SCALARS.issuperset(map(type, values)):
        in_order, lasting = _with_sorted_keys(spelled.names, values, members)
    digest = hashlib.sha256(_object(spelled.in_digest(in_order))).digest()
    for place in spelled.addresses:
        if (
            values[place] != user_email
            and user_email is not None
            and normalise_email(values[place]) == user_email
        ):
            lasting = [*lasting]
            lasting[place] = spelled.names[place] + quoted(user_email)
    content = _CONTENT.copy()
    content.update(_object(spelled.in_content(lasting)))
    if masked:
        name = _MASKED
        while name in payload:  # a member of the page's own
            name = f"_{name}"
        members.append(f"{quoted(name)}:{encode_json(masked)}")
    return f"{{{','.join(members)}}}", digest, content.digest()


def _with_sorted_keys(
    names: tuple[str, ...], values: list[Any], members: list[str]
) -> tuple[list[str], list[str]]:
    """Spell the objects and lists among the members with sorted keys, first with and then without what is volatile in them."""
    in_order, lasting = [*members], [*members]
    for place, value in enumerate(values):
        if isinstance(value, (dict, list)):
            text = in_order[place] = lasting[place] = names[place] + encode_json(
                value, sort_keys=True
            )
            if is_in(_VOLATILE, text):
                lasting[place] = names[place] + encode_json(
                    _without_volatile(value), sort_keys=True
                )
    return in_order, lasting


def _object(members: Sequence[str]) -> bytes:
    encoded = f"{{{','.join(members)}}}".encode()
    if len(encoded) > 2 * LARGE_STEP_CHARACTERS:
        pause()
    return encoded


def _without_volatile(value: Any) -> Any:
    """An object without its volatile members, and without those of the objects in it. In a list each time is content."""
    if not isinstance(value, dict):
        return value
    return {
        name: _without_volatile(member)
        for name, member in value.items()
        if name not in VOLATILE_NAMES
    }


def _encoded(value: Any) -> str:
    if value is None:
        return "null"
    return encode_decimal(value) if isinstance(value, Decimal) else encode_json(value)


class _Spelled(NamedTuple):
    """What follows from an object's keys: how JSON spells them, the members of each digest in order, and those that may be
    the user's address, by their places.
    """

    names: tuple[str, ...]
    in_digest: Callable[[Sequence[str]], Sequence[str]]
    in_content: Callable[[Sequence[str]], Sequence[str]]
    addresses: tuple[int, ...]


def _spelled(keys: tuple[str, ...]) -> _Spelled:
    in_digest = sorted((key, place) for place, key in enumerate(keys) if key != _KIND)
    return _Spelled(
        tuple(f"{quoted(key)}:" for key in keys),
        _members_at([place for _, place in in_digest]),
        _members_at([place for key, place in in_digest if key not in VOLATILE_NAMES]),
        tuple(place for place, key in enumerate(keys) if key in _ADDRESS_KEYS),
    )


def _members_at(places: list[int]) -> Callable[[Sequence[str]], Sequence[str]]:
    if len(places) > 1:
        return itemgetter(*places)
    return lambda members: [members[place] for place in places]


_SPELLED = ByKeys(_spelled)
