"""The payment providers, by the names in their webhooks' addresses."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from data_capture.capture.payments.events import PaymentEvent
from data_capture.json_codec import JsonObject
from data_capture.settings import Settings
from data_capture.webhooks import coinbase_commerce, nowpayments, stripe
from data_capture.webhooks.signatures import (
    verify_coinbase_commerce,
    verify_nowpayments,
    verify_stripe,
)


class Provider(NamedTuple):
    """One provider.

    Attributes:
        signature_header: the header with the signature.
        variable: the environment variable of the secret.
        secret_of: returns the secret; empty if the webhook is not set up.
        verify: verifies a body by the header and the secret.
        read_event: reads a verified body; None if it is not about a payment.
    """

    signature_header: str
    variable: str
    secret_of: Callable[[Settings], str]
    verify: Callable[[bytes, str | None, str], bool]
    read_event: Callable[[JsonObject, datetime], PaymentEvent | None]


PROVIDERS = {
    stripe.NAME: Provider(
        "Stripe-Signature",
        "EDC_STRIPE_WEBHOOK_SECRET",
        lambda settings: settings.stripe_webhook_secret,
        lambda body, header, secret: verify_stripe(body, header, secret, time.time()),
        stripe.read_event,
    ),
    nowpayments.NAME: Provider(
        "x-nowpayments-sig",
        "EDC_NOWPAYMENTS_IPN_SECRET",
        lambda settings: settings.nowpayments_ipn_secret,
        verify_nowpayments,
        nowpayments.read_event,
    ),
    coinbase_commerce.NAME: Provider(
        "X-CC-Webhook-Signature",
        "EDC_COINBASE_COMMERCE_SECRET",
        lambda settings: settings.coinbase_commerce_secret,
        verify_coinbase_commerce,
        coinbase_commerce.read_event,
    ),
}
