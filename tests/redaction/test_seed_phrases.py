"""Test that seed phrases are masked without a label, and ordinary prose is kept."""

from __future__ import annotations

import random
import unicodedata

import pytest
from mnemonic import Mnemonic

from data_capture.redaction.redact import REDACTED, redact, redact_text

X = REDACTED
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


@pytest.mark.parametrize("count", [12, 15, 18, 21, 24])
@pytest.mark.parametrize(
    "separator",
    ["_", "/", ".", "+", "|", "\u00a0", "\u3000", " → ", "\n• ", " 🔑 ", "\u200b ", "-"],
)
def test_every_sign_can_separate_the_words(count: int, separator: str) -> None:
    words = random.Random(count).sample(WORDS, count)
    assert not any(word in str(redact({"note": separator.join(words)})) for word in words[1:])


@pytest.mark.parametrize(
    "text",
    [
        "%20".join(FIRST[:12]),
        "".join(f"<li>{word}</li>" for word in FIRST[:12]),
        "<br>".join(FIRST[:12]),
        ", ".join(FIRST[:11]) + " and " + FIRST[11],
        "https://example.com/?words=" + "+".join(FIRST[:12]),
        "\n".join(f"Word #{number}: {word}" for number, word in enumerate(FIRST[:12], 1)),
        "".join(chr(ord(mark) + 0xFEE0) if mark.isalpha() else " " for mark in " ".join(FIRST)),
    ],
)
def test_encoded_and_described_words_are_masked(text: str) -> None:
    masked = redact_text(text)
    assert REDACTED in masked
    assert FIRST[5] not in masked


@pytest.mark.parametrize(
    "language",
    ["spanish", "french", "italian", "portuguese", "czech", "japanese", "korean",
     "chinese_simplified", "chinese_traditional"],
)  # fmt: skip
@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKD"])
def test_phrases_of_other_languages_are_masked(language: str, form: str) -> None:
    phrase = unicodedata.normalize(form, Mnemonic(language).to_mnemonic(bytes(range(16))))
    assert redact({"note": phrase}) == {"note": REDACTED}
    assert redact_text(f"1: {phrase}") == f"1: {REDACTED}"


def test_words_in_numbered_members_and_items_are_masked() -> None:
    for name in ("word{}", "word_{}", "Word {}", "{}", "seed_word_{}"):
        members = {name.format(number): word for number, word in enumerate(FIRST, 1)}
        assert redact(members) == dict.fromkeys(members, REDACTED)
        assert redact({"plan": "pro", **members}) == {"plan": "pro"} | dict.fromkeys(members, X)
    items = [f"{number}. {word}" for number, word in enumerate(FIRST[:12], 1)]
    assert redact({"items": items}) == {"items": [REDACTED] * 12}
    few = {f"word{number}": word for number, word in enumerate(FIRST[:11], 1)}
    assert redact(few) is few
    answers = {f"q{number}": "yes" for number in range(20)}
    assert redact(answers) is answers


@pytest.mark.parametrize(
    "text",
    [
        "Llevo tres años operando en el mercado de divisas y nunca arriesgo más del uno por ciento "
        "de la cuenta en cada operación, porque así duermo mejor y gano dinero con más calma.",
        "Je négocie depuis trois ans pendant la séance de Londres, avec un risque moyen de un pour "
        "cent par ordre, et je ne garde aucune position pendant la fin de semaine.",
        "我做外汇交易已经三年了，主要在伦敦时段，每次只冒账户百分之一的风险，周末不持仓。",
        "私は三年間、主にロンドン時間で取引しています。週末にポジションを持つことはありません。",
    ],
)
def test_prose_of_other_languages_is_kept(text: str) -> None:
    assert redact_text(text) == text
