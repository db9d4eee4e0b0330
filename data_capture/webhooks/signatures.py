"""Verify the signatures of webhooks. Whoever knows a secret can sign; nobody else can.

    Stripe              Stripe-Signature: t=TIME,v1=HEX[,v1=HEX]    HMAC-SHA-256 of "TIME.BODY"
    NOWPayments         x-nowpayments-sig: HEX                      HMAC-SHA-512 of the JSON, sorted
    Coinbase Commerce   X-CC-Webhook-Signature: HEX                 HMAC-SHA-256 of the body

Digests are compared in constant time.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import product
from typing import Any

MAX_AGE_SECONDS = 300
"""How old a signature of Stripe may be; Stripe's own libraries have the same default."""

_MAX_HEADER_CHARACTERS = 4096
_TIME = re.compile(r"\d{1,12}", re.ASCII)


def verify_stripe(body: bytes, header: str | None, secret: str, now: float) -> bool:
    """Verify the header `Stripe-Signature`.

    Args:
        body: as received.
        header: one time, and a signature for each valid secret of the endpoint.
        secret: of the endpoint, with its prefix `whsec_`.
        now: the server's time, in seconds since 1970.
    """
    if header is None or len(header) > _MAX_HEADER_CHARACTERS:
        return False
    items = [item.strip().partition("=")[::2] for item in header.split(",")]
    times = [value for name, value in items if name == "t"]
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or int(times[0]) < now - MAX_AGE_SECONDS:
        return False
    expected = _hex_digest(secret, times[0].encode() + b"." + body, "sha256")
    return any(_equals(expected, value) for name, value in items if name == "v1")


def verify_coinbase_commerce(body: bytes, header: str | None, secret: str) -> bool:
    """Verify the header `X-CC-Webhook-Signature`."""
    return header is not None and _equals(_hex_digest(secret, body, "sha256"), header)


def verify_nowpayments(body: bytes, header: str | None, secret: str) -> bool:
    """Verify the header `x-nowpayments-sig`.

    NOWPayments signs JSON.stringify of the object with its keys sorted at all depths. Its examples
    differ in how numbers, characters outside ASCII and lists are written, so each way is tried.
    """
    if header is None or len(header) > _MAX_HEADER_CHARACTERS:
        return False
    try:
        value = json.loads(body, parse_int=_Literal, parse_float=_Literal, parse_constant=_refuse)
        return any(
            _equals(_hex_digest(secret, text, "sha512"), header)
            for text in _write_in_each_way(value)
        )
    except (ValueError, RecursionError):
        return False


class _Literal(str):
    """A number, in the spelling of the body."""

    __slots__ = ()


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _write_in_each_way(value: Any) -> Iterator[bytes]:
    for quote, spell, lists_are_objects in product(
        (_quote_as_javascript, json.dumps), (str, _spell_as_javascript), (False, True)
    ):
        text = _write_sorted(value, quote, spell, lists_are_objects=lists_are_objects)
        yield text.encode("utf-8", "surrogatepass")


def _quote_as_javascript(text: str) -> str:
    """Quote a text as JSON.stringify does, which escapes lone surrogates."""
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", quoted)


def _spell_as_javascript(literal: str) -> str:
    """Spell a number as JSON.stringify does: shortest digits, no exponent from 1e-6 to 1e21."""
    number = float(literal)
    if number == 0 or number - number != 0:  # JSON.stringify writes infinity as null
        return "0" if number == 0 else "null"
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    text, point = "".join(map(str, digits)), len(digits) + int(exponent)
    if 0 < point <= 21:
        text = text.ljust(point, "0")
        text = f"{text[:point]}.{text[point:]}".rstrip(".")
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{text}"
    else:
        text = f"{text[0]}.{text[1:]}".rstrip(".") + f"e{point - 1:+d}"
    return f"-{text}" if sign else text


def _write_sorted(
    value: Any,
    quote: Callable[[str], str],
    spell: Callable[[str], str],
    *,
    lists_are_objects: bool,
) -> str:
    def write(value: Any) -> str:
        if isinstance(value, _Literal):
            return spell(value)
        if isinstance(value, list):
            if not lists_are_objects:
                return f"[{','.join(map(write, value))}]"
            value = {str(index): item for index, item in enumerate(value)}
        if isinstance(value, dict):
            members = (f"{quote(key)}:{write(value[key])}" for key in sorted(value))
            return f"{{{','.join(members)}}}"
        if isinstance(value, str):
            return quote(value)
        return json.dumps(value)  # true, false or null

    return write(value)


def _hex_digest(secret: str, message: bytes, algorithm: str) -> str:
    return hmac.new(secret.encode(), message, algorithm).hexdigest()


def _equals(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.strip().lower().encode("utf-8", "replace"))
