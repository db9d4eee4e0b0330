"""Masking the secrets in a text by the words before them and by their form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from data_capture.deadlines import Deadline
from data_capture.images import is_file, is_large_file
from data_capture.redaction.card_issuers import MIN_CARD_DIGITS
from data_capture.redaction.card_numbers import mask_cards
from data_capture.redaction.decodings import find_decodings
from data_capture.redaction.iban_numbers import find_ibans, may_contain_iban
from data_capture.redaction.identifiers import Identifier
from data_capture.redaction.named_secrets import find_named_secrets
from data_capture.redaction.private_keys import find_private_keys, may_contain_private_key
from data_capture.redaction.secret_patterns import (
    TOKEN,
    WORD_AND_CODE,
    may_contain_card_in_any_spelling,
    may_contain_code,
    may_contain_name,
    may_contain_secret,
    may_contain_token,
    to_lower_case_of_same_length,
)
from data_capture.redaction.seed_phrases import find_phrases, may_contain_phrase
from data_capture.redaction.shown_secrets import find_shown_secrets
from data_capture.scanning import LARGE_STEP_CHARACTERS, contains, find_in_steps, pause

REDACTED = "[redacted]"

# Of possible secrets, per payload. Beyond, whole texts are masked unchecked; pages send less. Each
# trade of a dashboard has some ids, and 370 bytes.
_MAX_CHECKS = 10_000
_BYTES_PER_CHECK = 100
_FORM_DATA = re.compile("form-data")


class BudgetSpent(Exception):
    """A payload has more possible secrets than may be checked."""


class CheckBudget:
    """Limits how many possible secrets of one payload are checked, and for how long.

    Args:
        deadline: until when; None: no limit.
        size_bytes: of the payload's body; a large payload may have more possible secrets.
    """

    def __init__(self, deadline: Deadline | None = None, size_bytes: int = 0) -> None:
        self._checks_left = max(_MAX_CHECKS, size_bytes // _BYTES_PER_CHECK)
        self._deadline = deadline

    def check_deadline(self) -> None:
        """Raise DeadlinePassed once the deadline is over."""
        if self._deadline is not None:
            self._deadline.check()

    def spend(self, checks: int) -> None:
        """Count some checks.

        Raises:
            BudgetSpent: no checks are left.
            DeadlinePassed: the deadline is over.
        """
        self.check_deadline()
        self._checks_left -= checks
        if self._checks_left < 0:
            raise BudgetSpent


def redact_text(text: str) -> str:
    """Mask the secrets in a text that is not JSON."""
    if is_harmless(text):
        return text
    try:
        return mask_plain_text(text, CheckBudget())
    except BudgetSpent:
        return REDACTED


def mask_named_secrets(text: str) -> str:
    """Mask only the secrets that words before them name, and keep card numbers and tokens."""
    budget = CheckBudget()

    def mask(one: str) -> str:
        lowered = to_lower_case_of_same_length(one)
        return _mask_after_words(one, budget, lowered, may_have_token=may_contain_token(lowered))

    try:
        return _mask_also_decoded(text, mask)
    except BudgetSpent:
        return REDACTED


def is_harmless(text: str) -> bool:
    """Tell whether a text is a file or needs no closer look for another reason."""
    if is_large_file(text):
        return True
    return not (
        may_contain_secret(text) or may_contain_phrase(text) or may_contain_private_key(text)
    ) or is_file(text)


def mask_plain_text(text: str, budget: CheckBudget, identifier: Identifier = "") -> str:
    """Mask the secrets in a text by the words before them and by their form.

    Args:
        text: any text.
        budget: limits the checks.
        identifier: the identifier that the text's key names.

    Raises:
        BudgetSpent: the text has more possible secrets than the budget allows.
        DeadlinePassed: the budget's deadline is over.
    """
    return _mask_also_decoded(text, lambda one: _mask_as_written(one, budget, identifier))


def _mask_also_decoded(text: str, mask: Callable[[str], str]) -> str:
    """Mask a text as it is written, and then what it means behind its encodings."""
    masked = mask(text)
    for decode in find_decodings(masked):
        decoded = decode(masked)
        masked_again = mask(decoded)
        if masked_again != decoded:
            masked = masked_again
    return masked


def _mask_as_written(text: str, budget: CheckBudget, identifier: Identifier) -> str:
    budget.spend(0)
    lowered = to_lower_case_of_same_length(text)
    may_have_token = may_contain_token(lowered)
    text = _mask_after_words(text, budget, lowered, may_have_token=may_have_token)
    if may_contain_iban(text):
        text = _replace_spans(text, find_ibans(text, budget.spend))
    if len(text) >= MIN_CARD_DIGITS and may_contain_card_in_any_spelling(text):
        text = mask_cards(text, budget.spend, identifier)
    if may_contain_phrase(text):
        text = _redact_spans(text, find_phrases(text))
    if may_contain_private_key(text):
        text = _redact_spans(text, find_private_keys(text))
    if may_have_token:
        text = _redact_spans(text, _find_tokens(text, budget))
    return text


def _mask_after_words(text: str, budget: CheckBudget, lowered: str, *, may_have_token: bool) -> str:
    spans = [*_find_codes_after_words(lowered, budget)]
    if len(text) > LARGE_STEP_CHARACTERS:
        pause()
    if may_contain_name(lowered):
        spans += find_named_secrets(text, lowered, budget.spend)
    if may_have_token or contains(_FORM_DATA, lowered):
        spans += find_shown_secrets(text, lowered, budget.spend)
    return _redact_spans(text, spans) if spans else text


def _find_tokens(text: str, budget: CheckBudget) -> Iterator[tuple[int, int]]:
    for found in find_in_steps(TOKEN, text):
        budget.spend(1)
        yield found.span(found.lastindex or 0)


def _find_codes_after_words(lowered: str, budget: CheckBudget) -> Iterator[tuple[int, int]]:
    if not may_contain_code(lowered):
        return
    for found in find_in_steps(WORD_AND_CODE, lowered):
        budget.spend(1)
        yield found.span("value" if found["value"] else "pin")


def _redact_spans(text: str, spans: Iterable[tuple[int, int]]) -> str:
    return _replace_spans(text, [(begin, end, REDACTED) for begin, end in spans])


def _replace_spans(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    """Replace these spans, which may overlap, by their masks."""
    pieces: list[str] = []
    kept_to = 0
    for begin, end, mask in sorted(spans):
        if end > kept_to:
            pieces += [text[kept_to:begin], mask] if begin >= kept_to else []
            kept_to = end
    return "".join(pieces) + text[kept_to:]
