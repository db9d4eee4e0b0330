"""Test each way in which a page saves, and requests that only resemble a save."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engines import packages
from tests.engines.visit import NOTHING_OBSERVED, Visit

PAYMENT = {
    "transaction_id": "T1",
    "plan_name_payment": "Pro",
    "final_price": 10,
    "payment_status": "completed",
}

# Statements that save BODY, a JSON text. Nothing else in the page names the user.
SAVES = {
    "fetch": "fetch('/api/payments', { method: 'POST', body: BODY })",
    "fetch of a Request": "fetch(new Request('/api/payments', { method: 'POST', body: BODY }))",
    "fetch of a URL, by PUT": """
        fetch(new URL('/api/payments', location), { method: 'put', body: BODY })""",
    "fetch to another host": "fetch('OTHER/api/payments', { method: 'POST', body: BODY })",
    "fetch of a form": """
        fetch('/api/payments', { method: 'POST', body: new URLSearchParams(JSON.parse(BODY)) })""",
    "XMLHttpRequest": """(() => {
        const request = new XMLHttpRequest();
        request.open('POST', '/api/payments');
        request.setRequestHeader('Content-Type', 'application/json');
        request.send(BODY);
      })()""",
    "synchronous XMLHttpRequest": """(() => {
        const request = new XMLHttpRequest();
        request.open('POST', '/api/payments', false);
        request.send(BODY);
      })()""",
    "beacon": "navigator.sendBeacon('/api/payments', BODY)",
    "beacon of a Blob": """
        navigator.sendBeacon('/api/payments', new Blob([BODY], { type: 'application/json' }))""",
    "localStorage": "localStorage.setItem('payment_details', BODY)",
    "own setItem of localStorage": """
        localStorage.setItem = (...item) => Storage.prototype.setItem.apply(localStorage, item);
        localStorage.setItem('payment_details', BODY)""",
    "sessionStorage": "sessionStorage.setItem('payment_details', BODY)",
    "form that the page sends elsewhere": """(() => {
        document.body.innerHTML = '<form id="payment-form"></form>';
        const form = document.body.firstChild;
        for (const [name, value] of Object.entries(JSON.parse(BODY))) {
          const field = form.appendChild(document.createElement('input'));
          field.name = name;
          field.value = value;
        }
        form.addEventListener('submit', (event) => {
          event.preventDefault();
          fetch('/api/leads', { method: 'POST', body: new FormData(form) });
        });
        form.requestSubmit();
      })()""",
    "global function": "savePaymentToSupabase(JSON.parse(BODY))",
}

IGNORED = {
    "invoice": "fetch('/api/create-invoice', { method: 'POST', body: BODY })",
    "intent": "fetch('/api/create-payment-intent', { method: 'POST', body: BODY })",
    "information": "fetch('/api/payment-info/7', { method: 'POST', body: BODY })",
    "GET": "fetch('/api/payments?x=' + encodeURIComponent(BODY))",
    "DELETE": "fetch('/api/payments', { method: 'DELETE', body: BODY })",
    "another capture service": "fetch('/payments/capture', { method: 'POST', body: BODY })",
    "capture service of another host": """
        fetch('OTHER/api/payment/capture', { method: 'POST', body: BODY })""",
    "image": """
        fetch('/api/payments', { method: 'POST',
          body: new Blob([new Uint8Array([137, 80, 78, 71])], { type: 'image/png' }) })""",
    "step of a user flow": "fetch('/api/user-flow/mark-step', { method: 'POST', body: BODY })",
    "flag": "localStorage.setItem('questionnaire_completed', 'true')",
    "flag of a user": "localStorage.setItem('questionnaire_completed_USER_EMAIL', 'true')",
    "another key": "localStorage.setItem('cart', BODY)",
    "another form": """(() => {
        document.body.innerHTML = '<form id=search><input name=transaction_id value=T1></form>';
        const form = document.body.firstChild;
        form.addEventListener('submit', (event) => event.preventDefault());
        form.requestSubmit();
      })()""",
}


def run_statement(visit: Visit, tab: Any, statement: str, body: dict[str, Any]) -> None:
    text = json.dumps(json.dumps(body))
    statement = (
        statement.replace("BODY", text)
        .replace("USER_EMAIL", visit.user)
        .replace("OTHER", f"http://127.0.0.1:{visit.shop.port}")
    )
    tab.run(f"() => {{ {statement}; }}")


@pytest.mark.slow
def test_each_way_to_save_a_payment_is_captured_once(visit: Visit) -> None:
    for number, (name, statement) in enumerate(SAVES.items()):
        tab = visit.open(
            f"{visit.tag()}<script>function savePaymentToSupabase(paymentData) {{}}</script>"
        )
        payment = {**PAYMENT, "user_email": visit.user, "transaction_id": f"T{number}"}
        run_statement(visit, tab, statement, payment)
        visit.wait_for_rows("payment_data", number + 1)
        assert visit.observed(tab) == NOTHING_OBSERVED, name
        tab.run("() => { localStorage.clear(); sessionStorage.clear(); }")
        visit.close(tab)
    visit.proxy.wait_until_quiet()
    rows = visit.rows("payment_data")
    assert [row["transaction_id"] for row in rows] == [f"T{number}" for number in range(len(SAVES))]
    assert {float(row["final_price"]) for row in rows} == {10}


@pytest.mark.slow
def test_requests_that_only_resemble_a_save_are_not_captured(visit: Visit) -> None:
    tab = visit.open()
    for statement in IGNORED.values():
        run_statement(visit, tab, statement, {**PAYMENT, "user_email": visit.user})
    visit.proxy.wait_until_quiet(3)
    assert list(visit.proxy.captures()) == []
    run_statement(visit, tab, SAVES["fetch"], {**PAYMENT, "user_email": visit.user})
    assert visit.wait_for_rows("payment_data", 1)
    assert visit.observed(tab)["errors"] == visit.observed(tab)["rejections"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param(
            "current_user",
            '{"id": "u", "name": "N", "email": "USER_EMAIL", "token": "t-o-k-e-n"}',
            id="signed-in user",
        ),
        pytest.param(
            "sb-abcd-auth-token",
            '{"access_token": "t-o-k-e-n", "user": {"id": "u", "email": "USER_EMAIL"}}',
            id="Supabase session",
        ),
    ],
)
def test_payment_without_an_address_belongs_to_the_signed_in_user(
    key: str, value: str, visit: Visit
) -> None:
    tab = visit.open()
    tab.run(
        "([key, value]) => localStorage.setItem(key, value)",
        [key, value.replace("USER_EMAIL", visit.user)],
    )
    run_statement(visit, tab, SAVES["fetch"], PAYMENT)
    (row,) = visit.wait_for_rows("payment_data", 1)
    assert row["transaction_id"] == "T1"
    assert not [request for request in visit.proxy.received_bytes if b"t-o-k-e-n" in request]


@pytest.mark.slow
def test_capture_of_an_unknown_user_waits_for_a_sign_in_even_across_a_reload(visit: Visit) -> None:
    tab = visit.open()
    run_statement(visit, tab, SAVES["fetch"], PAYMENT)
    visit.proxy.wait_until_quiet(2)
    assert list(visit.proxy.captures()) == []
    tab.goto(visit.shop.page(visit.tag()))
    user = json.dumps(json.dumps({"email": visit.user}))
    tab.run(f"localStorage.setItem('current_user', {user})")
    assert visit.wait_for_rows("payment_data", 1)[0]["transaction_id"] == "T1"


_SUPABASE_PROGRAM = """
import { createClient } from 'CLIENT';
const options = { auth: { persistSession: false } };
const client = createClient(location.origin, 'anon-key-of-the-project', options);
const payment = (id) => (
  { user_email: 'USER_EMAIL', transaction_id: id, plan_name: 'Pro', final_price: 10 }
);
document.addEventListener('save', async ({ detail: done }) => {
  await client.from('payments').insert(payment('S1'));
  await client.from('user_payments').insert([payment('S2')]);
  await client.from('payments').upsert(payment('S3'), { onConflict: 'transaction_id' });
  await client.from('payment_data').update(payment('S4')).eq('id', 1);
  client.from('payments').insert(payment('never sent'));
  await client.from('customers').insert(payment('not a payment'));
  await client.from('payments').select('*');
  done();
});
"""


@pytest.mark.slow
@pytest.mark.parametrize("version", ["2.39", pytest.param("newest", marks=pytest.mark.quick)])
def test_payments_written_with_supabase_js_are_captured(
    version: str, visit: Visit, tmp_path: Path
) -> None:
    if packages.missing():
        pytest.skip(f"nothing can be built: {packages.missing()}")
    entry = tmp_path / "saves.js"
    program = _SUPABASE_PROGRAM.replace("CLIENT", f"supabase-{version}")
    entry.write_text(program.replace("USER_EMAIL", visit.user))
    visit.shop.put_folder("/built", packages.build("esbuild", entry, tmp_path / "built").parent)
    tab = visit.open(f"{visit.tag()}<script type=module src=/built/saves.js></script>")
    tab.run("new Promise((detail) => document.dispatchEvent(new CustomEvent('save', { detail })))")
    visit.wait_for_rows("payment_data", 4)
    visit.proxy.wait_until_quiet()
    transactions = sorted(row["transaction_id"] for row in visit.rows("payment_data"))
    assert transactions == ["S1", "S2", "S3", "S4"]
    assert [request.path for request in visit.shop.saved if request.method != "OPTIONS"] == [
        f"/rest/v1/{table}"
        for table in ("payments", "user_payments", "payments", "payment_data", "customers")
    ]
    received = visit.proxy.received_bytes
    assert not [request for request in received if b"anon-key-of-the-project" in request]
    assert visit.observed(tab) == NOTHING_OBSERVED
