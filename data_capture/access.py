"""Who may call what: which pages by their origin, under which names, and who is a person at this very machine."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache

from flask import Flask, Request, Response, request
from flask_cors.core import DEFAULT_OPTIONS, get_cors_headers, serialize_options
from werkzeug.datastructures import Headers
from werkzeug.routing import PathConverter

from data_capture.admin_token import is_admin_token
from data_capture.identity import normalise_email
from data_capture.problems import (
    MISDIRECTED,
    NOT_ALLOWED,
    NOT_AUTHENTICATED,
    NOT_JSON,
    UNUSABLE,
    FieldError,
    Problem,
    ProblemType,
)
from data_capture.settings import LOCAL_PAGES, Settings
from data_capture.write_tokens import is_write_token

_FOR_PAGES = ("/api/", "/auth/")  # the addresses that pages may call
_LOCAL_ORIGIN = r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?"
_FILE_ORIGIN = "null"  # what browsers send for a page opened from disk
_ORIGIN_HOST = re.compile(r"https?://(\[[^\]]+\]|[^:/]+)")

# Any one of them, and any that begins with X-Forwarded, says that somebody else's request was passed on.
_FORWARDING_HEADERS = frozenset({
    "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-original-forwarded-for", "true-client-ip",
    "cf-connecting-ip", "fastly-client-ip",
})  # fmt: skip
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_NO_PAGE_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"  # a redirect's text, say
_PREFLIGHT_SECONDS = 7200  # the longest that Chromium keeps an answer
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]/@,]+))(?::[0-9]*)?")  # RFC 9110 section 7.2: uri-host [ ":" port ]

_NO_HOST = (NOT_JSON, "The request needs one header Host, with a host's name.")
_MOST_CHARACTERS = 300  # RFC 1035 section 2.3.4: a name has 255 octets at most; a scheme and a port come to it

HeaderOf = Callable[[str], "str | None"]
"""A request's header by its name in lower case, several lines of one name joined by ", "; None where there is none."""


class Doors:
    """What every request has to pass before anything is made of it: its Host and its Origin. Holds for one service.

    Nothing here needs Flask, so that a request can be looked at before it gets there.

    Args:
        settings: the service's.
        public_paths: addresses that pages everywhere may load, such as the script's.
    """

    def __init__(self, settings: Settings, *, public_paths: tuple[str, ...] = ()) -> None:
        self._public_paths = frozenset(public_paths)
        self._trusted_proxies = settings.trusted_proxies
        self._names = frozenset(
            _LOCAL_NAMES | {settings.host.lower(), *settings.allowed_hosts, *_hosts_of(settings.allowed_origins)}
        )
        self._any_number = not is_loopback(settings.host)
        patterns = [_exactly(origin) for origin in settings.allowed_origins if origin != LOCAL_PAGES]
        if LOCAL_PAGES in settings.allowed_origins:
            patterns += [_exactly(_FILE_ORIGIN), f"^{_LOCAL_ORIGIN}$"]
        self._allowed = re.compile("|".join(patterns) or r"(?!)", re.IGNORECASE)
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
        self._is_allowed = lru_cache(maxsize=256)(lambda origin: self._allowed.fullmatch(origin) is not None)
        self._cors = lru_cache(maxsize=256)(lambda origin: tuple(self._cors_of(Headers({"Origin": origin}), "POST")))

    def refusal(self, path: str, header: HeaderOf) -> Problem | None:
        """Why a request may not come in; None when it may.

        Refusing a page, and not only leaving the CORS headers out, is needed because a browser sends text/plain without
        asking first. A name that is not ours is refused because a page of any site can have its own name resolve to our
        address and so be of our origin (DNS rebinding).
        """
        host = header("host") or ""
        why_not = self._wrong_host(host) if len(host) <= _MOST_CHARACTERS else _NO_HOST
        if why_not is not None:
            return Problem(*why_not)
        origin = header("origin")
        if origin is None or path in self._public_paths or (len(origin) <= _MOST_CHARACTERS and self._is_allowed(origin)):
            return None
        return Problem(NOT_ALLOWED, "Pages of this origin are not allowed here; EDC_ALLOWED_ORIGINS lists those that are.")

    def cors_headers(self, path: str, origin: str | None) -> tuple[tuple[str, str], ...]:
        """The headers with which a page of this origin may read an answer; none for a page that may not, or no page."""
        if origin is None or len(origin) > _MOST_CHARACTERS or not path.startswith(_FOR_PAGES):
            return ()
        return self._cors(origin)

    def preflight_headers(self, path: str, headers: Headers) -> tuple[tuple[str, str], ...]:
        """Likewise for the answer to a page's question (an OPTIONS request) of what it may send."""
        return tuple(self._cors_of(headers, "OPTIONS")) if path.startswith(_FOR_PAGES) else ()

    def caller_address(self, remote_address: str | None, header: HeaderOf) -> str | None:
        """Whose request it is: the address that the outermost of our own proxies saw, or else the one that called us.

        A caller can send an X-Forwarded-For of its own, to which each proxy adds at the end: only as many places from the
        end as there are proxies of ours tell the truth (werkzeug.middleware.proxy_fix counts so, too).
        """
        if not self._trusted_proxies:
            return remote_address
        hops = (header("x-forwarded-for") or "").split(",")
        if len(hops) < self._trusted_proxies or len(hops[-self._trusted_proxies]) > _MOST_CHARACTERS:
            return remote_address
        return _address_in(hops[-self._trusted_proxies]) or remote_address

    def _why_not_host(self, host: str) -> tuple[ProblemType, str] | None:
        """400: no Host, or a malformed one (RFC 9112 section 3.2); 421: another's (RFC 9110 sections 7.4 and 15.5.20)."""
        named = _HOST.fullmatch(host)
        if named is None:
            return _NO_HOST
        name = (named[1] or named[2]).lower().removesuffix(".")
        if name in self._names or (self._any_number and _is_address(name)):
            return None  # a number can't be made to resolve to something else
        return MISDIRECTED, "The service is not called by this name; EDC_ALLOWED_HOSTS lists further names of it."

    def _cors_of(self, headers: Headers, method: str) -> list[tuple[str, str]]:
        return [(name, str(value)) for name, value in get_cors_headers(self._cors_options, headers, method).items(multi=True)]


def keep_doors(app: Flask, doors: Doors) -> None:
    """Has every request of `app` pass `doors`, and answers pages of allowed origins with CORS headers."""

    @app.before_request
    def refuse() -> None:
        problem = doors.refusal(request.path, request.headers.get)
        if problem is not None:
            raise problem

    # flask_cors.CORS would do this at every answer and twice at an error's; only a page's request, which has an Origin,
    # gets anything from it.
    @app.after_request
    def answer_pages(response: Response) -> Response:
        if "Origin" in request.headers:
            is_question = request.method == "OPTIONS"
            response.headers.extend(
                doors.preflight_headers(request.path, request.headers)
                if is_question
                else doors.cors_headers(request.path, request.headers["Origin"])
            )
        return response


def harden_answers(app: Flask) -> None:
    """Keeps browsers from guessing at types, and from running anything in a page that has no policy of its own."""

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        if response.mimetype == "text/html":
            response.headers.setdefault("Content-Security-Policy", _NO_PAGE_POLICY)
        return response


class PersonConverter(PathConverter):
    """A person in a path, which may have slashes before its @, but is not what another route says of a person."""

    regex = r"(?!.*/export\Z)[^/].*?"


def email_in_path(text: str) -> str:
    """The address of a person that a path names, in its one spelling.

    Raises:
        Problem: 422, for what is none, or goes on behind one.
    """
    email = normalise_email(text)
    if email is None or re.search(r"[/\\]", email.partition("@")[2]):
        message = "is not an email address"
        raise Problem(UNUSABLE, f"The address {message}.", errors=[FieldError("email", message)])
    return email


def require_admin(caller: Request, settings: Settings) -> None:
    """Lets in who sends the admin token in the header Authorization, and nobody else; a token in a URL opens nothing.

    Raises:
        Problem: 401, without the token and with a wrong one.
    """
    scheme, _, token = caller.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem(NOT_AUTHENTICATED, "This needs the admin token: send the header 'Authorization: Bearer' with it.")
    if not is_admin_token(token.strip(), settings):
        raise Problem(NOT_AUTHENTICATED, "The admin token is not valid.")


def is_confirmed_caller(authorization: str | None, settings: Settings) -> bool:
    """Tell whether a capture is sent with a credential of the owner's, the admin token or a write token.

    Args:
        authorization: the header, None where it is missing.
        settings: the service's.

    Raises:
        Problem: 401, for a Bearer token that is not valid: its sender relies on being confirmed.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        return False
    token = token.strip()
    if not token or not (is_admin_token(token, settings) or is_write_token(token, settings)):
        raise Problem(
            NOT_AUTHENTICATED,
            "The token is not valid, or was revoked. Without a token the capture is stored as a claim.",
        )
    return True


def is_direct_local_caller(caller: Request, settings: Settings) -> bool:
    """Whether the request was made on this very machine, by a program and not by a page or through a proxy.

    A page is told by the headers that browsers add to what it sends and it can't take away, a proxy by those that
    proxies add, and a page that reaches us under a name of its own (DNS rebinding) by the Host header.
    """
    if not is_loopback(settings.host) or not is_loopback(caller.remote_addr or ""):
        return False
    names = [name.lower() for name in caller.headers.keys()]  # noqa: SIM118  (iterating gives pairs)
    if "origin" in names or any(name in _FORWARDING_HEADERS or name.startswith("x-forwarded") for name in names):
        return False
    if caller.headers.get("Sec-Fetch-Site", "none") != "none":
        return False
    host = caller.host.removeprefix("[").partition("]")[0] if caller.host.startswith("[") else caller.host.partition(":")[0]
    return host.lower() in _LOCAL_NAMES


def is_loopback(address: str) -> bool:
    """Whether an address, or the name localhost, is this machine's own."""
    try:
        numeric = ipaddress.ip_address(address)
    except ValueError:
        return address.lower() == "localhost"
    return bool((getattr(numeric, "ipv4_mapped", None) or numeric).is_loopback)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


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
