"""The page's own ids of users and records, by which a later update finds its user and row.

An update such as `PATCH /rest/v1/payments?id=eq.77` says only which row it changes. The captures
before it say whose row that is: `{"id": 77, "user_id": 5, "transaction_id": "TX-1", …}`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from data_capture.capture.field_lookup import KEYS_BY_NAME, normalise_name
from data_capture.capture.id_placeholders import is_id_placeholder
from data_capture.capture.kinds import KINDS, Kind
from data_capture.json_codec import JsonObject
from data_capture.keys_cache import KeysCache
from data_capture.redaction.redact import is_masked

USER, RECORD, NUMBER, IDEMPOTENCY = "user", "record", "number", "idempotency"
"""What an id identifies: a user, the page's own record, a payment by one of its numbers, or the
action that a payment's `idempotency_key` names."""

_MAX_CHARACTERS = 255
_MAX_IDS = 16  # of one payload
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_RECORD_NAMES = ("id", "$id", "uuid", "guid", "record_id", "row_id", "document_id", "object_id")
_USER_NAMES = (
    "user_id", "uid", "customer_id", "profile_id", "owner_id", "member_id", "auth_user_id",
)  # fmt: skip
_USERS = ("user_data", "user", "user_profile", "profile", "customer")  # objects with an id
_MORE_NUMBERS = ("invoice_id", "checkout_id", "purchase_id")
_MIN_KEY_CHARACTERS = 8  # a shorter idempotency key may be a counter of a page

USER_NAMES = frozenset(map(normalise_name, _USER_NAMES))
"""The normalised names of a user's id."""

_NUMBER_ALIASES = next(
    field.aliases for field in KINDS["payment"].fields if field.column == "transaction_id"
)
NUMBER_NAMES = frozenset(map(normalise_name, ("transaction_id", *_NUMBER_ALIASES, *_MORE_NUMBERS)))
"""The normalised names of a payment's numbers."""


class PageId(NamedTuple):
    """An id of the page, and what it identifies."""

    role: str
    value: str


def record_names(kind: Kind) -> frozenset[str]:
    """Return the normalised names of a record's id, for a kind."""
    names = map(normalise_name, _RECORD_NAMES)
    return frozenset(names) if kind.name == "payment" else frozenset({*names, f"{kind.name}id"})


def read_id(value: Any) -> str | None:
    """Return an id as text; None for a placeholder and for what is no id."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    if isinstance(value, Decimal) and (value != value.to_integral_value() or value.adjusted() > 20):
        return None
    text = str(int(value)) if isinstance(value, Decimal) else str(value).strip()
    if not text or len(text) > _MAX_CHARACTERS or is_masked(text) or is_id_placeholder(text):
        return None
    return text.lower() if _UUID.fullmatch(text) else text


def find_page_ids(kind: Kind, members: JsonObject) -> tuple[PageId, ...]:
    """Return the ids in a payload's members: of its user, its record and its payment."""
    found: dict[PageId, None] = {}
    user_ids = set()
    for role, outer, key in _PLACES[kind].get(members):
        holder = members if outer is None else members[outer]
        if not isinstance(holder, dict):
            continue
        keys = (key,) if outer is None else KEYS_BY_NAME.get(holder).get(key, ())
        for one in keys:
            value = read_id(holder[one])
            if value is None or (role == IDEMPOTENCY and len(value) < _MIN_KEY_CHARACTERS):
                continue
            if role == USER:
                user_ids.add(value)
            found[PageId(role, value)] = None
    # Some pages spread the signed-in user over a payload: then the id is the user's.
    ids = (one for one in found if one.role != RECORD or one.value not in user_ids)
    return tuple(ids)[:_MAX_IDS]


_Place = tuple[str, "str | None", str]  # role, the key of an object or None, a key or a name


def _derive_places(kind: Kind, keys: tuple[str, ...]) -> tuple[_Place, ...]:
    """List where ids can be in payloads with these keys."""
    is_payment = kind.name == "payment"
    users, records = frozenset(map(normalise_name, _USERS)), record_names(kind)
    places: list[_Place] = []
    for key in keys:
        name = normalise_name(key)
        if name in USER_NAMES:
            places.append((USER, None, key))
        elif name in records:
            places.append((RECORD, None, key))
        elif name in users:
            places.append((USER, key, "id"))
        elif is_payment and name in NUMBER_NAMES:
            places.append((NUMBER, None, key))
        elif is_payment and name == "idempotencykey":
            places.append((IDEMPOTENCY, None, key))
        elif is_payment and name in ("paymentdata", "payment"):
            places.append((RECORD, key, "id"))
            places += [(NUMBER, key, number) for number in sorted(NUMBER_NAMES)]
    return tuple(places) if kind.name != "activity" else ()


# Without this cache, parsing a payment takes 6 % longer.
_PLACES = {kind: KeysCache(partial(_derive_places, kind)) for kind in KINDS.values()}
