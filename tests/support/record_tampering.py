"""List ways to tamper with audit records by plain SQL.

`TAMPERING` maps a description to the statements and to the record that verify-audit must report.
"""

# ruff: noqa: S608  (every statement is written in this file)

from __future__ import annotations

ANN, BOB, CLEO = "ann@example.com", "bob@example.com", "cleo@example.com"
PSEUDONYM = "erased-1@data-capture.invalid"

# The audit records of the database, by id:
#   1, 2, 4   adopted when the chain began; 3 and 5 were deleted before
#   6 - 9     Ann's payment and partial questionnaire, Bob's dashboard and activity
#   10 - 12   three records of Cleo, who was erased
#   13        the attestation of that erasure
#   14 - 17   Ann's payment, Bob's payment and failed login, Ann's payment


def change_record(assignment: str, record: int = 8) -> tuple[str, int]:
    return f"UPDATE data_capture_audit SET {assignment} WHERE id = {record}", record


def change_entry(assignment: str, record: int = 8) -> tuple[str, int]:
    return f"UPDATE data_capture_audit_chain SET {assignment} WHERE audit_id = {record}", record


def delete_records(condition: str) -> str:
    return f"""DELETE FROM data_capture_audit WHERE {condition};
               DELETE FROM data_capture_audit_chain WHERE {condition.replace("id", "audit_id")};"""


def copy_records(condition: str, by: int) -> str:
    return f"""
        INSERT INTO data_capture_audit
        SELECT id + {by}, user_email, capture_type, data_snapshot, source_endpoint, timestamp,
               ip_address, user_agent, status, error_details
        FROM data_capture_audit WHERE {condition};
        INSERT INTO data_capture_audit_chain
        SELECT audit_id + {by}, adopted, salt, commitment, link
        FROM data_capture_audit_chain WHERE {condition.replace("id", "audit_id")};
    """


def renumber_records(old: str, new: str) -> str:
    entries = old.replace("id", "audit_id")
    return f"""
        UPDATE data_capture_audit SET id = -id WHERE {old};
        UPDATE data_capture_audit SET id = {new.replace("#", "-id")} WHERE id < 0;
        UPDATE data_capture_audit_chain SET audit_id = -audit_id WHERE {entries};
        UPDATE data_capture_audit_chain SET audit_id = {new.replace("#", "-audit_id")}
        WHERE audit_id < 0;
    """


INSERT_RECORD = (
    f"INSERT INTO data_capture_audit (id, user_email, capture_type) VALUES (?, '{ANN}', 'payment');"
)
INSERT_FORGED_ENTRY = (
    "INSERT INTO data_capture_audit_chain "
    "VALUES (?, 0, randomblob(16), randomblob(32), randomblob(32));"
)
SET_COUNTER = "UPDATE sqlite_sequence SET seq = ? WHERE name = 'data_capture_audit';"

TAMPERING: dict[str, tuple[str, int]] = {
    # --- columns of a record
    "moved to another user": change_record(f"user_email = '{ANN}'"),
    "the address in capitals": change_record("user_email = upper(user_email)"),
    "the address with a space": change_record("user_email = user_email || ' '"),
    "another kind": change_record("capture_type = 'payment'"),
    "a digit of the snapshot": change_record(
        "data_snapshot = replace(data_snapshot, '179.99', '179.98')"
    ),
    "a space in the snapshot": change_record("data_snapshot = replace(data_snapshot, ': ', ':')"),
    "a line break after the snapshot": change_record("data_snapshot = data_snapshot || char(10)"),
    "the snapshot's order": change_record(
        """data_snapshot = '{"final_price": "179.99", "plan_name": "Pro", "note": "caf\u00e9"}'"""
    ),
    "a look-alike in the snapshot": change_record(
        "data_snapshot = replace(data_snapshot, 'o', '\u043e')"
    ),
    "the same letter in decomposed form": change_record(
        "data_snapshot = replace(data_snapshot, '\u00e9', 'e\u0301')"
    ),
    "the same JSON, escaped": change_record(
        "data_snapshot = replace(data_snapshot, '\u00e9', '\\u00e9')"
    ),
    "no snapshot": change_record("data_snapshot = NULL"),
    "the snapshot as a BLOB": change_record("data_snapshot = CAST(data_snapshot AS BLOB)"),
    "a snapshot that is not UTF-8": change_record("data_snapshot = CAST(x'ff' AS TEXT)"),
    "a snapshot added": change_record("data_snapshot = 'null'", 16),
    "another endpoint": change_record("source_endpoint = '/api/data-capture/payment'"),
    "a millisecond later": change_record("timestamp = '2024-01-15T10:30:00.001Z'"),
    "the same time in another format": change_record("timestamp = '2024-01-15T10:30:00Z'"),
    "another IP address": change_record("ip_address = '192.0.2.2'"),
    "no IP address": change_record("ip_address = NULL"),
    "an IP address as a BLOB": change_record("ip_address = CAST(ip_address AS BLOB)"),
    "another user agent": change_record("user_agent = 'Browser/1.1'"),
    "a zero byte": change_record("user_agent = user_agent || char(0)"),
    "partial becomes success": change_record("status = 'success'", 7),
    "failed becomes success": change_record("status = 'success'", 16),
    "no status": change_record("status = NULL"),
    "no error details": change_record("error_details = NULL", 7),
    "an empty text in place of NULL": change_record("error_details = ''"),
    "a number in place of NULL": change_record("error_details = 1"),
    "an adopted record": change_record("status = 'partial'", 4),
    "the newest record": change_record("status = 'partial'", 17),
    "all records at once": ("UPDATE data_capture_audit SET status = 'partial'", 1),
    "two records' snapshots swapped": (
        """CREATE TEMP TABLE before AS SELECT id, data_snapshot FROM data_capture_audit;
           UPDATE data_capture_audit
           SET data_snapshot = (
               SELECT data_snapshot FROM before WHERE before.id = 15 - data_capture_audit.id)
           WHERE id IN (6, 9)""",
        6,
    ),
    # --- columns of a chain entry
    "another salt": change_entry("salt = randomblob(16)"),
    "a longer salt": change_entry("salt = CAST(salt || x'00' AS BLOB)"),
    "a shorter salt": change_entry("salt = substr(salt, 1, 15)"),
    "a salt that is text": change_entry("salt = hex(salt)"),
    "no salt": change_entry("salt = NULL"),
    "no salt of any record": ("UPDATE data_capture_audit_chain SET salt = NULL", 1),
    "another commitment": change_entry("commitment = randomblob(32)"),
    "a commitment that is text": change_entry("commitment = hex(commitment)"),
    "another link": change_entry("link = randomblob(32)"),
    "a link that is a number": change_entry("link = 1"),
    "the newest link": change_entry("link = randomblob(32)", 17),
    "an earlier link": change_entry(
        "link = (SELECT link FROM data_capture_audit_chain WHERE audit_id = 7)"
    ),
    "an entry marked as adopted": change_entry("adopted = 1"),
    "an adopted entry marked as written": change_entry("adopted = 0", 2),
    "an invalid value of adopted": change_entry("adopted = 2"),
    "a salt for a record that did not exist": change_entry("salt = randomblob(16)", 5),
    "another entry's commitment and salt": (
        """UPDATE data_capture_audit_chain
           SET (salt, commitment) = (
               SELECT salt, commitment FROM data_capture_audit_chain WHERE audit_id = 9)
           WHERE audit_id = 8""",
        8,
    ),
    # --- removed
    "a record removed": ("DELETE FROM data_capture_audit WHERE id = 8", 8),
    "a record and its entry removed": (delete_records("id = 8"), 8),
    "an entry removed": ("DELETE FROM data_capture_audit_chain WHERE audit_id = 8", 8),
    "several removed": (delete_records("id IN (7, 8, 9)"), 7),
    "the first removed": (delete_records("id = 1"), 1),
    "an adopted record removed": (delete_records("id = 2"), 2),
    "all adopted records removed": (delete_records("id <= 5"), 1),
    "the second newest removed": (delete_records("id = 16"), 16),
    "the newest removed": (delete_records("id = 17"), 17),
    "the newest removed, and the counter set back": (
        delete_records("id >= 15") + SET_COUNTER.replace("?", "14"),
        15,
    ),
    "the newest removed, and the counter removed": (
        delete_records("id >= 15") + "DELETE FROM sqlite_sequence",
        15,
    ),
    "the newest entry removed": ("DELETE FROM data_capture_audit_chain WHERE audit_id = 17", 17),
    "the records of one user removed": (delete_records("id IN (8, 9, 15, 16)"), 8),
    "everything removed": (delete_records("id > 0"), 1),
    "everything removed, and the counter": (
        delete_records("id > 0") + "DELETE FROM sqlite_sequence",
        1,
    ),
    "all records removed": ("DELETE FROM data_capture_audit", 1),
    "all entries removed": ("DELETE FROM data_capture_audit_chain", 1),
    # --- inserted
    "a record inserted": (INSERT_RECORD.replace("?", "18"), 18),
    "a record inserted with an entry": (
        (INSERT_RECORD + INSERT_FORGED_ENTRY).replace("?", "18"),
        18,
    ),
    "a record inserted with a much larger id and an entry": (
        (INSERT_RECORD + INSERT_FORGED_ENTRY).replace("?", "1000"),
        1000,
    ),
    "an entry inserted": (INSERT_FORGED_ENTRY.replace("?", "18"), 18),
    "a record inserted before all others": (INSERT_RECORD.replace("?", "0"), 0),
    "a record inserted where one was deleted before the chain": (
        INSERT_RECORD.replace("?", "5"),
        5,
    ),
    "a record replaced": (
        delete_records("id = 8") + (INSERT_RECORD + INSERT_FORGED_ENTRY).replace("?", "8"),
        8,
    ),
    "a record duplicated": (copy_records("id = 8", 10), 18),
    "a part of the chain replayed": (copy_records("id BETWEEN 6 AND 9", 12), 18),
    "the newest records replaced by a part of the chain": (
        delete_records("id >= 14") + copy_records("id BETWEEN 6 AND 9", 8),
        14,
    ),
    # --- moved
    "a record renumbered": ("UPDATE data_capture_audit SET id = 900 WHERE id = 9", 9),
    "a record renumbered with its entry": (renumber_records("id = 17", "18"), 17),
    "the newest records renumbered": (renumber_records("id >= 14", "# + 1"), 14),
    "two records swapped": (
        """UPDATE data_capture_audit SET id = -id WHERE id IN (8, 9);
           UPDATE data_capture_audit SET id = 17 + id WHERE id < 0;""",
        8,
    ),
    "two records swapped with their entries": (renumber_records("id IN (8, 9)", "17 - #"), 8),
    "two entries swapped": (
        """UPDATE data_capture_audit_chain SET audit_id = -audit_id WHERE audit_id IN (8, 9);
           UPDATE data_capture_audit_chain SET audit_id = 17 + audit_id WHERE audit_id < 0;""",
        8,
    ),
    "the order reversed": (renumber_records("id BETWEEN 6 AND 9", "15 - #"), 6),
    # --- erased
    "an erased record changed": change_record("timestamp = '2024-01-15T10:30:00.001Z'", 11),
    "an erased record assigned to its user again": change_record(f"user_email = '{CLEO}'", 10),
    "an erased record given a snapshot": change_record("data_snapshot = '{}'", 12),
    "an erased record given a salt": change_entry("salt = randomblob(16)", 10),
    "an erased record removed": (delete_records("id = 11"), 11),
    "erased without an attestation": (
        f"""UPDATE data_capture_audit
            SET user_email = '{PSEUDONYM}', data_snapshot = NULL, ip_address = NULL,
                user_agent = NULL
            WHERE id = 14;
            UPDATE data_capture_audit_chain SET salt = NULL WHERE audit_id = 14""",
        14,
    ),
    "erased with a copy of an attestation": (
        f"""UPDATE data_capture_audit SET user_email = '{PSEUDONYM}', data_snapshot = NULL
            WHERE id = 14;
            UPDATE data_capture_audit_chain SET salt = NULL WHERE audit_id = 14;"""
        + copy_records("id = 13", 5)
        + """UPDATE data_capture_audit SET data_snapshot = replace(data_snapshot, '"12"', '"14"')
             WHERE id = 18;""",
        14,
    ),
    "the attestation changed": change_record("timestamp = '2024-01-15T10:30:00.001Z'", 13),
    "another record added to the attestation": change_record(
        """data_snapshot = replace(data_snapshot, '{"10"', '{"14":"00","10"')""", 13
    ),
    # Record 10 is then the first that has neither a salt nor an attestation.
    "the attestation removed": (delete_records("id = 13"), 10),
}
