"""Email addresses, which identify users: their normalised spelling.

Pages, mail programs and people write one address in many ways. Each way leads to the same user, or
is rejected: otherwise a second user would survive the erasure of the first.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from data_capture.capture.email_domain import normalise_domain, to_unicode
from data_capture.capture.email_text import find_address, is_unseen, normalise_local_part

# RFC 5321 section 4.5.3.1.3: a path has at most 256 octets, two of which are its brackets.
MAX_EMAIL_CHARACTERS = 254
MAX_GIVEN_CHARACTERS = 2 * MAX_EMAIL_CHARACTERS
"""Before trimming. Longer texts are rejected without a closer look."""

RESERVED_DOMAIN = "@data-capture.invalid"
"""The domain of this product's own users: pseudonyms, and the users of retention records.

Nobody can have an address in it (RFC 6761). If a real user could, erasing that user would also
erase audit records that cover others.
"""

# Every match of at most 64 characters is normalised already: no label is international (xn--…) or
# longer than 63 characters.
_PLAIN = re.compile(r"[a-z0-9_+-][a-z0-9_.+-]*@[a-z0-9]+(?:[.-][a-z0-9]+)*")
_MAX_PLAIN_CHARACTERS = 64

# A number of a page's own, or the milliseconds since 1970.
_MADE_UP = re.compile(
    r"(?:user_[0-9]+|(?:user|guest|visitor|anonymous|anon|customer|client|temp|tmp|unknown)"
    r"[._-]?[0-9]{6,})@"
)

# How earlier versions stored what is now another spelling of an address.
_EARLIER_SPELLINGS = (
    "{}.", "{},", "{};", "{}/", "{}>", "mailto:{}", "<{}>", '"{}"', "'{}'", "({})",
)  # fmt: skip


def normalise_email(text: object) -> str | None:
    """Return the one spelling of an address, in lower case; None if it is not usable.

    The local part is in NFC, and the domain in the form of IDNA that DNS uses (xn--…). Removed are
    spaces and invisible characters around the address, `mailto:`, brackets and quotes, a display
    name, punctuation after the address, and percent-encoding. Rejected is any other text that has
    not one `@` with a plausible local part and domain, and at most 254 characters. Letters with a
    sign around them, such as `•`, are no plausible local part.

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
    # Most addresses are plain. Without this shortcut, parsing a capture takes 15 % longer.
    email = text.strip().lower()
    if _PLAIN.fullmatch(email) and len(email) <= _MAX_PLAIN_CHARACTERS:
        return email
    address = find_address(text)
    if address is None:
        return None
    local_part, domain = normalise_local_part(address[0]), normalise_domain(address[1])
    if local_part is None or domain is None:
        return None
    email = f"{local_part}@{domain}"
    return email if len(email) <= MAX_EMAIL_CHARACTERS else None


def is_spelling_of(text: object, email: str) -> bool:
    """Tell whether a text in the database spells an address (normalised).

    A text that is no address by the rules of `normalise_email` spells itself.
    """
    return text == email or normalise_any_email(text) == email


def is_bare(text: str, email: str) -> bool:
    """Tell whether a text is an address (normalised) with nothing around it but spaces."""
    bare = normalise_as_before(text)
    if bare is None:
        return False
    local_part, _, domain = bare.partition("@")
    return f"{local_part}@{normalise_domain(domain)}" == email


def is_reserved(email: str) -> bool:
    """Tell whether an address, in any spelling, is in `RESERVED_DOMAIN`."""
    return (normalise_any_email(email) or email.strip().lower()).endswith(RESERVED_DOMAIN)


class Placeholders:
    """Addresses that stand for nobody: some as such, and all that match a pattern in slashes.

    Args:
        placeholder_emails: as in `EDC_PLACEHOLDER_EMAILS`: `unknown@example.com`, `/^guest/`.
    """

    def __init__(self, placeholder_emails: tuple[str, ...]) -> None:
        patterns = [one[1:-1] for one in placeholder_emails if is_pattern(one)]
        self._pattern = re.compile("|".join(f"(?:{one})" for one in patterns) or "(?!)")
        self._emails = frozenset(
            normalise_email(one) or one.lower() for one in placeholder_emails if not is_pattern(one)
        )

    def __contains__(self, email: object) -> bool:
        """Tell whether an address (normalised) is a placeholder."""
        if email in self._emails:
            return True
        return isinstance(email, str) and self._pattern.search(email) is not None


def is_pattern(placeholder: str) -> bool:
    """Tell whether a placeholder is a pattern in slashes."""
    return len(placeholder) > len("//") and placeholder[0] == placeholder[-1] == "/"


@lru_cache(maxsize=8)
def normalise_placeholders(placeholder_emails: tuple[str, ...]) -> Placeholders:
    """Return addresses that stand for nobody, in the spelling to compare others with."""
    return Placeholders(placeholder_emails)


def is_made_up(email: str) -> bool:
    """Tell whether an address (normalised) is one that pages make up: user_1795950058949@….

    Such an address can also be a real one, so it counts if there is no other.
    """
    return _MADE_UP.match(email) is not None


def normalise_as_before(text: object) -> str | None:
    """Return the spelling that earlier versions made of an address; None if they rejected it.

    Users and tombstones of those versions have it.
    """
    if not isinstance(text, str) or len(text) > MAX_GIVEN_CHARACTERS:
        return None
    email = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text.strip()).lower())
    local_part, _, domain = email.partition("@")
    if not local_part or not domain or "@" in domain or len(email) > MAX_EMAIL_CHARACTERS:
        return None
    if any(map(is_unseen, email)) or email.endswith(RESERVED_DOMAIN):
        return None
    return email


def normalise_known_email(text: object) -> str | None:
    """Normalise an address to find its user, who may be from a version with other rules."""
    return normalise_email(text) or normalise_as_before(text)


def with_unicode_domain(email: str) -> tuple[str, ...]:
    """Return an address (normalised) and, if its domain is international, its readable spelling."""
    if "xn--" not in email:
        return (email,)
    local_part, _, domain = email.partition("@")
    return email, f"{local_part}@{to_unicode(domain)}"


def list_earlier_spellings(email: str) -> list[str]:
    """List spellings under which earlier versions may have stored an address (normalised)."""
    return [
        spelling
        for same in with_unicode_domain(email)
        for spelling in (same, *(form.format(same) for form in _EARLIER_SPELLINGS))
    ]
