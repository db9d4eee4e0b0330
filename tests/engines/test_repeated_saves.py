"""Test that no payment is lost for resembling another one, and that none is stored twice."""

from __future__ import annotations

import pytest

from tests.engines.case_table import Case, Row, check
from tests.engines.visit import Visit


def _payments(column: str, *values: object, user: str = "USER") -> tuple[Row, ...]:
    return tuple({"user_email": user, column: value} for value in values)


_TWO = _payments("transaction_id", "T-1", "T-2")
_ONE = _payments("transaction_id", "T-1")
_SAME_ORDER = "user_email: USER, order_id: `CART-${TOKEN}`"

DIFFERENT_PAYMENTS = {
    "two transactions of one order": Case(
        f"""await pay({{ {_SAME_ORDER} }});
        await wait(4000);
        await pay({{ {_SAME_ORDER}, transaction_id: number(2) }});""",
        _TWO,
    ),
    "two transactions of one order, at once": Case(
        f"""await Promise.all([
          pay({{ {_SAME_ORDER} }}), pay({{ {_SAME_ORDER}, transaction_id: number(2) }})]);""",
        _TWO,
    ),
    "two transactions of one order by the API": Case(
        f"""const save = (n) => enhancedDataCapture.capturePaymentData(
          payment({{ {_SAME_ORDER}, transaction_id: number(n) }}));
        await save(1);
        await save(2);""",
        _TWO,
    ),
    "two transactions of one order in storage": Case(
        f"""local('payment_details', payment({{ {_SAME_ORDER} }}));
        await wait(2500);
        local('payment_details', payment({{ {_SAME_ORDER}, transaction_id: number(2) }}));""",
        _TWO,
    ),
    "two transactions with one payment id": Case(
        """const paymentId = `pm-${TOKEN}`;
        await pay({ user_email: USER, paymentId });
        await wait(2500);
        await pay({ user_email: USER, paymentId, transaction_id: number(2) });""",
        _TWO,
    ),
    "one plan at one price, twice": Case(
        """await pay({ user_email: USER });
        await wait(1500);
        await pay({ user_email: USER, transaction_id: number(2) });""",
        _TWO,
    ),
    "one plan at one price, twice in one moment": Case(
        """await pay({ user_email: USER });
        await pay({ user_email: USER, transaction_id: number(2) });""",
        _TWO,
    ),
    "one order with a new price and coupon": Case(
        f"""const order = {{ {_SAME_ORDER}, transaction_id: undefined }};
        await pay(order);
        await wait(4000);
        await pay({{ ...order, final_price: 39, coupon_code: 'SAVE10' }});""",
        (
            {"user_email": "USER", "final_price": 49, "coupon_code": None},
            {"user_email": "USER", "final_price": 39, "coupon_code": "SAVE10"},
        ),
    ),
    "another user's payment with the site's fallback number": Case(
        """const transaction_id = 'mock_payment_token';
        await pay({ user_email: USER, transaction_id });
        await wait(4000);
        await pay({ user_email: OTHER, transaction_id });""",
        ({"user_email": "USER", "final_price": 49}, {"user_email": "OTHER", "final_price": 49}),
    ),
    "another user's payment with that number in storage": Case(
        """const save = (email) => local('payment_details', {
          ...payment({ transaction_id: 'mock_payment_token' }), userData: { email } });
        save(USER);
        await wait(2500);
        save(OTHER);""",
        ({"user_email": "USER", "final_price": 49}, {"user_email": "OTHER", "final_price": 49}),
    ),
    "another user signs in and pays with that number": Case(
        """const save = async (email) => {
          local('current_user', { email });
          await pay({ transaction_id: 'mock_payment_token' });
        };
        await save(USER);
        await wait(2500);
        await save(OTHER);""",
        ({"user_email": "USER", "final_price": 49}, {"user_email": "OTHER", "final_price": 49}),
    ),
    "two plans with that number": Case(
        """const transaction_id = 'mock_payment_token';
        await pay({ user_email: USER, transaction_id });
        await wait(2500);
        await pay({ user_email: USER, transaction_id, plan_name: 'Elite', final_price: 99 });""",
        _payments("plan_name", "Pro", "Elite"),
    ),
    "two payments without a number": Case(
        """const transaction_id = undefined;
        await pay({ user_email: USER, transaction_id });
        await wait(2500);
        await pay({ user_email: USER, transaction_id, plan_name: 'Elite', final_price: 99 });""",
        _payments("final_price", 49, 99),
    ),
    "a payment that is pending, and then completed": Case(
        """await pay({ user_email: USER, payment_status: 'pending' });
        await wait(2500);
        await pay({ user_email: USER, payment_status: 'completed' });""",
        _payments("payment_status", "pending", "completed"),
    ),
}

ONE_PAYMENT = {
    "double click": Case(
        """await Promise.all([pay({ user_email: USER }), pay({ user_email: USER })]);
        await wait(300);
        await pay({ user_email: USER });""",
        _ONE,
    ),
    "the same request later": Case(
        "await pay({ user_email: USER }); await wait(3000); await pay({ user_email: USER });", _ONE
    ),
    "by fetch and by XMLHttpRequest": Case(
        """await pay({ user_email: USER });
        const request = new XMLHttpRequest();
        request.open('POST', '/api/payments');
        request.send(JSON.stringify(payment({ user_email: USER })));""",
        _ONE,
    ),
    "storage's copy, rewritten": Case(
        """await pay({ user_email: USER });
        await wait(1500);
        const paymentData = { method: 'card', amount: 49, plan: 'Pro', paymentId: number() };
        local('payment_success_data', {
          planName: 'Pro', finalPrice: 49, transactionId: number(), userData: { email: USER },
          paymentData, timestamp: new Date().toISOString(),
        });
        for (let n = 0; n < 6; n++) {
          await wait(600);
          local('payment_success_data', {
            email: USER, plan: 'Pro', paymentData, timestamp: new Date().toISOString() });
        }""",
        _ONE,
    ),
    "made-up address after the real one": Case(
        """local('payment_success_data', {
          transactionId: number(), planName: 'Pro', finalPrice: 49, userData: { email: USER } });
        await wait(100);
        await pay({ user_email: `user_${Date.now()}@example.com` });""",
        _ONE,
    ),
    "made-up address before the real one": Case(
        """await pay({ user_email: `user_${Date.now()}@example.com` });
        await wait(100);
        local('payment_success_data', {
          transactionId: number(), planName: 'Pro', finalPrice: 49, userData: { email: USER } });
        """,
        _ONE,
    ),
    "made-up address of a signed-in user": Case(
        """local('current_user', { email: USER });
        await pay({ user_email: `user_${Date.now()}@gmail.com` });""",
        _ONE,
    ),
    "placeholder of the site after the real address": Case(
        """await pay({ user_email: USER });
        await wait(100);
        local('payment_details', payment({ email: `guest-${Date.now()}@shop.example` }));""",
        _ONE,
        attributes='data-placeholders="/^guest-[0-9]+@/"',
    ),
    "placeholder in the configuration": Case(
        """await pay({ user_email: 'Kunde-5@Shop.example' });
        await wait(100);
        local('payment_details', payment({ email: USER }));""",
        _ONE,
        before="window.enhancedDataCaptureConfig = { placeholders: '/^kunde-/, x@y.example' };",
    ),
}

# Addresses that only resemble a placeholder are users.
ADDRESSES_OF_USERS = {
    f"user with the address {address}": Case(
        f"await pay({{ user_email: `{address}` }});",
        ({"transaction_id": "T-1"},),
        attributes='data-placeholders="/^guest/"',
    )
    for address in (
        "user_7_${TOKEN}@example.com",
        "user.7@${TOKEN}.example.com",
        "superuser_7@${TOKEN}.example.com",
        "my-guest@${TOKEN}.example.com",
    )
}

# The page gets the answer after the action is over, and then writes to storage.
LATE_COPIES = {
    "number in the request": Case(
        """await post('/api/payments?slow=2500', payment({ user_email: USER }));
        local('payment_success_data', {
          transactionId: number(), planName: 'Pro', finalPrice: 49, userData: { email: USER } });
        """,
        _ONE,
    ),
    "number in the answer": Case(
        """await post('/api/payments?slow=2500', {
          user_email: USER, plan_name: 'Pro', final_price: 49, payment_status: 'completed' });
        local('payment_success_data', {
          transactionId: number(), planName: 'Pro', finalPrice: 49, userData: { email: USER } });
        """,
        _ONE,
    ),
    "number in the answer, which takes long": Case(
        """await post('/api/payments?slow=5500', {
          user_email: USER, plan_name: 'Pro', final_price: 49, payment_status: 'completed' });
        local('payment_details', {
          transactionId: number(), plan: 'Pro', amount: 49, email: USER });""",
        _ONE,
    ),
    "idempotency key": Case(
        """const idempotency_key = `key-${TOKEN}`;
        await post('/api/payments?slow=2500', {
          user_email: USER, idempotency_key, amount: 49, payment_status: 'completed' });
        local('payment_details', {
          transactionId: number(), idempotency_key, plan: 'Pro', amount: 49, email: USER });""",
        ({"user_email": "USER", "transaction_id": "T-1", "plan_name": "Pro", "final_price": 49},),
    ),
    "storage first": Case(
        """local('payment_details', { plan: 'Pro', amount: 49, email: USER });
        await wait(3000);
        await pay({ user_email: USER });""",
        _ONE,
    ),
    "more in storage": Case(
        """await post('/api/payments?slow=2500', payment({ user_email: USER }));
        local('crypto_verification', {
          transactionId: number(), crypto: 'BTC', amount: '0.00071', email: USER,
          transactionHash: `0xabc${TOKEN}`, status: 'completed' });""",
        ({"user_email": "USER", "transaction_id": "T-1", "crypto_amount": "0.00071"},),
    ),
    "more in storage after a slow response": Case(
        """await post('/api/payments?slow=6000', payment({ user_email: USER }));
        local('crypto_verification', {
          transactionId: number(), crypto: 'BTC', amount: '0.00071', email: USER,
          transactionHash: `0xabc${TOKEN}`, status: 'completed' });""",
        ({"user_email": "USER", "transaction_id": "T-1", "crypto_amount": "0.00071"},),
    ),
    "more in storage soon after a slow response": Case(
        """await post('/api/payments?slow=4200', payment({ user_email: USER }));
        await wait(900);
        local('crypto_verification', {
          transactionId: number(), crypto: 'BTC', amount: '0.00071', email: USER,
          transactionHash: `0xabc${TOKEN}`, status: 'completed' });""",
        ({"user_email": "USER", "transaction_id": "T-1", "crypto_amount": "0.00071"},),
    ),
    "two purchases of one plan": Case(
        """for (const n of [1, 2]) {
          await post('/api/payments?slow=1600', {
            user_email: USER, plan_name: 'Pro', final_price: 49, payment_status: 'completed' });
          local('payment_success_data', { transactionId: number(n), planName: 'Pro',
            finalPrice: 49, userData: { email: USER } });
          await wait(1200);
        }""",
        _TWO,
    ),
}


@pytest.mark.quick
@pytest.mark.slow
def test_each_payment_has_its_row_and_each_row_is_another_payment(visit: Visit) -> None:
    check(visit, DIFFERENT_PAYMENTS, ONE_PAYMENT, ADDRESSES_OF_USERS, LATE_COPIES)
