"""The audit trail: one record for each thing that happened to a person's data, in the same transaction.

    chain.py         how the records are linked, so that nobody with SQL alone can change one unnoticed: the format
    trail.py         a database's key, and the entries that are added with it
    head.py          the newest entry, noted in a file beside the database, where SQL can't reach it
    records.py       adds records
    covering.py      takes content from records, for erasures and the retention, and covers what is left
    covers.py        what covering records say, and when they count
    verification.py  checks every record against the chain

What stands around the records can be changed too, a view that shows them, or a trigger that alters them:

    schema_sql.py      reads SQL far enough to compare it
    schema_objects.py  the objects that a database has, and those that schema.sql makes
    schema_check.py    compares them; counter_check.py looks at the counters of ids
    schema_note.py     what was adopted from other programs, noted where SQL can't reach it
    earlier_schemas/   what schema.sql was in versions that made no such note: their databases and backups are good too
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
