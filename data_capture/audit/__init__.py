"""The audit trail: a verifiable record of each change of users' data.

A record is written in the transaction of the change, and joins a chain of keyed hashes.

    format.py        defines the chain, which proves that no record was changed with SQL
    append.py        adds entries to the chain, with the database's key
    head.py          keeps the newest entry in the head file, which SQL cannot reach
    records.py       adds records
    clear.py         clears records for erasures and retention, and adds attestations
    attestations.py  reads attestations
    verify.py        verifies every record
    tampering.py     describes a record that was tampered with

An erasure or retention *clears* records: it removes data from them, so that they no longer match
the chain. Its own audit record is an *attestation*, which proves what remains of them.

Tampering can also change the schema: a view that hides records, or a trigger that alters them.
So the schema is compared with schema.sql, or with its *baseline*, the schema at the adoption of
the database:

    schema_sql.py         parses SQL far enough to compare it
    schema_objects.py     reads the objects of a database and those of schema.sql
    schema_comparison.py  compares them one by one
    schema_forgery.py     finds rows of sqlite_schema that only tampering makes
    schema_check.py       checks the whole schema
    counter_check.py      checks SQLite's counters of ids
    schema_baseline.py    reads and updates the baseline, in a file that SQL cannot reach
    earlier_schemas/      the schema.sql of versions without a baseline, whose databases and
                          backups are valid too
"""

from __future__ import annotations

from data_capture.audit.attestations import RETENTION_USER, RetentionAttestations
from data_capture.audit.clear import CLEARABLE_COLUMNS, clear_columns, pseudonymise_audit
from data_capture.audit.records import AuditRecord, record_audit, record_audits

__all__ = [
    "CLEARABLE_COLUMNS",
    "RETENTION_USER",
    "AuditRecord",
    "RetentionAttestations",
    "clear_columns",
    "pseudonymise_audit",
    "record_audit",
    "record_audits",
]
