"""Who may read statistics and health details.

Without the admin token: a program or a person on this machine, and only while no setting makes the
installation reachable for other machines (a proxy, a public site, another host). A proxy that adds
no header looks like a program on this machine. So on an exposed installation everyone needs the
admin token.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import Request

from data_capture.limits.callers import is_loopback
from data_capture.problems import NOT_ALLOWED, NOT_AUTHENTICATED, Problem
from data_capture.setting_types import FILE_PAGES, LOCAL_PAGES
from data_capture.settings import Settings
from data_capture.web.admin_auth import require_admin
from data_capture.web.admin_token import is_admin_token, parse_bearer_token
from data_capture.web.health_probe import is_probe

HEADER_NAMES = "edc.header_names"
"""The WSGI variable with the names of all headers in lower case, also of those left out of WSGI."""

_EXPOSED = (
    "Other machines can reach this installation, so this address needs the admin token. Send it as "
    "'Authorization: Bearer TOKEN'; 'python3 -m data_capture admin-token' shows the token once."
)
_NOT_LOCAL = (
    "Without the admin token, this address responds only to direct callers on the machine that "
    "runs the service. Send the token as 'Authorization: Bearer TOKEN'."
)

# What curl, HTTP libraries and a browser's address bar send. Any other header may be a proxy's.
_DIRECT_HEADERS = frozenset({
    "host", "user-agent", "accept", "accept-charset", "accept-encoding", "accept-language",
    "authorization", "cache-control", "connection", "content-length", "content-type", "cookie",
    "dnt", "expect", "idempotency-key", "if-modified-since", "if-none-match", "pragma", "priority",
    "range", "sec-gpc", "te", "upgrade-insecure-requests",
})  # fmt: skip
_DIRECT_PREFIXES = ("sec-ch-", "sec-fetch-")
_LOCAL_HOST = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::([0-9]+))?", re.IGNORECASE)


def exposing_settings(settings: Settings) -> tuple[str, ...]:
    """Return the names of the settings that expose this installation."""
    signup_url = getattr(settings, "signup_url", None)
    exposing = {
        "EDC_HOST": not is_loopback(settings.host),
        "EDC_ALLOWED_ORIGINS": any(map(_is_public, settings.allowed_origins)),
        "EDC_ALLOWED_HOSTS": bool(settings.allowed_hosts),
        "EDC_TRUSTED_PROXIES": settings.trusted_proxies > 0,
        "EDC_SIGNUP_URL": bool(signup_url) and _is_public(str(signup_url)),
    }
    return tuple(variable for variable, exposes in exposing.items() if exposes)


def is_exposed(settings: Settings) -> bool:
    """Tell whether the settings let other machines reach this installation."""
    return bool(exposing_settings(settings))


def require_statistics_access(request: Request, settings: Settings) -> None:
    """Check that the caller may read statistics.

    Raises:
        Problem: 401, a token is needed, and is missing or wrong; 403, the caller is not local, or
            is a page of another origin.
    """
    if _is_permitted_local_caller(request, settings):
        return
    if "Authorization" not in request.headers:
        if is_exposed(settings):
            raise Problem(NOT_AUTHENTICATED, _EXPOSED)
        raise Problem(NOT_ALLOWED, _NOT_LOCAL)
    require_admin(request, settings)
    if _is_cross_origin(request):
        raise Problem(NOT_ALLOWED, "This address does not respond to pages of other origins.")


def may_read_health_details(request: Request, settings: Settings, probe_key: bytes) -> bool:
    """Tell whether the caller may read more of the health than healthy or not.

    These may: everyone who may read statistics, and this installation's own programs.

    Args:
        request: the caller's.
        settings: of the service.
        probe_key: verifies the signatures of this installation's programs (`health_probe`).
    """
    authorization = request.headers.get("Authorization", "")
    if is_probe(authorization, probe_key) or _is_permitted_local_caller(request, settings):
        return True
    token = parse_bearer_token(authorization)
    return bool(token and is_admin_token(token, settings)) and not _is_cross_origin(request)


def is_direct_local_caller(request: Request) -> bool:
    """Tell whether a request seems to come from this machine, without a proxy.

    Only a negative result is certain, since some proxies leave no trace. Requests of pages are
    recognised by headers that browsers add and pages cannot remove. A page whose own host name
    resolves to this machine (DNS rebinding) is recognised by the Host header.
    """
    environ = request.environ
    if not is_loopback(request.remote_addr or ""):
        return False
    if environ.get("SERVER_PROTOCOL") != "HTTP/1.1":
        return False  # no current program speaks HTTP/1.0, but nginx does by default
    names: list[str] = environ.get(HEADER_NAMES) or [
        name.lower() for name, _ in request.headers.items()
    ]
    if not all(name in _DIRECT_HEADERS or name.startswith(_DIRECT_PREFIXES) for name in names):
        return False
    if request.headers.get("Sec-Fetch-Site", "none") != "none":
        return False
    host = _LOCAL_HOST.fullmatch(request.headers.get("Host", ""))
    return host is not None and host[1] in (None, environ.get("SERVER_PORT"))


def _is_permitted_local_caller(request: Request, settings: Settings) -> bool:
    return not is_exposed(settings) and is_direct_local_caller(request)


def _is_cross_origin(request: Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site", "none").lower()
    return "Origin" in request.headers or site not in ("none", "same-origin")


def _is_public(origin: str) -> bool:
    if origin in (LOCAL_PAGES, FILE_PAGES):
        return False
    return not is_loopback(urlsplit(origin).hostname or "")
