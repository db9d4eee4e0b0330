"""International bank account numbers (ISO 13616) in texts: country, check digits, account.

Spaces, hyphens, line ends or signs such as a point may separate groups of four, also escaped as in
a URL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from data_capture.redaction.emails import is_in_email
from data_capture.scanning import LARGE_STEP_CHARACTERS, find_in_steps, overlapping_steps

# The countries of each length (SWIFT's IBAN registry).
_COUNTRIES_BY_LENGTH = {
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK ST TN VG", 25: "LY PT", 26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HN HU LB NI PL SV", 29: "BR EG PS QA UA",
    30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
_LENGTHS = {
    country: length
    for length, countries in _COUNTRIES_BY_LENGTH.items()
    for country in countries.split()
}
_MIN_CHARACTERS = min(_LENGTHS.values())
_MAX_SHORT_CHARACTERS = 2_000
_SEPARATOR = r"(?:[\s+.,;:|_/\u00b7\u2010-\u2015-]|%20)"
_GROUP = rf"{_SEPARATOR}{{1,3}}[0-9A-Za-z]"
# The lookahead leaves the next IBAN in the text, which could follow as further groups.
_IBAN = re.compile(
    r"[A-Za-z]{2}(?<![0-9A-Za-z]..)[0-9]{2}"
    rf"(?=(?P<account>[0-9A-Za-z]{{11,29}}|(?:{_GROUP}{{4}}){{2,7}}(?:{_GROUP}{{1,4}})?))"
)
_BETWEEN = re.compile(f"{_SEPARATOR}+")
# A necessary condition in ASCII, with A for letters and 0 for digits. It rules 100,000 characters
# out in 0.1 ms.
_FORM = re.compile(b"AA00(?<![A0]AA00)(?:[A0]{11}|[^A0]{1,3}(?:00)?[A0]{4}[^A0])")
_LETTERS_AND_DIGITS = bytes.maketrans(
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", b"0" * 10 + b"A" * 52
)


def may_contain_iban(text: str) -> bool:
    """Tell whether a text may contain an IBAN; False is never wrong."""
    if len(text) < _MIN_CHARACTERS:
        return False
    if len(text) <= LARGE_STEP_CHARACTERS:
        return _has_form(text)
    return any(map(_has_form, overlapping_steps(text)))


def _has_form(text: str) -> bool:
    form = text.encode("utf-8", "replace").translate(_LETTERS_AND_DIGITS)
    if _FORM.search(form) is None:
        return False
    # Every ninth payment has a hexadecimal id of this form. Masking each of its texts alone would
    # take ten times as long as this closer look.
    return (
        len(text) > _MAX_SHORT_CHARACTERS
        or next(find_ibans(text, _spend_nothing), None) is not None
    )


def _spend_nothing(_checks: int) -> None:
    """Count no checks: a short text has few candidates."""


def find_ibans(text: str, spend_checks: Callable[[int], None]) -> Iterator[tuple[int, int, str]]:
    """Find the IBANs in a text; yield each begin, end and mask, which has the last four.

    Args:
        text: any text.
        spend_checks: called with a number of checks before they are made; may raise to end.
    """
    for found in find_in_steps(_IBAN, text):
        length = _LENGTHS.get(found[0][:2].upper())
        if length is None:
            continue
        spend_checks(1)
        begin = found.start()
        iban = _BETWEEN.sub("", text[begin : found.end("account")])[:length]
        if len(iban) < length or not _is_valid(iban.upper()):
            continue
        end = _end_of(text, begin, length)
        if not text[end : end + 1].isalnum() and not is_in_email(text, begin, end):
            yield begin, end, f"[iban ****{iban[-4:].upper()}]"


def _end_of(text: str, begin: int, length: int) -> int:
    """Return where an IBAN ends, whose characters may have separators between them."""
    end = begin
    for _ in range(length):
        between = _BETWEEN.match(text, end)
        end = (end if between is None else between.end()) + 1
    return end


def _is_valid(iban: str) -> bool:
    """Tell whether the check digits are right (ISO 7064, MOD 97-10)."""
    digits = "".join([str(int(character, 36)) for character in iban[4:] + iban[:4]])
    return int(digits) % 97 == 1
