"""The faults between a page and the service.

Each scenario saves captures, causes a fault and ends it. The rest is the sender's work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tests.engines.harness import Harness

RUNS_VARIABLE = "EDC_RUNS"
CAPTURES_PER_RUN = 20
# How long a page stays open after a save. Nothing tells when a sender has stopped trying.
_SECONDS_UNTIL_LEAVING = 0.3


def _save_during(state: str, harness: Harness, captures: Sequence[str]) -> None:
    tab = harness.open_page()
    harness.set_service_state(state)
    tab.run(f"() => {{ {harness.save_statement(captures)} }}")
    time.sleep(harness.fault_seconds)  # the fault lasts for a time, whatever the sender does
    harness.set_service_state("up")


def respond_503(harness: Harness, captures: Sequence[str]) -> None:
    """The service responds with 503 for a while, then it is healthy."""
    _save_during("unavailable", harness, captures)


def close_tab(harness: Harness, captures: Sequence[str]) -> None:
    """The service is down, the tab is closed, and the page is opened again later."""
    tab = harness.open_page()
    harness.set_service_state("down")
    tab.run(f"() => {{ {harness.save_statement(captures)} }}")
    time.sleep(_SECONDS_UNTIL_LEAVING)
    harness.close_tab(tab)
    harness.set_service_state("up")
    harness.open_page()


def navigate(harness: Harness, captures: Sequence[str]) -> None:
    """The service is down, and the user goes to another page and comes back later."""
    tab = harness.open_page()
    harness.set_service_state("down")
    tab.run(f"() => {{ {harness.save_statement(captures)} }}")
    time.sleep(_SECONDS_UNTIL_LEAVING)
    tab.goto(harness.other_page_url)
    harness.set_service_state("up")
    tab.goto(harness.page_url)


def navigate_at_once(harness: Harness, captures: Sequence[str]) -> None:
    """The service is down, and the page saves and navigates in one task."""
    tab = harness.open_page()
    harness.set_service_state("down")
    harness.wait_until_started(tab)
    other = harness.other_page_url
    tab.run_without_waiting(f"{harness.save_statement(captures)}; location.href = '{other}'")
    tab.eventually(
        f"location.href === '{other}' && document.readyState === 'complete'",
        "the other page is loaded",
    )
    harness.set_service_state("up")
    tab.goto(harness.page_url)


def kill_browser(harness: Harness, captures: Sequence[str]) -> None:
    """The service is down, and the browser is killed immediately after the save."""
    harness.kill_after_saving(captures)
    harness.set_service_state("up")
    harness.reopen_after_kill()


def lose_responses(harness: Harness, captures: Sequence[str]) -> None:
    """The service stores all captures, and its responses are lost for a while."""
    _save_during("responses lost", harness, captures)


def close_two_tabs(harness: Harness, captures: Sequence[str]) -> None:
    """The service is down, two tabs save, and both are closed and opened again later."""
    half = len(captures) // 2
    tabs = [harness.open_page(), harness.open_page()]
    harness.set_service_state("down")
    for tab, part in zip(tabs, (captures[:half], captures[half:]), strict=True):
        tab.run(f"() => {{ {harness.save_statement(part)} }}")
    time.sleep(_SECONDS_UNTIL_LEAVING)
    for tab in tabs:
        harness.close_tab(tab)
    harness.set_service_state("up")
    harness.open_page()
    harness.open_page()


SCENARIOS: dict[str, Callable[[Harness, Sequence[str]], None]] = {
    "503, then healthy": respond_503,
    "down, tab closed, reopened": close_tab,
    "down, navigate, return": navigate,
    "down, save and leave at once": navigate_at_once,
    "down, browser killed": kill_browser,
    "stored, response lost": lose_responses,
    "two tabs, down, reopened": close_two_tabs,
}
