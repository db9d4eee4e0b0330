"""The note of the schema: what a database was adopted with, in a file that SQL can't reach.

Another program may have made tables of our names, with further columns, before it was adopted,
and `users` is often another program's. Their SQL is right although schema.sql has another. So the
file `schema` in trading_bots.keys/ holds the SQL of every object that concerns us, as it was when
the audit trail's chain began, and after each change that a start of ours made. Nothing else may
change it: a restart must not make tampering good.

The first line is HMAC-SHA-256, the audit key its key, of "schema" ‖ 0x00 ‖ the rest, in
hexadecimal. The rest is JSON: a list of states, the latest last, each a list of [type, name,
table, sql] as sqlite_schema has them.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import secrets
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from data_capture.audit.append import audit_key_file
from data_capture.audit.schema_check import check_schema, read_schema_state, state_after_our_changes
from data_capture.audit.schema_objects import SchemaObject, SchemaState

log = logging.getLogger("data_capture.audit")

_FILE_NAME = "schema"
_MAX_STATES = 20  # backups of before an upgrade are known for as many upgrades


def baseline_file(key_file: Path) -> Path:
    """Return where the note lies: beside the audit key."""
    return key_file.with_name(_FILE_NAME)


def load_baseline(path: Path, key: bytes) -> tuple[SchemaState, ...]:
    """Return the states that are noted, the latest last; none where there is no note.

    Raises:
        OSError: the file can't be read.
        ValueError: it is not as it was written, or was written under another key.
    """
    try:
        said, _, text = path.read_text(encoding="ascii").partition("\n")
    except FileNotFoundError:
        return ()
    if not hmac.compare_digest(said, _code(text, key)):
        raise ValueError(f"{path} was changed, or written under another audit key")
    return tuple(tuple(SchemaObject(*item) for item in state) for state in json.loads(text))


def update_baseline(
    connection: sqlite3.Connection,
    database: Path,
    key: bytes,
    *,
    before: SchemaState = (),
    begins: bool = False,
) -> None:
    """Note what the database consists of, where there is no note yet or we have changed it.

    A note that is there gains only what is as schema.sql has it. What someone else has changed is
    not noted.

    Args:
        connection: to read from; what it sees is committed.
        database: what it has open.
        key: the audit key.
        before: what a database of an earlier version consisted of before this start changed it:
            its backups still do.
        begins: whether a chain was begun under this key, so that a note under an earlier key
            counts no more.

    Raises:
        OSError, sqlite3.Error: it can't be done.
        ValueError: the note was not written by us; it is left as the proof of that.
    """
    path = baseline_file(audit_key_file(database))
    noted = () if begins else load_baseline(path, key)
    now = read_schema_state(connection)
    if noted and check_schema(connection, noted).findings:
        log.error("The schema was tampered with: python3 -m data_capture verify-audit tells more")
    if noted:
        latest = state_after_our_changes(noted[-1], now)
        if set(latest) == set(noted[-1]):
            return
        states = (*noted, latest)
    else:
        states = (now,) if begins or set(before) == set(now) else (before, now)
    text = json.dumps(states[-_MAX_STATES:], separators=(",", ":")) + "\n"
    _write(path, f"{_code(text, key)}\n{text}")


def _code(text: str, key: bytes) -> str:
    return hmac.digest(key, b"schema\0" + text.encode("ascii"), "sha256").hex()


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if os.geteuid() == 0:  # a command under sudo: the services must be able to read it
            owner = path.parent.stat()
            os.chown(draft, owner.st_uid, owner.st_gid)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def read_baseline(key_file: Path, key: bytes) -> tuple[Sequence[SchemaState], str | None]:
    """Return the states noted beside a key, and a sentence where the note can't be used."""
    path = baseline_file(key_file)
    try:
        return load_baseline(path, key), None
    except OSError as error:
        return (), f"The note of the schema, {path}, can't be read: {error.strerror}."
    except (ValueError, TypeError, RecursionError):
        return (
            (),
            f"The note of the schema, {path}, was changed, or written under another audit key.",
        )
