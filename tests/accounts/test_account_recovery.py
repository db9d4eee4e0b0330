"""An account whose password is forgotten or was someone else's: the mailbox gets it back, and nothing but its own."""

from __future__ import annotations

from pathlib import Path

from tests.accounts.test_signup import assert_problem, audit_of, log_in, register
from tests.support.mailing import OWN_PASSWORD, Mailing, change
from tests.support.services import signup_service_in


def test_a_forgotten_password_is_replaced_by_who_reads_the_mail(
    mailing: Mailing, user: str
) -> None:
    mailing.account(user)
    before = mailing.users(user)
    assert mailing.post("recover", email=user.upper()).status_code == 202
    mail = mailing.hook.mails_to(user, 2)[-1]
    assert mail["event"] == "recovery"
    answer = mailing.post("verify", token=mailing.hook.token_to(user, 2), password="a new password")
    assert answer.status_code == 200, answer.text
    assert answer.json()["user"]["email"] == user
    assert answer.json()["token"]
    assert log_in(mailing.signup, user, OWN_PASSWORD).status_code == 401
    assert log_in(mailing.signup, user, "a new password").status_code == 200
    after = mailing.users(user)
    for column in before[0].keys() - {"password_hash", "last_login"}:
        assert before[0][column] == after[0][column]
    assert ("password_set", "success") in audit_of(mailing.signup, user)


def test_recovering_says_nothing_of_who_has_an_account(mailing: Mailing, user: str) -> None:
    mailing.account(user)
    assert (
        mailing.capture.capture(
            "payment", {"user_email": f"paid-{user}", "final_price": 49}
        ).status_code
        == 201
    )
    answers = [
        mailing.post("recover", email=email) for email in (user, f"paid-{user}", f"not-{user}")
    ]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert len({tuple(sorted(answer.headers.keys())) for answer in answers}) == 1
    mailing.post("recover", email=user)
    mailing.hook.mails_to(user, 3)
    assert [mail["to"] for mail in mailing.hook.mails if mail["to"].endswith(f"-{user}")] == []


def test_who_was_squatted_before_there_was_mail_gets_the_account_back(
    tmp_path: Path, user: str
) -> None:
    squatted = signup_service_in(tmp_path)
    squatted.start()
    assert register(squatted, user, password="the squatter's password").status_code == 201
    squatted.stop()
    mailing = Mailing(tmp_path)
    mailing.signup.start()
    try:
        assert log_in(mailing.signup, user, "the squatter's password").status_code == 200
        mailing.post("recover", email=user)
        assert (
            mailing.post(
                "verify", token=mailing.hook.token_to(user), password=OWN_PASSWORD
            ).status_code
            == 200
        )
        assert log_in(mailing.signup, user, "the squatter's password").status_code == 401
        assert log_in(mailing.signup, user, OWN_PASSWORD).status_code == 200
    finally:
        mailing.close()


def test_a_disabled_account_is_not_opened_by_mail(mailing: Mailing, user: str) -> None:
    mailing.account(user)
    mailing.post("recover", email=user)
    token = mailing.hook.token_to(user, 2)
    change(mailing.signup.database, "UPDATE users SET status = 'banned' WHERE email = ?", user)
    assert_problem(mailing.post("verify", token=token, password="another password"), 403)
    mailing.post("recover", email=user)
    mailing.account(f"other-{user}")
    assert len(mailing.hook.mails_to(user)) == 2


def test_a_link_opens_no_account_that_another_program_made_meanwhile(
    mailing: Mailing, user: str
) -> None:
    argon2 = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    for number, password_hash in enumerate(
        ("", "!", "!unusable", "$2b$12$abcdefghijklmnopqrstuv", argon2)
    ):
        email = f"{number}-{user}"
        register(mailing.signup, email)
        token = mailing.hook.token_to(email)
        change(mailing.signup.database, "INSERT INTO users (username, email, normalized_email, password_hash, status) "
               "VALUES ('x', ?, ?, ?, 'active')", email, email, password_hash)  # fmt: skip
        before = mailing.users(email)
        assert_problem(mailing.post("verify", token=token, password=OWN_PASSWORD), 409, 410)
        assert_problem(register(mailing.signup, email), 409)
        assert mailing.post("recover", email=email).status_code == 202
        assert mailing.users(email) == before
    mailing.account(user)
    assert [
        mail
        for mail in mailing.hook.mails
        if mail["event"] == "recovery" and mail["to"].endswith(f"-{user}")
    ] == []


def test_a_mailbox_of_a_similar_address_gets_no_one_elses_row(mailing: Mailing, user: str) -> None:
    assert (
        mailing.capture.capture(
            "payment", {"user_email": f"strasse-{user}", "final_price": 49}
        ).status_code
        == 201
    )
    before = mailing.users(f"strasse-{user}")
    answer = register(mailing.signup, f"straße-{user}")
    assert answer.status_code in (202, 409)
    if answer.status_code == 202:
        token = mailing.hook.token_to(f"straße-{user}")
        mailing.post("verify", token=token, password=OWN_PASSWORD)
    assert mailing.users(f"strasse-{user}") == before
