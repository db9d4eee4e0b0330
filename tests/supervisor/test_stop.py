"""Test how signals stop the manager and its services."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import threading
import time
from contextlib import closing
from uuid import uuid4

import pytest
import requests

from tests.support.managed import DEADLINE_SECONDS, RunningManager, StartManager, ports_of
from tests.support.services import eventually, rows


def capture_payment(manager: RunningManager, user: str) -> requests.Response:
    payment = {"user_email": user, "final_price": "9.90", "transaction_id": str(uuid4())}
    return requests.post(
        f"{manager.urls['capture']}/api/data-capture/payment",
        json=payment,
        timeout=DEADLINE_SECONDS,
    )


def capture_without_response(manager: RunningManager, user: str) -> None:
    with pytest.raises(requests.RequestException):
        capture_payment(manager, user)


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_all_processes_and_leaves_an_intact_database(
    start: StartManager, number: signal.Signals, user: str
) -> None:
    manager = start().wait_until_running()
    assert capture_payment(manager, user).status_code == 201
    manager.process.send_signal(number)
    assert manager.process.wait(timeout=DEADLINE_SECONDS) == 0
    assert manager.leftovers() == []
    assert manager.output.endswith("Stopped.\n")
    manager.assert_database_is_intact()
    assert rows(manager.database, "SELECT count(*) AS n FROM payment_data") == [{"n": 1}]


@pytest.mark.slow
def test_ctrl_c_reaches_the_services_only_through_the_manager(start: StartManager) -> None:
    manager = start().wait_until_running()
    # To the whole foreground group, as a terminal does.
    os.killpg(manager.process.pid, signal.SIGINT)
    assert manager.process.wait(timeout=DEADLINE_SECONDS) == 0
    assert manager.output.index("Stopping …") < manager.output.index("INFO capture Stopped")
    assert manager.leftovers() == []


@pytest.mark.slow
def test_pending_requests_are_finished_before_the_stop(start: StartManager, user: str) -> None:
    manager = start().wait_until_running()
    responses: list[requests.Response] = []
    with closing(sqlite3.connect(manager.database, isolation_level=None)) as other_program:
        other_program.execute("BEGIN IMMEDIATE")
        senders = [
            threading.Thread(target=lambda: responses.append(capture_payment(manager, user)))
            for _ in range(5)
        ]
        for sender in senders:
            sender.start()
        time.sleep(1)  # until the requests wait for the lock, which nothing outside shows
        manager.process.send_signal(signal.SIGTERM)
        eventually(
            lambda: not manager.is_healthy("capture"),
            "no new request is accepted",
            DEADLINE_SECONDS,
        )
        other_program.execute("ROLLBACK")
    for sender in senders:
        sender.join()
    assert [response.status_code for response in responses] == [201] * 5
    assert manager.process.wait(timeout=DEADLINE_SECONDS) == 0
    assert rows(manager.database, "SELECT count(*) AS n FROM payment_data") == [{"n": 5}]


@pytest.mark.slow
def test_an_incomplete_request_does_not_delay_the_stop(start: StartManager) -> None:
    manager = start().wait_until_running()
    with closing(socket.create_connection(("127.0.0.1", ports_of(manager)[0]))) as connection:
        connection.sendall(
            b"POST /api/data-capture/payment HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        time.sleep(0.3)  # until the service has read it, which nothing outside shows
        manager.process.send_signal(signal.SIGTERM)
        assert manager.process.wait(timeout=DEADLINE_SECONDS) == 0
    assert "INFO capture Stopped" in manager.output
    # Otherwise granian would have killed the worker after 6 s, which leaves the WAL behind.
    assert not manager.database.with_name(f"{manager.database.name}-wal").exists()


@pytest.mark.slow
def test_a_second_ctrl_c_stops_at_once(start: StartManager, user: str) -> None:
    manager = start().wait_until_running()
    with closing(sqlite3.connect(manager.database, isolation_level=None)) as other_program:
        other_program.execute("BEGIN IMMEDIATE")
        sender = threading.Thread(target=capture_without_response, args=(manager, user))
        sender.start()
        time.sleep(0.5)  # until the request waits for the lock, which nothing outside shows
        manager.process.send_signal(signal.SIGINT)
        eventually(lambda: "Stopping …" in manager.output, "it is stopping", DEADLINE_SECONDS)
        manager.process.send_signal(signal.SIGINT)
        assert manager.process.wait(timeout=DEADLINE_SECONDS) == 0
    sender.join()
    # A graceful stop waits for the request, or kills the worker after 6 s; both are logged.
    assert "INFO capture Stopped" not in manager.output
    assert "refused to gracefully stop" not in manager.output
    assert manager.leftovers() == []
