"""The chain beside the audit trail: what each entry holds, and how it is computed, so that anyone with the key can check it.

Every record of `data_capture_audit` has an entry in `data_capture_audit_chain`, in the order of their ids:

    salt        16 random bytes
    commitment  HMAC-SHA-256, the salt its key, of the record
    link        HMAC-SHA-256, the installation's key its key, of
                "link" ‖ 0x00 ‖ the previous entry's link (32 bytes) ‖ commitment (32) ‖ audit_id (8, big-endian) ‖ adopted (1)

HMAC is that of RFC 2104, ‖ puts bytes side by side, and before the first entry's link there are 32 zero bytes. The key is the
32 bytes that `trading_bots.keys/audit.key` spells in hexadecimal. It lies outside the database: with SQL alone nobody can
compute a link.

A record is hashed as canonical JSON (RFC 8785), in UTF-8: an object of its ten columns. NULL is null, a text a string, an
integer a number; what an older program may have stored, a real number and a BLOB, are {"real": "…"} and {"blob": "…"}, the
number's eight bytes (IEEE 754, big-endian) and the BLOB's bytes in hexadecimal.

Ids follow each other without a gap. Only records that were there before the chain began, `adopted` 1, may have gaps: an
entry without a record, its salt NULL and its commitment 32 zero bytes, says that the numbers up to its own were free then.

An erasure takes a record's person, snapshot, address, user agent and error details, and its salt, without which nobody can
find out by trying what the commitment was of. The commitment and the link stay. The erasure's own record, whose
`capture_type` is 'erasure', covers it: the snapshot's member `left` holds, under each erased record's id, HMAC-SHA-256, the
installation's key its key, of "left" ‖ 0x00 ‖ what is left of the record, as canonical JSON, in hexadecimal.

Retention takes what is old in the same way: its records' `capture_type` is 'retention'. What the last of several records says
of one holds. A covering record keeps its own salt, counts only while it is as it was written, and covers only records with
smaller ids. Before a record is covered it is verified; one that was changed is not covered, and counts as changed for good.
"""

from __future__ import annotations

import struct
from hashlib import sha256
from json.encoder import encode_basestring as quoted
from typing import Any

SALT_BYTES = 16
HASH_BYTES = 32
GENESIS = bytes(HASH_BYTES)
"""What stands for the link before the first entry's."""
VOID = bytes(HASH_BYTES)
"""The commitment of an adopted entry without a record."""

ERASURE, RETENTION = "erasure", "retention"
"""The `capture_type` of the records that cover others."""

RECORD_COLUMNS = (
    "id", "user_email", "capture_type", "data_snapshot", "source_endpoint", "timestamp", "ip_address", "user_agent", "status",
    "error_details",
)  # fmt: skip
"""In the order in which `encode_record` takes them."""

_BLOCK_BYTES = 64
_INNER, _OUTER = (
    bytes(byte ^ 0x36 for byte in range(256)),
    bytes(byte ^ 0x5C for byte in range(256)),
)  # RFC 2104 section 2
_NUMBER = struct.Struct(">q").pack
_ADOPTED = {0: b"\x00", 1: b"\x01"}


class ChainKey:
    """The installation's key, ready to hash with.

    The two paddings of HMAC are computed once: with OpenSSL 3, Python's `hmac.digest` costs four times as much.
    """

    def __init__(self, key: bytes) -> None:
        block = (sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(
            _BLOCK_BYTES, b"\0"
        )
        self._inner, self._outer = block.translate(_INNER), block.translate(_OUTER)
        self._inner_of_link = self._inner + b"link\0"

    def link(self, previous: bytes, commitment: bytes, number: int, adopted: int) -> bytes:
        """The link of the entry of record `number`.

        Raises:
            KeyError: `adopted` is neither 0 nor 1.
            TypeError: what should be bytes is not.
        """
        said = self._inner_of_link + previous + commitment + _NUMBER(number) + _ADOPTED[adopted]
        return sha256(self._outer + sha256(said).digest()).digest()

    def follows(self, previous: Any, number: int, adopted: Any, commitment: Any, link: Any) -> bool:
        """Whether an entry is linked to `previous`; not if any of its members is of another type than ours are."""
        try:
            return bool(self.link(previous, commitment, number, adopted) == link)
        except (KeyError, TypeError, struct.error):
            return False

    def left(self, record: bytes) -> bytes:
        """What an erasure's record holds of what is left of an erased one."""
        return sha256(self._outer + sha256(self._inner + b"left\0" + record).digest()).digest()


def compute_commitment(record: bytes, salt: bytes) -> bytes:
    """HMAC-SHA-256 of a canonical record under its salt of `SALT_BYTES`."""
    block = salt.ljust(_BLOCK_BYTES, b"\0")
    return sha256(
        block.translate(_OUTER) + sha256(block.translate(_INNER) + record).digest()
    ).digest()


def encode_record(
    number: Any, user_email: Any, capture_type: Any, snapshot: Any, source_endpoint: Any, timestamp: Any, ip_address: Any,
    user_agent: Any, status: Any, error_details: Any,
) -> bytes:  # fmt: skip
    """A record as canonical JSON (RFC 8785): its columns' names in order, each text quoted as Python and ECMAScript do."""
    try:
        return (
            f'{{"capture_type":{quoted(capture_type)}'
            f',"data_snapshot":{"null" if snapshot is None else quoted(snapshot)}'
            f',"error_details":{"null" if error_details is None else quoted(error_details)}'
            f',"id":{number}'
            f',"ip_address":{"null" if ip_address is None else quoted(ip_address)}'
            f',"source_endpoint":{"null" if source_endpoint is None else quoted(source_endpoint)}'
            f',"status":{"null" if status is None else quoted(status)}'
            f',"timestamp":{"null" if timestamp is None else quoted(timestamp)}'
            f',"user_agent":{"null" if user_agent is None else quoted(user_agent)}'
            f',"user_email":{quoted(user_email)}}}'
        ).encode(errors="surrogateescape")
    except TypeError:  # a value that is neither text nor NULL, which no record of ours has
        values = (number, user_email, capture_type, snapshot, source_endpoint, timestamp, ip_address, user_agent, status,
                  error_details)  # fmt: skip
        members = sorted(zip(RECORD_COLUMNS, map(_canonical_value, values), strict=True))
        return f"{{{','.join(f'{quoted(name)}:{value}' for name, value in members)}}}".encode(
            errors="surrogateescape"
        )


def _canonical_value(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bytes):
        return f'{{"blob":"{value.hex()}"}}'
    if isinstance(value, float):
        return f'{{"real":"{struct.pack(">d", value).hex()}"}}'
    return str(value) if isinstance(value, int) else quoted(str(value))
