"""The addresses that replace those of erased users."""

from __future__ import annotations

import secrets

_DOMAIN = "data-capture.invalid"  # nobody can have an address in .invalid (RFC 6761)

PSEUDONYM_PREFIX = "erased-"

PSEUDONYM_WITHOUT_DATA = f"{PSEUDONYM_PREFIX}nobody@{_DOMAIN}"
"""The pseudonym in the erasure records of users without data."""


def make_pseudonym() -> str:
    """Return a random address that identifies nobody."""
    return f"{PSEUDONYM_PREFIX}{secrets.token_hex(8)}@{_DOMAIN}"
