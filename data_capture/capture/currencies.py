"""The currency of an amount: its ISO 4217 code, its decimals, and its name in a text."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from data_capture.capture.currency_names import (
    CODES,
    COINS,
    MINOR_DIGITS,
    NAMES,
    NAMES_BEFORE_NUMBERS,
    STABLECOINS,
    USUAL_CODES,
)

MAX_AMOUNT_CHARACTERS = 64

# Characters without a width, such as the marks that set the direction of a text, and the spaces
# of formatters.
_TYPOGRAPHY = {
    **dict.fromkeys((0xAD, 0x61C, *range(0x200B, 0x2010), *range(0x202A, 0x202F))),
    **dict.fromkeys((*range(0x2060, 0x2065), *range(0x2066, 0x206A), 0xFEFF)),
    **dict.fromkeys((0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " "),
}
_PARTS = re.compile(r"(\D*)(?:(\d(?:.*\d)?)(\D*))?", re.DOTALL)
_NOT_NAMES = " +-−–—()%٪,:"  # around an amount, besides the currency's name

MAGNITUDES = {"mio": 6, "mn": 6, "m": 6, "bn": 9, "b": 9, "k": 3}
"""Letters behind a number that multiply it by a power of ten, the longest first."""


class Currency(NamedTuple):
    """What a symbol, a code or an abbreviation says about the currency.

    Attributes:
        code: the currency's code; None if it could be one of several, or is unknown.
        may_be: the codes of the currencies with this name; the name itself if none is known.
    """

    code: str | None
    may_be: frozenset[str]


def is_currency(code: str) -> bool:
    """Tell whether a text is the code of a currency, in any case: ISO 4217, BTC, USDT."""
    upper = code.upper()
    return upper in CODES or upper in COINS or upper in STABLECOINS


def minor_digits(code: str) -> int:
    """Return the number of decimals of a currency: 0 for JPY, 3 for KWD, 2 for most.

    Payment providers have exceptions for the amounts in their own objects. Stripe, for example,
    counts ISK and UGX in hundredths and MGA in whole units.
    """
    return MINOR_DIGITS.get(code.upper(), 2)


def currency_in(text: str) -> str | None:
    """Return the code of the currency that an amount's text names: "€ 99.80" is in EUR.

    Returns None if the text names none or two, or a name that several currencies have, such as `$`,
    `¥` and `kr`. `US$` and `$20 USD` are in USD.
    """
    if len(text) > MAX_AMOUNT_CHARACTERS:
        return None
    parts = _PARTS.fullmatch(clean(text))
    if parts is None:
        return None
    before, _, after = parts.groups(default="")
    _, name_after = split_magnitude(after.lstrip("./").strip(_NOT_NAMES))
    return find_currencies(before.strip(_NOT_NAMES), name_after).code


def clean(text: str) -> str:
    """Remove what cannot be seen from an amount's text, and write all spaces in one way."""
    return text.translate(_TYPOGRAPHY).strip()


def find_currency(name: str, *, is_before: bool) -> Currency | None:
    """Find a currency by its code, symbol or abbreviation, in any case.

    Args:
        name: the name as it was written, with or without spaces and a point at its end.
        is_before: whether it stands before the number, where `R` is the rand.
    """
    key = "".join(name.split()).lower()
    short = key.rstrip(".")
    code = short.upper()
    if is_currency(code):
        return Currency(code, frozenset((code,)))
    found = NAMES.get(short) or (NAMES_BEFORE_NUMBERS.get(short) if is_before else None)
    if found is not None:
        codes = found.split()
        usual = codes[0] if len(codes) == 1 else USUAL_CODES.get(short)
        return Currency(usual, frozenset(codes))
    return _find_by_symbol(code)


def find_currencies(before: str, after: str) -> Currency:
    """Find the currency of an amount by the names before and behind its number, "" for none.

    `$` and `CAD` together are CAD. If a name is unknown or the two contradict each other, the
    currency's `may_be` is empty.
    """
    named = [
        find_currency(name, is_before=is_before)
        for name, is_before in ((before, True), (after, False))
        if name
    ]
    known = [currency for currency in named if currency is not None]
    if not known or len(known) < len(named):
        return Currency(None, frozenset())
    may_be = frozenset.intersection(*(currency.may_be for currency in known))
    codes = {currency.code for currency in known} & may_be
    return Currency(next(iter(codes)) if len(codes) == 1 else None, may_be)


def split_magnitude(after: str) -> tuple[str, str]:
    """Split what stands behind a number into the magnitude and the currency's name: `k`, `USD`.

    A name that begins with such a letter is not split: `kr`, `KRW`.
    """
    if not after or find_currency(after, is_before=False) is not None:
        return "", after
    lower = after.lower()
    magnitude = next((letters for letters in MAGNITUDES if lower.startswith(letters)), "")
    return magnitude, after[len(magnitude) :].lstrip(". ")


def _find_by_symbol(name: str) -> Currency | None:
    """Find `US$`, `$US` and `CAD$` by their symbol and country, and unknown symbols."""
    symbols = [char for char in name if unicodedata.category(char) == "Sc"]
    if len(symbols) != 1:
        return None
    before, _, after = name.partition(symbols[0])
    letters = before or after
    if before and after:
        return None
    may_be = frozenset(NAMES.get(symbols[0], symbols[0]).split())
    if not letters:
        return Currency(None, may_be)
    of_country = [code for code in may_be if len(letters) > 1 and code.startswith(letters)]
    return Currency(of_country[0], frozenset(of_country)) if len(of_country) == 1 else None
