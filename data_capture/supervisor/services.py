"""The two services as other programs see them: scripts, ports and health."""

from __future__ import annotations

import http.client
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from data_capture.server.ports import service_port, service_url
from data_capture.settings import Settings
from data_capture.web.health_probe import probe_headers

_MAX_HEALTH_BYTES = 100_000


@dataclass(frozen=True)
class Service:
    """One of the two services."""

    name: str
    """Its name in the log, in `--<name>-port` and in `EDC_<NAME>_PORT`."""
    script: str
    health_path: str
    reported_name: str
    """The member `service` of its health."""

    def port(self, settings: Settings) -> int:
        """Return its port."""
        return service_port(self.name, settings)

    def url(self, settings: Settings) -> str:
        """Return its URL for programs on this machine."""
        return service_url(self.name, settings)


CAPTURE = Service(
    "capture",
    "enhanced_data_capture_system.py",
    "/api/data-capture/health",
    "enhanced-data-capture",
)
SIGNUP = Service("signup", "enhanced_signup_handler.py", "/api/health", "enhanced-signup")
SERVICES = (CAPTURE, SIGNUP)


@dataclass(frozen=True)
class Health:
    """The outcome of asking a service for its health."""

    listening: bool
    """Something accepts connections on the port."""
    healthy: bool
    """It is the expected service, and reports that it is healthy."""
    description: str
    """The rest of a sentence that begins with the service, such as "is another program"."""
    database: Path | None = None
    """The file that it uses; None if it does not report it."""
    pid: int | None = None
    is_expected_service: bool = False
    """The expected service responded, healthy or not."""
    has_responded: bool = False
    """Something sent a response, even if it is another program."""

    def uses_database(self, database: Path) -> bool:
        """Tell whether the service is known to use this database."""
        if self.database is None:
            return False
        try:
            return os.path.samefile(self.database, database)
        except OSError:
            return self.database == database


def ask_health(service: Service, settings: Settings, timeout_seconds: float) -> Health:
    """Ask whatever listens on the service's port for its health."""
    location = urlsplit(service.url(settings))
    connection = http.client.HTTPConnection(
        location.hostname or "", location.port, timeout=timeout_seconds
    )
    try:
        headers = {"Connection": "close", **probe_headers(settings)}
        connection.request("GET", service.health_path, headers=headers)
        response = connection.getresponse()
        content = response.read(_MAX_HEALTH_BYTES)
    except socket.gaierror as error:
        return _not_listening(f"is at a host that can't be resolved ({error.strerror})")
    except ConnectionRefusedError:
        return _not_listening("accepts no connections")
    except TimeoutError:
        return _not_healthy(f"does not respond within {timeout_seconds:g} s")
    except (OSError, http.client.HTTPException) as error:
        return _not_healthy(f"gives no usable response ({error or type(error).__name__})")
    finally:
        connection.close()
    return _parse_health(service, response.status, content)


def _not_listening(description: str) -> Health:
    return Health(listening=False, healthy=False, description=description)


def _not_healthy(description: str, *, has_responded: bool = False) -> Health:
    return Health(
        listening=True, healthy=False, description=description, has_responded=has_responded
    )


def _parse_health(service: Service, status: int, content: bytes) -> Health:
    try:
        members: Any = json.loads(content)
    except ValueError:
        members = None
    if not isinstance(members, dict) or members.get("service") != service.reported_name:
        return _not_healthy("is another program", has_responded=True)
    database, pid = members.get("database"), members.get("pid")
    return Health(
        listening=True,
        healthy=status == http.HTTPStatus.OK and members.get("status") == "healthy",
        description=f"responds with {status}: {members.get('detail') or members.get('status')}",
        database=Path(database) if isinstance(database, str) else None,
        pid=pid if isinstance(pid, int) else None,
        is_expected_service=True,
        has_responded=True,
    )
