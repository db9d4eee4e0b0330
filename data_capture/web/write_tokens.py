"""Write tokens: they confirm the captures that the owner's servers send.

    trading_bots.keys/write-token.NAME.sha256    the token's hash, which the service compares with

Anyone can send a capture for any address; without a token it is a claim. A capture with a write
token or the admin token is confirmed. A write token allows nothing else. Each has a name, so that
it can be revoked alone. A token has 256 random bits, so a fast hash protects it. A page cannot keep
a secret: never put a token into one.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from pathlib import Path

from data_capture.key_files import make_private_file
from data_capture.settings import Settings
from data_capture.web.admin_token import generate_token, hash_token

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
"""The pattern of a write token's name."""

_PREFIX = "edcw_"  # differs from the admin token's, so that a leaked token can be identified
_FILE_PREFIX, _FILE_SUFFIX = "write-token.", ".sha256"


def create_write_token(settings: Settings, name: str) -> str | None:
    """Create a token, store its hash and return it; None if the name is in use.

    Raises:
        OSError: the file cannot be written.
    """
    token = generate_token(_PREFIX)
    is_created = make_private_file(_hash_file(settings, name), hash_token(token) + "\n")
    return token if is_created else None


def revoke_write_token(settings: Settings, name: str) -> bool:
    """Revoke a token at once, also for running services.

    Returns:
        False if there is no token of this name.

    Raises:
        OSError: the file cannot be deleted.
    """
    try:
        _hash_file(settings, name).unlink()
    except FileNotFoundError:
        return False
    return True


def write_token_names(settings: Settings) -> list[str]:
    """Return the names of all valid tokens, sorted."""
    names = (path.name[len(_FILE_PREFIX) : -len(_FILE_SUFFIX)] for path in _hash_files(settings))
    return sorted(names)


def is_write_token(candidate: str, settings: Settings) -> bool:
    """Tell whether `candidate` is a valid write token.

    The files are read at each call, so that a revocation takes effect at once.
    """
    candidate_hash = hash_token(candidate)
    matches = False
    for path in _hash_files(settings):
        try:
            stored_hash = path.read_text(encoding="ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            continue
        matches |= hmac.compare_digest(candidate_hash, stored_hash)
    return matches


def _hash_files(settings: Settings) -> Iterator[Path]:
    return settings.keys_directory.glob(f"{_FILE_PREFIX}*{_FILE_SUFFIX}")


def _hash_file(settings: Settings, name: str) -> Path:
    return settings.keys_directory / f"{_FILE_PREFIX}{name}{_FILE_SUFFIX}"
