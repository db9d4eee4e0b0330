"""Test the start command: its output, its checks, and services that already run."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from data_capture.server.ports import is_reserved
from tests.support.managed import DEADLINE_SECONDS, LOG_LINE, RunningManager, StartManager
from tests.support.services import (
    REPOSITORY,
    RunningService,
    capture_service_in,
    eventually,
    free_port,
    signup_service_in,
)


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
        f"{manager.urls['capture']}/frontend_data_capture_integration.js", timeout=DEADLINE_SECONDS
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


@pytest.mark.slow
@pytest.mark.parametrize(("service", "position"), [("capture", 0), ("signup", 1)])
def test_a_port_in_use_is_reported_with_its_flag_and_variable(
    start: StartManager, service: str, position: int
) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        ports = (taken, free_port()) if position == 0 else (free_port(), taken)
        manager = start(ports=ports)
        assert manager.process.wait(timeout=DEADLINE_SECONDS) == 1
    assert f"Port {taken} is in use by another program" in manager.output
    assert f"--{service}-port or EDC_{service.upper()}_PORT" in manager.output
    assert "Traceback" not in manager.output
    assert not manager.database.exists()


@pytest.mark.slow
def test_a_running_service_with_another_database_is_not_used(
    start: StartManager, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = capture_service_in(elsewhere)
    other.start()
    try:
        manager = start(ports=(other.port, free_port()))
        assert manager.process.wait(timeout=DEADLINE_SECONDS) == 1
    finally:
        other.stop()
    assert (
        f"Port {other.port} is used by a capture service with another database, {other.database}"
        in manager.output
    )


@pytest.mark.slow
def test_one_port_for_both_services_is_refused(start: StartManager) -> None:
    port = free_port()
    manager = start(ports=(port, port))
    assert manager.process.wait(timeout=DEADLINE_SECONDS) == 1
    assert f"Both services were given port {port}." in manager.output


@pytest.mark.slow
def test_a_host_address_of_another_machine_is_refused(start: StartManager) -> None:
    manager = start("--host", "192.0.2.1")  # TEST-NET-1 (RFC 5737)
    assert manager.process.wait(timeout=DEADLINE_SECONDS) == 1
    assert "can't be listened on at 192.0.2.1" in manager.output


@pytest.mark.slow
def test_an_unresolvable_host_is_refused(
    start: StartManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Do not wait for a name server that does not respond; see resolv.conf(5).
    monkeypatch.setenv("RES_OPTIONS", "attempts:1 timeout:1")
    # Names below .invalid never resolve (RFC 6761). This one is longer than the name of a socket.
    host = f"{'a.' * 80}invalid"
    manager = start("--host", host)
    assert manager.process.wait(timeout=DEADLINE_SECONDS) == 1
    assert f"can't be listened on: the host {host} can't be resolved" in manager.output
    assert "Traceback" not in manager.output


@pytest.mark.slow
def test_a_read_only_database_is_reported_in_one_line(start: StartManager, tmp_path: Path) -> None:
    (tmp_path / "trading_bots.db").touch(mode=0o400)
    manager = start()
    assert manager.process.wait(timeout=DEADLINE_SECONDS) == 1
    assert len(manager.output.splitlines()) == 1
    assert f"{manager.database} is read-only" in manager.output


@pytest.mark.slow
def test_a_service_that_cannot_start_is_reported_and_stops_the_other(
    start: StartManager, tmp_path: Path
) -> None:
    (tmp_path / "trading_bots.keys").mkdir(mode=0o700)
    (tmp_path / "trading_bots.keys" / "token-signing.key").write_text("no key")
    manager = start()
    assert manager.process.wait(timeout=DEADLINE_SECONDS) == 1
    assert "The signup service did not start: it ended with exit status 1" in manager.output
    assert "trading_bots.keys" in manager.output.split("did not start", 1)[1]
    assert "Enhanced Data Capture is running" not in manager.output
    assert not manager.is_healthy("capture")


@pytest.mark.slow
def test_running_services_are_used_left_running_and_replaced_when_they_end(
    start: StartManager, tmp_path: Path
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
            "the manager has started a capture service",
            DEADLINE_SECONDS,
        )
        manager.all_processes()
        assert manager.stop() == 0
        assert manager.leftovers() == []
        assert not manager.is_healthy("capture")
        assert manager.is_healthy("signup")
    finally:
        for service in services.values():
            service.stop()


@pytest.mark.slow
def test_two_managers_started_at_once_share_the_services(
    start: StartManager,
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
def suspended_service(tmp_path: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A capture service that is suspended before its first response, and its port."""
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
            eventually(
                lambda: is_reserved("127.0.0.1", port),
                "the service is about to listen",
                DEADLINE_SECONDS,
            )
            os.killpg(process.pid, signal.SIGSTOP)
            yield port, process
        finally:
            os.killpg(process.pid, signal.SIGCONT)
            process.terminate()


@pytest.mark.slow
def test_the_manager_waits_for_a_service_that_is_starting(
    start: StartManager, suspended_service: tuple[int, subprocess.Popen[bytes]]
) -> None:
    port, service = suspended_service
    manager = start(ports=(port, free_port()))
    # Longer than the manager waits for a port that no service has reserved.
    with pytest.raises(subprocess.TimeoutExpired):
        manager.process.wait(timeout=7)
    os.killpg(service.pid, signal.SIGCONT)
    manager.wait_until_running()
    assert "The capture service was running already" in manager.output
    assert manager.stop() == 0


@pytest.mark.slow
def test_a_service_that_never_responds_is_reported_in_one_line(
    start: StartManager, suspended_service: tuple[int, subprocess.Popen[bytes]]
) -> None:
    port, _ = suspended_service
    manager = start(ports=(port, free_port()))
    assert manager.process.wait(timeout=DEADLINE_SECONDS) == 1
    assert re.fullmatch(
        rf"Port {port} is used by one of these services, which "
        r"(accepts no connections|does not respond within 3 s)\. "
        r"Choose another with --capture-port or EDC_CAPTURE_PORT, or stop that one\.\n",
        manager.output,
    )
