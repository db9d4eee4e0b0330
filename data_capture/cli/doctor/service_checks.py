"""Check the services' ports, and who can reach the services."""

from __future__ import annotations

from data_capture.cli.doctor.findings import Result, ok, problem, warning
from data_capture.cli.open_handles import HEALTH_TIMEOUT_SECONDS
from data_capture.server.ports import find_listen_error
from data_capture.setting_types import FILE_PAGES
from data_capture.settings import Settings
from data_capture.supervisor.services import SIGNUP, Health, Service, ask_health
from data_capture.web.read_access import exposing_settings


def check_port(service: Service, settings: Settings) -> Result:
    """Check that the service runs on its port, or that the port is free."""
    port = service.port(settings)
    if service is SIGNUP and port == settings.capture_port:
        return problem(f"{port} is the capture service's port as well", _choose_port(service))
    health = ask_health(service, settings, HEALTH_TIMEOUT_SECONDS)
    if not health.healthy and health.database is None:
        return _check_port_without_service(service, settings, health)
    name = f"the {service.name} service at {port}" + (
        f" (process {health.pid})" if health.pid else ""
    )
    if not health.healthy:
        return problem(f"{name} {health.description}", "see the lines below, and the log file")
    if health.database is not None and not health.uses_database(settings.database):
        return warning(
            f"{name} is healthy, but uses another database: {health.database}",
            "name that database with --database, or set the EDC_ variables of that service",
        )
    return ok(f"{name} is healthy")


def _check_port_without_service(service: Service, settings: Settings, health: Health) -> Result:
    port = service.port(settings)
    if health.listening:
        return problem(
            f"what is at {port} {health.description}",
            f"stop it (lsof -i :{port} names it), or {_choose_port(service)}",
        )
    reason = find_listen_error(settings.host, port)
    if reason is None:
        return ok(f"{port} is free; the {service.name} service is not running")
    return problem(f"{port} {reason}", _choose_port(service))


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
