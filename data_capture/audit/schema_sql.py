"""Parse SQL like SQLite's tokenizer, far enough to compare two CREATE statements."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

# As in SQLite's tokenize.c: only these characters are white space, a vertical tab only after
# another one, and a byte order mark only at the start of a token. All other characters outside
# ASCII belong to words. An unclosed token extends to the end, so that hostile text is read in one
# pass.
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

# SQLite ignores the case of ASCII letters only.
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_DIRECTIONS = {"asc": "d", "desc": "d"}
_PLAIN_COLUMNS = re.compile(r"\(nd?(,nd?)*\)")
_KINDS = ("table", "index", "view", "trigger")


class Token(NamedTuple):
    """A token: its kind (a group of the pattern) and its text, words in lower case."""

    kind: str
    text: str


class CreatedObject(NamedTuple):
    """The object that a CREATE statement creates; names in lower case.

    Args:
        kind: "table", "index", "view" or "trigger".
        name: its name.
        table: the table of an index or trigger; the own name of a table or view, as in
            sqlite_schema.
        is_virtual: whether it is a virtual table.
        is_unique: whether it is a unique index.
    """

    kind: str
    name: str
    table: str
    is_virtual: bool
    is_unique: bool


class Reference(NamedTuple):
    """The table that a foreign key refers to, and whether the key has an action.

    With an action (CASCADE, SET NULL, SET DEFAULT), SQLite changes the row together with its
    parent.
    """

    parent: str
    has_action: bool


def fold_case(name: str) -> str:
    """Return the name in lower case, by which SQLite compares names."""
    return name.translate(_LOWER)


def tokenize_sql(sql: str, plain_names: Collection[str] = ()) -> tuple[Token, ...]:
    """Return the tokens that matter when statements are compared.

    White space, comments, IF NOT EXISTS and the last semicolon are left out.

    Args:
        sql: a CREATE statement.
        plain_names: names that have the same meaning with and without quotes. For others, quotes
            matter: `"null"` is not NULL.
    """
    tokens = []
    for match in _TOKEN.finditer(sql):
        kind, text = str(match.lastgroup), match[0]
        if kind == "space":
            continue
        if kind == "quoted" and (name := fold_case(_unquote(text))) in plain_names:
            kind, text = "word", name
        elif kind in ("word", "number", "blob"):
            text = fold_case(text)
        tokens.append(Token(kind, text))
    while tokens and tokens[-1] == ("other", ";"):
        tokens.pop()
    for place in range(1, min(5, len(tokens) - 3)):
        if [token.text for token in tokens[place : place + 3]] == ["if", "not", "exists"]:
            del tokens[place : place + 3]
            break
    return tuple(tokens)


def parse_create(tokens: tuple[Token, ...]) -> CreatedObject | None:
    """Return the object that the statement creates; None if it creates none."""
    try:
        return _read_create(tokens)
    except IndexError:
        return None


def find_names(tokens: tuple[Token, ...]) -> frozenset[str]:
    """Return all possible names in a statement.

    SQLite accepts string literals as names too.
    """
    kinds = ("word", "quoted", "text")
    return frozenset(fold_case(_unquote(token.text)) for token in tokens if token.kind in kinds)


def find_references(tokens: tuple[Token, ...]) -> frozenset[Reference]:
    """Return the references of the foreign keys in a CREATE TABLE statement."""
    places = [place for place, token in enumerate(tokens) if token == ("word", "references")]
    references = []
    for place, end in zip(places, [*places[1:], len(tokens)], strict=False):
        if place + 1 < len(tokens):
            parent = fold_case(_unquote(tokens[place + 1].text))
            references.append(Reference(parent, _has_action(tokens[place:end])))
    return frozenset(references)


def _has_action(tokens: tuple[Token, ...]) -> bool:
    """Return whether ON DELETE or ON UPDATE is followed by CASCADE or SET."""
    texts = [token.text for token in tokens]
    return any(
        first == "on" and event in ("delete", "update") and action in ("cascade", "set")
        for first, event, action in zip(texts, texts[1:], texts[2:], strict=False)
    )


def is_plain_index(tokens: tuple[Token, ...]) -> bool:
    """Return whether this creates an index over columns only.

    Such an index, which is not unique, partial or collated, can neither reject rows nor change
    results.
    """
    created = parse_create(tokens)
    if created is None or created.kind != "index" or created.is_unique:
        return False
    place = next(at for at, token in enumerate(tokens) if token == ("word", "on"))
    columns = tokens[_read_name(tokens, place + 1)[1] :]
    shape = "".join(
        _DIRECTIONS.get(text, "n") if kind in ("word", "quoted") else text for kind, text in columns
    )
    return _PLAIN_COLUMNS.fullmatch(shape) is not None


def _read_create(tokens: tuple[Token, ...]) -> CreatedObject | None:
    if tokens[0].text != "create":
        return None
    place, prefixes = 1, set()
    while tokens[place].text in ("temp", "temporary", "unique", "virtual"):
        prefixes.add(tokens[place].text)
        place += 1
    kind = tokens[place].text
    if kind not in _KINDS:
        return None
    name, place = _read_name(tokens, place + 1)
    table = name
    if kind in ("index", "trigger"):
        while tokens[place] != ("word", "on"):
            place += 1
        table, place = _read_name(tokens, place + 1)
    return CreatedObject(kind, name, table, "virtual" in prefixes, "unique" in prefixes)


def _read_name(tokens: tuple[Token, ...], place: int) -> tuple[str, int]:
    """Return the name at `place`, without a schema before it, and the place after it."""
    if tokens[place + 1 : place + 2] == (("other", "."),):
        place += 2
    return fold_case(_unquote(tokens[place].text)), place + 1


def _unquote(text: str) -> str:
    mark = text[:1]
    if mark not in ('"', "`", "[", "'"):
        return text
    inner = text[1:-1]
    return inner if mark == "[" else inner.replace(mark * 2, mark)
