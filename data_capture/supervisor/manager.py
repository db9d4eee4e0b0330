"""The startup manager: checks, starts both services, watches them, and stops them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from types import FrameType

from data_capture.server.logging import configure_logging
from data_capture.server.ports import is_reserved, find_listen_error
from data_capture.settings import FILE_PAGES, Settings, settings_from_command_line
from data_capture.store.sqlite.schema import DatabaseRefused, prepare, warn_of_other_readers
from data_capture.supervisor.service_process import SupervisedService
from data_capture.supervisor.services import CAPTURE, SERVICES, SIGNUP, Service, ask_health
from data_capture.web.read_access import exposing_settings

_FIRST_LOOK_SECONDS = 3.0
_SOMEONE_ELSES_START_SECONDS = 10.0
_LOOK_SECONDS = 0.1

_console_lock = threading.Lock()


def main() -> None:
    """Runs until SIGINT or SIGTERM; exit status 0 after a stop, 1 after a sentence that says why it could not start."""
    settings = settings_from_command_line(
        "manager", "Starts, watches and stops Enhanced Data Capture's two services."
    )
    stopping, hurry = _stop_on_signals()
    configure_logging("manager", settings)
    refusal = _what_stands_in_the_way(settings, stopping)
    if refusal is not None:
        print(refusal, file=sys.stderr, flush=True)
        sys.exit(1)
    sys.exit(_run(settings, stopping, hurry))


def _run(settings: Settings, stopping: threading.Event, hurry: threading.Event) -> int:
    supervised = [
        SupervisedService(service, settings, _say, stopping, hurry) for service in SERVICES
    ]
    for one in supervised:
        one.start()
    for one in supervised:
        one.decided.wait()
    failed = any(one.failed for one in supervised)
    if not failed and not stopping.is_set():
        _announce(settings, supervised)
        stopping.wait()
        _say("Stopping …")
    stopping.set()
    for one in supervised:
        one.join()
    _say("Stopped.")
    return 1 if failed else 0


def _stop_on_signals() -> tuple[threading.Event, threading.Event]:
    """The first signal sets the first event; a second one, of somebody who does not want to wait, sets the other."""
    stopping, hurry = threading.Event(), threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        (hurry if stopping.is_set() else stopping).set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as `nohup` leaves it
        signal.signal(signal.SIGHUP, stop)
    return stopping, hurry


def _what_stands_in_the_way(settings: Settings, stopping: threading.Event) -> str | None:
    """Why the services can't be started, in a sentence, or None."""
    if settings.capture_port == settings.signup_port:
        return (
            f"Both services were given port {settings.capture_port}. Choose another for one of them with --capture-port or "
            "EDC_CAPTURE_PORT, --signup-port or EDC_SIGNUP_PORT."
        )
    for service in SERVICES:
        refusal = _what_holds_the_port(service, settings, stopping)
        if refusal is not None:
            return refusal
    try:
        prepare(settings.database, settings.request_seconds)
    except DatabaseRefused as refused:
        return str(refused)
    warn_of_other_readers(settings.database)
    return None


def _what_holds_the_port(
    service: Service, settings: Settings, stopping: threading.Event
) -> str | None:
    port = service.port(settings)
    remedy = f"Choose another with --{service.name}-port or EDC_{service.name.upper()}_PORT"
    deadline = time.monotonic() + _SOMEONE_ELSES_START_SECONDS
    health = ask_health(service, settings, _FIRST_LOOK_SECONDS)
    while not health.spoke and is_reserved(settings.host, port):  # someone else is just starting it
        if time.monotonic() > deadline:
            return f"Port {port} is used by one of these services, which {health.says}. {remedy}, or stop that one."
        if stopping.wait(_LOOK_SECONDS):
            return None
        health = ask_health(service, settings, _FIRST_LOOK_SECONDS)
    if health.healthy and health.is_over(settings.database):
        return None
    used_by = f"Port {port} is used by a {service.name} service"
    if health.database is None and health.answering:
        return (
            f"{used_by} over another database, which it doesn't tell. {remedy}, or stop that one."
        )
    if health.database is None:
        reason = (
            "is taken by another program"
            if health.listening
            else find_listen_error(settings.host, port)
        )
        return (
            None
            if reason is None
            else f"Port {port} {reason}, so that the {service.name} service can't use it. {remedy}."
        )
    if not health.is_over(settings.database):
        return f"{used_by} over another database, {health.database}. {remedy}, or stop that one."
    return f"{used_by} that {health.says}. {remedy}, or stop that one."


def _announce(settings: Settings, supervised: list[SupervisedService]) -> None:
    """What a person needs."""
    lines = [
        "",
        "Enhanced Data Capture is running.",
        "",
        f"  Capture service   {CAPTURE.url(settings)}",
        f"  Signup service    {SIGNUP.url(settings)}",
        f"  Database          {settings.database}",
        f"  Log               {settings.log_file}",
        "",
        "Put this first in the <head> of each page:",
        "",
        f'  <script src="{CAPTURE.url(settings)}/frontend_data_capture_integration.js" crossorigin></script>',
        "",
        *_about_access(settings),
    ]
    for one in supervised:
        if one.adopted is not None:
            lines.append(
                f"The {one.service.name} service was running already; it is used, and goes on when this command stops."
            )
    _say("\n".join([*lines, "Ctrl-C stops it.", ""]))


def _about_access(settings: Settings) -> list[str]:
    """Lines on who reaches the services."""
    exposing = exposing_settings(settings)
    if exposing:
        lines = [
            f"Other machines can reach it ({', '.join(exposing)}): statistics and health details need the admin token."
        ]
    else:
        lines = [
            "It is for this machine alone. Before you put a proxy in front of it, set EDC_ALLOWED_ORIGINS",
            "and EDC_TRUSTED_PROXIES.",
        ]
    if FILE_PAGES in settings.allowed_origins:
        lines.append(
            "Pages opened from disk may send captures, and so may sandboxed frames of any website; neither can sign up."
        )
    return [*lines, ""]


def _say(text: str) -> None:
    """Prints for a person; a terminal or a pipe that is gone is no reason to stop."""
    with _console_lock, suppress(OSError):
        os.write(1, f"{text}\n".encode(errors="backslashreplace"))
