"""Numbers as people and formatters write them: separators, signs, currencies and magnitudes.

docs/data.md has the rules. Where a text could mean two numbers, both are returned.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

from data_capture.capture.conversion import ConversionError
from data_capture.capture.currencies import (
    MAGNITUDES,
    MAX_AMOUNT_CHARACTERS,
    Currency,
    clean,
    find_currencies,
    is_currency,
    minor_digits,
    split_magnitude,
)
from data_capture.capture.currency_names import (
    GROUPED_BY_COMMA,
    WRITTEN_WITHOUT_DECIMALS,
)

_NO_NUMBER = frozenset({"", "n/a", "null", "none", "nan", "undefined"})
_DASHES = "-— "  # after `_TYPOGRAPHY`

_TYPOGRAPHY = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-"),
        "\u2015": "—",
        **dict.fromkeys("\u2018\u2019\u02bc\u2032\uff07`´", "'"),
        **dict.fromkeys("\u066a\uff05\ufe6a", "%"),
        "\uff0c": ",",
        "\uff0e": ".",
    }
)
_ARABIC_DECIMAL, _ARABIC_GROUPING = "\u066b", "\u066c"
_DECIMALS = ".," + _ARABIC_DECIMAL
_CENTS = "¢￠"

_PARTS = re.compile(r"(\D*)(\d(?:.*\d)?)(\D*)", re.ASCII)
_PROGRAM_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)[eE][+-]?\d{1,3}", re.ASCII)
_GROUPED = re.compile(
    rf"[1-9]\d{{0,2}}([ ,.'_{_ARABIC_GROUPING}])\d{{3}}(?:\1\d{{3}})*"  # 1,234,567
    r"|[1-9]\d?(?:,\d\d)+,\d{3}",  # 12,34,567
    re.ASCII,
)
_NO_CENTS = re.compile(r"[.,:] ?[-—]+|\.")  # 50,- 50.— 50.
_END_IN_INDIA = re.compile(r"\.? ?/ ?[-—=]")  # 500/-

_SIMPLE = re.compile(r"\$((?:[1-9]\d{0,2}(?:,\d{3})+|\d+)(?:\.\d\d)?)|(\d+(?:\.\d+)?)%", re.ASCII)
_DOLLAR = find_currencies("$", "")

_NUMBER = r"\d+(?:[.,' ]\d+)*"
_RANGE = re.compile(
    rf"[^\d]*{_NUMBER}[^\d]*(?:[-—~…]|\.\.|\b(?:to|and|or|bis|till|until)\b)[^\d]*{_NUMBER}[^\d]*"
    rf"|[^\d]*{_NUMBER}[^\d+]*\+ *"
    r"|[<>≤≥~≈].*"
    r"|(?:under|over|up to|less|more|at least|at most|below|above|from|between|about|around|approx"
    r"|max|min|circa|ca)\b.*",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class WrittenNumber:
    """The numbers that a text could mean.

    Attributes:
        grouped: the number if each separator stands between thousands; None if none can.
        fraction: the number if the last separator stands before decimals; None if it cannot.
        usual: the one of the two that is meant, as far as the currency and custom tell.
        currency: what the text says about the currency; None if it names none.
        is_percentage: whether the text has a percent sign.
    """

    grouped: Decimal | None
    fraction: Decimal | None
    usual: Decimal | None
    currency: Currency | None = None
    is_percentage: bool = False


def read_number(text: str) -> WrittenNumber | None:
    """Read a number from a text; return None for a spelling of "no number", such as "N/A".

    Raises:
        ConversionError: the text is not a number.
    """
    if len(text) > MAX_AMOUNT_CHARACTERS:
        raise ConversionError("is not a number")
    # Most texts that are not plain are simple. Without this shortcut, parsing a questionnaire
    # takes 80 % longer.
    simple = _SIMPLE.fullmatch(text)
    if simple is not None:
        return _read_simple(*simple.groups())
    cleaned = clean(text).translate(_TYPOGRAPHY)
    if not cleaned.strip(_DASHES) or cleaned.lower() in _NO_NUMBER:
        return None
    cleaned = _write_digits_in_ascii(cleaned)
    number = _read_signed(cleaned)
    if number is None:
        is_range = _RANGE.fullmatch(cleaned) is not None
        raise ConversionError("is a range, not one number" if is_range else "is not a number")
    return number


def _read_simple(dollars: str | None, percentage: str | None) -> WrittenNumber:
    if dollars is not None:
        amount = 1 * Decimal(dollars.replace(",", ""))
        return WrittenNumber(None, amount, amount, _DOLLAR)
    number = 1 * Decimal(str(percentage))
    return WrittenNumber(None, number, number, is_percentage=True)


def _write_digits_in_ascii(text: str) -> str:
    """Write the digits of any one script as ASCII: Arabic, Persian, Devanagari, full-width."""
    if text.isascii():
        return text
    values = {char: unicodedata.decimal(char, None) for char in {*text}}
    digits = {char: value for char, value in values.items() if value is not None}
    zeros = {ord(char) - value for char, value in digits.items()}
    if len(zeros) > 1:
        raise ConversionError("is not a number")
    return text.translate({ord(char): str(value) for char, value in digits.items()})


def _read_signed(text: str) -> WrittenNumber | None:
    """Read the parentheses and the sign around a number: "($20.00)", "$-20", "20.00-"."""
    is_negative = "(" in text
    if is_negative:
        text = _remove_parentheses(text)
    parts = _PARTS.fullmatch(text)
    if parts is None:
        return None
    before, digits, after = parts[1].strip(), parts[2], parts[3]
    if not is_negative:
        if before[:1] in ("+", "-"):
            is_negative, before = before[0] == "-", before[1:].strip()
        elif before.endswith(("+", "-")):
            is_negative, before = before[-1] == "-", before[:-1].strip()
        elif after[:1] == "-":
            is_negative, after = True, after[1:]
    if before[-1:] in {*_DECIMALS} and _is_decimal_point(before):
        before, digits = before[:-1].strip(), before[-1] + digits
    end = _END_IN_INDIA.match(after)
    after = after if end is None else after[end.end() :]
    no_cents = _NO_CENTS.match(after)
    if no_cents is not None:
        if no_cents[0] in digits:
            return None
        after = after[no_cents.end() :]
    return _read_unsigned(
        before,
        digits,
        after.strip(),
        sign=-1 if is_negative else 1,
        has_decimals=no_cents is None,
    )


def _remove_parentheses(text: str) -> str:
    """Remove the parentheses around a negative number; return "" if they mean something else."""
    before, _, rest = text.partition("(")
    inside, closing, after = rest.partition(")")
    outside = before + after
    is_number = not any(char.isdigit() or char in "()" for char in outside)
    return "" if not (is_number and closing) or {*text} & {"-", "+"} else before + inside + after


def _is_decimal_point(before: str) -> bool:
    """Tell whether a point in front of the digits belongs to them: not in "Rs.50"."""
    name = before[:-1].strip()
    return before[-1] != "." or not (name[-1:].isalpha() or name.endswith("/")) or is_currency(name)


def _read_unsigned(
    before: str, digits: str, after: str, *, sign: int, has_decimals: bool
) -> WrittenNumber | None:
    """Read a number with a currency, a percent sign or a magnitude."""
    percents = before.count("%") + after.count("%")
    before, after = before.strip("% "), after.strip("% ")
    magnitude, name = split_magnitude(after)
    is_unit = bool(before or name)
    currency = find_currencies(before, name) if is_unit else None
    if percents > 1 or (percents and (is_unit or magnitude)):
        return None
    if currency is not None and not currency.may_be:
        return None
    factor = sign * Decimal(1).scaleb(MAGNITUDES.get(magnitude, 0))
    if name in {*_CENTS}:
        if not digits.isdecimal():
            return None
        factor = factor.scaleb(-2)
    grouped, fraction = _read_digits(digits)
    if not has_decimals:
        fraction = None
    usual = _choose(grouped, fraction, digits, currency, is_behind=bool(name))
    if grouped is None and fraction is None:
        return None
    return WrittenNumber(
        _times(factor, grouped),
        _times(factor, fraction),
        _times(factor, usual),
        currency,
        is_percentage=percents == 1,
    )


def _times(factor: Decimal, number: Decimal | None) -> Decimal | None:
    return None if number is None else factor * number


def _read_digits(digits: str) -> tuple[Decimal | None, Decimal | None]:
    """Return the number with all separators between thousands, and with the last as a point."""
    if digits.isdecimal():
        return Decimal(digits), None
    if _PROGRAM_NUMBER.fullmatch(digits):
        return None, Decimal(digits)
    separator = next((char for char in reversed(digits) if not char.isdecimal()), "")
    whole, _, decimals = digits.rpartition(separator)
    grouped = Decimal(_remove_separators(digits)) if _GROUPED.fullmatch(digits) else None
    is_fraction = (
        separator in _DECIMALS
        and (whole.isdecimal() or not whole or _GROUPED.fullmatch(whole) is not None)
        and separator not in whole
        and (separator == "." or whole == "0" or not whole.startswith("0"))
    )
    return grouped, Decimal(f"{_remove_separators(whole)}.{decimals}") if is_fraction else None


def _remove_separators(digits: str) -> str:
    return "".join(char for char in digits if char.isdecimal())


def _choose(
    grouped: Decimal | None,
    fraction: Decimal | None,
    digits: str,
    currency: Currency | None,
    *,
    is_behind: bool,
) -> Decimal | None:
    """Choose what is meant by one separator before three digits; None if that is open.

    Formatters drop zeros at the end of decimals. Programs can keep them, and write a point: a
    point in front of three digits is always open. Where a comma groups, the currency stands before
    the number.
    """
    if grouped is None or fraction is None:
        return fraction if grouped is None else grouped
    is_comma, ends_with_zero = "," in digits, digits.endswith("0")
    if currency is None:
        return grouped if is_comma and ends_with_zero else None
    if any(minor_digits(code) > 2 for code in currency.may_be):
        return None
    if currency.may_be <= WRITTEN_WITHOUT_DECIMALS:
        return grouped
    can_group = is_comma and currency.may_be & GROUPED_BY_COMMA
    return grouped if can_group and (ends_with_zero or not is_behind) else None
