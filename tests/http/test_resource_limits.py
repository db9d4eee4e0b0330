"""Test that JSON bombs, and texts that resemble secrets everywhere, cost little CPU.

The unit is a calibration: a fixed amount of Python work, measured in the same run, about 50 ms on
an idle machine. The best of several tries counts, because other programs share the machine.
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
from tests.support.services import seconds_of_a_calibration

MAX_CALIBRATIONS_FOR_A_BOMB = 1
# Ordinary text of this length takes a tenth of the limit; quadratic time would be minutes.
TEXT_CHARACTERS = 200_000
MAX_CALIBRATIONS_FOR_A_TEXT = 6
TRIES = 5
CALLER = Caller("/api/data-capture/dashboard", "127.0.0.1", "curl/8", datetime.now(timezone.utc))


def capture_with(value: bytes) -> bytes:
    return b'{"user_email":"a@example.com","trading_state":%s}' % value


def calibrations_for(body: bytes, enough: float) -> float:
    """Measure the CPU time to parse or reject a body, in calibrations; return the best try.

    A try below `enough` ends the measurement.
    """
    best = float("inf")
    for _ in range(TRIES):
        calibration = seconds_of_a_calibration(time.thread_time)
        began_at = time.thread_time()
        with suppress(Problem):
            parse_capture(KINDS["dashboard"], decode_json_object(body), CALLER, ())
        best = min(best, (time.thread_time() - began_at) / calibration)
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
    "one key many times": lambda: b"{" + b'"a":1,' * 150_000 + b'"a":1}',
    "a long key": lambda: b'{"%s":1}' % (b"k" * 900_000),
    "JSON in a string": lambda: capture_with(json.dumps(json.dumps([{}] * 200_000)).encode()),
    "surrogates": lambda: capture_with(b'"' + b"\\ud800" * 150_000 + b'"'),
}


@pytest.mark.slow(quick_cases=5)
@pytest.mark.parametrize("name", BOMBS)
def test_json_bomb_costs_less_cpu_than_one_calibration(name: str) -> None:
    body = BOMBS[name]()
    assert len(body) <= MAX_BYTES
    enough = MAX_CALIBRATIONS_FOR_A_BOMB / 2
    assert calibrations_for(body, enough) < MAX_CALIBRATIONS_FOR_A_BOMB


def calibrations_for_text(text: str) -> float:
    body = json.dumps({"user_email": "a@example.com", "note": text}).encode()
    return calibrations_for(body, MAX_CALIBRATIONS_FOR_A_TEXT / 2)


@pytest.mark.slow(quick_cases=4)
@pytest.mark.parametrize(
    "piece",
    [
        "4", "4 ", "4---", "4111111111111111 ", "4111111111111112;", "４", "５ ", "%20", "%204",
        "%34",
        "cvv          ", "cvv 123 ", "cvv" + "\\" * 100, "password=", "password = ", "pass :",
        "key: ",
        "pin=1234 ", "=", ":", "eyJ", "eyJ-", "eyJaaaaaaaa.", "Bearer abcdefgh",
        "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "sk_live_", "xprv", "[", "{", "\\", '"', "a",
        "\u0130 ", "52345678-1234-4112-8abc-def01234567 ", "4111111111111111\n", "iVBORw0KGg\n",
    ],
)  # fmt: skip
def test_text_of_repeated_pieces_costs_less_cpu_than_6_calibrations(piece: str) -> None:
    text = piece * (TEXT_CHARACTERS // len(piece))
    assert calibrations_for_text(text) < MAX_CALIBRATIONS_FOR_A_TEXT


@pytest.mark.slow
@pytest.mark.parametrize("word", ["cvv", "pin", "password", "security code", "Bearer "])
def test_long_run_after_a_secret_word_costs_less_cpu_than_6_calibrations(word: str) -> None:
    for character in " \\\"'=:-a4\t":
        text = word + character * TEXT_CHARACTERS
        assert calibrations_for_text(text) < MAX_CALIBRATIONS_FOR_A_TEXT
