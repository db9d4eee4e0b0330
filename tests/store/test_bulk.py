"""Captures that are stored together become what they would have become one after the other, and are answered the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from data_capture.audit.append import audit_key_file
from data_capture.audit.head import EMPTY_HEAD
from data_capture.audit.verify import verify
from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, Capture
from data_capture.capture.timestamps import timestamp
from data_capture.json_codec import decode_json_object, encode_json
from data_capture.key_files import keep_key, load_key
from data_capture.problems import TOO_MANY, Problem
from data_capture.store import Store
from data_capture.store.sqlite.bulk import record_captures
from data_capture.store.sqlite.keys import receipts_key_file
from data_capture.store.sqlite.receipts import Receipt
from data_capture.store.sqlite.schema import prepare
from data_capture.store.sqlite.tombstones import add_tombstones
from data_capture.web.requests import CaptureRequest, parse_request
from data_capture.web.responses import build_result

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
ERASED_AT = NOW - timedelta(minutes=6)
RECEIPTS_KEY = bytes(range(32))  # of all databases here, so that their receipts are equal
NEW, KNOWN, IN_CAPITALS, ERASED = (
    "new@example.com",
    "known@example.com",
    "Capitals@Example.COM",
    "erased@example.com",
)

# What differs from one database to the next although the same was stored: what is drawn by lot, and what is hashed with it.
BY_LOT = {"users": {"unique_id"}, "data_capture_audit_chain": {"salt", "commitment", "link"}}

OF_KIND: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "payment": st.fixed_dictionaries(
        {"payment_status": st.sampled_from(["pending", "completed"])},
        optional={
            "transaction_id": st.sampled_from(["TX-1", "TX-2", ""]),
            "final_price": st.sampled_from(["9.90", 10, "lots"]),
        },
    ),
    "questionnaire": st.fixed_dictionaries({"tradesPerDay": st.sampled_from(["1-2", "3-5"])}),
    "dashboard": st.fixed_dictionaries(
        {"tradingState": st.fixed_dictionaries({"currentEquity": st.integers(1, 2)})}
    ),
    "activity": st.fixed_dictionaries({"activity_type": st.sampled_from(["login", "logout"])}),
}


CONFIRMED = "sent with a token"  # no member of the capture: `asked_by` takes it out


def captures_of_kind(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    of_all = st.fixed_dictionaries(
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
        },
    )
    return st.tuples(of_all, OF_KIND[kind]).map(lambda both: {**both[0], **both[1]})


MIXES = st.lists(st.sampled_from(list(KINDS)).flatmap(captures_of_kind), min_size=1, max_size=12)


OpenStore = Callable[[], AbstractContextManager[Store]]


@pytest.fixture(scope="module")
def a_store(tmp_path_factory: pytest.TempPathFactory) -> OpenStore:
    """Opens a new one, with a person in it whose address has capitals, one who was captured before, and one who was erased."""

    @contextmanager
    def opened() -> Iterator[Store]:
        database = tmp_path_factory.mktemp("store") / "trading_bots.db"
        keep_key(receipts_key_file(database), RECEIPTS_KEY)
        prepare(database)
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            insert = "INSERT INTO users (username, email, password_hash, normalized_email, created_at) VALUES (?, ?, '!', ?, '')"
            for email in (KNOWN, IN_CAPITALS):
                connection.execute(insert, (email, email, email.lower()))
        store = Store(database, request_seconds=20)
        try:
            store.write(
                lambda connection: add_tombstones(connection, [ERASED], timestamp(ERASED_AT))
            )
            yield store
        finally:
            store.close()

    return opened


def asked_by(
    payloads: Sequence[dict[str, Any]], admit_new_user: Callable[[], None] | None = None
) -> CaptureRequest:
    members: list[Capture | Problem] = []
    for payload in payloads:
        said = {key: value for key, value in payload.items() if key != CONFIRMED}
        body = decode_json_object(encode_json({"captures": [said]}).encode())
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


def answers_to(
    asked: CaptureRequest, outcomes: Sequence[Receipt | Exception]
) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = build_result(asked, outcomes).members["answers"]
    return answers


def send(store: Store, payloads: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Stores a batch and gives what each of it was answered."""
    asked = asked_by(payloads)
    return answers_to(asked, store.write_together(asked.jobs))


def send_together(store: Store, payloads: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Likewise, but fails where the store would do again one by one what can't be done together."""
    asked = asked_by(payloads)
    captures = [work.capture for work in asked.jobs]
    return answers_to(asked, store.write(lambda connection: record_captures(connection, captures)))


def content(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, but for what is drawn by lot."""

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
                {key: row[key] for key in row.keys() - BY_LOT.get(name, set())} for row in of_table
            ]
        tables["data_capture_erasures"] = []  # hashed under each database's own key
        return tables

    return store.read(read)


def assert_chained(store: Store) -> None:
    key = load_key(audit_key_file(store.database))
    assert (
        store.read(
            lambda connection: verify(connection, key, EMPTY_HEAD, lambda _done, _of: None)
        ).tampering
        is None
    )


def payment(capture_id: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "payment",
        "user_email": NEW,
        "capture_id": capture_id,
        "transaction_id": "TX-1",
        **more,
    }


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(mix=MIXES, first_group=st.integers(0, 11))
@example(mix=[payment("a"), payment("b"), payment("c", payment_status="completed")], first_group=0)
@example(mix=[payment("a"), payment("a"), payment("a", payment_status="completed")], first_group=0)
@example(
    mix=[
        payment("a"),
        payment("b", user_email=KNOWN),
        payment("c", payment_status="x"),
        payment("d"),
    ],
    first_group=0,
)
@example(
    mix=[payment("a", vat_id="DE1"), payment("b", vat_id="DE2"), payment("c", vat_id="DE1")],
    first_group=1,
)
@example(
    mix=[
        payment("a", final_price=1),
        payment("b", **{CONFIRMED: True}),
        payment("c", final_price=1),
    ],
    first_group=0,
)
@example(
    mix=[payment("a"), payment("a", **{CONFIRMED: True}), payment("b", **{CONFIRMED: True})],
    first_group=0,
)
@example(
    mix=[
        payment("a", final_price=1),
        payment("a", **{CONFIRMED: True}),
        payment("a", final_price=1),
    ],
    first_group=1,
)
@example(
    mix=[
        payment("a"),
        payment("a", user_email=KNOWN),
        payment("a", user_email=KNOWN, final_price=1),
    ],
    first_group=0,
)
@example(
    mix=[
        payment("a", user_email=ERASED, capture_timestamp=timestamp(NOW - timedelta(days=1))),
        payment("a"),
    ],
    first_group=0,
)
def test_group_has_the_same_rows_and_results_as_captures_stored_one_by_one(
    a_store: OpenStore, mix: list[dict[str, Any]], first_group: int
) -> None:
    with a_store() as together, a_store() as apart:
        groups = [group for group in (mix[:first_group], mix[first_group:]) if group]
        answers = [answer for group in groups for answer in send_together(together, group)]
        assert answers == [answer for one in mix for answer in send(apart, [one])]
        assert content(together) == content(apart)
        assert_chained(together)


REFUSES_A_PRICE = """
    CREATE TRIGGER no_price BEFORE INSERT ON payment_data WHEN NEW.final_price > 0 BEGIN SELECT RAISE(ABORT, 'no price'); END
"""


def test_new_user_admission_is_asked_once_per_capture_and_rejects_only_it(
    a_store: OpenStore,
) -> None:
    """Also where the group is rolled back, and its captures are stored one by one."""
    refused = Problem(TOO_MANY, "Too many new users.", retry_after_seconds=60)
    for trigger in ("", REFUSES_A_PRICE):
        asked: list[int] = []

        def admit(asked: list[int] = asked) -> None:
            asked.append(1)
            if len(asked) > 2:
                raise refused

        with a_store() as store:
            alter(store, trigger)
            users = [
                "1@example.com",
                "2@example.com",
                "1@example.com",
                "3@example.com",
                KNOWN,
                "3@example.com",
            ]
            mix = [payment(f"{place}", user_email=email) for place, email in enumerate(users)]
            mix.append(payment("fails", user_email=KNOWN, final_price=5))
            wanted = asked_by(mix, admit)
            statuses = [
                one["status"] for one in answers_to(wanted, store.write_together(wanted.jobs))
            ]
            assert statuses == [201, 201, 200, 429, 201, 429, 503 if trigger else 201]
            assert len(asked) == 4
            users = {row["email"] for row in content(store)["users"]}
            assert {"1@example.com", "2@example.com"} == users - {KNOWN, IN_CAPITALS}


def alter(store: Store, statement: str) -> None:
    """What another program does to the database while it is in use."""
    with closing(sqlite3.connect(store.database)) as connection:
        connection.execute(statement)


def test_group_with_unexpected_row_ids_is_stored_one_by_one(a_store: OpenStore) -> None:
    """A trigger takes the ids that would follow each other."""
    with a_store() as store:
        alter(store, """
            CREATE TRIGGER twice AFTER INSERT ON payment_data WHEN NEW.user_name IS NULL
            BEGIN INSERT INTO payment_data (user_email, user_name) VALUES (NEW.user_email, 'by a trigger'); END
        """)  # fmt: skip
        answers = send(
            store, [payment(f"{number}", transaction_id=f"TX-{number}") for number in range(3)]
        )
        assert [(answer["status"], answer["payment_id"]) for answer in answers] == [
            (201, 1),
            (201, 3),
            (201, 5),
        ]
        assert_chained(store)


def test_failing_capture_in_a_group_fails_alone(a_store: OpenStore) -> None:
    with a_store() as store:
        alter(store, f"""
            CREATE TRIGGER not_here BEFORE INSERT ON users WHEN NEW.email = '{NEW}' BEGIN SELECT RAISE(ABORT, 'not here'); END
        """)  # fmt: skip
        mix = [payment("a", user_email=KNOWN), payment("b"), payment("c", user_email=IN_CAPITALS)]
        assert [answer["status"] for answer in send(store, mix)] == [201, 503, 201]
        assert [row["user_email"] for row in content(store)["payment_data"]] == [KNOWN, IN_CAPITALS]
        assert_chained(store)


def test_captures_are_stored_after_a_tampered_chain(a_store: OpenStore) -> None:
    """The next record's entry is there already: what was put there stays to be found, and captures are taken."""
    with a_store() as store:
        send(store, [payment("a")])
        alter(store, "INSERT INTO data_capture_audit_chain VALUES (3, 0, x'00', x'00', x'00')")
        mix = [payment(f"{number}", transaction_id=f"TX-{number}") for number in (2, 3, 4)]
        assert [answer["status"] for answer in send(store, mix)] == [201, 201, 201]
        assert len(content(store)["data_capture_audit"]) == 4
