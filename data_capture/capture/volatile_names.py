"""Names of members that differ each time a page saves the same data.

They are in the snapshot, but they are no content: a capture that differs from a stored one only in
them is a repetition. The names are in `volatile_names.json`, which also has the cases that the
script is tested with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

_NAMES = json.loads(Path(__file__).with_name("volatile_names.json").read_text(encoding="utf-8"))


def _spellings(name: str) -> set[str]:
    """Return a name as in `last_seen`, `lastSeen`, `LastSeen`, `last-seen` and `LAST_SEEN`."""
    prefix = "_" if name.startswith("_") else ""
    first, *others = name.removeprefix("_").split("_")
    camel_case = first + "".join(word.capitalize() for word in others)
    spellings = {name.removeprefix("_"), camel_case, camel_case[:1].upper() + camel_case[1:]}
    others_with_signs = ("-".join((first, *others)), name.removeprefix("_").upper())
    return {prefix + one for one in (*spellings, *others_with_signs)}


VOLATILE_NAMES = frozenset().union(*map(_spellings, (*_NAMES["times"], *_NAMES["saves"])))
"""Members that differ each time a page sends the same data; they are not part of the content."""

RECORD_ID_NAMES = frozenset().union(*map(_spellings, _NAMES["record_ids"]))
"""Members at the top that identify the page's record of a save, maybe a new one each time."""


def _factored(names: Iterable[str]) -> str:
    """Return a pattern of these names, with common beginnings factored out."""
    endings: dict[str, list[str]] = {}
    for name in names:
        endings.setdefault(name[:1], []).append(name[1:])
    is_optional = endings.pop("", None) is not None
    parts = [re.escape(first) + _factored(rest) for first, rest in sorted(endings.items())]
    pattern = f"(?:{'|'.join(parts)})" if parts else ""
    return f"{pattern}?" if pattern and is_optional else pattern


# Not factored, the pattern takes 11 times as long to search 68 KB of trades (timeit).
VOLATILE_MEMBER = re.compile(f'"{_factored(VOLATILE_NAMES)}":')
"""Matches the name of a volatile member in JSON."""
