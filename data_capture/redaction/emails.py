"""Email addresses in texts, which are never masked: they say whose data it is."""

from __future__ import annotations

import re

_MAX_LOCAL_CHARACTERS, _MAX_DOMAIN_CHARACTERS = 64, 255  # RFC 5321 section 4.5.3.1
_MAX_ADDRESS_CHARACTERS = _MAX_LOCAL_CHARACTERS + _MAX_DOMAIN_CHARACTERS
_CHARACTER = r"[^\s@<>()\[\],:;\"'\\=&?/|]"
_LETTER = r"[^\W\d_]"
_PART_OF_ADDRESS = re.compile(f"{_CHARACTER}+")
_REST_OF_ADDRESS = re.compile(rf"{_CHARACTER}{{0,64}}@{_CHARACTER}{{1,250}}\.{_LETTER}")
_ADDRESS_BEFORE = re.compile(rf"{_CHARACTER}@{_CHARACTER}{{0,255}}\Z")
_REST_OF_DOMAIN = re.compile(rf"{_CHARACTER}{{0,250}}\.{_LETTER}")
_WHOLE_ADDRESS = re.compile(rf"\s*{_CHARACTER}{{1,64}}@{_LETTER}{_CHARACTER}{{0,254}}\s*")


def is_in_email(text: str, begin: int, end: int) -> bool:
    """Tell whether a part of a text belongs to an email address."""
    first, last = max(0, begin - _MAX_DOMAIN_CHARACTERS), end + _MAX_ADDRESS_CHARACTERS
    if text.find("@", first, last) < 0 or not _PART_OF_ADDRESS.fullmatch(text, begin, end):
        return False
    if len(text) <= _MAX_ADDRESS_CHARACTERS and _WHOLE_ADDRESS.fullmatch(text):
        return True
    if _REST_OF_ADDRESS.match(text, end, last):
        return True
    in_domain = _ADDRESS_BEFORE.search(text[first:begin])
    return in_domain is not None and _REST_OF_DOMAIN.match(text, end, last) is not None
