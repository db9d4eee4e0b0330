"""A payload's snapshot for its audit record, and the digests that recognise repeated captures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import takewhile
from json.encoder import encode_basestring as quoted
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from data_capture.capture.email import normalise_email
from data_capture.capture.volatile_names import RECORD_ID_NAMES, VOLATILE_MEMBER, VOLATILE_NAMES
from data_capture.json_codec import JsonObject, encode_decimal, encode_json
from data_capture.redaction.hidden_values import HiddenValue
from data_capture.scanning import LARGE_STEP_CHARACTERS, contains, join_pieces, steps

_DIGEST_BYTES = 32
_SCALARS = frozenset({str, int, bool, float, type(None), Decimal})
_MASKED = "_masked"
_KIND = "type"

_EMAIL_KEYS = frozenset({"user_email", "userEmail", "email"})


def snapshot_of(payload: JsonObject, masked: list[str]) -> str:
    """Return the payload as JSON, with a member `_masked` for the masked paths."""
    return snapshot_and_digest(payload, masked)[0]


def snapshot_and_digest(payload: JsonObject, masked: list[str]) -> tuple[str, bytes]:
    """Return the snapshot and the payload's digest."""
    snapshot, digest, _ = snapshot_and_digests(payload, masked)
    return snapshot, digest


class PayloadDigests(NamedTuple):
    """A payload's snapshot for its audit record, and its digests."""

    snapshot: str
    digest: bytes
    content_digest: bytes


def snapshot_and_digests(
    payload: JsonObject,
    masked: list[str],
    user_email: str | None = None,
    hidden_values: Sequence[HiddenValue] = (),
    *,
    layout: MembersLayout | None = None,
    record_id_is_content: bool = True,
    is_partial: bool = False,
) -> PayloadDigests:
    """Return the snapshot, the payload's digest and its content's digest.

    The payload's digest tells whether two payloads with one `capture_id` are equal, whatever the
    order of their members. It is SHA-256 of the payload as JSON with sorted keys, without `type`,
    which the endpoint also states.

    The content's digest tells whether two captures differ in nothing but the time. It is BLAKE2b
    of the same JSON without `VOLATILE_NAMES` and with `user_email` in its normalised spelling.

    Most members are neither objects nor lists: the JSON of such a member is the same in all three
    results and is made once.

    Args:
        payload: the payload, masked.
        masked: the paths of the masked values.
        user_email: the user's normalised address.
        hidden_values: what the masks hide; part of both digests.
        layout: of the payload; None: it is derived.
        record_id_is_content: whether `RECORD_ID_NAMES` are part of the content.
        is_partial: whether the payload also had `"partial": true`; only the snapshot gets it.
    """
    if layout is None:
        layout = derive_layout(tuple(payload))
    values = [*payload.values()]
    members = [
        name
        + (
            quoted(value)
            if type(value) is str and len(value) <= LARGE_STEP_CHARACTERS
            else _encode_value(value)
        )
        for name, value in zip(layout.names, values, strict=True)
    ]
    sorted_members = content_members = members
    if not _SCALARS.issuperset(map(type, values)):
        sorted_members, content_members = _encode_with_sorted_keys(layout.names, values, members)
    content_members = _replace_email(content_members, layout, values, user_email)
    # Appended, so that the layout's indexes stay the same.
    if is_partial:
        members.append('"partial":true')
    if masked:
        members.append(f"{quoted(_find_free_key(_MASKED, payload))}:{encode_json(masked)}")
    snapshot = f"{{{join_pieces(members, ',')}}}"
    is_long = len(snapshot) > 2 * LARGE_STEP_CHARACTERS
    select_content = layout.select_content if record_id_is_content else layout.select_without_id
    digest, content_digest = hashlib.sha256(), hashlib.blake2b(digest_size=_DIGEST_BYTES)
    _hash_object(digest, layout.select_digest(sorted_members), is_long=is_long)
    _hash_object(content_digest, select_content(content_members), is_long=is_long)
    if hidden_values:
        volatile = VOLATILE_NAMES if record_id_is_content else VOLATILE_NAMES | RECORD_ID_NAMES
        _hash_hidden_values(digest, hidden_values)
        _hash_hidden_values(content_digest, _without_volatile(hidden_values, volatile))
    return PayloadDigests(snapshot, digest.digest(), content_digest.digest())


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
            if contains(VOLATILE_MEMBER, text):
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
    members: list[str], layout: MembersLayout, values: list[Any], user_email: str | None
) -> list[str]:
    """Replace other spellings of `user_email` in a list of encoded members."""
    for index in layout.emails:
        value = values[index]
        if value != user_email and user_email is not None and normalise_email(value) == user_email:
            members = [*members]
            members[index] = layout.names[index] + quoted(user_email)
    return members


def _without_volatile(
    hidden_values: Sequence[HiddenValue], volatile_at_top: frozenset[str]
) -> list[HiddenValue]:
    """Remove what is hidden in volatile members, as `_remove_volatile` does."""
    return [one for one in hidden_values if not _is_volatile(one.path, volatile_at_top)]


def _is_volatile(path: tuple[str | int, ...], volatile_at_top: frozenset[str]) -> bool:
    names = [*takewhile(lambda name: isinstance(name, str), path)]
    return (names[:1] and names[0] in volatile_at_top) or not VOLATILE_NAMES.isdisjoint(names)


class _HashFunction(Protocol):
    def update(self, data: bytes, /) -> None: ...


def _hash_hidden_values(hash_function: _HashFunction, hidden_values: Sequence[HiddenValue]) -> None:
    encoded = sorted(encode_json([[*path], value]) for path, value in hidden_values)
    hash_function.update("".join(encoded).encode())


def _hash_object(hash_function: _HashFunction, members: Sequence[str], *, is_long: bool) -> None:
    if not is_long or not members:
        hash_function.update(f"{{{','.join(members)}}}".encode())
        return
    # Joining and encoding a large payload as a whole would block other threads for its copies.
    for index, member in enumerate(members):
        hash_function.update(b"," if index else b"{")
        for step in steps(member, LARGE_STEP_CHARACTERS):
            hash_function.update(step.encode())
    hash_function.update(b"}")


def _find_free_key(key: str, payload: JsonObject) -> str:
    """Prefix a key with underscores until the page has no member of this name."""
    while key in payload:
        key = f"_{key}"
    return key


class MembersLayout(NamedTuple):
    """What follows from a payload's keys alone.

    Attributes:
        names: each key as JSON, with its colon.
        select_digest: selects the members of the payload's digest, sorted by key.
        select_content: selects the members of the content's digest, sorted by key.
        select_without_id: the same without `RECORD_ID_NAMES`.
        emails: the indexes of members that may be the user's email address.
    """

    names: tuple[str, ...]
    select_digest: Callable[[Sequence[str]], Sequence[str]]
    select_content: Callable[[Sequence[str]], Sequence[str]]
    select_without_id: Callable[[Sequence[str]], Sequence[str]]
    emails: tuple[int, ...]


def derive_layout(keys: tuple[str, ...]) -> MembersLayout:
    """Derive the layout of payloads with these keys."""
    in_digest = sorted((key, index) for index, key in enumerate(keys) if key != _KIND)
    in_content = [(key, index) for key, index in in_digest if key not in VOLATILE_NAMES]
    return MembersLayout(
        tuple(f"{quoted(key)}:" for key in keys),
        _make_selector([index for _, index in in_digest]),
        _make_selector([index for _, index in in_content]),
        _make_selector([index for key, index in in_content if key not in RECORD_ID_NAMES]),
        tuple(index for index, key in enumerate(keys) if key in _EMAIL_KEYS),
    )


def _make_selector(indexes: list[int]) -> Callable[[Sequence[str]], Sequence[str]]:
    if len(indexes) > 1:
        return itemgetter(*indexes)
    # itemgetter returns no sequence for one index, and takes no fewer.
    return lambda members: [members[index] for index in indexes]
