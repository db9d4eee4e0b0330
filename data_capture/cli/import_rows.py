"""From a line of an imported file to a capture: columns, times and capture ids."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from data_capture.capture.converters import is_absent
from data_capture.capture.field_lookup import normalise_name
from data_capture.capture.kinds import Kind
from data_capture.capture.parse import Caller, Capture, parse_capture
from data_capture.capture.timestamps import parse_with_zone
from data_capture.capture.user_fields import EMAIL_ALIASES
from data_capture.cli.errors import CommandError
from data_capture.cli.import_lines import Line
from data_capture.json_codec import MAX_BYTES, JsonObject, decode_json_object, encode_json
from data_capture.problems import Problem

_TIME, _ID = "capture_timestamp", "capture_id"
_TIME_NAMES = ("capturetimestamp", "createdat")  # the preferred one first
_ID_CHARACTERS = 32  # 128 bits
# Digits could look like a card number, which is not accepted in a capture_id.
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


class RowError(Exception):
    """A line can't be imported; the text says why."""


class RowReader:
    """Turn lines into captures.

    Args:
        kind: of the captures.
        pairs: what columns are, as `COLUMN=FIELD`.
        mapping_file: a file with more of them, as a JSON object.
        key: the column that identifies a line; None for all columns.
        time_format: the notation of times, for `datetime.strptime`; None for the usual ones.
        time_zone: the name of the zone of times that state none; None for UTC.

    Raises:
        CommandError: an argument can't be used.
    """

    def __init__(
        self,
        kind: Kind,
        pairs: Sequence[str],
        mapping_file: Path | None,
        *,
        key: str | None = None,
        time_format: str | None = None,
        time_zone: str | None = None,
    ) -> None:
        self.kind = kind
        self._mapping = _read_mapping(kind, pairs, mapping_file)
        self._key = key
        self._time_format = time_format
        self._time_zone = _find_zone(time_zone)
        self._occurrences = _Occurrences()

    def check_columns(self, line: Line) -> None:
        """Check that the first line has the columns that the arguments name.

        Raises:
            CommandError: a column is missing.
        """
        for column in (*self._mapping, self._key):
            if column is not None and _find(line.members, column) is _MISSING:
                columns = ", ".join(line.members)
                raise CommandError(f"There is no column {column!r}. The columns are: {columns}.")

    def read(self, line: Line, caller: Caller, placeholder_emails: tuple[str, ...]) -> Capture:
        """Return the capture of a line.

        Raises:
            RowError: the line can't be imported.
        """
        if line.problem is not None:
            raise RowError(line.problem)
        payload = self._rename_columns(line.members)
        self._set_time(payload)
        payload[_ID] = self._make_id(line.members, payload)
        try:
            capture = parse_capture(self.kind, payload, caller, placeholder_emails)
        except Problem as problem:
            raise RowError(problem.detail) from problem
        if len(capture.snapshot) > MAX_BYTES:
            raise RowError(f"it is larger than {MAX_BYTES:,} bytes without its pictures")
        for warning in capture.warnings:
            # Stored as now, the line would move into this month, and could not be corrected.
            if normalise_name(warning.field.rpartition(".")[2]) == _TIME_NAMES[0]:
                raise RowError(f"its time {warning.message.partition(',')[0]}")
        return capture

    def _rename_columns(self, members: JsonObject) -> JsonObject:
        """Return the members under the names of their fields; those of mapped columns win."""
        renamed = {
            field: value
            for column, field in self._mapping.items()
            if (value := _find(members, column)) is not _MISSING
        }
        mapped = {normalise_name(field) for field in renamed}
        for column, value in members.items():
            if column not in self._mapping:
                is_taken = normalise_name(column) in mapped
                renamed[f"unmapped {column}" if is_taken else column] = value
        return renamed

    def _set_time(self, payload: JsonObject) -> None:
        """Put the time of a line, such as its `created_at`, in the place of a capture's time."""
        keys = {normalise_name(key): key for key in reversed(payload)}
        key = next((keys[name] for name in _TIME_NAMES if name in keys), None)
        if key is None or is_absent(payload[key]):
            return
        time = payload[key]
        if self._time_format is not None:
            try:
                time = datetime.strptime(str(time).strip(), self._time_format).isoformat()
            except ValueError as error:
                raise RowError(f"its time is not in the format {self._time_format}") from error
        if self._time_zone is not None:
            moment = parse_with_zone(time)
            if moment is not None and moment.tzinfo is None:
                time = moment.replace(tzinfo=self._time_zone).isoformat()
        payload[_TIME] = time

    def _make_id(self, members: JsonObject, payload: JsonObject) -> Any:
        """Return a line's capture_id, which is the same in each run."""
        if self._key is None and not is_absent(payload.get(_ID)):
            return payload[_ID]
        if self._key is not None:
            key = _find(members, self._key)
            if key is _MISSING or is_absent(key):
                raise RowError(f"it has no value in the column {self._key!r}")
            basis = f"key {encode_json(key, sort_keys=True)}"
        else:
            content = encode_json(members, sort_keys=True)
            basis = f"line {self._occurrences.count(content)} {content}"
        digest = hashlib.sha256(f"{self.kind.name} {basis}".encode()).hexdigest()
        return f"import-{digest[:_ID_CHARACTERS].translate(_LETTERS)}"


class _Occurrences:
    """Count how often a text occurred, in a temporary file if there are many."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(
            "CREATE TABLE seen (digest BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID"
        )
        self._database.execute("BEGIN")

    def count(self, text: str) -> int:
        """Count a text once more, and return how often it has occurred."""
        digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
        found = self._database.execute("SELECT number FROM seen WHERE digest = ?", (digest,))
        (number,) = found.fetchone() or (0,)
        self._database.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", (digest, number + 1))
        return int(number) + 1


_MISSING = object()


def _find(members: JsonObject, column: str) -> Any:
    """Find a column's value; in JSON, `customer.email` is a member of a member."""
    if column in members:
        return members[column]
    outer, _, inner = column.partition(".")
    if inner and isinstance(members.get(outer), dict):
        return _find(members[outer], inner)
    return _MISSING


def _read_mapping(kind: Kind, pairs: Sequence[str], mapping_file: Path | None) -> dict[str, str]:
    """Return the fields of columns, by column."""
    mapping: dict[str, str] = {}
    if mapping_file is not None:
        try:
            mapping = decode_json_object(mapping_file.read_bytes())
        except Problem as problem:
            raise CommandError(f"{mapping_file} can't be used: {problem.detail}") from problem
    for pair in pairs:
        column, _, field = pair.rpartition("=")
        if not column or not field:
            raise CommandError(f"--map takes COLUMN=FIELD, not {pair!r}.")
        mapping[column] = field
    known = _known_fields(kind)
    for column, field in mapping.items():
        if not isinstance(field, str) or _normalise_path(field) not in known:
            names = ", ".join(["user_email", _TIME, _ID, *(one.column for one in kind.fields)])
            raise CommandError(f"There is no field {field!r} for {column!r}. Fields are: {names}.")
    mapping = {
        column: _TIME if normalise_name(field) in _TIME_NAMES else field
        for column, field in mapping.items()
    }
    counted = Counter(map(_normalise_path, mapping.values()))
    for field in mapping.values():
        if counted[_normalise_path(field)] > 1:
            raise CommandError(f"Two columns are mapped to {field}.")
    return mapping


def _known_fields(kind: Kind) -> set[str]:
    """Return the normalised names and paths of all fields of a kind."""
    names = [name for one in kind.parsed_fields for name in (one.column, *one.aliases)]
    names += [".".join(path) for _, path in EMAIL_ALIASES.from_top]
    known = {_normalise_path(name.lstrip(".")) for name in names if "*" not in name}
    return known | {*_TIME_NAMES, normalise_name(_ID)}


def _normalise_path(path: str) -> str:
    return ".".join(map(normalise_name, path.split(".")))


def _find_zone(name: str | None) -> ZoneInfo | None:
    try:
        return None if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CommandError(f"There is no time zone {name!r} on this machine.") from error
