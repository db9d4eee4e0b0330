"""Test the snapshot of a payload, and its digest, which ignores the order of members."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_capture.capture.snapshot import snapshot_and_digest
from data_capture.json_codec import encode_json
from data_capture.scanning import LARGE_STEP_CHARACTERS

NUMBERS = (
    st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from([Decimal("1E+400")])
)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(st.characters(blacklist_categories=["Cs"]))
NESTED = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
)
PAYLOADS = st.dictionaries(
    st.sampled_from(["type", "capture_id", "\u00e9", "_masked", '"', "\n", "b", "a", "Z"]), NESTED
)


def digest_of_whole_payload(payload: dict[str, Any]) -> bytes:
    in_digest = {key: value for key, value in payload.items() if key != "type"}
    return hashlib.sha256(encode_json(in_digest, sort_keys=True).encode()).digest()


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(PAYLOADS, st.permutations(range(9)))
def test_snapshot_and_digest_are_those_of_the_whole_payload(
    payload: dict[str, Any], order: list[int]
) -> None:
    # Both are computed in one pass. The digests must equal those in existing databases' receipts.
    digest = digest_of_whole_payload(payload)
    assert snapshot_and_digest(payload, []) == (encode_json(payload), digest)
    keys = list(payload)
    shuffled = {keys[place]: payload[keys[place]] for place in order if place < len(keys)}
    assert snapshot_and_digest(shuffled, [])[1] == digest


def test_digest_of_a_large_payload_is_that_of_the_whole_payload() -> None:
    # It is computed in steps, which end within the text.
    payload = {"type": "payment", "b": '\u00e9"' * LARGE_STEP_CHARACTERS, "a": 1, "c": None}
    assert snapshot_and_digest(payload, []) == (
        encode_json(payload),
        digest_of_whole_payload(payload),
    )


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(PAYLOADS)
def test_masked_paths_are_added_without_replacing_a_member_of_the_page(
    payload: dict[str, Any],
) -> None:
    snapshot = json.loads(snapshot_and_digest(payload, ["cvv"])[0])
    name = "__masked" if "_masked" in payload else "_masked"
    assert snapshot.pop(name) == ["cvv"]
    assert snapshot == json.loads(encode_json(payload))
