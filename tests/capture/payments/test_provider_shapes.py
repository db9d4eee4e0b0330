"""Test where providers' objects lie in a payload, refunds, and amounts that are no price."""

from __future__ import annotations

from typing import Any

import pytest

from data_capture.json_codec import encode_json
from tests.support.parsed_payments import ANN, Told, column, parse, told_by

INTENT = {
    "id": "pi_3PqLkzB2eZvKYlo21aBcDeFg", "object": "payment_intent", "amount": 8999,
    "amount_received": 8999, "currency": "usd", "status": "succeeded",
}  # fmt: skip
CHARGE = {
    "id": "ch_3PqLkzB2eZvKYlo21hIjKlMn", "object": "charge", "amount": 1099, "currency": "gbp",
    "amount_refunded": 0, "status": "succeeded", "captured": True, "refunded": False,
}  # fmt: skip
USD_100 = {"currency_code": "USD", "value": "100.00"}
CAPTURED = {"id": "3C679366HH908993F", "status": "COMPLETED", "amount": USD_100}
ORDER = {
    "id": "5O190127TN364715T", "intent": "CAPTURE", "status": "COMPLETED",
    "purchase_units": [{"amount": USD_100, "payments": {"captures": [CAPTURED]}}],
}  # fmt: skip
SALE = {
    "id": "80021663DE681814L", "amount": {"total": "822.00", "currency": "CZK"},
    "state": "completed", "parent_payment": "PAY-8M960553FR6478113LGGEYQA",
}  # fmt: skip
RAZORPAY = {
    "id": "pay_29QQoUBi66xm2f", "entity": "payment", "amount": 50050, "currency": "INR",
    "status": "captured", "refund_status": None,
}  # fmt: skip
TRANSACTION = {
    "id": "txn_01hv8wptq8987qeep44cyrewp9", "status": "completed", "currency_code": "USD",
    "details": {"totals": {"total": "4999", "grand_total": "4999"}},
}  # fmt: skip
ADJUSTMENT = {
    "id": "adj_01hvgf2s84dr6reszzg29zbvcm", "action": "refund", "status": "approved",
    "transaction_id": "txn_01hv8wptq8987qeep44cyrewp9", "currency_code": "USD",
    "totals": {"total": "100"},
}  # fmt: skip
LEMON = {
    "identifier": "104e18a2-d755-4d4b-80c4-a6c1dcbe1c10", "order_number": 1, "currency": "USD",
    "total": 999, "status": "paid", "refunded": False, "user_email": ANN,
}  # fmt: skip


def order_with(**payments: Any) -> dict[str, Any]:
    return {**ORDER, "purchase_units": [{"amount": USD_100, "payments": payments}]}


@pytest.mark.parametrize("provider", ["stripe", "paypal", "razorpay", "paddle", "lemonsqueezy"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda found: found,
        lambda found: {"payment": found},
        lambda found: {"paymentData": found},
        lambda found: {"paymentData": found, "planName": "Pro"},
        lambda found: {"payment": {"order": found}},
        lambda found: {"payment": encode_json(found)},
        lambda found: {"paymentIntent": encode_json(found)},
        lambda found: {"intent": found},
        lambda found: {"paymentResult": found},
        lambda found: {"paymentDetails": found},
        lambda found: {"stripeResponse": found},
        lambda found: {"paypal_order": found},
        lambda found: {"paypalDetails": found},
        lambda found: {"razorpayPayment": found},
        lambda found: {"object": "list", "data": [found], "has_more": False},
        lambda found: {"data": [found]},
    ],
)  # fmt: skip
def test_an_object_is_found_wherever_a_page_puts_it(provider: str, wrap: Any) -> None:
    found, told = {
        "stripe": (INTENT, Told("89.99", "USD", "completed", str(INTENT["id"]), "stripe")),
        "paypal": (ORDER, Told("100.00", "USD", "completed", str(ORDER["id"]), "paypal")),
        "razorpay": (
            RAZORPAY, Told("500.50", "INR", "completed", str(RAZORPAY["id"]), "razorpay")
        ),
        "paddle": (
            TRANSACTION, Told("49.99", "USD", "completed", str(TRANSACTION["id"]), "paddle")
        ),
        "lemonsqueezy": (
            LEMON, Told("9.99", "USD", "completed", str(LEMON["identifier"]), "lemonsqueezy")
        ),
    }[provider]  # fmt: skip
    assert told_by({"user_email": ANN, **wrap(found)}) == told


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        (CHARGE, "completed"),
        ({**CHARGE, "amount_refunded": 500}, "refunded"),
        ({**CHARGE, "amount_refunded": 1099, "refunded": True}, "refunded"),
        ({**CHARGE, "disputed": True}, "disputed"),
        ({**INTENT, "latest_charge": "ch_3PqLkzB2eZvKYlo21hIjKlMn"}, "completed"),
        ({**INTENT, "latest_charge": CHARGE}, "completed"),
        ({**INTENT, "latest_charge": {**CHARGE, "amount_refunded": 1}}, "refunded"),
        ({**INTENT, "charges": {"data": [{**CHARGE, "refunded": True}]}}, "refunded"),
        (ORDER, "completed"),
        (order_with(captures=[{**CAPTURED, "status": "REFUNDED"}]), "refunded"),
        (order_with(captures=[{**CAPTURED, "status": "PARTIALLY_REFUNDED"}]), "refunded"),
        (order_with(captures=[CAPTURED, {**CAPTURED, "status": "PENDING"}]), "pending"),
        (order_with(captures=[{**CAPTURED, "status": "DECLINED"}]), "failed"),
        (order_with(captures=[CAPTURED], refunds=[{"id": "R", "status": "COMPLETED"}]), "refunded"),
        (order_with(captures=[CAPTURED], refunds=[{"id": "R", "status": "FAILED"}]), "completed"),
        (order_with(authorizations=[{"id": "A", "status": "CREATED"}]), "pending"),
        (order_with(authorizations=[{"id": "A", "status": "VOIDED"}]), "cancelled"),
        (order_with(captures="none", refunds=7, authorizations={}), "completed"),
        ({**CAPTURED, "seller_payable_breakdown": {"gross_amount": USD_100}}, "refunded"),
        (RAZORPAY, "completed"),
        ({**RAZORPAY, "refund_status": "partial"}, "refunded"),
        ({**RAZORPAY, "refund_status": "full", "status": "refunded"}, "refunded"),
        ({**RAZORPAY, "entity": "refund", "id": "rfnd_FP8QHiV938haTz", "status": "processed"},
         "refunded"),
        ({**RAZORPAY, "entity": "refund", "id": "rfnd_FP8QHiV938haTz", "status": "failed"},
         "unknown"),
        (ADJUSTMENT, "refunded"),
        ({**ADJUSTMENT, "action": "chargeback"}, "disputed"),
        ({**ADJUSTMENT, "status": "pending_approval"}, "unknown"),
        ({**ADJUSTMENT, "status": "rejected"}, "unknown"),
        ({"alert_name": "payment_refunded", "amount": "9.00", "currency": "USD", "order_id": "7"},
         "refunded"),
        ({"alert_name": "subscription_payment_refunded", "amount": "9.00", "currency": "USD"},
         "refunded"),
        ({"alert_name": "subscription_payment_failed", "amount": "9.00", "currency": "USD"},
         "failed"),
        ({"alert_name": "subscription_payment_succeeded", "sale_gross": "9.00", "currency": "USD",
          "status": "past_due"}, "completed"),
        ({"alert_name": "payment_dispute_created", "amount": "9.00", "currency": "USD"},
         "disputed"),
        (LEMON, "completed"),
        ({**LEMON, "refunded": True}, "refunded"),
        ({**LEMON, "status": "partial_refund"}, "refunded"),
    ],
)  # fmt: skip
def test_money_that_went_back_is_not_completed(payload: dict[str, Any], status: str) -> None:
    assert told_by({"user_email": ANN, **payload}).status == status


@pytest.mark.parametrize(
    ("payload", "price", "currency"),
    [
        # Stripe's objects of what is bought
        ({"id": "price_1MoBy5LkdIwHu7ix", "object": "price", "unit_amount": 1999,
          "currency": "usd"}, "19.99", "USD"),
        ({"id": "plan_NjpIbv3g3ZibnD", "object": "plan", "amount": 1999, "currency": "usd"},
         "19.99", "USD"),
        ({"id": "qt_1KiK7qLkdIwHu7ix", "object": "quote", "amount_total": 1999, "currency": "jpy"},
         "1999.00", "JPY"),
        ({"id": "li_1MzcaTLkdIwHu7ix", "object": "item", "amount_total": 1999, "currency": "eur"},
         "19.99", "EUR"),
        ({"id": "il_1MzcaTLkdIwHu7ix", "object": "line_item", "amount": 1999, "currency": "eur"},
         "19.99", "EUR"),
        # PayPal
        ({**ORDER, "purchase_units": [{"payments": {"captures": [CAPTURED, CAPTURED]}}]},
         "200.00", "USD"),
        (SALE, "822.00", "CZK"),
        ({"event_type": "PAYMENT.SALE.COMPLETED", "id": "WH-2", "resource": SALE}, "822.00", "CZK"),
        ({"id": "PAY-1", "intent": "sale", "state": "approved",
          "transactions": [{"amount": {"total": "30.11", "currency": "USD"}}]}, "30.11", "USD"),
        ({"mc_gross": "19.95", "mc_currency": "USD", "txn_id": "61E67681CH3238416",
          "payment_status": "Completed"}, "19.95", "USD"),
        # Razorpay
        ({**RAZORPAY, "entity": "invoice", "id": "inv_DEWHZlfIcdVIXL"}, "500.50", "INR"),
        ({**RAZORPAY, "entity": "refund", "id": "rfnd_FP8QHiV938haTz"}, "500.50", "INR"),
        ({"id": "plink_ExjpAUN3gVHrPJ", "amount": 50050, "currency": "INR", "status": "paid"},
         "500.50", "INR"),
        ({"key": "rzp_test_1DP5mmOlF5G5ag", "amount": 50050, "currency": "INR", "name": "Acme",
          "order_id": "order_9A33XWu170gUtm"}, "500.50", "INR"),
        ({"key": "rzp_live_1DP5mmOlF5G5ag", "amount": "50050", "currency": "INR"}, "500.50", "INR"),
        ({"razorpay_payment_id": "pay_29QQoUBi66xm2f", "amount": "500.50", "currency": "INR"},
         "500.50", "INR"),
        ({"entity": "event", "event": "order.paid", "payload": {
            "payment": {"entity": RAZORPAY},
            "order": {"entity": {**RAZORPAY, "entity": "order", "id": "order_9A33XWu170gUtm"}}}},
         "500.50", "INR"),
        (ADJUSTMENT, "1.00", "USD"),
        # Paystack, Checkout.com, Square
        ({"event": "charge.success", "data": {
            "id": 302961, "status": "success", "reference": "qTPrJoy9Bx", "amount": 1000000,
            "currency": "NGN", "gateway_response": "Approved"}}, "10000.00", "NGN"),
        ({"id": "pay_mbabizu24mvu3mela5njyhpit4", "amount": 6540, "currency": "USD",
          "status": "Captured"}, "65.40", "USD"),
        ({"id": "pay_mbabizu24mvu3mela5njyhpit4", "amount": 6540, "currency": "JPY"},
         "6540.00", "JPY"),
        ({"payment": {"id": "bP9mAsEMYPUGjjGNaNO5ZDVyLhSZY", "status": "COMPLETED",
                      "amount_money": {"amount": 1000, "currency": "USD"}}}, "10.00", "USD"),
        ({"reference": "A-1", "amount": 50, "currency": "NGN"}, "50.00", "NGN"),
        ({"id": "pay_1", "amount": 50, "currency": "USD"}, "50.00", "USD"),
    ],
)  # fmt: skip
def test_further_objects_have_a_price(payload: dict[str, Any], price: str, currency: str) -> None:
    told = told_by({"user_email": ANN, **payload})
    assert (told.price, told.currency) == (price, currency)


@pytest.mark.parametrize(
    "payload",
    [
        {"id": "po_1OaFDbEcg9tTZuTg", "object": "payout", "amount": 1999, "currency": "usd"},
        {"id": "tr_1MiN3gLkdIwHu7ix", "object": "transfer", "amount": 1999, "currency": "usd"},
        {"id": "txn_1MiN3gLkdIwHu7ix", "object": "balance_transaction", "amount": 1999,
         "currency": "usd"},
        {"id": "cn_1MxvRqLkdIwHu7ix", "object": "credit_note", "amount": 1999, "currency": "usd"},
        {"id": "fee_1B73DOKbnvuxQXGu", "object": "application_fee", "amount": 1999,
         "currency": "usd"},
        {"id": "x", "livemode": True, "object": "topup", "amount": 1999, "currency": "usd"},
        {"id": "setl_DGlQ1Rj8os78Ec", "entity": "settlement", "amount": 1999},
        {"id": "trf_E9uhYLFLLZ2pks", "entity": "transfer", "amount": 1999, "livemode": False},
        {**ORDER, "purchase_units": [
            {"amount": USD_100}, {"amount": {"currency_code": "EUR", "value": "5.00"}}]},
        {"razorpay_payment_id": "pay_29QQoUBi66xm2f", "amount": "50000", "currency": "INR"},
        {**INTENT, "currency": "zzz"},
    ],
)  # fmt: skip
def test_other_amounts_are_no_price(payload: dict[str, Any]) -> None:
    capture = parse({"user_email": ANN, **payload})
    assert column(capture, "final_price") is None
    assert "final_price" in [warning.field for warning in capture.warnings]


def test_the_name_of_a_shop_is_not_the_users() -> None:
    options = {
        "key": "rzp_test_1DP5mmOlF5G5ag", "amount": 50000, "currency": "INR", "name": "Acme Corp",
        "prefill": {"email": ANN, "name": "Ann Archer"},
    }  # fmt: skip
    assert column(parse(options), "user_name") == "Ann Archer"
