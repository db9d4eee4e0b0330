"""Check the database after the faults: find lost and duplicated captures and other faults."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from data_capture.audit.append import audit_key_file
from data_capture.audit.head import read_head_file
from data_capture.audit.verify import verify
from data_capture.key_files import load_key
from tests.faults.senders import KINDS

# The expression that selects the mark of a capture from its row.
_MARKS = {
    "payment": "transaction_id",
    "questionnaire": "prop_firm",
    "dashboard": "json_extract(trading_state, '$.mark')",
    "activity": "activity_type",
}


@dataclass
class Report:
    """The result of a check: `lost` and `duplicated` are capture_ids, `faults` are sentences."""

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not (self.lost or self.duplicated or self.faults)


def check_database(
    database: Path, acknowledged: Mapping[str, tuple[str, int]], sent: Collection[str]
) -> Report:
    """Compare the database with the acknowledged captures and with all sent ones.

    Args:
        database: the file.
        acknowledged: the kind and the row's id of each acknowledged capture, by capture_id.
        sent: the capture_ids of all captures.

    A capture is stored if it has its row, its audit record and its receipt.
    """
    report = Report()
    with closing(sqlite3.connect(database)) as connection:
        for check, expected in (("integrity_check", [("ok",)]), ("foreign_key_check", [])):
            found = connection.execute(f"PRAGMA {check}").fetchall()
            if found != expected:
                report.faults.append(f"{check}: {found[:3]}")
        audit = verify(
            connection,
            load_key(audit_key_file(database)),
            read_head_file(database),
            lambda *_: None,
        )
        if audit.tampering is not None:
            report.faults.append(f"audit record {audit.tampering.audit_id} {audit.tampering.what}")
        marks = connection.execute(
            "SELECT json_extract(data_snapshot, '$.mark') FROM data_capture_audit"
        )
        audited = Counter(mark for (mark,) in marks)
        receipts = {
            capture_id: (kind, row_id)
            for capture_id, kind, row_id in connection.execute(
                "SELECT capture_id, capture_type, row_id FROM capture_receipts"
            )
        }
        stored: dict[str, list[tuple[str, int]]] = {}
        for kind, (_, table) in KINDS.items():
            query = f"SELECT id, {_MARKS[kind]} FROM {table}"  # noqa: S608
            for row_id, mark in connection.execute(query):
                stored.setdefault(mark, []).append((kind, row_id))
    for capture_id, row in acknowledged.items():
        if (
            row not in stored.get(capture_id, ())
            or capture_id not in audited
            or receipts.get(capture_id) != row
        ):
            report.lost.append(capture_id)
    report.duplicated = [mark for mark, rows in stored.items() if len(rows) > 1]
    report.duplicated += [
        mark for mark, count in audited.items() if count > 1 and mark not in report.duplicated
    ]
    if not set(audited) == set(receipts) == set(stored):
        report.faults.append(
            f"{len(stored)} captures have rows, {len(audited)} audit records, "
            f"{len(receipts)} receipts"
        )
    unknown = set(stored) - set(sent)
    if unknown:
        report.faults.append(f"{len(unknown)} stored captures were never sent")
    return report
