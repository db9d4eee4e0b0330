"""`python3 start_enhanced_data_capture.py`: checks, starts, watches, and stops."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from data_capture.server.ports import is_reserved
from tests.support.managed import LOG_LINE, RunningManager
from tests.support.services import (
    REPOSITORY,
    RunningService,
    capture_service_in,
    eventually,
    free_port,
    rows,
    signup_service_in,
)

Start = Callable[..., RunningManager]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a manager in the test's folder."""
    started: list[RunningManager] = []

    def start_one(*flags: str, ports: tuple[int, int] | None = None) -> RunningManager:
        started.append(RunningManager(tmp_path, *flags, ports=ports))
        return started[-1]

    yield start_one
    for manager in started:
        manager.clean_up()


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningManager]:
    """One that runs for several tests."""
    one = RunningManager(tmp_path_factory.mktemp("manager")).wait_until_running()
    yield one
    one.clean_up()


class Poller(threading.Thread):
    """Asks a service for its health all the time and counts what is not an answer."""

    def __init__(self, manager: RunningManager, service: str) -> None:
        super().__init__(daemon=True)
        self.answers, self.failures = 0, 0
        self._ask = lambda: manager.is_healthy(service)
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.01):
            if self._ask():
                self.answers += 1
            else:
                self.failures += 1

    def __enter__(self) -> Poller:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()


def capture_payment(manager: RunningManager, user: str) -> requests.Response:
    payment = {"user_email": user, "final_price": "9.90"}
    return requests.post(
        f"{manager.urls['capture']}/api/data-capture/payment", json=payment, timeout=20
    )


def capture_in_vain(manager: RunningManager, user: str) -> None:
    with pytest.raises(requests.RequestException):
        capture_payment(manager, user)


# --- Starting ---------------------------------------------------------------------------------------------------------


def test_start_prints_urls_files_and_the_script_tag(manager: RunningManager) -> None:
    capture_url = manager.urls["capture"]
    for needed in (
        capture_url,
        manager.urls["signup"],
        str(manager.database),
        str(manager.log_file),
        f'<script src="{capture_url}/frontend_data_capture_integration.js" crossorigin></script>',
        "Ctrl-C stops it.",
    ):
        assert needed in manager.output


def test_printed_urls_are_served(manager: RunningManager) -> None:
    script = requests.get(
        f"{manager.urls['capture']}/frontend_data_capture_integration.js", timeout=5
    )
    assert script.status_code == 200
    assert manager.is_healthy("capture")
    assert manager.is_healthy("signup")


def test_log_lines_name_their_service(manager: RunningManager) -> None:
    for service in ("capture", "signup"):
        assert f"[{service}] " in manager.output
        assert f"INFO {service} Listening on {manager.urls[service]}" in manager.output
        assert (
            f"INFO {service} Listening on {manager.urls[service]}" in manager.log_file.read_text()
        )


def test_log_file_has_one_format_and_only_its_owner_can_read_it(manager: RunningManager) -> None:
    lines = manager.log_file.read_text().splitlines()
    assert lines
    assert all(LOG_LINE.match(line) for line in lines)
    assert manager.log_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("service", "position"), [("capture", 0), ("signup", 1)])
def test_a_port_in_use_is_reported_with_its_flag_and_variable(
    start: Start, service: str, position: int
) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        ports = (taken, free_port()) if position == 0 else (free_port(), taken)
        manager = start(ports=ports)
        assert manager.process.wait(timeout=15) == 1
    assert f"Port {taken} is in use by another program" in manager.output
    assert f"--{service}-port or EDC_{service.upper()}_PORT" in manager.output
    assert "Traceback" not in manager.output
    assert not manager.database.exists()


def test_a_running_service_with_another_database_is_not_used(start: Start, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = capture_service_in(elsewhere)
    other.start()
    try:
        manager = start(ports=(other.port, free_port()))
        assert manager.process.wait(timeout=15) == 1
    finally:
        other.stop()
    assert (
        f"Port {other.port} is used by a capture service with another database, {other.database}"
        in manager.output
    )


def test_one_port_for_both_services_is_refused(start: Start) -> None:
    port = free_port()
    manager = start(ports=(port, port))
    assert manager.process.wait(timeout=15) == 1
    assert f"Both services were given port {port}." in manager.output


def test_a_host_address_of_another_machine_is_refused(start: Start) -> None:
    manager = start("--host", "192.0.2.1")  # TEST-NET-1 (RFC 5737)
    assert manager.process.wait(timeout=15) == 1
    assert "can't be listened on at 192.0.2.1" in manager.output


def test_an_unresolvable_host_is_refused(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "RES_OPTIONS", "attempts:1 timeout:1"
    )  # resolv.conf(5): where no name server answers
    # Names below .invalid never resolve (RFC 6761); this one is longer than the name of a socket can be.
    host = f"{'a.' * 80}invalid"
    manager = start("--host", host)
    assert manager.process.wait(timeout=30) == 1
    assert f"can't be listened on: the host {host} can't be resolved" in manager.output
    assert "Traceback" not in manager.output


def test_a_read_only_database_is_reported_in_one_line(start: Start, tmp_path: Path) -> None:
    (tmp_path / "trading_bots.db").touch(mode=0o400)
    manager = start()
    assert manager.process.wait(timeout=15) == 1
    assert len(manager.output.splitlines()) == 1
    assert f"{manager.database} is read-only" in manager.output


def test_a_service_that_cannot_start_is_reported_and_stops_the_other(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "trading_bots.keys").mkdir(mode=0o700)
    (tmp_path / "trading_bots.keys" / "token-signing.key").write_text("no key")
    manager = start()
    assert manager.process.wait(timeout=30) == 1
    assert "The signup service did not start: it ended with exit status 1" in manager.output
    assert "trading_bots.keys" in manager.output.split("did not start", 1)[1]
    assert "Enhanced Data Capture is running" not in manager.output
    assert not manager.is_healthy("capture")


def test_running_services_are_used_left_running_and_replaced_when_they_end(
    start: Start, tmp_path: Path
) -> None:
    services: dict[str, RunningService] = {
        "capture": capture_service_in(tmp_path),
        "signup": signup_service_in(tmp_path),
    }
    try:
        for service in services.values():
            service.start()
        ports = (services["capture"].port, services["signup"].port)
        manager = start(ports=ports).wait_until_running()
        assert "The capture service was running already" in manager.output
        assert "The signup service was running already" in manager.output
        assert manager.stop() == 0
        assert manager.is_healthy("capture")

        manager = start(ports=ports).wait_until_running()
        services["capture"].stop()
        eventually(
            lambda: manager.is_healthy("capture"),
            "the manager has started a capture service of its own",
            5,
        )
        manager.all_processes()
        assert manager.stop() == 0
        assert manager.leftovers() == []
        assert not manager.is_healthy("capture")
        assert manager.is_healthy("signup")
    finally:
        for service in services.values():
            service.stop()


def test_two_managers_started_at_once_share_the_services(
    start: Start,
) -> None:
    ports = free_port(), free_port()
    managers = [start(ports=ports) for _ in range(2)]
    for manager in managers:
        manager.wait_until_running()
    for service in ("capture", "signup"):
        assert sum(f"INFO {service} Listening on" in manager.output for manager in managers) == 1
        assert (
            sum(
                f"The {service} service was running already" in manager.output
                for manager in managers
            )
            == 1
        )
    for manager in managers:
        assert manager.stop() == 0
    assert not managers[0].is_healthy("capture")
    assert managers[0].leftovers() + managers[1].leftovers() == []


@pytest.fixture
def service_that_does_not_get_on(tmp_path: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A capture service, and its port, that was suspended, all of it, before its first answer."""
    port = free_port()
    arguments = [
        "--port",
        str(port),
        "--database",
        str(tmp_path / "trading_bots.db"),
        "--log-file",
        str(tmp_path / "slow.log"),
    ]
    with subprocess.Popen(
        [sys.executable, str(REPOSITORY / "enhanced_data_capture_system.py"), *arguments],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            eventually(lambda: is_reserved("127.0.0.1", port), "it is about to listen", 10)
            os.killpg(process.pid, signal.SIGSTOP)
            yield port, process
        finally:
            os.killpg(process.pid, signal.SIGCONT)
            process.terminate()


def test_the_manager_waits_for_a_service_that_is_starting(
    start: Start, service_that_does_not_get_on: tuple[int, subprocess.Popen[bytes]]
) -> None:
    port, slow_one = service_that_does_not_get_on
    manager = start(ports=(port, free_port()))
    with pytest.raises(subprocess.TimeoutExpired):
        manager.process.wait(
            timeout=7
        )  # longer than a port gets that is not claimed by one of the services
    os.killpg(slow_one.pid, signal.SIGCONT)
    manager.wait_until_running()
    assert "The capture service was running already" in manager.output
    assert manager.stop() == 0


def test_a_service_that_never_responds_is_reported_in_one_line(
    start: Start, service_that_does_not_get_on: tuple[int, subprocess.Popen[bytes]]
) -> None:
    port, _ = service_that_does_not_get_on
    manager = start(ports=(port, free_port()))
    assert manager.process.wait(timeout=30) == 1
    assert re.fullmatch(
        rf"Port {port} is used by one of these services, which (accepts no connections|does not respond within 3 s)\. "
        r"Choose another with --capture-port or EDC_CAPTURE_PORT, or stop that one\.\n",
        manager.output,
    )


# --- Watching ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("process_of", [RunningManager.main_process, RunningManager.worker_process])
@pytest.mark.parametrize(("killed", "other"), [("capture", "signup"), ("signup", "capture")])
def test_a_killed_service_is_restarted_and_the_other_keeps_responding(
    manager: RunningManager,
    killed: str,
    other: str,
    process_of: Callable[[RunningManager, str], int],
) -> None:
    eventually(lambda: manager.is_healthy(killed), "it is there to be killed", 5)
    said_before = manager.output
    with Poller(manager, other) as poller:
        os.kill(process_of(manager, killed), signal.SIGKILL)
        eventually(lambda: not manager.is_healthy(killed, 0.5), "it is gone", 2)
        eventually(lambda: manager.is_healthy(killed), "it is back", 5)
    assert poller.failures == 0
    assert poller.answers > 10
    eventually(
        lambda: f"The {killed} service is healthy again" in manager.output[len(said_before) :],
        "the manager says so",
        3,
    )
    assert "starting it again in" in manager.output[len(said_before) :]
    manager.all_processes()


def test_a_suspended_service_is_replaced_after_15_seconds(start: Start) -> None:
    manager = start().wait_until_running()
    os.kill(manager.worker_process("capture"), signal.SIGSTOP)
    eventually(
        lambda: "was not healthy for 15 s (it does not respond within 2 s)" in manager.output,
        "it is noticed",
        25,
    )
    eventually(lambda: manager.is_healthy("capture"), "there is a new one", 5)
    assert manager.is_healthy("signup")
    manager.all_processes()
    assert manager.stop() == 0
    assert manager.leftovers() == []


@pytest.mark.parametrize("process_of", [RunningManager.main_process, RunningManager.worker_process])
def test_a_suspended_process_does_not_prevent_the_stop(
    start: Start, process_of: Callable[[RunningManager, str], int]
) -> None:
    manager = start().wait_until_running()
    os.kill(process_of(manager, "capture"), signal.SIGSTOP)
    manager.process.send_signal(signal.SIGTERM)
    assert manager.process.wait(timeout=10) == 0
    assert manager.leftovers() == []


def test_no_process_outlives_a_killed_manager(start: Start) -> None:
    manager = start().wait_until_running()
    manager.process.kill()
    manager.process.wait()
    eventually(lambda: manager.leftovers() == [], "everything has ended", 10)
    manager.assert_database_is_sound()


def test_no_process_outlives_a_manager_killed_with_its_services(start: Start) -> None:
    manager = start().wait_until_running()
    mains = [manager.main_process("capture"), manager.main_process("signup")]
    for process in (*mains, manager.process.pid):
        os.kill(process, signal.SIGKILL)
    manager.process.wait()
    eventually(lambda: manager.leftovers() == [], "everything has ended", 5)
    assert start(ports=_ports_of(manager)).wait_until_running().stop() == 0


def test_no_process_outlives_a_manager_killed_while_starting(start: Start) -> None:
    manager = start()
    eventually(lambda: len(manager.all_processes()) > 1, "a service is being started", 10)
    manager.all_processes()
    manager.process.kill()
    manager.process.wait()
    eventually(lambda: manager.leftovers() == [], "everything has ended", 15)
    assert not manager.is_healthy("capture")
    assert not manager.is_healthy("signup")


def _ports_of(manager: RunningManager) -> tuple[int, int]:
    capture, signup = (int(url.rsplit(":", 1)[1]) for url in manager.urls.values())
    return capture, signup


# --- Stopping ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_all_processes_and_leaves_an_intact_database(
    start: Start, number: signal.Signals, user: str
) -> None:
    manager = start().wait_until_running()
    assert capture_payment(manager, user).status_code == 201
    manager.process.send_signal(number)
    assert manager.process.wait(timeout=10) == 0
    assert manager.leftovers() == []
    assert manager.output.endswith("Stopped.\n")
    manager.assert_database_is_sound()
    assert rows(manager.database, "SELECT count(*) AS n FROM payment_data") == [{"n": 1}]


def test_ctrl_c_reaches_the_services_only_through_the_manager(start: Start) -> None:
    manager = start().wait_until_running()
    os.killpg(
        manager.process.pid, signal.SIGINT
    )  # to the whole foreground group, as a terminal does
    assert manager.process.wait(timeout=10) == 0
    assert manager.output.index("Stopping …") < manager.output.index("INFO capture Stopped")
    assert manager.leftovers() == []


def test_pending_requests_are_finished_before_the_stop(start: Start, user: str) -> None:
    manager = start().wait_until_running()
    answers: list[requests.Response] = []
    with closing(sqlite3.connect(manager.database, isolation_level=None)) as other_program:
        other_program.execute("BEGIN IMMEDIATE")
        under_way = [
            threading.Thread(target=lambda: answers.append(capture_payment(manager, user)))
            for _ in range(5)
        ]
        for thread in under_way:
            thread.start()
        time.sleep(0.5)  # they wait for the lock now; nothing outside tells
        manager.process.send_signal(signal.SIGTERM)
        eventually(lambda: not manager.is_healthy("capture"), "no new request is taken", 5)
        other_program.execute("ROLLBACK")
    for thread in under_way:
        thread.join()
    assert [answer.status_code for answer in answers] == [201] * 5
    assert manager.process.wait(timeout=10) == 0
    assert rows(manager.database, "SELECT count(*) AS n FROM payment_data") == [{"n": 5}]


def test_an_incomplete_request_does_not_delay_the_stop(start: Start) -> None:
    manager = start().wait_until_running()
    with closing(socket.create_connection(("127.0.0.1", _ports_of(manager)[0]))) as caller:
        caller.sendall(
            b"POST /api/data-capture/payment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
        )
        time.sleep(0.3)
        manager.process.send_signal(signal.SIGTERM)
        assert manager.process.wait(timeout=4) == 0


def test_a_second_ctrl_c_stops_at_once(start: Start, user: str) -> None:
    manager = start().wait_until_running()
    with closing(sqlite3.connect(manager.database, isolation_level=None)) as other_program:
        other_program.execute("BEGIN IMMEDIATE")
        impatient = threading.Thread(target=capture_in_vain, args=(manager, user))
        impatient.start()
        time.sleep(0.5)
        manager.process.send_signal(signal.SIGINT)
        eventually(lambda: "Stopping …" in manager.output, "the first is heard", 3)
        manager.process.send_signal(signal.SIGINT)
        assert manager.process.wait(timeout=2) == 0
    impatient.join()
    assert manager.leftovers() == []
