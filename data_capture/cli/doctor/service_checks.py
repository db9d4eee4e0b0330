"""Check the services, their ports, and who can reach them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from data_capture.cli.doctor.findings import Result, note, ok, problem, warning
from data_capture.cli.listening_ports import find_listening_sockets, find_processes_listening_at
from data_capture.cli.open_handles import HEALTH_TIMEOUT_SECONDS, find_processes_using
from data_capture.server.ports import IN_USE, find_listen_error
from data_capture.setting_types import FILE_PAGES
from data_capture.settings import Settings
from data_capture.supervisor.services import SIGNUP, Health, Service, ask_health
from data_capture.web.read_access import exposing_settings

_START = "python3 start_enhanced_data_capture.py starts both services"


def check_service(service: Service, settings: Settings, *, expect_running: bool = False) -> Result:
    """Check that the service runs, on its port or on another one, or that its port is free.

    Args:
        service: one of the two services.
        settings: of the installation; a service that runs may have another port.
        expect_running: whether it is a problem if the service does not run.
    """
    port = service.port(settings)
    if service is SIGNUP and port == settings.capture_port:
        return problem(f"{port} is the capture service's port as well", _choose_port(service))
    health = ask_health(service, settings, HEALTH_TIMEOUT_SECONDS)
    if health.is_expected_service and (
        health.database is None or health.uses_database(settings.database)
    ):
        return _judge(service, port, health)
    for other_port, other_health in _find_at_other_ports(service, settings):
        return _judge(service, other_port, other_health)
    if health.is_expected_service:
        return _report_other_database(service, port, health, expect_running=expect_running)
    if health.listening:
        return _report_listener(service, settings, health)
    reason = find_listen_error(settings.host, port)
    if reason is not None:
        return problem(f"{port} {reason}", _choose_port(service))
    report = problem if expect_running else note
    return report(f"the {service.name} service is not running; its port {port} is free", _START)


def _judge(service: Service, port: int, health: Health) -> Result:
    name = _name(service, port, health)
    if health.healthy:
        return ok(f"{name} is healthy")
    advice = "see the lines below, and the log file"
    if not health.is_expected_service:
        advice = "it hangs: end its process, and start the services again"
    return problem(f"{name} {health.description}", advice)


def _report_other_database(
    service: Service, port: int, health: Health, *, expect_running: bool
) -> Result:
    report = problem if expect_running or not health.healthy else warning
    state = "is healthy" if health.healthy else health.description
    return report(
        f"{_name(service, port, health)} {state}, but uses another database: {health.database}",
        "name that database with --database, or set the EDC_ variables of that service",
    )


def _report_listener(service: Service, settings: Settings, health: Health) -> Result:
    """Report a port at which something else listens, or a service of ours that hangs."""
    port = service.port(settings)
    listeners = find_processes_listening_at(port)
    ours = {process for process, _ in find_processes_using(settings.database)}
    hanging = [process for process in listeners if process in ours]
    if hanging and not health.has_responded:
        return _judge(service, port, replace(health, pid=hanging[0]))
    if not listeners and not health.has_responded:  # maybe a service of another user
        return problem(
            f"the program at {port} {health.description}",
            f"end it (lsof -i :{port} names it), or {_choose_port(service)}",
        )
    names = ", ".join(f"{_program_of(process)}, process {process}" for process in listeners)
    return problem(
        f"{port} {IN_USE}" + (f" ({names})" if names else ""),
        f"end that program (lsof -i :{port} names it), or {_choose_port(service)}",
    )


def _find_at_other_ports(service: Service, settings: Settings) -> Iterator[tuple[int, Health]]:
    """Yield where the service runs with this database, at ports that were not configured."""
    configured = service.port(settings)
    seen = {configured}
    for process, _ in find_processes_using(settings.database):
        for host, port in sorted(find_listening_sockets(process)):
            if port in seen:
                continue
            seen.add(port)
            # Both ports: the settings of a request to this service.
            located = replace(settings, host=host, capture_port=port, signup_port=port)
            health = ask_health(service, located, HEALTH_TIMEOUT_SECONDS)
            is_hanging = not health.has_responded and service.script in _command_of(process)
            if health.is_expected_service or is_hanging:
                yield port, health if health.pid else replace(health, pid=process)


def _program_of(process: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text().strip()
    return "a program"


def _command_of(process: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_text(errors="replace").replace("\0", " ")
    return ""


def _name(service: Service, port: int, health: Health) -> str:
    process = f" (process {health.pid})" if health.pid else ""
    return f"the {service.name} service at {port}{process}"


def _choose_port(service: Service) -> str:
    return f"choose another port with --{service.name}-port or EDC_{service.name.upper()}_PORT"


def check_access(settings: Settings) -> Result:
    """Check who can reach the services, and whether pages from disk may send captures."""
    exposing = exposing_settings(settings)
    answer = "for this machine alone"
    if exposing:
        answer = (
            f"reachable through {', '.join(exposing)}; "
            "statistics and health details need the admin token"
        )
    if FILE_PAGES not in settings.allowed_origins:
        return ok(answer)
    return warning(
        f"{answer}; pages opened from disk may send captures, "
        "and so may sandboxed frames of any website",
        "remove 'file' from EDC_ALLOWED_ORIGINS when you no longer need pages from disk",
    )
