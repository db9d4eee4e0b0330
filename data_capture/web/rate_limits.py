"""The rate limits of Flask's routes; `limits.rates` has the other ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import Flask, request
from flask_limiter import Limiter, RateLimitExceeded

from data_capture.limits.rates import counted_as, seconds_until
from data_capture.limits.windows import Windows
from data_capture.problems import TOO_MANY, Problem
from data_capture.settings import Settings
from data_capture.web.deferred_body import is_rate_counted
from data_capture.web.error_handlers import problem_response

View = TypeVar("View", bound=Callable[..., Any])


def init_app(
    app: Flask,
    settings: Settings,
    caller_address: Callable[[], str | None],
    *,
    exempt_prefix: str | None = None,
) -> Limiter:
    """Limit each caller's requests to all routes of `app`; respond 429 over the rate.

    Args:
        app: the service.
        settings: of the service.
        caller_address: returns the address of the current request's caller.
        exempt_prefix: endpoints whose names begin with it are counted by `Rates` instead.
    """

    def is_exempt() -> bool:
        if exempt_prefix is not None and (request.endpoint or "").startswith(exempt_prefix):
            return True
        if is_rate_counted(request.environ) or request.method == "OPTIONS":
            return True
        return counted_as(caller_address()) is None

    limiter = Limiter(
        lambda: counted_as(caller_address()) or "",
        app=app,
        application_limits=[settings.rate_per_caller] if settings.rate_per_caller else [],
        application_limits_exempt_when=is_exempt,
        storage_uri=f"{Windows.STORAGE_SCHEME[0]}://",
        strategy="fixed-window",
    )

    def respond_over_rate(_error: RateLimitExceeded) -> Any:
        limit = limiter.current_limit
        problem = Problem(
            TOO_MANY,
            "This caller sends too many requests. Wait, and send the request again.",
            retry_after_seconds=seconds_until(limit.reset_at if limit is not None else 0),
        )
        return problem_response(problem)

    app.register_error_handler(RateLimitExceeded, respond_over_rate)
    return limiter


def limit_logins(
    limiter: Limiter, settings: Settings, caller_address: Callable[[], str | None]
) -> Callable[[View], View]:
    """Return a decorator for the routes that share the rate of log-ins and sign-ups.

    Args:
        limiter: of the service.
        settings: of the service.
        caller_address: returns the address of the current request's caller.
    """

    def is_exempt() -> bool:
        return is_rate_counted(request.environ) or counted_as(caller_address()) is None

    limit = limiter.shared_limit(
        settings.login_rate, scope="logins", exempt_when=is_exempt, override_defaults=False
    )

    def decorate(view: View) -> View:
        return cast(View, limit(view))

    return decorate
