"""A payload's snapshot for its audit record, and the digests that recognise repeated captures."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from json.encoder import encode_basestring as quoted
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from data_capture.capture.email import normalise_email
from data_capture.json_codec import JsonObject, encode_decimal, encode_json
from data_capture.keys_cache import KeysCache
from data_capture.scanning import LARGE_STEP_CHARACTERS, contains, join_pieces, steps

_DIGEST_BYTES = 32
_SCALARS = frozenset({str, int, bool, float, type(None), Decimal})
_MASKED = "_masked"
_KIND = "type"

_VOLATILE_WORDS = (
    "capture_id", "capture_timestamp", "timestamp", "ts", "nonce", "request_id", "created_at",
    "updated_at", "saved_at", "sent_at", "last_activity", "last_seen", "last_saved", "last_sync",
    "last_synced", "last_update", "last_updated",
)  # fmt: skip


def _to_camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


VOLATILE_NAMES = frozenset({*_VOLATILE_WORDS, *map(_to_camel_case, _VOLATILE_WORDS)})
"""Members that differ each time a page sends the same data; they are not part of the content."""

_EMAIL_KEYS = frozenset({"user_email", "userEmail", "email"})
_VOLATILE = re.compile(f'"(?:{"|".join(sorted(VOLATILE_NAMES))})":')


def snapshot_of(payload: JsonObject, masked: list[str]) -> str:
    """Return the payload as JSON, with a member `_masked` for the masked paths."""
    return snapshot_and_digest(payload, masked)[0]


def snapshot_and_digest(payload: JsonObject, masked: list[str]) -> tuple[str, bytes]:
    """Return the snapshot and the payload's digest."""
    return snapshot_and_digests(payload, masked)[:2]


def snapshot_and_digests(
    payload: JsonObject, masked: list[str], user_email: str | None = None
) -> tuple[str, bytes, bytes]:
    """Return the snapshot, the payload's digest and its content's digest.

    The payload's digest tells whether two payloads with one `capture_id` are equal, whatever the
    order of their members. It is SHA-256 of the payload as JSON with sorted keys, without `type`,
    which the endpoint also states.

    The content's digest tells whether two captures differ in nothing but the time. It is BLAKE2b
    of the same JSON without `VOLATILE_NAMES` and with `user_email` in its normalised spelling.

    Most members are neither objects nor lists: the JSON of such a member is the same in all three
    results and is made once.
    """
    layout = _LAYOUTS.get(payload)
    values = [*payload.values()]
    members = [
        name
        + (
            quoted(value)
            if isinstance(value, str) and len(value) <= LARGE_STEP_CHARACTERS
            else _encode_value(value)
        )
        for name, value in zip(layout.names, values, strict=True)
    ]
    sorted_members = content_members = members
    if not _SCALARS.issuperset(map(type, values)):
        sorted_members, content_members = _encode_with_sorted_keys(layout.names, values, members)
    content_members = _replace_email(content_members, layout, values, user_email)
    # Appended, so that the layout's indexes stay the same.
    if masked:
        members.append(f"{quoted(_find_free_key(_MASKED, payload))}:{encode_json(masked)}")
    snapshot = f"{{{join_pieces(members, ',')}}}"
    is_long = len(snapshot) > 2 * LARGE_STEP_CHARACTERS
    digest = _digest_object(hashlib.sha256(), layout.select_digest(sorted_members), is_long=is_long)
    content_digest = _digest_object(
        hashlib.blake2b(digest_size=_DIGEST_BYTES),
        layout.select_content(content_members),
        is_long=is_long,
    )
    return snapshot, digest, content_digest


def _encode_value(value: Any) -> str:
    if value is None:
        return "null"
    return encode_decimal(value) if isinstance(value, Decimal) else encode_json(value)


def _encode_with_sorted_keys(
    names: tuple[str, ...], values: list[Any], members: list[str]
) -> tuple[list[str], list[str]]:
    """Encode objects and lists with sorted keys, with and without volatile members."""
    sorted_members, content_members = [*members], [*members]
    for index, value in enumerate(values):
        if isinstance(value, (dict, list)):
            text = names[index] + encode_json(value, sort_keys=True)
            sorted_members[index] = content_members[index] = text
            if contains(_VOLATILE, text):
                content_members[index] = names[index] + encode_json(
                    _remove_volatile(value), sort_keys=True
                )
    return sorted_members, content_members


def _remove_volatile(value: Any) -> Any:
    """Remove volatile members from an object and the objects in it.

    Lists are kept whole: the time of an item, such as a trade, is content.
    """
    if not isinstance(value, dict):
        return value
    return {
        name: _remove_volatile(member)
        for name, member in value.items()
        if name not in VOLATILE_NAMES
    }


def _replace_email(
    members: list[str], layout: _Layout, values: list[Any], user_email: str | None
) -> list[str]:
    """Replace other spellings of `user_email` in a list of encoded members."""
    for index in layout.emails:
        value = values[index]
        if value != user_email and user_email is not None and normalise_email(value) == user_email:
            members = [*members]
            members[index] = layout.names[index] + quoted(user_email)
    return members


class _HashFunction(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


def _digest_object(hash_function: _HashFunction, members: Sequence[str], *, is_long: bool) -> bytes:
    if not is_long or not members:
        hash_function.update(f"{{{','.join(members)}}}".encode())
        return hash_function.digest()
    # Joining and encoding a large payload as a whole would block other threads for its copies.
    for index, member in enumerate(members):
        hash_function.update(b"," if index else b"{")
        for step in steps(member, LARGE_STEP_CHARACTERS):
            hash_function.update(step.encode())
    hash_function.update(b"}")
    return hash_function.digest()


def _find_free_key(key: str, payload: JsonObject) -> str:
    """Prefix a key with underscores until the page has no member of this name."""
    while key in payload:
        key = f"_{key}"
    return key


class _Layout(NamedTuple):
    """What follows from a payload's keys alone.

    Attributes:
        names: each key as JSON, with its colon.
        select_digest: selects the members of the payload's digest, sorted by key.
        select_content: selects the members of the content's digest, sorted by key.
        emails: the indexes of members that may be the user's email address.
    """

    names: tuple[str, ...]
    select_digest: Callable[[Sequence[str]], Sequence[str]]
    select_content: Callable[[Sequence[str]], Sequence[str]]
    emails: tuple[int, ...]


def _derive_layout(keys: tuple[str, ...]) -> _Layout:
    in_digest = sorted((key, index) for index, key in enumerate(keys) if key != _KIND)
    return _Layout(
        tuple(f"{quoted(key)}:" for key in keys),
        _make_selector([index for _, index in in_digest]),
        _make_selector([index for key, index in in_digest if key not in VOLATILE_NAMES]),
        tuple(index for index, key in enumerate(keys) if key in _EMAIL_KEYS),
    )


def _make_selector(indexes: list[int]) -> Callable[[Sequence[str]], Sequence[str]]:
    if len(indexes) > 1:
        return itemgetter(*indexes)
    # itemgetter returns no sequence for one index, and takes no fewer.
    return lambda members: [members[index] for index in indexes]


# Parsing without this cache takes 18 % longer for a payment, 20 % for a dashboard and 27 % for a
# questionnaire.
_LAYOUTS = KeysCache(_derive_layout)
