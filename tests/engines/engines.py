"""The three engines: how each one starts, and what it needs to be installed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from tests.engines import chromium, firefox, webkit
from tests.engines.browser import Browser

ENGINES_VARIABLE = "EDC_ENGINES"


@dataclass(frozen=True)
class Engine:
    """One engine.

    Attributes:
        missing: returns what has to be installed; an empty text if nothing has.
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


def requested_engines() -> list[Engine]:
    """Return the engines that EDC_ENGINES names; without it, Chromium alone."""
    return [ENGINES[name] for name in os.environ.get(ENGINES_VARIABLE, "chromium").split(",")]
