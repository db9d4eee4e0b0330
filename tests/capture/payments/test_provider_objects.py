"""Test that the objects of payment providers fill the columns, sent as they are."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_capture.capture.currencies import minor_digits
from data_capture.capture.normalise import normalise_payment
from data_capture.capture.parse import Caller, parse_capture
from tests.support.parsed_payments import ANN, NOW, PAYMENT, Told, column, parse, told_by

INTENT = {
    "id": "pi_3PqLkzB2eZvKYlo21aBcDeFg", "object": "payment_intent", "amount": 8999,
    "amount_received": 8999, "currency": "usd", "status": "succeeded", "receipt_email": ANN,
    "payment_method": "pm_1PqLkzB2eZvKYlo2", "payment_method_types": ["card"],
    "description": "Pro plan", "metadata": {}, "livemode": False, "created": 1772366400,
}  # fmt: skip
SESSION = {
    "id": "cs_test_a1b2c3d4e5", "object": "checkout.session", "amount_subtotal": 9999,
    "amount_total": 8999, "currency": "eur", "payment_status": "paid", "status": "complete",
    "mode": "payment", "payment_intent": "pi_3PqLkzB2eZvKYlo21aBcDeFg",
    "customer_details": {"email": ANN, "name": "Ann Archer"}, "metadata": {"plan": "Elite"},
}  # fmt: skip
CHARGE = {
    "id": "ch_3PqLkzB2eZvKYlo21hIjKlMn", "object": "charge", "amount": 1099,
    "amount_captured": 1099, "amount_refunded": 0, "currency": "gbp", "status": "succeeded",
    "captured": True, "refunded": False, "disputed": False,
    "billing_details": {"email": ANN, "name": "Ann Archer"},
    "payment_method_details": {"type": "card"},
}  # fmt: skip
INVOICE = {
    "id": "in_1PqLkzB2eZvKYlo2aBcDeFgH", "object": "invoice", "amount_due": 2500,
    "amount_paid": 2500, "total": 2500, "currency": "usd", "status": "paid", "customer_email": ANN,
}  # fmt: skip
CAPTURED = {
    "id": "3C679366HH908993F", "status": "COMPLETED",
    "amount": {"currency_code": "USD", "value": "100.00"},
}  # fmt: skip
ORDER = {
    "id": "5O190127TN364715T", "intent": "CAPTURE", "status": "COMPLETED",
    "payer": {"email_address": ANN, "name": {"given_name": "Ann", "surname": "Archer"}},
    "purchase_units": [
        {"amount": CAPTURED["amount"], "payments": {"captures": [CAPTURED]}}
    ],
}  # fmt: skip
RAZORPAY = {
    "id": "pay_29QQoUBi66xm2f", "entity": "payment", "amount": 50050, "currency": "INR",
    "status": "captured", "order_id": "order_9A33XWu170gUtm", "method": "upi", "email": ANN,
}  # fmt: skip
NOWPAYMENTS = {
    "payment_id": 5745459419, "payment_status": "finished", "price_amount": 49.5,
    "price_currency": "usd", "pay_address": "3EZ2uTdVDAMFXTfc6uLDDKR6o8qKBZXVkj",
    "pay_amount": 0.00170286, "actually_paid": 0, "pay_currency": "btc", "order_id": "A-17",
    "order_description": "Pro", "user_email": ANN,
}  # fmt: skip
COINBASE = {
    "id": "f765421f-1451-4afb-a513-aac6c819fba9", "code": "66BEOV2A", "name": "Pro plan",
    "pricing_type": "fixed_price",
    "pricing": {
        "local": {"amount": "49.00", "currency": "USD"},
        "settlement": {"amount": "49.00", "currency": "USDC"},
    },
    "timeline": [
        {"status": "NEW", "time": "2026-03-01T10:00:00Z"},
        {"status": "COMPLETED", "time": "2026-03-01T10:05:00Z"},
    ],
    "metadata": {"email": ANN},
}  # fmt: skip
PADDLE = {
    "id": "txn_01hv8wptq8987qeep44cyrewp9", "status": "completed", "currency_code": "USD",
    "customer": {"email": ANN}, "items": [{"price": {"name": "Monthly"}, "quantity": 1}],
    "details": {"totals": {"subtotal": "4500", "tax": "499", "total": "4999", "grand_total": "4999",
                           "currency_code": "USD"}},
}  # fmt: skip
PADDLE_EVENT = {
    "name": "checkout.completed",
    "data": {
        "id": "che_01k9ppwfg7nkr1s47pntfe7x3s", "transaction_id": "txn_01k9ppwf885xk7azx0xgnp6kp1",
        "status": "completed", "currency_code": "EUR", "customer": {"email": ANN},
        "totals": {"subtotal": 45, "tax": 4.99, "total": 49.99},
    },
}  # fmt: skip
PADDLE_CLASSIC = {
    "event": "Checkout.Complete",
    "eventData": {
        "checkout": {
            "id": "53212293-chre9f2d6d1fd", "completed": True,
            "prices": {"customer": {"currency": "GBP", "total": "19.95"}},
        },
        "product": {"id": 12345, "name": "Pro"}, "user": {"id": "1", "email": ANN},
    },
}  # fmt: skip
LEMON = {
    "identifier": "104e18a2-d755-4d4b-80c4-a6c1dcbe1c10", "order_number": 1, "user_name": "Ann",
    "user_email": ANN, "currency": "USD", "subtotal": 999, "tax": 200, "total": 1199,
    "status": "paid", "total_formatted": "$11.99", "first_order_item": {"product_name": "Pro"},
}  # fmt: skip

STRIPE_PAID = Told("89.99", "USD", "completed", INTENT["id"], "stripe")  # type: ignore[arg-type]

OBJECTS = [
    ("a PaymentIntent of Stripe", INTENT, STRIPE_PAID),
    ("as stripe.js returns it", {"paymentIntent": INTENT}, STRIPE_PAID),
    ("in a result", {"result": {"paymentIntent": INTENT}, "plan": "Pro"}, STRIPE_PAID),
    (
        "in an event",
        {"id": "evt_1P", "object": "event", "type": "x", "data": {"object": INTENT}},
        STRIPE_PAID,
    ),
    (
        "without its type",
        {"id": INTENT["id"], "amount": 8999, "currency": "usd", "email": ANN},
        STRIPE_PAID._replace(status="unknown"),
    ),
    (
        "in a currency without decimals",
        {**INTENT, "currency": "jpy"},
        STRIPE_PAID._replace(price="8999.00", currency="JPY"),
    ),
    (
        "in a currency with three decimals",
        {**INTENT, "amount": 8990, "amount_received": 8990, "currency": "kwd"},
        STRIPE_PAID._replace(price="8.99", currency="KWD"),
    ),
    (
        "in a currency that Stripe counts in hundredths",
        {**INTENT, "amount": 50000, "amount_received": 50000, "currency": "isk"},
        STRIPE_PAID._replace(price="500.00", currency="ISK"),
    ),
    (
        "not paid yet",
        {**INTENT, "amount_received": 0, "status": "requires_action"},
        STRIPE_PAID._replace(status="pending"),
    ),
    (
        "with a price of the page's own",
        {"finalPrice": 89.99, "transactionId": "TX-1", "paymentIntent": INTENT},
        STRIPE_PAID._replace(number="TX-1"),
    ),
    (
        "a Checkout Session",
        SESSION,
        Told("89.99", "EUR", "completed", "cs_test_a1b2c3d4e5", "stripe"),
    ),
    (
        "an expired Checkout Session",
        {"session": {**SESSION, "status": "expired", "payment_status": "unpaid"}},
        Told("89.99", "EUR", "cancelled", "cs_test_a1b2c3d4e5", "stripe"),
    ),
    ("a Charge", CHARGE, Told("10.99", "GBP", "completed", str(CHARGE["id"]), "stripe")),
    (
        "a refunded Charge",
        {**CHARGE, "refunded": True},
        Told("10.99", "GBP", "refunded", str(CHARGE["id"]), "stripe"),
    ),
    (
        "a Charge that is not captured",
        {"charge": {**CHARGE, "captured": False, "amount_captured": 0}},
        Told("10.99", "GBP", "pending", str(CHARGE["id"]), "stripe"),
    ),
    ("an Invoice", INVOICE, Told("25.00", "USD", "completed", str(INVOICE["id"]), "stripe")),
    ("an order of PayPal", ORDER, Told("100.00", "USD", "completed", str(ORDER["id"]), "paypal")),
    (
        "an order whose capture is pending",
        {
            "orderData": {
                **ORDER,
                "purchase_units": [
                    {"payments": {"captures": [{**CAPTURED, "status": "PENDING"}]}}
                ],
            }
        },
        Told("100.00", "USD", "pending", str(ORDER["id"]), "paypal"),
    ),
    (
        "an order of two units",
        {**ORDER, "purchase_units": [{"amount": CAPTURED["amount"]}] * 2},
        Told("200.00", "USD", "completed", str(ORDER["id"]), "paypal"),
    ),
    (
        "a payment of Razorpay",
        RAZORPAY,
        Told("500.50", "INR", "completed", "pay_29QQoUBi66xm2f", "razorpay"),
    ),
    (
        "an event of Razorpay",
        {"entity": "event", "payload": {"payment": {"entity": RAZORPAY}}},
        Told("500.50", "INR", "completed", "pay_29QQoUBi66xm2f", "razorpay"),
    ),
    (
        "an order of Razorpay",
        {"id": "order_9A33XWu170gUtm", "entity": "order", "amount": 50000, "amount_paid": 0,
         "currency": "INR", "status": "created", "notes": {"email": ANN}},
        Told("500.00", "INR", "pending", "order_9A33XWu170gUtm", "razorpay"),
    ),
    (
        "a payment of NOWPayments",
        NOWPAYMENTS,
        Told("49.50", "USD", "completed", "5745459419", "nowpayments"),
    ),
    (
        "a charge of Coinbase Commerce",
        COINBASE,
        Told("49.00", "USD", "completed", str(COINBASE["id"]), "coinbase"),
    ),
    (
        "an event of Coinbase Commerce",
        {"event": {"type": "charge:confirmed", "data": COINBASE}},
        Told("49.00", "USD", "completed", str(COINBASE["id"]), "coinbase"),
    ),
    (
        "a transaction of Paddle",
        PADDLE,
        Told("49.99", "USD", "completed", str(PADDLE["id"]), "paddle"),
    ),
    (
        "an event of Paddle.js",
        PADDLE_EVENT,
        Told("49.99", "EUR", "completed", "txn_01k9ppwf885xk7azx0xgnp6kp1", "paddle"),
    ),
    (
        "a checkout of Paddle Classic",
        PADDLE_CLASSIC,
        Told("19.95", "GBP", "completed", "53212293-chre9f2d6d1fd", "paddle"),
    ),
    (
        "an order of Lemon Squeezy",
        {"data": {"type": "orders", "id": "1", "attributes": LEMON}},
        Told("11.99", "USD", "completed", str(LEMON["identifier"]), "lemonsqueezy"),
    ),
    (
        "an event of lemon.js",
        {"event": "Checkout.Success",
         "data": {"order": {"data": {"type": "orders", "attributes": LEMON}}}},
        Told("11.99", "USD", "completed", str(LEMON["identifier"]), "lemonsqueezy"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("payload", "told"),
    [(payload, told) for _, payload, told in OBJECTS],
    ids=[name for name, _, _ in OBJECTS],
)
def test_an_object_of_a_provider_fills_the_columns(payload: dict[str, Any], told: Told) -> None:
    assert told_by(payload) == told
    assert parse(payload).warnings == ()


def test_an_object_of_a_provider_says_more() -> None:
    assert column(parse(INTENT), "payment_method") == "card"
    assert column(parse(INTENT), "plan_name") == "Pro plan"
    assert column(parse(SESSION), "user_name") == "Ann Archer"
    assert column(parse({"charge": CHARGE}), "user_name") == "Ann Archer"
    assert column(parse(NOWPAYMENTS), "crypto_amount") == "0.00170286"
    assert column(parse(COINBASE), "user_name") is None
    assert column(parse(PADDLE_EVENT), "user_name") is None


def test_the_word_of_the_provider_is_kept() -> None:
    assert column(parse(ORDER), "payment_status") == "COMPLETED"
    assert column(parse(INTENT), "payment_status") == "succeeded"


@pytest.mark.parametrize(
    ("payload", "price"),
    [
        ({"amount": 8999, "currency": "usd"}, "8999.00"),
        ({"id": 17, "amount": 8999, "currency": "usd"}, "8999.00"),
        ({"transaction_id": "pi_3PqLkzB2eZvKYlo2", "amount": 89.99}, "89.99"),
        ({"id": INTENT["id"], "amount": 89.99, "currency": "usd"}, "89.99"),
        ({"object": "order", "amount": 50}, "50.00"),
        ({"order": {"id": 5, "total": 12}, "amount": 50}, "50.00"),
        ({"session": {"user": {"id": 1}}, "amount": 50}, "50.00"),
        ({"details": {"totals": "none"}, "amount": 50}, "50.00"),
        ({"purchase_units": [], "amount": 50}, "50.00"),
        ({"pricing": {"monthly": 9}, "code": "A", "amount": 50}, "50.00"),
        ({"identifier": "x", "total": 50}, "50.00"),
    ],
)
def test_other_objects_are_in_major_units(payload: dict[str, Any], price: str) -> None:
    assert column(parse({**payload, "user_email": ANN}), "final_price") == price


@pytest.mark.parametrize(
    "payload",
    [
        {"id": "pi_3PqLkzB2eZvKYlo2", "object": "payment_intent", "amount": 8999},
        {**INTENT, "currency": "???"},
        {"razorpay_payment_id": "pay_29QQoUBi66xm2f", "amount": 50000, "currency": "INR"},
        {**PADDLE_EVENT, "data": {**PADDLE_EVENT["data"], "totals": {"total": 4999}}},  # type: ignore[dict-item]
        {"amount_total": 4999, "currency": "usd"},
        {"amount_minor": 4999},
        {"amount_cents": "89.99", "amount": 89.99},
    ],
)
def test_an_amount_in_unknown_units_is_null_with_a_warning(payload: dict[str, Any]) -> None:
    capture = parse({**payload, "user_email": ANN})
    assert column(capture, "final_price") is None
    assert "final_price" in [warning.field for warning in capture.warnings]


@pytest.mark.parametrize(
    ("payload", "field", "stored"),
    [
        ({"amount_cents": 8999}, "final_price", "89.99"),
        ({"amountCents": 8999, "currency": "usd"}, "final_price", "89.99"),
        ({"amount_in_cents": "8999"}, "final_price", "89.99"),
        ({"price_cents": 8999, "currency": "eur"}, "final_price", "89.99"),
        ({"total_cents": 8999, "currency": "JPY"}, "final_price", "8999.00"),
        ({"amount_minor": 8999, "currency": "KWD"}, "final_price", "9.00"),
        ({"amountMinorUnits": 8999, "currency": "CHF"}, "final_price", "89.99"),
        ({"minorAmount": 8999, "currency": "USD"}, "final_price", "89.99"),
        ({"amount_pence": 8999}, "final_price", "89.99"),
        ({"amount_cents": 8999, "amount": 8999}, "final_price", "89.99"),
        ({"paymentData": {"amountCents": 8999}}, "final_price", "89.99"),
        ({"original_price_cents": 9999, "amount": 89.99}, "original_price", "99.99"),
        ({"discount_cents": 1000, "amount": 89.99}, "discount_amount", "10.00"),
        ({"total": "99.80"}, "final_price", "99.80"),
        ({"totalAmount": 99.8}, "final_price", "99.80"),
        ({"grand_total": 99.8}, "final_price", "99.80"),
        ({"order_total": 99.8}, "final_price", "99.80"),
        ({"amount_total": 99.8}, "final_price", "99.80"),
        ({"amount_total": "$99.80"}, "final_price", "99.80"),
        ({"price": 99.8}, "final_price", "99.80"),
        ({"final_price": 99.8, "total": 120, "amount_cents": 5}, "final_price", "99.80"),
        ({"amount": 99.8, "total": 120}, "final_price", "99.80"),
    ],
)  # fmt: skip
def test_names_of_prices(payload: dict[str, Any], field: str, stored: str) -> None:
    capture = parse({**payload, "user_email": ANN})
    assert column(capture, field) == stored
    assert capture.warnings == ()


def test_another_name_does_not_replace_an_unreadable_price() -> None:
    capture = parse({"user_email": ANN, "final_price": "1.500", "price": 3})
    assert column(capture, "final_price") is None
    assert [warning.field for warning in capture.warnings] == ["final_price"]


@given(
    st.sampled_from(["usd", "eur", "jpy", "krw", "kwd", "vnd", "inr", "brl", "clp", "bhd"]),
    st.integers(1, 99_999_999),
)
def test_minor_units_are_exact(currency: str, amount: int) -> None:
    intent = {**INTENT, "amount": amount, "amount_received": amount, "currency": currency}
    price = normalise_payment(intent)["final_price"]
    assert price * 10 ** minor_digits(currency) == amount
    assert isinstance(price, Decimal)


def test_a_payment_without_price_and_number_names_what_was_not_mapped() -> None:
    [warning] = parse({"user_email": ANN, "foo": 1, "preis": 3, "plan": "Pro"}).warnings
    assert warning.field == "final_price"
    assert warning.message == "and transaction_id were not found; not mapped: foo, preis"


def test_the_names_that_were_not_mapped_are_few_and_short() -> None:
    names = {f"{number:02}-" + "x" * 200: 1 for number in range(500)}
    [warning] = parse({"user_email": ANN, **names, "4111111111111111": 1}).warnings
    assert len(warning.message) < 600
    assert "and 491 more" in warning.message
    [warning] = parse({"user_email": ANN, "4111111111111111": 1}).warnings
    assert "4111111111111111" not in warning.message


@pytest.mark.parametrize(
    ("payload", "names"),
    [
        ({"transaction_id": "T-1", "preis": "99,80"}, "preis"),
        ({"transaction_id": "T-1", "unit_amount": 1999}, "unit_amount"),
        ({"transaction_id": "T-1", "unitAmountDecimal": "1999"}, "unitAmountDecimal"),
        ({"transaction_id": "T-1", "montant_ttc": 5}, "montant_ttc"),
        ({"transaction_id": "T-1", "сумма": "5"}, "сумма"),
        ({"transaction_id": "T-1", "价格": 5}, "价格"),
        ({"transaction_id": "T-1", "order_amount": 9900}, "order_amount"),
        ({"transaction_id": "T-1", "cart": {"sum": 1, "price": 5}}, "cart.price"),
        ({"transaction_id": "T-1", "payment": {"sum_money": {"amount": 5}}},
         "payment.sum_money.amount"),
        ({"payment": {"id": "x", "sum_money": {"amount": 5}}}, "payment.sum_money.amount"),
        ({"order": {"price": 5, "quantity": 2}}, "order.price"),
        ({"items": [{"price": 5}]}, "items, items.price"),
    ],
)  # fmt: skip
def test_names_that_look_like_money_are_never_lost_in_silence(
    payload: dict[str, Any], names: str
) -> None:
    [warning] = parse({"user_email": ANN, **payload}).warnings
    assert warning.field == "final_price"
    assert warning.message.endswith(f"not mapped: {names}")


@pytest.mark.parametrize(
    "payload",
    [
        {"transaction_id": "T-1", "cost_center": "A", "total": None, "valor": ""},
        {"transaction_id": "T-1", "status": "completed", "currency": "USD", "discount": 5},
        {"crypto": "BTC", "transactionHash": "0xa1", "amount": "0.5"},
        {"final_price": 5, "tax_amount": 1, "order": {"price": 6}},
        {"plan": "Pro", "status": "pending"},
        {"original_price": 5, "foo": 1},
        {"transaction_id": "T-1", "foo": 1},
        {"crypto": "BTC", "transactionHash": "7f83b1657ff1fc53b92dc18148a1d65d", "foo": 1},
        {"amount": 5, "foo": 1},
    ],
)
def test_other_payments_have_no_such_warning(payload: dict[str, Any]) -> None:
    assert parse({"user_email": ANN, **payload}).warnings == ()


_NAMES = (
    "object id amount amount_total amount_cents currency purchase_units payments captures value "
    "entity razorpay_payment_id price_amount price_currency payment_id pricing local local_price "
    "code timeline status time details totals total checkout prices customer order order_id "
    "alert_name sale_gross identifier order_number transaction_id metadata email data"
)
_VALUES = st.sampled_from([
    None, True, 0, -1, 8999, Decimal("0.5"), Decimal("1e29"), Decimal("1e400"), Decimal("1e-400"),
    10**30, "", "usd", "NaN", "sNaN", "Infinity", "1e999", "8999", "payment", "payment_intent",
    "pi_3PqLkzB2eZvKYlo2", "txn_01k9ppwf885x", "x" * 100, [], {}, [1], [[]],
])  # fmt: skip
_OBJECTS = st.recursive(
    _VALUES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(_NAMES.split()), inner, min_size=1, max_size=6),
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(_NAMES.split()), _OBJECTS, min_size=1, max_size=10))
def test_any_object_is_stored(members: dict[str, Any]) -> None:
    payload = {**members, "user_email": ANN}
    caller = Caller("/test", None, None, NOW)
    assert parse_capture(PAYMENT, payload, caller, ()).user_email == ANN


@pytest.mark.parametrize(
    "payload",
    [
        {"amount_cents": Decimal("1e29")},
        {"amount_cents": Decimal("1e400"), "currency": "usd"},
        {**INTENT, "amount_received": Decimal("1e29")},
        {**INTENT, "amount_received": "NaN"},
        {**ORDER, "purchase_units": [{"amount": {"value": "NaN"}}] * 2},
        {**ORDER, "purchase_units": [{"amount": {"value": "1e999"}}, 5]},
        {**COINBASE, "timeline": 5},
        {**COINBASE, "timeline": [5, {"status": 1}, {"status": "NEW", "time": {}}]},
        {"transaction_id": "txn_01k9", "totals": {"total": Decimal("1e400"), "tax": "x"}},
        {**LEMON, "total": True},
    ],
)
def test_hostile_amounts_are_null_with_a_warning_or_absent(payload: dict[str, Any]) -> None:
    caller = Caller("/test", None, None, NOW)
    capture = parse_capture(PAYMENT, {**payload, "user_email": ANN}, caller, ())
    assert column(capture, "final_price") in (None, "49.00")


def test_a_payload_without_a_provider_stays_as_it_is() -> None:
    payload = {"user_email": ANN, "plan": "Pro", "amount": 5, "userData": {"id": 1}}
    assert normalise_payment(payload) is payload


@pytest.mark.parametrize("wrapper", ["data", "order", "payment", "event"])
def test_wrappers_inside_wrappers_end(wrapper: str) -> None:
    nested: dict[str, Any] = dict(INTENT)
    for _ in range(60):
        nested = {wrapper: nested}
    assert normalise_payment(nested) is nested
