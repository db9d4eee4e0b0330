"""Sign-ups that a mailbox confirms: what a stranger can't do with someone else's address, and what its owner can."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from tests.accounts.test_signup import (
    PASSWORD,
    REGISTER_PATHS,
    assert_problem,
    audit_of,
    everything_stored,
    log_in,
    register,
)
from tests.support.mailing import ADMIN_TOKEN, OWN_PASSWORD, Mailing, claims_of
from tests.support.services import RunningService, rows

LINK_KEY, TOKEN_KEY = "verification-links.key", "token-signing.key"


# --- What a sign-up does ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", REGISTER_PATHS)
def test_a_sign_up_makes_no_account_until_its_mailbox_confirms_it(
    mailing: Mailing, user: str, path: str
) -> None:
    answer = register(
        mailing.signup,
        user.upper(),
        path,
        fullName="Ann Archer",
        plan_type="premium",
        username="archer",
    )
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert body["success"] is body["verification_required"] is True
    assert body["message"] == body["msg"]
    assert body["user"] == {
        "email": user,
        "username": "archer",
        "fullName": "Ann Archer",
        "plan_type": "premium",
    }
    assert not {"token", "access_token", "user_id"} & body.keys()
    assert mailing.users(user) == []
    assert log_in(mailing.signup, user).status_code == 401

    [mail] = mailing.hook.mails_to(user)
    assert mail.keys() == {"to", "subject", "text", "link", "event"}
    assert mail["event"] == "signup"
    assert mail["link"] in mail["text"]
    token = mailing.hook.token_to(user)
    verified = mailing.post("verify", token=token, password=OWN_PASSWORD)
    assert verified.status_code == 201, verified.text
    (row,) = mailing.users(user)
    assert verified.json()["user"] == {"id": row["id"], "username": "archer", "email": user, "plan_type": "premium",
                                       "unique_id": row["unique_id"], "fullName": "Ann Archer"}  # fmt: skip
    assert verified.json()["token"]
    assert verified.headers["Cache-Control"] == "no-store"
    assert row["status"] == "active"
    assert log_in(mailing.signup, user, OWN_PASSWORD).status_code == 200
    assert log_in(mailing.signup, user, PASSWORD).status_code == 401, (
        "the password of the sign-up was not stored"
    )
    assert ("signup", "success") in audit_of(mailing.signup, user)


def test_an_address_with_an_account_can_not_sign_up_again(mailing: Mailing, user: str) -> None:
    mailing.account(user)
    assert_problem(register(mailing.signup, user.upper()), 409)
    assert log_in(mailing.signup, user, OWN_PASSWORD).status_code == 200


def test_a_questionnaire_that_comes_with_a_sign_up_is_captured_at_once(
    mailing: Mailing, user: str
) -> None:
    answer = register(mailing.signup, user, questionnaire={"tradesPerDay": "1-2"})
    assert answer.status_code == 202
    (row,) = mailing.signup.rows(
        "SELECT trades_per_day FROM questionnaire_data WHERE user_email = ?", user
    )
    assert row["trades_per_day"] == "1-2"
    assert mailing.users(user)[0]["status"] == "provisional"
    assert audit_of(mailing.signup, user) == [
        ("questionnaire", "success"),
        ("signup_requested", "success"),
    ]
    assert (
        mailing.post("verify", token=mailing.hook.token_to(user), password=OWN_PASSWORD).status_code
        == 201
    )


def test_who_pays_between_the_sign_up_and_the_click_can_still_use_the_link(
    mailing: Mailing, user: str
) -> None:
    register(mailing.signup, user)
    token = mailing.hook.token_to(user)
    assert (
        mailing.capture.capture("payment", {"user_email": user, "final_price": 49}).status_code
        == 201
    )
    assert mailing.post("verify", token=token, password=OWN_PASSWORD).status_code == 201
    assert len(mailing.signup.rows("SELECT id FROM payment_data WHERE user_email = ?", user)) == 1


# --- What a stranger tries ----------------------------------------------------------------------------------------------


def test_a_stranger_gains_nothing_by_signing_up_with_a_payers_address(
    mailing: Mailing, user: str
) -> None:
    payment = {
        "user_email": user,
        "user_name": "Patricia Payer",
        "plan_name": "Platinum",
        "final_price": 4999,
    }
    assert mailing.capture.capture("payment", payment).status_code == 201
    answer = register(mailing.signup, user, password="the stranger's password")
    assert answer.status_code == 202
    told = answer.text.replace(user, "")
    assert [
        word for word in ("Patricia", "Payer", "Platinum", "4999", "provisional") if word in told
    ] == []
    assert answer.json()["user"] == {
        "email": user,
        "username": None,
        "fullName": None,
        "plan_type": None,
    }

    unknown = register(mailing.signup, f"not-{user}", password="the stranger's password")
    assert unknown.status_code == 202
    assert unknown.text.replace("not-", "") == answer.text, (
        "who paid is answered as an unknown address is"
    )

    assert (
        mailing.post("verify", token=mailing.hook.token_to(user), password=OWN_PASSWORD).status_code
        == 201
    )
    assert log_in(mailing.signup, user, "the stranger's password").status_code == 401
    assert log_in(mailing.signup, user, OWN_PASSWORD).status_code == 200
    assert len(mailing.users(user)) == 1


def test_strangers_sign_ups_fill_no_table_and_leave_no_password(
    mailing: Mailing, user: str
) -> None:
    before = mailing.signup.rows("SELECT count(*) AS number FROM users")
    for number in range(5):
        secret = f"the-stranger's-own-password-{number}"
        assert (
            register(
                mailing.signup, f"{number}.{user}", password=secret, username=secret
            ).status_code
            == 202
        )
    assert mailing.signup.rows("SELECT count(*) AS number FROM users") == before
    stored = everything_stored(mailing.signup)
    assert b"the-stranger's-own-password" not in stored
    assert f"4.{user}".encode() not in stored, "neither in the database nor in the log"
    token = mailing.hook.token_to(f"4.{user}")
    assert "the-stranger's-own-password" not in json.dumps(claims_of(token))
    assert token.encode() not in everything_stored(mailing.signup)


def test_opening_a_link_changes_nothing(mailing: Mailing, user: str) -> None:
    register(mailing.signup, user)
    link = mailing.hook.mails_to(user)[0]["link"]
    from_a_mailbox = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    for method in ("GET", "HEAD"):
        opened = requests.request(method, link, headers=from_a_mailbox, timeout=10)
        assert opened.status_code == 200
    assert mailing.users(user) == []
    assert (
        mailing.post(
            "verify", token=link.partition("#token=")[2], password=OWN_PASSWORD
        ).status_code
        == 201
    )


def test_a_link_works_once_also_when_it_is_used_twice_at_once(mailing: Mailing, user: str) -> None:
    register(mailing.signup, user)
    token = mailing.hook.token_to(user)
    with ThreadPoolExecutor(6) as pool:
        uses = list(
            pool.map(
                lambda number: mailing.post("verify", token=token, password=f"password {number}"),
                range(6),
            )
        )
    statuses = [use.status_code for use in uses]
    assert statuses.count(201) == 1
    assert set(statuses) <= {201, 410, 429}  # 429: too many passwords are hashed at once
    assert log_in(mailing.signup, user, f"password {statuses.index(201)}").status_code == 200
    assert_problem(mailing.post("verify", token=token, password="another password"), 410)


def test_all_links_to_an_address_are_void_once_one_was_used(mailing: Mailing, user: str) -> None:
    for number in range(1, 4):
        register(mailing.signup, user)
        mailing.hook.mails_to(user, number)
    tokens = [mail["link"].partition("#token=")[2] for mail in mailing.hook.mails_to(user, 3)]
    assert mailing.post("verify", token=tokens[1], password=OWN_PASSWORD).status_code == 201
    for token in tokens:
        assert_problem(mailing.post("verify", token=token, password="another password"), 410)
    assert log_in(mailing.signup, user, OWN_PASSWORD).status_code == 200


def forgeries(mailing: Mailing, token: str, user: str) -> dict[str, Any]:
    """Tokens that are no links, by what is wrong with them."""
    key, claims = mailing.key(LINK_KEY), claims_of(token)
    head, middle, signature = token.split(".")
    other = jwt.encode({**claims, "sub": f"not-{user}"}, bytes(32), algorithm="HS256").split(".")
    mailing.account(f"own-{user}")
    login = log_in(mailing.signup, f"own-{user}", OWN_PASSWORD).json()["token"]
    return {
        "a login": login,
        "a login's claims under the links' key": jwt.encode(
            claims_of(login), key, algorithm="HS256"
        ),
        "another audience": jwt.encode({**claims, "aud": "somewhere"}, key, algorithm="HS256"),
        "no audience": jwt.encode(
            {name: value for name, value in claims.items() if name != "aud"}, key, algorithm="HS256"
        ),
        "no end": jwt.encode(
            {name: value for name, value in claims.items() if name != "exp"}, key, algorithm="HS256"
        ),
        "the logins' key": jwt.encode(claims, mailing.key(TOKEN_KEY), algorithm="HS256"),
        "another key": jwt.encode(claims, bytes(32), algorithm="HS256"),
        "another algorithm": jwt.encode(claims, key * 2, algorithm="HS512"),
        "no signature": jwt.encode(claims, "", algorithm="none"),
        "a signature that was cut off": f"{head}.{middle}.",
        "another's address": f"{head}.{other[1]}.{signature}",
        "a changed byte": token[:-5] + ("A" if token[-5] != "A" else "B") + token[-4:],
        "an open end": token + ".x",
        "nothing": "",
        "spaces": f" {token} ",
        "dots": "..",
        "letters beyond ASCII": "ä.ö.ü",
        "half a character": "\ud800",
        "very long": "a" * 500_000,
        "a number": 12,
        "a list": [token],
        "null": None,
    }


def test_what_is_not_exactly_a_link_of_the_mail_is_refused(mailing: Mailing, user: str) -> None:
    register(mailing.signup, user)
    token = mailing.hook.token_to(user)
    for what, forged in forgeries(mailing, token, user).items():
        body = json.dumps({"token": forged, "password": "the forger's password"})
        answer = requests.post(
            f"{mailing.signup.url}/api/auth/verify",
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=30,
        )
        assert answer.status_code == 400, (what, answer.text)
        assert {error["field"] for error in assert_problem(answer, 400)["errors"]} == {"token"}, (
            what
        )
    assert mailing.users(user) == mailing.users(f"not-{user}") == []
    assert mailing.post("verify", token=token, password=OWN_PASSWORD).status_code == 201


def test_a_link_is_no_login(mailing: Mailing, user: str) -> None:
    register(mailing.signup, user)
    token = mailing.hook.token_to(user)
    with pytest.raises(jwt.InvalidTokenError):
        jwt.decode(token, mailing.key(TOKEN_KEY), algorithms=["HS256"])
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(token, mailing.key(LINK_KEY), algorithms=["HS256"])


def test_a_link_of_yesterday_is_void(mailing: Mailing, user: str) -> None:
    register(mailing.signup, user)
    token = mailing.hook.token_to(user)
    claims = claims_of(token)
    assert claims["exp"] - time.time() == pytest.approx(24 * 3600, abs=300)
    expired = jwt.encode(
        {**claims, "exp": int(time.time()) - 1}, mailing.key(LINK_KEY), algorithm="HS256"
    )
    assert_problem(mailing.post("verify", token=expired, password=OWN_PASSWORD), 410)
    assert mailing.users(user) == []


def test_a_link_from_before_an_erasure_brings_nothing_back(mailing: Mailing, user: str) -> None:
    mailing.account(user)
    mailing.post("recover", email=user)
    recovery = mailing.hook.token_to(user, 2)
    register(mailing.signup, f"new-{user}", fullName="Ann Archer")
    sign_up = mailing.hook.token_to(f"new-{user}")
    for email in (user, f"new-{user}"):
        erased = requests.delete(
            f"{mailing.capture.url}/api/data-capture/users/{email}", timeout=30,
            headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
        )  # fmt: skip
        assert erased.status_code in (200, 202)
    for token in (recovery, sign_up):
        assert_problem(mailing.post("verify", token=token, password=OWN_PASSWORD), 410)
    assert mailing.users(user) == mailing.users(f"new-{user}") == []
    assert user.encode() not in everything_stored(mailing.signup)
    register(mailing.signup, user)  # what they do afterwards is theirs
    assert (
        mailing.post(
            "verify", token=mailing.hook.token_to(user, 3), password=OWN_PASSWORD
        ).status_code
        == 201
    )


@pytest.mark.parametrize("password", ["five5", "x" * 1025, "", 123456, None])
def test_a_password_that_can_not_be_used_leaves_the_link_valid(
    mailing: Mailing, user: str, password: Any
) -> None:
    register(mailing.signup, user)
    token = mailing.hook.token_to(user)
    problem = assert_problem(mailing.post("verify", token=token, password=password), 400)
    assert {error["field"] for error in problem["errors"]} == {"password"}
    assert mailing.post("verify", token=token, password=OWN_PASSWORD).status_code == 201


def test_the_link_does_not_follow_what_a_request_says_of_its_host(
    mailing: Mailing, user: str
) -> None:
    port = mailing.signup.port
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
    answers = [
        requests.post(f"{mailing.signup.url}/api/auth/register", json=body, headers=one, timeout=30)
        for one in headers
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 421]
    for mail in mailing.hook.mails_to(user, 3):
        assert mail["link"].startswith(f"http://127.0.0.1:{port}/verify#token=")
        assert "evil" not in json.dumps(mail)


HOSTILE_ADDRESSES = [
    "victim,{}", "victim;{}", "<victim>{}", "victim<{}", '"victim"{}', "victim({}", "victim:{}", "-oQ/tmp{}", "a\\{}", "a[b]{}",
    ".a{}", "a.{}", "a..b{}", "a" * 65 + "{}", "{}.", "{}..com", "{},victim.example", "{}>", "{}-", "{}_x",
]  # fmt: skip


@pytest.mark.parametrize("form", HOSTILE_ADDRESSES)
def test_an_address_that_mail_programs_read_otherwise_is_not_mailed_to(
    mailing: Mailing, user: str, form: str
) -> None:
    email = form.format(f"@{user.partition('@')[0]}.example")
    for answer in (register(mailing.signup, email), mailing.post("recover", email=email)):
        problem = assert_problem(answer, 400)
        assert {error["field"] for error in problem["errors"]} == {"email"}
    register(mailing.signup, user)
    mailing.hook.mails_to(user)  # whatever came before it would be there by now
    assert [
        mail["to"] for mail in mailing.hook.mails if "victim" in mail["to"] or mail["to"] == email
    ] == []


def test_nothing_that_a_stranger_types_stands_in_a_mail_but_in_its_token(
    mailing: Mailing, user: str
) -> None:
    name = "Win a prize at https://evil.example\r\nBcc: victim@example.com\r\n\r\nBody"
    register(
        mailing.signup,
        user,
        fullName=name,
        username="evil.example",
        company="evil.example",
        subject=name,
        text=name,
    )
    [mail] = mailing.hook.mails_to(user)
    readable = json.dumps(mail).replace(mailing.hook.token_to(user), "")
    assert "evil" not in readable
    assert "victim" not in readable


def test_details_are_bounded_so_that_a_link_stays_short(mailing: Mailing, user: str) -> None:
    names = (
        "username",
        "fullName",
        "firstName",
        "lastName",
        "phone",
        "company",
        "country",
        "plan_type",
    )
    register(mailing.signup, user, **dict.fromkeys(names, "Ж" * 200))
    assert len(mailing.hook.mails_to(user)[0]["link"]) < 3000
    assert (
        mailing.post("verify", token=mailing.hook.token_to(user), password=OWN_PASSWORD).status_code
        == 201
    )


def test_a_mailbox_is_not_flooded_whoever_asks_and_however_its_address_is_written(
    mailing: Mailing, user: str
) -> None:
    local_part = user.partition("@")[0]
    mailing.account(f"{local_part}@gmail.com")
    for _ in range(7):
        assert mailing.post("recover", email=f"{local_part}@gmail.com").status_code == 202
    for number in range(12):
        register(mailing.signup, f"{local_part}+{number}@gmail.com")
        register(mailing.signup, f"{local_part[: number + 1]}.{local_part[number + 1 :]}@gmail.com")
    register(mailing.signup, f"other-{user}")
    mailing.hook.mails_to(f"other-{user}")
    mailbox = [
        mail for mail in mailing.hook.mails if mail["to"].replace(".", "").startswith(local_part)
    ]
    assert len([mail for mail in mailbox if mail["event"] == "recovery"]) == 5
    assert len(mailbox) == 20


def test_requests_that_cause_no_mail_keep_none_back(mailing: Mailing, user: str) -> None:
    for _ in range(10):
        assert mailing.post("recover", email=user).status_code == 202
    mailing.account(user)
    for _ in range(4):
        assert register(mailing.signup, user).status_code == 409
    assert mailing.post("recover", email=user).status_code == 202
    assert [mail["event"] for mail in mailing.hook.mails_to(user, 2)] == ["signup", "recovery"]


def test_another_users_address_with_a_dot_more_keeps_no_mail_back(
    mailing: Mailing, user: str
) -> None:
    for number in range(20):
        register(mailing.signup, f"{user[: number % 5 + 1]}.{user[number % 5 + 1 :]}")
    mailing.account(user)


@pytest.mark.parametrize(
    ("said", "stored"), [({"consent_accepted": True}, 1), ({}, 0), ({"consent_accepted": "yes"}, 0)]
)
def test_who_opens_the_link_consents_and_not_who_sent_the_sign_up(
    mailing: Mailing, user: str, said: dict[str, Any], stored: int
) -> None:
    register(mailing.signup, user, consentAccepted=True)
    assert (
        mailing.post(
            "verify", token=mailing.hook.token_to(user), password=OWN_PASSWORD, **said
        ).status_code
        == 201
    )
    (user,) = mailing.users(user)
    assert (user["consent_accepted"], user["consent_timestamp"] is not None) == (
        stored,
        bool(stored),
    )


def test_no_one_consents_for_a_sign_up_that_did_not(mailing: Mailing, user: str) -> None:
    register(mailing.signup, user)
    token = mailing.hook.token_to(user)
    assert (
        mailing.post(
            "verify", token=token, password=OWN_PASSWORD, consent_accepted=True
        ).status_code
        == 201
    )
    assert mailing.users(user)[0]["consent_accepted"] == 0


def test_one_caller_can_not_mail_a_list_of_strangers(mailing: Mailing, user: str) -> None:
    headers = {"X-Forwarded-For": "198.51.100.7"}

    def statuses(number: int) -> list[int]:
        found = []
        for route, more in (("register", {"password": PASSWORD}), ("recover", {})):
            body = {"email": f"{route}-{number}-{user}", **more}
            found.append(
                requests.post(
                    f"{mailing.signup.url}/api/auth/{route}", json=body, headers=headers, timeout=30
                )
            )
        return [answer.status_code for answer in found]

    with ThreadPoolExecutor(4) as pool:
        answered = [status for both in pool.map(statuses, range(40)) for status in both]
    assert set(answered) == {202, 429}
    assert answered.count(202) == 60


# --- The rest -----------------------------------------------------------------------------------------------------------


def test_without_mail_the_calls_say_so_and_a_sign_up_works_as_ever(
    signup_service: RunningService, user: str
) -> None:
    calls = [
        requests.post(f"{signup_service.url}/api/auth/recover", json={"email": user}, timeout=10),
        requests.post(
            f"{signup_service.url}/api/auth/verify",
            json={"token": "x", "password": PASSWORD},
            timeout=10,
        ),
        requests.get(f"{signup_service.url}/verify", timeout=10),
        requests.get(f"{signup_service.url}/verify/page.js", timeout=10),
    ]
    for answer in calls:
        assert "EDC_MAIL_URL" in assert_problem(answer, 404)["detail"]
    assert register(signup_service, user).status_code == 201
    assert not (signup_service.database.parent / "trading_bots.keys" / LINK_KEY).exists()


def test_the_links_begin_with_the_public_address_whose_pages_may_send(
    tmp_path: Path, user: str
) -> None:
    base = (
        "https://signup.example.com:443/accounts"  # browsers leave a default port out of an origin
    )
    mailing = Mailing(
        tmp_path, EDC_SIGNUP_URL=f"{base}/", EDC_ALLOWED_ORIGINS="https://www.example.com"
    )
    mailing.signup.start()
    mailing.capture.start()
    own = {"Host": "signup.example.com", "Origin": "https://signup.example.com"}
    try:
        register(mailing.signup, user)
        assert mailing.hook.mails_to(user)[0]["link"].startswith(f"{base}/verify#token=")
        token = mailing.hook.token_to(user)
        body = {"token": token, "password": OWN_PASSWORD}
        address = f"{mailing.signup.url}/api/auth/verify"
        for origin in (
            "https://evil.example",
            "null",
            "http://localhost:3000",
            "http://signup.example.com",
        ):
            assert_problem(
                requests.post(address, json=body, headers={**own, "Origin": origin}, timeout=30),
                403,
            )
        assert (
            requests.get(
                f"{mailing.signup.url}/verify", headers={"Host": "signup.example.com"}, timeout=30
            ).status_code
            == 200
        )
        answer = requests.post(address, json=body, headers=own, timeout=30)
        assert answer.status_code == 201, answer.text
        # The capture service gains nothing by it.
        payment = mailing.capture.capture(
            "payment", {"user_email": user}, Origin="https://signup.example.com"
        )
        assert_problem(payment, 403)
    finally:
        mailing.close()


def test_the_page_is_its_own_and_its_token_goes_nowhere_else(mailing: Mailing) -> None:
    page = requests.get(f"{mailing.signup.url}/verify", timeout=10)
    policy = page.headers["Content-Security-Policy"]
    for rule in ("default-src 'none'", "script-src 'self'", "connect-src 'self'", "form-action 'none'", "frame-ancestors 'none'",
                 "base-uri 'none'"):  # fmt: skip
        assert rule in policy
    assert "unsafe" not in policy
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    for name in ("page.html", "__init__.py", "..", "%2e%2e%2f__init__.py", "page.js/"):
        assert requests.get(f"{mailing.signup.url}/verify/{name}", timeout=10).status_code in (
            404,
            200 if name == ".." else 404,
        )


def test_neither_the_hooks_secret_nor_a_link_is_logged(tmp_path: Path, user: str) -> None:
    mailing = Mailing(tmp_path, EDC_DEBUG="1")
    mailing.signup.start()
    try:
        register(mailing.signup, user)
        token = mailing.hook.token_to(user)
        mailing.post("verify", token=token, password=OWN_PASSWORD)
    finally:
        mailing.close()
    log = mailing.signup.log_file.read_text() + mailing.signup.output.read_text()
    assert "POST /api/auth/verify -> 201" in log
    assert [
        secret
        for secret in (user, token, OWN_PASSWORD, PASSWORD, "s3cret-of-the-hook")
        if secret in log
    ] == []
    assert rows(mailing.signup.database, "SELECT count(*) AS number FROM users")[0]["number"] == 1
