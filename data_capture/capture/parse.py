"""From a payload to a capture: convert its fields, mask its secrets, and describe its content."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from data_capture.capture.capture_target import CaptureTarget, parse_target, take_target
from data_capture.capture.capture_time import resolve_capture_time
from data_capture.capture.columns import convert_field, parse_columns
from data_capture.capture.conversion import ColumnValue
from data_capture.capture.converters import is_absent
from data_capture.capture.envelopes import NO_PLACES, View, may_have_envelopes, unwrap
from data_capture.capture.field_lookup import FieldLookup, KeyLayout
from data_capture.capture.kinds import KINDS, Kind
from data_capture.capture.normalise import is_flat_dashboard
from data_capture.capture.page_ids import PageId, find_page_ids
from data_capture.capture.partial_mark import PARTIAL, is_marked, warn_of_mark, without_mark
from data_capture.capture.payments.facts import PaymentFacts
from data_capture.capture.snapshot import (
    MembersLayout,
    derive_layout,
    snapshot_and_digests,
)
from data_capture.capture.timestamps import timestamp
from data_capture.capture.unnamed_envelopes import open_unnamed
from data_capture.capture.user_agent import stored_user_agent
from data_capture.deadlines import Deadline
from data_capture.json_codec import JsonObject
from data_capture.keys_cache import KeysCache
from data_capture.problems import UNUSABLE, FieldError, Problem
from data_capture.redaction.hidden_values import find_hidden_values
from data_capture.redaction.redact import is_masked, redact_with_paths

_CAPTURE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class Admission:
    """Checks once per capture whether a new user may be added.

    When a transaction is repeated, the first result is used again.
    """

    __slots__ = ("_admit", "_is_checked", "_problem")

    def __init__(self, admit: Callable[[], None]) -> None:
        self._admit = admit
        self._is_checked = False
        self._problem: Problem | None = None

    def check(self) -> None:
        """Return if the user may be added.

        Raises:
            Problem: the user may not be added.
        """
        if not self._is_checked:
            self._is_checked = True
            try:
                self._admit()
            except Problem as problem:
                self._problem = problem
        if self._problem is not None:
            raise self._problem


class Capture(NamedTuple):
    """A parsed payload, ready to be stored.

    `values` has one value for each of the kind's fields. `snapshot_and_digests` explains
    `snapshot`, `digest` and `content_digest`.
    """

    kind: Kind
    capture_id: str
    user_email: str
    user_name: str | None
    values: tuple[ColumnValue, ...]
    happened_at: str
    received_at: str
    snapshot: str
    digest: bytes
    warnings: tuple[FieldError, ...]
    source_endpoint: str
    ip_address: str | None
    user_agent: str | None
    content_digest: bytes
    is_confirmed: bool = False
    """Whether the sender had a token; a capture without one is only a claim."""
    admission: Admission | None = None
    """Checked before a new user is added; None if every new user may be added."""
    masked_subject_digest: bytes | None = None
    """Tells what the capture is about if that was masked, because masked values can be equal.

    It is the digest of the value as sent. If the page had masked the value already, it is the
    content's digest. It is never stored as it is.
    """
    claimed_at: datetime | None = None
    """The time that the page states; see `CaptureTime`."""
    earlier_email: str | None = None
    """The address as earlier versions spelled it, if they did not spell it as `user_email`."""
    facts: PaymentFacts | None = None
    """What `payment_facts` has of a payment; None for the other kinds."""
    is_partial: bool = False
    """Whether it says only what changed: a value of None leaves the stored one."""
    has_flat_state: bool = False
    """Whether the state of a partial update is a copy of members that also have columns."""
    page_ids: tuple[PageId, ...] = ()
    """The page's own ids of its user, its record and its payment."""
    target: CaptureTarget | None = None
    """What the page's request changes. Without `user_email`, only this says whose capture it is."""
    target_row: int | None = None
    """The payment's row that the store found for the target."""
    defaulted: tuple[int, ...] = ()
    """The indexes of values that are defaults, because the payload has none."""


@dataclass(slots=True)
class Caller:
    """The origin of a request: its endpoint, address, browser and time.

    Attributes:
        received_at: the time of arrival, formatted as in the tables.
        deadline: limits the time that parsing may take while other requests wait; None: no limit.
        body_bytes: the size of the request's body, if that is one capture.
        is_confirmed: whether the request had the admin token or a write token.
        may_backdate: whether a capture may state a time of any age.
        admit_new_user: called at most once per capture, maybe in another thread, before a new
            user is added; raises the Problem for the response. None: every user may be added.
    """

    source_endpoint: str
    ip_address: str | None
    user_agent: str | None
    now: datetime
    deadline: Deadline | None = None
    is_confirmed: bool = False
    may_backdate: bool = False
    admit_new_user: Callable[[], None] | None = None
    body_bytes: int = 0
    received_at: str = field(init=False)

    def __post_init__(self) -> None:
        self.received_at = timestamp(self.now)


def parse_capture(
    kind: Kind, payload: JsonObject, caller: Caller, placeholder_emails: tuple[str, ...]
) -> Capture:
    """Parse a payload into a capture, with every secret in it masked.

    A field that cannot be converted becomes None, and a warning names it as the page spells it.
    With a `capture_target`, the address may be missing: then `user_email` is empty.

    Raises:
        Problem: 422 without a usable email address and a target, or with an unusable `capture_id`.
        DeadlinePassed: parsing took longer than the caller's deadline.
    """
    payload, target_text = take_target(payload)
    sent_payload = payload
    payload, masked = redact_with_paths(payload, caller.deadline, caller.body_bytes)
    hidden_values = find_hidden_values(sent_payload, payload, caller.deadline) if masked else []
    if caller.deadline is not None:
        caller.deadline.check()
    is_partial = is_marked_at_top = is_marked(payload)
    if is_partial:  # how to store the content, not a part of it
        payload = without_mark(payload)
    keys = _KEYS[kind].get(payload)
    view, layout, is_evident = View(payload, NO_PLACES), keys.fields, keys.is_evident
    if keys.may_have_envelopes:
        view = unwrap(kind, payload)
        if is_marked(view.members):
            is_partial, view = True, view._replace(members=without_mark(view.members))
        layout = kind.layouts.get(view.members)
        is_evident = kind.is_evident(layout)
    sent = unwrap(kind, sent_payload) if masked else view
    if not is_evident:
        view = open_unnamed(kind, view)
        sent = open_unnamed(kind, sent) if masked else view
        layout = kind.layouts.get(view.members)
    sent_members = sent.members
    capture_id = _parse_capture_id(_get_capture_id(sent_members), _get_capture_id(view.members))
    time = resolve_capture_time(
        view.members, layout.time_keys, caller.now, may_backdate=caller.may_backdate
    )
    target = None if target_text is None else parse_target(kind, target_text)
    user, values, facts, warnings, payload, defaulted = parse_columns(
        kind, payload, view, layout, placeholder_emails, is_partial=is_partial,
        needs_user=target is None,
    )  # fmt: skip
    if not is_partial and PARTIAL in view.members:
        mark_warning = warn_of_mark(view.members[PARTIAL])
        warnings = warnings if mark_warning is None else [*warnings, mark_warning]
    user_agent = stored_user_agent(caller.user_agent)
    if user_agent.is_masked:
        masked.append("User-Agent")
    snapshot, digest, content_digest = snapshot_and_digests(
        payload, masked, user.email, hidden_values, layout=keys.snapshot,
        record_id_is_content=not _is_identified(kind, values), is_partial=is_marked_at_top,
    )  # fmt: skip
    if target is not None:
        digest = hashlib.sha256(digest + target.text.encode(errors="surrogatepass")).digest()
    warnings = warnings if time.warning is None else [*warnings, time.warning]
    # By position: with 22 keywords, parsing a payment takes 2 % longer.
    return Capture(
        kind,
        capture_id,
        user.email,
        _get_user_name(kind, values),
        tuple(values),
        timestamp(time.happened_at),
        caller.received_at,
        snapshot,
        digest,
        tuple(warnings),
        caller.source_endpoint,
        caller.ip_address,
        user_agent.text,
        content_digest,
        caller.is_confirmed,
        None if caller.admit_new_user is None else Admission(caller.admit_new_user),
        _digest_masked_subject(kind, values, sent_members, content_digest),
        time.claimed_at,
        user.earlier_email,
        facts,
        is_partial,
        is_partial and is_flat_dashboard(kind.normalise(view.members), view.members),
        find_page_ids(kind, view.members),
        target,
        None,
        defaulted,
    )


class _Keys(NamedTuple):
    """What follows from a payload's keys alone, for each step of parsing."""

    may_have_envelopes: bool
    is_evident: bool
    fields: KeyLayout
    snapshot: MembersLayout


def _derive_keys(kind: Kind, keys: tuple[str, ...]) -> _Keys:
    fields = kind.layouts.get(dict.fromkeys(keys))
    return _Keys(may_have_envelopes(keys), kind.is_evident(fields), fields, derive_layout(keys))


# Without these caches, parsing takes 1.6 times as long for a payment, 1.3 times for a dashboard and
# 1.4 times for a questionnaire.
_KEYS = {kind: KeysCache(partial(_derive_keys, kind)) for kind in KINDS.values()}


def _get_capture_id(members: JsonObject) -> Any:
    return members.get("capture_id", members.get("captureId"))


def _parse_capture_id(sent: Any, masked: Any) -> str:
    """Return the page's `capture_id`, or a new UUID if it sent none."""
    if is_absent(sent):
        return str(uuid.uuid4())
    capture_id = str(sent) if isinstance(sent, int) and not isinstance(sent, bool) else sent
    if not isinstance(capture_id, str) or not _CAPTURE_ID.fullmatch(capture_id):
        message = "must be 1 to 128 letters, digits, '.', '_', ':' or '-'"
    elif masked != sent:  # two masked ids with the same ending would become one
        message = "looks like a card number or a token, which is never stored"
    else:
        return capture_id
    raise Problem(
        UNUSABLE, f"The capture_id {message}.", errors=[FieldError("capture_id", message)]
    )


def _is_identified(kind: Kind, values: list[ColumnValue]) -> bool:
    """Tell whether the row that a capture may repeat is known without the page's own id of it."""
    if kind.repetition is None or kind.repetition.about is None:
        return True
    return values[kind.field_indexes[kind.repetition.about]] is not None


def _digest_masked_subject(
    kind: Kind, values: list[ColumnValue], sent_members: JsonObject, content_digest: bytes
) -> bytes | None:
    """Return `Capture.masked_subject_digest`; None if what the capture is about was not masked."""
    if kind.repetition is None or kind.repetition.about is None:
        return None
    index = kind.field_indexes[kind.repetition.about]
    masked = values[index]
    if not isinstance(masked, str) or not is_masked(masked):
        return None
    payload = kind.normalise(sent_members)
    paths = kind.layouts.get(payload).field_paths.get(index, ())
    sent, _ = convert_field(kind.fields[index], FieldLookup(payload), paths)
    return content_digest if sent == masked else hashlib.sha256(str(sent).encode()).digest()


def _get_user_name(kind: Kind, values: list[ColumnValue]) -> str | None:
    index = kind.field_indexes.get("user_name")
    name = None if index is None else values[index]
    return name if isinstance(name, str) else None
