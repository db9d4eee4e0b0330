"""The identity of a person: their email address, in its one spelling."""

from __future__ import annotations

import unicodedata

MAX_EMAIL_CHARACTERS = (
    254  # RFC 5321 section 4.5.3.1.3: a path has at most 256 octets, two of them the brackets
)
MAX_GIVEN_CHARACTERS = 2 * MAX_EMAIL_CHARACTERS  # with what is trimmed; more is not even looked at

RESERVED_DOMAIN = "@data-capture.invalid"
"""Where this product's own users are, of no person: pseudonyms, and those of the retention's records. RFC 6761: nobody can
have an address there. What looks like a person there would be erased with the audit records that cover others."""

UNSEEN = (
    "Cc",
    "Cf",
    "Cs",
    "Zl",
    "Zp",
    "Zs",
)  # Unicode's controls, formats (zero width), surrogates and spaces

# Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt), which are shown as nothing, and the blank of Braille.
_IGNORABLE_RANGES = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F),
    (0x202A, 0x202E), (0x2060, 0x206F), (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
_IGNORABLE = frozenset(code for first, last in _IGNORABLE_RANGES for code in range(first, last + 1))


def normalise_email(text: object) -> str | None:
    """The one spelling of an address: trimmed, NFC, lower-cased; None for what can't be somebody's address.

    An address here is at most 254 characters with one `@`, something on both sides of it, and nothing that can't be
    seen: no spaces, control, zero-width or blank characters, or halves of surrogate pairs. Addresses of `RESERVED_DOMAIN`
    are this product's own, which names them itself.
    """
    email = normalise_any_email(text)
    return None if email is None or email.endswith(RESERVED_DOMAIN) else email


def normalise_any_email(text: object) -> str | None:
    """Return what `normalise_email` does, also for this product's own addresses: to find them as `users` spells them."""
    if not isinstance(text, str) or len(text) > MAX_GIVEN_CHARACTERS:
        return None
    if text.isascii():  # as most are
        email = text.strip().lower()
        return email if _is_address(email) and email.isprintable() and " " not in email else None
    # Lower-casing can take NFC apart (a capital dotted I) and composing can't bring capitals back: NFC is last.
    email = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text.strip()).lower())
    if not _is_address(email) or any(map(is_unseen, email)):
        return None
    return email


def is_reserved(email: str) -> bool:
    """Whether an address, however it is spelled, is one that this product made for a user of no person."""
    return email.strip().lower().endswith(RESERVED_DOMAIN)


def is_unseen(character: str) -> bool:
    """Whether a reader of a text can't see that this character is there."""
    return ord(character) in _IGNORABLE or unicodedata.category(character) in UNSEEN


def _is_address(email: str) -> bool:
    local_part, _, domain = email.partition("@")
    return bool(local_part and domain) and "@" not in domain and len(email) <= MAX_EMAIL_CHARACTERS
