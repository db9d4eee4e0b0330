"""What types a generated body has, as page_of_bodies.js builds them, and which forms there are."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import urlencode

from tests.engines.body_contents import MAY, MUST, NEVER

Make = Callable[[Any], dict[str, Any]]

_ALL = ("fetch", "xhr", "beacon")
_FETCH = ("fetch",)
_NO_BEACON = ("fetch", "xhr")


def _of_text(kind: str, **members: Any) -> Make:
    return lambda text: {"type": kind, "text": text, **members}


def _request_of(make: Make) -> Make:
    return lambda content: {"type": "request", "of": make(content)}


# A name; what makes the body of a text; by which transports it goes; at most so many rows.
TEXT_TYPES: list[tuple[str, Make, tuple[str, ...], str]] = [
    ("string", _of_text("string"), _ALL, MUST),
    ("string, again", _of_text("string"), _ALL, MUST),
    ("Blob of JSON", _of_text("blob", mediaType="application/json"), _ALL, MUST),
    ("Blob of text", _of_text("blob", mediaType="text/plain;charset=UTF-8"), _ALL, MUST),
    ("Blob without a type", _of_text("blob", mediaType=""), _ALL, MUST),
    ("Blob of bytes", _of_text("blob", mediaType="application/octet-stream"), _ALL, MAY),
    ("File", _of_text("file", mediaType="application/json"), _ALL, MAY),
    ("ArrayBuffer", _of_text("buffer"), _ALL, MUST),
    ("Uint8Array", _of_text("view", view="Uint8Array"), _ALL, MUST),
    ("Uint8Array of a part", _of_text("view", view="Uint8Array", offset=3), _ALL, MUST),
    ("Uint8ClampedArray", _of_text("view", view="Uint8ClampedArray"), _ALL, MAY),
    ("DataView", _of_text("view", view="DataView", offset=8), _ALL, MAY),
    ("Request", _request_of(_of_text("string")), _FETCH, MUST),
    ("Request of a Blob", _request_of(_of_text("blob", mediaType="text/plain")), _FETCH, MUST),
    ("Request, other body in init", _of_text("requestAndInit"), _FETCH, MUST),
]


def _of_pairs(kind: str, **members: Any) -> Make:
    return lambda pairs: {"type": kind, "pairs": pairs, **members}


_FILE = {"name": "receipt.png", "base64": "iVBORw0KGgo=", "mediaType": "image/png"}

FIELD_TYPES: list[tuple[str, Make, tuple[str, ...], str]] = [
    (
        "urlencoded",
        lambda pairs: {"type": "string", "text": urlencode([*map(tuple, pairs)])},
        _ALL,
        MUST,
    ),
    ("URLSearchParams", _of_pairs("params"), _ALL, MUST),
    ("FormData", _of_pairs("formData"), _ALL, MUST),
    ("FormData with a file", _of_pairs("formData", file=_FILE), _ALL, MUST),
    ("Request of URLSearchParams", _request_of(_of_pairs("params")), _FETCH, MUST),
    ("Request of FormData", _request_of(_of_pairs("formData")), _FETCH, MAY),
]


def _of_bytes(kind: str, **members: Any) -> Make:
    return lambda encoded: {"type": kind, "base64": encoded, **members}


BINARY_TYPES: list[tuple[str, Make, tuple[str, ...]]] = [
    ("ArrayBuffer", _of_bytes("buffer"), _ALL),
    ("Uint8Array", _of_bytes("view", view="Uint8Array"), _ALL),
    ("DataView", _of_bytes("view", view="DataView", offset=5), _ALL),
    ("Blob of bytes", _of_bytes("blob", mediaType="application/octet-stream"), _ALL),
    ("Blob without a type", _of_bytes("blob", mediaType=""), _ALL),
    ("Blob of a picture", _of_bytes("blob", mediaType="image/png"), _ALL),
    ("File", _of_bytes("file", mediaType="application/gzip"), _ALL),
    ("Request of bytes", _request_of(_of_bytes("view", view="Uint8Array")), _FETCH),
]


def _odd(name: str) -> Make:
    return lambda text: {"type": "odd", "name": name, "text": text}


# A name; what makes the body of a payment's JSON; transports; whether the server gets that JSON.
ODD_TYPES: list[tuple[str, Make, tuple[str, ...], bool]] = [
    *(
        (name, _odd(name), _NO_BEACON, False)
        for name in (
            "null", "undefined", "zero", "number", "NaN", "bigint", "true", "object", "array",
            "function", "date", "symbol", "URL", "throwing toString",
        )
    ),
    *(
        (name, _odd(name), _ALL, True)
        for name in (
            "toString", "counting toString", "toPrimitive", "array of a text", "String object",
            "FormData with other iterators", "URLSearchParams with another toString",
            "Blob with other methods", "Proxy of an object",
        )
    ),
    *(
        (name, _odd(name), _FETCH, True)
        for name in (
            "getter in init", "counting getter in init", "inherited by init", "Proxy as init",
            "stream", "Request with other methods",
        )
    ),
    *((name, _odd(name), _FETCH, False) for name in ("used Request", "locked stream")),
    *((name, _odd(name), ("xhr",), False) for name in ("XML document", "HTML document")),
]  # fmt: skip


def form_of(random: Random, fields: dict[str, Any]) -> tuple[str, dict[str, Any], str]:
    """Return a form with these fields or fewer: its description, itself, and what it must give."""
    name, attributes, rows = random.choice((
        ("payment form", {"id": "payment-form"}, MUST),
        ("payment form, by class", {"class": "card checkout-payment"}, MUST),
        ("payment form, by name", {"name": "paymentForm"}, MUST),
        ("unnamed form", {}, MAY),
        ("form with method=get", {"id": "payment-form", "method": "get"}, NEVER),
        ("newsletter", {"class": "payment-newsletter"}, NEVER),
        ("filter", {"id": "payment-filter", "class": "payments", "method": "get"}, NEVER),
        ("search", {"role": "search", "class": "payment-page-search"}, NEVER),
    ))  # fmt: skip
    pairs = [[field, str(value)] for field, value in fields.items()]
    if name == "newsletter":
        pairs = [["email", "reader@example.com"], ["consent", "yes"]]
    elif name in ("filter", "search"):
        pairs = [["q", "Pro"], ["sort", "newest"], ["from", "2024-01-01"]]
    if random.random() < 0.3:
        pairs.append([random.choice(("method", "action", "elements", "submit", "nodeName")), "x"])
    how = random.choice(("click", "click", "requestSubmit", "submit", "prevented", "invalid"))
    if how in ("prevented", "invalid"):
        rows = NEVER
    enctype = random.choice((
        "application/x-www-form-urlencoded", "multipart/form-data", "text/plain",
    ))  # fmt: skip
    form = {
        "type": "form",
        "attributes": {"method": "post", "enctype": enctype, **attributes},
        "pairs": pairs,
        "submit": how,
    }
    return f"{name}, {enctype}, {how}", form, rows
