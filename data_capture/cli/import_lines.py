"""Read the lines of a file to import: CSV, or one JSON object per line."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from data_capture.cli.errors import CommandError
from data_capture.json_codec import MAX_BYTES_WITH_SCREENSHOT, JsonObject, decode_json_object
from data_capture.problems import Problem

MAX_LINE_CHARACTERS = MAX_BYTES_WITH_SCREENSHOT
_DELIMITERS = (",", ";", "\t", "|")
_UNDECODABLE = re.compile("[\ud800-\udfff]")
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class FileFormat(NamedTuple):
    """How to read a file; None is found out from its content."""

    name: str | None
    delimiter: str | None
    encoding: str


class Line(NamedTuple):
    """One line of data; `problem` says why it can't be read."""

    number: int
    """Where it begins in the file, counted from 1."""
    members: JsonObject
    problem: str | None = None


def read_lines(file: BinaryIO, path: Path, file_format: FileFormat) -> Iterator[Line]:
    """Read a file, one line of data after the other.

    Raises:
        CommandError: the file can't be read at all.
    """
    beginning = file.read(2)
    file.seek(0)
    if beginning in _UTF16_MARKS and file_format.encoding == "utf-8":
        raise CommandError(f"{path} is UTF-16. Add --encoding utf-16, or save it as UTF-8.")
    lines = _TextLines(file, path, file_format.encoding)
    if lines.first is None:
        raise CommandError(f"{path} is empty.")
    name = file_format.name or ("jsonl" if lines.first.lstrip().startswith(("{", "[")) else "csv")
    if name == "jsonl":
        if lines.first.lstrip().startswith("["):
            raise CommandError(
                f"{path} is one JSON array. Write each object in a line: jq -c '.[]' FILE"
            )
        return _read_json_lines(lines)
    return _read_csv(lines, path, file_format.delimiter)


class _TextLines:
    """Iterate over the lines of a text, and count them.

    Line ends inside quotes are preserved. Bytes that can't be decoded become lone surrogates.
    """

    def __init__(self, file: BinaryIO, path: Path, encoding: str) -> None:
        try:
            self._text = io.TextIOWrapper(
                file,
                "utf-8-sig" if encoding == "utf-8" else encoding,
                errors="surrogateescape",
                newline="",
            )
        except LookupError as error:
            raise CommandError(f"There is no encoding {encoding}.") from error
        self._path = path
        self.number = 0
        self.first: str | None = None
        self.first = next(self, None)
        self._is_first_pending = self.first is not None

    def __iter__(self) -> _TextLines:
        return self

    def __next__(self) -> str:
        """Return the next line.

        Raises:
            csv.Error: it is too long; the line after it is next.
        """
        if self.first is not None and self._is_first_pending:
            self._is_first_pending = False
            return self.first
        line = self._read()
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) < MAX_LINE_CHARACTERS:
            return line
        while line and not line.endswith(("\n", "\r")):
            line = self._read()
        raise csv.Error(f"it is longer than {MAX_LINE_CHARACTERS:,} characters")

    def _read(self) -> str:
        try:
            return self._text.readline(MAX_LINE_CHARACTERS)
        except UnicodeError as error:
            raise CommandError(f"{self._path} can't be decoded: {error}.") from error

    @property
    def next_number(self) -> int:
        """The number of the next line."""
        return self.number if self._is_first_pending else self.number + 1


def _read_json_lines(lines: _TextLines) -> Iterator[Line]:
    while True:
        number = lines.next_number
        try:
            text = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            yield Line(number, {}, str(error))
            continue
        if not text.strip():
            continue
        if _UNDECODABLE.search(text):
            yield Line(number, {}, "it is not UTF-8")
            continue
        try:
            yield Line(number, decode_json_object(text.encode()))
        except Problem as problem:
            yield Line(number, {}, problem.detail)


def _read_csv(lines: _TextLines, path: Path, delimiter: str | None) -> Iterator[Line]:
    csv.field_size_limit(MAX_LINE_CHARACTERS)
    first = lines.first or ""
    if first.lower().startswith("sep=") and len(first.strip()) <= len("sep=;"):  # for Excel
        delimiter = delimiter or first.strip()[len("sep=") :] or None
        next(lines)
        header_text = ""
    else:
        header_text = first
    try:
        reader = csv.reader(
            lines, delimiter=delimiter or _guess_delimiter(header_text), strict=True
        )
    except TypeError as error:
        raise CommandError("A delimiter is one character.") from error
    header = _read_header(reader, path)
    while True:
        number = lines.next_number
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Line(number, {}, f"it is not CSV: {error}")
            continue
        if any(cells):
            yield _to_line(number, header, cells)


def _to_line(number: int, header: list[str], cells: list[str]) -> Line:
    if any(map(_UNDECODABLE.search, cells)):
        return Line(number, {}, "it is not in the file's encoding")
    while len(cells) > len(header) and not cells[-1]:  # Excel ends some lines with delimiters
        cells.pop()
    if len(cells) != len(header):
        return Line(number, {}, f"it has {len(cells)} cells, and the header has {len(header)}")
    return Line(number, dict(zip(header, cells, strict=True)))


def _guess_delimiter(header: str) -> str:
    """Return the delimiter that gives the most columns."""
    return max(_DELIMITERS, key=lambda one: len(next(csv.reader([header], delimiter=one), [])))


def _read_header(reader: Iterator[list[str]], path: Path) -> list[str]:
    try:
        names = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise CommandError(f"The header of {path} is not CSV: {error}.") from error
    if any(map(_UNDECODABLE.search, names)):
        raise CommandError(
            f"The header of {path} is not UTF-8. Name its encoding, such as "
            "--encoding windows-1252, or save the file as 'CSV UTF-8'."
        )
    while names and not names[-1]:
        names.pop()
    header = [name or f"column {number}" for number, name in enumerate(names, start=1)]
    repeated = {name for name in header if header.count(name) > 1}
    if repeated or not header:
        found = f"the column {min(repeated)!r} twice" if repeated else "no columns"
        raise CommandError(f"The header of {path} has {found}.")
    return header
