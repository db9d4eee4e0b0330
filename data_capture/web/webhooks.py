"""The address of the payment providers' webhooks: `POST /api/webhooks/<provider>`.

    body ─▶ verify the signature ─▶ read the event ─▶ commit ─▶ 200

A provider sends an event again until it gets a 2xx status. So an event that changes nothing (sent
before, about something else, of an erased user) is answered 200, too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timezone

from flask import Flask, Response, jsonify, request

from data_capture.capture.email import normalise_placeholders
from data_capture.capture.payments.events import PaymentEvent
from data_capture.capture.timestamps import timestamp
from data_capture.problems import NOT_AUTHENTICATED, NOT_FOUND, Problem
from data_capture.settings import Settings
from data_capture.store import Store
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.payment_events import EventOrigin, record_event
from data_capture.web.requests import JSON_MEDIA_TYPES, check_head, decode_body, read_body
from data_capture.webhooks.providers import PROVIDERS, Provider

log = logging.getLogger("data_capture.web")

MAX_BODY_BYTES = 256 * 1024
IGNORED = "ignored"
"""The outcome of an event that is not about a payment."""


def init_app(
    app: Flask, settings: Settings, store: Store, caller_address: Callable[[], str | None]
) -> None:
    """Add the webhooks' address to the capture service."""

    @app.post("/api/webhooks/<provider>")
    def receive_webhook(provider: str) -> Response:
        known = PROVIDERS.get(provider)
        if known is None:
            names = ", ".join(PROVIDERS)
            raise Problem(NOT_FOUND, f"There are webhooks for {names}.")
        now = datetime.now(timezone.utc)
        event = _read_event(known, settings, now)
        outcome = IGNORED
        if event is not None:
            origin = EventOrigin(
                timestamp(now), request.path, caller_address(), request.headers.get("User-Agent")
            )
            outcome = _record(store, event, origin)
        return jsonify(success=True, outcome=outcome)


def _read_event(provider: Provider, settings: Settings, now: datetime) -> PaymentEvent | None:
    """Verify the current request, and read its event.

    Raises:
        Problem: 404 the secret is not set, 401 the signature is not valid, 400 not a JSON object,
            413 too large, 415 not JSON.
    """
    secret = provider.secret_of(settings)
    if not secret:
        raise Problem(NOT_FOUND, f"This webhook is not set up: {provider.variable} is empty.")
    check_head(
        request.content_type, request.headers.get("Content-Encoding"), request.content_length,
        JSON_MEDIA_TYPES, MAX_BODY_BYTES,
    )  # fmt: skip
    body = read_body(request, MAX_BODY_BYTES)
    header = provider.signature_header
    if not provider.verify(body, request.headers.get(header), secret):
        log.warning("A webhook was rejected: its %s is missing, wrong or too old", header)
        raise Problem(
            NOT_AUTHENTICATED,
            f"The header {header} is missing, too old, or not made with {provider.variable}.",
        )
    event = provider.read_event(decode_body(body, MAX_BODY_BYTES), now)
    placeholders = normalise_placeholders(settings.placeholder_emails)
    if event is not None and event.email in placeholders:
        return event._replace(email=None)
    return event


def _record(store: Store, event: PaymentEvent, origin: EventOrigin) -> str:
    def work(connection: StoreConnection) -> str:
        return record_event(connection, event, origin)

    return store.write(work)
