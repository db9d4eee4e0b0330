"""Email addresses, which identify users: their normalised spelling."""

from __future__ import annotations

import unicodedata

# RFC 5321 section 4.5.3.1.3: a path has at most 256 octets, two of which are its brackets.
MAX_EMAIL_CHARACTERS = 254
MAX_GIVEN_CHARACTERS = 2 * MAX_EMAIL_CHARACTERS
"""Before trimming. Longer texts are rejected without a closer look."""

RESERVED_DOMAIN = "@data-capture.invalid"
"""The domain of this product's own users: pseudonyms, and the users of retention records.

Nobody can have an address in it (RFC 6761). If a real user could, erasing that user would also
erase audit records that cover others.
"""

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


def normalise_email(text: object) -> str | None:
    """Return the address trimmed, in NFC and lower case; None if it is not usable.

    An address has at most 254 characters, one `@` with something on both sides, and no invisible
    characters: no spaces, controls, zero-width or blank characters, and no lone surrogates.
    Addresses of `RESERVED_DOMAIN` are not usable: only this product creates them.
    """
    email = normalise_any_email(text)
    return None if email is None or email.endswith(RESERVED_DOMAIN) else email


def normalise_any_email(text: object) -> str | None:
    """Normalise an address as `normalise_email` does, but accept `RESERVED_DOMAIN`.

    Use it to find this product's own users by the spelling in `users`.
    """
    if not isinstance(text, str) or len(text) > MAX_GIVEN_CHARACTERS:
        return None
    # Most addresses are ASCII. Without this shortcut, parsing a capture takes 15 % longer.
    if text.isascii():
        email = text.strip().lower()
        return email if _is_address(email) and email.isprintable() and " " not in email else None
    # Lower-casing can decompose a character (a capital I with a dot), so NFC comes again at the
    # end. Composing cannot bring capitals back.
    email = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text.strip()).lower())
    if not _is_address(email) or any(map(is_unseen, email)):
        return None
    return email


def is_reserved(email: str) -> bool:
    """Tell whether an address, in any spelling, is in `RESERVED_DOMAIN`."""
    return email.strip().lower().endswith(RESERVED_DOMAIN)


def is_unseen(character: str) -> bool:
    """Tell whether a character is invisible to a reader."""
    return ord(character) in _IGNORABLE or unicodedata.category(character) in UNSEEN


def _is_address(email: str) -> bool:
    local_part, _, domain = email.partition("@")
    return bool(local_part and domain) and "@" not in domain and len(email) <= MAX_EMAIL_CHARACTERS
