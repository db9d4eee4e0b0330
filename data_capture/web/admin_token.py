"""The admin token, which opens what is held on people to who answers for it.

    trading_bots.keys/admin-token.sha256    what the service compares with: the token can't be had from it
    trading_bots.keys/admin-token           the token itself, from the first start until its owner has fetched it

It has 256 random bits, so that a plain hash keeps it: there is nothing to guess that a slow hash would protect.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from contextlib import suppress
from pathlib import Path

from data_capture.key_files import KEY_BYTES, make_private_file
from data_capture.settings import Settings

_HASH_NAME = "admin-token.sha256"
_TOKEN_NAME = "admin-token"  # noqa: S105  (a file's name)
_PREFIX = "edc_"  # so that scanners for leaked secrets, and people, see what it is


def ensure_admin_token(settings: Settings) -> None:
    """Makes the token at the first start; does nothing where there is one, or where EDC_ADMIN_TOKEN gives it.

    Raises:
        OSError: its files can't be made.
    """
    folder = settings.keys_directory
    if settings.admin_token or (folder / _HASH_NAME).exists():
        return
    token = new_token(_PREFIX)
    if make_private_file(folder / _HASH_NAME, hash_of_token(token) + "\n"):
        (folder / _TOKEN_NAME).unlink(missing_ok=True)  # of a hash that somebody removed
        make_private_file(folder / _TOKEN_NAME, token + "\n")


def is_admin_token(given: str, settings: Settings) -> bool:
    """Whether `given` is the token; takes as long for one that is almost right as for any other.

    The hash is read anew each time, so that a rotation holds at once.
    """
    if settings.admin_token:
        hash_kept = hash_of_token(settings.admin_token)
    else:
        try:
            hash_kept = (settings.keys_directory / _HASH_NAME).read_text(encoding="ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            hash_kept = ""
    return hmac.compare_digest(hash_of_token(given), hash_kept)


def bearer_token_in(authorization: str) -> str:
    """Return the token in the value of a header Authorization, or an empty text (RFC 6750 section 2.1)."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def fetch_admin_token(settings: Settings) -> str | None:
    """The token that was made at the first start, the first time that somebody asks; from then on only its hash is kept.

    Raises:
        OSError: its file can't be read or removed.
    """
    ensure_admin_token(settings)
    path = settings.keys_directory / _TOKEN_NAME
    try:
        token = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    path.unlink()
    return token


def rotate_admin_token(settings: Settings) -> str:
    """A new token; the one before it, fetched or not, opens nothing from now on.

    Raises:
        OSError: its file can't be written.
    """
    token = new_token(_PREFIX)
    path: Path = settings.keys_directory / _HASH_NAME
    draft = path.with_name(f".{_HASH_NAME}.{secrets.token_hex(4)}")
    try:
        make_private_file(draft, hash_of_token(token) + "\n")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        (settings.keys_directory / _TOKEN_NAME).unlink()
    return token


def new_token(prefix: str) -> str:
    """Return a token with 256 random bits; its prefix tells what it is for."""
    return prefix + secrets.token_urlsafe(KEY_BYTES)


def hash_of_token(token: str) -> str:
    """Return what is kept of a token, in hexadecimal: there is nothing to guess that a slow hash would protect."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
