"""No process of ours outlives the one that started it, however that one ends, SIGKILL included.

Each holds the reading end of a pipe whose only writing end is held by its parent: the kernel closes it with the parent.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.connection import wait

SUPERVISED_VARIABLE = "EDC_SUPERVISED_BY_STDIN"
"""Set by the startup manager for the services that it starts: the end of standard input means that it is gone."""

_GRACE_SECONDS = 7.5


def end_with_manager() -> None:
    """Ends this service gracefully when the startup manager that started it is gone; does nothing without one."""
    if os.environ.pop(SUPERVISED_VARIABLE, None) == "1":
        os.set_blocking(2, False)  # a manager that is suspended (Ctrl-Z) reads no log, which must not suspend its services
        threading.Thread(target=_wait_for_manager, name="lifeline", daemon=True).start()


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
