"""What the database file says after the faults: what of the acknowledged is lost, what is there twice, what is unsound."""

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

# Where a row has the mark of its capture.
_MARKS = {
    "payment": "transaction_id",
    "questionnaire": "prop_firm",
    "dashboard": "json_extract(trading_state, '$.mark')",
    "activity": "activity_type",
}


@dataclass
class Verdict:
    """`lost` and `twice` are capture_ids; `unsound` is everything else that is not as it has to be, in sentences."""

    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    unsound: list[str] = field(default_factory=list)

    @property
    def all_held(self) -> bool:
        return not (self.lost or self.twice or self.unsound)


def examine(
    database: Path, acknowledged: Mapping[str, tuple[str, int]], sent: Collection[str]
) -> Verdict:
    """Compares the file with what was acknowledged, each with its kind and row id, and with all that was sent.

    A capture is there when it has its row, its audit record and its receipt.
    """
    verdict = Verdict()
    with closing(sqlite3.connect(database)) as connection:
        for check, sound in (("integrity_check", [("ok",)]), ("foreign_key_check", [])):
            found = connection.execute(f"PRAGMA {check}").fetchall()
            if found != sound:
                verdict.unsound.append(f"{check}: {found[:3]}")
        audit = verify(
            connection,
            load_key(audit_key_file(database)),
            read_head_file(database),
            lambda *_: None,
        )
        if audit.tampering is not None:
            verdict.unsound.append(
                f"audit record {audit.tampering.audit_id} {audit.tampering.what}"
            )
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
            for row_id, mark in connection.execute(f"SELECT id, {_MARKS[kind]} FROM {table}"):  # noqa: S608
                stored.setdefault(mark, []).append((kind, row_id))
    for capture_id, answer in acknowledged.items():
        if (
            answer not in stored.get(capture_id, ())
            or capture_id not in audited
            or receipts.get(capture_id) != answer
        ):
            verdict.lost.append(capture_id)
    verdict.twice = [mark for mark, rows in stored.items() if len(rows) > 1]
    verdict.twice += [
        mark for mark, count in audited.items() if count > 1 and mark not in verdict.twice
    ]
    if not set(audited) == set(receipts) == set(stored):
        verdict.unsound.append(
            f"{len(stored)} captures have rows, {len(audited)} audit records, {len(receipts)} receipts"
        )
    unknown = set(stored) - set(sent)
    if unknown:
        verdict.unsound.append(f"{len(unknown)} captures are stored that nobody sent")
    return verdict
