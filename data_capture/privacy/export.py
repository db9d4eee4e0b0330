"""Everything that is held on a person, as JSON or as a ZIP archive, in pieces: never more than a row or two in memory.

    {
      "format": "enhanced-data-capture/person/1",
      "email": "user@example.com",            the address, in its one spelling
      "users": [{…}],                         a row a person, with every column that the table has; what is secret is "[redacted]"
      "user_credentials": [{…}],              that there is a password, and since when
      "payment_data": [{…}], …                every table with something of the person, a member a column, rows by their ids
      "data_capture_audit": [{…}],            but for the records of exports: see below
      "capture_receipts": [{…}]               each with `confirmed`: 1 where the sender had a token, 0 for a claim
    }

Numbers are numbers, texts are texts, also those that hold JSON; bytes are hexadecimal. Nothing tells when or how often it was
exported, so that two exports are equal, to the byte, when nothing has changed in between. The archive holds the same document as
`export.json`, a CSV file a table, and the screenshots as files; their place in the document has the file's name.
"""

from __future__ import annotations

import csv
import io
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
from data_capture.privacy.tables import (
    AUDIT,
    OF_USER,
    RECEIPTS,
    USERS,
    spellings_everywhere,
    tables_of_users,
)
from data_capture.problems import NOT_FOUND, Problem
from data_capture.redaction.redact import REDACTED
from data_capture.redaction.sensitive_keys import role_of
from data_capture.store import Store
from data_capture.store.sqlite.connection import open_connection
from data_capture.store.sqlite.users import ensure_user

FORMAT = "enhanced-data-capture/person/1"
MEDIA_TYPES = {"json": "application/json", "zip": "application/zip"}
"""The forms of an export, and what each is served as."""

EXPORT = "export"
"""The `capture_type` of an export's audit record."""

_BUSY_SECONDS = 5.0
_PICTURES = {
    kind.table: kind.picture.picture.column for kind in KINDS.values() if kind.picture is not None
}
_ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}
_FORMULA = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
)  # with which a cell begins that spreadsheets run: OWASP, "CSV Injection"
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP archive can say
_MODE = 0o600 << 16

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
    """Records the export in the audit trail and returns its pieces, all of one moment.

    Args:
        store: the database.
        email: the address, normalised.
        form: one of `MEDIA_TYPES`.
        source_endpoint: what asked for it, with nothing in it that says of whom.
        ip_address: who asked.
        user_agent: with what.

    Raises:
        Problem: 404, when nothing is held on this address; 503, when the database can't be used.
    """

    def record(connection: sqlite3.Connection) -> None:
        if not spellings_everywhere(connection, email):
            raise Problem(NOT_FOUND, "Nothing is held on this address.")
        now = timestamp(datetime.now(timezone.utc))
        record_audit(connection, user_email=ensure_user(connection, email, None, now), capture_type=EXPORT, timestamp=now,
                     source_endpoint=source_endpoint, ip_address=ip_address, user_agent=user_agent)  # fmt: skip

    store.write(record)
    return pieces_of(store.database, email, form)


def pieces_of(database: Path, email: str, form: str) -> Iterator[bytes]:
    """The export of a person, without a record of it.

    Raises:
        sqlite3.Error: the file can't be read; also half-way.
    """
    # A connection of its own: whoever takes the pieces may take their time.
    with closing(open_connection(database, _BUSY_SECONDS, read_only=True)) as connection:
        connection.text_factory = lambda text: text.decode(errors="replace")
        connection.execute("BEGIN")
        held = _Held(connection, spellings_everywhere(connection, email))
        yield from (
            _archive(held, email)
            if form == "zip"
            else _document(held, email, lambda _table, row: row)
        )


def _document(held: _Held, email: str, changed: Callable[[str, Row], Row]) -> Iterator[bytes]:
    yield f'{{"format": {json.dumps(FORMAT)},\n"email": {json.dumps(email)}'.encode()
    for table in _tables():
        yield f',\n"{table}": ['.encode()
        before = b"\n"
        for row in held.rows(table):
            yield before + json.dumps(changed(table, row)).encode()
            before = b",\n"
        yield b"]"
    yield b"}\n"


def _tables() -> tuple[str, ...]:
    return (USERS, *tables_of_users(), RECEIPTS)


class _Held:
    """What is held on a person, as an export has it."""

    def __init__(self, connection: sqlite3.Connection, spellings: list[str]) -> None:
        self._connection = connection
        self._spellings = spellings

    def rows(self, table: str) -> Iterator[Row]:
        """Their rows of a table."""
        # Table names come from schema.sql.
        if table == USERS:
            select = "SELECT * FROM users WHERE email = :email"
        elif table == RECEIPTS:
            select = f"SELECT * FROM {table} WHERE {OF_USER} ORDER BY capture_type, row_id, created_at, capture_id"  # noqa: S608
        elif table == AUDIT:
            select = f"SELECT * FROM {table} WHERE user_email = :email AND capture_type <> '{EXPORT}' ORDER BY id"  # noqa: S608
        else:
            select = f"SELECT * FROM {table} WHERE user_email = :email ORDER BY 1"  # noqa: S608
        for spelling in self._spellings:
            cursor = self._connection.execute(select, {"email": spelling})
            names = [column[0] for column in cursor.description]
            for values in cursor:
                yield {
                    name: _value(table, name, value)
                    for name, value in zip(names, values, strict=True)
                }


def _value(table: str, name: str, value: Any) -> Any:
    if value is not None and table in (USERS, "user_credentials") and role_of(name) == "secret":
        return REDACTED
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and value - value != 0:  # an infinity, which JSON has no number for
        return str(value)
    return value


# --- The archive ---------------------------------------------------------------------------------------------------------


def _archive(held: _Held, email: str) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(_entry("export.json"), "w") as file:
            for piece in _document(held, email, _with_file_name):
                file.write(piece)
                yield sink.take()
        for table in _tables():
            with archive.open(_entry(f"{table}.csv"), "w") as file:
                for line in _as_csv(held, table):
                    file.write(line)
                    yield sink.take()
        for table, column in _PICTURES.items():
            for row in held.rows(table):
                name = _file_name(table, row)
                if name is not None:
                    archive.writestr(_entry(name), content_of(row[column]))
                    yield sink.take()
    yield sink.take()


def _as_csv(held: _Held, table: str) -> Iterator[bytes]:
    """RFC 4180, in UTF-8; a text that a spreadsheet would run gets an apostrophe before it."""
    names: list[str] = []
    for row in held.rows(table):
        if not names:
            names = list(row)
            yield _csv_line(names)
        yield _csv_line([_cell(value) for value in _with_file_name(table, row).values()])


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _csv_line(values: list[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue().encode()


def _with_file_name(table: str, row: Row) -> Row:
    name = _file_name(table, row)
    return row if name is None else {**row, _PICTURES[table]: name}


def _file_name(table: str, row: Row) -> str | None:
    """The name of the file that a row's picture is in the archive; None where there is none, or something else in its place."""
    given = row.get(_PICTURES.get(table, ""))
    try:
        check_picture(given)
    except NotAPicture:
        return None
    return f"screenshots/{table}-{row['id']}.{_ENDINGS[media_type_of(str(given)) or '']}"


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _NO_TIME)
    entry.compress_type = (
        zipfile.ZIP_STORED if name.startswith("screenshots/") else zipfile.ZIP_DEFLATED
    )
    entry.external_attr = _MODE
    return entry


class _Sink:
    """Takes what the archive writes, a piece at a time; it can't be gone back in."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nor is anything open."""

    def take(self) -> bytes:
        """What was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
