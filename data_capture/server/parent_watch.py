"""End a process when its parent or its database is gone.

Each process has the reading end of a pipe whose only writing end belongs to its parent. The kernel
closes that end with the parent.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from logging import Logger
from multiprocessing.connection import wait

from data_capture.store import Store

SUPERVISED_VARIABLE = "EDC_SUPERVISED_BY_STDIN"
"""The startup manager sets it for its services: the end of standard input means it has exited."""

_STOP_SECONDS = 7.5
# After the database is lost, waiting callers get their responses, and health has the reason.
_UNHEALTHY_SECONDS = 1.0


def is_supervised() -> bool:
    """Tell whether the startup manager started this process.

    Call it before `stop_with_manager`.
    """
    return os.environ.get(SUPERVISED_VARIABLE) == "1"


def stop_with_manager() -> None:
    """Stop this service gracefully when the startup manager has exited."""
    if os.environ.pop(SUPERVISED_VARIABLE, None) == "1":
        # A suspended manager (Ctrl-Z) does not read the log, which must not block its services.
        os.set_blocking(2, False)
        threading.Thread(target=_wait_for_manager, name="manager watch", daemon=True).start()


def _wait_for_manager() -> None:
    while os.read(0, 1):
        pass
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    signal.pthread_kill(main_thread, signal.SIGTERM)  # only the main thread handles signals
    time.sleep(_STOP_SECONDS)
    os.killpg(os.getpgid(0), signal.SIGKILL)  # the manager gave the service its own group


def exit_with_parent() -> None:
    """Exit this worker process at once when the service's main process has exited.

    Nothing could stop the worker any more, and the next start needs the port. Captures that it has
    not acknowledged are sent again.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def wait_for_parent() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=wait_for_parent, name="parent watch", daemon=True).start()


def exit_when_database_lost(store: Store, log: Logger) -> None:
    """Exit with status 1 soon after the database is lost.

    The service ends with its worker process.
    """

    def wait_for_loss() -> None:
        store.wait_for_loss()
        started_at = time.monotonic()
        try:
            store.abandon()
        finally:
            time.sleep(max(0.0, started_at + _UNHEALTHY_SECONDS - time.monotonic()))
            log.error("Ending, since the database was lost")
            os._exit(1)

    threading.Thread(target=wait_for_loss, name="database watch", daemon=True).start()
