"""Test claims: a claim confirms nothing and hides no confirmed state."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, parse_capture
from data_capture.privacy.export import stream_export
from data_capture.problems import Problem
from data_capture.store import Store
from data_capture.store.sqlite.captures import record_capture
from data_capture.store.sqlite.keys import receipts_key_file
from data_capture.store.sqlite.receipts import Receipt
from tests.support.audit_trails import assert_chain_verifies
from tests.support.erasing import store_in
from tests.support.services import REPOSITORY, rows

PAYMENT = {"transaction_id": "TX-1", "plan_name": "Pro", "final_price": "49.00"}
ANN = "ann@example.com"
ADD_USER = (
    "INSERT INTO users (username, email, password_hash, normalized_email) VALUES ('a', ?, '!', ?)"
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty database, whose audit trail is verified after the test."""
    with closing(store_in(tmp_path)) as store:
        yield store
        assert_chain_verifies(store)


def send(
    store: Store,
    kind: str = "payment",
    *,
    confirmed: bool = False,
    address: str = "192.0.2.1",
    agent: str = "",
    **payload: Any,
) -> Receipt:
    caller = Caller("/test", address, agent, datetime.now(timezone.utc), is_confirmed=confirmed)
    capture = parse_capture(KINDS[kind], {"user_email": ANN, **payload}, caller, ())
    return store.write(lambda connection: record_capture(connection, capture))


def sources(store: Store, kind: str = "payment") -> list[str]:
    statement = "SELECT source FROM capture_sources WHERE capture_type = ? ORDER BY row_id"
    return [row["source"] for row in rows(store.database, statement, kind)]


def latest_in(store: Store) -> list[tuple[Any, ...]]:
    return [
        tuple(row.values())
        for row in rows(store.database, "SELECT payment_status, source FROM payments_latest")
    ]


def test_claim_never_hides_a_confirmed_state(store: Store) -> None:
    send(store, **PAYMENT, payment_status="completed")
    assert latest_in(store) == [("completed", "claim")]
    send(store, **PAYMENT, payment_status="pending", confirmed=True)
    send(store, **PAYMENT, payment_status="completed", confirmed=True)
    send(store, **PAYMENT, payment_status="refunded")
    assert latest_in(store) == [("completed", "confirmed")]
    assert sources(store) == ["claim", "confirmed", "confirmed", "claim"]
    send(store, **PAYMENT, payment_status="refunded", confirmed=True)
    assert latest_in(store) == [("refunded", "confirmed")]


@pytest.mark.parametrize("kind", list(KINDS))
def test_rows_of_every_kind_have_a_source(store: Store, kind: str) -> None:
    claimed = send(store, kind, transaction_id="1")
    confirmed = send(
        store, kind, transaction_id="2", tradesPerDay="1", current_equity=5, confirmed=True
    )
    assert claimed.row_id != confirmed.row_id
    assert sources(store, kind) == ["claim", "confirmed"]


def test_confirmed_repetition_confirms_a_claim_and_adds_an_audit_record(
    store: Store,
) -> None:
    claimed = send(store, **PAYMENT, payment_status="completed")
    confirmed = send(store, **PAYMENT, payment_status="completed", confirmed=True)
    assert (confirmed.row_id, confirmed.outcome) == (claimed.row_id, "unchanged")
    send(store, **PAYMENT, payment_status="completed", confirmed=True)
    assert latest_in(store) == [("completed", "confirmed")]
    statement = (
        "SELECT capture_type, json_extract(data_snapshot, '$.row_id') AS row_id"
        " FROM data_capture_audit ORDER BY id"
    )
    records = [tuple(row.values()) for row in rows(store.database, statement)]
    assert records == [("payment", None), ("confirmation", claimed.row_id)]


def test_confirmation_does_not_confirm_fields_that_only_the_claim_has(store: Store) -> None:
    forged = send(
        store, **PAYMENT, payment_status="completed", coupon_code="FREE", discount_amount=49
    )
    confirmed = send(store, **PAYMENT, payment_status="completed", confirmed=True)
    assert confirmed.row_id != forged.row_id
    found = rows(store.database, "SELECT coupon_code, source FROM payments_latest")
    assert found == [{"coupon_code": None, "source": "confirmed"}]


@pytest.mark.parametrize("kind", ["payment", "activity"])
def test_confirmation_with_the_same_capture_id_keeps_the_row(store: Store, kind: str) -> None:
    claimed = send(store, kind, capture_id="one", activity_type="login", final_price=1)
    confirmed = send(
        store, kind, capture_id="one", activity_type="login", final_price=1, confirmed=True
    )
    assert confirmed == Receipt(claimed.row_id, "stored", replayed=True)
    assert sources(store, kind) == ["confirmed"]
    types = [
        row["capture_type"]
        for row in rows(store.database, "SELECT capture_type FROM data_capture_audit ORDER BY id")
    ]
    assert types == [kind, "confirmation"]
    assert send(store, kind, capture_id="one", activity_type="login", final_price=1) == confirmed


@pytest.mark.parametrize("capture_id", [{}, {"capture_id": "order-1"}])
def test_confirmed_row_has_the_time_and_origin_of_the_confirmation(
    store: Store, capture_id: dict[str, str]
) -> None:
    week_ago = datetime.now(timezone.utc) - timedelta(days=6)
    forged = {"capture_timestamp": week_ago.isoformat(), **capture_id}
    claimed = send(store, **PAYMENT, **forged, address="203.0.113.9", agent="a stranger's")
    confirmed = send(
        store, **PAYMENT, **capture_id, confirmed=True, address="192.0.2.10", agent="the owner's"
    )
    assert confirmed.row_id == claimed.row_id
    (row,) = rows(store.database, "SELECT * FROM payments_latest")
    assert (row["ip_address"], row["user_agent"], row["source"]) == (
        "192.0.2.10",
        "the owner's",
        "confirmed",
    )
    assert min(row["created_at"], row["updated_at"]) > (week_ago + timedelta(days=5)).isoformat()
    claim = rows(store.database, "SELECT * FROM data_capture_audit WHERE capture_type = 'payment'")[
        0
    ]
    assert (claim["ip_address"], claim["user_agent"]) == ("203.0.113.9", "a stranger's")


def test_a_partial_claim_over_a_confirmed_row_makes_a_claim(store: Store) -> None:
    send(store, "dashboard", current_equity=5, win_rate=50, theme="light", confirmed=True)
    send(store, "dashboard", current_equity=6, partial=True)
    states = "SELECT current_equity, win_rate, theme FROM dashboard_data ORDER BY id"
    assert [tuple(row.values()) for row in rows(store.database, states)] == [
        (5, 50, "light"),
        (6, 50, "light"),
    ]
    assert sources(store, "dashboard") == ["confirmed", "claim"]


@pytest.mark.parametrize("kind", ["payment", "questionnaire", "dashboard"])
def test_a_confirmed_partial_update_takes_nothing_from_a_claim(store: Store, kind: str) -> None:
    known = {"transaction_id": "TX-1"}
    send(store, kind, **known, user_name="Forged", confirmed=False)
    send(store, kind, **known, user_id=7, partial=True, confirmed=True)
    send(store, kind, **known, user_name="Forged again", confirmed=False)
    send(store, kind, **known, user_name="Ann", partial=True, confirmed=True)
    found = rows(
        store.database,
        f"SELECT user_name, user_id FROM {KINDS[kind].table} ORDER BY id",  # noqa: S608
    )
    assert [tuple(row.values()) for row in found] == [
        ("Forged", None),
        (None, 7),
        ("Forged again", None),
        ("Ann", 7),
    ]
    assert sources(store, kind) == ["claim", "confirmed"] * 2


def test_a_claim_does_not_fill_a_confirmed_questionnaire_nor_the_other_way_round(
    store: Store,
) -> None:
    steps = {"trades_per_day": "3-5"}, {"prop_firm": "A"}, {"account_type": "demo"}
    for step, confirmed in zip(steps, (True, False, True), strict=True):
        send(store, "questionnaire", **step, partial=True, confirmed=confirmed)
    found = rows(
        store.database,
        "SELECT trades_per_day, prop_firm, account_type FROM questionnaire_data ORDER BY id",
    )
    assert [tuple(row.values()) for row in found] == [
        ("3-5", None, None),
        ("3-5", "A", None),
        ("3-5", None, "demo"),
    ]


def test_claim_does_not_change_updated_at_of_a_confirmed_dashboard(store: Store) -> None:
    hour_ago = (datetime.now(timezone.utc) - timedelta(hours=1)).isoformat()
    seen = []
    for confirmed, times in ((True, {"capture_timestamp": hour_ago}), (False, {}), (True, {})):
        send(store, "dashboard", current_equity=5, confirmed=confirmed, **times)
        seen += [
            row["updated_at"]
            for row in rows(store.database, "SELECT updated_at FROM dashboard_data")
        ]
    assert seen[0] == seen[1] < seen[2]


def test_claim_with_a_guessed_capture_id_does_not_block_a_confirmed_capture(
    store: Store,
) -> None:
    send(store, capture_id="order-1", **PAYMENT, payment_status="refunded")
    real = send(store, capture_id="order-1", **PAYMENT, payment_status="completed", confirmed=True)
    assert (real.outcome, real.replayed) == ("stored", False)
    assert latest_in(store) == [("completed", "confirmed")]
    again = send(store, capture_id="order-1", **PAYMENT, payment_status="completed", confirmed=True)
    assert again == real._replace(replayed=True)
    with pytest.raises(Problem, match="different capture"):
        send(store, capture_id="order-1", **PAYMENT, payment_status="refunded")


def test_export_distinguishes_claims_from_confirmed_captures(store: Store) -> None:
    send(store, **PAYMENT, payment_status="pending", capture_id="a")
    send(store, **PAYMENT, payment_status="completed", capture_id="b", confirmed=True)
    document = json.loads(b"".join(stream_export(store.database, ANN, "json")))
    assert {one["capture_id"]: one["confirmed"] for one in document["capture_receipts"]} == {
        "a": 0,
        "b": 1,
    }


def test_receipt_digests_depend_on_the_key_of_the_installation(
    store: Store, tmp_path: Path
) -> None:
    """The same capture has different digests in two installations, in every column.

    So a guess cannot be confirmed without the key.
    """
    (tmp_path / "other").mkdir()
    with closing(store_in(tmp_path / "other")) as other:
        digests: list[set[bytes]] = []
        for one in (store, other):
            send(one, capture_id="a", **PAYMENT)
            [receipt] = rows(
                one.database, "SELECT payload_digest, content_digest, key_id FROM capture_receipts"
            )
            digests.append(set(receipt.values()))
        assert digests[0] & digests[1] == set()
        assert (
            receipts_key_file(other.database).read_text()
            != receipts_key_file(store.database).read_text()
        )


def test_capture_can_be_sent_again_after_its_user_was_deleted_by_hand(store: Store) -> None:
    send(store, capture_id="a", **PAYMENT)
    with closing(sqlite3.connect(store.database)) as connection, connection:
        connection.execute("DELETE FROM payment_data")
        connection.execute("DELETE FROM users")
    assert send(store, capture_id="a", **PAYMENT).outcome == "stored"


@pytest.mark.parametrize("kind", list(KINDS))
def test_receipt_without_its_row_is_ignored(store: Store, kind: str) -> None:
    given = {
        "transaction_id": "TX-1",
        "activity_type": "login",
        "risk_percentage": "1",
        "total_trades": 1,
    }
    first = send(store, kind, capture_id="a", **given)
    with closing(sqlite3.connect(store.database)) as connection, connection:
        connection.execute(f"DELETE FROM {KINDS[kind].table}")  # noqa: S608
    again = send(store, kind, capture_id="a", **given)
    assert again == Receipt(first.row_id + 1, "stored", replayed=False)
    assert send(store, kind, capture_id="a", **given) == again._replace(replayed=True)
    assert len(rows(store.database, "SELECT * FROM capture_receipts")) == 1


def test_payments_latest_time_grows_linearly_with_the_claims_of_a_payment(
    tmp_path: Path,
) -> None:
    """With 8 times as many states, the view takes 8 times as long; 24 leaves room for noise."""
    schema = (REPOSITORY / "schema.sql").read_text()
    seconds: list[float] = []
    for number in (2000, 16000):
        with closing(sqlite3.connect(tmp_path / f"{number}.db")) as connection:
            connection.executescript(schema)
            connection.execute(ADD_USER, (ANN, ANN))
            insert = (
                "INSERT INTO payment_data (user_email, transaction_id, payment_status)"
                " VALUES (?, 'TX-1', ?)"
            )
            connection.executemany(insert, [(ANN, f"state {n}") for n in range(number)])
            began_at = time.process_time()
            for _ in range(3):
                found = connection.execute(
                    "SELECT payment_status, source FROM payments_latest"
                ).fetchall()
            seconds.append(time.process_time() - began_at)
            assert found == [(f"state {number - 1}", "claim")]
    assert seconds[1] <= 24 * seconds[0]
