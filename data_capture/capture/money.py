"""Amounts, ratios and whole numbers, in all spellings that pages send.

Numbers are parsed as decimals and never pass through a binary float. SQLite receives amounts as
text. An amount that could mean two numbers is rejected. `capture.number_text` reads what is not
plain.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from data_capture.capture.conversion import (
    ColumnValue,
    ConversionError,
    Converter,
    Unconvertible,
    described_as,
)
from data_capture.capture.currencies import MAX_AMOUNT_CHARACTERS
from data_capture.capture.currency_names import COINS
from data_capture.capture.number_text import WrittenNumber, read_number

# Plain numbers have no three digits behind a point: "1.500" could be German for 1500.
_PLAIN = re.compile(r"[+-]?(?:\d+(?:\.\d{0,2})?|0?\.\d+|\d+\.\d{4,})", re.ASCII)

_MIN_INTEGER, _END_OF_INTEGERS = -(2**63), 2**63  # of SQLite: 64 bits
_MAX_INTEGER_DIGITS = 19


def decimal(digits: int, scale: int, *, can_be_percentage: bool = False) -> Converter:
    """Return a converter of amounts for DECIMAL(digits, scale), which rounds half-even.

    The converter returns text, which SQLite stores exactly.
    """

    def resolve(number: WrittenNumber) -> Decimal:
        if number.is_percentage and not can_be_percentage:
            raise ConversionError("is a percentage, not an amount")
        amount = _settle(number)
        is_coin = number.currency is not None and number.currency.code in COINS
        if is_coin and amount != amount.quantize(Decimal(1).scaleb(-scale)):
            raise ConversionError(f"is an amount of coins with more than {scale} decimals")
        return amount

    description = (
        f"A number of at most {digits} digits, {scale} of them decimals, rounded half-even. A text "
        "that could mean two numbers is not read."
    )
    return _decimal_converter(digits, scale, resolve, description)


def ratio(digits: int, scale: int) -> Converter:
    """Return a converter of ratios and percentages for DECIMAL(digits, scale).

    Ratios have no thousands: a single separator stands before decimals. The converter rejects
    amounts of money.
    """

    def resolve(number: WrittenNumber) -> Decimal:
        if number.currency is not None:
            raise ConversionError("is an amount of money, not a ratio")
        return _settle(number) if number.fraction is None else number.fraction

    description = (
        f"A ratio or percentage: a number of at most {digits} digits, {scale} of them decimals, "
        "rounded half-even."
    )
    return _decimal_converter(digits, scale, resolve, description)


@described_as("A whole number that SQLite can hold (64 bits).")
def integer(value: Any) -> int | None:
    """Convert a value to a whole number that SQLite can hold (64 bits)."""
    number = _parse(value)
    if isinstance(number, WrittenNumber):
        is_fraction = number.fraction is not None and not _is_whole(number.fraction)
        number = number.grouped if is_fraction and number.grouped is not None else _settle(number)
    if number is None:
        return None
    if not _is_whole(number):
        raise ConversionError("is not a whole number")
    return int(number)


def _decimal_converter(
    digits: int, scale: int, resolve: Callable[[WrittenNumber], Decimal], description: str
) -> Converter:
    """Return a converter that rounds numbers to a column's decimals and checks that they fit."""
    step = Decimal(1).scaleb(-scale)
    limit = Decimal(10) ** (digits - scale)
    negative_limit = -limit

    @described_as(description)
    def convert(value: Any) -> ColumnValue:
        number = _parse(value)
        if number is None:
            return None
        if isinstance(number, WrittenNumber):
            number = resolve(number)
        if number.adjusted() > digits - scale:  # checked first, because rounding needs the digits
            raise ConversionError(f"is too large for {digits} digits")
        rounded = number.quantize(step, ROUND_HALF_EVEN)
        if not negative_limit < rounded < limit:
            raise ConversionError(f"is too large for {digits} digits")
        return str(rounded)

    return convert


def _parse(value: Any) -> WrittenNumber | Decimal | None:
    """Parse a JSON number or a text; return None for a spelling of "no number"."""
    if not isinstance(value, str):
        if isinstance(value, Unconvertible):
            raise ConversionError(value.reason)
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise ConversionError("is not a number")
        return value if isinstance(value, Decimal) else Decimal(value)
    # Most texts are plain. Without this shortcut, parsing a questionnaire takes 20 % longer, a
    # payment 8 %. `1 *` rounds to the context's 28 digits, as the products in `read_number` do.
    if len(value) <= MAX_AMOUNT_CHARACTERS and _PLAIN.fullmatch(value):
        return 1 * Decimal(value)
    return read_number(value)


def _settle(number: WrittenNumber) -> Decimal:
    """Return the number that a text means.

    Raises:
        ConversionError: it could mean two numbers.
    """
    if number.usual is None:
        raise ConversionError(f"could mean {number.grouped:f} or {number.fraction:f}")
    return number.usual


def _is_whole(number: Decimal) -> bool:
    return (
        number.adjusted() < _MAX_INTEGER_DIGITS
        and _MIN_INTEGER <= number < _END_OF_INTEGERS
        and number == number.to_integral_value()
    )
