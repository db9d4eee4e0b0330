"""The quick check that rules most payloads out, before any value is looked at alone."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from data_capture.images import MIN_FILE_CHARACTERS, is_file
from data_capture.redaction.card_issuers import MIN_CARD_DIGITS
from data_capture.redaction.card_numbers import MIN_CARD_NUMBER, mask_cards
from data_capture.redaction.key_roles import needs_closer_look
from data_capture.redaction.pairs import has_secret_pair
from data_capture.redaction.private_keys import may_contain_private_key
from data_capture.redaction.secret_patterns import may_contain_card, may_contain_other_secret
from data_capture.redaction.seed_phrases import (
    MIN_PHRASE_CHARACTERS,
    is_phrase,
    may_contain_phrase,
)

_MAX_SHORT_CHARACTERS = 2_000  # of all texts of a payload
_BETWEEN_TEXTS = "\n\0\n"  # so that the numbers of two texts are no groups of one number


def has_no_secret(value: Any) -> bool:
    """Tell whether nothing in a value needs a closer look, as in most payloads.

    All texts are searched at once. Without this check, parsing a payment or a questionnaire takes
    43 % longer.
    """
    texts: list[str] = []
    if not _collect_texts([value], texts):
        return False
    text = _BETWEEN_TEXTS.join(texts)
    # In ASCII, only long texts may have a phrase, which were checked.
    if not text.isascii() and any(map(may_contain_phrase, texts)):
        return False
    return not may_contain_other_secret(text) and _has_no_card(text)


def _has_no_card(text: str) -> bool:
    """Tell whether the joined texts, without another secret, have no card number.

    Every tenth payment of `bench` has a hexadecimal id that `may_contain_card` takes for a card.
    Masking each of its texts alone would take ten times as long as this closer look.
    """
    if not may_contain_card(text):
        return True
    texts = filter(may_contain_card, text.split(_BETWEEN_TEXTS))
    if len(text) > _MAX_SHORT_CHARACTERS:
        # A long text is searched in steps, at whose begin a part of a number can look like a card.
        return next(texts, None) is None
    return all(mask_cards(one, _spend_nothing) == one for one in texts)


def _spend_nothing(_checks: int) -> None:
    """Count no checks: a short text has few candidates."""


def _collect_texts(members: Iterable[Any], texts: list[str]) -> bool:
    """Add all texts to `texts`; return False if a key or number needs a closer look."""
    for member in members:
        if isinstance(member, str):
            if len(member) < MIN_PHRASE_CHARACTERS:
                texts.append(member)
            elif len(member) < MIN_FILE_CHARACTERS or not is_file(member):
                if may_contain_phrase(member) or may_contain_private_key(member):
                    return False
                texts.append(member)
        elif isinstance(member, dict):
            if needs_closer_look(member) or not _collect_texts(member.values(), texts):
                return False
        elif isinstance(member, Decimal):
            if member.adjusted() >= MIN_CARD_DIGITS - 1:
                return False
        elif isinstance(member, int):
            if not -MIN_CARD_NUMBER < member < MIN_CARD_NUMBER:
                return False
        elif isinstance(member, list) and (
            is_phrase(member) or has_secret_pair(member) or not _collect_texts(member, texts)
        ):
            return False
    return True
