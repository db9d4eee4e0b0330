"""Test the security headers of responses: nosniff, no-store and the page policy (CSP)."""

from __future__ import annotations

import re

import pytest
import requests

from tests.support.services import RunningService

HEALTH = "/api/data-capture/health"
SCRIPT = "/frontend_data_capture_integration.js"
PAGES = ["/docs", "/examples/", "/examples/payment.html", "/examples"]
UNCACHED = ["/api/data-capture/stats/someone@example.com", HEALTH]


@pytest.mark.parametrize(
    "path", [*PAGES, *UNCACHED, SCRIPT, "/openapi.json", "/no-such-place", "/%00"]
)
def test_every_response_has_nosniff(capture_service: RunningService, path: str) -> None:
    response = requests.get(capture_service.url + path, timeout=30, allow_redirects=False)
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "https://evil.example"}, {"Content-Type": "text/html"}], ids=str
)
def test_every_capture_response_has_nosniff(
    capture_service: RunningService, user: str, headers: dict[str, str]
) -> None:
    for payload in ({"user_email": user}, {}, []):
        assert (
            capture_service.capture("payment", payload, **headers).headers["X-Content-Type-Options"]
            == "nosniff"
        )


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_a_strict_content_security_policy(
    capture_service: RunningService, path: str
) -> None:
    response = requests.get(capture_service.url + path, timeout=30, allow_redirects=False)
    assert response.headers["Content-Type"].startswith("text/html")
    policy = response.headers["Content-Security-Policy"]
    assert re.match(r"default-src '(none|self)';", policy)
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", UNCACHED)
def test_responses_about_users_have_no_store(capture_service: RunningService, path: str) -> None:
    assert (
        requests.get(capture_service.url + path, timeout=30).headers["Cache-Control"] == "no-store"
    )


def test_signup_responses_have_no_store_and_nosniff(
    signup_service: RunningService, user: str
) -> None:
    for path in ("/api/health", "/docs", "/api/auth/login"):
        response = requests.post(
            signup_service.url + path, json={"email": user, "password": "x" * 8}, timeout=30
        )
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
