"""Fixtures of the tests of the endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.services import RunningService


@pytest.fixture(params=["single", "batch"])
def send(request: pytest.FixtureRequest, capture_service: RunningService, user: str) -> Any:
    """Return a function that sends payloads of one kind for the user."""

    def send(kind: str, *payloads: dict[str, Any]) -> list[dict[str, Any]]:
        captures = [{"user_email": user, **payload} for payload in payloads]
        if request.param == "single":
            return [capture_service.capture(kind, one).json() for one in captures]
        body = {"captures": [{"type": kind, **one} for one in captures]}
        answers: list[dict[str, Any]] = capture_service.capture("batch", body).json()["answers"]
        return answers

    return send
