"""Read and update the baseline: the schema at the adoption of the database.

Before the adoption, another program may have made tables with our names and further columns, and
`users` is often another program's. Their SQL is correct although it differs from schema.sql. So the
file `schema` in trading_bots.keys/, which SQL cannot reach, has the SQL of every relevant object at
the beginning of the audit trail's chain, and after each change that a start of ours made. Nothing
else may change it: a restart must not make tampering valid.

The first line is HMAC-SHA-256, keyed with the audit key, of "schema" ‖ 0x00 ‖ the rest, in
hexadecimal. The rest is JSON: a list of states, the latest last, each a list of [type, name,
table, sql] as in sqlite_schema.
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
from data_capture.audit.schema_check import check_schema, merge_our_changes, read_schema_state
from data_capture.audit.schema_objects import SchemaObject, SchemaState

log = logging.getLogger("data_capture.audit")

_FILE_NAME = "schema"
_MAX_STATES = 20  # so backups from before this many upgrades are still valid


def baseline_file(key_file: Path) -> Path:
    """Return the path of the baseline, which is next to the audit key."""
    return key_file.with_name(_FILE_NAME)


def load_baseline(path: Path, key: bytes) -> tuple[SchemaState, ...]:
    """Return the states in the baseline, the latest last; none if there is no file.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file was changed, or was written under another key.
    """
    try:
        mac, _, text = path.read_text(encoding="ascii").partition("\n")
    except FileNotFoundError:
        return ()
    if not hmac.compare_digest(mac, _compute_mac(text, key)):
        raise ValueError(f"{path} was changed, or written under another audit key")
    return tuple(tuple(SchemaObject(*item) for item in state) for state in json.loads(text))


def read_baseline(key_file: Path, key: bytes) -> tuple[Sequence[SchemaState], str | None]:
    """Return the states in the baseline, and a sentence if it cannot be used."""
    path = baseline_file(key_file)
    try:
        return load_baseline(path, key), None
    except OSError as error:
        return (), f"The recorded schema, {path}, cannot be read: {error.strerror}."
    except (ValueError, TypeError, RecursionError):
        return (), f"The recorded schema, {path}, was changed, or written under another audit key."


def update_baseline(
    connection: sqlite3.Connection,
    database: Path,
    key: bytes,
    *,
    before: SchemaState = (),
    begins: bool = False,
) -> None:
    """Record the schema if there is no baseline yet, or if our start has changed it.

    An existing baseline gains only objects that equal those of schema.sql. Changes that others
    have made are not recorded.

    Args:
        connection: a connection to read from, which sees committed data only.
        database: the file that the connection has open.
        key: the audit key.
        before: the schema of an earlier version's database before this start changed it, which
            its backups still have.
        begins: whether a chain was begun under this key, so that the existing baseline, which was
            written under an earlier key, is void.

    Raises:
        OSError, sqlite3.Error: the schema cannot be read or recorded.
        ValueError: the existing baseline was not written by us. It stays as evidence.
    """
    path = baseline_file(audit_key_file(database))
    baseline = () if begins else load_baseline(path, key)
    now = read_schema_state(connection)
    states: tuple[SchemaState, ...]
    if not baseline:
        states = (now,) if begins or set(before) == set(now) else (before, now)
    else:
        if check_schema(connection, baseline).findings:
            log.error("The schema was tampered with. Details: python3 -m data_capture verify-audit")
        latest = merge_our_changes(baseline[-1], now)
        if set(latest) == set(baseline[-1]):
            return
        states = (*baseline, latest)
    text = json.dumps(states[-_MAX_STATES:], separators=(",", ":")) + "\n"
    _replace_file(path, f"{_compute_mac(text, key)}\n{text}")


def _compute_mac(text: str, key: bytes) -> str:
    return hmac.digest(key, b"schema\0" + text.encode("ascii"), "sha256").hex()


def _replace_file(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if os.geteuid() == 0:  # after a command under sudo, the services must still read it
            owner = path.parent.stat()
            os.chown(draft, owner.st_uid, owner.st_gid)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
