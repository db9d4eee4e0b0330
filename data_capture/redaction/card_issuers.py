"""What makes digits a card number: an issuer's prefix and length, and a valid Luhn sum."""

from __future__ import annotations

import re

MIN_CARD_DIGITS, MAX_CARD_DIGITS = 12, 19

_MASTERCARD_2 = r"2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)"
# Each issuer's prefix, and the lengths that it has issued (ISO/IEC 7812, the issuers' pages).
_FORMS = re.compile(
    "|".join((
        r"4(?:\d{12}|\d{15}|\d{18})",  # Visa
        rf"(?:5[1-5]\d\d|{_MASTERCARD_2})\d{{12}}",  # Mastercard
        r"3[47]\d{13}",  # American Express
        r"(?:30[0-5]\d|3095|3[689]\d\d)(?:\d{10}|\d{12}|\d{15})",  # Diners Club
        r"35(?:2[89]|[3-8]\d)\d{12,15}",  # JCB
        r"6(?:011|4[4-9]\d|5\d\d)\d{12,15}",  # Discover
        r"(?:62\d\d|81[0-6]\d|817[01])\d{12,15}",  # UnionPay
        r"(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}",  # Maestro
        r"(?:220[0-4]|60\d\d)\d{12}",  # Mir, RuPay
    ))
)  # fmt: skip
# Maestro's whole range. Some phone numbers (63) and many article numbers begin like that, too.
_WIDE_MAESTRO = re.compile(r"(?:5[0678]|6[37])\d{10,17}")
_AMBIGUOUS_12 = re.compile(r"6(?!390)[37]\d{10}")
_PREFIX = re.compile(
    rf"4|5[0-8]|{_MASTERCARD_2}|220[0-4]|3[47]|3(?:0[0-59]|[689])|35(?:2[89]|[3-8])"
    r"|6(?:0|4[4-9]|[2357])|81[0-7]"
)
# Luhn: each digit doubled, with the digits of the result added up.
_DOUBLED = str.maketrans("0123456789", "0246813579")
_EAN_DIGITS = 13


def may_begin_card(digits: str, begin: int = 0) -> bool:
    """Tell whether an issuer's prefix is at this index."""
    return _PREFIX.match(digits, begin) is not None


def is_card_number(digits: str, groups: tuple[int, ...]) -> bool:
    """Tell whether digits are a card number.

    Args:
        digits: the digits, without what separates them.
        groups: how many digits each of the groups has in which they are written.
    """
    if _FORMS.fullmatch(digits) is None:
        if _WIDE_MAESTRO.fullmatch(digits) is None:
            return False
        if groups != (4, 4, 4) and _AMBIGUOUS_12.fullmatch(digits):
            return False
        if len(groups) == 1 and _is_article_number(digits):
            return False
    return _has_luhn_sum(digits)


def _has_luhn_sum(digits: str) -> bool:
    return (
        sum(map(int, digits[-1::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))
    ) % 10 == 0


def _is_article_number(digits: str) -> bool:
    """Tell whether digits are an EAN-13 (GTIN): every second digit counts three times."""
    if len(digits) != _EAN_DIGITS:
        return False
    return (sum(map(int, digits[::2])) + 3 * sum(map(int, digits[1::2]))) % 10 == 0
