"""The rate limit of Flask's routes; the rates of captures and addresses are in `limits.rates`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import Flask, request
from flask_limiter import Limiter, RateLimitExceeded

from data_capture.limits.rates import counted_as, seconds_until
from data_capture.limits.windows import Windows
from data_capture.problems import TOO_MANY, Problem
from data_capture.settings import Settings
from data_capture.web.admission import is_counted
from data_capture.web.error_handlers import response_of

View = TypeVar("View", bound=Callable[..., Any])


def init_app(
    app: Flask,
    settings: Settings,
    caller_address: Callable[[], str | None],
    *,
    apart_from: str = "(none)",
) -> Limiter:
    """Gives all routes of `app` together the rate per caller; the answer of one that is over it is a 429 problem.

    Args:
        app: a service.
        settings: its settings.
        caller_address: whose request this is.
        apart_from: what the endpoints begin with that `Rates` counts.
    """

    def is_not_counted() -> bool:
        is_counted_by_rates = (request.endpoint or "").startswith(apart_from)
        is_counted_already = is_counted_by_rates or is_counted(request.environ)
        return (
            is_counted_already
            or request.method == "OPTIONS"
            or counted_as(caller_address()) is None
        )

    limiter = Limiter(
        lambda: counted_as(caller_address()) or "",
        app=app,
        application_limits=[settings.rate_per_caller] if settings.rate_per_caller else [],
        application_limits_exempt_when=is_not_counted,
        storage_uri=f"{Windows.STORAGE_SCHEME[0]}://",
        strategy="fixed-window",
    )

    def refuse(_breach: RateLimitExceeded) -> Any:
        over = limiter.current_limit
        problem = Problem(
            TOO_MANY,
            "This caller sends too much; wait and send it again.",
            retry_after_seconds=seconds_until(over.reset_at if over is not None else 0),
        )
        return response_of(problem)

    app.register_error_handler(RateLimitExceeded, refuse)
    return limiter


def limit_logins(
    limiter: Limiter, settings: Settings, caller_address: Callable[[], str | None]
) -> Callable[[View], View]:
    """A decorator for the routes that together have the rate of logins and sign-ups per caller.

    Args:
        limiter: of the service.
        settings: the service's.
        caller_address: whose request this is.
    """
    limit = limiter.shared_limit(
        settings.login_rate,
        scope="logins",
        exempt_when=lambda: is_counted(request.environ) or counted_as(caller_address()) is None,
        override_defaults=False,
    )

    def decorate(view: View) -> View:
        return cast(View, limit(view))

    return decorate
