"""Find an email address in what surrounds it, and normalise its local part."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs")
"""Unicode's categories of controls, formats (zero width), surrogates and spaces."""

# Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt), which are shown as nothing,
# and the blank Braille pattern.
_IGNORABLE_RANGES = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x2800, 0x2800),
    (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
_IGNORABLE = frozenset(code for first, last in _IGNORABLE_RANGES for code in range(first, last + 1))

# Quotation marks, and the brackets and full stops of East Asian texts.
_QUOTES = "\"'`\u2018\u2019\u201a\u201c\u201d\u201e\xab\xbb\u2039\u203a"
_OPENING = f"{_QUOTES}<([{{,;:/.=?\u300c\u300e\u3010\u300a\u3008"
_CLOSING = f"{_QUOTES}>)]}}.,;:!?/\u2026\u3001\u3002\u300d\u300f\u3011\u300b\u3009"
_MAX_LAYERS = 8  # "<mailto:a%40example.com>,": more than anybody nests

_PERCENT_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_MAILTO = re.compile(r"mailto:(?://)?", re.IGNORECASE)
# RFC 5322 section 3.2.3: the characters with a meaning of their own, and spaces.
_SPECIALS = frozenset('()<>[]:;@\\,"')
# Unicode's compatibility characters are letters in another typeface. Those without a typeface, such
# as the long s and ligatures, are letters of their own.
_TYPEFACES = (
    "<font>", "<circle>", "<super>", "<sub>", "<square>", "<vertical>", "<small>", "<noBreak>",
    "<initial>", "<medial>", "<final>", "<isolated>", "<fraction>",
)  # fmt: skip
# A typographic apostrophe is the usual one: both spellings of O'Brien are one user.
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc", "'"))
_NO_LOCAL_PART = frozenset("?\u2024\u3002\uff61")  # other dots, and the beginning of a query
_WIDTHS = ("<wide>", "<narrow>")


def is_unseen(character: str) -> bool:
    """Tell whether a character is invisible to a reader."""
    return ord(character) in _IGNORABLE or unicodedata.category(character) in UNSEEN


def find_address(text: str) -> tuple[str, str] | None:
    """Return the local part and the domain of the only address in a text; None if it has none.

    Removes the layers around it: `Name <…>`, `mailto:…?subject=…`, brackets, quotes, punctuation,
    invisible characters, and percent-encoding, which is decoded once.
    """
    address, is_decoded = _map_widths(text), False
    for _ in range(_MAX_LAYERS):
        before = address
        address = _strip_unseen(address)
        if not is_decoded and _PERCENT_ENCODED.search(address):
            address, is_decoded = _map_widths(unquote(address, errors="surrogateescape")), True
        mailto = _MAILTO.match(address)
        if mailto is not None:
            address = address[mailto.end() :].partition("?")[0]
        named = _take_from_angle_brackets(address)
        if named is None:
            return None
        address = named.lstrip(_OPENING).rstrip(_CLOSING)
        if address == before:
            break
    else:
        return None
    if any(map(is_unseen, address)):
        return None
    local_part, _, domain = address.partition("@")
    return (local_part, domain) if local_part and domain else None


def normalise_local_part(text: str) -> str | None:
    """Return a local part in NFC and lower case; None if it is not plausible."""
    if not _SPECIALS.isdisjoint(text) or _PERCENT_ENCODED.search(text):  # encoded twice
        return None
    if not _NO_LOCAL_PART.isdisjoint(text):
        return None
    text = text.translate(_APOSTROPHES)
    if text.isascii():
        return text.lower()
    # Lower-casing can decompose a character (a capital I with a dot), so NFC comes again at the
    # end. Composing cannot bring capitals back.
    composed = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    if any(unicodedata.decomposition(character).startswith(_TYPEFACES) for character in composed):
        return None
    return None if _has_sign_around(composed) else composed


def _has_sign_around(local_part: str) -> bool:
    """Tell whether letters have a sign of another script than ASCII around them, such as a bullet.

    A local part of emoji alone is plausible, and letters of many scripts end with a mark.
    """
    first, last = (
        "" if end.isascii() else unicodedata.category(end)[0]
        for end in (local_part[0], local_part[-1])
    )
    return (first in ("M", "P", "S") or last in ("P", "S")) and any(map(str.isalnum, local_part))


def _strip_unseen(text: str) -> str:
    first, end = 0, len(text)
    while first < end and is_unseen(text[first]):
        first += 1
    while end > first and is_unseen(text[end - 1]):
        end -= 1
    return text[first:end]


def _map_widths(text: str) -> str:
    """Replace full-width and half-width forms by the usual characters (RFC 8264 section 5.2.1)."""
    if text.isascii():
        return text
    return "".join(
        unicodedata.normalize("NFKC", character)
        if unicodedata.decomposition(character).startswith(_WIDTHS)
        else character
        for character in text
    )


def _take_from_angle_brackets(text: str) -> str | None:
    """Return what `Name <…>` has in its brackets; None if there is more than a name around them."""
    name, bracket, rest = text.partition("<")
    if not bracket:
        return text
    inner, _, after = rest.partition(">")
    is_alone = "@" not in name and "<" not in inner and not after.strip(_CLOSING + " \t\r\n")
    return inner if is_alone else None
