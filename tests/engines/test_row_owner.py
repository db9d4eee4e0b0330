"""Test whose row a save changes: its filter, its ids and its token say it before the session."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.browser.site import STORED_RECORDS
from tests.engines.browser import eventually
from tests.engines.case_table import Case, Row, check
from tests.engines.visit import Visit

_NOTHING: tuple[Row, ...] = ()
_ADMIN = "local('current_user', { id: 'admin-1', email: OTHER, name: 'Admin' });"
_CUSTOMER = "local('current_user', { id: 'u-1', email: USER, name: 'Customer' });"
_ID = "const id = `row-7-${TOKEN}`;"  # a word in a path may be a step


def _states(*statuses: str) -> tuple[Row, ...]:
    return tuple(
        {
            "user_email": "USER",
            "transaction_id": "T-1",
            "final_price": 49,
            "payment_status": status,
        }
        for status in statuses
    )


_APPROVED = _states("pending", "completed")


def _approval(request: str, before: str = _ADMIN, row_id: str = _ID) -> Case:
    """Return a case in which a customer's payment is approved by a later request."""
    return Case(
        f"""{row_id}
        await pay({{ id, user_email: USER, payment_status: 'pending' }});
        await wait(2000);
        await {request};""",
        _APPROVED,
        before,
    )


_NUMERIC_ID = "const id = Math.floor(Math.random() * 1e9) + 1e6;"

APPROVALS = {
    "filter by id": _approval("patch(`/rest/v1/payments?id=eq.${id}`, { status: 'completed' })"),
    "filter by a numeric id": _approval(
        "patch(`/rest/v1/payments?id=eq.${id}`, { status: 'completed' })", row_id=_NUMERIC_ID
    ),
    "filter by id, with more parameters": _approval(
        "patch(`/rest/v1/payments?select=*&id=eq.${id}`, { payment_status: 'completed' })"
    ),
    "filter by the transaction": _approval(
        "patch(`/rest/v1/payments?transaction_id=eq.${number()}`, { status: 'completed' })"
    ),
    "id in the path": _approval("patch(`/api/payments/${id}`, { status: 'completed' })"),
    "id in the path, by PUT": _approval(
        "send('PUT', `/api/payments/${id}/`, { status: 'completed' })"
    ),
    "record of PocketBase": _approval(
        "patch(`/api/collections/payments/records/${id}`, { status: 'completed' })"
    ),
    "XMLHttpRequest": _approval("""new Promise((resolve) => {
        const request = new XMLHttpRequest();
        request.open('PATCH', `/rest/v1/payments?id=eq.${id}`);
        request.onload = resolve;
        request.send(JSON.stringify({ status: 'completed' }));
      })"""),
    "the customer's own update": _approval(
        "patch(`/rest/v1/payments?id=eq.${id}`, { status: 'completed' })", _CUSTOMER
    ),
    "filter by the customer's address": _approval(
        """patch(`/rest/v1/payments?user_email=eq.${encodeURIComponent(USER)}`, {
          transaction_id: number(), status: 'completed' })"""
    ),
}

NOT_THE_ADMINS = {
    name: Case(f"{_ID} await {request};", _NOTHING, _ADMIN, table=table)
    for name, (table, request) in {
        "filter by an unknown id": (
            "payment_data",
            "patch(`/rest/v1/payments?id=eq.${id}`, { status: 'completed' })",
        ),
        "unknown id in the path": (
            "payment_data",
            "patch(`/api/payments/${id}`, { status: 'completed' })",
        ),
        "a customer's id in the payload": (
            "payment_data",
            "pay({ user_id: `customer-${TOKEN}` })",
        ),
        "a customer's id in camelCase": ("payment_data", "pay({ userId: `customer-${TOKEN}` })"),
        "customers' ids in rows of an insert": (
            "payment_data",
            """post('/rest/v1/payments', [1, 2].map((n) => (
              payment({ transaction_id: number(n), user_id: `customer-${n}-${TOKEN}` }))))""",
        ),
        "filter by a customer's id": (
            "payment_data",
            "patch(`/rest/v1/payments?user_id=eq.customer-${TOKEN}`, { status: 'completed' })",
        ),
        "dashboard with a filter by id": (
            "dashboard_data",
            "patch(`/rest/v1/user_dashboards?id=eq.${id}`, { total_pnl: 50 })",
        ),
        "dashboard of a customer's id": (
            "dashboard_data",
            "send('PUT', '/api/dashboard/equity', { user_id: id, current_equity: 9900 })",
        ),
        "questionnaire with a filter by id": (
            "questionnaire_data",
            "patch(`/rest/v1/questionnaires?id=eq.${id}`, { has_account: 'yes' })",
        ),
        "questionnaire of a customer in the path": (
            "questionnaire_data",
            "post(`/api/users/${id}/questionnaire`, { hasAccount: 'yes', tradesPerDay: '3-5' })",
        ),
        "filter by id, with the admin's token": (
            "payment_data",
            """patch(`/rest/v1/payments?id=eq.${id}`, { status: 'completed' }, {
              headers: { Authorization: `Bearer ${jwt({ email: OTHER, sub: 'admin-1' })}` } })""",
        ),
    }.items()
}

_OWN: tuple[Row, ...] = ({"user_email": "USER", "transaction_id": "T-1"},)

SESSIONS_OWN = {
    "own id in the payload": Case("await pay({ user_id: 'u-1' });", _OWN, _CUSTOMER),
    "own numeric id in the payload": Case(
        "await pay({ user_id: 7 });", _OWN, "local('current_user', { id: '7', email: USER });"
    ),
    "filter by the own id": Case(
        "await patch('/rest/v1/payments?user_id=eq.u-1', payment());", _OWN, _CUSTOMER
    ),
    "questionnaire with the own id in the path": Case(
        "await post('/api/users/u-1/questionnaire', { hasAccount: 'yes', tradesPerDay: '3-5' });",
        ({"user_email": "USER", "has_account": "yes"},),
        _CUSTOMER,
        table="questionnaire_data",
    ),
    "no id at all": Case("await pay();", _OWN, _CUSTOMER),
    "address in the payload, and a filter by id": Case(
        f"{_ID} await patch(`/rest/v1/payments?id=eq.${{id}}`, payment({{ user_email: USER }}));",
        _OWN,
        _ADMIN,
    ),
}

_CLAIMS = "{ sub: 'u-1', email: USER, name: 'Žofie', role: 'authenticated', exp: inSeconds(3600) }"
_BEARER = f"const authorization = `Bearer ${{jwt({_CLAIMS})}}`;"


def _with_token(
    steps: str, rows: tuple[Row, ...] = _OWN, before: str = "", bearer: str = _BEARER
) -> Case:
    return Case(f"{bearer}\n{steps}", rows, before)


def _bearer(token: str) -> str:
    return f"const authorization = {token};"


_FETCH = "await post('/api/payments', payment(), { headers: { Authorization: authorization } });"

TOKENS = {
    "headers as an object": _with_token(_FETCH),
    "headers as an object, in lower case": _with_token(
        "await post('/api/payments', payment(), { headers: { authorization, apikey: 'k' } });"
    ),
    "headers as Headers": _with_token(
        """const headers = new Headers({ 'Content-Type': 'application/json' });
        headers.set('Authorization', authorization);
        await post('/rest/v1/payments', payment(), { headers });"""
    ),
    "headers as an array": _with_token(
        """const headers = [['Accept', '*/*'], ['AUTHORIZATION', authorization]];
        await post('/api/payments', payment(), { headers });"""
    ),
    "headers of a Request": _with_token(
        """await fetch(new Request('/api/payments', {
          method: 'POST', headers: { authorization }, body: JSON.stringify(payment()) }));"""
    ),
    "headers beside a Request": _with_token(
        """const body = JSON.stringify(payment());
        const request = new Request('/api/payments', {
          method: 'POST', headers: { authorization: `Bearer ${jwt({ email: OTHER })}` }, body });
        await fetch(request, { headers: { authorization } });"""
    ),
    "XMLHttpRequest with the header": _with_token(
        """const request = new XMLHttpRequest();
        request.open('POST', '/api/payments');
        request.setRequestHeader('Content-Type', 'application/json');
        request.setRequestHeader('Authorization', authorization);
        request.send(JSON.stringify(payment()));"""
    ),
    "XMLHttpRequest that is opened again without it": _with_token(
        """const request = new XMLHttpRequest();
        request.open('POST', '/api/login');
        request.setRequestHeader('Authorization', authorization);
        request.open('POST', '/api/payments');
        request.send(JSON.stringify(payment()));
        """,
        _NOTHING,
    ),
    "PUT with the token's own id": Case(
        f"""{_BEARER} await send('PUT', '/api/dashboard/equity', {{
          user_id: 'u-1', current_equity: '9900', total_pnl: -100
        }}, {{ headers: {{ authorization }} }});
        """,
        ({"user_email": "USER", "current_equity": 9900, "total_pnl": -100},),
        table="dashboard_data",
    ),
    "scheme in lower case": _with_token(_FETCH, bearer=_bearer(f"`bearer ${{jwt({_CLAIMS})}}`")),
    "address as the subject": _with_token(
        _FETCH, bearer=_bearer("`Bearer ${jwt({ sub: USER, iat: 1 })}`")
    ),
    "token before the session": _with_token(
        _FETCH, before="local('current_user', { id: 'o', email: OTHER });"
    ),
    "address in the payload before the token": _with_token(
        """await post('/api/payments', payment({ billing_email: GUEST }), {
          headers: { authorization } });""",
        ({"user_email": "GUEST", "transaction_id": "T-1"},),
    ),
    "key of the project before a session": _with_token(
        _FETCH,
        before=_CUSTOMER,
        bearer=_bearer("`Bearer ${jwt({ iss: 'supabase', ref: 'abcd', role: 'anon' })}`"),
    ),
    **{
        name: _with_token(_FETCH, _NOTHING, bearer=_bearer(token))
        for name, token in {
            "key of the project alone": "`Bearer ${jwt({ iss: 'supabase', role: 'anon' })}`",
            "opaque token": "'Bearer 0123456789abcdef'",
            "three parts that are no JSON": "'Bearer aaaa.bbbb.cccc'",
            "claims that are no object": "`Bearer ${jwt([USER])}`",
            "placeholder in the token": "`Bearer ${jwt({ email: 'unknown@example.com' })}`",
            "name and password": "`Basic ${btoa(`${USER}:secret`)}`",
        }.items()
    },
}

_SIGNATURE = b"c2lnbmVk"


@pytest.mark.quick
@pytest.mark.slow
def test_save_belongs_to_whom_its_filter_its_ids_or_its_token_name(visit: Visit) -> None:
    check(visit, APPROVALS, NOT_THE_ADMINS, SESSIONS_OWN, TOKENS)
    assert not [sent for sent in visit.proxy.received_bytes if _SIGNATURE in sent]


@pytest.mark.slow
def test_update_of_a_row_that_nobody_knows_is_kept_where_the_owner_sees_it(visit: Visit) -> None:
    tab = visit.open()
    row = uuid.uuid4().hex
    user = json.dumps(json.dumps({"id": "admin-1", "email": visit.user}))
    tab.run(f"localStorage.setItem('current_user', {user})")
    tab.run(
        "(row) => { fetch(`/rest/v1/payments?id=eq.${row}`, {"
        " method: 'PATCH', body: JSON.stringify({ status: 'completed' }) }); }",
        row,
    )
    (capture,) = eventually(lambda: list(visit.proxy.captures()), "the capture arrives", 10)
    assert capture["capture_target"] == f"/rest/v1/payments?id=eq.{row}"
    assert "user_email" not in capture
    tab.eventually(
        "enhancedDataCapture.status().then(({ delivered }) => delivered === 1)", "it is accepted"
    )
    tables = visit.service.rows("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    assert [
        table["name"]
        for table in tables
        if row in str(visit.service.rows(f'SELECT * FROM "{table["name"]}"'))  # noqa: S608
    ]
    assert visit.rows("payment_data") == []


@pytest.mark.slow
def test_token_of_a_save_is_not_kept_while_the_service_is_down(visit: Visit) -> None:
    tab = visit.open()
    visit.take_service_down()
    claims = json.dumps({"email": visit.user, "sub": "u-1"})
    tab.run(
        """(claims) => {
          const token = ['{"alg":"HS256"}', claims].map(btoa).join('.')
            .replaceAll('=', '') + '.c2lnbmVk';
          const headers = { Authorization: `Bearer ${token}` };
          const payment = { transaction_id: 'K-1', plan_name: 'Pro', final_price: 49 };
          fetch('/api/payments', { method: 'POST', headers, body: JSON.stringify(payment) });
        }""",
        claims,
    )
    tab.eventually(f"{STORED_RECORDS}.then((all) => JSON.stringify(all).includes('K-1'))", "kept")
    kept = tab.run(f"{STORED_RECORDS}.then(JSON.stringify)")
    kept += tab.run("JSON.stringify({ ...localStorage, session: { ...sessionStorage } })")
    assert _SIGNATURE.decode() not in kept
    visit.bring_service_back()
    assert visit.wait_for_rows("payment_data", 1)[0]["transaction_id"] == "K-1"
