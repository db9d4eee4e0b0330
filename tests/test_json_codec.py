"""Test that large JSON, decoded in steps, gives the same results as small JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_capture import large_json
from data_capture.images import is_file, min_bytes_without_files
from data_capture.json_codec import MAX_BYTES, MAX_DIGITS, decode_json_object
from data_capture.large_json import LargeDecoder
from data_capture.problems import Problem

STEP = 8  # at least as long as any escape sequence
EXAMPLES = 150

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text() | st.text('\\"\n\ud83d\ude00\u00e9a', max_size=40),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
)  # fmt: skip
JSON_CHARACTERS = st.text('{}[]",:\\u0dD8cC1a.-+eE \n\ttrfn', max_size=40)


class InvalidConstant(Exception):
    """A constant that is not JSON."""


def raise_invalid_constant(name: str) -> Any:
    raise InvalidConstant(name)


def make_decoders() -> tuple[json.JSONDecoder, LargeDecoder]:
    """Make the standard decoder and ours, which decodes one text."""
    standard = json.JSONDecoder(parse_constant=raise_invalid_constant, object_pairs_hook=list)
    ours = LargeDecoder(
        parse_int=int,
        parse_float=float,
        parse_constant=raise_invalid_constant,
        object_pairs_hook=list,
        max_digits=MAX_DIGITS,
    )
    return standard, ours


@pytest.fixture(autouse=True, scope="module")
def _short_steps() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_json, "_FIRST_STEP_CHARACTERS", STEP)
        patch.setattr(large_json, "LARGE_STEP_CHARACTERS", STEP)
        patch.setattr(large_json, "_SMALL_OBJECT_CHARACTERS", 2 * STEP)
        patch.setattr(large_json, "_MAX_OBJECTS_READ_TWICE", 3)
        patch.setattr(large_json, "pause", lambda: None)
        yield


def decode_with_both(text: str) -> list[Any]:
    """Return the value or the type of the exception of the standard and of our decoder."""
    results: list[Any] = []
    for decoder in make_decoders():
        try:
            results.append(repr(decoder.decode(text)))
        except (ValueError, InvalidConstant) as error:
            results.append(type(error))
    return results


@pytest.mark.slow
@given(VALUES, st.booleans(), st.sampled_from([None, 1, 10]))
@settings(max_examples=EXAMPLES, deadline=None, database=None)
def test_large_decoder_returns_the_same_values_as_json(
    value: Any, ascii_only: bool, indent: int | None
) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    standard, ours = decode_with_both(body.decode())
    assert ours == standard


@given(
    JSON_CHARACTERS
    | JSON_CHARACTERS.map('"{}"'.format)
    | JSON_CHARACTERS.map('{{"a":"{}"}}'.format)
)
@settings(max_examples=EXAMPLES, deadline=None, database=None)
def test_large_decoder_accepts_and_rejects_the_same_texts_as_json(text: str) -> None:
    standard, ours = decode_with_both(text)
    assert ours == standard


@pytest.mark.parametrize(
    "text",
    [
        "", "[1,]", '{"a"}', '{"a":1,}', '{"a" 1}', "[1 2]", '"abc', '"ab\\', '"\\u12', '"\\x"',
        '"a\nb"', "[1] 2", "nul", "-", '["0123456789", "0123456\nb"]',
    ],
)  # fmt: skip
def test_decode_errors_have_the_position(text: str) -> None:
    with pytest.raises(json.JSONDecodeError) as standard:
        make_decoders()[0].decode(text)
    with pytest.raises(json.JSONDecodeError) as ours:
        make_decoders()[1].decode(text)
    assert ours.value.lineno == standard.value.lineno
    assert abs(ours.value.pos - standard.value.pos) <= STEP


class TestLargeBodies:
    def test_invalid_utf_8_is_reported_with_its_position(self) -> None:
        body = b'{"a":"' + b"\xc3\xa9" * MAX_BYTES + b"\xe2\x82" + b'"}'
        with pytest.raises(Problem, match=f"byte {6 + 2 * MAX_BYTES} "):
            decode_json_object(body)

    def test_lone_surrogates_become_replacement_characters(self) -> None:
        text = decode_json_object(
            b'{"a":"%s"}' % (b"\\ud83d\\ude00\\ud83d" * (MAX_BYTES // 18 + 1))
        )["a"]
        assert text == "\U0001f600\ufffd" * (MAX_BYTES // 18 + 1)

    @pytest.mark.parametrize(
        "number", [b"9" * 1_001, b"1." + b"1" * MAX_BYTES, b"1e" + b"9" * MAX_BYTES]
    )
    def test_numbers_with_too_many_digits_are_rejected(self, number: bytes) -> None:
        with pytest.raises(Problem, match="too many digits"):
            decode_json_object(b'{"a":%s,"b":"%s"}' % (number, b"x" * MAX_BYTES))

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("A" * 1_200_000, True),
            ("A" * 1_200_000 + "!" + "A" * 10, False),
            ("data:image/png;base64," + ("A" * 76 + "\r\n") * 20_000 + "AA==\r\n", True),
            (("A" * 76 + "\n") * 20_000 + "A" * 59 + "\n" + "A" * 76, False),
            ("A" * 1_200_000 + "\n" + "A" * 600_000 + "\n" + "AA", True),
            ("A" * 100 + "\n" * 1_200_000 + "AA", True),
            ("A" * 59 + "\n" * 1_200_000 + "AA", False),
        ],
    )  # fmt: skip
    def test_a_base64_file_is_recognised_by_all_its_lines(self, text: str, expected: bool) -> None:
        assert is_file(text) is expected

    def test_bytes_outside_files_are_counted_before_decoding(self) -> None:
        picture = "data:image/png;base64,iVBORw0KGg" + ("A" * 62 + "+/\r\n") * 20_000
        for encoded in (
            json.dumps(picture),
            json.dumps(picture).replace("/", "\\/").replace("+", "\\u002b"),
        ):
            assert (
                40_000 <= min_bytes_without_files(encoded.encode()) <= len(encoded) - len(picture)
            )
        assert min_bytes_without_files(b"\\ud800" * 100_000) >= 400_000
