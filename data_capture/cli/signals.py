"""Ctrl-C, SIGTERM and a closed terminal end a command by an exception, so that it cleans up after itself."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """The command was told to end; `signal_number` says by what."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


@contextmanager
def interruptible() -> Iterator[None]:
    """For the block, a signal that ends the command raises `Interrupted`; a second one does not disturb the cleaning up."""

    def interrupt(signal_number: int, _frame: FrameType | None) -> None:
        for each in _ENDING_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(signal_number)

    for each in _ENDING_SIGNALS:
        if signal.getsignal(each) != signal.SIG_IGN:  # nohup goes on without its terminal
            signal.signal(each, interrupt)
    yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Puts signals off until the block is through: for the moments in which stopping half-way would need explaining."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
