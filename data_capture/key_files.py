"""The keys of this installation, in files that only their owner can read."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# A draft is always a new file. O_NOFOLLOW: another user may have planted a link under its name.
_NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY | os.O_CLOEXEC
_OPEN_TO_OTHERS = 0o077
_WRITABLE_BY_OTHERS = 0o022

KEY_BYTES = 32  # RFC 7518 section 3.2: a key for HS256 has at least 256 bits


def keys_beside(database: Path) -> Path:
    """Return the folder of a database's keys, next to it."""
    return database.with_name(database.stem + ".keys")


class UntrustedKeysError(Exception):
    """Other users may have read or written the keys; the text says what to do."""


def check_keys_directory(database: Path) -> None:
    """Check that no other user owns the keys folder or can open it.

    A user who can write there can replace the keys that prove the audit trail, and the token that
    opens the users' data; a user who can read there can forge both. A missing folder is accepted,
    because it is made with mode 0700.

    Raises:
        UntrustedKeysError: the folder, or a file in it, cannot be trusted.
        OSError: the folder cannot be read.
    """
    directory = keys_beside(database)
    try:
        link = directory.lstat()
    except FileNotFoundError:
        return
    status = directory.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise UntrustedKeysError(
            f"{directory} is not a folder. Move it away; the next start makes the keys folder."
        )
    owners = _trusted_owners(database)
    for path, entry in ((directory, link), (directory, status), *_files_in(directory)):
        if entry.st_uid not in owners:
            raise UntrustedKeysError(
                f"{path} belongs to another user (uid {entry.st_uid}), who can read and replace "
                f"the keys. If the keys are yours: chown -R {os.geteuid()} {directory}"
            )
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OPEN_TO_OTHERS:
        raise UntrustedKeysError(
            f"Other users of this machine can open {directory} (mode {mode:04o}), which holds the "
            f"keys. Close it: chmod 700 {directory}. If another user may have read the keys, "
            "replace them."
        )


def _files_in(directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in directory.iterdir():
        with suppress(FileNotFoundError):  # the draft of a process that starts at the same time
            yield path, path.lstat()


def _trusted_owners(database: Path) -> frozenset[int]:
    """Return the users whose keys are trusted.

    This user is trusted, and if it is root, also the owner of the database.
    Root does not trust the owner in a folder where other users can write: the database may be
    planted there, with keys that its owner knows.
    """
    folder = database.parent.stat()
    if os.geteuid() != 0 or folder.st_mode & _WRITABLE_BY_OTHERS:
        return frozenset({os.geteuid()})
    return frozenset({0, database.stat().st_uid if database.exists() else folder.st_uid})


def load_or_make_key(path: Path) -> bytes:
    """Load the key from a file; at the first start, make the file and its folder.

    Raises:
        OSError: the file cannot be made or read.
        ValueError: the file has no key in it.
    """
    if not path.exists():
        keep_key(path, new_key())
    path.chmod(0o600)
    return load_key(path)


def new_key() -> bytes:
    """Make a random key."""
    return secrets.token_bytes(KEY_BYTES)


def keep_key(path: Path, key: bytes) -> None:
    """Store a key in a new private file; leave an existing file alone.

    Raises:
        OSError: the file cannot be made.
    """
    make_private_file(path, key.hex() + "\n")


def load_key(path: Path) -> bytes:
    """Load the key from a file.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file has no key in it.
    """
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) < KEY_BYTES:
        raise ValueError(
            f"{path} should hold {2 * KEY_BYTES} hexadecimal digits. Remove it, and the next start "
            "makes a new key."
        )
    return key


def open_new_file(path: Path) -> int:
    """Make a private file and return its descriptor for writing; never follow a link.

    Raises:
        OSError: the file exists already, or cannot be made.
    """
    return os.open(path, _NEW_FILE, 0o600)


def make_private_file(path: Path, text: str) -> bool:
    """Make a private file and its folder; return False if the file existed already.

    The file is linked into place once it is complete: of two processes that start at once, one
    wins, and both read the winner's file.

    Raises:
        OSError: the file cannot be made.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = open_new_file(draft)
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
