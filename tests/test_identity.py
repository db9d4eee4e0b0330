"""The one spelling of an address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_capture.identity import normalise_email


@given(st.text() | st.emails())
def test_an_address_has_one_spelling(text: str) -> None:
    email = normalise_email(text)
    if email is not None:
        assert normalise_email(email) == email
        assert normalise_email(f" {text}\n") == email
        email.encode()


@pytest.mark.parametrize(
    ("given_as", "email"),
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
        (None, None),
        (17, None),
    ],
)
def test_addresses_in_their_one_spelling(given_as: object, email: str | None) -> None:
    assert normalise_email(given_as) == email
