"""Test that payloads in envelopes fill the columns, and that other objects are no envelopes."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_capture.capture.envelopes import unwrap
from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, Capture, parse_capture

ANN = "ann@example.com"
NOW = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)

PAYMENT = {"plan_name": "Pro", "final_price": "99.80", "transaction_id": "TX-1", "email": ANN}
ANSWERS = {"tradesPerDay": "3-5", "accountSize": "$50,000", "cryptoAssets": ["BTC"], "email": ANN}
STATE = {"initialEquity": 10000, "currentEquity": "10250.50", "email": ANN}


def parse(kind: str, payload: dict[str, Any]) -> Capture:
    return parse_capture(KINDS[kind], payload, Caller("/test", None, None, NOW), ())


def columns(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that a payload fills."""
    capture = parse(kind, payload)
    assert capture.user_email == ANN
    fields = KINDS[kind].fields
    return {
        field.column: value
        for field, value in zip(fields, capture.values, strict=True)
        if value is not None
    }


def payment(**payload: Any) -> dict[str, Any]:
    return columns("payment", payload)


def typed(value: Any) -> dict[str, Any]:
    """Write a value as Firestore's REST interface does."""
    if isinstance(value, bool):
        return {"booleanValue": value}
    if isinstance(value, int):
        return {"integerValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, dict):
        return {"mapValue": {"fields": {key: typed(item) for key, item in value.items()}}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [typed(item) for item in value]}}
    return {"nullValue": None} if value is None else {"stringValue": value}


def document(payload: dict[str, Any]) -> dict[str, Any]:
    return {key: typed(value) for key, value in payload.items()}


ENVELOPES = {
    "data": lambda inner: {"data": inner},
    "data, one in a list": lambda inner: {"data": [inner]},
    "data, as JSON": lambda inner: {"data": json.dumps(inner)},
    "data of a response": lambda inner: {"status": 201, "data": inner, "message": "Created"},
    "data of a JSend response": lambda inner: {"status": "success", "data": inner},
    "JSON:API": lambda inner: {
        "data": {"type": "things", "id": "7", "attributes": inner, "relationships": {}},
        "meta": {"page": 1},
    },
    "payload": lambda inner: {"payload": inner},
    "Redux action": lambda inner: {"type": "things/add", "payload": inner, "meta": {"id": 1}},
    "zustand": lambda inner: {"state": inner, "version": 0},
    "Firestore": lambda inner: {"fields": document(inner)},
    "Firestore document": lambda inner: {
        "name": "projects/p/databases/(default)/documents/things/1",
        "fields": document(inner),
        "createTime": "2026-11-27T10:00:00Z",
    },
    "Firestore commit": lambda inner: {
        "writes": [{"update": {"name": "projects/p", "fields": document(inner)}}]
    },
    "Airtable": lambda inner: {"fields": inner},
    "GraphQL input": lambda inner: {
        "operationName": "Add", "query": "mutation Add($input: I!) { add }",
        "variables": {"input": inner},
    },
    "GraphQL data": lambda inner: {"query": "mutation { add }", "variables": {"data": inner}},
    "GraphQL object": lambda inner: {"query": "mutation", "variables": {"object": inner}},
    "GraphQL objects": lambda inner: {"query": "mutation", "variables": {"objects": [inner]}},
    "GraphQL variables": lambda inner: {"query": "mutation", "variables": inner},
    "GraphQL, another name": lambda inner: {"query": "m", "variables": {"newThing": inner}},
    "tRPC": lambda inner: {"json": inner, "meta": {"values": {"at": ["Date"]}}},
    "tRPC batch": lambda inner: {"0": {"json": inner}},
    "tRPC batch without a transformer": lambda inner: {"0": inner},
    "JSON-RPC": lambda inner: {
        "jsonrpc": "2.0", "id": 1, "method": "things.add", "params": inner,
    },
    "JSON-RPC by position": lambda inner: {
        "jsonrpc": "2.0", "id": "a", "method": "add", "params": [inner],
    },
    "body": lambda inner: {"method": "POST", "url": "/things", "body": inner},
    "body, as JSON": lambda inner: {"method": "post", "body": json.dumps(inner)},
    "Supabase webhook": lambda inner: {
        "type": "INSERT", "table": "things", "schema": "public", "record": inner,
        "old_record": None,
    },
    "Supabase realtime": lambda inner: {
        "eventType": "INSERT", "table": "things", "new": inner, "old": {}, "errors": None,
    },
    "Hasura event": lambda inner: {"event": {"op": "INSERT", "data": {"new": inner, "old": None}}},
    "values": lambda inner: {"values": inner},
    "formData": lambda inner: {"formData": inner},
    "form_data": lambda inner: {"form_data": inner},
    "input": lambda inner: {"input": inner},
    "two envelopes": lambda inner: {"payload": {"data": inner}},
    "four envelopes": lambda inner: {"0": {"json": {"input": {"data": inner}}}},
    "a JSON text in JSON": lambda inner: {"body": json.dumps({"data": json.dumps(inner)})},
}  # fmt: skip


@pytest.mark.parametrize("name", ENVELOPES)
@pytest.mark.parametrize(
    ("kind", "inner"), [("payment", PAYMENT), ("questionnaire", ANSWERS), ("dashboard", STATE)]
)
def test_an_envelope_fills_the_same_columns_as_its_contents(
    kind: str, inner: dict[str, Any], name: str
) -> None:
    enveloped = columns(kind, ENVELOPES[name](inner))
    plain = columns(kind, inner)
    state = enveloped.pop("dashboard_state", None)
    if state is not None:  # a flat dashboard's state has all its members
        assert json.loads(state).items() >= json.loads(plain.pop("dashboard_state")).items()
    assert enveloped == plain


@pytest.mark.parametrize("name", ENVELOPES)
def test_what_the_script_adds_around_an_envelope_counts(name: str) -> None:
    around = {
        "capture_id": "c-1",
        "capture_timestamp": "2026-11-27T10:00:00.000Z",
        "user_email": "bob@example.com",
        "user_name": "Bob",
        "user_id": 42,
    }
    inner = {**PAYMENT, "capture_timestamp": "2026-11-26T10:00:00Z", "capture_id": "inner"}
    capture = parse("payment", {**ENVELOPES[name](inner), **around})
    assert (capture.capture_id, capture.happened_at) == ("c-1", "2026-11-27T10:00:00.000Z")
    assert (capture.user_email, capture.user_name) == ("bob@example.com", "Bob")
    assert capture.values[2:5:2] == ("Pro", None)
    assert "99.80" in map(str, capture.values)


def test_the_snapshot_keeps_the_payload_as_it_came() -> None:
    payload = {"data": {"attributes": PAYMENT}, "note": "x"}
    assert json.loads(parse("payment", payload).snapshot) == payload
    form = {"payment[plan]": "Pro", "payment[email]": ANN}
    assert json.loads(parse("payment", form).snapshot) == form


def test_an_id_and_a_time_inside_an_envelope_count_if_there_are_none_around() -> None:
    inner = {**PAYMENT, "capture_id": "c-9", "capture_timestamp": "2026-11-27T10:00:00Z"}
    capture = parse("payment", {"data": inner})
    assert (capture.capture_id, capture.happened_at) == ("c-9", "2026-11-27T10:00:00.000Z")


def test_a_secret_in_an_envelope_is_masked() -> None:
    for name, envelope in ENVELOPES.items():
        inner = {**PAYMENT, "password": "hunter2-x", "coupon_code": "4111 1111 1111 1111"}
        capture = parse("payment", envelope(inner))
        assert "hunter2-x" not in capture.snapshot, name
        assert "4111 1111" not in capture.snapshot + str(capture.values), name
        assert "[card ****1111]" in map(str, capture.values), name


def test_a_warning_names_the_place_in_the_payload() -> None:
    for payload, field in (
        ({"data": {"final_price": "lots", "email": ANN}}, "data.final_price"),
        ({"data": [{"attributes": {"price": 1, "finalPrice": "lots", "email": ANN}}]},
         "data[0].attributes.finalPrice"),
        ({"0": {"json": {"final_price": "lots", "email": ANN}}}, "0.json.final_price"),
        ({"payload": {"payment": {"final_price": "lots"}, "email": ANN}},
         "payload.payment.final_price"),
        ({"email": ANN, "final_price": "lots"}, "final_price"),
    ):  # fmt: skip
        [warning] = [
            one for one in parse("payment", payload).warnings if "price" in one.field.lower()
        ]
        assert warning.field == field


# --- Firestore --------------------------------------------------------------------------------


def test_firestore_values_of_all_types_are_decoded() -> None:
    answers = {
        "email": ANN, "tradesPerDay": "3-5", "accountSize": 50000, "accountEquity": 1.5,
        "hasAccount": True, "propFirm": None, "cryptoAssets": ["BTC", "ETH"], "forexAssets": [],
        "riskManagement": {"riskPerTrade": "1.5%"},
    }  # fmt: skip
    filled = columns("questionnaire", {"fields": document(answers)})
    assert filled == columns("questionnaire", answers)
    assert filled["crypto_assets"] == '["BTC","ETH"]'
    assert filled["risk_percentage"] == "1.50"


@pytest.mark.parametrize(
    "fields",
    [
        {"plan_name": {"stringValue": "Pro", "other": 1}},
        {"plan_name": {"unknownValue": "Pro"}},
        {"plan_name": {"stringValue": "Pro"}, "final_price": 5},
        {"plan_name": {"arrayValue": "Pro"}, "x": {"mapValue": {"fields": []}}},
        {"plan_name": {"mapValue": 5}},
    ],
)
def test_malformed_firestore_values_raise_no_error(fields: dict[str, Any]) -> None:
    parse("payment", {"fields": fields, "email": ANN})


# --- Forms ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "plan", "price"),
    [
        ({"payment[plan]": "Pro", "payment[amount]": "5", "user[email]": ANN}, "Pro", "5.00"),
        ({"payment[plan]": "Pro", "payment[amount]": "5", "payment[email]": ANN}, "Pro", "5.00"),
        ({"order[plan]": "Pro", "order[amount]": "5", "order[email]": ANN}, "Pro", "5.00"),
        ({"order[plan]": "Pro", "order[amount]": "5", "email": ANN}, "Pro", "5.00"),
        ({"authenticity_token": "x", "order[plan]": "Pro", "order[amount]": "5", "commit": "Pay",
          "order[email]": ANN}, "Pro", "5.00"),
        ({"data[payment][plan]": "Pro", "data[payment][amount]": "5", "data[email]": ANN},
         "Pro", "5.00"),
        ({"selectedPlan[name]": "Pro", "selectedPlan[price]": "9", "amount": "5", "email": ANN},
         "Pro", "5.00"),
        ({"paymentData.plan": "Pro", "paymentData.amount": "5", "email": ANN}, "Pro", "5.00"),
        ({"payment.plan": "Pro", "payment.amount": "5", "userData.email": ANN}, "Pro", "5.00"),
        ({"1_plan": "Pro", "1_amount": "5", "1_email": ANN}, "Pro", "5.00"),
        ({"1_$ACTION_ID_7f": "", "1_plan": "Pro", "1_amount": "5", "1_email": ANN,
          "0": '["$K1"]'}, "Pro", "5.00"),
        ({"$ACTION_REF_1": "", "$ACTION_1:0": "{}", "2_plan": "Pro", "2_amount": "5",
          "email": ANN}, "Pro", "5.00"),
        ({"1_payment[plan]": "Pro", "1_payment[amount]": "5", "1_email": ANN}, "Pro", "5.00"),
        # Two actions in one form, or the name of something else
        ({"1_plan": "Pro", "2_plan": "Basic", "email": ANN}, None, None),
        ({"plan": "Pro", "amount": 5, "device[name]": "Phone", "email": ANN}, "Pro", "5.00"),
        ({"plan": "Pro", "amount": 5, "payment": "card", "payment[amount]": 7, "email": ANN},
         "Pro", "5.00"),
        ({"plan": "Pro", "amount[": 5, "]amount": 6, "[amount]": 7, "a..b": 8, "email": ANN},
         "Pro", None),
    ],
)  # fmt: skip
def test_names_of_form_fields_are_objects(
    form: dict[str, Any], plan: str | None, price: str | None
) -> None:
    filled = columns("payment", form)
    assert (filled.get("plan_name"), filled.get("final_price")) == (plan, price)
    assert "user_name" not in filled


@pytest.mark.parametrize(
    ("form", "stored"),
    [
        ({"cryptoAssets[]": ["BTC", "ETH"]}, '["BTC","ETH"]'),
        ({"cryptoAssets[]": "BTC"}, '["BTC"]'),
        ({"cryptoAssets[0]": "BTC", "cryptoAssets[1]": "ETH"}, '["BTC","ETH"]'),
        ({"cryptoAssets[10]": "ETH", "cryptoAssets[9]": "BTC"}, '["BTC","ETH"]'),
        ({"cryptoAssets[1]": "BTC", "cryptoAssets[]": "ETH"}, '["BTC","ETH"]'),
        ({"cryptoAssets.0": "BTC", "cryptoAssets.1": "ETH"}, '["BTC","ETH"]'),
        ({"crypto_assets[]": ["BTC"]}, '["BTC"]'),
        ({"questionnaire[cryptoAssets][]": ["BTC", "ETH"]}, '["BTC","ETH"]'),
        ({"answers[crypto_assets][0]": "BTC", "answers[crypto_assets][1]": "ETH"}, '["BTC","ETH"]'),
        ({"survey[cryptoAssets][]": "BTC", "survey[tradesPerDay]": "3"}, '["BTC"]'),
        ({"1_cryptoAssets": ["BTC", "ETH"], "1_tradesPerDay": "3"}, '["BTC","ETH"]'),
        ({"1_cryptoAssets[]": "BTC"}, '["BTC"]'),
        ({"cryptoAssets": "BTC", "cryptoAssets[]": "ETH"}, '["BTC"]'),
        ({"cryptoAssets": ["BTC", "ETH"]}, '["BTC","ETH"]'),
    ],
)
def test_names_of_form_lists_are_lists(form: dict[str, Any], stored: str) -> None:
    assert columns("questionnaire", {**form, "email": ANN})["crypto_assets"] == stored


# --- What is no envelope ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "stored"),
    [
        ({"state": "CA", "plan": "Pro"}, {"plan_name": "Pro"}),
        ({"body": "Thanks!", "plan": "Pro"}, {"plan_name": "Pro"}),
        ({"data": "{broken", "plan": "Pro"}, {"plan_name": "Pro"}),
        ({"data": [], "payload": {}, "plan": "Pro"}, {"plan_name": "Pro"}),
        ({"data": [1, 2], "values": [{"plan": "A"}, {"plan": "B"}], "amount": 5},
         {"final_price": "5.00"}),
        ({"plan": "Pro", "data": {"name": "Phone", "device": "x"}}, {"plan_name": "Pro"}),
        # Its own fields come first.
        ({"plan": "Pro", "amount": 5, "data": {"amount": 6, "plan": "Basic", "couponCode": "X"}},
         {"plan_name": "Pro", "final_price": "5.00", "coupon_code": "X"}),
        ({"amount": 5, "data": {"final_price": 6, "plan_name": "Basic"}},
         {"plan_name": "Basic", "final_price": "5.00"}),
        ({"plan": "Pro", "data": {"planName": "Basic", "payment": {"amount": 6}}},
         {"plan_name": "Pro", "final_price": "6.00"}),
        ({"plan": "Pro", "amount": None, "data": {"amount": 6, "name": "Phone"}},
         {"plan_name": "Pro", "final_price": "6.00"}),
        ({"plan": "Pro", "status": "success", "data": {"status": "pending", "amount": 5}},
         {"plan_name": "Pro", "payment_status": "success", "final_price": "5.00"}),
        # The status of a response is not the payment's.
        ({"status": "success", "data": {"status": "pending", "amount": 5}},
         {"payment_status": "pending", "final_price": "5.00"}),
        ({"status": True, "data": {"plan": "Pro"}}, {"plan_name": "Pro"}),
        ({"status": "completed", "data": {"plan": "Pro"}},
         {"plan_name": "Pro", "payment_status": "completed"}),
        # The method of a call is not the payment's.
        ({"method": "card", "params": {"plan": "Pro"}},
         {"plan_name": "Pro", "payment_method": "card"}),
        ({"method": "card", "body": {"plan": "Pro"}},
         {"plan_name": "Pro", "payment_method": "card"}),
        # Two calls in one request
        ({"0": {"plan": "Pro"}, "1": {"plan": "Basic"}}, {}),
    ],
)  # fmt: skip
def test_a_payment_beside_or_without_an_envelope_is_not_misread(
    payload: dict[str, Any], stored: dict[str, Any]
) -> None:
    assert payment(**payload, user_email=ANN) == stored


def test_an_event_of_a_payment_provider_becomes_its_object() -> None:
    intent = {"id": "pi_1", "object": "payment_intent", "currency": "usd", "status": "succeeded"}
    event = {
        "id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "created": 1,
        "livemode": False, "data": {"object": intent, "previous_attributes": {}},
    }  # fmt: skip
    around = {"user_email": ANN, "capture_id": "c-1"}
    members = unwrap(KINDS["payment"], {**event, **around}).members
    assert members.items() >= {**intent, **around}.items()
    assert "type" not in members


@pytest.mark.parametrize(
    ("payload", "activity_type", "activity_data"),
    [
        ({"activity_type": "login", "data": {"ip": 1}}, "login", '{"ip":1}'),
        ({"action": "login", "data": {"type": "x"}}, "login", '{"type":"x"}'),
        ({"type": "login", "data": {"activity_type": "x"}}, "login", '{"activity_type":"x"}'),
        ({"data": {"pair": "EURUSD"}}, None, '{"pair":"EURUSD"}'),
        ({"activity_type": "login", "payload": {"activity_type": "x"}}, "login", None),
        ({"activity_data": {"a": 1}, "payload": {"type": "x"}}, None, '{"a":1}'),
        ({"details": {"a": 1}, "body": {"type": "x"}}, None, '{"a":1}'),
        ({"data": {"activity_type": "login", "activity_data": {"a": 1}}}, "login", '{"a":1}'),
        ({"payload": {"activity_type": "login", "data": {"a": 1}}}, "login", '{"a":1}'),
        ({"state": {"activity_type": "login", "details": {"a": 1}}, "version": 0}, "login",
         '{"a":1}'),
        ({"jsonrpc": "2.0", "method": "log", "params": {"action": "login"}}, "login", None),
        ({"event": {"data": {"activity_type": "x"}}}, None, None),
    ],
)  # fmt: skip
def test_the_data_of_an_activity_is_its_data(
    payload: dict[str, Any], activity_type: str | None, activity_data: str | None
) -> None:
    capture = parse("activity", {**payload, "user_email": ANN})
    if "event" not in payload:
        assert capture.values == (activity_type, activity_data)


@pytest.mark.parametrize(
    "payload",
    [
        {"tradingState": {"currentEquity": 5, "data": {"currentEquity": 6}}},
        {"tradingState": {"currentEquity": 5}, "data": {"initialEquity": 6}},
        {"current_equity": 5, "state": {"initial_equity": 6}},
        {"current_equity": 5, "values": {"initial_equity": 6}},
        {"dashboardData": {"current_equity": 5}, "payload": {"initial_equity": 6}},
        {"current_equity": 5, "fields": {"initial_equity": 6}},
        {"current_equity": 5, "params": {"initial_equity": 6}},
        {"performanceMetrics": {}, "currentEquity": 5, "new": {"initial_equity": 6}},
        {"current_equity": 5, "form": {"initial_equity": 6}},
        {"current_equity": 5, "data": [{"initial_equity": 6}]},
    ],
)
def test_the_members_of_a_dashboard_are_its_state(payload: dict[str, Any]) -> None:
    filled = columns("dashboard", {**payload, "email": ANN})
    assert "initial_equity" not in filled
    state = json.loads(filled.get("trading_state") or filled["dashboard_state"])
    assert state in (payload, *payload.values())


def test_envelopes_nested_without_end_are_opened_to_a_limit() -> None:
    payload: dict[str, Any] = {"plan_name": "Pro"}
    for _ in range(60):
        payload = {"data": payload}
    assert "plan_name" not in payment(**payload, user_email=ANN)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.text(max_size=5) | st.just('{"a":1}'),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(
        st.sampled_from([
            "data", "object", "state", "fields", "variables", "0", "json", "params", "event", "new",
            "stringValue", "mapValue", "status", "method", "a[b]", "a[b][]", "a[]", "1_a", "2_a",
            "a.b", "a.0", "a[0]", "1_$ACTION_ID", "[", "a", "b",
        ]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.sampled_from([*KINDS]), JSON_VALUES)
@example("payment", {"a.b": {}, "a[b][]": None})
@example("payment", {"a.b": {"c": {}}, "a[b][c][d]": 1})
def test_no_payload_raises_an_error(kind: str, value: Any) -> None:
    inner = value if isinstance(value, dict) else {"data": value}
    payload = {**inner, "user_email": ANN}
    before = json.dumps(payload)
    parse(kind, payload)
    assert json.dumps(payload) == before, "the payload itself is not changed"
