"""The domains of email addresses, in the form that DNS uses (IDNA 2008)."""

from __future__ import annotations

import re

import idna

# RFC 1123 section 2.1, and the underscore that some intranets have in names.
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_ACE_PREFIX = "xn--"
_DOTS = str.maketrans("\u3002\uff0e\uff61", "...")  # of RFC 3490 section 3.1


def normalise_domain(domain: str) -> str | None:
    """Return a domain in lower case with its international labels in ASCII; None if it has faults.

    `bücher.example` becomes `xn--bcher-kva.example`. Both spellings are the same domain. `ß` and
    `ss` are different ones, as for browsers and registries (UTS 46, nontransitional).
    """
    labels = domain.translate(_DOTS)
    if not labels.isascii():
        try:
            labels = idna.uts46_remap(labels, std3_rules=False, transitional=False)
        except idna.IDNAError:
            return None
    normalised = [_normalise_label(label) for label in labels.lower().split(".")]
    if None in normalised:
        return None
    return ".".join(filter(None, normalised))


def to_unicode(domain: str) -> str:
    """Return a normalised domain as people read it."""
    return ".".join(map(_decode_label, domain.split(".")))


def _normalise_label(label: str) -> str | None:
    if label.isascii() and not label.startswith(_ACE_PREFIX):
        return label if _LABEL.fullmatch(label) else None
    try:
        return idna.alabel(label).decode("ascii")
    except idna.IDNAError:
        # Some registries allow emoji, which IDNA does not: https://www.icann.org/ (SAC095).
        return label if label.isascii() and _is_other_ace_label(label) else None


def _is_other_ace_label(label: str) -> bool:
    """Tell whether a label is the only ASCII spelling of a text that IDNA does not allow."""
    if not _LABEL.fullmatch(label):
        return False
    try:
        text = label.removeprefix(_ACE_PREFIX).encode().decode("punycode")
        remapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
        encoded = text.encode("punycode").decode()
    except (UnicodeError, idna.IDNAError):
        return False
    return remapped == text and not text.isascii() and _ACE_PREFIX + encoded == label


def _decode_label(label: str) -> str:
    if not label.startswith(_ACE_PREFIX):
        return label
    try:
        return idna.ulabel(label)
    except idna.IDNAError:
        return label
