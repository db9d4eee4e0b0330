"""Each capture is of the person whose it is, never of somebody who left, and waits while nobody is known."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.site import SLOW_DATABASE

SAVES = "<script>async function savePaymentToSupabase() {} async function saveDashboardToSupabase() {}</script>"
PAY = "savePaymentToSupabase({transaction_id: 'T'})"


def signed_in(**areas: dict[str, Any]) -> str:
    """A script that fills the storage of a page."""
    lines = [
        f"{area}.setItem({json.dumps(key)}, {json.dumps(value if isinstance(value, str) else json.dumps(value))});"
        for area, items in areas.items()
        for key, value in items.items()
    ]
    return f"<script>{''.join(lines)}</script>"


PLACES = {
    "current_user": lambda email: signed_in(
        localStorage={"current_user": {"id": 4, "name": "Ann", "email": email, "token": "s3cret"}}
    ),
    "user_data": lambda email: signed_in(localStorage={"user_data": {"email": email}}),
    "userData": lambda email: signed_in(
        localStorage={"userData": {"email": email, "password": "s3cret"}}
    ),
    "currentUser": lambda email: signed_in(
        localStorage={"currentUser": {"user": {"email": email}}}
    ),
    "currentUser, plain text": lambda email: signed_in(localStorage={"currentUser": email}),
    "session userData": lambda email: signed_in(
        sessionStorage={"userData": {"id": 4, "email": email, "fullName": "Ann"}}
    ),
    "session currentUser": lambda email: signed_in(
        sessionStorage={"currentUser": {"email": email}}
    ),
    "window.currentUser": lambda email: (
        f"<script>window.currentUser = {{email: '{email}'}}</script>"
    ),
    "supabase": lambda email: signed_in(
        localStorage={
            "sb-abcdefgh-auth-token": {
                "access_token": "s3cret",
                "user": {"id": "x", "email": email},
            }
        }
    ),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_the_user_is_found_where_sites_keep_them_and_nothing_beside_them_is_sent(
    place: Any, visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(f"{SAVES}<script>{PAY}</script>", before=place(user))
    assert len(stored("payment_data")) == 1
    assert "s3cret" not in front.posts[0].text
    assert set(front.posts[0].body) <= {
        "transaction_id",
        "user_email",
        "user_name",
        "user_id",
        "capture_id",
        "capture_timestamp",
    }


@pytest.mark.parametrize(
    "payload",
    [
        "{user_email: '%s'}",
        "{userEmail: '%s'}",
        "{email: '%s'}",
        "{userData: {email: '%s'}}",
        "{user: {email: '%s'}}",
    ],
)
def test_a_user_named_in_the_payload_comes_before_whoever_is_signed_in(
    payload: str, visit: Any, stored: Any, user: str
) -> None:
    visit.open(
        f"{SAVES}<script>savePaymentToSupabase({payload % user})</script>",
        user="somebody-else@example.com",
    )
    assert len(stored("payment_data")) == 1


def test_a_dashboards_fourth_argument_names_its_user(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(
        f"{SAVES}<script>saveDashboardToSupabase({{initialEquity: 1}}, {{}}, 'dark',"
        f"{{email: '{user}', name: 'Ann', id: 12, password: 's3cret'}})</script>",
        user="somebody-else@example.com",
    )
    assert stored("dashboard_data")[0]["user_name"] == "Ann"
    assert front.posts[0].body["user_id"] == 12
    assert "s3cret" not in front.posts[0].text


def test_name_and_id_come_from_another_place_only_for_the_same_address(
    visit: Any, front: Any, user: str
) -> None:
    visit.open(SAVES, before=PLACES["current_user"](user.upper()))
    visit.run(
        f"() => {{ savePaymentToSupabase({{email: '{user}'}}); savePaymentToSupabase({{email: 'other@example.com'}}) }}"
    )
    visit.flush()
    same, other = (
        post.body for post in sorted(front.posts, key=lambda post: "other@" in post.text)
    )
    assert (same["user_email"], same["user_name"], same["user_id"]) == (user, "Ann", 4)
    assert (other["user_email"], "user_name" in other, "user_id" in other) == (
        "other@example.com",
        False,
        False,
    )


def test_identify_names_the_user_and_sends_what_waited_for_one(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(f"{SAVES}<script>{PAY}</script>")
    assert visit.flush() == {"success": False, "queued": True, "waiting": 1}
    assert front.posts == []
    assert visit.run(f"enhancedDataCapture.identify({{email: '{user}', name: 'Ann'}})") == {
        "success": True
    }
    assert stored("payment_data")[0]["user_name"] == "Ann"


def test_what_waits_is_sent_once_somebody_signs_in(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(f"{SAVES}<script>{PAY}</script>")
    visit.run(f"localStorage.setItem('current_user', JSON.stringify({{email: '{user}'}}))")
    assert len(stored("payment_data")) == 1
    assert len(front.posts) == 1


@pytest.mark.parametrize(
    ("tag", "before", "nobody"),
    [
        ("", "", "unknown@example.com"),
        ("", "", "Unknown@Example.com "),
        ("", "", "unknown"),
        ('data-placeholders="guest@shop.example, demo@shop.example"', "", "demo@shop.example"),
        (
            "",
            "<script>window.enhancedDataCaptureConfig = {placeholders: ['guest@shop.example']}</script>",
            "guest@shop.example",
        ),
    ],
)
def test_a_placeholder_is_nobody(
    tag: str, before: str, nobody: str, visit: Any, front: Any, stored: Any, user: str
) -> None:
    visit.open(
        f"{SAVES}<script>savePaymentToSupabase({{user_email: '{nobody}'}})</script>",
        tag=tag,
        before=before,
    )
    visit.flush()
    assert front.posts == []
    visit.run(f"enhancedDataCapture.identify({{email: '{user}'}})")
    assert len(stored("payment_data")) == 1


def test_who_has_signed_out_is_not_found_in_what_the_site_leaves_behind(
    visit: Any, front: Any, stored: Any, user: str
) -> None:
    gone = "gone@example.com"
    visit.open(
        SAVES,
        before=signed_in(
            localStorage={"current_user": {"email": gone}, "user_data": {"email": gone}},
            sessionStorage={"userData": {"email": gone}},
        ),
    )
    visit.run("localStorage.removeItem('current_user')")
    visit.run(PAY)
    visit.flush()
    assert front.posts == []
    visit.run(f"localStorage.setItem('current_user', JSON.stringify({{email: '{user}'}}))")
    visit.flush()
    assert len(stored("payment_data")) == 1
    assert gone not in front.posts[0].text


def test_after_a_logout_a_new_name_in_what_is_left_behind_counts(
    visit: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, user="gone@example.com")
    visit.run("localStorage.removeItem('current_user')")
    visit.run(f"sessionStorage.setItem('userData', JSON.stringify({{email: '{user}'}}))")
    visit.run(PAY)
    assert len(stored("payment_data")) == 1


def test_copies_left_behind_that_name_different_users_name_nobody(visit: Any, front: Any) -> None:
    visit.open(
        SAVES,
        before=signed_in(
            localStorage={"user_data": {"email": "a@example.com"}},
            sessionStorage={"userData": {"email": "b@example.com"}},
        ),
    )
    visit.run(PAY)
    assert visit.flush() == {"success": False, "queued": True, "waiting": 1}
    assert front.posts == []


def test_a_logout_ends_what_identify_said_of_the_same_user(visit: Any, front: Any) -> None:
    visit.open(SAVES, user="gone@example.com")
    visit.run("enhancedDataCapture.identify({email: 'gone@example.com'})")
    visit.run("localStorage.removeItem('current_user')")
    visit.run(PAY)
    visit.flush()
    assert front.posts == []


def test_the_default_dashboard_that_a_logout_writes_is_nobodys(
    visit: Any, front: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    visit.run("localStorage.removeItem('current_user')")
    visit.run(
        f"saveDashboardToSupabase({{initialEquity: 10000}}, {{}}, 'dark', {{email: '{user}'}})"
    )
    visit.run("saveDashboardToSupabase({initialEquity: 10000}, {}, 'dark')")
    visit.run(f"localStorage.setItem('current_user', JSON.stringify({{email: '{user}'}}))")
    assert visit.flush() == {"success": True}
    assert front.posts == []


def test_the_next_user_gets_nothing_of_the_one_before(
    visit: Any, front: Any, capture_service: Any, user: str
) -> None:
    visit.open(SAVES, user="first-" + user)
    front.next_answers.append(unavailable())
    visit.run("savePaymentToSupabase({transaction_id: 'of the first'})")
    visit.run(f"localStorage.setItem('current_user', JSON.stringify({{email: '{user}'}}))")
    visit.run("savePaymentToSupabase({transaction_id: 'of the second'})")

    def owners() -> dict[str, str]:
        found = capture_service.rows(
            "SELECT * FROM payment_data WHERE user_email LIKE ?", "%" + user
        )
        return (
            {row["user_email"]: row["transaction_id"] for row in found} if len(found) == 2 else {}
        )

    assert visit.eventually(owners, "two payments") == {
        "first-" + user: "of the first",
        user: "of the second",
    }


def test_who_was_there_counts_however_late_the_database_opens(
    visit: Any, front: Any, capture_service: Any, user: str
) -> None:
    first, second = "first-" + user, "second-" + user
    visit.open(SAVES, before=SLOW_DATABASE, user=first)
    visit.run("savePaymentToSupabase({transaction_id: 'of the first'})")
    visit.run(f"localStorage.setItem('current_user', JSON.stringify({{email: '{second}'}}))")
    visit.run("savePaymentToSupabase({transaction_id: 'of the second'})")
    visit.run("localStorage.removeItem('current_user')")
    visit.run("savePaymentToSupabase({transaction_id: 'of nobody'})")
    visit.run("openDatabase()")
    assert visit.flush()["waiting"] == 1
    found = capture_service.rows("SELECT * FROM payment_data WHERE user_email LIKE ?", "%" + user)
    assert {row["user_email"]: row["transaction_id"] for row in found} == {
        first: "of the first",
        second: "of the second",
    }


@pytest.mark.parametrize("leaving", [False, True], ids=["staying", "leaving at once"])
def test_who_left_on_an_earlier_page_is_not_found_however_late_the_database_opens(
    leaving: bool, visit: Any, front: Any, site: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    visit.run(f"localStorage.setItem('userData', JSON.stringify({{email: '{user}'}}))")
    visit.run("localStorage.removeItem('current_user')")
    visit.flush()
    visit.open(f"{SAVES}<script>{PAY}</script>", before=SLOW_DATABASE)
    if leaving:
        visit.page.goto(site.put("/away.html", "<title>away</title>"))
        visit.open(SAVES)
    else:
        visit.run("openDatabase()")
    assert visit.flush() == {"success": False, "queued": True, "waiting": 1}
    assert front.posts == []


def unavailable() -> Any:
    from tests.browser.site import Reply

    return Reply(503, {"Content-Type": "application/problem+json"}, b'{"success": false}')
