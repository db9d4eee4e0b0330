"""The faults between a page and a service: each saves captures, causes the fault, ends it, and leaves the rest to the script."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tests.engines.scenario_runner import Play

RUNS = "EDC_RUNS"
CAPTURES = 20
_OFF_SECONDS = 0.3


def _save_while(state: str, play: Play, captures: Sequence[str]) -> None:
    tab = play.open()
    play.set_state(state)
    tab.run(f"() => {{ {play.save(captures)} }}")
    time.sleep(play.fault_seconds)
    play.set_state("up")


def unavailable(play: Play, captures: Sequence[str]) -> None:
    """The service answers 503 for a while, then is healthy."""
    _save_while("unavailable", play, captures)


def tab_closed(play: Play, captures: Sequence[str]) -> None:
    """The service is down, the tab is closed, and the page is opened again later."""
    tab = play.open()
    play.set_state("down")
    tab.run(f"() => {{ {play.save(captures)} }}")
    time.sleep(_OFF_SECONDS)
    play.close(tab)
    play.set_state("up")
    play.open()


def navigated(play: Play, captures: Sequence[str]) -> None:
    """The service is down, the person goes to another page and comes back later."""
    tab = play.open()
    play.set_state("down")
    tab.run(f"() => {{ {play.save(captures)} }}")
    time.sleep(_OFF_SECONDS)
    tab.goto(play.elsewhere)
    play.set_state("up")
    tab.goto(play.address)


def left_at_once(play: Play, captures: Sequence[str]) -> None:
    """The service is down, and the page saves and leaves in one task."""
    tab = play.open()
    play.set_state("down")
    play.settle(tab)
    tab.soon(f"{play.save(captures)}; location.href = '{play.elsewhere}'")
    tab.eventually(
        f"location.href === '{play.elsewhere}' && document.readyState === 'complete'",
        "the other page",
    )
    play.set_state("up")
    tab.goto(play.address)


def killed(play: Play, captures: Sequence[str]) -> None:
    """The service is down, and the browser is killed at once after the save."""
    play.kill_after_saving(captures)
    play.set_state("up")
    play.look_again_after_the_kill()


def answer_lost(play: Play, captures: Sequence[str]) -> None:
    """The service stores what comes, and for a while its answers are lost."""
    _save_while("answers lost", play, captures)


def two_tabs(play: Play, captures: Sequence[str]) -> None:
    """The service is down, two tabs save, both are closed, and both are opened again later."""
    half = len(captures) // 2
    tabs = [play.open(), play.open()]
    play.set_state("down")
    for tab, part in zip(tabs, (captures[:half], captures[half:]), strict=True):
        tab.run(f"() => {{ {play.save(part)} }}")
    time.sleep(_OFF_SECONDS)
    for tab in tabs:
        play.close(tab)
    play.set_state("up")
    play.open()
    play.open()


SCENARIOS: dict[str, Callable[[Play, Sequence[str]], None]] = {
    "503, then healthy": unavailable,
    "down, tab closed, reopened": tab_closed,
    "down, navigate, return": navigated,
    "down, save and leave at once": left_at_once,
    "down, browser killed": killed,
    "stored, answer lost": answer_lost,
    "two tabs, down, reopened": two_tabs,
}
