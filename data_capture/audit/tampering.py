"""The description of a record that was tampered with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_MAX_NAME_CHARACTERS = 40


@dataclass(frozen=True)
class Tampering:
    """The first record that was tampered with.

    Args:
        audit_id: the id of the record, of any type that SQLite can store.
        what: what happened to it, as the end of a sentence that begins with "Audit record 5".
        by_external_evidence: the chain itself is valid. Only SQLite's counter of ids or the head
            file shows the tampering.
    """

    audit_id: Any
    what: str
    by_external_evidence: bool = False

    @property
    def name(self) -> str:
        """The id as text, as in SQL if it is not a number, which only tampering makes."""
        if self.audit_id is None:
            return "NULL"
        if isinstance(self.audit_id, bytes):
            return f"x'{self.audit_id.hex()[:_MAX_NAME_CHARACTERS]}'"
        text = repr(self.audit_id) if isinstance(self.audit_id, str) else str(self.audit_id)
        return "".join(
            character if character.isprintable() else "?"
            for character in text[:_MAX_NAME_CHARACTERS]
        )

    @property
    def sort_key(self) -> tuple[bool, int]:
        """The order of records: ids that are not integers come first."""
        return (True, self.audit_id) if self.audit_id.__class__ is int else (False, 0)
