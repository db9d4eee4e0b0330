"""Keys that this installation makes for itself and keeps in files beside its database."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

KEY_BYTES = 32  # RFC 7518 section 3.2: a key for HS256 has the hash's size, 256 bits, or more


def load_or_make_key(path: Path) -> bytes:
    """The key in the file at `path`; at the first start it is made, with its folder, for its owner's eyes only.

    Raises:
        OSError: the file can't be made or read.
        ValueError: the file holds no key.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        # Linked into place when it is complete: of two processes that start at once, one wins, and both read the winner's.
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(KEY_BYTES) + "\n")
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
    path.chmod(0o600)
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) < KEY_BYTES:
        raise ValueError(f"{path} should hold {2 * KEY_BYTES} hexadecimal digits. Remove it, and a new key is made.")
    return key
