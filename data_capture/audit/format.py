"""The format of the chain: the content of each entry and how it is computed.

Anyone with the key can check the chain by this description.

Each record of `data_capture_audit` has an entry in `data_capture_audit_chain`, in the order of
their ids:

    salt        16 random bytes
    commitment  HMAC-SHA-256 of the record, keyed with the salt
    link        HMAC-SHA-256, keyed with the installation's key, of "link" ‖ 0x00
                ‖ the previous entry's link (32 bytes) ‖ commitment (32)
                ‖ audit_id (8, big-endian) ‖ adopted (1)

HMAC is defined by RFC 2104. ‖ concatenates bytes. The first entry follows a link of 32 zero bytes.
The key is the 32 bytes that `trading_bots.keys/audit.key` contains in hexadecimal. It is outside
the database, so that nobody can compute a link with SQL alone.

A record is hashed as canonical JSON (RFC 8785) in UTF-8: an object of its ten columns. NULL becomes
null, text a string, an integer a number. An older program may have stored a real number or a BLOB:
these become {"real": "…"}, with the number's eight bytes (IEEE 754, big-endian), and {"blob": "…"},
with the BLOB's bytes, both in hexadecimal.

Ids have no gaps. Only adopted records, which existed before the chain began (`adopted` is 1), may
have gaps between them. A gap entry has no record, a salt of NULL and a commitment of 32 zero bytes.
It says that no record had an id from the entry before it up to its own when the chain began.

An erasure clears a record: it removes the user's address, snapshot, caller's address, user agent,
error details and the salt. Without the salt, nobody can guess the record and test the guess against
the commitment. Commitment and link remain. The audit record of the erasure, whose `capture_type` is
'erasure', is an attestation. The member `left` of its snapshot contains, under the id of each
cleared record, the remainder hash: HMAC-SHA-256, keyed with the installation's key, of "left"
‖ 0x00 ‖ the cleared record as canonical JSON, in hexadecimal.

Retention clears old data in the same way: the `capture_type` of its attestations is 'retention'. If
several attestations list a record, the last one is valid. An attestation keeps its own salt. It is
valid only while it matches its own commitment, and only for records with smaller ids. Each record
is verified before it is attested. A record that was changed is cleared but not attested, so that
it counts as changed from then on.
"""

from __future__ import annotations

import struct
from hashlib import sha256
from json.encoder import encode_basestring as quoted
from typing import Any

SALT_BYTES = 16
HASH_BYTES = 32
GENESIS_LINK = bytes(HASH_BYTES)
"""The link that the first entry follows."""
GAP_COMMITMENT = bytes(HASH_BYTES)
"""The commitment of a gap entry, which has no record."""

ERASURE, RETENTION = "erasure", "retention"
"""The `capture_type` of attestations."""

RECORD_COLUMNS = (
    "id", "user_email", "capture_type", "data_snapshot", "source_endpoint", "timestamp",
    "ip_address", "user_agent", "status", "error_details",
)  # fmt: skip
"""The columns of a record, in the order of the parameters of `encode_record`."""

_BLOCK_BYTES = 64
# ipad and opad of RFC 2104 section 2, as tables for bytes.translate.
_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))
_pack_id = struct.Struct(">q").pack
_ADOPTED = {0: b"\x00", 1: b"\x01"}


class ChainKey:
    """Hash with the installation's key.

    Both HMAC pads are computed once per key. By `timeit`, a link then takes 2.7 µs, and 4.8 µs
    with `hmac.digest` (Python 3.11, OpenSSL 3). The full run of tests/audit/test_audit.py
    (EDC_FULL_AUDIT=1), which verifies a million records, depends on it.
    """

    def __init__(self, key: bytes) -> None:
        block = (sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(
            _BLOCK_BYTES, b"\0"
        )
        self._inner, self._outer = block.translate(_INNER_PAD), block.translate(_OUTER_PAD)
        self._inner_of_link = self._inner + b"link\0"

    def compute_link(
        self, previous: bytes, commitment: bytes, audit_id: int, adopted: int
    ) -> bytes:
        """Compute the link of the entry of a record.

        Args:
            previous: the link of the entry before.
            commitment: the entry's commitment.
            audit_id: the id of the record.
            adopted: 1 if the record existed before the chain began, otherwise 0.

        Raises:
            KeyError: `adopted` is neither 0 nor 1.
            TypeError: `previous` or `commitment` is not bytes.
        """
        message = (
            self._inner_of_link + previous + commitment + _pack_id(audit_id) + _ADOPTED[adopted]
        )
        return sha256(self._outer + sha256(message).digest()).digest()

    def is_linked(
        self, previous: Any, audit_id: int, adopted: Any, commitment: Any, link: Any
    ) -> bool:
        """Return whether an entry follows `previous`; False if a value has the wrong type."""
        try:
            return bool(self.compute_link(previous, commitment, audit_id, adopted) == link)
        except (KeyError, TypeError, struct.error):
            return False

    def hash_remainder(self, record: bytes) -> bytes:
        """Compute the remainder hash of a cleared record in canonical JSON."""
        return sha256(self._outer + sha256(self._inner + b"left\0" + record).digest()).digest()


def compute_commitment(record: bytes, salt: bytes) -> bytes:
    """Compute HMAC-SHA-256 of a canonical record, keyed with its salt of `SALT_BYTES`."""
    block = salt.ljust(_BLOCK_BYTES, b"\0")
    return sha256(
        block.translate(_OUTER_PAD) + sha256(block.translate(_INNER_PAD) + record).digest()
    ).digest()


def encode_record(
    audit_id: Any, user_email: Any, capture_type: Any, snapshot: Any, source_endpoint: Any,
    timestamp: Any, ip_address: Any, user_agent: Any, status: Any, error_details: Any,
) -> bytes:  # fmt: skip
    """Encode a record as canonical JSON (RFC 8785).

    The members are in alphabetical order. Python quotes strings as ECMAScript does.
    """
    try:
        return (
            f'{{"capture_type":{quoted(capture_type)}'
            f',"data_snapshot":{"null" if snapshot is None else quoted(snapshot)}'
            f',"error_details":{"null" if error_details is None else quoted(error_details)}'
            f',"id":{audit_id}'
            f',"ip_address":{"null" if ip_address is None else quoted(ip_address)}'
            f',"source_endpoint":{"null" if source_endpoint is None else quoted(source_endpoint)}'
            f',"status":{"null" if status is None else quoted(status)}'
            f',"timestamp":{"null" if timestamp is None else quoted(timestamp)}'
            f',"user_agent":{"null" if user_agent is None else quoted(user_agent)}'
            f',"user_email":{quoted(user_email)}}}'
        ).encode(errors="surrogateescape")
    except TypeError:  # neither text nor NULL: the record is not ours
        values = (
            audit_id, user_email, capture_type, snapshot, source_endpoint, timestamp, ip_address,
            user_agent, status, error_details,
        )  # fmt: skip
        members = sorted(zip(RECORD_COLUMNS, map(_encode_value, values), strict=True))
        return f"{{{','.join(f'{quoted(name)}:{value}' for name, value in members)}}}".encode(
            errors="surrogateescape"
        )


def _encode_value(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bytes):
        return f'{{"blob":"{value.hex()}"}}'
    if isinstance(value, float):
        return f'{{"real":"{struct.pack(">d", value).hex()}"}}'
    return str(value) if isinstance(value, int) else quoted(str(value))
