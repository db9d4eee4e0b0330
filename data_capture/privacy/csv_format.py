"""CSV as spreadsheets read it (RFC 4180), in UTF-8 with a byte order mark.

Excel reads a CSV file without the mark in the machine's old code page, and shows "MÃ¼ller" for
"Müller".
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""The first bytes of a file."""

# Spreadsheets run a cell that begins with one of these (OWASP, "CSV Injection"). They also read the
# full-width forms, which East Asian keyboards type, and the minus sign U+2212.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "−")
_NEGATIVE_NUMBER = re.compile(
    r"[-−](?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{0,30})(?:[.,][0-9]{1,30})?(?:[eE][-+]?[0-9]{1,3})?%?"
)


def format_line(values: Sequence[Any]) -> bytes:
    """Return a line of a CSV file; no cell of it is run as a formula."""
    line = io.StringIO()
    csv.writer(line).writerow(map(_to_cell, values))
    return line.getvalue().encode()


def _to_cell(value: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would run; a plain number is none."""
    if not isinstance(value, str) or not value.startswith(_FORMULA_STARTS):
        return value
    is_number = _NEGATIVE_NUMBER.fullmatch(value) is not None and value[1:2] not in ("", "%")
    return value if is_number else f"'{value}"
