"""Import a file of history: in groups, once, and with a report of what was left out."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

from data_capture.capture.parse import Caller, Capture
from data_capture.cli.errors import CommandError
from data_capture.cli.formatting import format_count
from data_capture.cli.import_lines import FileFormat, Line, read_lines
from data_capture.cli.import_rows import RowError, RowReader
from data_capture.cli.opened_store import open_store
from data_capture.cli.progress import Progress
from data_capture.key_files import open_new_file
from data_capture.problems import GONE, UNAVAILABLE, Problem
from data_capture.settings import Settings
from data_capture.store import Store
from data_capture.store.sqlite.captures import RecordCapture
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.receipts import STORED, Receipt, find_receipt, replay_receipt
from data_capture.store.sqlite.stored_emails import find_stored_email
from data_capture.store.sqlite.tombstones import reject_erased_capture

SOURCE = "python3 -m data_capture import"
"""The `source_endpoint` of the audit records."""

_GROUP_LINES = 100
_GROUP_CHARACTERS = 8_000_000  # of snapshots; bounds the memory of lines with screenshots
_MAX_ATTEMPTS = 5  # of a group, while another program holds the database
_WAIT_SECONDS = 1.0
_CHANGED = "a line with this key was imported before, with other values"
_MAX_SHOWN = 20  # rejected lines, and fields with warnings
_MAX_FIELDS = 1_000  # that are counted; a stranger's file may name any number

_Outcome = Receipt | Exception


class _Parsed(NamedTuple):
    line: int
    capture: Capture


def import_file(
    path: Path,
    file_format: FileFormat,
    reader: RowReader,
    settings: Settings,
    progress: Progress,
    *,
    dry_run: bool,
) -> int:
    """Import a file, print a report, and return the exit status: 1 if a line was rejected.

    Raises:
        CommandError: the file or the database can't be used. What was stored until then remains,
            and the next run continues there.
    """
    report = _Report(None if dry_run else path.with_name(f"{path.name}.rejected"))
    with path.open("rb") as file, open_store(settings) as store, report:
        lines = _show_progress(read_lines(file, path, file_format), file, progress)
        for group in _groups(lines, reader, settings, report):
            captures = [parsed.capture for parsed in group]
            outcomes = _preview(store, captures) if dry_run else _store(store, captures)
            for parsed, outcome in zip(group, outcomes, strict=True):
                report.add(parsed.line, parsed.capture, outcome)
    progress.clear()
    report.show(path, dry_run=dry_run)
    return 1 if report.counts["rejected"] else 0


def _show_progress(lines: Iterator[Line], file: BinaryIO, progress: Progress) -> Iterator[Line]:
    size_bytes = os.fstat(file.fileno()).st_size
    for line in lines:
        progress.bar(
            "Importing", file.tell(), size_bytes, unit="bytes", item=f"line {line.number:,}"
        )
        yield line


def _groups(
    lines: Iterator[Line], reader: RowReader, settings: Settings, report: _Report
) -> Iterator[list[_Parsed]]:
    """Parse lines, and yield the captures of some of them at a time."""
    group: list[_Parsed] = []
    characters = 0
    is_checked = False
    for line in lines:
        if not is_checked and line.problem is None:
            reader.check_columns(line)
            is_checked = True
        caller = Caller(
            SOURCE, None, None, datetime.now(timezone.utc), is_confirmed=True, may_backdate=True
        )
        try:
            capture = reader.read(line, caller, settings.placeholder_emails)
        except RowError as error:
            report.reject(line.number, str(error))
            continue
        group.append(_Parsed(line.number, capture))
        characters += len(capture.snapshot) + sum(
            len(value) for value in capture.values if isinstance(value, str)
        )
        if len(group) >= _GROUP_LINES or characters > _GROUP_CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group


def _store(store: Store, captures: list[Capture]) -> list[_Outcome]:
    """Store captures in one commit; wait while another program holds the database."""
    jobs = [RecordCapture(capture) for capture in captures]
    size_bytes = sum(2 * len(capture.snapshot) for capture in captures)
    for _ in range(_MAX_ATTEMPTS):
        outcomes = store.write_together(jobs, size_bytes)
        busy = [one for one in outcomes if _is_unavailable(one)]
        if not busy:
            return outcomes
        time.sleep(_WAIT_SECONDS)
    raise CommandError(
        f"{busy[0]} The lines before were imported. Run the command again to import the rest."
    )


def _is_unavailable(outcome: _Outcome) -> bool:
    return isinstance(outcome, Problem) and outcome.problem_type is UNAVAILABLE


def _preview(store: Store, captures: list[Capture]) -> list[_Outcome]:
    """Return what storing captures would give, as far as that is known without storing them."""

    def look_up(connection: StoreConnection) -> list[_Outcome]:
        return [_preview_one(connection, capture) for capture in captures]

    return store.read(look_up)


def _preview_one(connection: StoreConnection, capture: Capture) -> _Outcome:
    try:
        stored_email = find_stored_email(connection, capture.user_email)
        found = stored_email and find_receipt(connection, stored_email, capture.capture_id)
        if found:
            return replay_receipt(found, capture, connection.receipt_key)
        reject_erased_capture(connection, capture)
    except Problem as problem:
        return problem
    return Receipt(0, STORED, replayed=False)


class _Report:
    """Count what became of the lines, and write the rejected ones to a file.

    Args:
        rejected_file: is replaced if a line is rejected; None for no file.
    """

    def __init__(self, rejected_file: Path | None) -> None:
        self.counts: Counter[str] = Counter()
        self._warnings: Counter[str] = Counter()
        self._messages: dict[str, str] = {}
        self._rejected: list[str] = []
        self._rejected_file = rejected_file
        self._stream: TextIO | None = None

    def __enter__(self) -> _Report:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def add(self, line: int, capture: Capture, outcome: _Outcome) -> None:
        """Count a line that was parsed."""
        if isinstance(outcome, Problem):
            if outcome.problem_type is GONE:
                self.counts["erased"] += 1
            is_changed = any(error.field == "capture_id" for error in outcome.errors or ())
            self.reject(line, _CHANGED if is_changed else outcome.detail)
            return
        if isinstance(outcome, Exception):
            raise outcome
        if outcome.replayed:
            self.counts["imported before"] += 1
        else:
            self.counts["stored" if outcome.outcome == STORED else "unchanged"] += 1
        if capture.claimed_at is None:
            self._warn("capture_timestamp", "is missing, so the time of the import was stored")
        for warning in capture.warnings:
            self._warn(warning.field, warning.message)

    def reject(self, line: int, reason: str) -> None:
        """Count a rejected line, and write down why."""
        self.counts["rejected"] += 1
        text = f"line {line}: {reason.rstrip('.')}"
        if len(self._rejected) < _MAX_SHOWN:
            self._rejected.append(text)
        if self._rejected_file is not None:
            if self._stream is None:
                self._rejected_file.unlink(missing_ok=True)
                self._stream = os.fdopen(open_new_file(self._rejected_file), "w", encoding="utf-8")
            print(text, file=self._stream)

    def show(self, path: Path, *, dry_run: bool) -> None:
        """Print the report."""
        names = ("stored", "unchanged", "imported before", "rejected")
        counts = ", ".join(f"{self.counts[name]:,} {name}" for name in names)
        lines = format_count(sum(self.counts[name] for name in names), "line")
        print(f"{path}: {lines}: {counts}." + (" Nothing was changed." if dry_run else ""))
        if self.counts["erased"]:
            print(f"{self.counts['erased']:,} of the rejected are of erased users.")
        if self._warnings:
            print("Stored with warnings:")
        for field, number in self._warnings.most_common(_MAX_SHOWN):
            print(f"  {field}: {format_count(number, 'line')}, such as: {self._messages[field]}")
        if self._rejected:
            print("Rejected:")
        for text in self._rejected:
            print(f"  {text}")
        if self._stream is not None:
            print(f"All rejected lines are in {self._rejected_file}.")
        elif self.counts["rejected"] > len(self._rejected):
            print(f"  … and {self.counts['rejected'] - len(self._rejected):,} more")

    def _warn(self, field: str, message: str) -> None:
        if field in self._messages or len(self._messages) < _MAX_FIELDS:
            self._warnings[field] += 1
            self._messages.setdefault(field, message)
