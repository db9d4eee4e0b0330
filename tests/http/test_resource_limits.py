"""What is sent to keep the service busy costs next to nothing: JSON bombs, and texts that look like secrets all over.

CPU time is measured, not time, and the best of some tries counts, since other programs share the machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone

import pytest

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, parse_capture
from data_capture.json_codec import MAX_BYTES, decode_json_object
from data_capture.problems import Problem

MAX_SECONDS_FOR_A_BOMB = 0.05
# Looking through honest text of this length takes a tenth of it; what takes time in the square of the length takes minutes.
TEXT_CHARACTERS = 200_000
MAX_SECONDS_FOR_A_TEXT = 0.3
TRIES = 5
CALLER = Caller("/api/data-capture/dashboard", "127.0.0.1", "curl/8", datetime.now(timezone.utc))


def capture_with(value: bytes) -> bytes:
    return b'{"user_email":"a@example.com","trading_state":%s}' % value


def seconds_for(body: bytes, enough: float) -> float:
    """The CPU time that it takes to refuse a body, or to take it and have it ready to be stored; the best of some tries.

    Less than `enough` is enough to know.
    """
    best = float("inf")
    for _ in range(TRIES):
        began = time.thread_time()
        with suppress(Problem):
            parse_capture(KINDS["dashboard"], decode_json_object(body), CALLER, ())
        best = min(best, time.thread_time() - began)
        if best < enough:
            break
    return best


BOMBS: dict[str, Callable[[], bytes]] = {
    "open lists": lambda: capture_with(b"[" * 900_000),
    "open objects": lambda: capture_with(b'{"a":' * 190_000),
    "nested lists": lambda: capture_with(b"[" * 490_000 + b"]" * 490_000),
    "nested objects": lambda: capture_with(b'{"a":' * 150_000 + b"1" + b"}" * 150_000),
    "empty lists": lambda: capture_with(b"[" + b"[]," * 300_000 + b"1]"),
    "empty objects": lambda: capture_with(b"[" + b"{}," * 300_000 + b"1]"),
    "whole numbers": lambda: capture_with(b"[" + b"1," * 450_000 + b"1]"),
    "decimals": lambda: capture_with(b"[" + b"1.5," * 220_000 + b"1]"),
    "large exponents": lambda: capture_with(b"[" + b"1e99999," * 110_000 + b"1]"),
    "an exponent": lambda: capture_with(b"1e" + b"9" * 900_000),
    "a long number": lambda: capture_with(b"9" * 900_000),
    "long numbers": lambda: capture_with(b"[" + (b"9" * 4300 + b",") * 200 + b"1]"),
    "a long decimal": lambda: capture_with(b"0." + b"9" * 900_000),
    "keys": lambda: b"{" + b",".join(b'"%x":1' % number for number in range(90_000)) + b"}",
    "one key, often": lambda: b"{" + b'"a":1,' * 150_000 + b'"a":1}',
    "a long key": lambda: b'{"%s":1}' % (b"k" * 900_000),
    "JSON in a text": lambda: capture_with(json.dumps(json.dumps([{}] * 200_000)).encode()),
    "surrogates": lambda: capture_with(b'"' + b"\\ud800" * 150_000 + b'"'),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_json_bomb_costs_less_than_50_ms(name: str) -> None:
    body = BOMBS[name]()
    assert len(body) <= MAX_BYTES
    assert seconds_for(body, MAX_SECONDS_FOR_A_BOMB / 2) < MAX_SECONDS_FOR_A_BOMB


def seconds_for_text(text: str) -> float:
    body = json.dumps({"user_email": "a@example.com", "note": text}).encode()
    return seconds_for(body, MAX_SECONDS_FOR_A_TEXT / 2)


@pytest.mark.parametrize(
    "piece",
    [
        "4", "4 ", "4---", "4111111111111111 ", "4111111111111112;", "４", "５ ", "%20", "%204", "%34", "cvv          ",
        "cvv 123 ", "cvv" + "\\" * 100, "password=", "password = ", "pass :", "key: ", "pin=1234 ", "=", ":", "eyJ",
        "eyJ-", "eyJaaaaaaaa.", "Bearer abcdefgh", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "sk_live_", "xprv", "[", "{",
        "\\", '"', "a", "\u0130 ", "52345678-1234-4112-8abc-def01234567 ", "4111111111111111\n", "iVBORw0KGg\n",
    ],
)  # fmt: skip
def test_a_text_takes_no_more_than_its_length_to_look_at(piece: str) -> None:
    assert seconds_for_text(piece * (TEXT_CHARACTERS // len(piece))) < MAX_SECONDS_FOR_A_TEXT


@pytest.mark.parametrize("word", ["cvv", "pin", "password", "security code", "Bearer "])
def test_nor_does_a_long_run_of_anything_after_a_word(word: str) -> None:
    for character in " \\\"'=:-a4\t":
        assert seconds_for_text(word + character * TEXT_CHARACTERS) < MAX_SECONDS_FOR_A_TEXT
