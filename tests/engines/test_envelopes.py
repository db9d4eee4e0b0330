"""Test saves in the envelopes of protocols: GraphQL, tRPC, JSON-RPC and Next.js server actions."""

from __future__ import annotations

import pytest

from tests.engines.case_table import Case, Row, check, rules_attribute
from tests.engines.visit import Visit

_ROW: Row = {
    "user_email": "USER",
    "transaction_id": "T-1",
    "plan_name": "Pro",
    "final_price": 49,
    "payment_status": "completed",
}
_INPUT = "const input = payment({ user_email: USER });"


def _case(steps: str, *rules: dict[str, str], saves: bool = True) -> Case:
    attributes = rules_attribute(*rules) if rules else ""
    return Case(f"{_INPUT}\n{steps}", (_ROW,) if saves else (), attributes=attributes)


_CREATE = """const query = `mutation CreatePayment($input: PaymentInput!) {
  createPayment(input: $input) { id status }
}`;
const create = { operationName: 'CreatePayment', query, variables: { input } };
"""
_READ = """const read = {
  operationName: 'Payments', variables: { input },
  query: 'query Payments($input: PaymentFilter) { payments(filter: $input) { id mutation } }',
};
"""
_MUTATION = {
    "kind": "payment",
    "url": "/graphql$",
    "body": r"mutation\s+CreatePayment",
    "under": "variables.input",
}
_ANY_MUTATION = {"kind": "payment", "url": "/graphql$", "under": "variables.input"}
_PERSISTED = {**_MUTATION, "body": '"operationName":\\s*"CreatePayment"'}

GRAPHQL = {
    "mutation": _case(f"{_CREATE} await post('/graphql', create);", _MUTATION),
    "mutation without a pattern for the body": _case(
        f"{_CREATE} await post('/graphql', create);", _ANY_MUTATION
    ),
    "mutation with its text last": _case(
        f"{_CREATE} await post('/graphql', {{ variables: {{ input }}, query }});", _ANY_MUTATION
    ),
    "mutation after a comment and a fragment": _case(
        """const query = `# Saves.
          fragment Sum on Payment { id }
          mutation CreatePayment($input: P!) { createPayment(input: $input) { ...Sum } }`;
        await post('/graphql', { query, variables: { input } });""",
        _ANY_MUTATION,
    ),
    "mutation with its variables side by side": _case(
        """const query = 'mutation CreatePayment($transaction_id: ID!) { createPayment { id } }';
        await post('/graphql', { query, variables: input });""",
        {**_MUTATION, "under": "variables"},
    ),
    "mutation deep in its variables": _case(
        f"{_CREATE} const variables = {{ data: {{ order: input }} }};"
        "await post('/graphql', { query, variables });",
        {**_MUTATION, "under": "variables.data.order"},
    ),
    "mutation by XMLHttpRequest": _case(
        f"""{_CREATE}
        const request = new XMLHttpRequest();
        request.open('POST', '/graphql');
        request.setRequestHeader('Content-Type', 'application/graphql-response+json');
        request.send(JSON.stringify(create));""",
        _MUTATION,
    ),
    "mutation in a Request": _case(
        f"""{_CREATE}
        const body = JSON.stringify(create);
        await fetch(new Request('/graphql', {{ method: 'POST', body }}));""",
        _MUTATION,
    ),
    "batch with a query": _case(
        f"{_CREATE}{_READ} await post('/graphql', [read, create]);", _MUTATION
    ),
    "batch with a query, without a pattern for the body": _case(
        f"{_CREATE}{_READ} await post('/graphql', [create, read]);", _ANY_MUTATION
    ),
    "persisted mutation": _case(
        """const persistedQuery = { version: 1, sha256Hash: 'abc' };
        await post('/graphql', { operationName: 'CreatePayment', variables: { input },
          extensions: { persistedQuery } });""",
        _PERSISTED,
    ),
    "persisted mutation, sent again with its text": _case(
        f"""{_CREATE}
        const extensions = {{ persistedQuery: {{ version: 1, sha256Hash: 'abc' }} }};
        const {{ query: _, ...short }} = create;
        await post('/graphql', {{ ...short, extensions }});
        await post('/graphql', {{ ...create, extensions }});""",
        _PERSISTED,
    ),
    "query": _case(f"{_READ} await post('/graphql', read);", _MUTATION, saves=False),
    "query without a pattern for the body": _case(
        f"{_READ} await post('/graphql', read);", _ANY_MUTATION, saves=False
    ),
    "anonymous query": _case(
        """const query = '{ payments(filter: "mutation") { id } }';
        await post('/graphql', { query, variables: { input } });""",
        _ANY_MUTATION,
        saves=False,
    ),
    "subscription": _case(
        """const query = 'subscription OnPayment($input: F) { payment(input: $input) { id } }';
        await post('/graphql', { query, variables: { input } });""",
        _ANY_MUTATION,
        saves=False,
    ),
    "another mutation": _case(
        """const query = 'mutation UpdateProfile($input: P!) { update(input: $input) { id } }';
        await post('/graphql', { query, variables: { input } });""",
        _MUTATION,
        saves=False,
    ),
    "persisted query": _case(
        """const extensions = { persistedQuery: { version: 1, sha256Hash: 'def' } };
        await post('/graphql', { operationName: 'Payments', variables: { input }, extensions });""",
        _PERSISTED,
        saves=False,
    ),
    "rule for another body, and one for this": _case(
        f"{_CREATE} await post('/graphql', create);",
        {**_MUTATION, "kind": "questionnaire", "body": "SaveAnswers"},
        _MUTATION,
    ),
    "rule with a pattern that is none": _case(
        "await post('/rpc', { params: input });",
        {**_MUTATION, "url": "/rpc$", "body": "("},
        saves=False,
    ),
}

_PROCEDURE = {"kind": "payment", "url": r"/trpc/([\w.]+,)*payment\.create(,[\w.]+)*$"}

TRPC = {
    "tRPC": _case("await post('/api/trpc/payment.create', input);", _PROCEDURE),
    "tRPC with superjson": _case(
        """await post('/api/trpc/payment.create', {
          json: { ...input, paid_at: '2026-11-30T10:00:00.000Z' },
          meta: { values: { paid_at: ['Date'] } } });""",
        _PROCEDURE,
    ),
    "tRPC batch": _case(
        "await post('/api/trpc/payment.create?batch=1', { 0: input });", _PROCEDURE
    ),
    "tRPC batch with superjson": _case(
        "await post('/api/trpc/payment.create?batch=1', { 0: { json: input, meta: {} } });",
        _PROCEDURE,
    ),
    "tRPC batch of two procedures": _case(
        """await post('/api/trpc/profile.touch,payment.create?batch=1', {
          0: { json: { seen: true } }, 1: { json: input } });""",
        {"kind": "payment", "url": r"/trpc/payment\.create$", "under": "json"},
    ),
    "tRPC batch with a read": _case(
        """await post('/api/trpc/payment.list,payment.create,payment.get?batch=1', {
          0: { json: { page: 1 } }, 1: { json: input }, 2: { json: { id: 5 } } });""",
    ),
    "tRPC batch of two payments": Case(
        """const save = (n) => ({ json: payment({ user_email: USER, transaction_id: number(n) }) });
        await post('/api/trpc/payment.create,order.create?batch=1', { 0: save(1), 1: save(2) });""",
        ({**_ROW, "transaction_id": "T-1"}, {**_ROW, "transaction_id": "T-2"}),
    ),
    "tRPC with a path to the data": _case(
        "await post('/api/trpc/payment.create', { json: { data: input } });",
        {**_PROCEDURE, "under": "json.data"},
    ),
    "another procedure of tRPC": _case(
        "await post('/api/trpc/payment.preview', input);", _PROCEDURE, saves=False
    ),
    "JSON-RPC": _case(
        "await post('/rpc', { jsonrpc: '2.0', id: 1, method: 'savePayment', params: input });",
        {"kind": "payment", "url": "/rpc$", "body": '"savePayment"', "under": "params"},
    ),
    "JSON-RPC of another method": _case(
        "await post('/rpc', { jsonrpc: '2.0', id: 1, method: 'findPayment', params: input });",
        {"kind": "payment", "url": "/rpc$", "body": '"savePayment"', "under": "params"},
        saves=False,
    ),
    "fields with an action": _case(
        """const body = new URLSearchParams({ action: 'save_payment', ...input });
        await fetch('/wp-admin/admin-ajax.php', { method: 'POST', body });""",
        {"kind": "payment", "url": "admin-ajax", "body": "action=save_payment"},
    ),
    "fields with another action": _case(
        """const body = new URLSearchParams({ action: 'heartbeat', ...input });
        await fetch('/wp-admin/admin-ajax.php', { method: 'POST', body });""",
        {"kind": "payment", "url": "admin-ajax", "body": "action=save_payment"},
        saves=False,
    ),
}

_ACTION = """const act = (body) => fetch('/checkout', {
  method: 'POST', body,
  headers: {
    'Next-Action': '7f3a9c5d1e2b4a6c8d0e', Accept: 'text/x-component',
    ...(typeof body === 'string' && { 'Content-Type': 'text/plain;charset=UTF-8' }),
  },
});
const form = (prefix, fields) => {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(prefix + name, value);
  return data;
};
"""

SERVER_ACTIONS = {
    **{
        name: _case(f"{_ACTION} await act({body});")
        for name, body in {
            "arguments": "JSON.stringify(['user_7', input, '$undefined'])",
            "one argument": "JSON.stringify([input])",
            "the state and the data": "JSON.stringify([{ message: '' }, input])",
            "data with a date": "JSON.stringify([{ ...input, paid: '$D2026-11-30T10:00:00Z' }])",
        }.items()
    },
    "form with numbered names": _case(
        f"""{_ACTION}
        const data = form('1_', {{ ...input, $ACTION_ID_7f3a9c5d1e2b: '' }});
        data.append('0', '["$K1"]');
        await act(data);"""
    ),
    "form of useActionState": _case(
        f"""{_ACTION}
        const data = form('1_', {{
          $ACTION_REF_1: '', '$ACTION_1:0': '{{"id":"7f3a","bound":"$@1"}}',
          '$ACTION_1:1': '[{{"message":""}}]', $ACTION_KEY: 'k8e3', ...input }});
        data.append('0', '[{{"message":""}},"$K1"]');
        await act(data);"""
    ),
    "form without JavaScript's numbers": _case(
        f"{_ACTION} await act(form('', {{ $ACTION_ID_7f3a9c5d1e2b: '', ...input }}));"
    ),
    **{
        name: _case(f"{_ACTION} await act({body});", saves=False)
        for name, body in {
            "a coupon": "'[\"SAVE10\"]'",
            "no argument": "'[]'",
            "two texts": "JSON.stringify(['user_7', 'annual'])",
            "a number": "'[3]'",
            "a promise and nothing": "JSON.stringify(['$@1', '$undefined', null])",
        }.items()
    },
}


@pytest.mark.quick
@pytest.mark.slow
def test_save_in_an_envelope_is_captured_and_a_read_is_not(visit: Visit) -> None:
    check(visit, GRAPHQL, TRPC, SERVER_ACTIONS)
