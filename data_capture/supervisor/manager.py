"""The startup manager: check, start both services, watch them, and stop them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType

from data_capture.server.logging import configure_logging
from data_capture.setting_types import FILE_PAGES
from data_capture.settings import Settings, settings_from_command_line
from data_capture.supervisor.services import CAPTURE, SERVICES, SIGNUP
from data_capture.supervisor.startup_checks import find_startup_error
from data_capture.supervisor.supervised_service import SupervisedService
from data_capture.web.read_access import exposing_settings

_console_lock = threading.Lock()


def main() -> None:
    """Run the services until SIGINT or SIGTERM.

    Raises:
        SystemExit: status 0 after a stop; 1 if the services could not start, after a sentence that
            says why.
    """
    settings = settings_from_command_line(
        "manager", "Starts, watches and stops Enhanced Data Capture's two services."
    )
    stopping, stop_now = _handle_stop_signals()
    configure_logging("manager", settings)
    error = find_startup_error(settings, stopping)
    if error is not None:
        print(error, file=sys.stderr, flush=True)
        sys.exit(1)
    sys.exit(_run(settings, stopping, stop_now))


def _run(settings: Settings, stopping: threading.Event, stop_now: threading.Event) -> int:
    """Run the services until `stopping` is set, and return the exit status."""
    supervised = [
        SupervisedService(service, settings, _print, stopping, stop_now) for service in SERVICES
    ]
    for one in supervised:
        one.start()
    for one in supervised:
        one.is_decided.wait()
    has_failed = any(one.has_failed for one in supervised)
    if not has_failed and not stopping.is_set():
        _print_summary(settings, supervised)
        stopping.wait()
        _print("Stopping …")
    stopping.set()
    for one in supervised:
        one.join()
    _print("Stopped.")
    return 1 if has_failed else 0


def _handle_stop_signals() -> tuple[threading.Event, threading.Event]:
    """Return two events: the first signal sets the first, a second one the other."""
    stopping, stop_now = threading.Event(), threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        (stop_now if stopping.is_set() else stopping).set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # `nohup` ignores it
        signal.signal(signal.SIGHUP, stop)
    return stopping, stop_now


def _print_summary(settings: Settings, supervised: list[SupervisedService]) -> None:
    url = CAPTURE.url(settings)
    script = f'<script src="{url}/frontend_data_capture_integration.js" crossorigin></script>'
    lines = [
        "",
        "Enhanced Data Capture is running.",
        "",
        f"  Capture service   {url}",
        f"  Signup service    {SIGNUP.url(settings)}",
        f"  Database          {settings.database}",
        f"  Log               {settings.log_file}",
        "",
        "Put this first in the <head> of each page:",
        "",
        f"  {script}",
        "",
        *_describe_access(settings),
        *(
            f"The {one.service.name} service was running already. This command uses it, and does "
            "not stop it."
            for one in supervised
            if one.uses_running_service
        ),
        "Ctrl-C stops it.",
        "",
    ]
    _print("\n".join(lines))


def _describe_access(settings: Settings) -> list[str]:
    """Return lines about who can reach the services."""
    exposing = exposing_settings(settings)
    if exposing:
        lines = [
            f"Other machines can reach it ({', '.join(exposing)}): statistics and health details "
            "need the admin token."
        ]
    else:
        lines = [
            "It is for this machine alone. Before you put a proxy in front of it, set "
            "EDC_ALLOWED_ORIGINS",
            "and EDC_TRUSTED_PROXIES.",
        ]
    if FILE_PAGES in settings.allowed_origins:
        lines.append(
            "Pages opened from disk may send captures, and so may sandboxed frames of any website; "
            "neither can sign up."
        )
    return [*lines, ""]


def _print(text: str) -> None:
    """Print; continue if the terminal or the pipe is gone."""
    with _console_lock, suppress(OSError):
        os.write(1, f"{text}\n".encode(errors="backslashreplace"))
