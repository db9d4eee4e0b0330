"""Test prototype pollution and keys that are named like members of every object."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.page_code import PAYMENT

SAVES = "<script>function savePaymentToSupabase() { return 'saved' }</script>"
PAY = f"savePaymentToSupabase({json.dumps(PAYMENT)})"
OTHER_USER = "mallory@example.com"

# Members that a page adds to Object.prototype. FOREIGN is the URL of a third party.
POLLUTIONS = {
    "endpoint": {
        "endpoint": "FOREIGN", "src": "FOREIGN", "url": "FOREIGN", "href": "FOREIGN",
        "serverTiming": "x",
    },
    "switches": {
        "enabled": "false", "consent": "required", "without": "payment", "placeholders": "USER",
    },
    "rules": {
        "rules": [{"kind": "activity", "call": "savePaymentToSupabase"}], "call": "alert",
        "as": {"note": "x"}, "under": "moved", "form": ".", "key": ".", "kind": "activity",
    },
    "members of a capture": {
        "blocked": True, "rejected": True, "out": True, "until": 9e15, "dueAt": 9e15, "kept": True,
        "response": 1, "parts": [], "number": "x", "own": "x", "item": 1, "payload": {"a": 1},
    },
    "user": {
        "user_email": OTHER_USER, "email": OTHER_USER, "userEmail": OTHER_USER,
        "user": {"email": OTHER_USER}, "userData": {"email": OTHER_USER},
        "currentUser": {"email": OTHER_USER}, "user_name": "Mallory", "userId": "m",
    },
    "options of requests": {
        "method": "GET", "mode": "no-cors", "credentials": "include", "redirect": "follow",
        "cache": "force-cache", "referrer": "FOREIGN", "integrity": "sha256-x",
        "headers": {"X-Foreign": "1"}, "type": "module", "keepalive": True, "duplex": "half",
        "priority": "low", "body": "foreign",
    },
    "options of databases and locks": {
        "autoIncrement": True, "durability": "strict", "steal": True, "ifAvailable": True,
        "attributes": True, "signal": 1, "unique": True, "once": True, "passive": True,
    },
    "response of the service": {"success": True, "status": 200, "answers": [], "error": "foreign"},
    "payments seen before": {
        "T-1": 9e15, "T-1completed": 9e15, "payment": 1, "transactionid": "note",
        "planname": "note",
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("members", POLLUTIONS.values(), ids=POLLUTIONS)
def test_polluted_object_prototype_changes_neither_settings_nor_data(
    members: dict[str, Any], visit: Any, proxy: Any, site: Any, foreign_server: Any, user: str
) -> None:
    values = json.dumps(members).replace("FOREIGN", foreign_server.url).replace("USER", user)
    pollution = f"""<script>{{
      window.before = Object.getOwnPropertyNames(Object.prototype).length;
      const values = {values};
      for (const name of Object.keys(values)) Object.prototype[name] = values[name];
    }}</script>"""
    visit.open(
        f"{SAVES}<script>window.outcome = {PAY}; enhancedDataCapture.flush()</script>",
        before=pollution,
        service=f"{site.url}/static",
        tag=f'data-endpoint="{proxy.url}"',
        user=user,
    )
    # Playwright reads inherited members too, so it evaluates nothing until they are deleted.
    visit.page.wait_for_timeout(300)
    visit.eventually(lambda: proxy.received, "the capture arrives")
    visit.run(
        f"() => {{ for (const name of {json.dumps(list(members))}) delete Object.prototype[name] }}"
    )
    assert visit.run("outcome") == "saved"
    assert visit.run("Object.getOwnPropertyNames(Object.prototype).length - before") == 0
    visit.flush()
    assert proxy.only_capture(user) == PAYMENT
    assert foreign_server.requests == []
    assert "X-Foreign" not in str(proxy.received[0].headers)


NAMES = (
    "__proto__", "constructor", "prototype", "valueOf", "toString", "toLocaleString",
    "hasOwnProperty", "isPrototypeOf", "__defineGetter__", "__lookupSetter__", "then", "toJSON",
    "length", "call", "apply", "kind", "id", "parts", "0", "",
)  # fmt: skip
MEMBERS = {name: {"a": name, "password": "s3cret"} for name in NAMES}
MASKED_MEMBERS = {name: {"a": name, "password": "[redacted]"} for name in NAMES}
WAYS_TO_SAVE = {
    "a call": "savePaymentToSupabase(JSON.parse(text))",
    "the API": "enhancedDataCapture.capturePaymentData(JSON.parse(text))",
    "a request": "fetch('/api/payments', {method: 'POST', body: text})",
    "a storage key": "localStorage.setItem('payment_details', text)",
    "a storage key and a call": (
        "localStorage.setItem('payment_details', text); savePaymentToSupabase(JSON.parse(text))"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("save", WAYS_TO_SAVE.values(), ids=WAYS_TO_SAVE)
def test_keys_named_like_object_members_are_plain_data(
    save: str, visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    payload = {**MEMBERS, "final_price": 49, "nested": {"list": [MEMBERS]}}
    prototypes = """[Object, Array, Function].map(
      ({prototype}) => Object.getOwnPropertyNames(prototype).sort().join()
    )"""
    visit.open(SAVES, before=f"<script>window.before = {prototypes}</script>", user=user)
    visit.run(f"(text) => {{ {save} }}", json.dumps(payload))
    [row] = stored("payment_data")
    assert row["final_price"] == 49
    body = proxy.only_capture(user)
    assert body == {**MASKED_MEMBERS, "final_price": 49, "nested": {"list": [MASKED_MEMBERS]}}
    assert visit.run(f"String(before) === String({prototypes})")
    assert visit.run("({}).a === undefined && ({}).password === undefined")


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize(
    "body",
    ["__proto__=1&constructor=2&valueOf=3", "__proto__=1&__proto__=1&constructor=2&valueOf=3"],
)
def test_form_fields_named_like_object_members_are_plain_data(
    body: str, visit: Any, proxy: Any, user: str
) -> None:
    visit.open(user=user)
    visit.run(f"() => {{ fetch('/api/payments', {{method: 'POST', body: '{body}'}}) }}")
    visit.flush()
    first = ["1", "1"] if body.count("__proto__") == 2 else "1"
    assert proxy.only_capture(user) == {"__proto__": first, "constructor": "2", "valueOf": "3"}
