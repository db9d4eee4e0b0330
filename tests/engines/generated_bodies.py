"""Generate request bodies: what pages send to their own servers, and what a stranger could.

By construction of each body it is known whether it says a payment. `page_of_bodies.js` sends them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.engines.body_contents import (
    ENCODINGS,
    JUNK,
    MAY,
    MUST,
    NEVER,
    envelopes,
    hostile_members,
    payment,
    write,
)
from tests.engines.body_types import (
    BINARY_TYPES,
    FIELD_TYPES,
    ODD_TYPES,
    TEXT_TYPES,
    form_of,
)

# The first address is a payment's for every rule; the last ones are those of pages that save
# something else.
PAYMENT_PATHS = (
    "/api/payments",
    "/rest/v1/payments",
    "/api/payment/process",
    "/payment/verify-payment",
    "/api/user_payments",
    "/api/payments/create",
    "/save-payment",
    "/process-payment",
    "/payments.json",
    "/payment.php",
    "/payment/complete",
    "/checkout",
)
OTHER_PATHS = (
    "/api/cart",
    "/api/profile/avatar",
    "/telemetry",
    "/search",
    "/graphql",
    "/api/create-invoice",
    "/api/create-payment-intent",
    "/api/payment-info/7",
    "/rest/v1/payment_settings",
    "/rest/v1/payment_methods",
    "/api/payments/capture",
)


@dataclass(frozen=True)
class Case:
    """One request of a page.

    Attributes:
        number: it is in the request's query, and in the address of the user who is signed in.
        what: for the message of a failure.
        request: what page_of_bodies.js takes.
        rows: MUST, MAY or NEVER: how many payments the service may store.
        payment: the number and the amount of that payment, as they are in its row.
    """

    number: int
    what: str
    request: dict[str, Any]
    rows: str
    payment: tuple[str | None, float | None]

    @property
    def user(self) -> str:
        """The address of the user who is signed in."""
        return f"buyer-{self.number}@example.com"


def transaction_of(number: int) -> str:
    """Return the transaction number of a case."""
    return f"TX-{number:06d}"


def generate(seed: int, count: int) -> list[Case]:
    """Return cases, which are the same for the same seed; each depends on its number alone."""
    return [_case(number, Random(f"{seed}/{number}")) for number in range(count)]


def _case(number: int, random: Random) -> Case:
    make = random.choices(
        (_json_payment, _field_payment, _form, _junk, _encoded_payment, _odd),
        weights=(34, 14, 12, 22, 10, 8),
    )[0]
    return make(number, random)


def _address(random: Random, number: int) -> tuple[str, bool]:
    is_payment = random.random() < 0.8
    path = random.choice(PAYMENT_PATHS if is_payment else OTHER_PATHS)
    return f"{path}?case={number}", is_payment


def _build(
    number: int,
    random: Random,
    what: str,
    body: dict[str, Any],
    transports: Sequence[str],
    rows: str,
    amount: float | None = None,
) -> Case:
    url, is_payment = _address(random, number)
    transport = random.choice(transports)
    method = "POST"
    if transport != "beacon" and random.random() < 0.06:
        method = random.choice(("PUT", "PATCH", "DELETE", "GET"))
        # Whose payment a partial save changes is not said here.
        rows = NEVER if method in ("DELETE", "GET") else min(rows, MAY, key=_strictness)
    headers = {}
    if transport != "beacon" and body["type"] in ("string", "number") and random.random() < 0.7:
        media_types = ("application/json", "text/plain", "application/x-www-form-urlencoded")
        headers = {"Content-Type": random.choice(media_types)}
    request = {
        "case": number,
        "user": f"buyer-{number}@example.com",
        "transport": transport,
        "method": method,
        "url": url,
        "headers": headers,
        "body": body,
    }
    text = f"{transport} {method} {url}: {what}"
    payment = (None if amount is None else transaction_of(number), amount)
    if not is_payment:
        # The name of a mutation says what it saves, whatever the address.
        rows = min(rows, MAY, key=_strictness) if "GraphQL mutation" in what else NEVER
    return Case(number, text, request, rows, payment)


def _strictness(rows: str) -> int:
    return (NEVER, MAY, MUST).index(rows)


def _json_payment(number: int, random: Random) -> Case:
    """A payment as JSON, in an envelope, in any type of body that holds it."""
    fields, amount = payment(random, number, transaction_of(number))
    rows = MUST
    hostile, more, is_certain = hostile_members(random)
    content: Any = {**more, **fields}
    rows = rows if is_certain else MAY
    name, wrap = random.choice(list(envelopes(random).items()))
    text = write(wrap(content), fields, as_ascii=random.random() < 0.5)
    if name == "GraphQL query":
        rows = NEVER
    type_name, make, transports, most = random.choice(TEXT_TYPES)
    rows = min(rows, most, key=_strictness)
    what = f"JSON, envelope: {name}, members: {hostile}, type: {type_name}"
    return _build(number, random, what, make(text), transports, rows, amount)


def _field_payment(number: int, random: Random) -> Case:
    """A payment as fields: urlencoded or multipart."""
    fields, amount = payment(random, number, transaction_of(number), flat=True)
    pairs = [[name, str(value)] for name, value in fields.items()]
    random.shuffle(pairs)
    naming = random.choice(("plain", "plain", "Next action", "brackets"))
    if naming == "Next action":
        pairs = [[f"1_{name}", value] for name, value in pairs] + [["0", '["$K1"]']]
    if naming == "brackets":
        pairs = [[f"payment[{name}]", value] for name, value in pairs]
    type_name, make_fields, transports, rows = random.choice(FIELD_TYPES)
    what = f"fields, names: {naming}, type: {type_name}"
    return _build(number, random, what, make_fields(pairs), transports, rows, amount)


def _form(number: int, random: Random) -> Case:
    """A form that a user submits: a payment's, or another one."""
    fields, amount = payment(random, number, transaction_of(number), flat=True)
    what, form, rows = form_of(random, fields)
    url, is_payment = _address(random, number)
    if not is_payment:  # the rule sees the form, and the address may say that it is none
        rows = min(rows, MAY, key=_strictness)
    request = {
        "case": number,
        "user": f"buyer-{number}@example.com",
        "transport": "form",
        "url": url,
        "body": form,
    }
    return Case(number, f"form to {url}: {what}", request, rows, (transaction_of(number), amount))


def _junk(number: int, random: Random) -> Case:
    """A body that is no payment, whatever its type."""
    name, text, rows = random.choice(JUNK)
    type_name, make, transports, _ = random.choice(TEXT_TYPES)
    return _build(number, random, f"{name}, type: {type_name}", make(text), transports, rows)


def _encoded_payment(number: int, random: Random) -> Case:
    """A payment in an encoding that the script does not read."""
    fields, amount = payment(random, number, transaction_of(number))
    name, encode, rows = random.choice(ENCODINGS)
    content = encode(fields, random)
    if isinstance(content, str):
        type_name, make, transports, _ = random.choice(TEXT_TYPES)
        body = make(content)
    else:
        type_name, make_binary, transports = random.choice(BINARY_TYPES)
        body = make_binary(base64.b64encode(content).decode())
    what = f"a payment as {name}, type: {type_name}"
    return _build(number, random, what, body, transports, rows, amount)


def _odd(number: int, random: Random) -> Case:
    """A body that is no body: null, numbers, objects with toString, getters, streams."""
    fields, amount = payment(random, number, transaction_of(number))
    type_name, make, transports, says_payment = random.choice(ODD_TYPES)
    body = make(json.dumps(fields))
    rows = MAY if says_payment else NEVER
    return _build(number, random, f"type: {type_name}", body, transports, rows, amount)
