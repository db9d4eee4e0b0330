"""Test whose a save is that names someone: in its payload, or in the calls before it."""

from __future__ import annotations

import json

import pytest

from tests.engines.case_table import Case, Row, check
from tests.engines.visit import Visit

# An admin is signed in. With this in the payload, the payment is the guest's.
GUEST_IN_PAYLOAD = {
    "user_email": "{ user_email: GUEST }",
    "userEmail": "{ userEmail: GUEST }",
    "email": "{ email: GUEST }",
    "Email": "{ Email: GUEST }",
    "EMAIL": "{ EMAIL: GUEST }",
    "e-mail": "{ 'e-mail': GUEST }",
    "emailAddress": "{ emailAddress: GUEST }",
    "email_address": "{ email_address: GUEST }",
    "billing_email": "{ billing_email: GUEST }",
    "billingEmail": "{ billingEmail: GUEST }",
    "billing-email": "{ 'billing-email': GUEST }",
    "customer_email": "{ customer_email: GUEST }",
    "customerEmail": "{ customerEmail: GUEST }",
    "contact_email": "{ contact_email: GUEST }",
    "receipt_email": "{ receipt_email: GUEST }",
    "payer_email": "{ payer_email: GUEST }",
    "buyer_email": "{ buyer_email: GUEST }",
    "guest_email": "{ guest_email: GUEST }",
    "customer.email": "{ customer: { name: 'Guest', email: GUEST } }",
    "customer.emailAddress": "{ customer: { emailAddress: GUEST } }",
    "customer_details.email": "{ customer_details: { email: GUEST, phone: null } }",
    "billing_details.email": "{ billing_details: { address: {}, email: GUEST } }",
    "billingDetails.Email": "{ billingDetails: { Email: GUEST } }",
    "billing.email": "{ billing: { first_name: 'Guest', email: GUEST } }",
    "billingAddress.email": "{ billingAddress: { city: 'Graz', email: GUEST } }",
    "contact.email": "{ contact: { email: GUEST, phone: '+43 1' } }",
    "contactInfo.email": "{ contactInfo: { email: GUEST } }",
    "payer.email_address": "{ payer: { email_address: GUEST, payer_id: 'P1' } }",
    "buyer.email": "{ buyer: { email: GUEST } }",
    "guest.email": "{ guest: { email: GUEST } }",
    "shopper.email": "{ shopper: { email: GUEST } }",
    "user.email": "{ user: { id: 'u-9', email: GUEST } }",
    "userData.email": "{ userData: { id: 'u-9', email: GUEST } }",
    "metadata.email": "{ metadata: { email: GUEST } }",
    "order.customer.email": "{ order: { customer: { email: GUEST } } }",
    "user_email before another's customer": "{ user_email: GUEST, customer: { email: OTHER } }",
}

# The user is signed in. These addresses are not the payer's.
OTHERS_IN_PAYLOAD = {
    "seller_email": "{ seller_email: OTHER }",
    "merchant.email": "{ merchant: { email: OTHER } }",
    "payee.email_address": "{ payee: { email_address: OTHER } }",
    "referrer_email": "{ referrer_email: OTHER }",
    "support_email": "{ support_email: OTHER }",
    "agent.email": "{ agent: { email: OTHER } }",
    "vendor.contact.email": "{ vendor: { name: 'V', contact: { email: OTHER } } }",
    "broker_email": "{ broker_email: OTHER }",
    "address in a note": "{ note: `call ${OTHER} back` }",
    "placeholder": "{ user_email: 'unknown@example.com' }",
    "made-up address": "{ user_email: 'user_1795950058949@example.com' }",
    "empty address": "{ user_email: '', email: null }",
    "own address beside a made-up one": "{ user_email: 'user_1795950058949@x.com', email: USER }",
}

_ROW = {"transaction_id": "T-1", "final_price": 49}
# A form with a field of this name and value.
_FORM = """const fields = { ...payment(), '%s': %s };
        await fetch('/api/payments', { method: 'POST', body: new URLSearchParams(fields) });"""
_SIGNED_IN = "local('current_user', { id: 'u-1', email: %s, name: 'Signed In' })"

PAYLOADS = {
    **{
        name: Case(f"await pay({more});", ({"user_email": "GUEST", **_ROW},), _SIGNED_IN % "OTHER")
        for name, more in GUEST_IN_PAYLOAD.items()
    },
    **{
        name: Case(f"await pay({more});", ({"user_email": "USER", **_ROW},), _SIGNED_IN % "USER")
        for name, more in OTHERS_IN_PAYLOAD.items()
    },
    "guest's form, urlencoded": Case(
        _FORM % ("billing[email]", "GUEST"),
        ({"user_email": "GUEST", **_ROW},),
        _SIGNED_IN % "OTHER",
    ),
    **{
        f"guest's form with {name}, nobody signed in": Case(
            _FORM % (name, "GUEST"), ({"user_email": "GUEST", **_ROW},)
        )
        for name in ("order[email]", "order[customer][email]", "Order.Email")
    },
    **{
        f"form with {name}": Case(
            _FORM % (name, "OTHER"), ({"user_email": "USER", **_ROW},), _SIGNED_IN % "USER"
        )
        for name in ("order[seller][email]", "seller.email", "order[referrer_email]")
    },
    "guest's form, multipart": Case(
        """const form = new FormData();
        for (const field of Object.entries({ ...payment(), Email: GUEST })) form.append(...field);
        await fetch('/api/payments', { method: 'POST', body: form });""",
        ({"user_email": "GUEST", **_ROW},),
        _SIGNED_IN % "OTHER",
    ),
    "guest's copy in storage": Case(
        "local('payment_details', payment({ billing_email: GUEST }));",
        ({"user_email": "GUEST", **_ROW},),
        _SIGNED_IN % "OTHER",
    ),
    "guest's order, and then the admin's own": Case(
        """await pay({ customer: { email: GUEST } });
        await pay({ transaction_id: number(2), plan_name: 'Elite', final_price: 99 });""",
        (
            {"user_email": "GUEST", "transaction_id": "T-1", "final_price": 49},
            {"user_email": "OTHER", "transaction_id": "T-2", "final_price": 99},
        ),
        _SIGNED_IN % "OTHER",
    ),
    "guest's name is not the admin's": Case(
        "await pay({ billing_email: GUEST });",
        ({"user_email": "GUEST", "user_name": None, "user_id": None},),
        _SIGNED_IN % "OTHER",
    ),
}

_CAPTURE_DASHBOARD = """await enhancedDataCapture.captureDashboardData(
  { performance: { winRate: 60 } }, { currentEquity: 10250, initialEquity: 10000 }, 'dark');"""
_CAPTURE_PAYMENT = "await enhancedDataCapture.capturePaymentData(payment({ user_email: USER }));"
_DASHBOARD: tuple[Row, ...] = ({"user_email": "USER", "current_equity": 10250, "theme": "dark"},)

# The product's own document shows these calls; only the first ones name the user.
CALLS = {
    name: Case(f"{calls}\n{_CAPTURE_DASHBOARD}", _DASHBOARD, table="dashboard_data")
    for name, calls in {
        "payment": _CAPTURE_PAYMENT,
        "payment with another spelling": (
            "await enhancedDataCapture.capturePaymentData(payment({ customer: { email: USER } }));"
        ),
        "payment that is not awaited": _CAPTURE_PAYMENT.removeprefix("await "),
        "questionnaire": """await enhancedDataCapture.captureQuestionnaireData(
            { user_email: USER, tradesPerDay: '3-5', accountSize: '$100,000' });""",
        "identify": "enhancedDataCapture.identify({ email: USER });",
        "payments of two users, the last one's": """
            await enhancedDataCapture.capturePaymentData(payment({ user_email: OTHER }));
            await enhancedDataCapture.capturePaymentData(
              payment({ transaction_id: number(2), user_email: USER }));""",
    }.items()
} | {
    "payment of another user before": Case(
        f"await enhancedDataCapture.capturePaymentData(payment({{ user_email: OTHER }}));"
        f"await enhancedDataCapture.captureQuestionnaireData({{ email: USER, hasAccount: 'no' }});"
        f"{_CAPTURE_DASHBOARD}",
        _DASHBOARD,
        table="dashboard_data",
    ),
    "activity after a payment": Case(
        f"{_CAPTURE_PAYMENT}"
        "await enhancedDataCapture.captureTradingActivity('trade_closed', { pnl: 42.5 });",
        ({"user_email": "USER", "activity_type": "trade_closed"},),
        table="trading_activity_log",
    ),
    "dashboard that the page saves after a call": Case(
        f"{_CAPTURE_PAYMENT} await post('/api/dashboard', dashboard({{ user_email: undefined }}));",
        ({"user_email": "USER", "current_equity": 10000},),
        table="dashboard_data",
    ),
    "dashboard of a signed-in admin after a guest's order": Case(
        "await pay({ billing_email: GUEST }); await wait(1500);"
        "await post('/api/dashboard', dashboard({ user_email: undefined }));",
        ({"user_email": "OTHER", "current_equity": 10000},),
        _SIGNED_IN % "OTHER",
        table="dashboard_data",
    ),
}


@pytest.mark.quick
@pytest.mark.slow
def test_save_belongs_to_whom_its_payload_or_the_last_call_names(visit: Visit) -> None:
    check(visit, PAYLOADS, CALLS)


@pytest.mark.slow
def test_status_and_debug_say_that_a_payment_waits_because_nobody_is_known(visit: Visit) -> None:
    tab = visit.open(visit.tag("data-debug"))
    body = json.dumps(json.dumps({"transaction_id": "W-1", "plan_name": "Pro", "final_price": 49}))
    tab.run(f"void fetch('/api/payments', {{ method: 'POST', body: {body} }})")
    tab.eventually(
        "observed.console.some((line) => /nobody is known/i.test(line))", "a message", 10
    )
    waits = tab.run("enhancedDataCapture.status()")
    assert waits["unattributed"] == 1
    assert "nobody" in waits["why"]
    assert [waits["seen"], waits["captured"], waits["delivered"]] == [1, 1, 0]

    tab.run(f"localStorage.setItem('user', {json.dumps(json.dumps({'email': visit.user}))})")
    assert visit.wait_for_rows("payment_data", 1)[0]["transaction_id"] == "W-1"
    tab.eventually(
        "enhancedDataCapture.status().then(({ delivered }) => delivered === 1)", "it is delivered"
    )
    after = tab.run("enhancedDataCapture.status()")
    assert (after["unattributed"], after["why"] or "") == (0, "")
