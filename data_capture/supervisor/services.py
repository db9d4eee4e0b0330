"""The two services as others see them: their scripts, ports and what their health says."""

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
    """As in the log, in `--<name>-port` and in `EDC_<NAME>_PORT`."""
    script: str
    health_path: str
    answers_as: str
    """The member `service` of its health."""

    def port(self, settings: Settings) -> int:
        """Its port."""
        return service_port(self.name, settings)

    def url(self, settings: Settings) -> str:
        """Where programs on this machine reach it."""
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
    """What came of asking a service for its health."""

    listening: bool
    """Something takes connections on the port."""
    healthy: bool
    """It is the service that was asked for, and says that it is healthy."""
    says: str
    """The rest of a sentence that begins with the service: what it said, or did not say."""
    database: Path | None = None
    """The file that it uses, when it tells."""
    process: int | None = None
    answering: bool = False
    """It is the service that was asked for, healthy or not."""
    spoke: bool = False
    """Something answered, be it another program."""

    def is_over(self, database: Path) -> bool:
        """Whether it is known to use this database."""
        if self.database is None:
            return False
        try:
            return os.path.samefile(self.database, database)
        except OSError:
            return self.database == database


def ask_health(service: Service, settings: Settings, timeout_seconds: float) -> Health:
    """Asks what listens on the service's port whether it is that service, and healthy."""
    location = urlsplit(service.url(settings))
    connection = http.client.HTTPConnection(
        location.hostname or "", location.port, timeout=timeout_seconds
    )
    try:
        connection.request(
            "GET", service.health_path, headers={"Connection": "close", **probe_headers(settings)}
        )
        response = connection.getresponse()
        content = response.read(_MAX_HEALTH_BYTES)
    except socket.gaierror as error:
        return Health(
            listening=False,
            healthy=False,
            says=f"is at a host that can't be resolved ({error.strerror})",
        )
    except ConnectionRefusedError:
        return Health(listening=False, healthy=False, says="takes no connections")
    except TimeoutError:
        return Health(
            listening=True, healthy=False, says=f"gives no answer within {timeout_seconds:g} s"
        )
    except (OSError, http.client.HTTPException) as error:
        return Health(
            listening=True,
            healthy=False,
            says=f"gives no usable answer ({error or type(error).__name__})",
        )
    finally:
        connection.close()
    return _read_health(service, response.status, content)


def _read_health(service: Service, status: int, content: bytes) -> Health:
    try:
        answer: Any = json.loads(content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or answer.get("service") != service.answers_as:
        return Health(listening=True, healthy=False, says="is another program", spoke=True)
    database, process = answer.get("database"), answer.get("pid")
    return Health(
        listening=True,
        healthy=status == http.HTTPStatus.OK and answer.get("status") == "healthy",
        says=f"answers {status}: {answer.get('detail') or answer.get('status')}",
        database=Path(database) if isinstance(database, str) else None,
        process=process if isinstance(process, int) else None,
        answering=True,
        spoke=True,
    )
