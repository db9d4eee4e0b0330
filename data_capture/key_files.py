"""Keys that this installation makes for itself and keeps in files beside its database."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# A draft is always a new file. O_NOFOLLOW: not even its name may be a link that another user planted.
_NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY | os.O_CLOEXEC
_OPEN_TO_OTHERS = 0o077
_WRITABLE_BY_OTHERS = 0o022

KEY_BYTES = 32  # RFC 7518 section 3.2: a key for HS256 has the hash's size, 256 bits, or more


def keys_beside(database: Path) -> Path:
    """The folder of this database's secrets, each in a file that only its owner can read."""
    return database.with_name(database.stem + ".keys")


class UntrustedKeysError(Exception):
    """The keys folder may have been read or written by other users; the text says what to do."""


def check_keys_directory(database: Path) -> None:
    """Refuse a keys folder that another user owns, or that other users can open.

    Whoever can write there decides which keys prove the audit trail and which token opens the users' data; whoever can
    read there can forge both. A missing folder is fine: it is made with mode 0700.

    Raises:
        UntrustedKeysError: the folder, or a file in it, cannot be trusted.
        OSError: it cannot be looked at.
    """
    directory = keys_beside(database)
    try:
        link = directory.lstat()
    except FileNotFoundError:
        return
    status = directory.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise UntrustedKeysError(
            f"{directory} is not a folder. Move it away; the keys folder is made at the start."
        )
    owners = _trusted_owners(database)
    for path, one in ((directory, link), (directory, status), *_files_in(directory)):
        if one.st_uid not in owners:
            raise UntrustedKeysError(
                f"{path} belongs to another user (uid {one.st_uid}), who can read and replace the keys. "
                f"If the keys are yours: chown -R {os.geteuid()} {directory}"
            )
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OPEN_TO_OTHERS:
        raise UntrustedKeysError(
            f"Other users of this machine can open {directory} (mode {mode:04o}), which holds the keys. "
            f"Close it: chmod 700 {directory}. If another user may have read the keys, replace them."
        )


def _files_in(directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in directory.iterdir():
        with suppress(FileNotFoundError):  # the draft of a process that starts at the same time
            yield path, path.lstat()


def _trusted_owners(database: Path) -> frozenset[int]:
    """Return the users whose keys are trusted: this one, and for the superuser also the database's owner.

    Not where anyone may put files: a database there may be planted, with keys that its owner knows.
    """
    folder = database.parent.stat()
    if os.geteuid() != 0 or folder.st_mode & _WRITABLE_BY_OTHERS:
        return frozenset({os.geteuid()})
    return frozenset({0, database.stat().st_uid if database.exists() else folder.st_uid})


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
        raise ValueError(
            f"{path} should hold {2 * KEY_BYTES} hexadecimal digits. Remove it, and a new key is made."
        )
    return key


def open_new_file(path: Path) -> int:
    """Make a file that only its owner can read, and return its descriptor for writing; never follow a link.

    Raises:
        OSError: the file is there already, or cannot be made.
    """
    return os.open(path, _NEW_FILE, 0o600)


def make_private_file(path: Path, text: str) -> bool:
    """Makes the file, with its folder, for its owner's eyes only; whether it did, or one was there already.

    It is linked into place when it is complete: of two processes that start at once, one wins, and both read the winner's.

    Raises:
        OSError: the file can't be made.
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
