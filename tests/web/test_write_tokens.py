"""Test write tokens: commands to create, list and revoke them, and what they allow."""

from __future__ import annotations

import stat

import pytest
import requests

from tests.support.installations import CommandServer, Installation
from tests.support.services import RunningService


@pytest.fixture
def owner(capture_service: RunningService, server: CommandServer) -> Installation:
    return Installation(capture_service.database.parent, server)


@pytest.mark.slow
def test_write_token_confirms_captures_until_it_is_revoked(
    capture_service: RunningService, owner: Installation, user: str
) -> None:
    outcome = owner.run("write-token", "shop")
    assert outcome.status == 0, outcome.errors
    token = outcome.output.strip()
    try:
        keys = capture_service.database.with_name("trading_bots.keys")
        assert stat.S_IMODE((keys / "write-token.shop.sha256").stat().st_mode) == 0o600
        assert not any(token in path.read_text(errors="replace") for path in keys.iterdir())
        assert owner.run("write-token", "--list").output.split() == ["shop"]
        assert capture_service.capture(
            "payment", {"user_email": user}, Authorization=f"Bearer {token}"
        ).ok
        again = owner.run("write-token", "shop")
        assert (again.status, again.output) == (1, "")
        assert "already" in again.errors
    finally:
        assert owner.run("write-token", "shop", "--revoke").status == 0
    rejected = capture_service.capture(
        "payment", {"user_email": user}, Authorization=f"Bearer {token}"
    )
    assert (rejected.status_code, rejected.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert len(capture_service.rows("SELECT * FROM payment_data WHERE user_email = ?", user)) == 1
    assert owner.run("write-token", "--list").output == ""
    assert owner.run("write-token", "shop", "--revoke").status == 1


def test_write_token_cannot_export_or_erase(
    capture_service: RunningService, owner: Installation, user: str
) -> None:
    token = owner.run("write-token", "reader").output.strip()
    try:
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{capture_service.url}/api/data-capture/users/{user}"
        assert requests.get(f"{url}/export", headers=headers, timeout=30).status_code == 401
        assert requests.delete(url, headers=headers, timeout=30).status_code == 401
    finally:
        owner.run("write-token", "reader", "--revoke")


@pytest.mark.parametrize(
    "authorization", ["Bearer", "Bearer ", "Bearer x", "bearer edcw_x", "Bearer edc_" + "x" * 43]
)
@pytest.mark.parametrize("kind", ["payment", "batch"])
def test_invalid_token_is_rejected_and_stores_nothing(
    capture_service: RunningService, user: str, authorization: str, kind: str
) -> None:
    payload = {"user_email": user, "captures": [{"type": "payment", "user_email": user}]}
    rejected = capture_service.capture(kind, payload, Authorization=authorization)
    assert rejected.status_code == 401
    assert capture_service.rows("SELECT * FROM users WHERE email = ?", user) == []


def test_other_authorization_scheme_is_ignored(capture_service: RunningService, user: str) -> None:
    assert (
        capture_service.capture(
            "payment", {"user_email": user}, Authorization="Basic eDp5"
        ).status_code
        == 201
    )


@pytest.mark.parametrize("name", ["", "../x", "a/b", "UPPER", "x" * 41, "-x", "a b", "a\nb"])
def test_invalid_token_name_is_rejected(owner: Installation, name: str) -> None:
    outcome = owner.run("write-token", name)
    assert (outcome.status, outcome.output) == (2, "")
