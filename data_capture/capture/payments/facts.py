"""A payment's currency, status and amount in minor units, as its row in `payment_facts` has them.

`payment_data` keeps what the page said. The facts are what can be computed with: one spelling per
status, and whole numbers of one currency that can be added up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from typing import Any, NamedTuple

from data_capture.capture.conversion import ColumnValue, ConversionError, Converter, described_as
from data_capture.capture.currencies import currency_in, is_currency, minor_digits
from data_capture.capture.currency_names import COINS, STABLECOINS
from data_capture.capture.money import decimal
from data_capture.capture.payments.statuses import UNKNOWN, normalise_status
from data_capture.problems import FieldError

DEFAULT_MINOR_DIGITS = 2
"""Decimals of an amount whose currency is not known."""

_MAX_AMOUNT_DIGITS = 18  # of SQLite's 64 bits
_DIGITS_OF_COINS, _DECIMALS_OF_COINS = 28, 18  # 18 decimals of ether
_PRICES = ("final_price", "original_price")
_AMOUNTS = (*_PRICES, "discount_amount")

# The codes of NOWPayments and their like.
_COIN_ON_NETWORK = re.compile(
    r"([A-Z]{3,5}?)[ _-]?\(?(?:TRC-?20|ERC-?20|BEP-?20|BSC|SOL|SPL|MATIC|POLYGON|ARBITRUM|ARB|OP"
    r"|BASE|TON|ALGO|AVAXC|CELO|NEAR|MAINNET)\)?",
    re.ASCII,
)

FindSent = Callable[[str], "tuple[str, Any] | None"]
"""Find what the page sent for a field: its name in the page's spelling, and the value."""


class PaymentFacts(NamedTuple):
    """The facts of one payment.

    Attributes:
        currency: the ISO code, or None if it is not known.
        status: one of `statuses.STATUSES`.
        amount_minor: the final price in minor units of the currency, or in hundredths if the
            currency is None. None if there is no price.
    """

    currency: str | None
    status: str
    amount_minor: int | None


@described_as("The ISO code of the price's currency, such as `USD`.")
def currency_code(value: Any) -> ColumnValue:
    """Convert a currency's code, symbol or abbreviation to its ISO code.

    A coin's network is left out: `usdttrc20` is USDT.
    """
    if isinstance(value, str):
        code = value.strip().upper()
        found = code if is_currency(code) else _coin_of_network(code) or currency_in(value)
        if found is not None:
            return found
    raise ConversionError("is not a known currency")


def _coin_of_network(code: str) -> str | None:
    """Return the coin of `USDTTRC20`, `USDT-TRC20` or `USDT (TRC20)`; None for other texts."""
    found = _COIN_ON_NETWORK.fullmatch(code)
    return found[1] if found is not None and found[1] in COINS | STABLECOINS else None


def find_facts(
    values: list[ColumnValue], indexes: Mapping[str, int], find_sent: FindSent
) -> tuple[PaymentFacts, list[FieldError]]:
    """Return the facts of a payment, and warnings about what is not understood.

    Args:
        values: the values of the payment's fields. Amounts of coins that were rounded become None.
        indexes: the index of each field in `values`, by column.
        find_sent: finds what the page sent.
    """
    warnings: list[FieldError] = []
    currency = _find_currency(values[indexes["currency"]], find_sent, warnings)
    # A code that is not known can be that of a coin.
    if currency in COINS or (currency is None and find_sent("currency") is not None):
        _remove_rounded_coins(values, indexes, find_sent, warnings)
    if currency is not None and minor_digits(currency) > DEFAULT_MINOR_DIGITS:
        _remove_ambiguous_texts(values, indexes, currency, find_sent, warnings)
    price = values[indexes["final_price"]]
    amount = None
    if price is not None:
        amount = _find_amount(str(price), currency, find_sent, warnings)
    spelling, status = values[indexes["payment_status"]], UNKNOWN
    if spelling is not None:
        status = normalise_status(str(spelling))
        if status == UNKNOWN and not is_unknown_status(str(spelling)):
            warnings.append(_warn("payment_status", "is not a known status", find_sent))
    return PaymentFacts(currency, status, amount), warnings


def is_unknown_status(spelling: str) -> bool:
    """Return whether a status says itself that it is not known."""
    return spelling.strip().lower() == UNKNOWN


def amount_in_minor_units(price: Decimal, currency: str | None) -> int | None:
    """Return a price in minor units, or None if it has more decimals than its currency."""
    scaled = price.scaleb(_digits_of(currency))
    return int(scaled) if scaled == scaled.to_integral_value() else None


def rescale_amount(hundredths: int | None, currency: str) -> int | None:
    """Convert an amount whose currency was not known to minor units of its currency."""
    if hundredths is None:
        return None
    return amount_in_minor_units(Decimal(hundredths).scaleb(-DEFAULT_MINOR_DIGITS), currency)


def _find_currency(
    code: ColumnValue, find_sent: FindSent, warnings: list[FieldError]
) -> str | None:
    """Return the currency that the page names, or that the text of a price shows."""
    for column in _PRICES:
        sent = find_sent(column)
        text = None if sent is None else sent[1]
        # Most prices are numbers, or texts of digits.
        if not isinstance(text, str) or (text[:1].isdigit() and text[-1:].isdigit()):
            continue
        shown = currency_in(text)
        if shown is None:
            continue
        if code is None:
            return shown
        if shown != code:
            message = f"is {code}, and the price is in {shown}, so the currency is unknown"
            warnings.append(_warn("currency", message, find_sent))
            return None
    return None if code is None else str(code)


def _find_amount(
    price: str, currency: str | None, find_sent: FindSent, warnings: list[FieldError]
) -> int | None:
    """Return the price in minor units, with as many decimals as the currency has."""
    digits = _digits_of(currency)
    if (
        digits == DEFAULT_MINOR_DIGITS and price[-3:-2] == "."
    ):  # as the column's converter writes it
        return int(price[:-3] + price[-2:])
    number = Decimal(price)
    if digits > DEFAULT_MINOR_DIGITS:  # the column has rounded it
        sent = find_sent("final_price")
        try:
            finer = None if sent is None else _fine_decimal(_MAX_AMOUNT_DIGITS, digits)(sent[1])
        except ConversionError:
            finer = None
        if finer is not None and _rounds_to(Decimal(str(finer)), number):
            number = Decimal(str(finer))
    amount = amount_in_minor_units(number, currency)
    if amount is None:
        message = f"has more decimals than {currency}, so its amount is unknown"
        warnings.append(_warn("final_price", message, find_sent))
    return amount


def _remove_rounded_coins(
    values: list[ColumnValue],
    indexes: Mapping[str, int],
    find_sent: FindSent,
    warnings: list[FieldError],
) -> None:
    """Remove amounts of coins that lost decimals: 0.00123 BTC are not 0.00."""
    for column in _AMOUNTS:
        stored, sent = values[indexes[column]], find_sent(column)
        if stored is None or sent is None:
            continue
        try:
            exact = _fine_decimal(_DIGITS_OF_COINS, _DECIMALS_OF_COINS)(sent[1])
        except ConversionError:
            continue
        if exact is None or Decimal(str(exact)) != Decimal(str(stored)):
            values[indexes[column]] = None
            message = "has more than 2 decimals, which its currency needs, so it was stored as NULL"
            warnings.append(_warn(column, message, find_sent))


def _remove_ambiguous_texts(
    values: list[ColumnValue],
    indexes: Mapping[str, int],
    currency: str,
    find_sent: FindSent,
    warnings: list[FieldError],
) -> None:
    """Remove amounts whose text has two meanings in a currency with three decimals.

    Formatters write all three: "1,500" with the currency TND can be 1.5.
    """
    for column in _AMOUNTS:
        sent = find_sent(column)
        if values[indexes[column]] is None or sent is None or not isinstance(sent[1], str):
            continue
        text = sent[1] if currency_in(sent[1]) is not None else f"{sent[1]} {currency}"
        try:
            _fine_decimal(_MAX_AMOUNT_DIGITS, minor_digits(currency))(text)
        except ConversionError as error:
            values[indexes[column]] = None
            warnings.append(_warn(column, f"{error}, so it was stored as NULL", find_sent))


def _rounds_to(number: Decimal, rounded: Decimal) -> bool:
    step = Decimal(1).scaleb(-DEFAULT_MINOR_DIGITS)
    return number.quantize(step, ROUND_HALF_EVEN) == rounded


def _digits_of(currency: str | None) -> int:
    return DEFAULT_MINOR_DIGITS if currency is None else minor_digits(currency)


@cache
def _fine_decimal(digits: int, decimals: int) -> Converter:
    return decimal(digits, decimals)


def _warn(column: str, message: str, find_sent: FindSent) -> FieldError:
    sent = find_sent(column)
    return FieldError(column if sent is None else sent[0], message)
