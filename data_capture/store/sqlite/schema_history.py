"""Replace what earlier versions of schema.sql made differently.

An object of ours is replaced only if its SQL is exactly that of an earlier version, and in the
caller's transaction. Tables with users' data are never replaced. An object of another program, or
one that was changed by hand, is left unchanged; `verify-audit` and `doctor` report it.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from data_capture.capture.kinds import KINDS
from data_capture.sql.pragmas import columns_of
from data_capture.store.sqlite.keys import load_receipt_key

RECEIPTS = "capture_receipts"

_NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"

EARLIER: dict[str, tuple[str, ...]] = {
    # In the first, a capture_id had no user and the digests no key. In the second, the primary key
    # began with the user, so that each receipt of a commit was on a page of its own.
    RECEIPTS: (
        f"""
        CREATE TABLE capture_receipts (
            capture_id TEXT PRIMARY KEY, capture_type TEXT NOT NULL, row_id INTEGER NOT NULL,
            outcome TEXT NOT NULL, payload_digest BLOB NOT NULL,
            created_at TEXT NOT NULL DEFAULT ({_NOW})
        ) WITHOUT ROWID
        """,
        f"""
        CREATE TABLE capture_receipts (
            user_email TEXT NOT NULL, capture_id TEXT NOT NULL, capture_type TEXT NOT NULL,
            row_id INTEGER NOT NULL, outcome TEXT NOT NULL, payload_digest BLOB NOT NULL,
            content_digest BLOB, key_id BLOB, confirmed INTEGER NOT NULL DEFAULT 0,
            created_at TEXT NOT NULL DEFAULT ({_NOW}),
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
    # In the first, the latest row was the one with the latest time; a sender chooses the time. In
    # the second, receipts alone said what is confirmed.
    "payments_latest": (
        """
        CREATE VIEW payments_latest AS
        SELECT id, user_id, user_email, user_name, plan_name, original_price, discount_amount,
               final_price, coupon_code, payment_method, transaction_id, payment_status,
               payment_processor, crypto_transaction_hash, crypto_from_address, crypto_amount,
               ip_address, user_agent, created_at, updated_at
        FROM payment_data AS payment
        WHERE transaction_id IS NULL
           OR id = (SELECT state.id
                    FROM payment_data AS state
                    WHERE state.user_email = payment.user_email
                      AND state.transaction_id = payment.transaction_id
                    ORDER BY state.created_at DESC, state.id DESC
                    LIMIT 1)
        """,
        """
        CREATE VIEW payments_latest AS
        SELECT id, user_id, user_email, user_name, plan_name, original_price, discount_amount,
               final_price, coupon_code, payment_method, transaction_id, payment_status,
               payment_processor, crypto_transaction_hash, crypto_from_address, crypto_amount,
               ip_address, user_agent, created_at, updated_at,
               CASE WHEN EXISTS (SELECT 1
                                 FROM capture_receipts AS receipt
                                 WHERE receipt.confirmed = 1
                                   AND receipt.user_email = payment.user_email
                                   AND receipt.capture_type = 'payment'
                                   AND receipt.row_id = payment.id)
                    THEN 'confirmed' ELSE 'claim' END AS source
        FROM payment_data AS payment
        WHERE transaction_id IS NULL
           OR id = coalesce(
                   (SELECT state.id
                    FROM capture_receipts AS receipt CROSS JOIN payment_data AS state
                    WHERE receipt.confirmed = 1 AND receipt.user_email = payment.user_email
                      AND receipt.capture_type = 'payment' AND state.id = receipt.row_id
                      AND state.user_email = payment.user_email
                      AND state.transaction_id = payment.transaction_id
                    ORDER BY receipt.row_id DESC
                    LIMIT 1),
                   (SELECT state.id
                    FROM payment_data AS state
                    WHERE state.user_email = payment.user_email
                      AND state.transaction_id = payment.transaction_id
                    ORDER BY state.id DESC
                    LIMIT 1))
        """,
    ),
    "capture_sources": (
        """
        CREATE VIEW capture_sources AS
        SELECT capture_type, row_id, user_email,
               CASE WHEN EXISTS (SELECT 1
                                 FROM capture_receipts AS receipt
                                 WHERE receipt.confirmed = 1
                                   AND receipt.user_email = captured.user_email
                                   AND receipt.capture_type = captured.capture_type
                                   AND receipt.row_id = captured.row_id)
                    THEN 'confirmed' ELSE 'claim' END AS source
        FROM (SELECT 'payment' AS capture_type, id AS row_id, user_email FROM payment_data
              UNION ALL SELECT 'questionnaire', id, user_email FROM questionnaire_data
              UNION ALL SELECT 'dashboard', id, user_email FROM dashboard_data
              UNION ALL SELECT 'activity', id, user_email FROM trading_activity_log) AS captured
        """,
    ),
    # The first ordered rows by time; the current one orders them by arrival. The second found
    # numbers of one user only.
    "payment_data_by_transaction": (
        """
        CREATE INDEX payment_data_by_transaction
        ON payment_data (user_email, transaction_id, created_at)
        WHERE transaction_id IS NOT NULL
        """,
        """
        CREATE INDEX payment_data_by_transaction
        ON payment_data (user_email, transaction_id)
        WHERE transaction_id IS NOT NULL
        """,
    ),
    "dashboard_data_by_update": (
        "CREATE INDEX dashboard_data_by_update ON dashboard_data (user_email, updated_at)",
    ),
}
"""By the objects' names, their SQL in earlier versions, in any layout."""

_ASIDE = "capture_receipts_earlier"

_ROWS = " UNION ALL ".join(
    f"SELECT '{kind.name}' AS capture_type, id AS row_id, user_email FROM {kind.table}"  # noqa: S608
    for kind in KINDS.values()
)

# Receipts whose row or user is gone are left out. The order is that of the new table's primary key,
# which is faster.
_CARRY_OVER = f"""
INSERT INTO {RECEIPTS}
    (user_email, capture_id, capture_type, row_id, outcome, payload_digest, key_id, created_at)
SELECT captured.user_email, receipt.capture_id, receipt.capture_type, receipt.row_id,
       receipt.outcome, keyed_digest(receipt.payload_digest), ?, receipt.created_at
FROM {_ASIDE} AS receipt JOIN ({_ROWS}) AS captured USING (capture_type, row_id)
WHERE captured.user_email IN (SELECT email FROM users)
ORDER BY receipt.capture_id
"""  # noqa: S608  (the names come from the table of kinds)

_COLUMNS = (
    "user_email, capture_id, capture_type, row_id, outcome, payload_digest, content_digest, "
    "key_id, confirmed, created_at"
)
_CARRY_OVER_ALL = (
    f"INSERT INTO {RECEIPTS} ({_COLUMNS}) SELECT {_COLUMNS} FROM {_ASIDE} ORDER BY capture_id"  # noqa: S608
)

_INDEXES_AND_TRIGGERS = """
SELECT sql FROM sqlite_master
WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL
"""


def normalise_sql(sql: str) -> str:
    """Return a CREATE statement without comments and layout."""
    without_comments = re.sub(r"--[^\n]*", "", sql)
    return re.sub(r"\s*([(),])\s*", r"\1", " ".join(without_comments.split()))


def find_earlier_objects(connection: sqlite3.Connection) -> dict[str, str]:
    """Find objects that an earlier version made differently.

    Returns their types by name.
    """
    rows = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    ).fetchall()
    return {
        name: object_type
        for object_type, name, sql in rows
        if isinstance(sql, str) and _is_earlier(name, sql)
    }


def _is_earlier(name: str, sql: str) -> bool:
    return normalise_sql(sql) in map(normalise_sql, EARLIER.get(name, ()))


class Replacement:
    """Replace objects of an earlier version, in two steps.

    Between the steps, the caller runs the statements of schema.sql.

    Args:
        connection: in a write transaction, with `secure_delete` on: the replaced table has digests
            without a key.
        earlier: from `find_earlier_objects`.
    """

    def __init__(self, connection: sqlite3.Connection, earlier: dict[str, str]) -> None:
        self._connection = connection
        self._earlier = earlier
        self._others_sql: list[str] = []

    def set_aside(self) -> None:
        """Drop views and indexes, and rename the table of receipts."""
        for name, object_type in self._earlier.items():
            if object_type != "table":
                # The names are those of EARLIER.
                self._connection.execute(f"DROP {object_type} {name}")
        if RECEIPTS in self._earlier:
            # Other programs' indexes and triggers on the table are dropped with it.
            rows = self._connection.execute(_INDEXES_AND_TRIGGERS, (RECEIPTS,))
            self._others_sql = [sql for (sql,) in rows]
            # Without it, SQLite also changes other programs' views, or fails at them.
            self._connection.execute("PRAGMA legacy_alter_table = ON")
            self._connection.execute(f"ALTER TABLE {RECEIPTS} RENAME TO {_ASIDE}")
            self._connection.execute("PRAGMA legacy_alter_table = OFF")

    def carry_over(self, database: Path) -> None:
        """Copy the renamed table's receipts to the new table, and drop the renamed one.

        Raises:
            sqlite3.OperationalError: the receipts' key can't be made or read.
        """
        if RECEIPTS not in self._earlier:
            return
        if any(column.name == "key_id" for column in columns_of(self._connection, _ASIDE)):
            self._connection.execute(_CARRY_OVER_ALL)
        else:
            key = load_receipt_key(database)
            self._connection.create_function(
                "keyed_digest",
                1,
                lambda digest: key.payload_digest(_as_bytes(digest)),
                deterministic=True,
            )
            self._connection.execute(_CARRY_OVER, (key.key_id,))
        self._connection.execute(f"DROP TABLE {_ASIDE}")
        for sql in self._others_sql:
            self._connection.execute(sql)


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")
