"""Test that keys stay different after they are masked."""

from __future__ import annotations

from data_capture.json_codec import decode_json_object
from data_capture.redaction.redact import REDACTED, redact
from data_capture.unique_keys import UniqueKeys


def test_keys_masked_to_one_name_are_numbered() -> None:
    masked = redact({f"pwd=aaa{number:04}": number for number in range(5300)})
    assert sorted(masked.values()) == [*range(5300)]
    assert list(masked)[:2] + list(masked)[-1:] == [
        f"pwd={REDACTED}",
        f"pwd={REDACTED} (2)",
        f"pwd={REDACTED} (5300)",
    ]


def test_key_equal_to_a_masked_key_is_kept() -> None:
    masked = redact({"pwd=a": 1, "pwd=b": 2, f"pwd={REDACTED} (2)": 3, f"pwd={REDACTED} (3)": 4})
    assert sorted(masked.values()) == [1, 2, 3, 4]


def test_masked_keys_under_a_secret_are_all_kept() -> None:
    masked = redact({"password": {f"pwd=a{number}": "x" for number in range(300)}})
    assert [*masked["password"].values()] == [REDACTED] * 300


def test_keys_that_differ_in_a_lone_surrogate_are_numbered() -> None:
    assert decode_json_object(b'{"\\ud800":1,"\\ud801":2}') == {"\ufffd": 1, "\ufffd (2)": 2}


def test_each_numbered_name_is_tried_only_once() -> None:
    members = {"a": 0, **{f"a ({number})": 0 for number in range(2, 1000)}}
    names = UniqueKeys(members)
    assert names.make_unique("a") == "a (1000)"
    # The search continues, although "a (1000)" was not added.
    assert names.make_unique("a") == "a (1001)"
