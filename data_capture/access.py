"""Who may call what: which pages by their origin, and who is a person at this very machine."""

from __future__ import annotations

import ipaddress
import re

from flask import Flask, Request, Response, request
from flask_cors.core import get_cors_options, set_cors_headers

from data_capture.problems import NOT_ALLOWED, Problem
from data_capture.settings import LOCAL_PAGES, Settings

_FOR_PAGES = ("/api/", "/auth/")  # the addresses that pages may call
_LOCAL_ORIGIN = r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?"
_FILE_ORIGIN = "null"  # what browsers send for a page opened from disk

# Any one of them, and any that begins with X-Forwarded, says that somebody else's request was passed on.
_FORWARDING_HEADERS = frozenset({
    "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-original-forwarded-for", "true-client-ip",
    "cf-connecting-ip", "fastly-client-ip",
})  # fmt: skip
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_PREFLIGHT_SECONDS = 7200  # the longest that Chromium keeps an answer


def allow_origins(app: Flask, settings: Settings, *, public_paths: tuple[str, ...] = ()) -> None:
    """Answers pages of the allowed origins with CORS headers, and refuses every other page's request.

    Refusing, and not only leaving the headers out, is needed because a browser sends text/plain without asking first.

    Args:
        app: a service.
        settings: its settings.
        public_paths: addresses that pages everywhere may load, such as the script's.
    """
    patterns = [_exactly(origin) for origin in settings.allowed_origins if origin != LOCAL_PAGES]
    if LOCAL_PAGES in settings.allowed_origins:
        patterns += [_exactly(_FILE_ORIGIN), f"^{_LOCAL_ORIGIN}$"]
    allowed = re.compile("|".join(patterns) or r"(?!)", re.IGNORECASE)
    options = get_cors_options(
        app,
        {
            "origins": patterns or ["(?!)"],
            "methods": ["GET", "POST", "OPTIONS"],
            "allow_headers": ["Content-Type", "Authorization", "Idempotency-Key"],
            "expose_headers": ["Retry-After", "Idempotency-Replayed"],
            "supports_credentials": False,
            "max_age": _PREFLIGHT_SECONDS,
        },
    )

    # flask_cors.CORS would do this at every answer and twice at an error's; only a page's request, which has an Origin,
    # gets anything from it.
    @app.after_request
    def answer_pages(response: Response) -> Response:
        if "Origin" in request.headers and request.path.startswith(_FOR_PAGES):
            set_cors_headers(response, options)
        return response

    @app.before_request
    def refuse_other_origins() -> None:
        origin = request.headers.get("Origin")
        if origin is None or request.path in public_paths or allowed.fullmatch(origin):
            return
        raise Problem(NOT_ALLOWED, "Pages of this origin are not allowed here; EDC_ALLOWED_ORIGINS lists those that are.")


def is_direct_local_caller(caller: Request, settings: Settings) -> bool:
    """Whether the request was made on this very machine, by a program and not by a page or through a proxy.

    A page is told by the headers that browsers add to what it sends and it can't take away, a proxy by those that
    proxies add, and a page that reaches us under a name of its own (DNS rebinding) by the Host header.
    """
    if not _is_loopback(settings.host) or not _is_loopback(caller.remote_addr or ""):
        return False
    names = [name.lower() for name in caller.headers.keys()]  # noqa: SIM118  (iterating gives pairs)
    if "origin" in names or any(name in _FORWARDING_HEADERS or name.startswith("x-forwarded") for name in names):
        return False
    if caller.headers.get("Sec-Fetch-Site", "none") != "none":
        return False
    host = caller.host.removeprefix("[").partition("]")[0] if caller.host.startswith("[") else caller.host.partition(":")[0]
    return host.lower() in _LOCAL_NAMES


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address.lower() == "localhost"


def _exactly(origin: str) -> str:
    return f"^{re.escape(origin)}$"
