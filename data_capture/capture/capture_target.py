"""The member with which a capture says which row the page's request changes.

`capture_target` is the path and query of a PUT or PATCH, such as `/rest/v1/payments?id=eq.77`. It
is no content. Its ids say whose row it is where the body does not.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import unquote

from data_capture.capture.email import normalise_email
from data_capture.capture.field_lookup import normalise_name
from data_capture.capture.kinds import Kind
from data_capture.capture.page_ids import (
    NUMBER,
    NUMBER_NAMES,
    RECORD,
    USER,
    USER_NAMES,
    PageId,
    read_id,
    record_names,
)
from data_capture.json_codec import JsonObject
from data_capture.redaction.redact import redact_text

TARGET = "capture_target"

MAX_RECORDS = 20
"""Of one filter, such as `id=in.(7,8,9)`; a wider one is not read."""

_MAX_CHARACTERS = 2_000
_MAX_PARTS = 50  # parameters of a query, segments of a path
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]{0,20}://[^/?#]*", re.IGNORECASE)
_OPERATOR = re.compile(
    r"(?:not|eq|neq|gte?|lte?|i?like|i?match|in|is|isdistinct|cs|cd|ov|s[lr]|nx[lr]|adj"
    r"|fts|plfts|phfts|wfts)(?:\([a-z]+\))?\."
)
_LISTED = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,"]+)')
_VERSION = re.compile(r"v\d+(?:\.\d+)*", re.IGNORECASE)
_ID_SEGMENT = re.compile(r"(?=[^\d]*\d)[\w.:@~+-]{1,255}", re.ASCII)
_FILE_ENDING = re.compile(r"\.(?:json|php|aspx?|html?)\Z", re.IGNORECASE)
_BEFORE_ANY_ID = frozenset({"records", "record", "documents", "document", "rows", "items"})
_USER_SEGMENTS = frozenset({
    "user", "users", "customer", "customers", "profile", "profiles", "member", "members",
    "client", "clients", "people", "byuser", "owner",
})  # fmt: skip
_KIND_WORDS = {
    "payment": "payment|order|transaction|invoice|charge|checkout|purchase|subscription|billing",
    "questionnaire": "questionnaire|survey|answer|onboarding",
    "dashboard": "dashboard|equity|trading|performance|state",
    "activity": "activit|event|log",
}
_KIND_SEGMENTS = {name: re.compile(words) for name, words in _KIND_WORDS.items()}


class CaptureTarget(NamedTuple):
    """What the path and query of a page's request say about the row that it changes.

    Attributes:
        text: the path and query, secrets masked.
        records: for each record that it names, the ids by which it may be known, best first.
        users: the ids of the user that it names.
        emails: the addresses that it names, normalised.
        is_too_wide: whether it names more than `MAX_RECORDS` records.
    """

    text: str
    records: tuple[tuple[PageId, ...], ...] = ()
    users: tuple[PageId, ...] = ()
    emails: tuple[str, ...] = ()
    is_too_wide: bool = False


def take_target(payload: JsonObject) -> tuple[JsonObject, str | None]:
    """Return a payload without its target, and the target; None if there is none."""
    target = payload.get(TARGET)
    if TARGET not in payload:
        return payload, None
    payload = {key: member for key, member in payload.items() if key != TARGET}
    return payload, target if isinstance(target, str) and target.strip() else None


def parse_target(kind: Kind, target: str) -> CaptureTarget:
    """Read the ids and addresses in the path and query of a page's request."""
    text = redact_text(target[:_MAX_CHARACTERS].replace("\0", "�"))
    if len(target) > _MAX_CHARACTERS:
        return CaptureTarget(text)
    path, parameters = _split_address(target.strip())
    for name, value in parameters:
        if name == "url" and "/" in value:  # through a proxy of the page
            path, parameters = _split_address(value)
            break
    filters, users, emails = _read_filters(kind, parameters)
    path_records, path_users, path_emails = _read_path(kind, path)
    records = filters or path_records
    return CaptureTarget(
        text,
        tuple(dict.fromkeys(records[: MAX_RECORDS + 1])),
        tuple(dict.fromkeys(users or path_users)),
        tuple(dict.fromkeys(emails or path_emails)),
        is_too_wide=len(records) > MAX_RECORDS,
    )


_Records = list[tuple[PageId, ...]]


def _split_address(address: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the path of an address, and the parameters of its query."""
    path, _, query = _ORIGIN.sub("", address, count=1).partition("#")[0].partition("?")
    return path, [_split(parameter) for parameter in query.split("&")[:_MAX_PARTS]]


def _split(parameter: str) -> tuple[str, str]:
    name, _, value = parameter.partition("=")
    return normalise_name(unquote(name).rpartition(".")[2]), unquote(value)


def _read_filters(
    kind: Kind, parameters: list[tuple[str, str]]
) -> tuple[_Records, list[PageId], list[str]]:
    """Read a query: records, users and addresses. Filters by other columns only narrow it."""
    records: _Records = []
    numbers: _Records = []
    users: list[PageId] = []
    emails: list[str] = []
    by_record = record_names(kind)
    for name, value in parameters:
        found = [one for one in map(read_id, _operands(value)) if one is not None]
        if name in by_record and not records:
            records = [_record_ids(one) for one in found]
        elif name in NUMBER_NAMES and not numbers:
            numbers = [_number_ids(one) for one in found]
        elif name in USER_NAMES:
            users += [PageId(USER, one) for one in found]
        if name.endswith(("email", "mail")):
            emails += filter(None, map(normalise_email, _operands(value)))
    return records or numbers, users, emails


def _operands(value: str) -> list[str]:
    """Return what a filter is equal to: `eq.7`, `in.(7,8)` or `7`."""
    if value.startswith("eq."):
        return [value[3:]]
    if value.startswith("in.(") and value.endswith(")"):
        listed = _LISTED.finditer(value[4:-1])
        return [re.sub(r"\\(.)", r"\1", one[1]) if one[1] is not None else one[2] for one in listed]
    return [] if _OPERATOR.match(value) else [value]


def _read_path(kind: Kind, path: str) -> tuple[_Records, list[PageId], list[str]]:
    """Read a path: `/api/payments/77/approve`, `/api/users/5/payments/77`."""
    users: list[PageId] = []
    emails: list[str] = []
    last: tuple[str, str] | None = None  # the segment before an id, and the id
    of_kind: tuple[str, str] | None = None
    segments = [unquote(one) for one in path.split("/") if one][:_MAX_PARTS]
    for before, written in pairwise(segments):
        segment, name = _FILE_ENDING.sub("", written), normalise_name(before)
        email = normalise_email(segment) if "@" in segment else None
        if email is not None:
            emails.append(email)
            continue
        is_id = _ID_SEGMENT.fullmatch(segment) and not _VERSION.fullmatch(segment)
        value = read_id(segment) if is_id or name in _BEFORE_ANY_ID else None
        if value is None:
            continue
        if name in _USER_SEGMENTS:
            users.append(PageId(USER, value))
            continue
        last = (name, value)
        if name in _BEFORE_ANY_ID or _KIND_SEGMENTS[kind.name].search(name):
            of_kind = last
    found = of_kind or last
    if found is None:
        return [], users, emails
    is_number = kind.name == "payment" and "payment" not in found[0]
    by_number = is_number and found[0] not in _BEFORE_ANY_ID
    return [_number_ids(found[1]) if by_number else _record_ids(found[1])], users, emails


def _record_ids(value: str) -> tuple[PageId, ...]:
    return PageId(RECORD, value), PageId(NUMBER, value)


def _number_ids(value: str) -> tuple[PageId, ...]:
    return PageId(NUMBER, value), PageId(RECORD, value)
