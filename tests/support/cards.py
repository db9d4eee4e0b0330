"""Hypothesis strategies: card numbers in many notations, and JSON that contains one."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

# Each issuer's prefixes, and the lengths of its numbers.
ISSUERS: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "Visa": (("4",), (13, 16, 19)),
    "Mastercard": (
        ("51", "52", "53", "54", "55", "2221", "2229", "2230", "2299", "23", "26", "270", "2719",
         "2720"),
        (16,),
    ),
    "American Express": (("34", "37"), (15,)),
    "Diners Club": (("300", "305", "3095", "36", "38", "39"), (14, 16, 19)),
    "JCB": (("3528", "3529", "353", "3589"), (16, 17, 18, 19)),
    "Discover": (("6011", "644", "649", "65"), (16, 17, 18, 19)),
    "UnionPay": (("62", "810", "8171"), (16, 17, 18, 19)),
    "Maestro": (
        ("5018", "5020", "5038", "5893", "6304", "6759", "6761", "6763"),
        (12, 13, 14, 15, 16, 17, 18, 19),
    ),
    "Maestro's whole range": (("50", "56", "57", "58", "63", "67"), (14, 15, 16, 17, 18, 19)),
    "Maestro with 12 digits": (("50", "56", "57", "58", "6390"), (12,)),
    "Mir": (("2200", "2204"), (16,)),
    "RuPay": (("60",), (16,)),
}  # fmt: skip


def with_luhn_digit(body: str) -> str:
    """Append the digit that makes the Luhn sum valid."""
    total = sum(
        sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(reversed(body))
    )
    return body + str(-total % 10)


@st.composite
def cards(draw: st.DrawFn) -> tuple[str, str]:
    """Generate a card number: its digits, and the same with separators."""
    prefixes, lengths = draw(st.sampled_from([*ISSUERS.values()]))
    prefix, length = draw(st.sampled_from(prefixes)), draw(st.sampled_from(lengths))
    body = prefix + draw(
        st.text("0123456789", min_size=length - 1 - len(prefix), max_size=length - 1 - len(prefix))
    )
    digits = with_luhn_digit(body)
    cuts = [
        0,
        *sorted(
            draw(
                st.sets(
                    st.integers(1, length - 1), max_size=draw(st.sampled_from([0, 0, 3, 6, 18]))
                )
            )
        ),
        length,
    ]
    groups = [digits[begin:end] for begin, end in pairwise(cuts)]
    one_kind = [draw(st.sampled_from([" ", "-", "\N{NO-BREAK SPACE}", "%20"]))]
    separators = st.sampled_from(draw(st.sampled_from([one_kind, [" ", "-", " - ", "  "]])))
    return digits, "".join(f"{group}{draw(separators)}" for group in groups[:-1]) + groups[-1]


# Text next to a card number. It must not turn the digits into another number: a longer one, a
# fraction, a phone number, an identifier with letters, an address or an escape sequence.
_SURROUNDING = st.text(
    st.characters(exclude_categories=["Cs", "Nd"], exclude_characters="+%\\@"), max_size=12
)


@st.composite
def card_in_json(draw: st.DrawFn) -> tuple[str, Any]:
    """Generate a card's digits, and a JSON value with the card in a text, a number or a key."""
    digits, written = draw(cards())
    value: Any = draw(
        st.sampled_from(
            [
                written,
                f"{draw(_SURROUNDING)}{written}{draw(_SURROUNDING)}",
                int(digits),
                float(digits),
            ]
        )
    )
    if isinstance(value, float) and f"{value:.0f}" != digits:
        value = written
    for _ in range(draw(st.integers(0, 5))):
        keys = st.sampled_from(
            ["note", "paymentData", "trades", "comment", "user_name", written, f"note {written}"]
        )
        key = draw(st.one_of(keys, _SURROUNDING))
        value = draw(
            st.sampled_from([{key: value}, [value], {"a": 1, key: value}, [None, value, 1.5]])
        )
        if draw(st.integers(0, 7)) == 0:
            value = json.dumps(value)
    return digits, value


def separated_digits_pattern(digits: str) -> re.Pattern[str]:
    """Return a pattern that finds the digits with any separators or escapes between them."""
    return re.compile(r"(?:[ \-\N{NO-BREAK SPACE}]|\\u00a0|%20)*".join(digits))
