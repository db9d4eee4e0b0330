"""Test that a group commit has the same rows and results as single commits."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, Capture
from data_capture.capture.timestamps import timestamp
from data_capture.json_codec import decode_json_object, encode_json
from data_capture.key_files import keep_key
from data_capture.problems import TOO_MANY, Problem
from data_capture.store import Store
from data_capture.store.sqlite.bulk import record_captures
from data_capture.store.sqlite.keys import receipts_key_file
from data_capture.store.sqlite.receipts import Receipt
from data_capture.store.sqlite.schema import prepare
from data_capture.store.sqlite.tombstones import add_tombstones
from data_capture.web.requests import CaptureRequest, parse_request
from data_capture.web.responses import build_result
from tests.support.audit_trails import assert_chain_verifies

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
ERASED_AT = NOW - timedelta(minutes=6)
RECEIPTS_KEY = bytes(range(32))  # the same in all databases, so that their receipts are equal
NEW, KNOWN, IN_CAPITALS, ERASED = (
    "new@example.com",
    "known@example.com",
    "Capitals@Example.COM",
    "erased@example.com",
)

# Random values, and hashes of them, which differ between databases with the same captures.
RANDOM_COLUMNS = {
    "users": {"unique_id"},
    "data_capture_audit_chain": {"salt", "commitment", "link"},
}

KIND_FIELDS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "payment": st.fixed_dictionaries(
        {"payment_status": st.sampled_from(["pending", "completed"])},
        optional={
            "transaction_id": st.sampled_from(
                [
                    "TX-1",
                    "TX-2",
                    "",
                    "undefined",
                    "653993715560027565",
                    "653993715560107565",
                ]
            ),
            "final_price": st.sampled_from(["9.90", 10, "lots"]),
            "plan_name": st.sampled_from(["Pro", "pro"]),
            "coupon_code": st.just("SAVE10"),
            "currency": st.sampled_from(["USD", "EUR", "JPY"]),
        },
    ),
    "questionnaire": st.fixed_dictionaries({"tradesPerDay": st.sampled_from(["1-2", "3-5"])}),
    "dashboard": st.fixed_dictionaries(
        {"tradingState": st.fixed_dictionaries({"currentEquity": st.integers(1, 2)})}
    ),
    "activity": st.fixed_dictionaries({"activity_type": st.sampled_from(["login", "logout"])}),
}


CONFIRMED = "sent with a token"  # not a field of the capture: `parse_batch` removes it


def captures_of_kind(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    common_fields = st.fixed_dictionaries(
        {
            "type": st.just(kind),
            "user_email": st.sampled_from([NEW, KNOWN, IN_CAPITALS, ERASED, "newer@example.com"]),
            "capture_id": st.sampled_from(["a", "b", "c"]) | st.uuids().map(str),
        },
        optional={
            "capture_timestamp": st.sampled_from([0, 5, 7, 11, 3000]).map(
                lambda m: timestamp(NOW - timedelta(minutes=m))
            ),
            "user_name": st.sampled_from(["Ann Example", "Bob Example"]),
            "vat_id": st.sampled_from(["DE1", "DE2"]),  # in no column
            CONFIRMED: st.booleans(),
            "partial": st.just(True),
        },
    )
    return st.tuples(common_fields, KIND_FIELDS[kind]).map(lambda both: {**both[0], **both[1]})


CAPTURE_LISTS = st.lists(
    st.sampled_from(list(KINDS)).flatmap(captures_of_kind), min_size=1, max_size=12
)


OpenStore = Callable[[], AbstractContextManager[Store]]


@pytest.fixture(scope="module")
def open_store(tmp_path_factory: pytest.TempPathFactory) -> OpenStore:
    """Return a function that opens a new store with two existing users and an erased one."""

    @contextmanager
    def opened() -> Iterator[Store]:
        database = tmp_path_factory.mktemp("store") / "trading_bots.db"
        keep_key(receipts_key_file(database), RECEIPTS_KEY)
        prepare(database)
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            insert = (
                "INSERT INTO users (username, email, password_hash, normalized_email, created_at) "
                "VALUES (?, ?, '!', ?, '')"
            )
            for email in (KNOWN, IN_CAPITALS):
                connection.execute(insert, (email, email, email.lower()))
        store = Store(database, request_seconds=60)
        try:
            store.write(
                lambda connection: add_tombstones(connection, [ERASED], timestamp(ERASED_AT))
            )
            yield store
        finally:
            store.close()

    return opened


def parse_batch(
    payloads: Sequence[dict[str, Any]], admit_new_user: Callable[[], None] | None = None
) -> CaptureRequest:
    members: list[Capture | Problem] = []
    for payload in payloads:
        fields = {key: value for key, value in payload.items() if key != CONFIRMED}
        body = decode_json_object(encode_json({"captures": [fields]}).encode())
        is_confirmed = bool(payload.get(CONFIRMED))
        caller = Caller(
            "/test",
            "192.0.2.1",
            "Browser/1.0",
            NOW,
            is_confirmed=is_confirmed,
            admit_new_user=admit_new_user,
        )
        members += parse_request("batch", body, caller, ()).members
    return CaptureRequest(tuple(members), is_batch=True)


def build_results(
    asked: CaptureRequest, outcomes: Sequence[Receipt | Exception]
) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = build_result(asked, outcomes).members["answers"]
    return results


def store_batch(store: Store, payloads: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Store a batch and return the results of its captures."""
    asked = parse_batch(payloads)
    return build_results(asked, store.write_together(asked.jobs))


def store_in_one_group(store: Store, payloads: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Store a batch in one group; fail where the store would retry its captures one by one."""
    asked = parse_batch(payloads)
    captures = [job.capture for job in asked.jobs]
    return build_results(
        asked, store.write(lambda connection: record_captures(connection, captures))
    )


def read_tables(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table, without the random columns."""

    def read(connection: sqlite3.Connection) -> dict[str, list[dict[str, Any]]]:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        ).fetchall()
        tables = {}
        for (name,) in names:
            rows = connection.execute(f"SELECT * FROM {name} ORDER BY 1")  # noqa: S608
            columns = [column[0] for column in rows.description]
            of_table = [dict(zip(columns, row, strict=True)) for row in rows]
            tables[name] = [
                {key: row[key] for key in row.keys() - RANDOM_COLUMNS.get(name, set())}
                for row in of_table
            ]
        tables["data_capture_erasures"] = []  # hashed under each database's own key
        return tables

    return store.read(read)


def make_payment(capture_id: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "payment",
        "user_email": NEW,
        "capture_id": capture_id,
        "transaction_id": "TX-1",
        **more,
    }


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(captures=CAPTURE_LISTS, first_group=st.integers(0, 11))
@example(
    captures=[make_payment("a"), make_payment("b"), make_payment("c", payment_status="completed")],
    first_group=0,
)
@example(
    captures=[make_payment("a"), make_payment("a"), make_payment("a", payment_status="completed")],
    first_group=0,
)
@example(
    captures=[
        make_payment("a"),
        make_payment("b", user_email=KNOWN),
        make_payment("c", payment_status="x"),
        make_payment("d"),
    ],
    first_group=0,
)
@example(
    captures=[
        make_payment("a", vat_id="DE1"),
        make_payment("b", vat_id="DE2"),
        make_payment("c", vat_id="DE1"),
    ],
    first_group=1,
)
@example(
    captures=[
        make_payment("a", final_price=1),
        make_payment("b", **{CONFIRMED: True}),
        make_payment("c", final_price=1),
    ],
    first_group=0,
)
@example(
    captures=[
        make_payment("a"),
        make_payment("a", **{CONFIRMED: True}),
        make_payment("b", **{CONFIRMED: True}),
    ],
    first_group=0,
)
@example(
    captures=[
        make_payment("a", final_price=1),
        make_payment("a", **{CONFIRMED: True}),
        make_payment("a", final_price=1),
    ],
    first_group=1,
)
@example(
    captures=[
        make_payment("a"),
        make_payment("a", user_email=KNOWN),
        make_payment("a", user_email=KNOWN, final_price=1),
    ],
    first_group=0,
)
@example(
    captures=[
        make_payment("a", plan_name="Pro", final_price=1, transaction_id="undefined"),
        make_payment("b", plan_name="Pro", final_price=1),
        make_payment("c", plan_name="Pro", final_price=1, transaction_id="", coupon_code="X"),
        make_payment("d", plan_name="Pro", final_price=1, payment_status="completed"),
        make_payment("e", plan_name="Pro", final_price=1, coupon_code="X"),
        make_payment("f", plan_name="Pro", final_price=1, transaction_id="TX-2"),
    ],
    first_group=0,
)
@example(
    captures=[
        make_payment("a", plan_name="Pro", final_price=1, payment_status="pending"),
        make_payment("b", plan_name="Pro", final_price=1, transaction_id="", payment_status="paid"),
        make_payment("c", plan_name="Pro", final_price=1, payment_status="paid"),
        make_payment("d", plan_name="Pro", final_price=1, transaction_id="TX-2"),
        make_payment("e", plan_name="Pro", final_price=1, **{CONFIRMED: True}),
        make_payment("f", plan_name="Pro", final_price=1, transaction_id="", **{CONFIRMED: True}),
    ],
    first_group=1,
)
@example(
    captures=[
        make_payment("a", user_email=ERASED, capture_timestamp=timestamp(NOW - timedelta(days=1))),
        make_payment("a"),
    ],
    first_group=0,
)
def test_group_has_the_same_rows_and_results_as_captures_stored_one_by_one(
    open_store: OpenStore, captures: list[dict[str, Any]], first_group: int
) -> None:
    assert_same_as_one_by_one(open_store, captures, first_group)


def assert_same_as_one_by_one(
    open_store: OpenStore, captures: list[dict[str, Any]], first_group: int
) -> None:
    with open_store() as together, open_store() as apart:
        groups = [group for group in (captures[:first_group], captures[first_group:]) if group]
        results = [result for group in groups for result in store_in_one_group(together, group)]
        assert results == [result for one in captures for result in store_batch(apart, [one])]
        assert read_tables(together) == read_tables(apart)
        assert_chain_verifies(together)


PAYMENT_LISTS = st.lists(
    captures_of_kind("payment").map(
        lambda payment: {"plan_name": "Pro", "final_price": 10, **payment, "user_email": NEW}
    ),
    min_size=2,
    max_size=10,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(captures=PAYMENT_LISTS, first_group=st.integers(0, 9))
def test_group_of_one_users_payments_is_stored_as_one_by_one(
    open_store: OpenStore, captures: list[dict[str, Any]], first_group: int
) -> None:
    assert_same_as_one_by_one(open_store, captures, first_group)


REJECT_PRICES = """
    CREATE TRIGGER no_price BEFORE INSERT ON payment_data WHEN NEW.final_price > 0
    BEGIN SELECT RAISE(ABORT, 'no price'); END
"""


def test_new_user_admission_is_asked_once_per_capture_and_rejects_only_it(
    open_store: OpenStore,
) -> None:
    """This also holds where the group is rolled back and stored one by one."""
    refused = Problem(TOO_MANY, "Too many new users.", retry_after_seconds=60)
    for trigger in ("", REJECT_PRICES):
        asked: list[int] = []

        def admit(asked: list[int] = asked) -> None:
            asked.append(1)
            if len(asked) > 2:
                raise refused

        with open_store() as store:
            run_as_other_program(store, trigger)
            users = [
                "1@example.com",
                "2@example.com",
                "1@example.com",
                "3@example.com",
                KNOWN,
                "3@example.com",
            ]
            captures = [
                make_payment(f"{place}", user_email=email) for place, email in enumerate(users)
            ]
            captures.append(make_payment("fails", user_email=KNOWN, final_price=5))
            wanted = parse_batch(captures, admit)
            statuses = [
                one["status"] for one in build_results(wanted, store.write_together(wanted.jobs))
            ]
            assert statuses == [201, 201, 200, 429, 201, 429, 503 if trigger else 201]
            assert len(asked) == 4
            users = {row["email"] for row in read_tables(store)["users"]}
            assert {"1@example.com", "2@example.com"} == users - {KNOWN, IN_CAPITALS}


def run_as_other_program(store: Store, statement: str) -> None:
    """Run a statement in the connection of another program."""
    with closing(sqlite3.connect(store.database)) as connection:
        connection.execute(statement)


def test_group_with_unexpected_row_ids_is_stored_one_by_one(open_store: OpenStore) -> None:
    """A trigger inserts rows, so that the ids of the group are not consecutive."""
    with open_store() as store:
        run_as_other_program(store, """
            CREATE TRIGGER twice AFTER INSERT ON payment_data WHEN NEW.user_name IS NULL
            BEGIN
                INSERT INTO payment_data (user_email, user_name)
                VALUES (NEW.user_email, 'by a trigger');
            END
        """)  # fmt: skip
        results = store_batch(
            store, [make_payment(f"{number}", transaction_id=f"TX-{number}") for number in range(3)]
        )
        assert [(result["status"], result["payment_id"]) for result in results] == [
            (201, 1),
            (201, 3),
            (201, 5),
        ]
        assert_chain_verifies(store)


def test_failing_capture_in_a_group_fails_alone(open_store: OpenStore) -> None:
    with open_store() as store:
        run_as_other_program(store, f"""
            CREATE TRIGGER not_here BEFORE INSERT ON users WHEN NEW.email = '{NEW}'
            BEGIN SELECT RAISE(ABORT, 'not here'); END
        """)  # fmt: skip
        captures = [
            make_payment("a", user_email=KNOWN),
            make_payment("b"),
            make_payment("c", user_email=IN_CAPITALS),
        ]
        assert [result["status"] for result in store_batch(store, captures)] == [201, 503, 201]
        assert [row["user_email"] for row in read_tables(store)["payment_data"]] == [
            KNOWN,
            IN_CAPITALS,
        ]
        assert_chain_verifies(store)


def test_captures_are_stored_after_a_tampered_chain(open_store: OpenStore) -> None:
    """The chain entry of the next record exists already. It stays, and captures are stored."""
    with open_store() as store:
        store_batch(store, [make_payment("a")])
        run_as_other_program(
            store, "INSERT INTO data_capture_audit_chain VALUES (3, 0, x'00', x'00', x'00')"
        )
        captures = [
            make_payment(f"{number}", transaction_id=f"TX-{number}") for number in (2, 3, 4)
        ]
        assert [result["status"] for result in store_batch(store, captures)] == [201, 201, 201]
        assert len(read_tables(store)["data_capture_audit"]) == 4
