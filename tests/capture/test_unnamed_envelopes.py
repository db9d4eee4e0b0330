"""Test that the only object with the fields of its kind is opened, whatever its name."""

from __future__ import annotations

from typing import Any

import pytest

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, Capture, parse_capture
from data_capture.json_codec import decode_json_object, encode_json
from tests.support.parsed_payments import ANN, NOW, column, parse

CORE = {"planName": "Pro", "finalPrice": "42.00", "transactionId": "E-1"}
WRAPPED: list[dict[str, Any]] = [
    {"data": {"createPayment": CORE}},
    {"data": {"createPayment": {"payment": CORE, "errors": []}}},
    {"event": "entry.create", "model": "payment", "entry": {"id": 1, **CORE}},
    {"persist:root": encode_json({"payment": encode_json(CORE), "_persist": "{}"})},
    {"paymentStore": CORE},
    {"payments": [CORE]},
    {"ok": True, "result": CORE},
    {"status": "success", "result": CORE},
    {"response": {"data": CORE, "status": 200}},
    {"jsonrpc": "2.0", "result": CORE, "id": 1},
    {"result": {"data": {"json": CORE}}},
    {"@odata.context": "x", "value": [CORE]},
    {"operationType": "insert", "fullDocument": CORE, "ns": {"db": "a", "coll": "b"}},
    {"before": None, "after": CORE, "op": "c", "ts_ms": 1700000000000},
    {"before": {**CORE, "finalPrice": 1}, "after": CORE, "op": "u"},
    {"type": "track", "event": "Order Completed", "properties": CORE, "messageId": "m"},
    {"event": "purchase", "ecommerce": CORE},
    {"event_type": "pay", "event_properties": CORE, "user_properties": {"plan": "Pro"}},
    {"Type": "Notification", "MessageId": "x", "Message": encode_json(CORE)},
    {"Records": [{"body": encode_json(CORE)}]},
    {"version": "0", "detail-type": "pay", "detail": CORE},
    {"props": {"pageProps": CORE}},
    {"req": {"body": CORE, "method": "POST", "headers": {"total": 5}}},
    {"order": CORE},
    {"transaction": CORE, "success": True},
    {"checkout": CORE, "items": [{"price": 7, "quantity": 6}]},
    {"purchase": {**CORE, "quantity": 1}},
    {"plan": {"name": "Pro", "price": 50}, "order": {**CORE, "planName": None}},
    {"paymentDetails": CORE, "customer": {"email": ANN, "balance": {"total": 7}}},
]


@pytest.mark.parametrize("payload", WRAPPED)
def test_an_object_of_any_name_is_opened(payload: dict[str, Any]) -> None:
    capture = parse({"user_email": ANN, **payload})
    found = [column(capture, name) for name in ("plan_name", "final_price", "transaction_id")]
    assert found == ["Pro", "42.00", "E-1"]
    assert [warning for warning in capture.warnings if "status" not in warning.field] == []


@pytest.mark.parametrize(
    "payload",
    [
        {"item": {"price": 42}},
        {"items": [{"price": 42, "quantity": 3}]},
        {"product": {"name": "Pro", "price": 42}},
        {"old": CORE},
        {"old_record": CORE, "record": None, "type": "DELETE"},
        {"before": CORE, "after": None},
        {"refund": {"amount": 42, "transaction_id": "E-1"}},
        {"wallet": {"total": 42}},
        {"account": {"total": 42}},
        {"tax": {"amount": 42}},
        {"shipping": {"price": 42}},
        {"order": {"price": 42, "quantity": 3}},
        {"order": {"price": 42, "qty": "2"}},
        {"first": {"price": 42}, "second": {"price": 43}},
        {"order": {"price": 42}, "invoice": {"amount": 42}},
        {"a": {"b": {"c": {"d": {"amount": 42}}}}},
        {"orders": [{"total": 42}, {"total": 43}]},
    ],
)
def test_other_objects_are_left_alone_and_named(payload: dict[str, Any]) -> None:
    capture = parse({"user_email": ANN, "plan_name": "Pro", **payload})
    assert column(capture, "final_price") is None
    assert column(capture, "transaction_id") is None
    assert "final_price" in [warning.field for warning in capture.warnings]


def test_what_the_payload_says_itself_comes_first() -> None:
    payload = {
        "user_email": ANN, "plan_name": "Max", "payment_status": "pending", "userName": "Ann",
        "order": {**CORE, "status": "paid", "name": "Order 7", "email": "bob@example.com"},
    }  # fmt: skip
    capture = parse(payload)
    assert capture.user_email == ANN
    assert column(capture, "user_name") == "Ann"
    assert column(capture, "plan_name") == "Max"
    assert column(capture, "payment_status") == "pending"
    assert column(capture, "final_price") == "42.00"


def test_the_name_of_an_order_is_not_the_users() -> None:
    assert column(parse({"user_email": ANN, "order": {**CORE, "name": "#7"}}), "user_name") is None
    named = {"user_email": ANN, "result": {**CORE, "name": "Ann Archer", "email": ANN}}
    assert column(parse(named), "user_name") == "Ann Archer"


def test_a_warning_says_where_the_field_is() -> None:
    payload = {"user_email": ANN, "data": {"createPayment": {**CORE, "finalPrice": "lots"}}}
    [warning] = parse(payload).warnings
    assert warning.field == "data.createPayment.finalPrice"


def test_two_masked_numbers_in_an_object_stay_two() -> None:
    digests = {
        parse({"user_email": ANN, "order": {**CORE, "transactionId": number}}).masked_subject_digest
        for number in ("4012888888881881", "4111111111111111")
    }
    assert None not in digests
    assert len(digests) == 2


def parse_kind(kind: str, payload: dict[str, Any]) -> Capture:
    sent = decode_json_object(encode_json({"user_email": ANN, **payload}).encode())
    return parse_capture(KINDS[kind], sent, Caller("/test", None, None, NOW), ())


@pytest.mark.parametrize(
    "payload",
    [
        {"survey": {"trades_per_day": "3", "account_size": "$10,000"}},
        {"result": {"data": {"tradesPerDay": "3", "accountSize": "10000"}}},
        {"responses": [{"trades_per_day": "3", "account_size": 10000}]},
        {"step2": {"trades_per_day": "3", "account_size": 10000}, "device": {"os": "x"}},
    ],
)
def test_a_questionnaire_in_an_object_of_any_name(payload: dict[str, Any]) -> None:
    kind = KINDS["questionnaire"]
    values = parse_kind("questionnaire", payload).values
    assert values[kind.field_indexes["trades_per_day"]] == "3"
    assert values[kind.field_indexes["account_size"]] == "10000.00"


STATS = {"currentEquity": "100.50", "winRate": "60%"}


@pytest.mark.parametrize(
    "payload",
    [
        {"dashboard": STATS},
        {"stats": STATS},
        {"data": {"dashboard": STATS}},
        {"result": STATS, "success": True},
        {"state": {"dashboard": STATS}, "version": 0},
        {"metrics": STATS, "positions": [{"pair": "EURUSD"}]},
        {"user[name]": "Ann", "stats[current_equity]": "100.50", "stats[win_rate]": "60"},
    ],
)
def test_a_dashboard_in_an_object_of_any_name(payload: dict[str, Any]) -> None:
    kind = KINDS["dashboard"]
    values = parse_kind("dashboard", payload).values
    assert values[kind.field_indexes["current_equity"]] == "100.50"
    assert values[kind.field_indexes["win_rate"]] == "60.00"
    state = str(values[kind.field_indexes["dashboard_state"]])
    assert ("positions" in payload) == ("EURUSD" in state)


@pytest.mark.parametrize(
    "payload",
    [
        {"account": {"equity": 5}, "stats": STATS},
        {"tradingState": {"bots": []}, "stats": STATS},
        {"stats": STATS, "previousDay": STATS},
    ],
)
def test_a_dashboard_with_fields_of_its_own_is_no_envelope(payload: dict[str, Any]) -> None:
    kind = KINDS["dashboard"]
    values = parse_kind("dashboard", payload).values
    assert values[kind.field_indexes["current_equity"]] is None


def test_many_objects_are_not_looked_through() -> None:
    objects = {f"o{number}": {"x": {"y": 1}} for number in range(2_000)}
    assert column(parse({"user_email": ANN, **objects, "zz": CORE}), "final_price") is None
