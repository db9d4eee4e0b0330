"""The identity of a person: their email address, in its one spelling."""

from __future__ import annotations

import unicodedata

LONGEST_EMAIL_CHARACTERS = 254  # RFC 5321 section 4.5.3.1.3: a path has at most 256 octets, two of them the brackets

_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs")  # Unicode's controls, formats (zero width), surrogates and spaces


def normalise_email(text: object) -> str | None:
    """The one spelling of an address: trimmed, NFC, lower-cased; None for what can't be somebody's address.

    An address here is at most 254 characters with one `@`, something on both sides of it, and nothing that can't be
    seen: no spaces, control or zero-width characters, or halves of surrogate pairs.
    """
    if not isinstance(text, str) or len(text) > 2 * LONGEST_EMAIL_CHARACTERS:
        return None
    # Lower-casing can take NFC apart (a capital dotted I) and composing can't bring capitals back: NFC is last.
    email = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text.strip()).lower())
    if len(email) > LONGEST_EMAIL_CHARACTERS or any(unicodedata.category(character) in _UNSEEN for character in email):
        return None
    local_part, _, domain = email.partition("@")
    if not local_part or not domain or "@" in domain:
        return None
    return email
