"""Test that users of earlier versions are found and erased under the spelling of today."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, parse_capture
from data_capture.privacy.erasure import erase_user
from data_capture.privacy.export import export_user
from data_capture.privacy.statistics import read_statistics
from data_capture.problems import GONE, Problem
from data_capture.store import Store
from data_capture.store.sqlite.captures import record_capture
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.stored_emails import find_stored_email
from data_capture.store.sqlite.tombstones import add_tombstones
from tests.support.erasing import store_in

NOW = "2026-03-01T12:00:00.000Z"
ANN = "ann@example.com"
ANN_IDN = "ann@xn--bcher-kva.example"
# How earlier versions stored an address, and its spelling of today.
EARLIER = [
    ("ann@bücher.example", ANN_IDN),
    ("ann@bücher.example.", ANN_IDN),
    ("ann@xn--bcher-kva.example.", ANN_IDN),
    ("mailto:ann@bücher.example", ANN_IDN),
    ("ann@example.com.", ANN),
    ("ann@example.com/", ANN),
    ("ann@example.com,", ANN),
    ("ann@example.com;", ANN),
    ("mailto:ann@example.com", ANN),
    ("<ann@example.com>", ANN),
    ('"ann@example.com"', ANN),
    ("Mailto:Ann@Example.com", ANN),
]
# Found without an index, and only by what concerns all data of a user.
UNINDEXED = [
    ("ann<ann@example.com>", ANN),
    ("mailto:ann@example.com?subject=x", ANN),
    ("%61nn@example.com", ANN),
    ("'ann@example.com", ANN),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(store_in(tmp_path)) as store:
        yield store


def add_earlier_user(store: Store, spelling: str) -> None:
    """Add a user and a payment as an earlier version spelled the address."""

    def add(connection: StoreConnection) -> None:
        connection.execute(
            "INSERT INTO users (email, username, password_hash, normalized_email, status, "
            "created_at) VALUES (?1, ?1, '!', ?1, 'provisional', ?2)",
            (spelling, NOW),
        )
        connection.execute(
            "INSERT INTO payment_data (user_email, plan_name, created_at) VALUES (?, 'Old', ?)",
            (spelling, NOW),
        )

    store.write(add)


def store_payment(store: Store, email: str, **payload: object) -> None:
    caller = Caller("/test", None, None, datetime.now(timezone.utc))
    capture = parse_capture(KINDS["payment"], {"email": email, **payload}, caller, ())
    store.write(lambda connection: record_capture(connection, capture))


def count_payments(store: Store, email: str) -> int:
    counts = store.read(lambda connection: read_statistics(connection, email))["data_counts"]
    return int(counts["payments"])


def list_users(store: Store) -> list[str]:
    query = "SELECT email FROM users WHERE email NOT LIKE '%@data-capture.invalid'"
    return [row[0] for row in store.read(lambda connection: connection.execute(query).fetchall())]


def erase(store: Store, email: str, at: str = NOW) -> None:
    store.write(
        lambda connection: erase_user(connection, email, erased_at=at, source_endpoint="/test")
    )


@pytest.mark.parametrize(("spelling", "email"), EARLIER)
def test_a_user_of_an_earlier_version_keeps_the_spelling_and_is_found(
    store: Store, spelling: str, email: str
) -> None:
    add_earlier_user(store, spelling)
    assert store.read(lambda connection: find_stored_email(connection, email)) == spelling
    store_payment(store, email, plan_name="New")
    store_payment(store, spelling, plan_name="Newer")
    assert list_users(store) == [spelling]
    assert count_payments(store, email) == 3


def test_statistics_count_all_spellings_of_an_earlier_version(store: Store) -> None:
    for spelling in (ANN, "mailto:ann@example.com", "ann@example.com."):
        add_earlier_user(store, spelling)
    assert count_payments(store, ANN) == 3


@pytest.mark.parametrize(("spelling", "email"), [*EARLIER, *UNINDEXED])
def test_a_user_of_an_earlier_version_is_exported_and_erased(
    store: Store, spelling: str, email: str
) -> None:
    add_earlier_user(store, spelling)
    store_payment(store, email, plan_name="New")
    exported = b"".join(export_user(store, email, "json", source_endpoint="/test"))
    assert b'"Old"' in exported
    assert b'"New"' in exported
    erase(store, email)
    assert list_users(store) == []
    assert count_payments(store, email) == 0


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("strasse@example.com", "straße@example.com"),
        ("ann@strasse.example", "ann@xn--strae-oqa.example"),
        ("ann@bucher.example", ANN_IDN),
        ("ann+shop@example.com", ANN),
        ("mailto:bob@example.com", ANN),
        ("ann@example.com.au", ANN),
        ("ann@example.co", ANN),
        ("xann@example.com", ANN),
        ("ann@example.com/inbox", ANN),
        ("bob@example.com <ann@example.com>", ANN),
    ],
)
def test_users_with_other_addresses_stay(store: Store, stored: str, asked: str) -> None:
    add_earlier_user(store, stored)
    erase(store, asked)
    assert list_users(store) == [stored]


# An earlier version normalised the address in another way before it made the tombstone.
@pytest.mark.parametrize(
    ("hashed", "sent"),
    [
        ("ann@bücher.example", "ann@bücher.example"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("mailto:ann@example.com", "MAILTO:ann@example.com"),
        ("ann@example.com.", "ann@example.com."),
        ("<ann@example.com>", " <ann@example.com>"),
        (ANN, "mailto:ann@example.com"),
        (ANN, "%61nn@example.com"),
        (ANN_IDN, "ann@BÜCHER.example"),
    ],
)
def test_tombstones_of_earlier_versions_still_reject_captures(
    store: Store, hashed: str, sent: str
) -> None:
    erased_at = "2999-01-01T00:00:00.000Z"
    store.write(lambda connection: add_tombstones(connection, [hashed], erased_at))
    with pytest.raises(Problem) as refused:
        store_payment(store, sent, plan_name="Old")
    assert refused.value.problem_type is GONE
    assert list_users(store) == []
