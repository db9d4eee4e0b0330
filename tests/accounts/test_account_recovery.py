"""Test the recovery of accounts by mail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.accounts import (
    assert_problem,
    audit_of,
    execute_as_another_program,
    log_in,
    register,
)
from tests.support.mailing import OWN_PASSWORD, ServicesWithMail
from tests.support.services import signup_service_in


@pytest.mark.slow
def test_recovery_link_replaces_the_password_and_keeps_the_account(
    services: ServicesWithMail, user: str
) -> None:
    services.create_account(user)
    before = services.users(user)
    assert services.post("recover", email=user.upper()).status_code == 202
    mail = services.hook.mails_to(user, 2)[-1]
    assert mail["event"] == "recovery"
    response = services.verify(user, 2, password="a new password")
    assert response.status_code == 200, response.text
    assert response.json()["user"]["email"] == user
    assert response.json()["token"]
    assert log_in(services.signup, user, OWN_PASSWORD).status_code == 401
    assert log_in(services.signup, user, "a new password").status_code == 200
    after = services.users(user)
    for column in before[0].keys() - {"password_hash", "last_login"}:
        assert before[0][column] == after[0][column]
    assert ("password_set", "success") in audit_of(services.signup, user)


@pytest.mark.slow
def test_recovery_response_is_the_same_with_and_without_an_account(
    services: ServicesWithMail, user: str
) -> None:
    services.create_account(user)
    services.pay(f"paid-{user}")
    responses = [
        services.post("recover", email=email) for email in (user, f"paid-{user}", f"not-{user}")
    ]
    assert {response.status_code for response in responses} == {202}
    assert len({response.text for response in responses}) == 1
    assert len({tuple(sorted(response.headers.keys())) for response in responses}) == 1
    services.post("recover", email=user)
    services.hook.mails_to(user, 3)
    assert [mail["to"] for mail in services.hook.mails if mail["to"].endswith(f"-{user}")] == []


@pytest.mark.slow
def test_recovery_returns_a_squatted_account_to_its_mailbox_owner(
    tmp_path: Path, user: str
) -> None:
    without_mail = signup_service_in(tmp_path)
    without_mail.start()
    assert register(without_mail, user, password="the squatter's password").status_code == 201
    without_mail.stop()
    services = ServicesWithMail(tmp_path)
    services.signup.start()
    try:
        assert log_in(services.signup, user, "the squatter's password").status_code == 200
        services.post("recover", email=user)
        assert services.verify(user).status_code == 200
        assert log_in(services.signup, user, "the squatter's password").status_code == 401
        assert log_in(services.signup, user, OWN_PASSWORD).status_code == 200
    finally:
        services.close()


def test_recovery_does_not_open_a_disabled_account(services: ServicesWithMail, user: str) -> None:
    services.create_account(user)
    services.post("recover", email=user)
    token = services.hook.token_to(user, 2)
    ban = "UPDATE users SET status = 'banned' WHERE email = ?"
    execute_as_another_program(services.signup.database, ban, user)
    assert_problem(services.post("verify", token=token, password="another password"), 403)
    services.post("recover", email=user)
    services.create_account(
        f"other-{user}"
    )  # mails are sent in order: a recovery mail would be here
    assert len(services.hook.mails_to(user)) == 2


def test_link_does_not_open_an_account_that_another_program_added_later(
    services: ServicesWithMail, user: str
) -> None:
    argon2 = f"$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA${'A' * 43}"
    hashes = ("", "!", "!unusable", "$2b$12$abcdefghijklmnopqrstuv", argon2)
    insert = (
        "INSERT INTO users (username, email, normalized_email, password_hash, status) "
        "VALUES ('x', ?, ?, ?, 'active')"
    )
    for number, password_hash in enumerate(hashes):
        email = f"{number}-{user}"
        register(services.signup, email)
        token = services.hook.token_to(email)
        execute_as_another_program(services.signup.database, insert, email, email, password_hash)
        before = services.users(email)
        assert_problem(services.post("verify", token=token, password=OWN_PASSWORD), 409, 410)
        assert_problem(register(services.signup, email), 409)
        assert services.post("recover", email=email).status_code == 202
        assert services.users(email) == before
    services.create_account(user)
    recoveries = [mail["to"] for mail in services.hook.mails if mail["event"] == "recovery"]
    assert [email for email in recoveries if email.endswith(f"-{user}")] == []


def test_signup_of_a_similar_address_does_not_change_the_other_user(
    services: ServicesWithMail, user: str
) -> None:
    services.pay(f"strasse-{user}")
    before = services.users(f"strasse-{user}")
    response = register(services.signup, f"straße-{user}")
    assert response.status_code in (202, 409)
    if response.status_code == 202:
        services.verify(f"straße-{user}")
    assert services.users(f"strasse-{user}") == before
