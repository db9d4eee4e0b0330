"""Test how amounts, ratios and whole numbers are read, in both directions."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from babel.numbers import format_currency, format_decimal, get_currency_precision
from hypothesis import given
from hypothesis import strategies as st

from data_capture.capture.conversion import ConversionError
from data_capture.capture.converters import is_absent
from data_capture.capture.money import decimal, integer, ratio
from data_capture.json_codec import decode_json_object

MONEY = decimal(10, 2)
PERCENTAGE = ratio(5, 2)
FACTOR = ratio(10, 4)

_LOCALES = (
    "en_US de_DE fr_FR de_CH fr_CH en_IN hi_IN ja_JP ar_EG fa_IR sv_SE pl_PL pt_BR es_ES tr_TR "
    "he_IL ru_RU zh_CN ko_KR da_DK it_IT"
)
LOCALES = _LOCALES.split()
_CURRENCIES = "USD EUR GBP JPY CHF INR BRL SEK PLN TRY ILS RUB CNY KRW DKK KWD EGP IRR"
CURRENCIES = _CURRENCIES.split()


def parse_json(json_text: str) -> Any:
    """Parse a JSON value as in a request's body."""
    return decode_json_object(f'{{"value": {json_text}}}'.encode())["value"]


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("99.80", "99.80"), ("  99.8 ", "99.80"), ("$50,000", "50000.00"),
        ("$100,000", "100000.00"),
        ("-12.5", "-12.50"), ("-$1,250.75", "-1250.75"), ("$-5", "-5.00"), ("+3", "3.00"),
        ("−3.5", "-3.50"), (".5", "0.50"), ("5.", "5.00"), ("1e3", "1000.00"),
        ("100K", "100000.00"), ("$1.5m", "1500000.00"), ("€ 99,80", "99.80"),
        ("99,80 EUR", "99.80"), ("100 USDT", "100.00"), ("USDT 100", "100.00"), ("US$ 5", "5.00"),
        ("1.234,50", "1234.50"), ("1 234,50", "1234.50"), ("1\u202f234,50\u00a0€", "1234.50"),
        ("1’234.50", "1234.50"), ("1'234.50", "1234.50"), ("1,234,567.89", "1234567.89"),
        ("12,34,567.89", "1234567.89"), ("1,00,000", "100000.00"), ("1,000", "1000.00"),
        ("99999999.99", "99999999.99"), ("Rs. 500/-", "500.00"), ("₹1,00,000/-", "100000.00"),
        ("500.50/-", "500.50"), ("CDN$ 12.50", "12.50"), ("Mex$1,234.50", "1234.50"),
        ("COL$ 12.500", "12500.00"), ("U.S. $12.90", "12.90"), ("1,234.50 US dollars", "1234.50"),
        ("12.50 British pounds", "12.50"), ("1.234,50 złotych", "1234.50"), ("5 yen", "5.00"),
        ("12,50 Swiss francs", "12.50"), ("1,00,000 Indian rupees", "100000.00"),
    ],
)  # fmt: skip
def test_amounts_are_read_in_every_common_notation(written: str, stored: str) -> None:
    assert MONEY(written) == stored


@pytest.mark.parametrize(
    ("json_text", "stored"),
    [
        ("99.8", "99.80"), ("0.005", "0.00"), ("0.015", "0.02"), ("1.005", "1.00"),
        ("2.675", "2.68"), ("-0.125", "-0.12"), ("1e-3", "0.00"), ("12345678.905", "12345678.90"),
        ("1e-1000000", "0.00"), ("0.1" + "1" * 900, "0.11"),
    ],
)  # fmt: skip
def test_json_numbers_are_exact_and_rounded_half_even(json_text: str, stored: str) -> None:
    assert MONEY(parse_json(json_text)) == stored


@pytest.mark.parametrize(
    "value",
    [
        "lots", "$50K - $100K", "1-2", "1 2 3", "1.2.3", "1,2,3", "0x10", "1_0", "--5", "1e",
        "Infinity", "∞", "9" * 65, "100000000", 100_000_000, Decimal("99999999.995"),
        Decimal("1e400"), Decimal("1e1000000"), Decimal("-1e999999"), 10**4000, True, False, [], {},
        [1], {"amount": 1},
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_invalid_and_too_large_amounts_raise_a_conversion_error(value: Any) -> None:
    with pytest.raises(ConversionError):
        MONEY(value)


@pytest.mark.parametrize("value", ["", " ", "N/A", "n/a", "null", "None", "undefined", "NaN", "-"])
def test_placeholders_for_no_number_become_null(value: str) -> None:
    assert is_absent(value) or MONEY(value) is None


@given(st.decimals(min_value=-99999999, max_value=99999999, places=2))
def test_amounts_are_stored_to_the_cent(amount: Decimal) -> None:
    assert (
        Decimal(str(MONEY(parse_json(str(amount)))))
        == Decimal(str(MONEY(f"${amount:,}".replace("$-", "-$"))))
        == amount
    )


@given(
    st.from_regex(
        r"[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,9})([eE][+-]?[0-9]{1,3})?", fullmatch=True
    )
)
def test_a_currency_after_a_number_does_not_change_its_value(written: str) -> None:
    def convert(value: str) -> Any:
        try:
            return MONEY(value)
        except ConversionError as error:
            return str(error)

    too_long = len(written) > 60  # with the currency, it could exceed the limit of characters
    assert too_long or convert(written) == convert(f"{written} USD")


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (7, 7),
        ("7", 7),
        ("1,200", 1200),
        ("1.200", 1200),
        ("1,000", 1000),
        ("12 000", 12000),
        ("7.0", 7),
        (-3, -3),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
    ],
)
def test_integers_are_read_from_numbers_and_texts(value: Any, stored: int) -> None:
    assert integer(value) == stored


@pytest.mark.parametrize(
    "value",
    [2**63, -(2**63) - 1, "7.5", "1.000", Decimal("0.1"), Decimal("1e1000000"), True, "seven"],
)
def test_fractions_and_integers_beyond_64_bits_raise_a_conversion_error(value: Any) -> None:
    with pytest.raises(ConversionError):
        integer(value)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        # Currencies that have no decimals, or hardly any.
        ("Rp 49.999", "49999.00"), ("1.499 JPY", "1499.00"), ("¥1,499", "1499.00"),
        ("₩12.345", "12345.00"), ("500.001 FCFA", "500001.00"),
        # A comma behind the dollar's sign is between thousands.
        ("$1,234", "1234.00"), ("-$1,234", "-1234.00"), ("£9,999", "9999.00"),
        ("USD 1,234", "1234.00"), ("1,250 USD", "1250.00"), ("1,250", "1250.00"),
        # A leading zero is before decimals.
        ("0,075", "0.08"), ("0,125", "0.12"), ("0.125", "0.12"), ("€0.999", "1.00"),
        # Any other count than three, and the other separator.
        ("1234,567", "1234.57"), ("1234.567", "1234.57"), ("1.2345", "1.23"), ("1,5", "1.50"),
        ("1,234.567", "1234.57"), ("1.234,567", "1234.57"), ("1 234,567", "1234.57"),
        ("1.234.567", "1234567.00"), ("1,234,567", "1234567.00"), ("1 234 567", "1234567.00"),
        # Other separators, and Indian groups.
        ("CHF 1'234.50", "1234.50"), ("1’234’567,50 CHF", "1234567.50"), ("1_000.5", "1000.50"),
        ("₹1,00,000", "100000.00"), ("₹12,34,567.50", "1234567.50"), ("1\u2009234,5", "1234.50"),
        ("50,- kr", "50.00"), ("CHF 50.–", "50.00"), ("1.234,-", "1234.00"), ("$.50", "0.50"),
        ("Rs.500", "500.00"), ("S/.1,500", "1500.00"),
    ],
)  # fmt: skip
def test_separators_are_told_apart(written: str, stored: str) -> None:
    assert MONEY(written) == stored


@pytest.mark.parametrize(
    ("written", "numbers"),
    [
        ("1.500", "1500 or 1.500"), ("99.990", "99990 or 99.990"), ("-1.500", "-1500 or -1.500"),
        ("1,234", "1234 or 1.234"), ("€3.000", "3000 or 3.000"),
        ("3.000 €", "3000 or 3.000"), ("R$ 1.500", "1500 or 1.500"), ("1.500 kr", "1500 or 1.500"),
        ("$10.000", "10000 or 10.000"), ("$84.915", "84915 or 84.915"),
        ("€1,234", "1234 or 1.234"), ("€1,500", "1500 or 1.500"), ("€84.915", "84915 or 84.915"),
        ("1,234 USD", "1234 or 1.234"), ("CHF 1.234", "1234 or 1.234"),
        ("KWD 1.500", "1500 or 1.500"), ("1,500 DT", "1500 or 1.500"), ("¥1.500", "1500 or 1.500"),
        ("5.000K", "5000000 or 5000"), ("($10.000)", "-10000 or -10.000"),
    ],
)  # fmt: skip
def test_an_amount_with_two_meanings_is_not_read(written: str, numbers: str) -> None:
    with pytest.raises(ConversionError, match=f"^could mean {numbers}"):
        MONEY(written)


@pytest.mark.parametrize(
    "written",
    [
        "$12.50", "$ 12.50", "12.50 $", "12,50 €", "€12,50", "EUR 12,50", "12.50 eur", "US$12.50",
        "US $ 12.50", "A$12.50", "C$12.50", "HK$12.50", "CA$12.50", "12,50 $US", "R$ 12,50",
        "12,50 kr", "12,50 kr.", "12,50 zł", "12,50 Kč", "12,50 Ft", "12,50 lei", "12,50 лв.",
        "12,50 руб.", "12.50 USDT", "USDC 12.50", "Fr. 12.50", "SFr. 12.50", "Rs 12.50",
        "Rs. 12.50", "RM12.50", "12,50 TL", "د.إ.\u200f 12.50", "\u200e12.50\u00a0\u200f₪",
        "\u2068$\u206912.50", "\u202a12.50 €\u202c", "\u061c12.50 SAR", "$12.50 CAD", "$12.50 USD",
        "XOF 12.50", "S/ 12.50", "R 12.50", "12.50 dollars", "١٢٫٥٠ ج.م.", "۱۲٫۵۰", "१२.५०",
        "１２．５０円", "₿12.50",
    ],
)  # fmt: skip
def test_currencies_stand_before_or_behind_an_amount(written: str) -> None:
    assert MONEY(written) == "12.50"


def test_every_currency_symbol_of_unicode_is_a_currency() -> None:
    symbols = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Sc"]
    assert len(symbols) > 50
    for symbol in symbols:
        assert MONEY(f"{symbol}1,234.50") == MONEY(f"-{symbol} 1234.5").lstrip("-") == "1234.50"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "written",
    [
        "€5 USD", "$5 EUR", "£5 €", "US$5 CAD", "$€5", "kr 5 EUR", "5 apples", "abc 5", "5 R",
        "$5%", "💰5", "5 credits", "1٢", "1,234.50¢",
    ],
)  # fmt: skip
def test_other_units_and_two_currencies_are_not_an_amount(written: str) -> None:
    with pytest.raises(ConversionError, match=r"^is not a number$"):
        MONEY(written)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("($20.00)", "-20.00"), ("(1,250.75)", "-1250.75"), ("$(20.00)", "-20.00"),
        ("(20,00 €)", "-20.00"), ("(20.00) USD", "-20.00"), ("20.00-", "-20.00"),
        ("20.00-USD", "-20.00"), ("−20", "-20.00"), ("–20", "-20.00"), ("－20", "-20.00"),
        ("-$20", "-20.00"), ("$-20", "-20.00"), ("- $20", "-20.00"), ("-20 €", "-20.00"),
        ("€ -20", "-20.00"), ("\u200e−20 kr", "-20.00"), ("؜-٢٠", "-20.00"), ("+20", "20.00"),
        ("-0.00", "-0.00"), ("-€3.000,00", "-3000.00"), ("(20k)", "-20000.00"),
    ],
)  # fmt: skip
def test_negative_amounts_are_read(written: str, stored: str) -> None:
    assert MONEY(written) == stored


@pytest.mark.parametrize(
    "written",
    [
        "(-20)", "-(20)", "--20", "-20-", "+-20", "-+20", "(20", "20)", "((20))", "()", "20 (USD)",
        "(20) 30", "+20-", "$--20", "20 -", "—20",
    ],
)  # fmt: skip
def test_doubtful_signs_are_not_read(written: str) -> None:
    with pytest.raises(ConversionError, match=r"^is not a number$"):
        MONEY(written)


@pytest.mark.parametrize(
    "written",
    [
        "$10K - $50K", "$10,000–$50,000", "$10,000 to $50,000", "10k-50k", "1-2", "€5 — €9", "10k+",
        "$50,000+", "under $5k", "Over $100,000", "< $5000", "≥ 100", "~50", "up to 20", "5 or 10",
        "between 5k and 10k", "from $50", "about 50",
    ],
)  # fmt: skip
def test_a_range_is_not_one_number(written: str) -> None:
    for convert in (MONEY, PERCENTAGE, integer):
        with pytest.raises(ConversionError, match=r"^is a range, not one number$"):
            convert(written)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("$50k", "50000.00"), ("50 K", "50000.00"), ("1.5M", "1500000.00"),
        ("€1,5 Mio.", "1500000.00"),
        ("1,5 mn EUR", "1500000.00"), ("50k USD", "50000.00"), ("50kUSD", "50000.00"),
        ("50 KRW", "50.00"), ("50kr", "50.00"), ("0.05bn", "50000000.00"),
        ("$1,250K", "1250000.00"),
        ("K50", "50.00"), ("99¢", "0.99"), ("0.5 BTC", "0.50"),
    ],
)  # fmt: skip
def test_magnitudes_multiply_an_amount(written: str, stored: str) -> None:
    assert MONEY(written) == stored


@pytest.mark.parametrize("written", ["0.005 BTC", "₿0.00012345", "1.234567 ETH"])
def test_an_amount_of_coins_is_not_rounded(written: str) -> None:
    with pytest.raises(ConversionError, match="coins"):
        MONEY(written)


@pytest.mark.parametrize(
    ("written", "percentage"),
    [
        ("1%", "1.00"), ("1.5%", "1.50"), ("1.5 %", "1.50"), ("%1,5", "1.50"),
        ("1,5\u00a0%", "1.50"),
        ("62.345", "62.34"), ("62,345", "62.34"), ("1.500", "1.50"), ("0,125", "0.12"),
        ("-2%", "-2.00"),
        ("(2%)", "-2.00"), ("٢٫٥٪", "2.50"), ("1", "1.00"), ("—", None), ("N/A", None),
    ],
)  # fmt: skip
def test_ratios_and_percentages_have_no_thousands(written: str, percentage: str | None) -> None:
    assert PERCENTAGE(written) == percentage


def test_a_ratio_keeps_its_decimals() -> None:
    assert [FACTOR(text) for text in ("1.500", "1,873", "2.5")] == ["1.5000", "1.8730", "2.5000"]


@pytest.mark.parametrize("written", ["$100", "100 USD", "1,234.5", "1000%", "5k%", "1:2", "%%5"])
def test_amounts_and_large_numbers_are_no_percentages(written: str) -> None:
    with pytest.raises(ConversionError):
        PERCENTAGE(written)


def test_a_percentage_is_no_amount() -> None:
    with pytest.raises(ConversionError, match=r"^is a percentage, not an amount$"):
        MONEY("10%")
    assert decimal(10, 2, can_be_percentage=True)("12.5%") == "12.50"


@given(st.text())
def test_any_text_is_read_or_raises_a_conversion_error(value: str) -> None:
    for convert in (MONEY, PERCENTAGE, integer):
        try:
            convert(value)
        except ConversionError:
            continue


def test_amounts_that_formatters_write_are_read_right_or_not_at_all() -> None:
    chosen, results = random.Random(5), Counter[str]()
    for _ in range(1_000):
        amount = Decimal(chosen.randrange(10 ** chosen.randrange(3, 10))).scaleb(-2)
        amount *= chosen.choice([1, 1, -1])
        locale, currency = chosen.choice(LOCALES), chosen.choice(CURRENCIES)
        numbers = chosen.choice(["default", "latn"])
        places = get_currency_precision(currency)
        if chosen.random() < 0.3:
            written = format_decimal(amount, locale=locale, numbering_system=numbers)
            places = 2
        else:
            written = format_currency(
                amount,
                currency,
                locale=locale,
                numbering_system=numbers,
                format_type=chosen.choice(["standard", "accounting"]),
            )
        meant = amount.quantize(Decimal(1).scaleb(-places))
        results[read_as(written, meant)] += 1
    assert {*results} <= {"right", "ambiguous"}
    assert results["right"] > 900


def read_as(written: str, meant: Decimal) -> str:
    try:
        stored = MONEY(written)
    except ConversionError as error:
        return "ambiguous" if str(error).startswith("could mean") else f"{written} {error}"
    return "right" if Decimal(str(stored)) == meant else f"{written} is {stored}"


def test_amounts_with_three_decimals_are_never_taken_for_thousands() -> None:
    chosen = random.Random(6)
    for _ in range(1_000):
        amount = Decimal(chosen.randrange(10 ** chosen.randrange(3, 9))).scaleb(-3)
        written = format_decimal(amount, locale=chosen.choice(LOCALES))
        try:
            stored = MONEY(written)
        except ConversionError:
            continue
        assert stored == MONEY(amount), written
