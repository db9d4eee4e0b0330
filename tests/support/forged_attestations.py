"""List forged attestations of audit records.

`FORGED` maps a description to the statements and to the record that verify-audit must report.
"""

# ruff: noqa: S608  (every statement is written in this file)

from __future__ import annotations

import json

# The audit records of the database, by id:
#   1 - 3    Ann's payments           4 - 6    Bob's payments
#   7 - 8    payments of Cleo, who was erased
#   9        the attestation of that erasure
#   10 - 11  Ann's and Bob's payments, whose IP addresses a retention has deleted
#   12       the attestation of that retention
#   13 - 14  Ann's payment, Bob's payment

CHANGE_CONTENT = """
UPDATE data_capture_audit
SET data_snapshot = '{"final_price": 0}', timestamp = '2020-01-01T00:00:00.000Z',
    user_email = 'bob@example.com'
"""


def attest(number: int, kind: str, *attested: int) -> str:
    left = {"left": {str(one): "00" * 32 for one in attested}}
    snapshot = json.dumps(left, separators=(",", ":"))
    return (
        f"UPDATE data_capture_audit SET capture_type = '{kind}', data_snapshot = '{snapshot}' "
        f"WHERE id = {number};"
    )


def delete_salts(*numbers: int) -> str:
    ids = ", ".join(map(str, numbers))
    return f"UPDATE data_capture_audit_chain SET salt = NULL WHERE audit_id IN ({ids});"


def extend_erasure(*numbers: int) -> str:
    more = ", ".join(f"'$.left.{number}', '{'00' * 32}'" for number in numbers)
    return (
        f"UPDATE data_capture_audit SET data_snapshot = json_set(data_snapshot, {more}) "
        "WHERE id = 9;"
    )


ALL = range(1, 15)
FORGED = {
    "the first record attests all": (
        attest(1, "erasure", *ALL) + delete_salts(*ALL) + f"{CHANGE_CONTENT} WHERE id > 1",
        1,
    ),
    "the newest record attests all": (
        attest(14, "erasure", *ALL) + delete_salts(*ALL) + f"{CHANGE_CONTENT} WHERE id < 14",
        14,
    ),
    "a record attests itself and an earlier one": (
        attest(5, "erasure", 2, 5) + delete_salts(2, 5) + f"{CHANGE_CONTENT} WHERE id = 2",
        5,
    ),
    "a record attests itself and a later one": (
        attest(2, "erasure", 2, 5) + delete_salts(2, 5) + f"{CHANGE_CONTENT} WHERE id = 5",
        2,
    ),
    "a record attests itself as a retention": (
        attest(5, "retention", 5) + delete_salts(5),
        5,
    ),
    "a record with its salt attests another": (
        attest(5, "retention", 2) + delete_salts(2) + f"{CHANGE_CONTENT} WHERE id = 2",
        5,
    ),
    "two records attest each other": (
        attest(2, "erasure", 5) + attest(5, "erasure", 2) + delete_salts(2, 5),
        5,
    ),
    "two records attest each other, the later with its salt": (
        attest(2, "erasure", 5) + attest(5, "erasure", 2) + delete_salts(2),
        5,
    ),
    "three records attest each other": (
        attest(2, "erasure", 5)
        + attest(5, "retention", 6)
        + attest(6, "erasure", 2)
        + delete_salts(2, 5, 6),
        6,
    ),
    "the genuine erasure attests itself": (
        extend_erasure(9) + delete_salts(9),
        9,
    ),
    "the genuine erasure attests itself and another": (
        extend_erasure(9, 2) + delete_salts(9, 2) + f"{CHANGE_CONTENT} WHERE id = 2",
        9,
    ),
    "the genuine erasure attests another and keeps its salt": (
        extend_erasure(2) + delete_salts(2) + f"{CHANGE_CONTENT} WHERE id = 2",
        9,
    ),
    "the genuine erasure has no salt": (
        delete_salts(9),
        9,
    ),
    "the genuine retention has no salt and its record is changed": (
        delete_salts(12) + f"{CHANGE_CONTENT} WHERE id = 10",
        12,
    ),
    "the genuine attestations attest each other": (
        attest(9, "erasure", 12) + attest(12, "retention", 9) + delete_salts(9, 12),
        7,
    ),
}
