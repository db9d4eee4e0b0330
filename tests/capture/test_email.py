"""Test the normalisation of email addresses."""

from __future__ import annotations

import re
import time

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
        ("JÖRG@exämple.com", "jörg@xn--exmple-cua.com"),
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


ANN = "ann@example.com"
ANN_IDN = "ann@xn--bcher-kva.example"
SPELLINGS = [
    "mailto:ann@example.com",
    "MAILTO:Ann@Example.com",
    "mailto:ann@example.com?subject=x",
    "ann@example.com.",
    "ann@example.com/",
    "ann@example.com,",
    "ann@example.com;",
    "<ann@example.com>",
    "<mailto:ann@example.com>",
    "Ann <ann@example.com>",
    '"Archer, Ann" <ann@example.com>,',
    '"ann@example.com"',
    "'ann@example.com'",
    "(ann@example.com)",
    "\ufeffann@example.com",
    "ann@example.com\u200b",
    "\u202aann@example.com\u202c",
    "\u00a0ann@example.com\u3000",
    "ann＠example.com",
    "ａｎｎ＠ｅｘａｍｐｌｅ．ｃｏｍ",
    "ann@example。com",
    "ann%40example.com",
    "%61nn@example.com",
    "%3Cann%40example.com%3E",
    "ann@EXAMPLE.com",
    "\u201cann@example.com\u201d",
    "/ann@example.com",
    "'ann@example.com",
]
IDN_SPELLINGS = [
    "ann@bücher.example",
    "ann@BÜCHER.example",
    "ann@bu\u0308cher.example",
    "ann@bücher.example.",
    "ann@XN--BCHER-KVA.example",
    "ann@bücher。example",
    "ann@ｂücher.example",
    "ann＠bücher.example",
    "mailto:ann@bücher.example",
    "ann%40b%C3%BCcher.example",
    "<ann@Bücher.Example>",
]
REJECTED = [
    '"ann"@example.com',
    "ann@example.com/inbox",
    "ann@example.com\\",
    "ann@example.com?subject=x",
    "ann@exam/ple.com",
    "ann@example.com:25",
    "ann@[192.0.2.1]",
    "ann@a..b",
    "ann@.example.com",
    "ann@-a.com",
    "ann@a-.com",
    "ann@exam ple.com",
    "ann (Ann)@example.com",
    '"ann archer"@example.com',
    "ann,bob@example.com",
    "bob@example.com <ann@example.com>",
    "<ann@example.com> <bob@example.com>",
    "ann%2540example.com",
    "ann%00@example.com",
    "ann%FF@example.com",
    "ann&#64;example.com",
    "http://ann@example.com",
    "ann@xn--a",
    "ann@xn--strasse-.de",
    "ann@xn--BÜcher-kva.example",
    "ann@i❤.example",
    "\U0001d41ann@example.com",
    "ⓐnn@example.com",
    f"ann@{'a' * 64}.example",
    f"ann@{'ü' * 60}.example",
    f"{'a' * 250}@example.com",
]
OTHERS = [
    ("ann+shop@example.com", "ann+shop@example.com"),
    ("a.n.n@example.com", "a.n.n@example.com"),
    ("ann@straße.example", "ann@xn--strae-oqa.example"),
    ("ann@strasse.example", "ann@strasse.example"),
    ("straße@example.com", "straße@example.com"),
    ("o'ann@example.com", "o'ann@example.com"),
    ("+491234@example.com", "+491234@example.com"),
    ("a/b@example.com", "a/b@example.com"),
    ("100%ann@example.com", "100%ann@example.com"),
    ("ann@localhost", "ann@localhost"),
    ("ann@192.0.2.1", "ann@192.0.2.1"),
    ("ann@my_host.example", "ann@my_host.example"),
    ("ann@xn--i-7iq.example", "ann@xn--i-7iq.example"),
]


@pytest.mark.parametrize("text", SPELLINGS, ids=ascii)
def test_spellings_of_an_address_are_one_address(text: str) -> None:
    assert normalise_email(text) == ANN


@pytest.mark.parametrize("text", IDN_SPELLINGS, ids=ascii)
def test_spellings_of_an_international_domain_are_one_address(text: str) -> None:
    assert normalise_email(text) == ANN_IDN


@pytest.mark.parametrize("text", REJECTED, ids=ascii)
def test_texts_with_more_or_less_than_an_address_are_rejected(text: str) -> None:
    assert normalise_email(text) is None


@pytest.mark.parametrize(("text", "email"), OTHERS, ids=ascii)
def test_addresses_that_look_alike_stay_different(text: str, email: str) -> None:
    assert normalise_email(text) == email


@pytest.mark.parametrize("text", ["<" * 508, "ü." * 254, "%41" * 169, "a@" + "ü" * 506, ">" * 508])
def test_long_texts_are_rejected_at_once(text: str) -> None:
    started = time.perf_counter()
    assert normalise_email(text) is None
    assert time.perf_counter() - started < 0.1


@given(st.text(alphabet="aü@.%40<>\"' mailto:?/\\,;\u200b\ufeff＠。", max_size=30))
def test_normalised_addresses_are_stable_and_plain(text: str) -> None:
    email = normalise_email(text)
    if email is not None:
        assert normalise_email(email) == normalise_email(f"<{email}>,") == email
        domain = email.partition("@")[2]
        assert re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", domain)


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


@pytest.mark.parametrize(
    "sent",
    ["\u2022ann@example.com", "\u2192ann@example.com", "\u2709ann@example.com",
     "ann\u2122@example.com", "\u0301ann@example.com", "ann\u2024a@example.com",
     "ann\u3002a@example.com", "a?b@example.com",
     "=?utf-8?q?ann?=@example.com"],
)  # fmt: skip
def test_signs_around_and_other_dots_in_a_local_part_are_rejected(sent: str) -> None:
    assert normalise_email(sent) is None


@pytest.mark.parametrize(
    ("sent", "email"),
    [
        (".ann@example.com", "ann@example.com"),
        ("=ann@example.com", "ann@example.com"),
        ("?ann@example.com", "ann@example.com"),
        ("o\u2019brien@example.com", "o'brien@example.com"),
        ("O\u02bcBrien@example.com", "o'brien@example.com"),
        ("\u0930\u0935\u093f@example.com", "\u0930\u0935\u093f@example.com"),
        ("q\u0307\u0323@example.com", "q\u0323\u0307@example.com"),
    ],
)
def test_signs_before_an_address_and_apostrophes_make_no_other_user(sent: str, email: str) -> None:
    assert normalise_email(sent) == email
