"""Card numbers in texts: an issuer's prefix and length, and a valid Luhn sum (`card_issuers.py`).

Spaces and hyphens of any kind may separate the digits, also escaped as in a URL or JSON, and the
digits may be those of any script. Other signs, line ends and many spaces may separate the groups in
which cards are printed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from itertools import accumulate

from data_capture.redaction.card_issuers import (
    MAX_CARD_DIGITS,
    MIN_CARD_DIGITS,
    is_card_number,
    may_begin_card,
)
from data_capture.redaction.emails import is_in_email
from data_capture.redaction.identifiers import Identifier, can_be, identifier_named_before
from data_capture.redaction.spellings import (
    DIGIT_ESCAPE_PREFIXES,
    replace_escapes,
    to_ascii_digits,
)
from data_capture.scanning import find_in_steps

MIN_CARD_NUMBER = 10 ** (MIN_CARD_DIGITS - 1)
# Spaces and hyphens of every kind, zero-width characters, and the plus that is a space in a form.
SEPARATOR = (
    "[ +\t\u00a0\u00ad\u2000-\u2015\u202f\u205f\u2060\u2212\u3000\ufe58\ufe63\uff0d\ufeff-]{0,3}"
)
_SIGN = (
    r"(?:\s{0,6}[-,;|:=_./\\*~#'\"`<>()\[\]^!$\u00a6\u00b7\u2013\u2014\u2022\u2027\u2190-\u21ff"
    r"\u2219\u22c5\u2500-\u257f\u3001\u3002\u30fb]){1,4}\s{0,6}"
)
# A cheap sign of digits in the groups of cards, behind the first digit.
BEGIN_OF_GROUPS = rf"[0-9]{{3}}(?:(?:{_SIGN}|\s{{1,12}})[0-9]{{3,6}}){{2}}"

_MAX_PHONE_DIGITS = 15  # with the country code (ITU-T E.164), after a plus sign or the prefix 00
_CHARACTERS_PER_CHECK = 20  # of a run of digits that is split into its groups
_MAX_RUN_CHARACTERS = 250_000
_MAX_SPLIT_CHARACTERS = 200_000  # a longer run may be cut, within a card number
_MORE_THAN_ANY_BUDGET = sys.maxsize
_UUID = "(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])"
_IMEI = "(?<![0-9])(?:[0189][0-9]|35)[ -][0-9]{6}[ -][0-9]{6}[ -][0-9](?![ -]{0,3}[0-9])"
_PARCEL = "(?<![0-9])9[1-5][0-9]{2}(?: [0-9]{4}){4}(?: [0-9]{2}){0,2}(?! ?[0-9])"  # of USPS


def _pattern(separator: str) -> re.Pattern[str]:
    # UUIDs, IMEIs and parcels' numbers are matched first, because parts of some look like cards.
    # Digits after a point are a fraction's.
    between = separator.replace("{0,", "{1,")
    written = rf"(?=[0-9](?:{separator}[0-9]){{11}})[0-9]+(?:{between}[0-9]+)*"
    return re.compile(rf"{_UUID}|{_IMEI}|{_PARCEL}|(?P<digits>(?<![0-9])(?<![0-9]\.){written})")


_DIGITS = _pattern(SEPARATOR)
# An escape of a separator becomes as many spaces as it has characters.
_DIGITS_IN_ESCAPES = _pattern("[ +\t-]{0,18}")
_GROUP = re.compile("[0-9]+")
# Groups of digits with the same sign between all of them, or with spaces and line ends.
_GROUPS = re.compile(
    rf"(?<![0-9])(?<![0-9]\.)(?P<digits>[0-9]{{4}}(?:"
    rf"(?P<sign>{_SIGN})[0-9]{{1,6}}(?![0-9])(?:(?P=sign)[0-9]{{1,6}}(?![0-9]))+"
    r"|(?:\s{1,12}[0-9]{1,6}(?![0-9])){2,}))"
)
_SEPARATOR_ALONE = re.compile(SEPARATOR)
_LONG_SPACE = re.compile("[\n\r\v\f\x85\u2028\u2029]|\\s{4}")  # shorter ones are in `SEPARATOR`
_SAMPLE_CHARACTERS = 2_000  # show whether a long list is one of cards
_PRINTED_GROUPS = re.compile("4,4,4,4(?:,[1-3])?|4,4,4(?:,[1-3])?|4,6,[45]|4,4,5|4,3,3,3")

# Not a plus between words, and not the cents of a price.
_PHONE_PREFIX = re.compile(r"(?<![0-9A-Za-z])\+$|(?<![0-9.,:])00[ -]?$")
_FRACTION = re.compile(r"\.[0-9]")
_LETTER = re.compile(r"[^\W\d_]")
_LETTERS_BEFORE = re.compile(r"([0-9]?)([A-Za-z]+)$")
_LETTERS_AFTER = re.compile(r"[A-Za-z]+([0-9]?)")
_MAX_WORD_CHARACTERS = 32
# As they are printed on cards of American Express and Diners Club. No phone is written like that.
_GROUPS_OF_CARDS = frozenset({(4, 6, 5), (4, 6, 4), (4, 4, 4, 4)})


def mask_cards(text: str, spend_checks: Callable[[int], None], identifier: Identifier = "") -> str:
    """Mask the card numbers in a text.

    Args:
        text: any text.
        spend_checks: called with a number of checks before they are made; may raise to end.
        identifier: the identifier that the text's key names.
    """
    search = _Search(spend_checks, identifier)
    text = _mask_matches(text, to_ascii_digits(text), _DIGITS, search.find_cards, spend_checks)
    text = _mask_matches(
        text, to_ascii_digits(text), _GROUPS, search.find_cards_in_groups, spend_checks
    )
    if "%" not in text and "\\u" not in text:
        return text
    for pattern, find in (
        (_DIGITS_IN_ESCAPES, search.find_cards),
        (_GROUPS, search.find_cards_in_groups),
    ):
        text = _mask_matches(text, replace_escapes(text), pattern, find, spend_checks)
    return text


def mask_card(written: str) -> str:
    """Replace a card number by its last four digits (PCI DSS 3.4 allows these)."""
    return f"[card ****{''.join(_GROUP.findall(to_ascii_digits(written)))[-4:]}]"


def _mask_matches(
    text: str,
    readable: str,
    pattern: re.Pattern[str],
    find_cards: Callable[[re.Match[str]], Iterator[tuple[int, int]]],
    spend_checks: Callable[[int], None],
) -> str:
    """Mask the card numbers in what a pattern finds in `readable`.

    `readable` is the text without escapes and with ASCII digits, and has the same length.
    """
    masked: list[str] = []
    kept_to = 0
    spend_checks(0)
    for found in find_in_steps(pattern, readable, _MAX_RUN_CHARACTERS):
        for start, end in find_cards(found) if found["digits"] else ():
            begin = _begin_of_escape(text, kept_to, start)
            masked += [text[kept_to:begin], mask_card(readable[start:end])]
            kept_to = end
    return "".join(masked) + text[kept_to:] if masked else text


def _begin_of_escape(text: str, kept_to: int, start: int) -> int:
    """Return where the escape that ends at `start` begins; without one, `start`."""
    for prefix in DIGIT_ESCAPE_PREFIXES:
        if text.endswith(prefix, kept_to, start):
            return start - len(prefix)
    return start


class _Search:
    """The search for card numbers in the runs of digits of a text.

    Args:
        spend_checks: called with a number of checks before they are made; may raise to end.
        identifier: the identifier that the text's key names.
    """

    def __init__(self, spend_checks: Callable[[int], None], identifier: Identifier) -> None:
        self.spend_checks = spend_checks
        self._identifier = identifier

    def find_cards(self, found: re.Match[str]) -> Iterator[tuple[int, int]]:
        """Find the card numbers in a run of digits; yield each begin and end.

        A card number begins and ends where a group of digits does. So a neighbouring expiry date
        or amount does not hide it, and no part of one long number is taken for a card.
        """
        text, run = found.string, found[0]
        if run.isdigit():
            if MIN_CARD_DIGITS <= len(run) <= MAX_CARD_DIGITS and may_begin_card(run):
                groups = [found.span()]
                if self._is_card(text, groups, run):
                    yield found.span()
            return
        is_too_long = len(run) > _MAX_SPLIT_CHARACTERS
        self.spend_checks(
            _MORE_THAN_ANY_BUDGET if is_too_long else len(run) // _CHARACTERS_PER_CHECK
        )
        groups = [group.span() for group in _GROUP.finditer(text, *found.span())]
        digits = "".join([text[start:end] for start, end in groups])
        ends = [*accumulate(end - start for start, end in groups)]  # of the groups in `digits`
        if _is_phone_number(text, groups[0][0], len(digits)):
            return
        first = begin = 0
        while first < len(groups):
            last = first
            if may_begin_card(digits, begin):
                longest = self._last_group_of_card(text, groups, digits, ends, first)
                if longest is not None:
                    yield groups[first][0], groups[longest][1]
                    last = longest
            first, begin = last + 1, ends[last]

    def find_cards_in_groups(self, found: re.Match[str]) -> Iterator[tuple[int, int]]:
        """Find the card numbers in groups of digits; yield each begin and end.

        The groups are those in which cards are printed. Among many other groups of four digits,
        as in a list of prices, nothing is a card.
        """
        sign = found["sign"]
        if sign is None and _LONG_SPACE.search(found[0]) is None:
            return
        if sign is not None and _SEPARATOR_ALONE.fullmatch(sign):
            return  # `find_cards` has decided, which knows UUIDs and the like
        text, start, end = found.string, *found.span()
        for considered in (min(end, start + _SAMPLE_CHARACTERS), end):
            groups = [group.span() for group in _GROUP.finditer(text, start, considered)]
            cards, others = self._sort_groups(text, groups)
            if others > len(groups) - others:
                return
            if considered == end:
                yield from cards
                return

    def _sort_groups(
        self, text: str, groups: list[tuple[int, int]]
    ) -> tuple[list[tuple[int, int]], int]:
        """Return the cards among groups of digits, and how many other groups of four there are."""
        cards: list[tuple[int, int]] = []
        first = others = 0
        while first < len(groups):
            last = self._last_printed_group(text, groups, first)
            if last is None:
                others += groups[first][1] - groups[first][0] == 4
                first += 1
            else:
                cards.append((groups[first][0], groups[last][1]))
                first = last + 1
        return cards, others

    def _last_printed_group(
        self, text: str, groups: list[tuple[int, int]], first: int
    ) -> int | None:
        """Return the last group of the card number that is printed from `first` on."""
        if not may_begin_card(text, groups[first][0]):
            return None
        for last in range(min(first + 4, len(groups) - 1), first + 1, -1):
            parts = groups[first : last + 1]
            lengths = ",".join([str(end - start) for start, end in parts])
            if _PRINTED_GROUPS.fullmatch(lengths) is None or _FRACTION.match(text, parts[-1][1]):
                continue
            digits = "".join([text[start:end] for start, end in parts])
            if self._is_card(text, parts, digits):
                return last
        return None

    def _last_group_of_card(
        self,
        text: str,
        groups: list[tuple[int, int]],
        digits: str,
        ends: list[int],
        first: int,
    ) -> int | None:
        """Return the last group of the longest card number that begins at `first`.

        `digits` has the digits of all groups, and `ends` where each group ends in it.
        """
        begin, longest = ends[first] - (groups[first][1] - groups[first][0]), None
        for place in range(first, min(first + MAX_CARD_DIGITS, len(groups))):
            length = ends[place] - begin
            if length > MAX_CARD_DIGITS:
                break
            if length >= MIN_CARD_DIGITS and self._is_card(
                text, groups[first : place + 1], digits[begin : ends[place]]
            ):
                longest = place
        return longest

    def _is_card(self, text: str, groups: list[tuple[int, int]], digits: str) -> bool:
        self.spend_checks(1)
        lengths = tuple([end - start for start, end in groups])
        return is_card_number(digits, lengths) and not self._is_something_else(
            text, groups[0][0], groups[-1][1], digits, lengths
        )

    def _is_something_else(
        self, text: str, start: int, end: int, digits: str, lengths: tuple[int, ...]
    ) -> bool:
        """Tell whether a candidate is another identifier, or part of one or of an address.

        Mixed identifiers, such as hashes, have letters and digits.
        """
        if _is_phone_number(text, start, len(digits)):
            return True
        word = text[max(0, start - _MAX_WORD_CHARACTERS) : start]
        before = _LETTERS_BEFORE.search(word)
        after = _LETTERS_AFTER.match(text, end, end + _MAX_WORD_CHARACTERS)
        if (before and before[1]) or (after and after[1]) or is_in_email(text, start, end):
            return True
        # Without a letter, nothing is named. Searching for a name takes as long as all else here.
        if lengths in _GROUPS_OF_CARDS or (not self._identifier and not _LETTER.search(word)):
            return False
        return any(
            can_be(identifier, digits)
            for identifier in (self._identifier, identifier_named_before(word))
        )


def _is_phone_number(text: str, start: int, digits: int) -> bool:
    """Tell whether digits have the prefix of an international phone number."""
    if digits > _MAX_PHONE_DIGITS:
        return False
    return _PHONE_PREFIX.search(text[max(0, start - _MAX_WORD_CHARACTERS) : start]) is not None
