"""Find rows of sqlite_schema that only PRAGMA writable_schema can make.

Such a row can hide an object of any kind: SQLite may read it as a trigger on one of our tables, for
example.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from data_capture.audit.schema_objects import SchemaRow, load_our_objects, shorten_name
from data_capture.audit.schema_sql import fold_case

# After FROM, such a name is an SQLite function, unless the file has a table of that name.
_FUNCTION_NAMES = ("json_each", "json_tree", "jsonb_each", "jsonb_tree")
_FUNCTION_PREFIX = "pragma_"


def find_forged_rows(rows: Sequence[SchemaRow]) -> Iterator[str]:
    """Find rows that only tampering makes, and names that hide others, as sentences."""
    names = load_our_objects().names
    counts = Counter((row.kind == "trigger", fold_case(row.name)) for row in rows)
    for (_, name), number in counts.items():
        if number > 1 and name in names:
            yield f"There are {number} objects named {shorten_name(name)}."
    for row in rows:
        yield from _check_row(row)
    yield from _find_shared_pages(rows)


def _check_row(row: SchemaRow) -> Iterator[str]:
    created = row.created
    described = f"{shorten_name(row.kind)} {shorten_name(row.name)}"
    if created is None:
        if not _is_automatic_index(row):
            yield f"The {described} has no SQL that creates it."
    elif (row.kind, fold_case(row.name), fold_case(row.table)) != created[:3]:
        creates = f"{created.kind} {shorten_name(created.name)}"
        yield f"The SQL of the {described} creates the {creates}."
    elif created.kind in ("trigger", "index") and created.table.startswith("sqlite_"):
        table = shorten_name(created.table)
        yield f"The {created.kind} {shorten_name(row.name)} is on {table}, a table of SQLite."
    for name in {fold_case(row.name), created.name if created is not None else ""}:
        if name.startswith(_FUNCTION_PREFIX) or name in _FUNCTION_NAMES:
            yield (
                f"The {shorten_name(row.kind)} {shorten_name(name)} has the name of an SQLite "
                "function."
            )


def _is_automatic_index(row: SchemaRow) -> bool:
    """Return whether SQLite made the index itself, for UNIQUE or PRIMARY KEY."""
    return (
        row.sql is None
        and row.kind == "index"
        and fold_case(row.name).startswith("sqlite_autoindex_")
    )


def _find_shared_pages(rows: Sequence[SchemaRow]) -> Iterator[str]:
    """Find objects on the same page of the file, which SQLite never makes."""
    by_root_page: dict[int, list[str]] = {}
    for row in rows:
        if isinstance(row.root_page, int) and row.root_page > 0:
            by_root_page.setdefault(row.root_page, []).append(shorten_name(row.name))
        elif row.kind in ("table", "index") and not (
            row.created is not None and row.created.is_virtual
        ):
            yield f"The {row.kind} {shorten_name(row.name)} has no page in the file."
    for names in by_root_page.values():
        if len(names) > 1:
            yield f"{' and '.join(names)} have the same pages in the file."
