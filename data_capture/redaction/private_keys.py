"""Private keys of Bitcoin and its relatives in their import format (WIF), by their checksum."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from data_capture.scanning import LARGE_STEP_CHARACTERS, find_in_steps, overlapping_steps

MIN_KEY_CHARACTERS = 51
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
# The first characters are those of main and test networks, uncompressed and compressed.
_KEY = re.compile(
    rf"(?<![0-9A-Za-z])(?:[59][{_ALPHABET}]{{50}}|[KLc][{_ALPHABET}]{{51}})(?![0-9A-Za-z])"
)
_MARKS = bytes(b"1"[0] if chr(code) in _VALUES else b" "[0] for code in range(0x100))
_ENOUGH_MARKS = b"1" * MIN_KEY_CHARACTERS
_KEY_BYTES, _CHECKSUM_BYTES = (37, 38), 4


def may_contain_private_key(text: str) -> bool:
    """Tell whether a text may contain a private key; False is never wrong."""
    if len(text) < MIN_KEY_CHARACTERS:
        return False
    if len(text) <= LARGE_STEP_CHARACTERS:
        return _has_form(text)
    return any(map(_has_form, overlapping_steps(text)))


def _has_form(text: str) -> bool:
    has_long_run = _ENOUGH_MARKS in text.encode("utf-8", "replace").translate(_MARKS)
    return has_long_run and _KEY.search(text) is not None


def find_private_keys(text: str) -> Iterator[tuple[int, int]]:
    """Find the private keys in a text; yield each begin and end."""
    for found in find_in_steps(_KEY, text):
        if _has_checksum(found[0]):
            yield found.span()


def _has_checksum(written: str) -> bool:
    """Tell whether the last four bytes are the checksum of the others (Base58Check)."""
    number = 0
    for character in written:
        number = number * len(_ALPHABET) + _VALUES[character]
    decoded = number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(decoded) not in _KEY_BYTES:
        return False
    key, checksum = decoded[:-_CHECKSUM_BYTES], decoded[-_CHECKSUM_BYTES:]
    return hashlib.sha256(hashlib.sha256(key).digest()).digest()[:_CHECKSUM_BYTES] == checksum
