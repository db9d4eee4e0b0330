"""Test arbitrary requests: no response is a 500, and every rejection has a reason."""

from __future__ import annotations

import base64
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_from_bytes

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_capture.images import MAX_PICTURE_BYTES
from tests.support import fuzz_bodies
from tests.support.services import RunningService, capture_service_in, seconds_of_a_calibration

USER = "fuzz@example.com"
# To send and reject the largest body: 5 s on an idle machine.
MAX_CALIBRATIONS = 100
KINDS = ("payment", "questionnaire", "dashboard", "activity")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A separate capture service, whose health and database are checked at the end."""
    running = capture_service_in(tmp_path_factory.mktemp("fuzz"))
    running.start()
    yield running
    health = requests.get(f"{running.url}/api/data-capture/health", timeout=30)
    running.stop()
    assert (health.status_code, health.json()["status"]) == (200, "healthy")
    assert_intact(running.database)
    assert "Traceback" not in running.log_file.read_text() + running.output.read_text()


def assert_intact(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_any_body_is_stored_or_rejected_with_a_problem(service: RunningService, kind: str) -> None:
    @settings(
        max_examples=fuzz_bodies.EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(fuzz_bodies.fuzz_requests(USER))
    def send(request: fuzz_bodies.FuzzRequest) -> None:
        fuzz_bodies.assert_stored_or_problem(
            fuzz_bodies.send_request(f"{service.url}/api/data-capture/{kind}", request)
        )

    send()


@pytest.mark.slow
def test_any_address_gets_statistics_or_a_problem(service: RunningService) -> None:
    paths = st.one_of(
        st.text(max_size=40).map(lambda text: quote(text.encode("utf-8", "surrogatepass"))),
        st.binary(max_size=40).map(quote_from_bytes),
        st.sampled_from([
            "%00", "%ED%A0%80@a", "a%00@b.c", "%", "%zz", "..%2f..%2f", "a@b/../c", "%FF@%FE",
            "%0d%0aX: 1", "?", "a@" + "b" * 5000,
        ]),
    )  # fmt: skip

    @settings(max_examples=fuzz_bodies.EXAMPLES, deadline=None, database=None)
    @given(paths)
    def ask(path: str) -> None:
        response = requests.get(
            f"{service.url}/api/data-capture/stats/{path}", timeout=30, allow_redirects=False
        )
        if response.status_code == 200:
            assert response.json()["total_data_points"] >= 0
        else:
            # 308 redirects a path with two slashes in a row to the path with one.
            assert response.status_code in (308, 400, 404, 422)
            assert (
                response.status_code == 308
                or response.headers["Content-Type"] == fuzz_bodies.PROBLEM
            )

    ask()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "empty"),
        (b"{", 400, "line 1, column 2"),
        (b"[]", 400, "an array"),
        (b"null", 400, "null"),
        (b'{"a":NaN}', 400, "NaN"),
        (b'{"a":1e99999999999999999999}', 400, "exponent"),
        (b'{"a":%s}' % (b"9" * 1_001), 400, "too many digits"),
        (b'{"%s":1}' % (b"k" * 257), 400, "256 characters"),
        (b'{"a":[' + b"1," * 50_001 + b"1]}", 413, "50,000 values"),
        (b'{"a":1,"a":2}', 400, "twice"),
        (b'{"a":' * 100_000, 400, "deep"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, 400, "deep"),
        ('{"a":1}'.encode("utf-16"), 400, "UTF-8"),
        (b'{"a":"' + b"x" * 1_000_000 + b'"}', 413, "1,000,000 bytes"),
        (b"{}", 422, "user_email is missing"),
        (b'{"user_email":7}', 422, "user_email is not an email address"),
        (b'{"user_email":"unknown@example.com"}', 422, "placeholder"),
        (b'{"user_email":"a@example.com","capture_id":"not one"}', 422, "capture_id"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_rejection_names_the_reason(
    service: RunningService, body: bytes, status: int, reason: str
) -> None:
    response = fuzz_bodies.send_request(
        f"{service.url}/api/data-capture/payment",
        fuzz_bodies.FuzzRequest(body, {"Content-Type": "application/json"}),
    )
    assert response.status_code == status
    assert reason in response.json()["detail"]


def test_oversized_body_is_rejected_before_it_is_decoded(service: RunningService) -> None:
    body = b'{"user_email":"a@example.com","note":"' + b"\\ud800" * 300_000  # unterminated
    response = fuzz_bodies.send_request(
        f"{service.url}/api/data-capture/questionnaire",
        fuzz_bodies.FuzzRequest(body, {"Content-Type": "application/json"}),
    )
    assert response.status_code == 413
    assert "without the pictures in it" in response.json()["detail"]


def test_lone_surrogate_and_nul_are_stored_as_replacement_characters(
    service: RunningService,
) -> None:
    user = "surrogate@example.com"
    body = (
        b'{"user_email":"surrogate@example.com","plan_name":"a\\u0000b",'
        b'"coupon_code":"\\ud800","\\udfff":"\\ud83d\\ude00"}'
    )
    response = fuzz_bodies.send_request(
        f"{service.url}/api/data-capture/payment",
        fuzz_bodies.FuzzRequest(body, {"Content-Type": "application/json"}),
    )
    assert response.status_code == 201
    [row] = service.rows(
        "SELECT plan_name, coupon_code FROM payment_data WHERE user_email = ?", user
    )
    assert row == {
        "plan_name": "a\N{REPLACEMENT CHARACTER}b",
        "coupon_code": "\N{REPLACEMENT CHARACTER}",
    }
    [audit] = service.rows(
        "SELECT data_snapshot ->> '$.plan_name' IS NOT NULL AS readable FROM audit_logs"
        " WHERE user_email = ?",
        user,
    )
    assert audit["readable"]


def test_json_in_nested_strings_is_accepted(service: RunningService, user: str) -> None:
    body = fuzz_bodies.nested_json_strings(14, user)
    url = f"{service.url}/api/data-capture/dashboard"
    assert (
        fuzz_bodies.send_request(
            url, fuzz_bodies.FuzzRequest(body, {"Content-Type": "application/json"})
        ).status_code
        == 201
    )


class TestSizes:
    @pytest.mark.slow
    def test_questionnaire_accepts_a_picture_of_10_mb(self, service: RunningService) -> None:
        content = b"\x89PNG\r\n\x1a\n" + bytes(MAX_PICTURE_BYTES - 8)
        picture = "data:image/png;base64," + base64.b64encode(content).decode()  # a third longer
        response = service.capture(
            "questionnaire", {"user_email": "picture@example.com", "account_screenshot": picture}
        )
        assert (response.status_code, response.json().get("warnings")) == (201, None)
        [row] = service.rows(
            "SELECT length(account_screenshot) AS size FROM questionnaire_data"
            " WHERE user_email = 'picture@example.com'"
        )
        assert row["size"] == len(picture)

    def test_dashboard_accepts_500_trades(self, service: RunningService) -> None:
        trade = {
            "id": 1705312200000,
            "symbol": "EURUSD",
            "pnl": 65.5,
            "openedAt": "2024-01-15T10:30:00.000Z",
            "notes": "x" * 280,
        }
        payload = {"user_email": "trades@example.com", "tradingState": {"trades": [trade] * 500}}
        assert service.capture("dashboard", payload).status_code == 201

    @pytest.mark.parametrize("kind", KINDS)
    def test_body_of_30_mb_is_rejected(self, service: RunningService, kind: str) -> None:
        body = b'{"user_email":"a@example.com","account_screenshot":"' + b"A" * 30_000_000 + b'"}'
        response = fuzz_bodies.send_request(
            f"{service.url}/api/data-capture/{kind}",
            fuzz_bodies.FuzzRequest(body, {"Content-Type": "application/json"}),
        )
        assert response.status_code == 413
        assert response.headers["Content-Type"] == fuzz_bodies.PROBLEM

    @pytest.mark.slow(quick_cases=2)
    @pytest.mark.parametrize(
        "filling",
        [
            b"[" + b"[]," * 6_000_000 + b"1]",
            b'"' + b"4 " * 9_000_000 + b'"',
            b'"' + b"\\u0041" * 3_000_000 + b'"',
        ],
    )
    def test_size_limit_for_pictures_applies_only_to_pictures(
        self, service: RunningService, filling: bytes
    ) -> None:
        body = b'{"user_email":"a@example.com","a":' + filling + b"}"
        json_body = fuzz_bodies.FuzzRequest(body, {"Content-Type": "application/json"})

        def calibrations_until_rejected() -> float:
            calibration = seconds_of_a_calibration()
            began_at = time.monotonic()
            response = fuzz_bodies.send_request(
                f"{service.url}/api/data-capture/questionnaire", json_body
            )
            assert response.status_code == 413
            return (time.monotonic() - began_at) / calibration

        assert any(calibrations_until_rejected() < MAX_CALIBRATIONS for _ in range(3))
