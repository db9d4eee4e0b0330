"""Test that every spelling of a payment's status becomes one of seven statuses."""

from __future__ import annotations

import time

import pytest

from data_capture.capture.payments.statuses import STATUSES, normalise_status

CASES = {
    # Stripe: PaymentIntent, Charge, Checkout Session, Invoice, Dispute, and their events
    "succeeded": "completed",
    "requires_payment_method": "pending",
    "requires_confirmation": "pending",
    "requires_action": "pending",
    "requires_capture": "pending",
    "processing": "pending",
    "canceled": "cancelled",
    "paid": "completed",
    "unpaid": "pending",
    "no_payment_required": "completed",
    "complete": "completed",
    "open": "pending",
    "expired": "cancelled",
    "uncollectible": "failed",
    "void": "cancelled",
    "needs_response": "disputed",
    "payment_intent.succeeded": "completed",
    "payment_intent.payment_failed": "failed",
    "checkout.session.completed": "completed",
    "checkout.session.expired": "cancelled",
    "charge.refunded": "refunded",
    "charge.dispute.created": "disputed",
    "invoice.paid": "completed",
    "invoice.payment_failed": "failed",
    # PayPal
    "COMPLETED": "completed",
    "APPROVED": "completed",
    "PAYER_ACTION_REQUIRED": "pending",
    "PARTIALLY_REFUNDED": "refunded",
    "DENIED": "failed",
    "VOIDED": "cancelled",
    "PAYMENT.CAPTURE.COMPLETED": "completed",
    "PAYMENT.CAPTURE.REFUNDED": "refunded",
    "CHECKOUT.ORDER.APPROVED": "completed",
    # gateways, shops and banks in further languages
    "billed": "pending",
    "attempted": "pending",
    "submitted_for_settlement": "pending",
    "WAIT_BUYER_PAY": "pending",
    "TRADE_SUCCESS": "completed",
    "subscription_payment_success": "completed",
    "zapłacono": "completed",
    "Betalt": "completed",
    "결제완료": "completed",
    "Thanh toán thành công": "completed",
    "processor_declined": "failed",
    "gateway_rejected": "failed",
    "fraudulent": "failed",
    "실패": "failed",
    "subscription_payment_failed": "failed",
    "refund.processed": "refunded",
    "chargebacked": "disputed",
    "subscription_cancelled": "unknown",
    # NOWPayments and Coinbase Commerce
    "waiting": "pending",
    "pending_verification": "pending",
    "awaiting_confirmation": "pending",
    "confirming": "pending",
    "confirmed": "completed",
    "sending": "pending",
    "partially_paid": "pending",
    "finished": "completed",
    "charge:confirmed": "completed",
    "charge:failed": "failed",
    "NEW": "pending",
    "UNRESOLVED": "pending",
    "RESOLVED": "completed",
    # Razorpay, Adyen, Square, Paddle, Klarna, Mollie, Braintree
    "captured": "completed",
    "payment.captured": "completed",
    "payment.authorized": "pending",
    "created": "pending",
    "Authorised": "pending",
    "Refused": "failed",
    "CHARGEBACK": "disputed",
    "payment.chargeback": "disputed",
    "charged_back": "disputed",
    "past_due": "pending",
    "settled": "completed",
    "transaction.completed": "completed",
    # pages
    "success": "completed",
    "Successful": "completed",
    "  Paid  ": "completed",
    "✅ Paid": "completed",
    "paymentSuccess": "completed",
    "partiallyRefunded": "refunded",
    "declined": "failed",
    "card-declined": "failed",
    "Payment failed!": "failed",
    "pending": "pending",
    "refunded": "refunded",
    "cancelled": "cancelled",
    "disputed": "disputed",
    # other languages
    "Bezahlt": "completed",
    "bestätigt": "completed",
    "Payé": "completed",
    "En attente": "pending",
    "PAGADO": "completed",
    "reembolsado": "refunded",
    "Оплачено": "completed",
    "支付成功": "completed",
    "キャンセル": "cancelled",
    # a part of a word proves nothing
    "not_paid": "pending",
    "incomplete": "pending",
    "not completed": "pending",
    "uncaptured": "pending",
    "unconfirmed": "pending",
    "unsuccessful": "failed",
    "not approved": "failed",
    "disapproved": "unknown",
    "payment_failed": "failed",
    "refund_pending": "unknown",
    "refund_failed": "unknown",
    "paid_out": "unknown",
    "prepaid": "unknown",
    "repaid": "unknown",
    "paid?no": "unknown",
    "almost completed": "unknown",
    "active": "unknown",
    "": "unknown",
    "-": "unknown",
    "payment": "unknown",
    "true": "unknown",
    "200": "unknown",
    "unknown": "unknown",
    "paymentstatus": "unknown",
}


@pytest.mark.parametrize("spelling", CASES)
def test_spelling_becomes_its_status(spelling: str) -> None:
    assert normalise_status(spelling) == CASES[spelling]


def test_every_status_is_its_own_spelling() -> None:
    assert [normalise_status(status) for status in STATUSES] == list(STATUSES)


@pytest.mark.parametrize("separator", ["_", "-", " ", ".", ":", "/", "", "__"])
def test_separators_and_case_make_no_difference(separator: str) -> None:
    spelling = separator.join(["requires", "payment", "method"])
    for cased in (spelling, spelling.upper(), spelling.title()):
        assert normalise_status(cased) == "pending"


def test_long_texts_cost_no_time() -> None:
    begin = time.perf_counter()
    for piece in ("payment", "paid ", "_", "é"):
        assert normalise_status(piece * 100_000) == "unknown"
    assert time.perf_counter() - begin < 1
