"""The request guard: which hosts, origins and browser requests are accepted."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from flask import Flask, Response, request
from flask_cors.core import DEFAULT_OPTIONS, get_cors_headers, serialize_options
from werkzeug.datastructures import Headers

from data_capture.limits.callers import is_loopback
from data_capture.problems import MISDIRECTED, NOT_ALLOWED, NOT_JSON, Problem
from data_capture.setting_types import FILE_PAGES, LOCAL_PAGES
from data_capture.settings import Settings

_PAGE_PREFIXES = ("/api/", "/auth/")  # the addresses that scripts of pages may call
# Pages of other sites may load these: they tell strangers healthy or not, and nothing else.
_HEALTH_PATHS = frozenset({"/api/data-capture/health", "/api/health"})
_PORT = r"[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
_LOCAL_ORIGIN = rf"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::(?:{_PORT}))?"
# Browsers send it for a page opened from disk, and also for sandboxed frames, data: documents and
# no-referrer forms of any site.
_OPAQUE_ORIGIN = "null"

# Fetch Metadata (W3C): only browsers send it, and pages cannot forge it. Measured in Chromium:
# `fetch`, also in a worker, has the mode cors or no-cors, a beacon no-cors, and all have the
# destination "empty". A form's request is a navigation of a document or a frame.
_OWN_SITES = frozenset({"same-origin", "none"})
_SCRIPT_MODES = frozenset({"cors", "no-cors", "same-origin"})
_SCRIPT_DESTINATION = "empty"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110 section 9.2.1
_ORIGIN_HOST = re.compile(r"https?://(\[[^\]]+\]|[^:/]+)")

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_PREFLIGHT_MAX_AGE_SECONDS = 7200  # Chromium caches a preflight response no longer
# RFC 6454 section 6.2, and `null`. Only such an origin is sent back.
_ANY_ORIGIN = re.compile(
    r"[a-z][a-z0-9+.-]*://(?:\[[0-9a-f:.]+\]|[a-z0-9._~-]+)(?::[0-9]{1,5})?|null"
)
# RFC 9110 section 7.2: uri-host [ ":" port ]
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]/@,]+))(?::[0-9]*)?")
# A name has at most 255 octets (RFC 1035 section 2.3.4); a scheme and a port may be added to it.
_MAX_CHARACTERS = 300

UNKNOWN_CALLER = "unknown"
"""The address of all callers whom our own proxy does not identify (RFC 7239 section 6.3)."""

GetHeader = Callable[[str], "str | None"]
"""Returns a request's header by its name in lower case.

Lines of the same name are joined by ", ". None if there is no such header.
"""


class RequestGuard:
    """Check the Host, Origin and Fetch Metadata headers of every request to a service.

    It does not need Flask, so that the server can check a request before Flask sees it.

    Args:
        settings: of the service.
        public_paths: addresses that pages of any origin may load, such as the script's.
        readable_refusals: addresses where a page of any origin may read that it is refused.
        allow_file_pages: whether the entry `file` of EDC_ALLOWED_ORIGINS applies to the service.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        public_paths: tuple[str, ...] = (),
        readable_refusals: Iterable[str] = (),
        allow_file_pages: bool = False,
    ) -> None:
        self._public_paths = frozenset(public_paths)
        self._readable_refusals = frozenset(readable_refusals)
        self._trusted_proxies = settings.trusted_proxies
        self._host_names = frozenset(
            _LOCAL_NAMES
            | {
                settings.host.lower(),
                *settings.allowed_hosts,
                *_extract_hosts(settings.allowed_origins),
            }
        )
        self._accepts_ip_hosts = not is_loopback(settings.host)
        patterns = _build_origin_patterns(
            settings.allowed_origins, allow_file_pages=allow_file_pages
        )
        self._allowed_origins = re.compile("|".join(patterns))
        self._cors_options = _build_cors_options(patterns)
        # Pages of few origins send many captures: 0.2 µs instead of 40 µs for each (timeit).
        self._cors_headers_of_origin = lru_cache(maxsize=256)(
            lambda origin: self._make_cors_headers(Headers({"Origin": origin}), "POST")
        )

    def check(self, path: str, get_header: GetHeader, method: str = "POST") -> Problem | None:
        """Check the head of a request.

        A page of another origin is rejected, and does not only miss the CORS headers, because a
        browser sends text/plain without a preflight. An unknown host name is rejected because a
        page of any site can let its own name resolve to our address, and then has our origin (DNS
        rebinding).

        Args:
            path: the requested path.
            get_header: looks up the request's headers.
            method: the request's method.

        Returns:
            The Problem to respond with; None if the request is accepted. 400 or 421 for the Host,
            403 for the origin and for requests that no page's script sends.
        """
        problem = self._check_host(get_header("host") or "")
        if problem is not None or path in self._public_paths:
            return problem
        origin = get_header("origin")
        if origin is not None and not self.is_allowed_origin(origin):
            return Problem(
                NOT_ALLOWED,
                "Pages of this origin are not allowed. EDC_ALLOWED_ORIGINS lists those that are.",
            )
        site = get_header("sec-fetch-site")
        if site is None:
            return None  # no browser, or one that uses plain HTTP from another machine
        is_page_address = path.startswith(_PAGE_PREFIXES) and path not in _HEALTH_PATHS
        if method in _SAFE_METHODS and not is_page_address:
            return None
        return _check_fetch_metadata(site, origin, method, get_header)

    def is_allowed_origin(self, origin: str) -> bool:
        """Tell whether pages of `origin` may send requests."""
        is_short = len(origin) <= _MAX_CHARACTERS
        return is_short and self._allowed_origins.fullmatch(origin) is not None

    def cors_headers(self, path: str, origin: str | None) -> tuple[tuple[str, str], ...]:
        """Return the headers that let a page of `origin` read a response, if it may."""
        if origin is None or not path.startswith(_PAGE_PREFIXES):
            return ()
        return self._cors_headers_of_origin(origin) if self.is_allowed_origin(origin) else ()

    def refusal_headers(
        self, path: str, origin: str | None, status: int
    ) -> tuple[tuple[str, str], ...]:
        """Return the headers that let a page read that its origin is not allowed.

        The browser script says so then, where it would see only a failed request. The page learns
        nothing else, since every request of its origin gets this response. Its preflights fail,
        as their status is no success.
        """
        if status != NOT_ALLOWED.status or origin is None or path not in self._readable_refusals:
            return ()
        if self.is_allowed_origin(origin) or len(origin) > _MAX_CHARACTERS:
            return ()
        if _ANY_ORIGIN.fullmatch(origin) is None:
            return ()
        return (("Access-Control-Allow-Origin", origin), ("Vary", "Origin"))

    def preflight_headers(self, path: str, headers: Headers) -> tuple[tuple[str, str], ...]:
        """Return the headers of the response to a preflight, if the page may send."""
        is_allowed = self.is_allowed_origin(headers.get("Origin", ""))
        if not is_allowed or not path.startswith(_PAGE_PREFIXES):
            return ()
        return self._make_cors_headers(headers, "OPTIONS")

    def caller_address(self, remote_address: str | None, get_header: GetHeader) -> str | None:
        """Return the address of the caller, as the outermost of our own proxies saw it.

        Without a proxy it is the connection's address. A caller can send an X-Forwarded-For
        header, to which each proxy appends. Only as many entries from its end as we have proxies
        can be trusted (`werkzeug.middleware.proxy_fix` counts in the same way).
        """
        forwarded_for = get_header("x-forwarded-for") if self._trusted_proxies else None
        if forwarded_for is None:
            return remote_address
        hops = forwarded_for.rsplit(",", self._trusted_proxies)
        hop = hops[-self._trusted_proxies] if len(hops) >= self._trusted_proxies else ""
        address = _parse_hop(hop) if len(hop) <= _MAX_CHARACTERS else None
        if address is None and remote_address is not None and is_loopback(remote_address):
            return UNKNOWN_CALLER  # callers with this machine's address are not counted
        return address or remote_address

    def _check_host(self, host: str) -> Problem | None:
        """Check the Host header.

        400 if it is missing or malformed (RFC 9112 section 3.2), 421 if it names another host
        (RFC 9110 sections 7.4 and 15.5.20).
        """
        match = _HOST.fullmatch(host) if len(host) <= _MAX_CHARACTERS else None
        if match is None:
            return Problem(NOT_JSON, "The request needs one Host header with a host name.")
        name = (match[1] or match[2]).lower().removesuffix(".")
        # DNS rebinding is impossible with an IP address, which is never resolved.
        if name in self._host_names or (self._accepts_ip_hosts and _is_ip_address(name)):
            return None
        return Problem(
            MISDIRECTED,
            "The service does not have this host name. EDC_ALLOWED_HOSTS adds host names.",
        )

    def _make_cors_headers(self, headers: Headers, method: str) -> tuple[tuple[str, str], ...]:
        cors_headers = get_cors_headers(self._cors_options, headers, method)
        return tuple((name, str(value)) for name, value in cors_headers.items(multi=True))


def init_app(app: Flask, guard: RequestGuard) -> None:
    """Check every request of `app`, and add CORS headers to the responses."""

    @app.before_request
    def check() -> None:
        problem = guard.check(request.path, request.headers.get, request.method)
        if problem is not None:
            raise problem

    # Not flask_cors.CORS: it runs for requests without an Origin, too, and twice for errors.
    @app.after_request
    def add_cors_headers(response: Response) -> Response:
        if "Origin" not in request.headers:
            return response
        if request.method == "OPTIONS":
            headers = guard.preflight_headers(request.path, request.headers)
        else:
            headers = guard.cors_headers(request.path, request.headers["Origin"])
        response.headers.extend(headers)
        response.headers.extend(
            guard.refusal_headers(request.path, request.headers["Origin"], response.status_code)
        )
        return response


def _build_origin_patterns(
    allowed_origins: tuple[str, ...], *, allow_file_pages: bool
) -> list[str]:
    """Return regular expressions for the allowed origins.

    If none is allowed, it is one that never matches.
    """
    patterns = [
        _exact_pattern(origin)
        for origin in allowed_origins
        if origin not in (LOCAL_PAGES, FILE_PAGES)
    ]
    if LOCAL_PAGES in allowed_origins:
        patterns.append(f"^{_LOCAL_ORIGIN}$")
    if FILE_PAGES in allowed_origins and allow_file_pages:
        patterns.append(_exact_pattern(_OPAQUE_ORIGIN))
    return patterns or ["(?!)"]


def _exact_pattern(origin: str) -> str:
    return f"^{re.escape(origin)}$"


def _build_cors_options(origin_patterns: list[str]) -> Any:
    return serialize_options({
        **DEFAULT_OPTIONS,
        "origins": origin_patterns,
        "methods": ["GET", "POST", "OPTIONS"],
        "allow_headers": ["Content-Type", "Authorization", "Idempotency-Key"],
        "expose_headers": ["Retry-After", "Idempotency-Replayed"],
        "supports_credentials": False,
        "max_age": _PREFLIGHT_MAX_AGE_SECONDS,
    })  # fmt: skip


def _extract_hosts(origins: tuple[str, ...]) -> set[str]:
    """Return the hosts of origins.

    A service behind a path of the site is called by the site's name.
    """
    return {host[1].strip("[]") for host in map(_ORIGIN_HOST.match, origins) if host is not None}


def _check_fetch_metadata(
    site: str, origin: str | None, method: str, get_header: GetHeader
) -> Problem | None:
    """Check the Fetch Metadata of a browser's request.

    If it has an origin, that is allowed.
    """
    if origin is None and site.lower() not in _OWN_SITES:
        return Problem(
            NOT_ALLOWED,
            "A page of another site may call this address only with a request that names its "
            "origin.",
        )
    if method in _SAFE_METHODS:
        return None
    mode = get_header("sec-fetch-mode") or "cors"
    destination = get_header("sec-fetch-dest") or _SCRIPT_DESTINATION
    if mode in _SCRIPT_MODES and destination == _SCRIPT_DESTINATION:
        return None
    return Problem(
        NOT_ALLOWED,
        "Only scripts may send to this address, with fetch or sendBeacon; forms and other "
        "navigations may not.",
    )


def _parse_hop(hop: str) -> str | None:
    """Return the address in an entry of X-Forwarded-For, without a port."""
    text = hop.strip().strip('"')
    for candidate in (text, text.rpartition(":")[0]):
        address = candidate.strip("[]")
        if _is_ip_address(address):
            return address
    return None


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
