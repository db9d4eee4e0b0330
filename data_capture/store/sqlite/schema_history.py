"""What earlier versions of schema.sql made differently, and how it becomes what schema.sql makes now.

Only objects of ours whose SQL is exactly that of an earlier version are replaced, all in the caller's transaction. A table
that users' data was given to is not among them, and an object of another program, or one that somebody changed, is left as
it is: `verify-audit` and `doctor` tell of it.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from data_capture.capture.kinds import KINDS
from data_capture.key_files import load_or_make_key
from data_capture.sql.pragmas import columns_of
from data_capture.store.sqlite.keys import ReceiptKey, receipts_key_file

RECEIPTS = "capture_receipts"

_NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"

EARLIER: dict[str, tuple[str, ...]] = {
    # A capture_id was looked up without its user, and the digests had no key; then the key began with the user, so that
    # each receipt of a commit was on a page of its own.
    RECEIPTS: (
        f"""
        CREATE TABLE capture_receipts (
            capture_id TEXT PRIMARY KEY, capture_type TEXT NOT NULL, row_id INTEGER NOT NULL, outcome TEXT NOT NULL,
            payload_digest BLOB NOT NULL, created_at TEXT NOT NULL DEFAULT ({_NOW})
        ) WITHOUT ROWID
        """,
        f"""
        CREATE TABLE capture_receipts (
            user_email TEXT NOT NULL, capture_id TEXT NOT NULL, capture_type TEXT NOT NULL, row_id INTEGER NOT NULL,
            outcome TEXT NOT NULL, payload_digest BLOB NOT NULL, content_digest BLOB, key_id BLOB,
            confirmed INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL DEFAULT ({_NOW}),
            PRIMARY KEY (user_email, capture_id), FOREIGN KEY (user_email) REFERENCES users (email)
        ) WITHOUT ROWID
        """,
    ),
    "capture_receipts_by_content": (
        """
        CREATE INDEX capture_receipts_by_content ON capture_receipts (row_id, content_digest)
        WHERE content_digest IS NOT NULL
        """,
    ),
    # The latest was the row with the latest time, which its sender says.
    "payments_latest": (
        """
        CREATE VIEW payments_latest AS
        SELECT id, user_id, user_email, user_name, plan_name, original_price, discount_amount, final_price, coupon_code,
               payment_method, transaction_id, payment_status, payment_processor, crypto_transaction_hash, crypto_from_address,
               crypto_amount, ip_address, user_agent, created_at, updated_at
        FROM payment_data AS payment
        WHERE transaction_id IS NULL
           OR id = (SELECT state.id
                    FROM payment_data AS state
                    WHERE state.user_email = payment.user_email AND state.transaction_id = payment.transaction_id
                    ORDER BY state.created_at DESC, state.id DESC
                    LIMIT 1)
        """,
    ),
    # These gave the order by time; now they give that of the arrival.
    "payment_data_by_transaction": (
        """
        CREATE INDEX payment_data_by_transaction ON payment_data (user_email, transaction_id, created_at)
        WHERE transaction_id IS NOT NULL
        """,
    ),
    "dashboard_data_by_update": (
        "CREATE INDEX dashboard_data_by_update ON dashboard_data (user_email, updated_at)",
    ),
}
"""For each object of ours, its SQL in earlier versions, in any layout."""

_ASIDE = "capture_receipts_earlier"

_ROWS = " UNION ALL ".join(
    f"SELECT '{kind.name}' AS capture_type, id AS row_id, user_email FROM {kind.table}"  # noqa: S608
    for kind in KINDS.values()
)

# A receipt whose row or user is gone stays behind. The order is that of the new table, which is filled faster so.
_CARRY_OVER = f"""
INSERT INTO {RECEIPTS} (user_email, capture_id, capture_type, row_id, outcome, payload_digest, key_id, created_at)
SELECT captured.user_email, receipt.capture_id, receipt.capture_type, receipt.row_id, receipt.outcome,
       keyed_digest(receipt.payload_digest), ?, receipt.created_at
FROM {_ASIDE} AS receipt JOIN ({_ROWS}) AS captured USING (capture_type, row_id)
WHERE captured.user_email IN (SELECT email FROM users)
ORDER BY receipt.capture_id
"""  # noqa: S608  (the names come from the table of kinds)

_COLUMNS = "user_email, capture_id, capture_type, row_id, outcome, payload_digest, content_digest, key_id, confirmed, created_at"
_CARRY_OVER_ALL = (
    f"INSERT INTO {RECEIPTS} ({_COLUMNS}) SELECT {_COLUMNS} FROM {_ASIDE} ORDER BY capture_id"  # noqa: S608
)


_OTHERS = "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL"


def normalised(sql: str) -> str:
    """A CREATE statement without comments and layout."""
    return re.sub(r"\s*([(),])\s*", r"\1", " ".join(re.sub(r"--[^\n]*", "", sql).split()))


def earlier_objects(connection: sqlite3.Connection) -> dict[str, str]:
    """The objects of `connection` that an earlier version made and this one makes differently: name → type."""
    rows = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    ).fetchall()
    return {
        name: kind for kind, name, sql in rows if isinstance(sql, str) and is_earlier(name, sql)
    }


def is_earlier(name: str, sql: str) -> bool:
    """Whether `sql`, as sqlite_master has it, is that of an object of ours in an earlier version."""
    return normalised(sql) in map(normalised, EARLIER.get(name, ()))


class Replacement:
    """Replaces what an earlier version made; between its two steps the statements of schema.sql are to be run.

    Args:
        connection: in a write transaction, with `secure_delete` on: what is replaced holds digests without a key.
        earlier: as `earlier_objects` found them.
    """

    def __init__(self, connection: sqlite3.Connection, earlier: dict[str, str]) -> None:
        self._connection = connection
        self._earlier = earlier
        self._others: list[str] = []

    def set_aside(self) -> None:
        """Drops views and indexes, and gives the table of receipts another name."""
        for name, kind in self._earlier.items():
            if kind != "table":
                self._connection.execute(f"DROP {kind} {name}")  # the names are those of EARLIER
        if RECEIPTS in self._earlier:
            # What others put on the table: it would go with it.
            self._others = [sql for (sql,) in self._connection.execute(_OTHERS, (RECEIPTS,))]
            # Without it SQLite would also change, or refuse, views of other programs.
            self._connection.execute("PRAGMA legacy_alter_table = ON")
            self._connection.execute(f"ALTER TABLE {RECEIPTS} RENAME TO {_ASIDE}")
            self._connection.execute("PRAGMA legacy_alter_table = OFF")

    def carry_over(self, database: Path) -> None:
        """Fills the new table of receipts from the one set aside, and drops that.

        Raises:
            OSError, ValueError: the receipts' key can't be made or read.
        """
        if RECEIPTS not in self._earlier:
            return
        if any(column.name == "key_id" for column in columns_of(self._connection, _ASIDE)):
            self._connection.execute(_CARRY_OVER_ALL)
        else:
            key = ReceiptKey(load_or_make_key(receipts_key_file(database)))
            self._connection.create_function(
                "keyed_digest",
                1,
                lambda digest: key.payload_digest(_as_bytes(digest)),
                deterministic=True,
            )
            self._connection.execute(_CARRY_OVER, (key.key_id,))
        self._connection.execute(f"DROP TABLE {_ASIDE}")
        for statement in self._others:
            self._connection.execute(statement)


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")
