"""Write tokens: with one of them a server of the owner's confirms what it captures.

    trading_bots.keys/write-token.NAME.sha256    what the capture service compares with

Anyone may send a capture for any address: that is a claim. A capture that is sent with a write token, or with the admin
token, is confirmed. A write token opens nothing else. It has 256 random bits, so that a plain hash keeps it, and each
has a name, so that one can be revoked alone. A page holds no secret: never put one there.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from pathlib import Path

from data_capture.key_files import make_private_file
from data_capture.settings import Settings
from data_capture.web.admin_token import hash_of_token, new_token

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
"""What the name of a write token looks like."""

_PREFIX = "edcw_"  # so that a leaked token can be told from the admin token
_FILE_PREFIX, _FILE_SUFFIX = "write-token.", ".sha256"


def create_write_token(settings: Settings, name: str) -> str | None:
    """Make a token and return it; only its hash is kept. None if there is one of this name.

    Raises:
        OSError: its file cannot be written.
    """
    token = new_token(_PREFIX)
    return token if make_private_file(_file(settings, name), hash_of_token(token) + "\n") else None


def revoke_write_token(settings: Settings, name: str) -> bool:
    """Make a token void at once, also for services that run; False if there is none of this name.

    Raises:
        OSError: its file cannot be removed.
    """
    try:
        _file(settings, name).unlink()
    except FileNotFoundError:
        return False
    return True


def write_token_names(settings: Settings) -> list[str]:
    """Return the names of the tokens that are valid, sorted."""
    return sorted(path.name[len(_FILE_PREFIX) : -len(_FILE_SUFFIX)] for path in _files(settings))


def is_write_token(given: str, settings: Settings) -> bool:
    """Tell whether `given` is a valid write token; the files are read each time, so that a revocation holds at once."""
    hash_given = hash_of_token(given)
    matches = False
    for path in _files(settings):
        try:
            kept = path.read_text(encoding="ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            continue
        matches |= hmac.compare_digest(hash_given, kept)
    return matches


def _files(settings: Settings) -> Iterator[Path]:
    return settings.keys_directory.glob(f"{_FILE_PREFIX}*{_FILE_SUFFIX}")


def _file(settings: Settings, name: str) -> Path:
    return settings.keys_directory / f"{_FILE_PREFIX}{name}{_FILE_SUFFIX}"
