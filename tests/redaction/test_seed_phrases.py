"""Test that seed phrases are masked without a label, and ordinary prose is kept."""

from __future__ import annotations

import random

import pytest
from mnemonic import Mnemonic

from data_capture.redaction.redact import REDACTED, redact, redact_text

WORDS = Mnemonic("english").wordlist
FIRST = WORDS[:24]

PROSE = [
    """I have been trading for about three years now, mostly during the London session. My average
    risk per trade is one percent of the account and I never hold positions over the weekend, since
    the gap on Monday can be larger than the stop. Please tell me whether the plan covers that.""",
    """When the market opens, most people wait until the first hour is over. They say that the early
    moves are noise; that later in the day, when volume is stable, the trend becomes more clear. I
    agree with them in general, but there are a few exceptions that are worth a closer look.""",
    """Buy low, sell high, stay calm, never chase: that is all there is to say about it. Everything
    else, in my opinion, is only noise which other people sell to those who still believe that
    there must be some secret behind success.""",
    """Can you refund the payment that I made on Monday? The card was charged twice and the bank
    says that only the merchant is able to cancel one of the two. The order number is in the mail
    that you sent. Thank you very much for your help, and have a nice day!""",
    """Long story short: this year was good, next year will be better. Home, family, travel, sport,
    music, and above all more time with the children are what I plan to spend the profit on.""",
]


@pytest.mark.parametrize("count", [12, 15, 18, 21, 24])
@pytest.mark.parametrize("separator", [" ", ", ", ",", "\n", "  ", " - ", "-", "\r\n", "\t", "; "])
def test_words_in_a_row_are_masked_unlabelled(count: int, separator: str) -> None:
    source = random.Random(count)
    words = source.sample(WORDS, count)
    for spelled in (words, [word.upper() for word in words], [word.title() for word in words]):
        phrase = separator.join(spelled)
        assert redact({"note": phrase}) == {"note": REDACTED}
        assert redact_text(f"hey! {phrase}. Thx") == f"hey! {REDACTED}. Thx"
        assert redact([{"a": {"b": phrase}}]) == [{"a": {"b": REDACTED}}]


def test_numbered_words_and_lists_of_words_are_masked() -> None:
    lines = "\n".join(f"{number}. {word}" for number, word in enumerate(FIRST[:12], 1))
    assert redact_text(lines) == f"1. {REDACTED}"
    in_one_line = " ".join(f"{number}) {word}" for number, word in enumerate(FIRST[:12], 1))
    assert redact_text(in_one_line) == f"1) {REDACTED}"
    assert redact({"words": FIRST[:12]}) == {"words": [REDACTED] * 12}
    assert redact({"a": [[*FIRST]]}) == {"a": [[REDACTED] * 24]}


@pytest.mark.parametrize(
    "text",
    [
        " ".join(FIRST[:11]),
        " ".join([*FIRST[:6], "xyzzy", *FIRST[6:12]]),
        " ".join([*FIRST[:11], "the"]),
        *PROSE,
        "\n\n".join(PROSE),
    ],
)
def test_fewer_words_and_prose_are_kept(text: str) -> None:
    assert redact_text(text) == text
    member = {"note": text, "items": FIRST[:11]}
    assert redact(member) is member
