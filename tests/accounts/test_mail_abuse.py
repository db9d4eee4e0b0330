"""Test which mails a stranger can cause: addresses, contents and numbers."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.accounts import PASSWORD, assert_problem, register
from tests.support.mailing import ServicesWithMail

# Addresses that a mail program may read in another way, or take for an option. `{}` is "@" and a
# domain.
AMBIGUOUS_ADDRESSES = [
    "victim,{}", "victim;{}", "<victim>{}", "victim<{}", '"victim"{}', "victim({}", "victim:{}",
    "-oQ/tmp{}", "a\\{}", "a[b]{}", ".a{}", "a.{}", "a..b{}", "a" * 65 + "{}", "{}.", "{}..com",
    "{},victim.example", "{}>", "{}-", "{}_x",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("form", AMBIGUOUS_ADDRESSES)
def test_ambiguous_address_is_rejected_and_gets_no_mail(
    services: ServicesWithMail, user: str, form: str
) -> None:
    email = form.format(f"@{user.partition('@')[0]}.example")
    for response in (register(services.signup, email), services.post("recover", email=email)):
        problem = assert_problem(response, 400)
        assert {error["field"] for error in problem["errors"]} == {"email"}
    register(services.signup, user)
    services.hook.mails_to(user)  # mails are sent in order: an earlier one would be here
    recipients = [mail["to"] for mail in services.hook.mails]
    assert [to for to in recipients if "victim" in to or to == email] == []


@pytest.mark.slow
def test_mail_contains_signup_details_only_inside_its_token(
    services: ServicesWithMail, user: str
) -> None:
    name = "Win a prize at https://evil.example\r\nBcc: victim@example.com\r\n\r\nBody"
    register(
        services.signup,
        user,
        fullName=name,
        username="evil.example",
        company="evil.example",
        subject=name,
        text=name,
    )
    [mail] = services.hook.mails_to(user)
    text = json.dumps(mail).replace(services.hook.token_to(user), "")
    assert "evil" not in text
    assert "victim" not in text


def test_long_signup_details_still_give_a_short_link(services: ServicesWithMail, user: str) -> None:
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
    register(services.signup, user, **dict.fromkeys(names, "Ж" * 200))
    assert len(services.hook.mails_to(user)[0]["link"]) < 3000
    assert services.verify(user).status_code == 201


def test_mails_to_one_mailbox_are_limited_across_spellings_of_its_address(
    services: ServicesWithMail, user: str
) -> None:
    local_part = user.partition("@")[0]
    services.create_account(f"{local_part}@gmail.com")
    for _ in range(7):
        assert services.post("recover", email=f"{local_part}@gmail.com").status_code == 202
    for number in range(12):
        register(services.signup, f"{local_part}+{number}@gmail.com")
        register(
            services.signup, f"{local_part[: number + 1]}.{local_part[number + 1 :]}@gmail.com"
        )
    register(services.signup, f"other-{user}")
    services.hook.mails_to(f"other-{user}")
    mailbox = [
        mail for mail in services.hook.mails if mail["to"].replace(".", "").startswith(local_part)
    ]
    assert len([mail for mail in mailbox if mail["event"] == "recovery"]) == 5
    assert len(mailbox) == 20


def test_requests_that_send_no_mail_do_not_use_up_the_mail_limit(
    services: ServicesWithMail, user: str
) -> None:
    for _ in range(10):
        assert services.post("recover", email=user).status_code == 202
    services.create_account(user)
    for _ in range(4):
        assert register(services.signup, user).status_code == 409
    assert services.post("recover", email=user).status_code == 202
    assert [mail["event"] for mail in services.hook.mails_to(user, 2)] == ["signup", "recovery"]


def test_mails_to_dotted_variants_do_not_use_up_another_users_mail_limit(
    services: ServicesWithMail, user: str
) -> None:
    for number in range(20):
        register(services.signup, f"{user[: number % 5 + 1]}.{user[number % 5 + 1 :]}")
    services.create_account(user)


@pytest.mark.slow
def test_mails_caused_by_one_caller_are_limited(services: ServicesWithMail, user: str) -> None:
    headers = {"X-Forwarded-For": "198.51.100.7"}

    def register_and_recover(number: int) -> list[int]:
        statuses = []
        for route, fields in (("register", {"password": PASSWORD}), ("recover", {})):
            body = {"email": f"{route}-{number}-{user}", **fields}
            url = f"{services.signup.url}/api/auth/{route}"
            statuses.append(requests.post(url, json=body, headers=headers, timeout=30).status_code)
        return statuses

    with ThreadPoolExecutor(4) as pool:
        statuses = [status for pair in pool.map(register_and_recover, range(40)) for status in pair]
    assert set(statuses) == {202, 429}
    assert statuses.count(202) == 60
