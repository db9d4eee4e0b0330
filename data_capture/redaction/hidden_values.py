"""Find the values behind the masks of a payload, which tell payloads apart.

Two payloads that differ only behind their masks are different. What a mask hides is part of a
payload's digests, which are keyed before they are stored, if it was masked by its form: a card
number, or an identifier that looks like one or like a token. A password, a CVV or another secret
that was masked by its name is left out, except for long tokens: with the key, it could be guessed
by its digest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from data_capture.deadlines import Deadline
from data_capture.json_codec import decode_json
from data_capture.problems import Problem
from data_capture.redaction.plain_text import REDACTED, mask_named_secrets, redact_text

_CARD_MASK = re.compile(r"\[(?:card|iban) \*{4}[0-9A-Z]{4}\]")
_TOKEN_NAME = re.compile("token|nonce|client_?secret", re.IGNORECASE)
_UNGUESSABLE = re.compile(r"[!-~]{16,}")  # such as a payment provider's `tok_…`
_MAX_VALUES = 10_000  # more tell no two payloads of real pages apart

_GUESSABLE_CHARACTERS = 1_000  # nobody guesses a longer text from its digest


class HiddenValue(NamedTuple):
    """What was masked at a path: the keys and indexes from the top."""

    path: tuple[str | int, ...]
    value: str


def find_hidden_values(
    sent: Any, masked: Any, deadline: Deadline | None = None
) -> list[HiddenValue]:
    """List the values that tell two payloads apart although their masks are equal.

    Args:
        sent: the payload as it came.
        masked: the same, as `redact_with_paths` returned it.
        deadline: limits the time.

    Returns:
        At most `_MAX_VALUES`.

    Raises:
        DeadlinePassed: it took longer than the deadline.
    """
    return [*islice(_find(sent, masked, (), deadline), _MAX_VALUES)]


def _find(
    sent: Any, masked: Any, path: tuple[str | int, ...], deadline: Deadline | None
) -> Iterator[HiddenValue]:
    if sent is masked:
        return
    if isinstance(sent, dict) and isinstance(masked, dict):
        for (key, member), (masked_key, masked_member) in zip(
            sent.items(), masked.items(), strict=True
        ):
            if key != masked_key:
                yield HiddenValue((*path, masked_key), mask_named_secrets(key))
            yield from _find(member, masked_member, (*path, masked_key), deadline)
    elif isinstance(sent, list) and isinstance(masked, list):
        for index, (item, masked_item) in enumerate(zip(sent, masked, strict=True)):
            yield from _find(item, masked_item, (*path, index), deadline)
    elif isinstance(masked, str) and sent != masked:
        if deadline is not None:
            deadline.check()
        yield from _find_in_scalar(sent, masked, path, deadline)


def _find_in_scalar(
    sent: Any, masked: str, path: tuple[str | int, ...], deadline: Deadline | None
) -> Iterator[HiddenValue]:
    if _CARD_MASK.fullmatch(masked):
        yield HiddenValue(path, format(sent, "f") if isinstance(sent, Decimal) else str(sent))
    elif isinstance(sent, str):
        inner, masked_inner = _decode(sent), _decode(masked)
        if inner is not None and type(inner) is type(masked_inner):
            yield from _find(inner, masked_inner, path, deadline)
        elif masked == REDACTED and len(sent) > _GUESSABLE_CHARACTERS:
            yield HiddenValue(path, sent)  # checking it again could take as long as masking it
        elif masked != REDACTED or redact_text(sent) != sent:  # not masked by its key
            yield HiddenValue(path, mask_named_secrets(sent))
        elif masked == REDACTED and _names_token(path) and _UNGUESSABLE.fullmatch(sent):
            yield HiddenValue(path, sent)


def _names_token(path: tuple[str | int, ...]) -> bool:
    return bool(path) and isinstance(path[-1], str) and _TOKEN_NAME.search(path[-1]) is not None


def _decode(text: str) -> Any:
    """Return the object or list that a text contains as JSON; None for any other text."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        decoded = decode_json(text)
    except Problem:
        return None
    return decoded if isinstance(decoded, (dict, list)) else None
