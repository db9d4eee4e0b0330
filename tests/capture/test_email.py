"""Test the normalisation of email addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_capture.capture.email import normalise_email


@given(st.text() | st.emails())
def test_normalising_an_address_is_idempotent(text: str) -> None:
    email = normalise_email(text)
    if email is not None:
        assert normalise_email(email) == email
        assert normalise_email(f" {text}\n") == email
        email.encode()


@pytest.mark.parametrize(
    ("given", "email"),
    [
        ("Ann@Example.COM", "ann@example.com"),
        ("  ann@example.com\n", "ann@example.com"),
        ("JÖRG@exämple.com", "jörg@exämple.com"),
        ("jo\u0308rg@example.com", "jörg@example.com"),
        ("ann+tag@example.com", "ann+tag@example.com"),
        ("ann@localhost", "ann@localhost"),
        ("@example.com", None),
        ("ann@", None),
        ("ann@b@example.com", None),
        ("ann archer@example.com", None),
        ("ann\u202e@example.com", None),
        ("\ud800@example.com", None),
        ("retention@data-capture.invalid", None),
        (" Erased-1@Data-Capture.INVALID", None),
        ("ann@other-data-capture.invalid", "ann@other-data-capture.invalid"),
        (None, None),
        (17, None),
    ],
)
def test_addresses_are_normalised(given: object, email: str | None) -> None:
    assert normalise_email(given) == email


INVISIBLE_CHARACTERS = [chr(code) for code in (
    0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180E, 0x180F, 0x200B, 0x200D,
    0x202E, 0x2060, 0x2065, 0x206F, 0x2800, 0x3164, 0xFE00, 0xFE0F, 0xFEFF, 0xFFA0, 0xFFF0, 0x1BCA0,
    0x1D173, 0xE0001, 0xE0020, 0xE0100, 0xE0FFF, 0xA0, 0x2028, 0x3000, 0, 0x7F, 0x85,
)]  # fmt: skip


@pytest.mark.parametrize("character", INVISIBLE_CHARACTERS, ids=ascii)
def test_addresses_with_invisible_characters_are_rejected(character: str) -> None:
    for address in (
        "an{}n@example.com",
        "a{}@example.com",
        "ann@exam{}ple.com",
        "ö{}x@example.com",
    ):
        assert normalise_email(address.format(character)) is None


ADDRESSES_IN_OTHER_SCRIPTS = [
    "दीपक@उदाहरण.com",
    "jo\u0323rg@example.com",
    "สมชาย@example.com",
    "ᐱᓇ@example.com",
    "😀@example.com",
]


@pytest.mark.parametrize("address", ADDRESSES_IN_OTHER_SCRIPTS, ids=ascii)
def test_addresses_in_other_scripts_are_accepted(address: str) -> None:
    assert normalise_email(address) is not None
