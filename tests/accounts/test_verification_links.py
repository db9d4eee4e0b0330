"""Test the mailed links: validity, single use, forgery and expiry."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
import requests

from tests.support.accounts import PASSWORD, assert_problem, log_in, read_stored_bytes, register
from tests.support.mailing import ADMIN_TOKEN, OWN_PASSWORD, ServicesWithMail, claims_of

LINK_KEY, TOKEN_KEY = "verification-links.key", "token-signing.key"


@pytest.mark.slow
def test_opening_a_link_changes_nothing(services: ServicesWithMail, user: str) -> None:
    register(services.signup, user)
    link = services.hook.mails_to(user)[0]["link"]
    headers_of_a_mailed_link = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    for method in ("GET", "HEAD"):
        opened = requests.request(method, link, headers=headers_of_a_mailed_link, timeout=30)
        assert opened.status_code == 200
    assert services.users(user) == []
    assert services.verify(user).status_code == 201


@pytest.mark.slow
def test_link_still_works_after_a_payment_of_its_user(
    services: ServicesWithMail, user: str
) -> None:
    register(services.signup, user)
    token = services.hook.token_to(user)
    services.pay(user)
    assert services.post("verify", token=token, password=OWN_PASSWORD).status_code == 201
    assert len(services.signup.rows("SELECT id FROM payment_data WHERE user_email = ?", user)) == 1


def test_link_works_only_once_even_if_used_simultaneously(
    services: ServicesWithMail, user: str
) -> None:
    register(services.signup, user)
    token = services.hook.token_to(user)
    with ThreadPoolExecutor(6) as pool:
        responses = pool.map(
            lambda number: services.post("verify", token=token, password=f"password {number}"),
            range(6),
        )
        statuses = [response.status_code for response in responses]
    assert statuses.count(201) == 1
    assert set(statuses) <= {201, 410, 429}  # 429: too many passwords are hashed at once
    assert log_in(services.signup, user, f"password {statuses.index(201)}").status_code == 200
    assert_problem(services.post("verify", token=token, password="another password"), 410)


def test_using_one_link_invalidates_all_links_to_its_address(
    services: ServicesWithMail, user: str
) -> None:
    for number in range(1, 4):
        register(services.signup, user)
        services.hook.mails_to(user, number)
    tokens = [mail["link"].partition("#token=")[2] for mail in services.hook.mails_to(user, 3)]
    assert services.post("verify", token=tokens[1], password=OWN_PASSWORD).status_code == 201
    for token in tokens:
        assert_problem(services.post("verify", token=token, password="another password"), 410)
    assert log_in(services.signup, user, OWN_PASSWORD).status_code == 200


def forge_tokens(services: ServicesWithMail, token: str, user: str) -> dict[str, Any]:
    """Make invalid tokens from a valid one; the keys describe the fault."""
    key, claims = services.read_key(LINK_KEY), claims_of(token)
    header, payload, signature = token.split(".")

    def sign(claims: dict[str, Any], key: bytes = key) -> str:
        return jwt.encode(claims, key, algorithm="HS256")

    def without(name: str) -> dict[str, Any]:
        return {claim: value for claim, value in claims.items() if claim != name}

    other_payload = sign({**claims, "sub": f"not-{user}"}).split(".")[1]
    services.create_account(f"own-{user}")
    login = log_in(services.signup, f"own-{user}", OWN_PASSWORD).json()["token"]
    return {
        "login token": login,
        "claims of a login token with the key of links": sign(claims_of(login)),
        "other audience": sign({**claims, "aud": "somewhere"}),
        "no audience": sign(without("aud")),
        "no expiry": sign(without("exp")),
        "key of login tokens": sign(claims, services.read_key(TOKEN_KEY)),
        "other key": sign(claims, bytes(32)),
        "other algorithm": jwt.encode(claims, key * 2, algorithm="HS512"),
        "no signature": jwt.encode(claims, "", algorithm="none"),
        "signature removed": f"{header}.{payload}.",
        "address of another user": f"{header}.{other_payload}.{signature}",
        "changed byte": token[:-5] + ("A" if token[-5] != "A" else "B") + token[-4:],
        "fourth part": token + ".x",
        "empty": "",
        "surrounding spaces": f" {token} ",
        "only dots": "..",
        "non-ASCII letters": "ä.ö.ü",
        "lone surrogate": "\ud800",
        "very long": "a" * 500_000,
        "number": 12,
        "list": [token],
        "null": None,
    }


def test_forged_link_tokens_are_rejected(services: ServicesWithMail, user: str) -> None:
    register(services.signup, user)
    token = services.hook.token_to(user)
    for fault, forged in forge_tokens(services, token, user).items():
        body = json.dumps({"token": forged, "password": "the forger's password"})
        response = requests.post(
            f"{services.signup.url}/api/auth/verify",
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=30,
        )
        assert response.status_code == 400, (fault, response.text)
        errors = assert_problem(response, 400)["errors"]
        assert {error["field"] for error in errors} == {"token"}, fault
    assert services.users(user) == services.users(f"not-{user}") == []
    assert services.post("verify", token=token, password=OWN_PASSWORD).status_code == 201


def test_link_token_is_not_a_valid_login_token(services: ServicesWithMail, user: str) -> None:
    register(services.signup, user)
    token = services.hook.token_to(user)
    with pytest.raises(jwt.InvalidTokenError):
        jwt.decode(token, services.read_key(TOKEN_KEY), algorithms=["HS256"])
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(token, services.read_key(LINK_KEY), algorithms=["HS256"])


def test_link_expires_after_24_hours(services: ServicesWithMail, user: str) -> None:
    register(services.signup, user)
    token = services.hook.token_to(user)
    claims = claims_of(token)
    assert claims["exp"] - time.time() == pytest.approx(24 * 3600, abs=300)
    expired = jwt.encode(
        {**claims, "exp": int(time.time()) - 1}, services.read_key(LINK_KEY), algorithm="HS256"
    )
    assert_problem(services.post("verify", token=expired, password=OWN_PASSWORD), 410)
    assert services.users(user) == []


def test_link_from_before_an_erasure_is_rejected(services: ServicesWithMail, user: str) -> None:
    services.create_account(user)
    services.post("recover", email=user)
    recovery = services.hook.token_to(user, 2)
    register(services.signup, f"new-{user}", fullName="Ann Archer")
    signup = services.hook.token_to(f"new-{user}")
    for email in (user, f"new-{user}"):
        erasure = requests.delete(
            f"{services.capture.url}/api/data-capture/users/{email}",
            headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
            timeout=30,
        )
        assert erasure.status_code in (200, 202)
    for token in (recovery, signup):
        assert_problem(services.post("verify", token=token, password=OWN_PASSWORD), 410)
    assert services.users(user) == services.users(f"new-{user}") == []
    assert user.encode() not in read_stored_bytes(services.signup)
    register(services.signup, user)  # an erased user can sign up again
    assert services.verify(user, 3).status_code == 201


@pytest.mark.parametrize("password", ["five5", "x" * 1025, "", 123456, None])
def test_invalid_password_leaves_the_link_valid(
    services: ServicesWithMail, user: str, password: Any
) -> None:
    register(services.signup, user)
    token = services.hook.token_to(user)
    problem = assert_problem(services.post("verify", token=token, password=password), 400)
    assert {error["field"] for error in problem["errors"]} == {"password"}
    assert services.post("verify", token=token, password=OWN_PASSWORD).status_code == 201


def test_link_does_not_depend_on_host_headers_of_the_request(
    services: ServicesWithMail, user: str
) -> None:
    port = services.signup.port
    headers = [
        {"Host": f"localhost:{port}"},
        {
            "Host": f"127.0.0.1:{port}",
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Proto": "https",
        },
        {
            "Host": f"127.0.0.1:{port}",
            "Forwarded": "host=evil.example",
            "X-Original-URL": "//evil.example/",
        },
        {"Host": "evil.example"},
    ]
    body = {"email": user, "password": PASSWORD}
    responses = [
        requests.post(
            f"{services.signup.url}/api/auth/register", json=body, headers=sent, timeout=30
        )
        for sent in headers
    ]
    assert [response.status_code for response in responses] == [202, 202, 202, 421]
    for mail in services.hook.mails_to(user, 3):
        assert mail["link"].startswith(f"http://127.0.0.1:{port}/verify#token=")
        assert "evil" not in json.dumps(mail)
