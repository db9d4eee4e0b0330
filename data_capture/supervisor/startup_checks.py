"""Check, before the start, that the ports are free and the database can be used."""

from __future__ import annotations

import threading
import time

from data_capture.server.ports import IN_USE, find_listen_error, is_reserved
from data_capture.settings import Settings
from data_capture.store.sqlite.schema import DatabaseRefused, prepare, warn_of_other_readers
from data_capture.supervisor.services import SERVICES, Health, Service, ask_health

_HEALTH_TIMEOUT_SECONDS = 3.0
_OTHER_START_SECONDS = 10.0
_POLL_SECONDS = 0.1


def find_startup_error(settings: Settings, stopping: threading.Event) -> str | None:
    """Prepare the database, and return why the services cannot start.

    Args:
        settings: of both services.
        stopping: ends waiting for a port.
    """
    if settings.capture_port == settings.signup_port:
        return (
            f"Both services were given port {settings.capture_port}. Choose another for one of "
            "them with --capture-port or EDC_CAPTURE_PORT, --signup-port or EDC_SIGNUP_PORT."
        )
    for service in SERVICES:
        error = _find_port_error(service, settings, stopping)
        if error is not None:
            return error
    try:
        prepare(settings.database, settings.request_seconds)
    except DatabaseRefused as database_error:
        return str(database_error)
    warn_of_other_readers(settings.database)
    return None


def _find_port_error(service: Service, settings: Settings, stopping: threading.Event) -> str | None:
    """Return why a service cannot use its port.

    None if it can, and if it already serves our database.
    """
    port = service.port(settings)
    remedy = f"Choose another with --{service.name}-port or EDC_{service.name.upper()}_PORT"
    deadline = time.monotonic() + _OTHER_START_SECONDS
    health = ask_health(service, settings, _HEALTH_TIMEOUT_SECONDS)
    while not health.has_responded and is_reserved(settings.host, port):  # it is being started
        if time.monotonic() > deadline:
            return (
                f"Port {port} is used by one of these services, which {health.description}. "
                f"{remedy}, or stop that one."
            )
        if stopping.wait(_POLL_SECONDS):
            return None
        health = ask_health(service, settings, _HEALTH_TIMEOUT_SECONDS)
    if health.is_expected_service:
        return _find_service_error(service, health, settings, remedy)
    error = IN_USE
    if not health.listening:
        listen_error = find_listen_error(settings.host, port)
        if listen_error is None:
            return None
        error = listen_error
    return f"Port {port} {error}, so that the {service.name} service can't use it. {remedy}."


def _find_service_error(
    service: Service, health: Health, settings: Settings, remedy: str
) -> str | None:
    """Return why a running service cannot be used; None if it can."""
    used_by = f"Port {service.port(settings)} is used by a {service.name} service"
    if health.database is None:
        reason = "with another database, which it does not name"
    elif not health.uses_database(settings.database):
        reason = f"with another database, {health.database}"
    elif not health.healthy:
        reason = f"that {health.description}"
    else:
        return None
    return f"{used_by} {reason}. {remedy}, or stop that one."
