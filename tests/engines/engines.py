"""The three engines: how each is started, and what is missing where one can't be."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from tests.engines import chromium, firefox, webkit
from tests.engines.browser import Browser

ASKED_FOR = "EDC_ENGINES"


@dataclass(frozen=True)
class Engine:
    """One engine.

    Attributes:
        missing: says what has to be installed; an empty text when nothing has.
        start: takes a profile folder, and whether the window is `private`.
    """

    name: str
    missing: Callable[[], str]
    start: Callable[..., Browser]


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("chromium", chromium.missing, chromium.Chromium),
        Engine("firefox", firefox.missing, firefox.Firefox),
        Engine("webkit", webkit.missing, webkit.WebKit),
    )
}


def asked_for() -> list[Engine]:
    """The engines that this run is about: those in EDC_ENGINES, else Chromium alone."""
    return [ENGINES[name] for name in os.environ.get(ASKED_FOR, "chromium").split(",")]
