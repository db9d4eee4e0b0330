"""What a generated body says: payments, their envelopes and encodings, and what is no payment."""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import quote

# How many payments the service may store of a body.
MUST, MAY, NEVER = "exactly one row", "at most one row", "no row"

_SPELLINGS = (
    ("transaction_id", "plan_name", "final_price", "payment_status", "user_email"),
    ("transactionId", "planName", "finalPrice", "paymentStatus", "userEmail"),
    ("transaction_id", "plan_name_payment", "final_price", "payment_status", "email"),
)
DUPLICATES = "<duplicates>"  # a member in whose place a text gets earlier ones of the same names
NOISE = "<1.1 MB>"  # page_of_bodies.js puts that many characters in its place

Encoding = tuple[str, Callable[[dict[str, Any], Random], "str | bytes"], str]


def payment(
    random: Random, number: int, transaction: str, *, flat: bool = False
) -> tuple[dict[str, Any], float]:
    """Return a payment's members and its amount, which no other case has.

    Args:
        random: chooses the spelling and further members.
        number: the case.
        transaction: the payment's number.
        flat: whether all members are texts and numbers, as a form's fields are.
    """
    id_name, plan, price, status, email = random.choice(_SPELLINGS)
    amount = 10 + number + random.choice((0, 0.25, 0.5, 0.99))
    written = random.choice((amount, f"{amount:.2f}"))
    fields: dict[str, Any] = {
        id_name: transaction,
        plan: "Pro",
        price: written,
        status: "completed",
    }
    if random.random() < 0.5:
        fields[email] = f"buyer-{number}@example.com"
    if random.random() < 0.3:
        fields["couponCode"] = "SAVE10" if flat else None
    if not flat and random.random() < 0.3:
        fields["items"] = [{"sku": "pro", "quantity": 1}, {"sku": "setup", "quantity": 2}]
    if random.random() < 0.2:
        fields["note"] = random.choice(
            ("Grüße, Ольга", "日本語 🎉", "a=b&c=d", "<b>bold</b>", "  ")
        )
    return fields, amount


def envelopes(random: Random) -> dict[str, Callable[[Any], Any]]:
    """Return ways to wrap a payment; frameworks and servers use each of them."""
    return {
        "none": lambda inner: inner,
        "none, again": lambda inner: inner,
        "array": lambda inner: [inner],
        "data": lambda inner: {"data": inner},
        "data, attributes": lambda inner: {"data": {"type": "payments", "attributes": inner}},
        "payload": lambda inner: {"payload": inner},
        "GraphQL mutation": lambda inner: {
            "operationName": "AddPayment",
            "query": "mutation AddPayment($input: Payment!) { addPayment(input: $input) { id } }",
            "variables": {"input": inner},
        },
        "GraphQL query": lambda inner: {
            "operationName": "Payments",
            "query": "query Payments($filter: Filter) { payments(filter: $filter) { id } }",
            "variables": {"filter": inner},
        },
        "tRPC": lambda inner: {"json": inner, "meta": {"values": {"at": ["Date"]}}},
        "tRPC batch": lambda inner: {"0": {"json": inner}},
        "Next action": lambda inner: ["user_7", inner, "$undefined"],
        "Next action, one argument": lambda inner: [inner],
        "JSON-RPC": lambda inner: {
            "jsonrpc": "2.0", "id": random.randrange(100), "method": "pay", "params": inner,
        },
        "Firestore": lambda inner: {"fields": {key: _typed(inner[key]) for key in inner}},
    }  # fmt: skip


def _typed(value: Any) -> dict[str, Any]:
    """Return a value as Firestore's REST interface has it."""
    if value is None:
        return {"nullValue": None}
    if isinstance(value, bool):
        return {"booleanValue": value}
    if isinstance(value, int):
        return {"integerValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_typed(each) for each in value]}}
    if isinstance(value, dict):
        return {"mapValue": {"fields": {key: _typed(each) for key, each in value.items()}}}
    return {"stringValue": value}


def hostile_members(random: Random) -> tuple[str, dict[str, Any], bool]:
    """Return further members of a payment, and whether it must be captured all the same."""
    depth = random.choice((20, 400, 5000))
    return random.choice((
        ("none", {}, True),
        ("none", {}, True),
        ("none", {}, True),
        ("__proto__", {"__proto__": {"polluted": 1, "final_price": 0.01}}, True),
        ("constructor", {"constructor": {"prototype": {"polluted": 1}}}, True),
        ("names of methods", {"toString": 1, "hasOwnProperty": None, "then": "x"}, True),
        ("toJSON", {"toJSON": "x", "length": 1e9}, True),
        ("huge numbers", {"big": 10**400, "small": -(10**30), "id2": 1.5e308}, True),
        ("lone surrogates", {"nickname": "\ud800 x \udfff", "\udc00": 1}, True),
        ("control characters", {"c": "\x00\x01\x1b\u2028\u2029", "": "", " ": " "}, True),
        ("duplicate keys", {DUPLICATES: 0}, True),
        (f"{depth} levels", {"meta": f"<{depth} levels>"}, depth < 100),
        ("1,000 members", {f"k{number}": number for number in range(1000)}, True),
        ("1.1 MB", {"screenshot": NOISE}, False),
    ))  # fmt: skip


def write(value: Any, fields: dict[str, Any], *, as_ascii: bool) -> str:
    """Return a body as JSON, also with what Python's encoder can't write.

    Args:
        value: the body.
        fields: the payment in it. A body with duplicates has its names twice; the last one counts.
        as_ascii: whether other characters are escaped.
    """
    transaction, _, price, *_ = fields
    text = json.dumps(value, ensure_ascii=as_ascii)
    earlier = f'"{price}": 0.01, "{transaction}": "earlier"'
    text = text.replace(f'"{DUPLICATES}": 0', earlier)
    return re.sub(
        r'"<(\d+) levels>"',
        lambda found: '[{"n":' * int(found[1]) + "1" + "}]" * int(found[1]),
        text,
    )


# Texts that say no payment. Some look like fields (`name=value`) at first sight.
JUNK = [
    (name, text, NEVER)
    for name, texts in {
        "a scalar": ("5", "-1e400", "true", "null", '"paid"', "NaN", "undefined"),
        "an empty value": ("", " ", "{}", "[]", "[[]]", "[null]", "[{}]", "\ufeff"),
        "a list of scalars": ('["SAVE10"]', "[1,2,3]", '["pay","$undefined"]'),
        "broken JSON": ('{"final_price": 5', "{final_price: 5}", '{"a":1}}', '{"a":[' * 3000),
        "prose": ("payment ok", "final price = 5", "if (a == b) pay();", "SELECT 1 WHERE a=b"),
        "a URL": ("https://shop.example/?transaction_id=T-1&final_price=5",),
        "a data URL": ("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUA==",),
        "base64": ("QUJDREVGRw==", base64.b64encode(b'{"final_price": 5}').decode()),
        "XML": ('<?xml version="1.0"?><payment><final_price>5</final_price></payment>',),
        "HTML": ('<form class=payment><input name=final_price value="5"></form>',),
        "CSV": ("transaction_id,final_price\nT-1,5\n",),
        "YAML": ("transaction_id: T-1\nfinal_price: 5\n",),
        "a log line": ("[info] paid amount=5 currency=EUR",),
        "Socket.IO": ('42["payment",{"final_price":5}]',),
    }.items()
    for text in texts
] + [
    # The address says that these are payments. Their names may be those of another language.
    ("another object", text, MAY)
    for text in (
        '{"event":"page_view","path":"/payments","v":1}',
        '{"theme":"dark","language":"de"}',
        '{"ids":[1,2,3]}',
        '{"filter":{"from":"2024-01-01"},"page":2}',
        '{"__proto__":{"polluted":1}}',
    )
]


def _json(fields: dict[str, Any]) -> str:
    return json.dumps(fields)


def _base64(fields: dict[str, Any], _: Random) -> str:
    return base64.b64encode(_json(fields).encode()).decode()


def _token(fields: dict[str, Any], random: Random, parts: int) -> str:
    """Return a compact JWT (3 parts) or JWE (5 parts)."""
    first = base64.urlsafe_b64encode(b'{"alg":"RS256"}').decode().rstrip("=")
    second = base64.urlsafe_b64encode(_json(fields).encode()).decode().rstrip("=")
    rest = [base64.urlsafe_b64encode(random.randbytes(30)).decode() for _ in range(parts - 2)]
    return ".".join((first, second if parts == 3 else rest[0], *rest))


def _xml(fields: dict[str, Any], _: Random) -> str:
    members = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<payment id="1">{members}</payment>'


def _multipart(fields: dict[str, Any], _: Random) -> str:
    return (
        "".join(
            f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        )
        + "--edge--\r\n"
    )


def _invalid_utf8(fields: dict[str, Any], _: Random) -> bytes:
    return (
        _json({**fields, "note2": "BYTES"}).encode().replace(b"BYTES", b"\xff\xc3\x28\xed\xa0\x80")
    )


def _bom(fields: dict[str, Any], _: Random) -> bytes:
    return b"\xef\xbb\xbf" + _json(fields).encode()


ENCODINGS: list[Encoding] = [
    ("base64", _base64, NEVER),
    ("a JWT", lambda fields, random: _token(fields, random, 3), NEVER),
    ("a JWE", lambda fields, random: _token(fields, random, 5), NEVER),
    ("XML", _xml, NEVER),
    ("JSON in a JSON string", lambda fields, _: json.dumps(_json(fields)), MAY),
    ("percent-encoded JSON", lambda fields, _: quote(_json(fields)), MAY),
    ("one field of JSON", lambda fields, _: "payload=" + quote(_json(fields)), MAY),
    ("JSON lines", lambda fields, _: _json(fields) + "\n" + _json({"a": 1}), MAY),
    ("JSON after a guard", lambda fields, _: ")]}',\n" + _json(fields), MAY),
    ("multipart by hand", _multipart, MAY),
    ("UTF-8 with a byte order mark", _bom, MAY),
    ("invalid UTF-8", _invalid_utf8, MAY),
    ("UTF-16", lambda fields, _: _json(fields).encode("utf-16"), MAY),
    ("UTF-16LE", lambda fields, _: _json(fields).encode("utf-16-le"), MAY),
    ("gzip", lambda fields, _: gzip.compress(_json(fields).encode()), NEVER),
    ("deflate", lambda fields, _: zlib.compress(_json(fields).encode()), NEVER),
    ("random bytes", lambda _, random: random.randbytes(200), NEVER),
    ("a picture", lambda _, random: b"\x89PNG\r\n\x1a\n" + random.randbytes(500), NEVER),
    ("a document", lambda _, random: b"%PDF-1.7\n1 0 obj a=b&c=d" + random.randbytes(99), NEVER),
    ("a protocol buffer", lambda _, random: b"\x0a\x05T-1=x\x12" + random.randbytes(9), NEVER),
]
