"""The result of verifying the audit trail, and its output."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from data_capture.audit.head import Head, head_file
from data_capture.audit.schema_baseline import baseline_file
from data_capture.audit.schema_check import SchemaReport
from data_capture.audit.verify import Verification
from data_capture.cli.formatting import format_count

_MAX_FINDINGS = 50
_MIN_RECORDS_FOR_RATE = 1000
_RULE = "Only the services and these commands may write data_capture_audit and its chain."


@dataclass(frozen=True)
class AuditReport:
    """The result of a verification.

    Args:
        records: the verification of the records; None if they can't be read.
        unreadable: why the records can't be read; empty if they can.
        schema: the findings on the schema.
        is_head_kept: whether the chain still contains the head of `--since`.
    """

    records: Verification | None
    unreadable: str
    schema: SchemaReport
    is_head_kept: bool = True

    @property
    def is_good(self) -> bool:
        """Tell whether the records and the schema are as they were written."""
        return (
            self.records is not None
            and self.records.tampering is None
            and self.is_head_kept
            and not self.schema.findings
        )


def print_audit_report(
    report: AuditReport, database: Path, key_file: Path, since: Head | None, seconds: float
) -> None:
    """Print the findings.

    Args:
        report: the result of the verification.
        database: the database, for the advice.
        key_file: the key that was used; the recorded schema is next to it.
        since: an earlier head that was looked for in the chain.
        seconds: how long the verification took.
    """
    _print_records(report, database, since, seconds)
    _print_schema(report.schema, key_file)
    sys.stdout.flush()


def _print_records(report: AuditReport, database: Path, since: Head | None, seconds: float) -> None:
    found = report.records
    if found is None:
        print(f"The audit records of {database} can't be verified: {report.unreadable}.")
    elif found.tampering is not None:
        print(f"Audit record {found.tampering.name} {found.tampering.what}.")
        print(_advise(database, found))
    elif not report.is_head_kept:
        assert since is not None
        print(
            f"Audit record {since.audit_id} is not what it was when the head {since} was printed."
        )
        print(
            "It, or one before it, was replaced by someone with the key, "
            "or a chain was begun under a new key."
        )
    else:
        _print_intact_records(found, since, seconds)


def _advise(database: Path, found: Verification) -> str:
    assert found.tampering is not None
    if found.tampering.by_external_evidence:
        return (
            f"{_RULE} If you put an older copy in the database's place on purpose, "
            f"remove {head_file(database)} and verify again."
        )
    if found.records == 0:
        return (
            f"{_RULE} If not even the first record verifies, the key may be another "
            "installation's: put this database's own key in its place, or name it with --key."
        )
    are = "is" if found.records == 1 else "are"
    return f"{_RULE} {format_count(found.records, 'record')} before it {are} as written."


def _print_intact_records(found: Verification, since: Head | None, seconds: float) -> None:
    is_enough = found.records >= _MIN_RECORDS_FOR_RATE
    rate = f", {found.records / seconds:,.0f} a second" if is_enough else ""
    records = format_count(found.records, "audit record")
    print(f"{records}: each is as it was written ({seconds:.1f} s{rate}).")
    if found.adopted:
        print(
            f"Of these, {found.adopted:,} were there before the chain began; "
            "the chain proves nothing about that time."
        )
    if found.erased:
        print(
            f"Of these, {found.erased:,} belong to erased users; "
            "their remaining contents are as the erasure left them."
        )
    if found.expired:
        print(
            f"Of these, {found.expired:,} had old contents deleted by the retention; "
            "their remaining contents are as it left them."
        )
    if since is not None:
        print(f"Nothing up to record {since.audit_id} has changed since the head was printed.")
    print("To print the head, to keep elsewhere: python3 -m data_capture verify-audit --head")


def _print_schema(schema: SchemaReport, key_file: Path) -> None:
    for sentence in schema.findings[:_MAX_FINDINGS]:
        print(f"Schema: {sentence}")
    if len(schema.findings) > _MAX_FINDINGS:
        print(f"Schema: and {format_count(len(schema.findings) - _MAX_FINDINGS, 'finding')} more.")
    if schema.findings:
        print(
            "The schema of the database was changed, so programs may read or store something "
            "else than they should. If the change was made on purpose, remove "
            f"{baseline_file(key_file)}; the next start records the schema as it is then."
        )
    for sentence in schema.information:
        print(f"To know: {sentence}")
