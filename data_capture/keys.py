"""Keys that this installation makes for itself and keeps in files beside its database."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

KEY_BYTES = 32  # RFC 7518 section 3.2: a key for HS256 has the hash's size, 256 bits, or more


def keys_beside(database: Path) -> Path:
    """The folder of this database's secrets, each in a file that only its owner can read."""
    return database.with_name(database.stem + ".keys")


def load_or_make_key(path: Path) -> bytes:
    """The key in the file at `path`; at the first start it is made, with its folder, for its owner's eyes only.

    Raises:
        OSError: the file can't be made or read.
        ValueError: the file holds no key.
    """
    if not path.exists():
        keep_key(path, new_key())
    path.chmod(0o600)
    return load_key(path)


def new_key() -> bytes:
    """A key that nobody else has."""
    return secrets.token_bytes(KEY_BYTES)


def keep_key(path: Path, key: bytes) -> None:
    """Puts `key` into a new file at `path`, for its owner's eyes only; leaves one that is there.

    Raises:
        OSError: the file can't be made.
    """
    make_private_file(path, key.hex() + "\n")


def load_key(path: Path) -> bytes:
    """The key in the file at `path`.

    Raises:
        OSError: the file can't be read.
        ValueError: the file holds no key.
    """
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) < KEY_BYTES:
        raise ValueError(f"{path} should hold {2 * KEY_BYTES} hexadecimal digits. Remove it, and a new key is made.")
    return key


def make_private_file(path: Path, text: str) -> bool:
    """Makes the file, with its folder, for its owner's eyes only; whether it did, or one was there already.

    It is linked into place when it is complete: of two processes that start at once, one wins, and both read the winner's.

    Raises:
        OSError: the file can't be made.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True
