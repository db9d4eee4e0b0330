"""Each way in which a page saves is seen, by itself, and what only looks like a save is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engines import packages
from tests.engines.site import NOTHING_SEEN, Stage

PAYMENT = {
    "transaction_id": "T1",
    "plan_name_payment": "Pro",
    "final_price": 10,
    "payment_status": "completed",
}

# What each statement saves, in terms of BODY (a JSON text) and PERSON; nothing else in the page knows who it is.
SAVES = {
    "fetch": "fetch('/api/payments', { method: 'POST', body: BODY })",
    "fetch of a Request": "fetch(new Request('/api/payments', { method: 'POST', body: BODY }))",
    "fetch of a URL, by PUT": "fetch(new URL('/api/payments', location), { method: 'put', body: BODY })",
    "fetch to another host": "fetch('OTHER/api/payments', { method: 'POST', body: BODY })",
    "fetch of a form": "fetch('/api/payments', { method: 'POST', body: new URLSearchParams(JSON.parse(BODY)) })",
    "XMLHttpRequest": """(() => { const request = new XMLHttpRequest(); request.open('POST', '/api/payments');
        request.setRequestHeader('Content-Type', 'application/json'); request.send(BODY); })()""",
    "XMLHttpRequest in step": """(() => { const request = new XMLHttpRequest(); request.open('POST', '/api/payments', false);
        request.send(BODY); })()""",
    "beacon": "navigator.sendBeacon('/api/payments', BODY)",
    "beacon of a Blob": "navigator.sendBeacon('/api/payments', new Blob([BODY], { type: 'application/json' }))",
    "localStorage": "localStorage.setItem('payment_details', BODY)",
    "localStorage's own setItem": """localStorage.setItem = (...item) => Storage.prototype.setItem.apply(localStorage, item);
        localStorage.setItem('payment_details', BODY)""",
    "sessionStorage": "sessionStorage.setItem('payment_details', BODY)",
    "a form": """(() => { document.body.innerHTML = '<form id="payment-form"></form>'; const form = document.body.firstChild;
        for (const [name, value] of Object.entries(JSON.parse(BODY))) {
          const field = form.appendChild(document.createElement('input')); field.name = name; field.value = value; }
        form.addEventListener('submit', (event) => event.preventDefault()); form.requestSubmit(); })()""",
    "a global function": "savePaymentToSupabase(JSON.parse(BODY))",
}

IGNORED = {
    "an invoice": "fetch('/api/create-invoice', { method: 'POST', body: BODY })",
    "an intent": "fetch('/api/create-payment-intent', { method: 'POST', body: BODY })",
    "information": "fetch('/api/payment-info/7', { method: 'POST', body: BODY })",
    "a GET": "fetch('/api/payments?x=' + encodeURIComponent(BODY))",
    "a DELETE": "fetch('/api/payments', { method: 'DELETE', body: BODY })",
    "another capturer": "fetch('/payments/capture', { method: 'POST', body: BODY })",
    "another host's capturer": "fetch('OTHER/api/payment/capture', { method: 'POST', body: BODY })",
    "a picture": """fetch('/api/payments', { method: 'POST',
        body: new Blob([new Uint8Array([137, 80, 78, 71])], { type: 'image/png' }) })""",
    "a step": "fetch('/api/user-flow/mark-step', { method: 'POST', body: BODY })",
    "a flag": "localStorage.setItem('questionnaire_completed', 'true')",
    "a person's flag": "localStorage.setItem('questionnaire_completed_PERSON', 'true')",
    "another key": "localStorage.setItem('cart', BODY)",
    "another form": """(() => { document.body.innerHTML = '<form id="search"><input name=transaction_id value=T1></form>';
        document.body.firstChild.addEventListener('submit', (event) => event.preventDefault());
        document.body.firstChild.requestSubmit(); })()""",
}  # fmt: skip


def run(stage: Stage, tab: Any, statement: str, body: dict[str, Any]) -> None:
    text = json.dumps(json.dumps(body))
    statement = (
        statement.replace("BODY", text)
        .replace("PERSON", stage.user)
        .replace("OTHER", f"http://127.0.0.1:{stage.shop.port}")
    )
    tab.run(f"() => {{ {statement}; }}")


def test_every_signal_of_a_payment_is_captured_once(stage: Stage) -> None:
    for number, (name, statement) in enumerate(SAVES.items()):
        tab = stage.open(
            f"{stage.tag()}<script>function savePaymentToSupabase(paymentData) {{}}</script>"
        )
        run(
            stage,
            tab,
            statement,
            {**PAYMENT, "user_email": stage.user, "transaction_id": f"T{number}"},
        )
        stage.wait_for_rows("payment_data", number + 1, 15)
        assert stage.seen(tab) == NOTHING_SEEN, name
        tab.run("() => { localStorage.clear(); sessionStorage.clear(); }")
        stage.close(tab)
    stage.gate.wait_until_quiet()
    rows = stage.rows("payment_data")
    assert [row["transaction_id"] for row in rows] == [f"T{number}" for number in range(len(SAVES))]
    assert {float(row["final_price"]) for row in rows} == {10}


def test_what_only_looks_like_a_save_is_left_alone(stage: Stage) -> None:
    tab = stage.open()
    for statement in IGNORED.values():
        run(stage, tab, statement, {**PAYMENT, "user_email": stage.user})
    stage.gate.wait_until_quiet(3)
    assert list(stage.gate.captures()) == []
    run(stage, tab, SAVES["fetch"], {**PAYMENT, "user_email": stage.user})
    assert stage.wait_for_rows("payment_data", 1)
    assert stage.seen(tab)["errors"] == stage.seen(tab)["rejections"] == []


@pytest.mark.parametrize(
    ("kept", "key", "value"),
    [
        (
            "a signed-in user",
            "current_user",
            '{"id": "u", "name": "N", "email": "PERSON", "token": "t-o-k-e-n"}',
        ),
        (
            "a Supabase session",
            "sb-abcd-auth-token",
            '{"access_token": "t-o-k-e-n", "user": {"id": "u", "email": "PERSON"}}',
        ),
    ],
)
def test_a_payment_without_an_address_is_that_of_who_is_signed_in(
    kept: str, key: str, value: str, stage: Stage
) -> None:
    tab = stage.open()
    tab.run(
        "([key, value]) => localStorage.setItem(key, value)",
        [key, value.replace("PERSON", stage.user)],
    )
    run(stage, tab, SAVES["fetch"], PAYMENT)
    (row,) = stage.wait_for_rows("payment_data", 1)
    assert row["transaction_id"] == "T1"
    assert not [seen for seen in stage.gate.bytes_seen if b"t-o-k-e-n" in seen]


def test_a_capture_whose_user_is_not_known_waits_until_one_is_also_over_a_reload(
    stage: Stage,
) -> None:
    tab = stage.open()
    run(stage, tab, SAVES["fetch"], PAYMENT)
    stage.gate.wait_until_quiet(2)
    assert list(stage.gate.captures()) == []
    tab.goto(stage.shop.page(stage.tag()))
    user = json.dumps(json.dumps({"email": stage.user}))
    tab.run(f"localStorage.setItem('current_user', {user})")
    assert stage.wait_for_rows("payment_data", 1)[0]["transaction_id"] == "T1"


_SUPABASE = """
import { createClient } from 'CLIENT';
const client = createClient(location.origin, 'anon-key-of-the-project', { auth: { persistSession: false } });
const payment = (id) => ({ user_email: 'PERSON', transaction_id: id, plan_name: 'Pro', final_price: 10 });
document.addEventListener('save', async ({ detail }) => {
  await client.from('payments').insert(payment('S1'));
  await client.from('user_payments').insert([payment('S2')]);
  await client.from('payments').upsert(payment('S3'), { onConflict: 'transaction_id' });
  await client.from('payment_data').update(payment('S4')).eq('id', 1);
  client.from('payments').insert(payment('never sent'));
  await client.from('customers').insert(payment('not a payment'));
  await client.from('payments').select('*');
  detail();
});
"""


@pytest.mark.parametrize("version", ["2.39", pytest.param("newest", marks=pytest.mark.quick)])
def test_supabase_js_is_understood(version: str, stage: Stage, tmp_path: Path) -> None:
    if packages.why_not():
        pytest.skip(f"nothing can be built: {packages.why_not()}")
    entry = tmp_path / "saves.js"
    entry.write_text(
        _SUPABASE.replace("CLIENT", f"supabase-{version}").replace("PERSON", stage.user)
    )
    stage.shop.put_folder("/built", packages.build("esbuild", entry, tmp_path / "built").parent)
    tab = stage.open(f"{stage.tag()}<script type=module src=/built/saves.js></script>")
    tab.run("new Promise((detail) => document.dispatchEvent(new CustomEvent('save', { detail })))")
    stage.wait_for_rows("payment_data", 4)
    stage.gate.wait_until_quiet()
    assert sorted(row["transaction_id"] for row in stage.rows("payment_data")) == [
        "S1",
        "S2",
        "S3",
        "S4",
    ]
    assert [saved.path for saved in stage.shop.saved if saved.method != "OPTIONS"] == [
        f"/rest/v1/{table}"
        for table in ("payments", "user_payments", "payments", "payment_data", "customers")
    ]
    assert not [seen for seen in stage.gate.bytes_seen if b"anon-key-of-the-project" in seen]
    assert stage.seen(tab) == NOTHING_SEEN
