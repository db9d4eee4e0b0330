"""Test identity: captures belong to the right user, and wait while there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.site import SLOW_DATABASE, Reply

SAVES = """<script>
async function savePaymentToSupabase() {}
async function saveDashboardToSupabase() {}
</script>"""
PAY = "savePaymentToSupabase({transaction_id: 'T'})"
UNAVAILABLE = Reply(503, {"Content-Type": "application/problem+json"}, b'{"success": false}')


def fill_storage(**areas: dict[str, Any]) -> str:
    """Return a script that fills localStorage or sessionStorage."""
    lines = []
    for area, items in areas.items():
        for key, value in items.items():
            text = value if isinstance(value, str) else json.dumps(value)
            lines.append(f"{area}.setItem({json.dumps(key)}, {json.dumps(text)});")
    return f"<script>{''.join(lines)}</script>"


PLACES = {
    "current_user": lambda email: fill_storage(
        localStorage={"current_user": {"id": 4, "name": "Ann", "email": email, "token": "s3cret"}}
    ),
    "user_data": lambda email: fill_storage(localStorage={"user_data": {"email": email}}),
    "userData": lambda email: fill_storage(
        localStorage={"userData": {"email": email, "password": "s3cret"}}
    ),
    "currentUser": lambda email: fill_storage(
        localStorage={"currentUser": {"user": {"email": email}}}
    ),
    "currentUser, plain text": lambda email: fill_storage(localStorage={"currentUser": email}),
    "session userData": lambda email: fill_storage(
        sessionStorage={"userData": {"id": 4, "email": email, "fullName": "Ann"}}
    ),
    "session currentUser": lambda email: fill_storage(
        sessionStorage={"currentUser": {"email": email}}
    ),
    "window.currentUser": lambda email: (
        f"<script>window.currentUser = {{email: '{email}'}}</script>"
    ),
    "supabase": lambda email: fill_storage(
        localStorage={
            "sb-abcdefgh-auth-token": {
                "access_token": "s3cret",
                "user": {"id": "x", "email": email},
            }
        }
    ),
}


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_user_is_found_in_the_usual_places_and_no_other_data_in_them_is_sent(
    place: Any, visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(f"{SAVES}<script>{PAY}</script>", before=place(user))
    assert len(stored("payment_data")) == 1
    assert "s3cret" not in proxy.received[0].text
    assert set(proxy.received[0].body) <= {
        "transaction_id",
        "user_email",
        "user_name",
        "user_id",
        "capture_id",
        "capture_timestamp",
    }


@pytest.mark.slow
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
def test_user_in_the_payload_overrides_the_signed_in_user(
    payload: str, visit: Any, stored: Any, user: str
) -> None:
    visit.open(
        f"{SAVES}<script>savePaymentToSupabase({payload % user})</script>",
        user="another@example.com",
    )
    assert len(stored("payment_data")) == 1


def test_fourth_argument_of_a_dashboard_save_is_its_user(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(
        f"{SAVES}<script>saveDashboardToSupabase({{initialEquity: 1}}, {{}}, 'dark',"
        f"{{email: '{user}', name: 'Ann', id: 12, password: 's3cret'}})</script>",
        user="another@example.com",
    )
    assert stored("dashboard_data")[0]["user_name"] == "Ann"
    assert proxy.received[0].body["user_id"] == 12
    assert "s3cret" not in proxy.received[0].text


@pytest.mark.slow
def test_name_and_id_are_added_only_from_a_source_with_the_same_address(
    visit: Any, proxy: Any, user: str
) -> None:
    visit.open(SAVES, before=PLACES["current_user"](user.upper()))
    emails = [user, "other@example.com"]
    visit.run("(emails) => emails.forEach((email) => savePaymentToSupabase({email}))", emails)
    visit.flush()
    assert len(proxy.received) == 2
    by_email = {capture.body["user_email"]: capture.body for capture in proxy.received}
    assert set(by_email) == set(emails)
    assert (by_email[user]["user_name"], by_email[user]["user_id"]) == ("Ann", 4)
    assert not {"user_name", "user_id"} & set(by_email["other@example.com"])


def test_identify_sets_the_user_and_sends_waiting_captures(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(f"{SAVES}<script>{PAY}</script>")
    assert visit.flush() == {"success": False, "queued": True, "waiting": 1}
    assert proxy.received == []
    assert visit.run(f"enhancedDataCapture.identify({{email: '{user}', name: 'Ann'}})") == {
        "success": True
    }
    assert stored("payment_data")[0]["user_name"] == "Ann"


def test_waiting_captures_are_sent_when_a_user_signs_in(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(f"{SAVES}<script>{PAY}</script>")
    visit.run(f"localStorage.setItem('current_user', JSON.stringify({{email: '{user}'}}))")
    assert len(stored("payment_data")) == 1
    assert len(proxy.received) == 1


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize(
    ("tag", "before", "placeholder"),
    [
        ("", "", "unknown@example.com"),
        ("", "", "Unknown@Example.com "),
        ("", "", "unknown"),
        ('data-placeholders="guest@shop.example, demo@shop.example"', "", "demo@shop.example"),
        (
            "",
            "<script>"
            "window.enhancedDataCaptureConfig = {placeholders: ['guest@shop.example']}</script>",
            "guest@shop.example",
        ),
    ],
)
def test_placeholder_address_is_no_user(
    tag: str, before: str, placeholder: str, visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    visit.open(
        f"{SAVES}<script>savePaymentToSupabase({{user_email: '{placeholder}'}})</script>",
        tag=tag,
        before=before,
    )
    visit.flush()
    assert proxy.received == []
    visit.run(f"enhancedDataCapture.identify({{email: '{user}'}})")
    assert len(stored("payment_data")) == 1


@pytest.mark.slow
def test_signed_out_user_is_not_read_from_the_remaining_storage(
    visit: Any, proxy: Any, stored: Any, user: str
) -> None:
    gone = "gone@example.com"
    visit.open(
        SAVES,
        before=fill_storage(
            localStorage={"current_user": {"email": gone}, "user_data": {"email": gone}},
            sessionStorage={"userData": {"email": gone}},
        ),
    )
    visit.run("localStorage.removeItem('current_user')")
    visit.run(PAY)
    visit.flush()
    assert proxy.received == []
    visit.run(f"localStorage.setItem('current_user', JSON.stringify({{email: '{user}'}}))")
    visit.flush()
    assert len(stored("payment_data")) == 1
    assert gone not in proxy.received[0].text


@pytest.mark.slow
def test_new_user_in_the_remaining_storage_counts_after_a_logout(
    visit: Any, stored: Any, user: str
) -> None:
    visit.open(SAVES, user="gone@example.com")
    visit.run("localStorage.removeItem('current_user')")
    visit.run(f"sessionStorage.setItem('userData', JSON.stringify({{email: '{user}'}}))")
    visit.run(PAY)
    assert len(stored("payment_data")) == 1


@pytest.mark.slow
def test_storage_that_names_two_users_identifies_no_user(visit: Any, proxy: Any) -> None:
    visit.open(
        SAVES,
        before=fill_storage(
            localStorage={"user_data": {"email": "a@example.com"}},
            sessionStorage={"userData": {"email": "b@example.com"}},
        ),
    )
    visit.run(PAY)
    assert visit.flush() == {"success": False, "queued": True, "waiting": 1}
    assert proxy.received == []


@pytest.mark.slow
def test_logout_cancels_identify_of_the_same_user(visit: Any, proxy: Any) -> None:
    visit.open(SAVES, user="gone@example.com")
    visit.run("enhancedDataCapture.identify({email: 'gone@example.com'})")
    visit.run("localStorage.removeItem('current_user')")
    visit.run(PAY)
    visit.flush()
    assert proxy.received == []


@pytest.mark.slow
def test_default_dashboard_written_at_logout_is_not_captured(
    visit: Any, proxy: Any, user: str
) -> None:
    visit.open(SAVES, user=user)
    visit.run("enhancedDataCapture.status()")  # resolves when the database is open
    visit.run("localStorage.removeItem('current_user')")
    visit.run(
        f"saveDashboardToSupabase({{initialEquity: 10000}}, {{}}, 'dark', {{email: '{user}'}})"
    )
    visit.run("saveDashboardToSupabase({initialEquity: 10000}, {}, 'dark')")
    visit.run(f"localStorage.setItem('current_user', JSON.stringify({{email: '{user}'}}))")
    assert visit.flush() == {"success": True}
    assert proxy.received == []


@pytest.mark.slow
def test_next_user_gets_no_capture_of_the_previous_user(
    visit: Any, proxy: Any, capture_service: Any, user: str
) -> None:
    visit.open(SAVES, user="first-" + user)
    proxy.next_responses.append(UNAVAILABLE)
    visit.run("savePaymentToSupabase({transaction_id: 'of the first'})")
    visit.run(f"localStorage.setItem('current_user', JSON.stringify({{email: '{user}'}}))")
    visit.run("savePaymentToSupabase({transaction_id: 'of the second'})")

    def find_owners() -> dict[str, str]:
        found = capture_service.rows(
            "SELECT * FROM payment_data WHERE user_email LIKE ?", "%" + user
        )
        return (
            {row["user_email"]: row["transaction_id"] for row in found} if len(found) == 2 else {}
        )

    assert visit.eventually(find_owners, "two payments") == {
        "first-" + user: "of the first",
        user: "of the second",
    }


@pytest.mark.slow
def test_captures_belong_to_the_user_of_their_time_if_the_database_opens_late(
    visit: Any, proxy: Any, capture_service: Any, user: str
) -> None:
    first, second = "first-" + user, "second-" + user
    visit.open(SAVES, before=SLOW_DATABASE, user=first)
    visit.run("savePaymentToSupabase({transaction_id: 'of the first'})")
    visit.run(f"localStorage.setItem('current_user', JSON.stringify({{email: '{second}'}}))")
    visit.run("savePaymentToSupabase({transaction_id: 'of the second'})")
    visit.run("localStorage.removeItem('current_user')")
    visit.run("savePaymentToSupabase({transaction_id: 'of no user'})")
    visit.run("openDatabase()")
    assert visit.flush()["waiting"] == 1
    found = capture_service.rows("SELECT * FROM payment_data WHERE user_email LIKE ?", "%" + user)
    assert {row["user_email"]: row["transaction_id"] for row in found} == {
        first: "of the first",
        second: "of the second",
    }


@pytest.mark.slow
@pytest.mark.parametrize("leaving", [False, True], ids=["staying", "leaving at once"])
def test_user_who_left_on_an_earlier_page_is_ignored_if_the_database_opens_late(
    leaving: bool, visit: Any, proxy: Any, site: Any, user: str
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
    assert proxy.received == []


def test_call_that_names_another_users_id_is_not_the_signed_in_users(
    visit: Any, proxy: Any
) -> None:
    visit.open("<script>function savePaymentToSupabase() {}</script>")
    admin = json.dumps(json.dumps({"id": "u-1", "email": "admin@example.com"}))
    visit.run(f"localStorage.setItem('current_user', {admin})")
    visit.run("savePaymentToSupabase({user_id: 'u-2', plan_name: 'Pro', final_price: 49})")
    visit.flush()
    [capture] = proxy.received
    assert capture.body["capture_target"] == "/?user_id=u-2"
    assert "user_email" not in capture.body


def test_updates_of_two_rows_are_two_captures(visit: Any, proxy: Any) -> None:
    visit.open()
    visit.run(
        """() => Promise.all(['?id=eq.1', '?id=eq.2', '/3', '/4'].map((row) => fetch(
          `/rest/v1/payments${row}`, {method: 'PATCH', body: '{"status": "completed"}'}
        )))"""
    )
    visit.flush()
    targets = sorted(capture.body["capture_target"] for capture in proxy.received)
    prefix = "/rest/v1/payments"
    assert targets == [f"{prefix}/3", f"{prefix}/4", f"{prefix}?id=eq.1", f"{prefix}?id=eq.2"]
