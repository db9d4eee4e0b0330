"""No process of ours outlives the one that started it, however that one ends, SIGKILL included; nor its own database.

Each holds the reading end of a pipe whose only writing end is held by its parent: the kernel closes it with the parent.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from logging import Logger
from multiprocessing.connection import wait
from typing import Protocol

SUPERVISED_VARIABLE = "EDC_SUPERVISED_BY_STDIN"
"""Set by the startup manager for the services that it starts: the end of standard input means that it is gone."""

_GRACE_SECONDS = 7.5
_RED_SECONDS = 1.0  # who waits for an answer gets it, and health says why, before a service with a lost database ends


class Losable(Protocol):
    """What a service can't go on without, such as `store.Store`."""

    def wait_for_loss(self) -> None:
        """Returns when it is lost."""

    def abandon(self) -> None:
        """Called before the process ends."""


def is_supervised() -> bool:
    """Whether the startup manager started this process; asked before `end_with_manager`."""
    return os.environ.get(SUPERVISED_VARIABLE) == "1"


def end_with_manager() -> None:
    """Ends this service gracefully when the startup manager that started it is gone; does nothing without one."""
    if os.environ.pop(SUPERVISED_VARIABLE, None) == "1":
        os.set_blocking(
            2, False
        )  # a manager that is suspended (Ctrl-Z) reads no log, which must not suspend its services
        threading.Thread(target=_wait_for_manager, name="lifeline", daemon=True).start()


def end_with_loss(losable: Losable, log: Logger) -> None:
    """Ends this worker process, and with it its service with status 1, soon after `losable` is lost."""

    def wait_for_loss() -> None:
        losable.wait_for_loss()
        started_at = time.monotonic()
        try:
            losable.abandon()
        finally:
            time.sleep(max(0.0, started_at + _RED_SECONDS - time.monotonic()))
            log.error("Ending, since the database was lost")
            os._exit(1)

    threading.Thread(target=wait_for_loss, name="loss", daemon=True).start()


def _wait_for_manager() -> None:
    while os.read(0, 1):
        pass
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    signal.pthread_kill(main_thread, signal.SIGTERM)  # the thread that acts on it
    time.sleep(_GRACE_SECONDS)
    os.killpg(os.getpgid(0), signal.SIGKILL)  # the manager gave us a group of our own


def end_with_parent() -> None:
    """Ends this worker process at once when the service's main process is gone: nobody could stop it any more, and
    whoever starts the service again needs the port. What it had not acknowledged is sent again.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def wait_for_parent() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=wait_for_parent, name="lifeline", daemon=True).start()
