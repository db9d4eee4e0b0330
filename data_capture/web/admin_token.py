"""The admin token: it allows reading, exporting and erasing users' data.

    trading_bots.keys/admin-token.sha256    the token's hash, which the service compares with
    trading_bots.keys/admin-token           the token itself, until the owner has fetched it

The token has 256 random bits. Nobody can guess it, so a fast hash protects it as well as a slow
one.
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
_PREFIX = "edc_"  # so that people and scanners for leaked secrets recognise it


def ensure_admin_token(settings: Settings) -> None:
    """Create the token at the first start, unless EDC_ADMIN_TOKEN sets it.

    Raises:
        OSError: a file cannot be written.
    """
    folder = settings.keys_directory
    if settings.admin_token or (folder / _HASH_NAME).exists():
        return
    token = generate_token(_PREFIX)
    if make_private_file(folder / _HASH_NAME, hash_token(token) + "\n"):
        (folder / _TOKEN_NAME).unlink(missing_ok=True)  # its hash may have been deleted
        make_private_file(folder / _TOKEN_NAME, token + "\n")


def is_admin_token(candidate: str, settings: Settings) -> bool:
    """Tell whether `candidate` is the token, in constant time.

    The hash is read from the file at each call, so that a rotation takes effect at once.
    """
    if settings.admin_token:
        stored_hash = hash_token(settings.admin_token)
    else:
        try:
            stored_hash = (settings.keys_directory / _HASH_NAME).read_text(encoding="ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            stored_hash = ""
    return hmac.compare_digest(hash_token(candidate), stored_hash)


def parse_bearer_token(authorization: str | None) -> str | None:
    """Return the token of an Authorization header (RFC 6750 section 2.1).

    Returns:
        The token, which may be empty; None if the header is missing or has another scheme.
    """
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def fetch_admin_token(settings: Settings) -> str | None:
    """Return the token and delete its file, so that only its hash is left.

    Returns:
        The token; None if it was fetched before.

    Raises:
        OSError: the file cannot be read or deleted.
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
    """Replace the token and return the new one; the old one is void at once.

    Raises:
        OSError: the file cannot be written.
    """
    token = generate_token(_PREFIX)
    path: Path = settings.keys_directory / _HASH_NAME
    draft = path.with_name(f".{_HASH_NAME}.{secrets.token_hex(4)}")
    try:
        make_private_file(draft, hash_token(token) + "\n")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        (settings.keys_directory / _TOKEN_NAME).unlink()
    return token


def generate_token(prefix: str) -> str:
    """Return a token with 256 random bits; the prefix shows its purpose."""
    return prefix + secrets.token_urlsafe(KEY_BYTES)


def hash_token(token: str) -> str:
    """Return the SHA-256 of a token in hexadecimal, which is what the files contain."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
