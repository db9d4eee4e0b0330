"""Hypothesis strategies for invalid and unusual request bodies, for every endpoint."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

import requests
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("EDC_FUZZ_BODIES", "120"))  # per endpoint

PROBLEM = "application/problem+json"


class FuzzRequest(NamedTuple):
    """The bytes of a body, and the headers to send with it."""

    body: bytes
    headers: dict[str, str]


_UNUSUAL_TEXTS = st.sampled_from([
    "", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "NaN", "Infinity", "-", "null", "true", "[",
    "{", "{}", "[]", '{"a":',
    "1e400", "9" * 400,
    "0x10", "١٢٣", "\u202e", "\ufeff", "\N{COMBINING GRAVE ACCENT}" * 300,
    "'; DROP TABLE users; --", "%s%n", "../../etc/passwd",
    "<script>alert(1)</script>", "a@b", "@", "a@b@c", "A@EXAMPLE.COM", "unknown@example.com",
    "x" * 10_000, "$", "%", "-%", "+",
    "K", "$K",
    "1,2,3", "2024-13-45T99:99:99Z", "9999-12-31T23:59:59-23:59", "\\ud800",
    "data:image/png;base64,", "eyJ" + "a" * 50 + "..",
])  # fmt: skip
_TEXTS = st.one_of(
    _UNUSUAL_TEXTS,
    st.text(max_size=30),
    st.text(st.characters(categories=["Cs", "Cc", "Cf"]), max_size=10),
)

# Written into the JSON verbatim, because no JSON encoder writes them.
_STRANGE_NUMBERS = st.sampled_from([
    "1e400", "-1e400", "1e1000000", "1e-1000000", "-1e999999999", "0e1000", "-0", "-0.0",
    "9" * 400, "9" * 4300,
    "0." + "1" * 10_000,
    "9223372036854775807", "9223372036854775808", "-9223372036854775809", "99999999.995",
    "0.1e-400", "4111111111111111",
    "-4111111111111111.0", "4.111111111111111e15",
])  # fmt: skip
_INVALID_NUMBERS = st.sampled_from([
    "1e99999999999999999999", "1e-99999999999999999999", "NaN", "Infinity", "-Infinity",
    "9" * 10_000, "01", "+1", ".5", "1.",
])  # fmt: skip

_FIELD_NAMES = st.sampled_from([
    "user_id", "user_name", "plan_name", "plan", "selectedPlan", "coupon", "paymentData",
    "original_price", "final_price",
    "crypto",
    "transactionHash", "amount", "payment_status", "crypto_amount", "questionnaire", "screenshot",
    "account_screenshot",
    "screenshot_size", "crypto_assets", "forexPairs", "risk_percentage", "account_size",
    "riskManagement", "dashboardData",
    "dashboard_state", "tradingState", "performanceMetrics", "performance", "trades", "account",
    "theme", "total_pnl",
    "total_trades",
    "activity_type", "activity_data", "capture_id", "capture_timestamp", "captureTimestamp",
    "userData", "user", "type",
    "password",
    "cardNumber", "token", "email", "user_email", "firstName", "fullName", "plan_type", "phone",
    "agreeToMarketing", "",
])  # fmt: skip
_KEYS = st.one_of(_FIELD_NAMES, _TEXTS)


def _dumps(value: Any) -> str:
    """Encode a value as JSON, with every `_RawJson` verbatim."""
    if isinstance(value, _RawJson):
        return value
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(f"{json.dumps(key)}:{_dumps(member)}" for key, member in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(_dumps, value)) + "]"
    return json.dumps(value)


class _RawJson(str):
    """JSON text that is written verbatim."""

    __slots__ = ()


def _nested(depth: int) -> _RawJson:
    return _RawJson('{"a":[' * (depth // 2) + "1" + "]}" * (depth // 2))


def _values(*more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    scalars = st.one_of(
        st.none(), st.booleans(), st.integers(), _TEXTS, _STRANGE_NUMBERS.map(_RawJson), *more
    )
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(_KEYS, inner, max_size=4)
        ),
        max_leaves=12,
    )


_VALID_VALUES = _values(
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([2, 40]).map(_nested)
)
_ANY_VALUES = _values(
    st.floats(), _INVALID_NUMBERS.map(_RawJson), st.sampled_from([62, 63, 70, 900]).map(_nested)
)


def _objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(_KEYS, values, max_size=12)


def _corrupted(text: str) -> st.SearchStrategy[bytes]:
    whole = text.encode("utf-8", "surrogatepass")
    return st.one_of(
        st.just(whole),
        st.just(whole),
        st.just(whole),
        st.integers(0, len(whole)).map(lambda end: whole[:end]),
        st.just(b"\xef\xbb\xbf" + whole),
        st.sampled_from(["utf-16", "utf-16-le", "utf-32"]).map(
            lambda encoding: text.encode(encoding, "surrogatepass")
        ),
        st.just(whole + whole),
        st.just(
            whole[:-1]
            + b',"user_email":"a@example.com"'
            + whole[:-1].replace(b"{", b",", 1)
            + b"}"
        ),
        st.tuples(st.integers(0, len(whole)), st.binary(min_size=1, max_size=4)).map(
            lambda cut: whole[: cut[0]] + cut[1] + whole[cut[0] :]
        ),
    )  # fmt: skip


def nested_json_strings(strings: int, user: str = "a@example.com") -> bytes:
    """Nest strings of JSON in each other, each with the lists that one string may have."""
    inner = "1"
    for _ in range(strings):
        inner = "[" * 60 + json.dumps(inner) + "]" * 60
    return b'{"user_email":"%s","trading_state":%s}' % (user.encode(), inner.encode())


_LARGE = st.sampled_from([
    nested_json_strings(14),
    b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000,
    b'{"user_email":"a@example.com","a":' + b"[" * 50_000,
    b'{"%s":1}' % (b"k" * 900_000), b'{"user_email":"%s@example.com"}' % (b"a" * 900_000),
    b'{"a":%s}' % (b"9" * 900_000),
    b'{"user_email":"a@example.com","total_pnl":"%s","trades":[%s1]}' % (b"4 " * 100_000,
    b"1," * 200_000),
    b'{"a":"' + b"x" * 30_000_000 + b'"}', b" " * 1_100_000, b"{" + b",".join(b'"%d":%d' % (n,
    n) for n in range(60_000)) + b"}",
])  # fmt: skip

_CONTENT_TYPES = st.one_of(
    st.just("application/json"),
    st.just("application/json"),
    st.just("application/json"),
    st.just("text/plain;charset=UTF-8"),
    st.sampled_from([
        "", "application/json; charset=utf-16", "application/problem+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=x", "text/html", "application/octet-stream", ";;;",
        "application/json;" * 50, "*/*",
        "json",
    ]),
)  # fmt: skip
_MORE_HEADERS = st.one_of(
    st.just({}),
    st.just({}),
    st.sampled_from([
        {"Content-Encoding": "gzip"}, {"Content-Encoding": "x" * 1000}, {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "\\"}, {"Expect": "something"}, {"User-Agent": "\xff\xfe"},
        {"User-Agent": "a" * 5000},
        {"Authorization": "Bearer \xff"},
        {"X-Forwarded-For": "'"}, {"Accept": "image/png"}, {"Cookie": "=;=;"},
        {"Range": "bytes=5-1"}, {"If-None-Match": '"'},
    ]),
)  # fmt: skip


@st.composite
def fuzz_requests(draw: st.DrawFn, user: str) -> FuzzRequest:
    """Draw a request with any body and headers; every second one is a JSON capture of `user`."""
    kind = draw(st.integers(0, 19))
    if kind >= 10:
        payload = {**draw(_objects(_VALID_VALUES)), "user_email": user, "email": user}
        return FuzzRequest(_dumps(payload).encode(), {"Content-Type": "application/json"})
    if kind == 0:
        body = draw(_LARGE)
    elif kind == 1:
        body = draw(
            st.one_of(
                st.binary(max_size=200), _ANY_VALUES.map(lambda value: _dumps(value).encode())
            )
        )
    else:
        body = draw(
            _corrupted(
                _dumps(
                    {**draw(_objects(_ANY_VALUES)), **draw(st.sampled_from([{}, {"email": user}]))}
                )
            )
        )
    headers = {"Content-Type": draw(_CONTENT_TYPES), **draw(_MORE_HEADERS)}
    return FuzzRequest(body, {name: value for name, value in headers.items() if value})


def send_request(url: str, request: FuzzRequest, method: str = "POST") -> requests.Response:
    """Send a request and return the response; a connection without one raises an error."""
    headers = {name: value.encode("latin-1") for name, value in request.headers.items()}
    return requests.request(method, url, data=request.body, headers=headers, timeout=60)


def assert_stored_or_problem(response: requests.Response) -> None:
    """Assert that a response confirms the request, or is a complete problem document."""
    if response.status_code < 300:
        assert response.json()["success"] is True
        return
    assert 400 <= response.status_code < 500, f"{response.status_code}: {response.text[:500]}"
    assert response.headers["Content-Type"] == PROBLEM
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["success"] is False
    assert all(
        isinstance(problem[member], str) and problem[member]
        for member in ("type", "title", "detail", "error")
    )
