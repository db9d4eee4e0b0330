"""Store captures that say by their request, and not by their data, whose row they change.

The store finds the row (`target_resolution`), and stores the capture as its user's. If the row is
not known, the capture is kept without a user (`unattributed`). One request may change several rows
(`id=in.(7,8)`): then it becomes one capture for each.
"""

from __future__ import annotations

from collections.abc import Callable

from data_capture.capture.email import normalise_email
from data_capture.capture.page_ids import PageId
from data_capture.capture.parse import Capture
from data_capture.json_codec import encode_json
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.payment_comparison import NUMBER, PAYMENT, values_of
from data_capture.store.sqlite.receipts import FoundReceipt, Receipt, belongs_to
from data_capture.store.sqlite.target_resolution import Resolution, resolve
from data_capture.store.sqlite.unattributed import find_unattributed, store_unattributed

RecordCapture = Callable[[StoreConnection, Capture], Receipt]
"""Stores the capture of a known user; `captures.record_capture` without the target."""

_FIND_RECEIPTS = """
SELECT row_id, outcome, payload_digest, capture_type, key_id, confirmed
FROM capture_receipts WHERE capture_id = ? LIMIT 20
"""


def record_targeted(
    connection: StoreConnection, capture: Capture, record: RecordCapture
) -> Receipt:
    """Store a capture with a target once; if it was stored before, return its receipt.

    Raises:
        Problem: nothing was written; as `captures.record_capture`.
    """
    target = capture.target
    assert target is not None
    is_payment = capture.kind is PAYMENT
    has_number = is_payment and values_of(capture)[NUMBER] is not None
    if capture.user_email and (not is_payment or has_number or not target.records):
        return record(connection, capture._replace(target=None))
    replayed = _find_replay(connection, capture)
    if replayed is not None:
        return replayed
    if target.is_too_wide:
        reason = "the request changes more rows than are read"
        return store_unattributed(connection, capture, (), reason)
    found = [(one, resolve(connection, capture, one)) for one in target.records or ((),)]
    found.sort(key=lambda one: one[1].stored_email is None)  # the first one has the response
    receipts = [
        _store(connection, _number(capture, place), one, resolution, record)
        for place, (one, resolution) in enumerate(found)
    ]
    return receipts[0]


def _find_replay(connection: StoreConnection, capture: Capture) -> Receipt | None:
    """Return the receipt of the same capture, whoever its user was then."""
    unattributed = find_unattributed(connection, capture)
    if unattributed is not None:
        return unattributed
    key = connection.receipt_key
    for row in connection.execute(_FIND_RECEIPTS, (capture.capture_id,)):
        found = FoundReceipt(*row)
        is_bound = found.confirmed or not capture.is_confirmed
        if is_bound and belongs_to(found, capture, key):
            return Receipt(found.row_id, found.outcome, replayed=True)
    return None


def _number(capture: Capture, place: int) -> Capture:
    """Give the captures of one request different ids, and the first one the request's own."""
    if place == 0:
        return capture
    return capture._replace(capture_id=f"{capture.capture_id}/{place + 1}")


def _store(
    connection: StoreConnection,
    capture: Capture,
    record_ids: tuple[PageId, ...],
    resolution: Resolution,
    record: RecordCapture,
) -> Receipt:
    if resolution.stored_email is None:
        return store_unattributed(connection, capture, record_ids, resolution.reason)
    return record(connection, attribute(capture, resolution))


def attribute(capture: Capture, resolution: Resolution) -> Capture:
    """Return a capture as that of the user and the row that its target names."""
    assert capture.target is not None
    assert resolution.stored_email is not None
    target = f'"capture_target":{encode_json(capture.target.text)}'
    separator = "," if len(capture.snapshot) > len("{}") else ""
    stored_email = resolution.stored_email
    return capture._replace(
        user_email=capture.user_email or normalise_email(stored_email) or stored_email,
        target=None,
        target_row=resolution.row_id,
        is_partial=True,
        snapshot=f"{capture.snapshot[:-1]}{separator}{target}}}",
    )
