"""Test that IBANs are masked to their last four characters."""

from __future__ import annotations

import random

import pytest

from data_capture.redaction.iban_numbers import _LENGTHS
from data_capture.redaction.redact import is_masked, redact, redact_text

# The examples of SWIFT's registry.
IBANS = [
    "DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606",
    "NL91ABNA0417164300", "BE68539007547034", "NO9386011117947", "CH9300762011623852957",
    "AT611904300234573201", "ES9121000418450200051332", "IT60X0542811101000000123456",
    "PL61109010140000071219812874", "PT50000201231234567890154", "MT84MALT011000012345MTLCAST001S",
    "TR330006100519786457841326", "SE4550000000058398257466", "LC55HEMM000100010012001200023015",
    "AE070331234567890123456", "RO49AAAA1B31007593840000",
]  # fmt: skip


def in_fours(iban: str, separator: str) -> str:
    return separator.join([iban[begin : begin + 4] for begin in range(0, len(iban), 4)])


@pytest.mark.parametrize("iban", IBANS)
def test_ibans_are_masked_to_their_last_four(iban: str) -> None:
    mask = f"[iban ****{iban[-4:]}]"
    for written in (
        iban, iban.lower(), in_fours(iban, " "), in_fours(iban, "-"), in_fours(iban, "\u00a0"),
        in_fours(iban, "%20"), in_fours(iban, "."),
    ):  # fmt: skip
        assert redact_text(written) == mask
        assert redact({"note": f"pay to {written} today"}) == {"note": f"pay to {mask} today"}
        assert redact({"iban": written, "n": [written]}) == {"iban": mask, "n": [mask]}
    assert is_masked(mask)


def test_ibans_next_to_each_other_and_in_keys_are_masked() -> None:
    two = f"{in_fours(IBANS[4], ' ')} {in_fours(IBANS[3], ' ')} {IBANS[0]}, {IBANS[1]}"
    masks = "[iban ****7034] [iban ****4300] [iban ****3000], [iban ****6819]"
    assert redact_text(two) == masks
    assert redact({f"to {IBANS[0]}": 1}) == {"to [iban ****3000]": 1}
    assert redact_text(f"iban={IBANS[0]}&plan=pro") == "iban=[iban ****3000]&plan=pro"


@pytest.mark.parametrize(
    "text",
    [
        "DE89370400440532013001", "DE8937040044053201300", "DE893704004405320130000",
        "XX89370400440532013000", "DE89 3704 0044 0532 0130 01", "xDE89370400440532013000",
        "DE89370400440532013000x", "0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b2",
        "DE89", "at10 minutes past twelve", "TXN-1705312200000", "DE89370400440532013000@bank.com",
        "GB29 NWBK 6016 1331 9268", "550e8400-e29b-41d4-a716-446655440000", "AB12 3456 7890 1234",
    ],
)  # fmt: skip
def test_what_only_looks_like_an_iban_is_kept(text: str) -> None:
    assert redact_text(text) == text
    assert redact({"iban": text}) == {"iban": text}


def test_generated_ibans_of_each_country_are_masked_and_wrong_ones_are_kept() -> None:
    source = random.Random(20260115)
    for country, length in _LENGTHS.items():
        for _ in range(20):
            account = "".join(source.choices("0123456789ABCDEFGHIJ", k=length - 4))
            number = "".join(str(int(character, 36)) for character in account + country)
            check = 98 - int(number + "00") % 97
            iban = f"{country}{check:02}{account}"
            assert redact_text(in_fours(iban, " ")) == f"[iban ****{iban[-4:]}]"
            wrong = f"{country}{check + 1:02}{account}"
            assert redact_text(wrong) == wrong


@pytest.mark.parametrize(
    "separator",
    ["_", "/", "\n", "\r\n", "\t", ":", ",", ", ", "|", " | ", ";",
     "\u2011", "\u2013", "\u3000", "\u00b7"],
)  # fmt: skip
@pytest.mark.parametrize("iban", ["DE89370400440532013000", "GB29NWBK60161331926819"])
def test_every_usual_sign_can_separate_the_groups_of_an_iban(iban: str, separator: str) -> None:
    written = separator.join(iban[begin : begin + 4] for begin in range(0, len(iban), 4))
    mask = f"[iban ****{iban[-4:]}]"
    assert redact({"note": written, "iban": written.lower()}) == {"note": mask, "iban": mask}
    assert redact_text(f"pay to {written}, please") == f"pay to {mask}, please"
