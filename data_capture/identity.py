"""The identity of a person: their email address, in its one spelling."""

from __future__ import annotations

import unicodedata

LONGEST_EMAIL_CHARACTERS = 254  # RFC 5321 section 4.5.3.1.3: a path has at most 256 octets, two of them the brackets
LONGEST_GIVEN_CHARACTERS = 2 * LONGEST_EMAIL_CHARACTERS  # with what is trimmed; more is not even looked at

UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs")  # Unicode's controls, formats (zero width), surrogates and spaces


def normalise_email(text: object) -> str | None:
    """The one spelling of an address: trimmed, NFC, lower-cased; None for what can't be somebody's address.

    An address here is at most 254 characters with one `@`, something on both sides of it, and nothing that can't be
    seen: no spaces, control or zero-width characters, or halves of surrogate pairs.
    """
    if not isinstance(text, str) or len(text) > LONGEST_GIVEN_CHARACTERS:
        return None
    if text.isascii():  # as most are
        email = text.strip().lower()
        return email if _is_address(email) and email.isprintable() and " " not in email else None
    # Lower-casing can take NFC apart (a capital dotted I) and composing can't bring capitals back: NFC is last.
    email = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text.strip()).lower())
    if not _is_address(email) or any(unicodedata.category(character) in UNSEEN for character in email):
        return None
    return email


def _is_address(email: str) -> bool:
    local_part, _, domain = email.partition("@")
    return bool(local_part and domain) and "@" not in domain and len(email) <= LONGEST_EMAIL_CHARACTERS
