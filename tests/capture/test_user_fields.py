"""Test in which members of a payload the user is found: the address, the name and the id."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, Capture, parse_capture
from data_capture.problems import Problem

USER = "ann@example.com"
OTHER = "bob@example.com"


def parse(payload: dict[str, Any], kind: str = "payment") -> Capture:
    caller = Caller("test", None, None, datetime.now(timezone.utc))
    return parse_capture(KINDS[kind], payload, caller, ("unknown@example.com",))


def value_of(capture: Capture, column: str) -> object:
    return capture.values[capture.kind.field_indexes[column]]


MADE_UP = [
    "user_1795950058949@example.com", "USER_7@Example.com", "guest-1795950058@site.test",
    "anonymous1795950058949@example.com", "temp_1795950058@x.test",
]  # fmt: skip


@pytest.mark.parametrize("made_up", MADE_UP)
@pytest.mark.parametrize("kind", [*KINDS])
def test_an_address_that_a_page_made_up_counts_if_there_is_no_other(
    made_up: str, kind: str
) -> None:
    for payload in (
        {"user_email": made_up, "email": USER},
        {"email": made_up, "customer": {"email": USER}},
        {"userData": {"email": made_up}, "billing_email": USER},
        {"customer": {"email": made_up}, "currentUser": {"email": USER}},
        {"user_email": USER, "customer": {"email": made_up}},
    ):
        assert parse(payload, kind).user_email == USER
    assert parse({"user_email": made_up}, kind).user_email == made_up.lower()


def test_a_made_up_address_gives_way_to_one_that_the_search_finds() -> None:
    fields = [{"label": "Your e-mail", "value": USER}]
    assert parse({"user_email": MADE_UP[0], "answers": fields}).user_email == USER


@pytest.mark.parametrize("email", ["user_ann@example.com", "guest@example.com", "user1@x.test"])
def test_an_ordinary_address_is_not_made_up(email: str) -> None:
    assert parse({"user_email": email, "customer": {"email": USER}}).user_email == email


@pytest.mark.parametrize("email", ["guest-5@example.com", "Guest@example.com", "x@nobody.test"])
def test_an_address_that_matches_a_pattern_stands_for_nobody(email: str) -> None:
    caller = Caller("test", None, None, datetime.now(timezone.utc))
    placeholders = ("/^guest/", "/@nobody\\.test$/", "unknown")
    with pytest.raises(Problem):
        parse_capture(KINDS["payment"], {"user_email": email}, caller, placeholders)
    payload = {"user_email": email, "customer": {"email": USER}}
    assert parse_capture(KINDS["payment"], payload, caller, placeholders).user_email == USER


def nest(path: str, value: object) -> dict[str, Any]:
    """Return `{"a": {"b": value}}` for `a.b`."""
    for name in reversed(path.split(".")):
        value = {name: value}
    assert isinstance(value, dict)
    return value


PATHS_OF_ADDRESSES = [
    "Customer Email", "Email Address", "order.customer.email", "invoice.customer_email",
    "latest_charge.billing_details.email", "paymentIntent.receipt_email", "checkout.email",
    "signedInUser.email", "auth.user.email",
    "customer.email", "Customer.Email", "CUSTOMER.EMAIL", "customer.email_address",
    "billing_details.email", "billingDetails.email", "receipt_email", "receiptEmail",
    "payer.email_address", "payer.emailAddress", "Payer.Email", "payer_email", "payerEmail",
    "customer_details.email", "customerDetails.Email", "billing_email", "BillingEmail",
    "billing-email", "customerEmail", "customer_email", "buyer_email", "buyer.email",
    "contact.email", "contactEmail", "emailAddress", "email_address", "Email-Address", "e-mail",
    "E-Mail", "mail", "billing.email", "billingAddress.email", "shipping.email",
    "profile.email", "session.user.email", "currentUser.email", "current_user.email",
    "account.email", "form.email", "formData.email", "attributes.email",
    "attributes.user_email", "user.email", "user.emailAddress", "userData.email",
    "userData.mail", "user.user_metadata.email", "metadata.user_email",
    "metadata.customer_email", "paymentData.customer.email",
    "paymentData.billing_details.email", "payment.payer.email",
    "payment_method.billing_details.email", "payment_source.paypal.email_address",
    "prefill.email", "user.primaryEmailAddress.emailAddress", "email.address", "username",
    "user", "customer",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS_OF_ADDRESSES)
def test_an_address_is_found(path: str) -> None:
    assert parse({"final_price": 5, **nest(path, USER)}).user_email == USER
    assert parse({"final_price": 5, **nest(path, f" {USER.upper()} ")}).user_email == USER


def test_an_address_of_a_charge_in_a_list_is_found() -> None:
    charges = {"data": [{"billing_details": {"email": USER}}]}
    assert parse({"object": "payment_intent", "charges": charges}).user_email == USER


PLACES_OF_FORMS: list[dict[str, Any]] = [
    {"form_response": {"answers": [{"type": "email", "email": USER, "field": {"id": "x"}}]}},
    {"q3_email": USER}, {"rawRequest": json.dumps({"q3_email3": USER})}, {"entry": {"2": USER}},
    {"form_fields": {"email": USER}}, {"fields": [{"name": "email", "value": USER}]},
    {"fields": [{"label": "E-Mail", "type": "INPUT_EMAIL", "value": USER}]},
    {"_replyto": USER}, {"respondentEmail": USER}, {"E-Mail-Adresse": USER}, {"courriel": USER},
    {"correo electrónico": USER}, {"posta_elettronica": USER}, {"почта": USER}, {"邮箱": USER},
    {"メールアドレス": USER}, {"e-posta": USER}, {"userInfo": {"email": USER}},
    {"billingContact": {"emailAddress": USER}}, {"payment": {"buyer_email_address": USER}},
    {"shopperEmail": USER}, {"shopper": {"email": USER}}, {"details": {"payer": {"email": USER}}},
    {"confirmParams": {"payment_method_data": {"billing_details": {"email": USER}}}},
    {"payload": {"payment": {"entity": {"email": USER}}}},
    {"event": {"data": {"m": {"email": USER}}}},
    {"content": {"customer": {"email": USER}}}, {"Person": {"Email": USER}}, {"email_id": USER},
    {"contact": {"primaryInfo": {"email": USER}}}, {"answers": {"email": USER}},
    {"traits": {"email": USER}}, {"confirm_email": USER}, {"guest": {"email": USER}},
    {"user": {"providerData": [{"email": USER}]}}, {"personalInfo": {"email": USER}},
]  # fmt: skip


@pytest.mark.parametrize("kind", ["payment", "questionnaire"])
@pytest.mark.parametrize("place", PLACES_OF_FORMS, ids=str)
def test_an_address_is_found_where_forms_and_providers_have_it(
    place: dict[str, Any], kind: str
) -> None:
    assert parse(place, kind).user_email == USER
    signed_in = {"current_user": {"email": OTHER}, "session_email": OTHER}
    assert parse({**signed_in, **place}, kind).user_email == USER
    assert parse({**place, "user_email": OTHER}, kind).user_email == OTHER


@pytest.mark.parametrize(
    "payload",
    [
        {"support_email": USER}, {"shop": {"email": USER}}, {"referred_by": {"email": USER}},
        {"note": f"ask {USER}"}, {"a_email": USER, "b_email": "cat@example.com"}, {"from": USER},
        {"affiliate_email": USER}, {"x": {"sent_to": [{"email": USER}]}}, {"url": f"x://{USER}"},
    ],
)  # fmt: skip
def test_other_addresses_do_not_come_before_who_is_signed_in(payload: dict[str, Any]) -> None:
    assert parse({**payload, "current_user": {"email": OTHER}}).user_email == OTHER
    with pytest.raises(Problem):
        parse(payload)


def test_a_dashboard_and_an_activity_are_not_searched_for_addresses() -> None:
    for kind in ("dashboard", "activity"):
        members = {"activity_type": "x", "userInfo": {"email": USER}}
        assert parse({**members, "current_user": {"email": OTHER}}, kind).user_email == OTHER


def test_the_search_for_an_address_is_bounded() -> None:
    deep: Any = {"email": USER}
    for _ in range(50):
        deep = {"x": [deep]}
    wide = {"items": [{"x": number} for number in range(40_000)], "y": {"email": USER}}
    for payload in (deep, wide):
        assert parse({**payload, "current_user": {"email": OTHER}}).user_email == OTHER


@pytest.mark.parametrize("items", [[USER], [{"email_address": USER}], [{"value": USER}]])
def test_a_list_of_one_address_names_the_user(items: list[object]) -> None:
    assert parse({"emailAddresses": items}).user_email == USER
    assert parse({"user": {"emails": items}}).user_email == USER


@pytest.mark.parametrize(
    "payload",
    [
        {"support_email": OTHER},
        {"merchant": {"email": OTHER}},
        {"seller_email": OTHER},
        {"referrer": {"email": OTHER}},
        {"emails": [USER, OTHER]},
        {"to": OTHER},
        {"customer": "cus_NffrFeUfNV2Hib"},
        {"customer": {"name": "Ann"}},
        {"customer": {"email": "unknown@example.com"}},
        {"billing_details": {"email": None}},
        {"mail": True},
        {"user": 17},
    ],
)
def test_an_address_of_someone_else_is_not_taken(payload: dict[str, Any]) -> None:
    with pytest.raises(Problem):
        parse(payload)


@pytest.mark.parametrize(
    ("preferred", "other"),
    [
        ("user_email", "customer.email"),
        ("email", "receipt_email"),
        ("user.email", "customer.email"),
        ("userData.email", "billing_details.email"),
        ("customer.email", "session.user.email"),
        ("customer_email", "currentUser.email"),
        ("billing_details.email", "current_user.email"),
        ("receipt_email", "account.email"),
        ("payer.email_address", "session.user.email"),
        ("customer_details.email", "shipping.email"),
        ("billing_email", "shipping.email"),
        ("customer.email", "username"),
    ],
)
def test_the_user_comes_before_the_payer_and_the_payer_before_who_is_signed_in(
    preferred: str, other: str
) -> None:
    assert parse({**nest(preferred, USER), **nest(other, OTHER)}).user_email == USER
    assert parse({**nest(other, OTHER), **nest(preferred, USER)}).user_email == USER


NAMES = [
    {"user_metadata": {"full_name": "Ann Archer"}},
    {"user": {"id": "x", "user_metadata": {"full_name": "Ann Archer"}}},
    {"firstName": "Ann", "lastName": "Archer"},
    {"first_name": " Ann ", "last_name": "Archer"},
    {"FirstName": "Ann", "LastName": "Archer", "user": {"username": "ann82"}},
    {"account": {"firstName": "Ann", "lastName": "Archer"}},
    {"metadata": {"full_name": "Ann Archer"}},
    {"given_name": "Ann", "family_name": "Archer"},
    {"givenName": "Ann", "familyName": "Archer"},
    {"fname": "Ann", "lname": "Archer"},
    {"forename": "Ann", "surname": "Archer"},
    {"Vorname": "Ann", "Nachname": "Archer"},
    {"prénom": "Ann", "nom": "Archer"},
    {"nombre": "Ann", "apellidos": "Archer"},
    {"nome": "Ann", "cognome": "Archer"},
    {"imię": "Ann", "nazwisko": "Archer"},
    {"имя": "Ann", "фамилия": "Archer"},
    {"nombre_completo": "Ann Archer"},
    {"nameOnCard": "Ann Archer"},
    {"billingContact": {"givenName": "Ann", "familyName": "Archer"}},
    {"Person": {"FirstName": "Ann", "LastName": "Archer"}},
    {"name": {"first": "Ann", "last": "Archer"}},
    {"name": {"given_name": "Ann", "surname": "Archer"}},
    {"billing_details": {"name": "Ann Archer"}},
    {"customer_details": {"name": "Ann Archer"}},
    {"payer": {"name": {"given_name": "Ann", "surname": "Archer"}}},
    {"displayName": "Ann Archer"},
    {"display_name": "Ann Archer"},
    {"userData": {"firstName": "Ann", "lastName": "Archer"}},
    {"userData": json.dumps({"firstName": "Ann", "lastName": "Archer"})},
    {"user": {"first_name": "Ann", "last_name": "Archer", "username": "ann82"}},
    {"userProfile": {"displayName": "Ann Archer"}},
    {"profile": {"full_name": "Ann Archer"}},
    {"customer": {"firstName": "Ann", "lastName": "Archer"}},
    {"customerName": "Ann Archer"},
    {"billing_address": {"first_name": "Ann", "last_name": "Archer"}},
    {"contact": {"name": "Ann Archer"}},
    {"session": {"user": {"user_metadata": {"full_name": "Ann Archer"}}}},
    {"fullName": "Ann Archer", "firstName": "Annabel"},
    {"username": "Ann Archer"},
    {"firstName": "Ann Archer", "lastName": ""},
    {"firstName": None, "lastName": "Ann Archer"},
    {"firstName": "Ann", "middleName": "", "lastName": "Archer"},
]


@pytest.mark.parametrize("payload", NAMES, ids=json.dumps)
def test_a_name_is_found(payload: dict[str, Any]) -> None:
    capture = parse({"user_email": USER, **payload})
    assert value_of(capture, "user_name") == "Ann Archer"
    assert capture.warnings == ()


@pytest.mark.parametrize(
    "payload",
    [
        {"company_name": "Archer Ltd"},
        {"account": {"name": "Account 5"}},
        {"metadata": {"name": "checkout", "first": 1}},
        {"plan": {"name": "Elite"}},
        {"first": 1, "last": 2},
        {"first": "1", "last": "20"},
        {"firstName": "", "lastName": "n/a"},
        {"firstName": 17},
        {"customer": "cus_NffrFeUfNV2Hib"},
        {"customer": {"id": 5}},
        {"user": "Ann"},
        {"merchant": {"name": "Shop"}},
    ],
    ids=json.dumps,
)
def test_other_members_are_no_name(payload: dict[str, Any]) -> None:
    assert value_of(parse({"user_email": USER, **payload}), "user_name") is None


def test_an_unreadable_name_is_reported() -> None:
    [warning] = parse({"user_email": USER, "name": {"x": "Ann"}}).warnings
    assert warning.field == "name"


@pytest.mark.parametrize("owner", ["customer", "billing_details", "payer", "profile", "contact"])
def test_the_name_is_that_of_the_object_with_the_address(owner: str) -> None:
    payload = {"user": {"name": "Bob"}, owner: {"email": USER, "name": "Ann"}}
    capture = parse(payload)
    assert (capture.user_email, value_of(capture, "user_name")) == (USER, "Ann")


OPAQUE_IDS = [
    "user_abc",
    "user_2NNEqL2nrIRdJ194ndJqAHwEfxC",
    "3kZt8mQwXyR5nB2vLhC7dFpSgAa1",
    "cjld2cjxh0000qzrmn831i7rn",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "V1StGXR8_Z5jdHi6B-myT",
    "507f1f77bcf86cd799439011",
    "auth0|5f7c8ec7c33c6c004bbafe82",
    "google-oauth2|103547991597142817347",
    "1f0e7d2c-8c55-4b9a-9d57-1b2c3d4e5f60",
    "1F0E7D2C8C554B9A9D571B2C3D4E5F60",
    "{1f0e7d2c-8c55-4b9a-9d57-1b2c3d4e5f60}",
    "urn:uuid:1f0e7d2c-8c55-4b9a-9d57-1b2c3d4e5f60",
    "184467440737095516160",
    2**64,
    "9223372036854775808",
    "5e10",
    "0007",
    "1234-5678",
]


@pytest.mark.parametrize("user_id", OPAQUE_IDS)
def test_an_opaque_user_id_is_null_without_a_warning(user_id: object) -> None:
    capture = parse({"user_email": USER, "user_id": user_id})
    assert value_of(capture, "user_id") is None
    assert capture.warnings == ()


@pytest.mark.parametrize(
    ("user_id", "stored"), [(42, 42), ("42", 42), (" 42 ", 42), (0, 0), (2**63 - 1, 2**63 - 1)]
)
def test_a_number_as_user_id_is_kept(user_id: object, stored: int) -> None:
    assert value_of(parse({"user_email": USER, "user_id": user_id}), "user_id") == stored


@pytest.mark.parametrize("user_id", [{}, [17], True, "a b", "12.5", "x" * 300])
def test_what_is_no_user_id_is_reported(user_id: object) -> None:
    [warning] = parse({"user_email": USER, "user_id": user_id}).warnings
    assert warning.field == "user_id"


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("initial_balance", "initial_equity"),
        ("initialBalance", "initial_equity"),
        ("starting_balance", "initial_equity"),
        ("startingEquity", "initial_equity"),
        ("initial_capital", "initial_equity"),
        ("account.initialBalance", "initial_equity"),
        ("tradingState.initialBalance", "initial_equity"),
        ("equity", "current_equity"),
        ("balance", "account_balance"),
        ("currentBalance", "account_balance"),
        ("account.balance", "account_balance"),
        ("account.equity", "account_equity_dash"),
    ],
)
def test_balances_of_a_dashboard_are_found(name: str, column: str) -> None:
    capture = parse({"user_email": USER, **nest(name, "1250.50")}, "dashboard")
    assert value_of(capture, column) == "1250.50"
    values = dict(zip(capture.kind.field_indexes, capture.values, strict=True))
    assert [name for name, value in values.items() if value == "1250.50"] == [column]
