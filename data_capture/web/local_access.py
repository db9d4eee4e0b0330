"""Whether other machines can reach this installation, and who may read statistics and health details.

An installation is for this machine alone until a setting says that a proxy, a public site or another machine reaches it. A
proxy that adds no header can't be told from a program on this machine, so from then on only the admin token opens these.
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
from data_capture.web.admin_token import bearer_token_in, is_admin_token
from data_capture.web.health_probe import is_probe

HEADER_NAMES = "edc.header_names"
"""The WSGI environment's entry for the names of all headers in lower case, with those that it leaves out otherwise."""

_WHY_401 = (
    "Other machines can reach this installation, so this needs the admin token: send the header 'Authorization: Bearer' "
    "with it ('python3 -m data_capture admin-token' shows it once)."
)
_WHY_403 = (
    "Without the admin token this is answered only to a direct caller on the machine that runs the service: send the header "
    "'Authorization: Bearer' with it."
)

# What curl, HTTP libraries and a browser's address bar send. Any other name may say that the request was passed on.
_DIRECT_HEADERS = frozenset({
    "host", "user-agent", "accept", "accept-charset", "accept-encoding", "accept-language", "authorization", "cache-control",
    "connection", "content-length", "content-type", "cookie", "dnt", "expect", "idempotency-key", "if-modified-since",
    "if-none-match", "pragma", "priority", "range", "sec-gpc", "te", "upgrade-insecure-requests",
})  # fmt: skip
_DIRECT_PREFIXES = ("sec-ch-", "sec-fetch-")
_LOCAL_HOST = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::([0-9]+))?", re.IGNORECASE)


def exposing_settings(settings: Settings) -> tuple[str, ...]:
    """Return the variables of the settings by which other machines reach this installation; none: for this machine alone."""
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
    """Whether other machines can reach this installation."""
    return bool(exposing_settings(settings))


def require_reader(caller: Request, settings: Settings) -> None:
    """Let in who may read statistics: a direct local caller of an unexposed installation, or who sends the admin token.

    Raises:
        Problem: 401 without a valid token, where one is needed; 403 for other callers, and for pages of other origins.
    """
    exposed = is_exposed(settings)
    if not exposed and is_direct_local_caller(caller):
        return
    if "Authorization" not in caller.headers:
        raise Problem(NOT_AUTHENTICATED, _WHY_401) if exposed else Problem(NOT_ALLOWED, _WHY_403)
    require_admin(caller, settings)
    if _is_of_another_origin(caller):
        raise Problem(NOT_ALLOWED, "This is not answered to pages of other origins.")


def may_read_details(caller: Request, settings: Settings, probe_key: bytes) -> bool:
    """Whether health tells more than healthy or not: as `require_reader`, or to a program of this installation.

    Args:
        caller: the request.
        settings: the service's.
        probe_key: with which this installation's own programs sign, see `health_probe`.
    """
    if is_probe(caller.headers.get("Authorization", ""), probe_key):
        return True
    if not is_exposed(settings) and is_direct_local_caller(caller):
        return True
    token = bearer_token_in(caller.headers.get("Authorization", ""))
    return bool(token) and is_admin_token(token, settings) and not _is_of_another_origin(caller)


def is_direct_local_caller(caller: Request) -> bool:
    """Whether the request seems to be made on this very machine, by a program or a person and not through a proxy.

    This can only say no: some proxies pass requests on without a trace. A page is told by the headers that browsers add
    and pages can't take away, and one that reaches us under a name of its own (DNS rebinding) by the Host header.
    """
    environ = caller.environ
    if not is_loopback(caller.remote_addr or ""):
        return False
    if environ.get("SERVER_PROTOCOL") != "HTTP/1.1":
        return False  # programs of today don't speak HTTP/1.0, and nginx does by itself
    names: list[str] = environ.get(HEADER_NAMES) or [
        name.lower() for name, _ in caller.headers.items()
    ]
    if not all(name in _DIRECT_HEADERS or name.startswith(_DIRECT_PREFIXES) for name in names):
        return False
    if caller.headers.get("Sec-Fetch-Site", "none") != "none":
        return False
    host = _LOCAL_HOST.fullmatch(caller.headers.get("Host", ""))
    return host is not None and host[1] in (None, environ.get("SERVER_PORT"))


def _is_of_another_origin(caller: Request) -> bool:
    site = caller.headers.get("Sec-Fetch-Site", "none").lower()
    return "Origin" in caller.headers or site not in ("none", "same-origin")


def _is_public(origin: str) -> bool:
    if origin in (LOCAL_PAGES, FILE_PAGES):
        return False
    return not is_loopback(urlsplit(origin).hostname or "")
