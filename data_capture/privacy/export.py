"""Stream a user's data as JSON or as a ZIP archive, with few rows in memory.

    {
      "format": "enhanced-data-capture/person/1",
      "email": "user@example.com",            the address, normalised
      "users": [{…}],                         the user's row with every column of the table;
                                              secrets are "[redacted]"
      "user_credentials": [{…}],              that there is a password, and since when
      "payment_data": [{…}], …                every table with data of the user: rows by id, a
                                              member per column
      "data_capture_audit": [{…}],            without the records of exports
      "capture_receipts": [{…}]               `confirmed` is 1 if the sender had a token, 0 for a
                                              claim
    }

Numbers are JSON numbers. Text is a JSON string, also if it contains JSON. Bytes are hexadecimal.
The document does not say when or how often it was exported, so that two exports are equal to the
byte if no data has changed. The archive contains the same document as `export.json`, one CSV file
per table (`csv_format`), and the screenshots as files; the document then has the names of these
files.
"""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from data_capture.audit import record_audit
from data_capture.capture.kinds import KINDS
from data_capture.capture.timestamps import timestamp
from data_capture.images import NotAPicture, check_picture, content_of, media_type_of
from data_capture.privacy.csv_format import BYTE_ORDER_MARK, format_line
from data_capture.privacy.tables import (
    AUDIT,
    IS_OF_USER,
    RECEIPTS,
    USERS,
    find_spellings,
    list_user_tables,
)
from data_capture.problems import NOT_FOUND, Problem
from data_capture.redaction.redact import REDACTED
from data_capture.redaction.sensitive_keys import role_of
from data_capture.store import Store
from data_capture.store.sqlite.connection import open_connection
from data_capture.store.sqlite.users import ensure_user

FORMAT = "enhanced-data-capture/person/1"
MEDIA_TYPES = {"json": "application/json", "zip": "application/zip"}
"""The forms of an export, each with its media type."""

EXPORT = "export"
"""The `capture_type` of an export's audit record."""

_BUSY_SECONDS = 5.0
_PICTURE_COLUMNS = {
    kind.table: kind.picture.picture.column for kind in KINDS.values() if kind.picture is not None
}
_EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}
_EARLIEST_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # constant, so that equal exports have equal bytes
_OWNER_ONLY = 0o600 << 16

# Table names come from schema.sql, and EXPORT is a constant.
_SELECT_BY_TABLE = {
    USERS: "SELECT * FROM users WHERE email = :email",
    RECEIPTS: (
        f"SELECT * FROM {RECEIPTS} WHERE {IS_OF_USER} "  # noqa: S608
        "ORDER BY capture_type, row_id, created_at, capture_id"
    ),
    AUDIT: (
        f"SELECT * FROM {AUDIT} WHERE {IS_OF_USER} AND capture_type <> '{EXPORT}' ORDER BY id"  # noqa: S608
    ),
}

Row = dict[str, Any]


def export_user(
    store: Store,
    email: str,
    form: str,
    *,
    source_endpoint: str,
    ip_address: str | None = None,
    user_agent: str | None = None,
) -> Iterator[bytes]:
    """Record an export in the audit trail, and return its stream.

    Args:
        store: the database.
        email: the address, normalised.
        form: one of `MEDIA_TYPES`.
        source_endpoint: the route or command that asked for it, without the user's address.
        ip_address: the caller's address.
        user_agent: the caller's user agent.

    Raises:
        Problem: 404 if there is no data of this address, 503 if the database cannot be used.
    """

    def record(connection: sqlite3.Connection) -> None:
        if not find_spellings(connection, email):
            raise Problem(NOT_FOUND, "There is no data of this address.")
        now = timestamp(datetime.now(timezone.utc))
        record_audit(
            connection,
            user_email=ensure_user(connection, email, None, now),
            capture_type=EXPORT,
            timestamp=now,
            source_endpoint=source_endpoint,
            ip_address=ip_address,
            user_agent=user_agent,
        )

    store.write(record)
    return stream_export(store.database, email, form)


def stream_export(database: Path, email: str, form: str) -> Iterator[bytes]:
    """Export a user's data without an audit record; all of it is from one snapshot.

    Raises:
        sqlite3.Error: the file cannot be read. Also after a part of the stream.
    """
    # A connection of its own, because the receiver of the stream may be slow.
    with closing(open_connection(database, _BUSY_SECONDS, read_only=True)) as connection:
        connection.text_factory = lambda text: text.decode(errors="replace")
        connection.execute("BEGIN")
        data = _UserData(connection, find_spellings(connection, email))
        if form == "zip":
            yield from _stream_archive(data, email)
        else:
            yield from _stream_document(data, email, lambda _table, row: row)


class _UserData:
    """Read a user's rows, with their values as in JSON."""

    def __init__(self, connection: sqlite3.Connection, spellings: list[str]) -> None:
        self._connection = connection
        self._spellings = spellings

    def read_rows(self, table: str) -> Iterator[Row]:
        """Read the user's rows of a table."""
        ordered = f"SELECT * FROM {table} WHERE {IS_OF_USER} ORDER BY 1"  # noqa: S608
        select = _SELECT_BY_TABLE.get(table, ordered)
        for spelling in self._spellings:
            cursor = self._connection.execute(select, {"email": spelling})
            names = [column[0] for column in cursor.description]
            for values in cursor:
                yield {
                    name: _to_json_value(table, name, value)
                    for name, value in zip(names, values, strict=True)
                }


def _to_json_value(table: str, name: str, value: Any) -> Any:
    if value is not None and table in (USERS, "user_credentials") and role_of(name) == "secret":
        return REDACTED
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and value - value != 0:  # JSON has no infinity
        return str(value)
    return value


def _list_tables() -> tuple[str, ...]:
    return (USERS, *list_user_tables(), RECEIPTS)


def _stream_document(
    data: _UserData, email: str, convert: Callable[[str, Row], Row]
) -> Iterator[bytes]:
    yield f'{{"format": {json.dumps(FORMAT)},\n"email": {json.dumps(email)}'.encode()
    for table in _list_tables():
        yield f',\n"{table}": ['.encode()
        separator = b"\n"
        for row in data.read_rows(table):
            yield separator + json.dumps(convert(table, row)).encode()
            separator = b",\n"
        yield b"]"
    yield b"}\n"


# --- The archive ----------------------------------------------------------------------------------


def _stream_archive(data: _UserData, email: str) -> Iterator[bytes]:
    buffer = _StreamBuffer()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(_make_entry("export.json"), "w") as file:
            for part in _stream_document(data, email, _replace_picture):
                file.write(part)
                yield buffer.take()
        for table in _list_tables():
            with archive.open(_make_entry(f"{table}.csv"), "w") as file:
                for line in _stream_csv(data, table):
                    file.write(line)
                    yield buffer.take()
        for table, column in _PICTURE_COLUMNS.items():
            for row in data.read_rows(table):
                name = _picture_file_name(table, row)
                if name is not None:
                    archive.writestr(_make_entry(name), content_of(row[column]))
                    yield buffer.take()
    yield buffer.take()


def _stream_csv(data: _UserData, table: str) -> Iterator[bytes]:
    yield BYTE_ORDER_MARK
    has_header = False
    for row in data.read_rows(table):
        if not has_header:
            yield format_line([*row])
            has_header = True
        yield format_line([*_replace_picture(table, row).values()])


def _replace_picture(table: str, row: Row) -> Row:
    """Replace a picture by the name of its file in the archive."""
    name = _picture_file_name(table, row)
    return row if name is None else {**row, _PICTURE_COLUMNS[table]: name}


def _picture_file_name(table: str, row: Row) -> str | None:
    """Return the name of a picture's file in the archive; None if there is none."""
    picture = row.get(_PICTURE_COLUMNS.get(table, ""))
    try:
        check_picture(picture)
    except NotAPicture:
        return None
    return f"screenshots/{table}-{row['id']}.{_EXTENSIONS[media_type_of(str(picture)) or '']}"


def _make_entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EARLIEST_ZIP_TIME)
    is_picture = name.startswith("screenshots/")  # its format is compressed already
    entry.compress_type = zipfile.ZIP_STORED if is_picture else zipfile.ZIP_DEFLATED
    entry.external_attr = _OWNER_ONLY
    return entry


class _StreamBuffer:
    """Buffer the bytes that zipfile writes until the stream takes them; not seekable."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """Do nothing; zipfile calls this."""

    def close(self) -> None:
        """Do nothing; zipfile calls this."""

    def take(self) -> bytes:
        """Return and forget the bytes since the last call."""
        parts, self._parts = self._parts, []
        return b"".join(parts)
