"""Recognise a database file by its header, without opening it with SQLite."""

from __future__ import annotations

from pathlib import Path

DATABASE_HEADER = b"SQLite format 3\x00"  # sqlite.org/fileformat2.html, section 1.3.1


def read_header(path: Path) -> bytes:
    """Return the first bytes of a file, to be compared with `DATABASE_HEADER`.

    Raises:
        OSError: the file is missing or can't be read.
    """
    with path.open("rb") as file:
        return file.read(len(DATABASE_HEADER))


def is_database_file(path: Path) -> bool:
    """Return whether the path is a file that begins as SQLite's files do."""
    return path.is_file() and read_header(path) == DATABASE_HEADER
