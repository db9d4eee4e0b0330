"""Tell locks and damage from the other errors and reports of SQLite.

Python 3.10 gives no result codes, so that SQLite's English texts are compared.
"""

from __future__ import annotations

# Rows that break a rule of their own table: a CHECK or a declared type. The file is intact.
_BROKEN_RULES = ("NULL value in ", "CHECK constraint failed in ", "non-unique entry in ",
                 "TEXT value in ", "NUMERIC value in ", "non-INT value in ", "non-TEXT value in ",
                 "non-REAL value in ", "non-BLOB value in ", "non-NUMERIC value in ")  # fmt: skip


_OUTER_CAUSES = ("disk is full", "disk I/O error", "readonly database", "unable to open")


def is_lock_error(error: BaseException) -> bool:
    """Return whether an error of SQLite says that another program holds a lock."""
    return "locked" in str(error) or "busy" in str(error)


def may_pass(error: BaseException) -> bool:
    """Return whether an error of SQLite comes from outside the file: a lock, the disk, a right.

    After such an error any write that succeeds shows that the cause is gone. Damage and broken
    rules concern some pages or rows only.
    """
    return is_lock_error(error) or any(text in str(error) for text in _OUTER_CAUSES)


def is_damage(report: str) -> bool:
    """Return whether a line of PRAGMA integrity_check or quick_check reports damage."""
    return report != "ok" and not report.startswith(_BROKEN_RULES)
