"""Test the SQL tokenizer of the schema check."""

from __future__ import annotations

import pytest

from data_capture.audit.schema_sql import is_plain_index, parse_create, tokenize_sql


@pytest.mark.parametrize(
    "other",
    [
        "create  table\tT(A integer)",
        "CREATE TABLE IF NOT EXISTS t (a INTEGER);",
        'CREATE TABLE "t" (`a` INTEGER)',
        "CREATE TABLE [t] -- a comment ) here\n (a /* and */ INTEGER)",
    ],
)
def test_equivalent_sql_has_equal_tokens(other: str) -> None:
    names = {"t", "a"}
    assert tokenize_sql(other, names) == tokenize_sql("CREATE TABLE t (a INTEGER)", names)


@pytest.mark.parametrize(
    "other",
    [
        "CREATE TABLE t (a 'INTEGER')",
        'CREATE TABLE t (a "INTEGER")',
        "CREATE TABLE t (a INT EGER)",
        "CREATE TABLE t (\xa0a INTEGER)",
        "CREATE TABLE t (a INTEGER)\0",
        "CREATE TABLE t (a INTEGER /* )",
        "CREATE TABLE t (\u212a INTEGER)",
        "CREATE TABLE t (a INTEGER) -- x\r WITHOUT ROWID\n STRICT",
        "CREATE TABLE t (a\v INTEGER)",
    ],
)
def test_different_sql_has_different_tokens(other: str) -> None:
    assert tokenize_sql(other, {"t", "a"}) != tokenize_sql("CREATE TABLE t (a INTEGER)", {"t", "a"})


@pytest.mark.parametrize("fragment", ["[", "'", '"', "/*", "`", "x'", "--", "''", "(", "\xe9 "])
def test_long_malformed_sql_is_tokenized_in_one_pass(fragment: str) -> None:
    assert len(tokenize_sql("CREATE TABLE t (" + fragment * 50_000)) <= 100_100


def test_create_statement_is_parsed_whatever_the_object_is_called() -> None:
    statement = 'CREATE TRIGGER main."on" AFTER UPDATE OF "on", b ON main.[T x] BEGIN SELECT 1; END'
    created = parse_create(tokenize_sql(statement))
    assert created is not None
    assert created[:3] == ("trigger", "on", "t x")
    for broken in (
        "",
        "CREATE",
        "CREATE TABLE",
        "CREATE TRIGGER x AFTER",
        "SELECT 1",
        "CREATE UNIQUE",
    ):
        assert parse_create(tokenize_sql(broken)) is None


@pytest.mark.parametrize(
    ("index", "is_plain"),
    [
        ("CREATE INDEX i ON t (a, b DESC)", True),
        ('CREATE INDEX i ON "t" ("a")', True),
        ("CREATE UNIQUE INDEX i ON t (a)", False),
        ("CREATE INDEX i ON t (a) WHERE b", False),
        ("CREATE INDEX i ON t (lower(a))", False),
        ("CREATE INDEX i ON t (a + 1)", False),
        ("CREATE INDEX i ON t (a || b)", False),
        ("CREATE INDEX i ON t (a COLLATE x)", False),
        ("CREATE INDEX i ON t ('a')", False),
        ("CREATE INDEX i ON t (-a)", False),
        ("CREATE INDEX i ON t (a IS b)", False),
    ],
)
def test_plain_index_is_distinguished_from_one_that_can_reject_rows(
    index: str, is_plain: bool
) -> None:
    assert is_plain_index(tokenize_sql(index)) is is_plain
