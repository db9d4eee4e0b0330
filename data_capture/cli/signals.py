"""End a command cleanly on Ctrl-C, SIGTERM and a closed terminal (SIGHUP)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal ends the command; `signal_number` says which one."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


@contextmanager
def raise_on_signals() -> Iterator[None]:
    """Raise `Interrupted` in the block when a signal ends the command.

    Further signals are ignored, so that they can't interrupt the cleaning up.
    """

    def interrupt(signal_number: int, _frame: FrameType | None) -> None:
        for each in _ENDING_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(signal_number)

    for each in _ENDING_SIGNALS:
        if signal.getsignal(each) != signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(each, interrupt)
    yield


@contextmanager
def block_signals() -> Iterator[None]:
    """Deliver signals only after the block, which must not be interrupted."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
