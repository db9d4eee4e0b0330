"""The request guard: which hosts, origins and browser requests are accepted."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache

from flask import Flask, Response, request
from flask_cors.core import DEFAULT_OPTIONS, get_cors_headers, serialize_options
from werkzeug.datastructures import Headers

from data_capture.limits.callers import is_loopback
from data_capture.problems import MISDIRECTED, NOT_ALLOWED, NOT_JSON, Problem, ProblemType
from data_capture.setting_types import FILE_PAGES, LOCAL_PAGES
from data_capture.settings import Settings

_FOR_PAGES = ("/api/", "/auth/")  # the addresses that pages may call
_HEALTH_PATHS = frozenset(
    {"/api/data-capture/health", "/api/health"}
)  # they tell strangers healthy or not, and no more
_PORT = r"[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
_LOCAL_ORIGIN = rf"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::(?:{_PORT}))?"
# What browsers send for a page opened from disk, and for sandboxed frames, data: documents and no-referrer forms of any site.
_OPAQUE_ORIGIN = "null"

# Fetch Metadata (W3C): only browsers send it, and pages can't forge it. Measured in Chromium: fetch, also in a worker, is cors
# or no-cors, a beacon no-cors, each with the destination "empty"; a form's request is a navigation of a document or frame.
_OWN_SITES = frozenset({"same-origin", "none"})
_SENDING_MODES = frozenset({"cors", "no-cors", "same-origin"})
_SENDING_DESTINATION = "empty"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110 section 9.2.1
_ORIGIN_HOST = re.compile(r"https?://(\[[^\]]+\]|[^:/]+)")

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_PREFLIGHT_SECONDS = 7200  # the longest that Chromium keeps an answer
_HOST = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]/@,]+))(?::[0-9]*)?"
)  # RFC 9110 section 7.2: uri-host [ ":" port ]

_NO_HOST = (NOT_JSON, "The request needs one header Host, with a host's name.")
_MAX_CHARACTERS = (
    300  # RFC 1035 section 2.3.4: a name has 255 octets at most; a scheme and a port come to it
)

UNKNOWN_CALLER = "unknown"
"""The address of callers of whom our own proxy says nothing that can be read (RFC 7239 section 6.3); one caller together."""

HeaderOf = Callable[[str], "str | None"]
"""A request's header by its name in lower case, several lines of one name joined by ", "; None where there is none."""


class RequestGuard:
    """What every request has to pass before anything is made of it: its Host, its Origin and its Fetch Metadata.

    Holds for one service.

    Nothing here needs Flask, so that a request can be looked at before it gets there.

    Args:
        settings: the service's.
        public_paths: addresses that pages everywhere may load, such as the script's.
        takes_file_pages: whether the entry `file` of EDC_ALLOWED_ORIGINS counts here.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        public_paths: tuple[str, ...] = (),
        takes_file_pages: bool = False,
    ) -> None:
        self._public_paths = frozenset(public_paths)
        self._trusted_proxies = settings.trusted_proxies
        self._names = frozenset(
            _LOCAL_NAMES
            | {settings.host.lower(), *settings.allowed_hosts, *_hosts_of(settings.allowed_origins)}
        )
        self._any_number = not is_loopback(settings.host)
        patterns = [
            _exactly(origin)
            for origin in settings.allowed_origins
            if origin not in (LOCAL_PAGES, FILE_PAGES)
        ]
        if LOCAL_PAGES in settings.allowed_origins:
            patterns.append(f"^{_LOCAL_ORIGIN}$")
        if FILE_PAGES in settings.allowed_origins and takes_file_pages:
            patterns.append(_exactly(_OPAQUE_ORIGIN))
        self._allowed = re.compile("|".join(patterns) or r"(?!)")
        self._cors_options = serialize_options({
            **DEFAULT_OPTIONS,
            "origins": patterns or ["(?!)"],
            "methods": ["GET", "POST", "OPTIONS"],
            "allow_headers": ["Content-Type", "Authorization", "Idempotency-Key"],
            "expose_headers": ["Retry-After", "Idempotency-Replayed"],
            "supports_credentials": False,
            "max_age": _PREFLIGHT_SECONDS,
        })  # fmt: skip
        # Callers send few different ones, and each of these is asked at every request. What is longer than any that could be
        # ours is not kept. No Problem is kept either: raised again and again, it would collect tracebacks.
        self._wrong_host = lru_cache(maxsize=256)(self._why_not_host)
        self._is_allowed = lru_cache(maxsize=256)(
            lambda origin: self._allowed.fullmatch(origin) is not None
        )
        self._cors = lru_cache(maxsize=256)(
            lambda origin: tuple(self._cors_of(Headers({"Origin": origin}), "POST"))
        )

    def refusal(self, path: str, header: HeaderOf, method: str = "POST") -> Problem | None:
        """Why a request may not come in; None when it may.

        Refusing a page, and not only leaving the CORS headers out, is needed because a browser sends text/plain without
        asking first. A name that is not ours is refused because a page of any site can have its own name resolve to our
        address and so be of our origin (DNS rebinding).

        Args:
            path: what is asked for.
            header: the request's.
            method: with which method.
        """
        host = header("host") or ""
        why_not = self._wrong_host(host) if len(host) <= _MAX_CHARACTERS else _NO_HOST
        if why_not is not None:
            return Problem(*why_not)
        if path in self._public_paths:
            return None
        origin = header("origin")
        if origin is not None and not self._takes(origin):
            return Problem(
                NOT_ALLOWED,
                "Pages of this origin are not allowed here; EDC_ALLOWED_ORIGINS lists those that are.",
            )
        site = header("sec-fetch-site")
        if site is None:
            return None  # no browser, or one that is asked over plain HTTP from another machine
        if method in _SAFE_METHODS and (path in _HEALTH_PATHS or not path.startswith(_FOR_PAGES)):
            return None
        return _refusal_of_browser(site, origin, method, header)

    def _takes(self, origin: str) -> bool:
        return len(origin) <= _MAX_CHARACTERS and self._is_allowed(origin)

    def cors_headers(self, path: str, origin: str | None) -> tuple[tuple[str, str], ...]:
        """The headers with which a page of this origin may read an answer; none for a page that may not, or no page."""
        if origin is None or not path.startswith(_FOR_PAGES) or not self._takes(origin):
            return ()
        return self._cors(origin)

    def preflight_headers(self, path: str, headers: Headers) -> tuple[tuple[str, str], ...]:
        """Likewise for the answer to a page's question (an OPTIONS request) of what it may send."""
        may_ask = path.startswith(_FOR_PAGES) and self._takes(headers.get("Origin", ""))
        return tuple(self._cors_of(headers, "OPTIONS")) if may_ask else ()

    def caller_address(self, remote_address: str | None, header: HeaderOf) -> str | None:
        """Whose request it is: the address that the outermost of our own proxies saw, or else the one that called us.

        A caller can send an X-Forwarded-For of its own, to which each proxy adds at the end: only as many places from the
        end as there are proxies of ours tell the truth (werkzeug.middleware.proxy_fix counts so, too).
        """
        forwarded_for = header("x-forwarded-for") if self._trusted_proxies else None
        if forwarded_for is None:
            return remote_address
        hops = forwarded_for.rsplit(",", self._trusted_proxies)
        hop = hops[-self._trusted_proxies] if len(hops) >= self._trusted_proxies else ""
        address = _address_in(hop) if len(hop) <= _MAX_CHARACTERS else None
        if address is None and remote_address is not None and is_loopback(remote_address):
            return UNKNOWN_CALLER  # as one of this machine's it would not be counted
        return address or remote_address

    def _why_not_host(self, host: str) -> tuple[ProblemType, str] | None:
        """400: no Host, or a malformed one (RFC 9112 section 3.2); 421: another's (RFC 9110 sections 7.4 and 15.5.20)."""
        named = _HOST.fullmatch(host)
        if named is None:
            return _NO_HOST
        name = (named[1] or named[2]).lower().removesuffix(".")
        if name in self._names or (self._any_number and _is_address(name)):
            return None  # a number can't be made to resolve to something else
        return (
            MISDIRECTED,
            "The service is not called by this name; EDC_ALLOWED_HOSTS lists further names of it.",
        )

    def _cors_of(self, headers: Headers, method: str) -> list[tuple[str, str]]:
        return [
            (name, str(value))
            for name, value in get_cors_headers(self._cors_options, headers, method).items(
                multi=True
            )
        ]


def init_app(app: Flask, guard: RequestGuard) -> None:
    """Check every request of `app`, and add CORS headers to responses for allowed origins."""

    @app.before_request
    def refuse() -> None:
        problem = guard.refusal(request.path, request.headers.get, request.method)
        if problem is not None:
            raise problem

    # flask_cors.CORS would do this at every answer and twice at an error's; only a page's request, which has an Origin,
    # gets anything from it.
    @app.after_request
    def answer_pages(response: Response) -> Response:
        if "Origin" in request.headers:
            is_question = request.method == "OPTIONS"
            response.headers.extend(
                guard.preflight_headers(request.path, request.headers)
                if is_question
                else guard.cors_headers(request.path, request.headers["Origin"])
            )
        return response


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _refusal_of_browser(
    site: str, origin: str | None, method: str, header: HeaderOf
) -> Problem | None:
    """Why a browser's request is refused, by what the browser says of it; its origin, if it has one, is allowed."""
    if origin is None and site.lower() not in _OWN_SITES:
        return Problem(
            NOT_ALLOWED,
            "Another site's page may call this only by a request that names its origin.",
        )
    if method in _SAFE_METHODS:
        return None
    mode, destination = header("sec-fetch-mode"), header("sec-fetch-dest")
    if (mode or "cors") in _SENDING_MODES and (
        destination or _SENDING_DESTINATION
    ) == _SENDING_DESTINATION:
        return None
    return Problem(
        NOT_ALLOWED,
        "Scripts of pages send here, by fetch or sendBeacon; forms and other navigations can't.",
    )


@lru_cache(maxsize=4096)
def _address_in(hop: str) -> str | None:
    """The address in one place of an X-Forwarded-For, without the port that some proxies put there."""
    text = hop.strip().strip('"')
    for candidate in (text, text.rpartition(":")[0]):
        if _is_address(candidate.strip("[]")):
            return candidate.strip("[]")
    return None


def _hosts_of(origins: tuple[str, ...]) -> set[str]:
    """The hosts of the allowed pages: a service behind a path of the site is called by the site's own name."""
    return {host[1].strip("[]") for host in map(_ORIGIN_HOST.match, origins) if host is not None}


def _exactly(origin: str) -> str:
    return f"^{re.escape(origin)}$"
