"""What may never be stored or logged, and how it is masked.

Three rules, at any depth of a payload, inside a text that is itself JSON too:

- by key, in any spelling: the value of a key that names a secret (password, CVV, PIN, token, API key, private key, seed
  phrase) becomes `[redacted]`; the value of one that names a card number becomes `[card ****1111]`.
- by value: a card number anywhere in a text, a key or a number (see `cards`) becomes `[card ****1111]`; a JSON Web Token,
  a private key in PEM and the like become `[redacted]`.
- by words: what follows `password=`, `"cvv":` and the like in a text (an address's query, a note) becomes `[redacted]`.

PCI DSS 3.3 forbids keeping CVVs and PINs after authorisation, 3.4 allows the last four digits of a card number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from data_capture.deadlines import Deadline
from data_capture.images import MIN_FILE_CHARACTERS, is_file, is_large_file
from data_capture.json_codec import (
    MAX_DIFFERENT_KEYS,
    MAX_KEY_CHARACTERS,
    ByKeys,
    FreeNames,
    decode_json,
    encode_json,
    keys_in,
)
from data_capture.problems import TOO_LARGE, Problem
from data_capture.redaction.card_numbers import (
    MAX_CARD_DIGITS,
    MIN_CARD_DIGITS,
    MIN_CARD_NUMBER,
    SEPARATOR,
    THREE_MORE_FOURS,
    has_other_digits,
    mask_cards,
    masked_card,
)
from data_capture.redaction.sensitive_keys import NAMES_OF_PAIRS, is_first_half, role_of
from data_capture.scanning import found_in, is_in, steps

REDACTED = "[redacted]"

_BEYOND_CARD_NUMBERS = 10**MAX_CARD_DIGITS

# --- By key ---------------------------------------------------------------------------------------------------------------------

_LAST_FOUR_ONLY = re.compile(r"[*xX•·#.\s-]+[0-9]{4}")


class _Key(NamedTuple):
    """A key with the secrets in it masked, its role, and whether its object's keys are read together with it."""

    masked: str
    role: str
    is_first_half: bool


@lru_cache(maxsize=4096)
def _looked_at(key: str) -> _Key:
    masked = redact_text(key) if _may_hold_a_secret(key) else key
    return _Key(masked, role_of(key), is_first_half(key))


def _role_of_name(name: str) -> str:
    """The role of the value in a pair with this name, which may be a text of any length: those are not kept."""
    if len(name) <= MAX_KEY_CHARACTERS:
        return _role_of_short_name(name)
    return role_of(name) if len(name) <= _MAX_NAME_CHARACTERS else "secret"


_role_of_short_name = lru_cache(maxsize=1024)(role_of)


@lru_cache(maxsize=1024)
def _role_of_both(around: str, key: str) -> str:
    return role_of(f"{around} {key}")


def _first_halves(keys: tuple[str, ...]) -> tuple[str, ...] | None:
    """Those of an object's keys under which another object is to be looked at closely; None when this one is."""
    if "value" in keys and any(name in keys for name in NAMES_OF_PAIRS):
        return None
    first_halves: list[str] = []
    for key in keys:
        seen = _looked_at(key)
        if seen.role or seen.masked != key:
            return None
        if seen.is_first_half:
            first_halves.append(key)
    return tuple(first_halves)


_FIRST_HALVES_OF = ByKeys(_first_halves)

# --- By words and by looks ------------------------------------------------------------------------------------------------------

# These are matched with a text in lower case, and begin with letters each, so that most places are passed over at once.
_WORD_AND_VALUE = re.compile(
    r"""(?P<word> pass(?:word|wd|phrase|code) | pwd | cv[vc] | code | authorization | mnemonic
            | key | secret | token | phrase | words )
        [0-9]? \\{0,64} ["']? \s{0,9} [=:] \s{0,9}
        (?! \[redacted\] )
        (?P<value> "[^"]*"? | '[^']*'? | \\{1,64}"[^"]*"? | (?: (?:bearer|basic|token) \s{1,9} )? [^\s&,;"'}]+ )""",
    re.VERBOSE,
)
# Words that name a secret together with the one before only.
_TWO_WORDS = re.compile(
    r"""(?: (?:card|security|verification)[ _-]?code
          | (?:api|private|secret|access|session|signing|encryption|recovery)[ _-]?key
          | (?:api|client|app|consumer|shared)[ _-]?secret | (?<![a-z])secret
          | (?:access|refresh|auth|id|session|bearer|csrf|api)[ _-]?token | [?&\#]token
          | (?:seed|recovery|secret)[ _-]?(?:phrase|words) )\Z""",
    re.VERBOSE,
)
_MAX_TWO_WORDS_CHARACTERS = len("verification-code")
# The one letter that is longer in lower case, and another that no pattern here asks for either.
_LONGER_IN_LOWER_CASE, _IN_ITS_PLACE = (
    "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}",
    "\N{LATIN SMALL LETTER DOTLESS I}",
)
_WHOLE_WORDS = ("pass", "pwd", "cv", "authorization", "mnemonic")
_WORD_AND_CODE = re.compile(
    r"""(?: cv(?<![a-z]cv)[vcn]2? | security[ _-]?code ) \s{0,3} (?: (?:code|number|is|no\.?) \s{0,3} )? [=:]? \s{0,3}
            \\{0,64} ["']? (?P<value> [0-9]{3,8} ) (?![0-9])
        | (?: pin(?<![a-z]pin) | otp(?<![a-z]otp) | csc(?<![a-z]csc) | one[ -]?time[ -]?(?:code|pin) )
            (?: [ _-]?(?:code|number) )? \\{0,64} ["']? \s{0,9} [=:] \s{0,9} \\{0,64} ["']? (?P<pin> [0-9]{3,8} ) (?![0-9])""",
    re.VERBOSE,
)
_BY_LOOKS = re.compile(
    r"""(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
        | (?<=[Bb]earer\ )[A-Za-z0-9._~+/-]{16,}=*
        | -----BEGIN\ [A-Z ]{0,30}PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]{0,30}PRIVATE\ KEY-----|\Z)
        | (?<![A-Za-z0-9])(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{8,}
        | (?<![A-Za-z0-9])[xyz]prv[1-9A-HJ-NP-Za-km-z]{90,}""",
    re.DOTALL | re.VERBOSE,
)
# What every other text that has to be masked has: JSON's brackets, an escape, "=" or ":" but not between the digits of
# a time or a ratio, or an issuer's first digit where a number begins and 12 more. Each is looked for by itself: most texts
# have none of the characters that the patterns begin with, and a pattern that begins with one character is quick.
_BEHIND_A_WORD = "(?: (?<![0-9].) | (?<=[A-Za-z][0-9].) )"
_EQUALS, _COLON, _ESCAPE, _CARD = (
    re.compile(pattern, re.DOTALL | re.VERBOSE)
    for pattern in (
        f"={_BEHIND_A_WORD}",
        f":{_BEHIND_A_WORD}",
        "%[0-9A-Fa-f]{2}",
        rf"[2-6](?<![0-9].)(?: (?:{SEPARATOR}[0-9]){{12}} | [0-9]{{3}}{THREE_MORE_FOURS} )",
    )
)
# A text of ASCII where `_CARD` is found matches this once 4 stands for an issuer's first digit and 0 for the others, and
# what may stand between digits is taken out. That takes a fifth of the time of `_CARD`, which no literal begins.
_THIRTEEN_DIGITS = re.compile(rb"4[04]{12}")
_ISSUERS_AND_OTHERS = bytes.maketrans(b"0123456789", b"0044444000")
_BETWEEN_DIGITS = b" +\t-._/"


def _may_hold_a_secret(text: str) -> bool:
    """Whether a text has to be looked at closely; quick, and never mistaken when it says no."""
    lowered = (
        text.lower()
        if len(text) < _LONG_TEXT_CHARACTERS
        else "".join([step.lower() for step in steps(text)])
    )
    return (
        "cv" in lowered  # a code may stand after these two without "=" or ":"
        or "ecurity" in lowered
        or "{" in text
        or "[" in text
        or "\\" in text
        or _may_look_like_a_secret(lowered)
        or has_other_digits(text)
        or ("=" in text and is_in(_EQUALS, text))
        or (":" in text and is_in(_COLON, text))
        or ("%" in text and is_in(_ESCAPE, text))
        or _may_hold_a_card(text)
    )


def _may_hold_a_card(text: str) -> bool:
    if text.isascii():
        digits = text.encode().translate(_ISSUERS_AND_OTHERS, _BETWEEN_DIGITS)
        if not is_in(_THIRTEEN_DIGITS, digits):
            return False
    return is_in(_CARD, text)


def _may_be_card_in_any_spelling(text: str) -> bool:
    """Whether there may be a card number in a text, be it in other digits or escaped; quick as `_may_hold_a_secret`."""
    return "%" in text or "\\u" in text or has_other_digits(text) or _may_hold_a_card(text)


def _may_look_like_a_secret(lowered: str) -> bool:
    return (
        "eyj" in lowered
        or "earer " in lowered
        or "private key" in lowered
        or "k_live_" in lowered
        or "k_test_" in lowered
        or "prv" in lowered
    )


def _in_lower_case(text: str) -> str:
    """`text` in lower case and as long as it is, which one letter beyond ASCII would change."""
    if len(text) < _LONG_TEXT_CHARACTERS:
        lowered = text.lower()
        return (
            lowered
            if len(lowered) == len(text)
            else text.replace(_LONGER_IN_LOWER_CASE, _IN_ITS_PLACE).lower()
        )
    return "".join(
        [step.replace(_LONGER_IN_LOWER_CASE, _IN_ITS_PLACE).lower() for step in steps(text)]
    )


# --- The walk -------------------------------------------------------------------------------------------------------------------

_MAX_TEXT_LAYERS = 2  # JSON in a text in JSON; more would take the walk's recursion too deep
# In one payload, of what may be a secret. What is left over is masked unseen, text by text: no page sends that much of it.
_MAX_LOOKS = 10_000
_MAX_PLACES_NAMED = 100
_MAX_PLACE_CHARACTERS = 200
_LONG_TEXT_CHARACTERS = 100_000  # brought into lower case in steps
_MAX_CARD_CHARACTERS = (
    1_000  # of what is masked as a card number under a card's key; what is longer is no number
)
_MAX_NAME_CHARACTERS = (
    10_000  # of the value in a pair that is looked at; a longer one may be anything
)

_Place = tuple[Any, ...]
"""Where in a value: the place of what is around, and a key or an index in that; nothing for the value itself."""


def redact(value: Any) -> Any:
    """`value`, a JSON value as `payloads` parses it, with every secret in it masked; itself when there is none."""
    return redact_and_tell(value)[0]


def redact_and_tell(value: Any, deadline: Deadline | None = None) -> tuple[Any, list[str]]:
    """`value` likewise, and the places where something was masked, as in `paymentData.cards[0].number`.

    Raises:
        DeadlinePassed: there is a deadline, and it took longer.
    """
    if _has_no_secret(value):
        return value, []
    walk = _Redaction(deadline)
    masked = walk.value(value, (), _MAX_TEXT_LAYERS)
    if not walk.places:
        return value, []
    told = [_spelled(place) for place in dict.fromkeys(walk.places[:_MAX_PLACES_NAMED])]
    left_out = len(walk.places) - _MAX_PLACES_NAMED
    return masked, [*told, f"… and {left_out} more"] if left_out > 0 else told


def redact_text(text: str) -> str:
    """`text`, not JSON, with the secrets in it masked."""
    return _Redaction().text(text, (), 0)


def _has_no_secret(value: Any) -> bool:
    """Whether nothing in `value` has to be looked at closely, as in most payloads."""
    texts: list[str] = []
    return _is_plain([value], texts) and not _may_hold_a_secret("\n".join(texts))


def _is_plain(members: Iterable[Any], texts: list[str]) -> bool:
    """Whether no key and no number among these values and in them needs a closer look; adds the texts to `texts`."""
    for member in members:
        if isinstance(member, str):
            if len(member) < MIN_FILE_CHARACTERS or not is_file(member):
                texts.append(member)
        elif isinstance(member, dict):
            first_halves = _FIRST_HALVES_OF.of(member)
            if first_halves is None or (
                first_halves and any(isinstance(member[key], (dict, list)) for key in first_halves)
            ):
                return False
            if not _is_plain(member.values(), texts):
                return False
        elif isinstance(member, Decimal):
            if member.adjusted() >= MIN_CARD_DIGITS - 1:
                return False
        elif isinstance(member, int):
            if not -MIN_CARD_NUMBER < member < MIN_CARD_NUMBER:
                return False
        elif isinstance(member, list) and not _is_plain(member, texts):
            return False
    return True


def _with_redacted(text: str, spans: list[tuple[int, int]]) -> str:
    pieces: list[str] = []
    kept_to = 0
    for start, end in sorted(spans):
        if end > kept_to:
            pieces += [text[kept_to:start], REDACTED] if start >= kept_to else []
            kept_to = end
    return "".join(pieces) + text[kept_to:]


def _spelled(place: _Place) -> str:
    parts: list[str] = []
    while place:
        place, name = place
        parts.append(f"[{name}]" if isinstance(name, int) else f".{name}")
    spelled = "".join(reversed(parts)).removeprefix(".")
    half = _MAX_PLACE_CHARACTERS // 2
    return spelled if len(spelled) <= 2 * half else f"{spelled[:half]}…{spelled[-half:]}"


def _written_out(value: Any) -> str:
    """A text, or a number without an exponent if it could be a card's; abs() and others would round a decimal."""
    return (
        format(value, "f")
        if isinstance(value, Decimal) and 0 <= value.adjusted() < MAX_CARD_DIGITS
        else str(value)
    )


def _mask_card(written: str) -> str:
    if len(written) > _MAX_CARD_CHARACTERS:
        return REDACTED
    digits = sum(map(str.isdigit, written))
    return (
        masked_card(written)
        if digits >= MIN_CARD_DIGITS - 1 or _LAST_FOUR_ONLY.fullmatch(written)
        else REDACTED
    )


class _TooMuch(Exception):
    """There is more in a text that might be a secret than there is time to look at."""


class _Redaction:
    """One walk through a JSON value: masks it, and notes where."""

    def __init__(self, deadline: Deadline | None = None) -> None:
        self.places: list[_Place] = []
        self._looks_left = _MAX_LOOKS
        self._keys_in_texts: set[str] = set()
        self._deadline = deadline

    def value(self, value: Any, place: _Place, layers: int, around: str = "") -> Any:
        """`value`, masked. `around` is the key of the object that it is in, where that names its members, too."""
        if isinstance(value, str):
            return self.text(value, place, layers)
        if isinstance(value, dict):
            return self._object(value, place, layers, around)
        if isinstance(value, list):
            return [
                self.value(item, (place, index), layers, around) for index, item in enumerate(value)
            ]
        if isinstance(value, (int, Decimal)):
            return self._number(value, place)
        return value

    def text(self, text: str, place: _Place, layers: int) -> str:
        """`text`, masked; where it is JSON, down to this many layers, by its keys too."""
        if is_large_file(text) or not _may_hold_a_secret(text) or is_file(text):
            return text
        found_before = len(self.places)
        try:
            is_json, inner = (
                self._decoded(text) if layers and text.lstrip()[:1] in ("{", "[") else (False, None)
            )
            if is_json:
                masked_inner = self.value(inner, place, layers - 1)
                return text if len(self.places) == found_before else encode_json(masked_inner)
            masked = self._without_secrets(text)
        except _TooMuch:
            masked = REDACTED
        if masked != text:
            self.places.append(place)
        return masked

    def _decoded(self, text: str) -> tuple[bool, Any]:
        """Whether a text is JSON, and what it holds."""
        self._look(1)
        try:
            inner = decode_json(text)
        except Problem as problem:
            if problem.problem_type is TOO_LARGE:  # to be looked at by its keys
                raise _TooMuch from problem
            return False, None
        self._keys_in_texts.update(keys_in(inner))
        if len(self._keys_in_texts) > MAX_DIFFERENT_KEYS:
            raise _TooMuch
        return True, inner

    def _object(
        self, value: dict[str, Any], place: _Place, layers: int, around: str
    ) -> dict[str, Any]:
        if self._deadline is not None:
            self._deadline.check()
        pair_of = (
            next((value[name] for name in NAMES_OF_PAIRS if name in value), None)
            if "value" in value
            else None
        )
        masked: dict[str, Any] = {}
        names = FreeNames(masked)
        for key, member in value.items():
            masked_key, role, names_its_members = _looked_at(key)
            if not role and around:
                role = _role_of_both(around, key)
            if key == "value" and isinstance(pair_of, str):
                role = _role_of_name(pair_of)
            name = masked_key if masked_key not in masked else names.free(masked_key)
            here = (place, name)
            if name != key:
                self.places.append(here)
            if role:
                masked[name] = self._member(role, member, here, layers)
            else:
                masked[name] = self.value(member, here, layers, key if names_its_members else "")
        return masked

    def _member(self, role: str, member: Any, place: _Place, layers: int) -> Any:
        """`member`, masked as the value of a key with this role, 'secret' or 'card'."""
        if not isinstance(member, (bool, dict, list)) and member not in (None, ""):
            self.places.append(place)
            return _mask_card(_written_out(member)) if role == "card" else REDACTED
        if isinstance(member, list):
            return [
                self._member(role, item, (place, index), layers)
                for index, item in enumerate(member)
            ]
        if role == "secret" and isinstance(member, dict):
            masked: dict[str, Any] = {}
            names = FreeNames(masked)
            for key, item in member.items():
                name = names.free(_looked_at(key).masked)
                masked[name] = self._member(role, item, (place, name), layers)
            return masked
        return self.value(member, place, layers, "card")

    def _number(self, number: int | Decimal, place: _Place) -> Any:
        if (
            -MIN_CARD_NUMBER < number < MIN_CARD_NUMBER
            or not -_BEYOND_CARD_NUMBERS < number < _BEYOND_CARD_NUMBERS
        ):
            return number
        written = _written_out(number).removeprefix("-")
        if not _may_hold_a_card(written):  # nor can it hold anything else
            return number
        try:
            masked = mask_cards(written, self._look)
        except _TooMuch:
            masked = REDACTED
        if not masked.startswith("["):
            return number
        self.places.append(place)
        return masked

    def _without_secrets(self, text: str) -> str:
        self._look(0)
        lowered = _in_lower_case(text)
        values = [*self._values_after_words(lowered), *self._codes_after_words(lowered)]
        if values:
            text = _with_redacted(text, values)
        if len(text) >= MIN_CARD_DIGITS and _may_be_card_in_any_spelling(text):
            text = mask_cards(text, self._look)
        if _may_look_like_a_secret(lowered):
            text = _with_redacted(text, [*self._by_looks(text)])
        return text

    def _by_looks(self, text: str) -> Iterator[tuple[int, int]]:
        for found in found_in(_BY_LOOKS, text):
            self._look(1)
            yield found.span()

    def _values_after_words(self, lowered: str) -> Iterator[tuple[int, int]]:
        if "=" not in lowered and ":" not in lowered:
            return
        for found in found_in(_WORD_AND_VALUE, lowered):
            self._look(1)
            end = found.end("word")
            if found["word"].startswith(_WHOLE_WORDS) or _TWO_WORDS.search(
                lowered, max(0, end - _MAX_TWO_WORDS_CHARACTERS - 1), end
            ):
                yield found.span("value")

    def _codes_after_words(self, lowered: str) -> Iterator[tuple[int, int]]:
        if not any(map(lowered.__contains__, ("=", ":", "cv", "ecurity"))):
            return
        for found in found_in(_WORD_AND_CODE, lowered):
            self._look(1)
            yield found.span("value" if found["value"] else "pin")

    def _look(self, looks: int) -> None:
        if self._deadline is not None:
            self._deadline.check()
        self._looks_left -= looks
        if self._looks_left < 0:
            raise _TooMuch
