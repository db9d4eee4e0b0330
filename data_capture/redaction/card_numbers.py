"""Card numbers in texts: 13 to 19 digits with an issuer's prefix and a valid Luhn sum (ISO/IEC 7812-1), however written.

Between the digits may be spaces and hyphens of any kind, also as a URL or JSON escapes them, and the digits may be those
of any script. Groups of four may also have points, slashes or underscores between.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import accumulate

from data_capture.scanning import found_in, is_in, pause, steps

MIN_CARD_DIGITS, MAX_CARD_DIGITS = 13, 19  # digits
MIN_CARD_NUMBER = 10 ** (MIN_CARD_DIGITS - 1)
# Spaces and hyphens of every kind, what has no width, and the plus that stands for a space in a form.
SEPARATOR = (
    "[ +\t\u00a0\u00ad\u2000-\u2015\u202f\u205f\u2060\u2212\u3000\ufe58\ufe63\uff0d\ufeff-]{0,3}"
)
THREE_MORE_FOURS = "(?:[._/][0-9]{4}){3}"

_MAX_PHONE_DIGITS = (
    15  # digits with the country's (ITU-T E.164), after a plus sign or the prefix 00
)
_CHARACTERS_OF_A_LOOK = 20  # of a run of digits, to be taken apart into its groups
_LONG_TEXT_CHARACTERS = 100_000
_MAX_RUN_CHARACTERS = 250_000  # taken apart at once; `look` refuses longer ones
_UUID = "(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])"


def _pattern(separator: str) -> re.Pattern[str]:
    # A UUID is looked for first, since parts of some would pass for cards. After a point, digits are a fraction's.
    between = separator.replace("{0,", "{1,")
    written = rf"[0-9]{{4}}{THREE_MORE_FOURS}(?![0-9]|\.[0-9])|(?=[0-9](?:{separator}[0-9]){{12}})[0-9]+(?:{between}[0-9]+)*"
    return re.compile(rf"{_UUID}|(?P<digits>(?<![0-9])(?<![0-9]\.)(?:{written}))")


_DIGITS = _pattern(SEPARATOR)
_DIGITS_IN_ESCAPES = _pattern(
    "[ +\t-]{0,18}"
)  # an escape becomes as many spaces as it has characters
_GROUP = re.compile("[0-9]+")
_ISSUER = re.compile(
    r"4|5[0-8]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|3[47]|3(?:0[0-5]|[689])|35(?:2[89]|[3-8])|6(?:011|[2-57])"
)  # Visa, Mastercard and Maestro, American Express, Diners Club, JCB, Discover, UnionPay
_DOUBLED = str.maketrans(
    "0123456789", "0246813579"
)  # twice each digit, the sum of the result's digits

_PHONE_BEFORE = re.compile(
    r"(?<![0-9A-Za-z])\+$|(?<![0-9.,:])00[ -]?$"
)  # no plus between words, no price's cents
_LETTERS_BEFORE = re.compile(r"([0-9]?)([A-Za-z]+)$")
_LETTERS_AFTER = re.compile(r"[A-Za-z]+([0-9]?)")
_MAX_WORD_CHARACTERS = 32

_BEFORE_DIGIT = ("%3", "\\u003")
# What stands for a digit or a separator in a URL and in JSON, as long as the escape itself; what is left stands for neither.
_ESCAPES = [
    *(
        (f"{before}{digit}", f"{digit}".rjust(len(before) + 1))
        for before in _BEFORE_DIGIT
        for digit in range(10)
    ),
    *(
        (escape, " " * len(escape))
        for escape in ("%20", "%09", "%C2%A0", "%c2%a0", "\\u0020", "\\u00a0", "\\u00A0")
    ),
    *((escape, "-".rjust(len(escape))) for escape in ("%2D", "%2d", "\\u002d", "\\u002D")),
]
_PERCENT_ESCAPE, _JSON_ESCAPE = re.compile("%[0-9A-Fa-f]{2}"), re.compile(r"\\u[0-9A-Fa-f]{4}")
_OTHER_DIGIT = re.compile("[^\\D0-9]")


def has_other_digits(text: str) -> bool:
    """Whether there are digits in `text` that are not ASCII's."""
    return not text.isascii() and is_in(_OTHER_DIGIT, text)


def _with_ascii_digits(text: str) -> str:
    """`text`, as long as it is, with the digits of every script as those of ASCII."""
    if not has_other_digits(text):
        return text
    others = {
        other for step in steps(text) for other in _OTHER_DIGIT.findall(step)
    }  # some hundreds at most
    in_ascii = {ord(other): ord("0") + unicodedata.decimal(other) for other in others}
    return "".join([step.translate(in_ascii) for step in steps(text)])


def mask_cards(text: str, look: Callable[[int], None]) -> str:
    """`text` with the card numbers in it masked.

    Args:
        text: any text.
        look: called before closer looks at what may be card numbers, with how many; it may raise, to make an end.
    """
    text = _masked(text, _with_ascii_digits(text), _DIGITS, look)
    if "%" not in text and "\\u" not in text:
        return text
    seen_as = _with_ascii_digits(text)
    for escape, meant in _ESCAPES:
        seen_as = seen_as.replace(escape, meant)
    # Their hexadecimal digits would hide where a number begins.
    for escape_left, hidden in ((_PERCENT_ESCAPE, "|||"), (_JSON_ESCAPE, "||||||")):
        seen_as = escape_left.sub(hidden, seen_as)
        if len(text) > _LONG_TEXT_CHARACTERS:
            pause()
    return _masked(text, seen_as, _DIGITS_IN_ESCAPES, look)


def masked_card(written: str) -> str:
    """What stands in a card number's place: all that may be kept of it, its last four digits (PCI DSS 3.4)."""
    return f"[card ****{''.join(_GROUP.findall(_with_ascii_digits(written)))[-4:]}]"


def _masked(text: str, seen_as: str, digits: re.Pattern[str], look: Callable[[int], None]) -> str:
    masked: list[str] = []
    kept_to = 0
    look(0)
    for found in found_in(digits, seen_as, _MAX_RUN_CHARACTERS):
        for start, end in _cards_in(found, look) if found["digits"] else ():
            begin = next(
                (
                    start - len(escape)
                    for escape in _BEFORE_DIGIT
                    if text.endswith(escape, kept_to, start)
                ),
                start,
            )
            masked += [text[kept_to:begin], masked_card(seen_as[start:end])]
            kept_to = end
    return "".join(masked) + text[kept_to:] if masked else text


def _cards_in(found: re.Match[str], look: Callable[[int], None]) -> Iterator[tuple[int, int]]:
    """Where the card numbers in a run of digits with spaces or hyphens between begin and end.

    A card number begins and ends where a group of digits does, so that an expiry date or an amount beside it does not
    hide it, and no part of one long number is taken for a card.
    """
    text, run = found.string, found[0]
    if run.isdigit():
        if len(run) <= MAX_CARD_DIGITS and _ISSUER.match(run):
            look(1)
            if _is_luhn(run) and not _is_something_else(text, found.start(), found.end(), len(run)):
                yield found.span()
        return
    look(len(run) // _CHARACTERS_OF_A_LOOK)
    groups = [group.span() for group in _GROUP.finditer(text, *found.span())]
    digits = "".join([text[start:end] for start, end in groups])
    ends = [*accumulate(end - start for start, end in groups)]  # where in `digits` each group ends
    first = begin = 0
    while first < len(groups):
        last = (
            _last_group_of_card(text, groups, digits, ends, first, look)
            if _ISSUER.match(digits, begin)
            else None
        )
        if last is None:
            last = first
        else:
            yield groups[first][0], groups[last][1]
        first, begin = last + 1, ends[last]


def _last_group_of_card(
    text: str,
    groups: list[tuple[int, int]],
    digits: str,
    ends: list[int],
    first: int,
    look: Callable[[int], None],
) -> int | None:
    """The group with which the longest card number ends that begins with group `first`; None when none does.

    `digits` are those of all groups, and `ends` says where in them each group ends.
    """
    start = groups[first][0]
    begin, longest = ends[first] - (groups[first][1] - start), None
    for place in range(first, min(first + MAX_CARD_DIGITS, len(groups))):
        length = ends[place] - begin
        if length > MAX_CARD_DIGITS:
            break
        if length < MIN_CARD_DIGITS:
            continue
        look(1)
        if _is_luhn(digits[begin : ends[place]]) and not _is_something_else(
            text, start, groups[place][1], length
        ):
            longest = place
    return longest


def _is_luhn(digits: str) -> bool:
    return (
        sum(map(int, digits[-1::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))
    ) % 10 == 0


def _is_something_else(text: str, start: int, end: int, length: int) -> bool:
    """Whether what looks like a card number is a phone number, or a stretch of a hash or another mixed identifier."""
    word = text[max(0, start - _MAX_WORD_CHARACTERS) : start]
    if length <= _MAX_PHONE_DIGITS and _PHONE_BEFORE.search(word):
        return True
    before = _LETTERS_BEFORE.search(word)
    after = _LETTERS_AFTER.match(text, end, end + _MAX_WORD_CHARACTERS)
    return bool((before and before[1]) or (after and after[1]))
