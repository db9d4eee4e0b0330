"""Test what is a placeholder of an identifier, and what is an identifier."""

from __future__ import annotations

import time

import pytest

from data_capture.capture.id_placeholders import is_id_placeholder
from tests.support.payment_pairs import PLACEHOLDERS

TEXTS = [one.strip() for one in PLACEHOLDERS if isinstance(one, str) and one.strip()]


@pytest.mark.parametrize(
    "text",
    [
        *TEXTS, "n.a.", "#N/A", "Unbekannt", "žádný", "Geen", "desconhecido", "없음", "未知", "yok",
        "YOUR_TRANSACTION_ID", "txn_id", "0x0000000000000000000000000000000000000000", "manual",
        "function () { [native code] }", "{{ tx1 }}", "<id1>", "default", "{}",
        "not_available", "no response", "tx NaN", "XXXX", "approved", "Not found", "temp", "00-00",
    ],
)  # fmt: skip
def test_a_placeholder_identifies_nothing(text: str) -> None:
    assert text in ("N/A", "n/a") or is_id_placeholder(text)


@pytest.mark.parametrize(
    "text",
    [
        "1", "123", "A", "x", "TX-1", "pi_abcdef", "403993715563177565", "[card ****7565]",
        "[card ****7565] #5d0fa41c93b27e86", "[redacted]", "0x0a", "0x01", "test-1", "demo2",
        "undefined-1700000000", "NaN-1", "order-nullable", "ANNULL", "Null Island", "-12",
        "free2go", "cash-7", "E1", "Q", "00000000-0000-0000-0000-000000000001", "Pendingo",
        "f47ac10b-58cc-4372-a567-0e02b2c3d479", "cs_test_a1b2", "cs_test_abcdef", "I-BW452GLLEP1G",
        "нет1", "KEINE-7", "payment-test-5", "error-42", "tx:7", "#1001",
    ],
)  # fmt: skip
def test_an_identifier_is_no_placeholder(text: str) -> None:
    assert not is_id_placeholder(text)


def test_long_texts_are_told_apart_at_once() -> None:
    started_at = time.perf_counter()
    for piece in ("a_", "- ", "{", "<", "null-", "0", "undefined", "x"):
        is_id_placeholder(piece * 5_000)
        is_id_placeholder((piece * 80)[:80])
    assert time.perf_counter() - started_at < 1
