"""Masking what must never be stored or logged.

Three rules apply at any depth of a payload, also inside a text that is JSON itself:

- By key, in any spelling: the value of a key that names a secret (`secret_names.json`) becomes
  `[redacted]`; the value of a key that names a card number becomes `[card ****1111]`.
- By form: a card number anywhere in a text, a key or a number (`card_numbers.py`) becomes
  `[card ****1111]`; a JSON Web Token, a private key in PEM and the like become `[redacted]`.
- By the words before it: what follows `password=`, `"cvv":` and the like in a text (a URL's query,
  a note) becomes `[redacted]`.

PCI DSS 3.3 forbids storing CVVs and PINs after authorisation; 3.4 allows the last four digits of a
card number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from data_capture.deadlines import Deadline
from data_capture.json_codec import collect_keys, decode_json, encode_json
from data_capture.json_limits import max_different_keys_in
from data_capture.problems import TOO_LARGE, Problem
from data_capture.redaction.card_issuers import MAX_CARD_DIGITS, MIN_CARD_DIGITS
from data_capture.redaction.card_numbers import MIN_CARD_NUMBER, mask_card, mask_cards
from data_capture.redaction.harmless_values import is_harmless_value
from data_capture.redaction.identifiers import Identifier
from data_capture.redaction.key_roles import (
    classify_key,
    identifier_of_pair_name,
    role_of_pair_name,
    role_of_qualified_key,
)
from data_capture.redaction.pairs import find_pair_name, is_list_of_pairs
from data_capture.redaction.plain_text import (
    REDACTED,
    BudgetSpent,
    CheckBudget,
    is_harmless,
    mask_plain_text,
    redact_text,
)
from data_capture.redaction.quick_check import has_no_secret
from data_capture.redaction.secret_patterns import may_contain_card
from data_capture.redaction.seed_phrases import find_keys_of_words, is_phrase
from data_capture.redaction.sensitive_keys import VALUES_OF_PAIRS, Role
from data_capture.unique_keys import UniqueKeys

__all__ = ["REDACTED", "is_masked", "redact", "redact_text", "redact_with_paths"]

_END_OF_CARD_NUMBERS = 10**MAX_CARD_DIGITS
_MASK = re.compile(r"\[(?:card|iban) \*{4}[0-9A-Z]{4}\]|" + re.escape(REDACTED))
_LAST_FOUR_ONLY = re.compile(r"[*xX•·#.\s-]+[0-9]{4}")
_MAX_CARD_CHARACTERS = 1_000  # a longer value of a card's key is no card number

_MAX_JSON_LAYERS = 2  # JSON inside a text inside JSON; each layer adds to the walk's recursion
_MAX_PATHS_REPORTED = 100
_MAX_PATH_CHARACTERS = 200

_Path = tuple[Any, ...]
"""The path of a value: the path of its container and its key or index; () for the whole value."""


def redact(value: Any) -> Any:
    """Mask every secret in a JSON value; without any, return `value` itself."""
    return redact_with_paths(value)[0]


def is_masked(text: str) -> bool:
    """Tell whether a text has a mask, whether this module or the script put it there."""
    return "[" in text and _MASK.search(text) is not None


def redact_with_paths(
    value: Any, deadline: Deadline | None = None, size_bytes: int = 0
) -> tuple[Any, list[str]]:
    """Mask every secret, and return the paths of the masked values.

    A path is written as in `paymentData.cards[0].number`.

    Args:
        value: a JSON value.
        deadline: limits the time; None: no limit.
        size_bytes: of the body that holds nothing but the value, if it may be large.

    Raises:
        DeadlinePassed: masking took longer than the deadline.
    """
    if has_no_secret(value):
        return value, []
    walk = _Walk(deadline, size_bytes)
    masked = walk.mask(value, (), _MAX_JSON_LAYERS)
    if not walk.masked_paths:
        return value, []
    reported = [
        _write_path(path) for path in dict.fromkeys(walk.masked_paths[:_MAX_PATHS_REPORTED])
    ]
    omitted = len(walk.masked_paths) - _MAX_PATHS_REPORTED
    return masked, [*reported, f"… and {omitted} more"] if omitted > 0 else reported


class _Walk:
    """One walk through a JSON value, which masks it and collects the paths of what was masked."""

    def __init__(self, deadline: Deadline | None = None, size_bytes: int = 0) -> None:
        self.masked_paths: list[_Path] = []
        self._budget = CheckBudget(deadline, size_bytes)
        self._max_keys_in_texts = max_different_keys_in(size_bytes)
        self._keys_in_texts: set[str] = set()

    def mask(
        self,
        value: Any,
        path: _Path,
        layers: int,
        qualifier: str = "",
        identifier: Identifier = "",
    ) -> Any:
        """Mask a value.

        Args:
            value: a JSON value.
            path: its path.
            layers: how many layers of JSON inside texts to look into.
            qualifier: the key of the object around, if it qualifies this object's keys.
            identifier: which identifier the value's key names.
        """
        if isinstance(value, str):
            return self._mask_text(value, path, layers, identifier)
        if isinstance(value, dict):
            return self._mask_object(value, path, layers, qualifier)
        if isinstance(value, list) and is_phrase(value):
            return self._mask_member("secret", value, path, layers)
        if isinstance(value, list) and is_list_of_pairs(value):
            return [
                self._mask_pair(pair, (path, index), layers) for index, pair in enumerate(value)
            ]
        if isinstance(value, list):
            return [
                self.mask(item, (path, index), layers, qualifier, identifier)
                for index, item in enumerate(value)
            ]
        if isinstance(value, (int, Decimal)):
            return self._mask_number(value, path, identifier)
        return value

    def _mask_pair(self, pair: list[Any], path: _Path, layers: int) -> list[Any]:
        """Mask a pair of a name and a value, as in [["password", "x"], ["plan", "pro"]]."""
        name, value = pair
        role = role_of_pair_name(name)
        masked_name = self.mask(name, (path, 0), layers)
        if role:
            return [masked_name, self._mask_member(role, value, (path, 1), layers)]
        return [masked_name, self.mask(value, (path, 1), layers, "", identifier_of_pair_name(name))]

    def _mask_text(self, text: str, path: _Path, layers: int, identifier: Identifier) -> str:
        """Mask a text; if it is JSON, mask it by its keys too, down to this many layers."""
        if is_harmless(text):
            return text
        try:
            if layers and text.lstrip()[:1] in ("{", "["):
                is_json, inner = self._decode_text(text)
                if is_json:
                    return self._mask_json_text(text, inner, path, layers - 1)
            masked = mask_plain_text(text, self._budget, identifier)
        except BudgetSpent:
            masked = REDACTED
        if masked != text:
            self.masked_paths.append(path)
        return masked

    def _decode_text(self, text: str) -> tuple[bool, Any]:
        """Return whether a text is JSON, and its value."""
        self._budget.spend(1)
        try:
            inner = decode_json(text)
        except Problem as problem:
            if problem.problem_type is TOO_LARGE:  # too many keys or values to look at
                raise BudgetSpent from problem
            return False, None
        self._keys_in_texts.update(collect_keys(inner))
        if len(self._keys_in_texts) > self._max_keys_in_texts:
            raise BudgetSpent
        return True, inner

    def _mask_json_text(self, text: str, inner: Any, path: _Path, layers: int) -> str:
        masked_before = len(self.masked_paths)
        masked = self.mask(inner, path, layers)
        return text if len(self.masked_paths) == masked_before else encode_json(masked)

    def _mask_object(
        self, members: dict[str, Any], path: _Path, layers: int, qualifier: str
    ) -> dict[str, Any]:
        self._budget.check_deadline()
        pair_name, keys_of_words = find_pair_name(members), find_keys_of_words(members)
        masked: dict[str, Any] = {}
        unique_keys = UniqueKeys(masked)
        for key, member in members.items():
            masked_key, role, key_is_qualifier, identifier = classify_key(key)
            if not role and qualifier:
                role = role_of_qualified_key(qualifier, key)
            if key in keys_of_words:
                role = "secret"
            if pair_name is not None and key in VALUES_OF_PAIRS:
                role = role_of_pair_name(pair_name) or role
                identifier = identifier_of_pair_name(pair_name)
            if masked_key in masked:
                masked_key = unique_keys.make_unique(masked_key)
            member_path = (path, masked_key)
            if masked_key != key:
                self.masked_paths.append(member_path)
            if role:
                masked[masked_key] = self._mask_member(role, member, member_path, layers, members)
            else:
                inner_qualifier = key if key_is_qualifier else ""
                masked[masked_key] = self.mask(
                    member, member_path, layers, inner_qualifier, identifier
                )
        return masked

    def _mask_member(
        self, role: Role, member: Any, path: _Path, layers: int, siblings: Iterable[str] = ()
    ) -> Any:
        """Mask the value of a key that names a secret or a card number."""
        if is_harmless_value(role, member, siblings):
            return self.mask(member, path, layers)
        if not isinstance(member, (bool, dict, list)) and member not in (None, ""):
            self.masked_paths.append(path)
            return _mask_card_value(_write_number(member)) if role == "card" else REDACTED
        if isinstance(member, list):
            return [
                self._mask_member(role, item, (path, index), layers, siblings)
                for index, item in enumerate(member)
            ]
        if role != "card" and isinstance(member, dict):
            masked: dict[str, Any] = {}
            unique_keys = UniqueKeys(masked)
            for key, item in member.items():
                masked_key = unique_keys.make_unique(classify_key(key).masked)
                masked[masked_key] = self._mask_member("secret", item, (path, masked_key), layers)
            return masked
        return self.mask(member, path, layers, "card")

    def _mask_number(self, number: int | Decimal, path: _Path, identifier: Identifier) -> Any:
        if (
            -MIN_CARD_NUMBER < number < MIN_CARD_NUMBER
            or not -_END_OF_CARD_NUMBERS < number < _END_OF_CARD_NUMBERS
        ):
            return number
        written = _write_number(number).removeprefix("-")
        if not may_contain_card(written):  # a number can contain no other secret
            return number
        try:
            masked = mask_cards(written, self._budget.spend, identifier)
        except BudgetSpent:
            masked = REDACTED
        if not masked.startswith("["):
            return number
        self.masked_paths.append(path)
        return masked


def _mask_card_value(written: str) -> str:
    """Mask the value of a key that names a card number."""
    if len(written) > _MAX_CARD_CHARACTERS:
        return REDACTED
    digits = sum(map(str.isdigit, written))
    is_card = digits >= MIN_CARD_DIGITS or _LAST_FOUR_ONLY.fullmatch(written)
    return mask_card(written) if is_card else REDACTED


def _write_path(path: _Path) -> str:
    """Write a path as in JavaScript, and shorten it in the middle."""
    parts: list[str] = []
    while path:
        path, name = path
        parts.append(f"[{name}]" if isinstance(name, int) else f".{name}")
    written = "".join(reversed(parts)).removeprefix(".")
    half = _MAX_PATH_CHARACTERS // 2
    return written if len(written) <= 2 * half else f"{written[:half]}…{written[-half:]}"


def _write_number(value: Any) -> str:
    """Write a number as text, without an exponent if it could be a card number.

    Arithmetic, such as abs(), would round a decimal.
    """
    if isinstance(value, Decimal) and 0 <= value.adjusted() < MAX_CARD_DIGITS:
        return format(value, "f")
    return str(value)
