"""Reads SQL as SQLite's tokenizer does, far enough to compare two CREATE statements."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

# As in SQLite's tokenize.c: these characters alone are space, a vertical tab only after another, a
# byte order mark only where a token begins; all else outside ASCII belongs to a word. What is not
# closed extends to the end, so that hostile text is read in one pass.
_TOKEN = re.compile(
    r"""
    (?P<space> [ \t\n\f\r][ \t\n\v\f\r]* | \ufeff | --[^\n]* | /\*.*?(?:\*/|\Z) )
  | (?P<text> '(?:[^']|'')*(?:'|\Z) )
  | (?P<blob> [xX]'[^']*(?:'|\Z) )
  | (?P<quoted> "(?:[^"]|"")*(?:"|\Z) | `(?:[^`]|``)*(?:`|\Z) | \[[^\]]*(?:\]|\Z) )
  | (?P<word> [A-Za-z_\x80-\U0010ffff][0-9A-Za-z_$\x80-\U0010ffff]* )
  | (?P<number> [0-9][0-9A-Za-z_.$]* )
  | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)

_LOWER = {
    code: code + 32 for code in range(ord("A"), ord("Z") + 1)
}  # SQLite folds no other letters
_DIRECTIONS = {"asc": "d", "desc": "d"}
_PLAIN_COLUMNS = re.compile(r"\(nd?(,nd?)*\)")
_KINDS = ("table", "index", "view", "trigger")


class Token(NamedTuple):
    """One token: its kind, a group of the pattern, and its text; words in lower case."""

    kind: str
    text: str


class Created(NamedTuple):
    """What a CREATE statement creates: table, index, view or trigger; names in lower case.

    `table` is what an index or a trigger is on; it is the object's own name for a table or a
    view, as in sqlite_schema.
    """

    kind: str
    name: str
    table: str
    is_virtual: bool
    is_unique: bool


class Reference(NamedTuple):
    """What a foreign key refers to; `acts`: SQLite changes the row with the one referred to."""

    parent: str
    acts: bool


def fold(name: str) -> str:
    """Return the name in lower case, as SQLite compares names."""
    return name.translate(_LOWER)


def tokenize_sql(sql: str, plain_names: Collection[str] = ()) -> tuple[Token, ...]:
    """Return the tokens that matter: no space or comment, no IF NOT EXISTS, no last semicolon.

    Args:
        sql: a CREATE statement.
        plain_names: names that mean the same with and without quotes. For others quotes matter:
            `"null"` is no NULL.
    """
    tokens = []
    for match in _TOKEN.finditer(sql):
        kind, text = str(match.lastgroup), match[0]
        if kind == "space":
            continue
        if kind == "quoted" and (name := fold(_unquoted(text))) in plain_names:
            kind, text = "word", name
        elif kind in ("word", "number", "blob"):
            text = fold(text)
        tokens.append(Token(kind, text))
    while tokens and tokens[-1] == ("other", ";"):
        tokens.pop()
    for place in range(1, min(5, len(tokens) - 3)):
        if [token.text for token in tokens[place : place + 3]] == ["if", "not", "exists"]:
            del tokens[place : place + 3]
            break
    return tuple(tokens)


def parse_create(tokens: tuple[Token, ...]) -> Created | None:
    """Return what the statement creates; None if SQLite keeps nothing of this kind."""
    try:
        return _read_create(tokens)
    except IndexError:
        return None


def names_in(tokens: tuple[Token, ...]) -> frozenset[str]:
    """Return all that can be a name in a statement; SQLite takes a text for one, too."""
    kinds = ("word", "quoted", "text")
    return frozenset(fold(_unquoted(token.text)) for token in tokens if token.kind in kinds)


def references_in(tokens: tuple[Token, ...]) -> frozenset[Reference]:
    """Return what the foreign keys in a CREATE TABLE statement refer to."""
    found = []
    places = [at for at, token in enumerate(tokens) if token == ("word", "references")]
    for place, end in zip(places, [*places[1:], len(tokens)], strict=False):
        actions = [
            second.text
            for first, event, second in zip(
                tokens[place:end], tokens[place + 1 : end], tokens[place + 2 : end], strict=False
            )
            if first.text == "on" and event.text in ("delete", "update")
        ]
        if place + 1 < len(tokens):
            parent = fold(_unquoted(tokens[place + 1].text))
            found.append(Reference(parent, bool({"cascade", "set"} & set(actions))))
    return frozenset(found)


def is_plain_index(tokens: tuple[Token, ...]) -> bool:
    """Whether this creates an index over columns alone: not unique, partial or collated.

    Such an index can refuse no row and changes no result.
    """
    created = parse_create(tokens)
    if created is None or created.kind != "index" or created.is_unique:
        return False
    place = next(at for at, token in enumerate(tokens) if token == ("word", "on"))
    columns = tokens[_name_at(tokens, place + 1)[1] :]
    shape = "".join(
        _DIRECTIONS.get(text, "n") if kind in ("word", "quoted") else text for kind, text in columns
    )
    return _PLAIN_COLUMNS.fullmatch(shape) is not None


def _read_create(tokens: tuple[Token, ...]) -> Created | None:
    if tokens[0].text != "create":
        return None
    place, prefixes = 1, set()
    while tokens[place].text in ("temp", "temporary", "unique", "virtual"):
        prefixes.add(tokens[place].text)
        place += 1
    kind = tokens[place].text
    if kind not in _KINDS:
        return None
    name, place = _name_at(tokens, place + 1)
    table = name
    if kind in ("index", "trigger"):
        while tokens[place] != ("word", "on"):
            place += 1
        table, place = _name_at(tokens, place + 1)
    return Created(kind, name, table, "virtual" in prefixes, "unique" in prefixes)


def _name_at(tokens: tuple[Token, ...], place: int) -> tuple[str, int]:
    """Return the name at `place`, without the schema before it, and the place after it."""
    if tokens[place + 1 : place + 2] == (("other", "."),):
        place += 2
    return fold(_unquoted(tokens[place].text)), place + 1


def _unquoted(text: str) -> str:
    mark = text[:1]
    if mark not in ('"', "`", "[", "'"):
        return text
    inner = text[1:-1]
    return inner if mark == "[" else inner.replace(mark * 2, mark)
