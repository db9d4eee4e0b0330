"""The quick check that rules most payloads out, before any value is looked at alone."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from data_capture.images import MIN_FILE_CHARACTERS, is_file
from data_capture.redaction.card_issuers import MIN_CARD_DIGITS
from data_capture.redaction.card_numbers import MIN_CARD_NUMBER
from data_capture.redaction.key_roles import needs_closer_look
from data_capture.redaction.secret_patterns import may_contain_secret
from data_capture.redaction.seed_phrases import (
    MIN_PHRASE_CHARACTERS,
    is_phrase,
    may_contain_phrase,
)

_BETWEEN_TEXTS = "\n\0\n"  # so that the numbers of two texts are no groups of one number


def has_no_secret(value: Any) -> bool:
    """Tell whether nothing in a value needs a closer look, as in most payloads.

    All texts are searched at once. Without this check, parsing a payment or a questionnaire takes
    43 % longer.
    """
    texts: list[str] = []
    return _collect_texts([value], texts) and not may_contain_secret(_BETWEEN_TEXTS.join(texts))


def _collect_texts(members: Iterable[Any], texts: list[str]) -> bool:
    """Add all texts to `texts`; return False if a key or number needs a closer look."""
    for member in members:
        if isinstance(member, str):
            if len(member) < MIN_PHRASE_CHARACTERS:
                texts.append(member)
            elif len(member) < MIN_FILE_CHARACTERS or not is_file(member):
                if may_contain_phrase(member):
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
        elif isinstance(member, list) and (is_phrase(member) or not _collect_texts(member, texts)):
            return False
    return True
