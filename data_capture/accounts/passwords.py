"""Passwords: how they are hashed, and how the hashes of a user's row are checked."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import VerificationError

from data_capture.password_formats import Check, check_of, is_plain_sha_256
from data_capture.problems import TOO_MANY, Problem

log = logging.getLogger("data_capture.accounts.accounts")

# The parameters of OWASP's Password Storage Cheat Sheet for Argon2id.
_MEMORY_KIB, _PASSES, _LANES = 19 * 1024, 2, 1

# How long a request waits for its turn, with one of the service's threads. Before it are seven others at most, which is
# some 0.1 s; longer only where another program's hashes are costly, or the machine is busy with other things.
MAX_WAIT_SECONDS = 3.0
_MAX_WAITING = 16
# How long a request may have waited for one of the service's threads: they all are with requests that hash. Later ones
# are answered 429 at once, so that whoever comes after them finds a thread.
MAX_WAIT_FOR_THREAD_SECONDS = 0.5


class Verdict(Enum):
    """What checking a password found."""

    WRONG = "wrong"
    RIGHT = "right"
    RIGHT_BUT_OUTDATED = "right, and the hash is of a kind to be replaced"


def refuse_after_waiting(complete_at: float | None) -> None:
    """Refuses a request that has waited for long already: passwords are hashed no faster than the processors can.

    Args:
        complete_at: when all of the request had arrived, of `time.monotonic`; None where that is not known.

    Raises:
        Problem: 429, to come again in a second.
    """
    if complete_at is not None and time.monotonic() - complete_at > MAX_WAIT_FOR_THREAD_SECONDS:
        raise _too_many()


class Passwords:
    """Hashes and checks passwords, a few at a time: each takes 19 MiB and some 20 ms of a core."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(
            time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES
        )
        self._turns = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._places = threading.BoundedSemaphore((os.cpu_count() or 1) + _MAX_WAITING)
        self._nobodys_hash = self._hasher.hash(secrets.token_hex())
        self._has_told_of_unknown_format = False

    def hash(self, password: str) -> str:
        """An Argon2id hash in the PHC string format.

        Raises:
            Problem: 429, when too many are waiting for theirs.
        """
        with self._turn():
            return self._hasher.hash(password)

    def check(self, password: str, stored: Sequence[str | None]) -> Verdict:
        """Whether `password` is the one that all of `stored` were made of; one that can't be checked refuses.

        It takes as long when there is none, when one can't be checked, and for a plain SHA-256, as for an Argon2id hash of
        this product's: time does not tell who has an account. Another program's format takes its own time.

        Raises:
            Problem: 429, when too many are waiting for theirs.
        """
        checks = [check for one in stored if (check := check_of((one or "").strip())) is not None]
        is_unknown = len(checks) < len(stored)
        if is_unknown:
            self._tell_of_unknown_format()
        with self._turn():
            if (
                not checks
                or is_unknown
                or any(is_plain_sha_256((one or "").strip()) for one in stored)
            ):
                self._spend_a_hash(password)
            right = bool(checks) and not is_unknown and _agree(checks, password)
        if not right:
            return Verdict.WRONG
        return (
            Verdict.RIGHT_BUT_OUTDATED
            if all(_is_outdated(one or "") for one in stored)
            else Verdict.RIGHT
        )

    def _spend_a_hash(self, password: str) -> None:
        with suppress(VerificationError):
            self._hasher.verify(self._nobodys_hash, password)

    def _tell_of_unknown_format(self) -> None:
        if not self._has_told_of_unknown_format:
            self._has_told_of_unknown_format = True
            log.warning(
                "An account's password is kept in a format that can't be checked, so that its log-in is refused; "
                "python3 -m data_capture set-password gives it another. This is said once."
            )

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise _too_many()
        try:
            if not self._turns.acquire(timeout=MAX_WAIT_SECONDS):
                raise _too_many()
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._places.release()


def _too_many() -> Problem:
    return Problem(
        TOO_MANY, "Too many are signing up or logging in at this moment.", retry_after_seconds=1
    )


def _agree(checks: Sequence[Check], password: str) -> bool:
    verdicts = [
        check(password) for check in checks
    ]  # all of them, so that time does not tell which
    return all(verdicts)


def _is_outdated(stored: str) -> bool:
    """Whether a hash is a plain SHA-256, or Argon2id with weaker parameters than today's; no other is ours to replace."""
    if is_plain_sha_256(stored):
        return True
    if not stored.startswith("$argon2id$"):
        return False
    known = extract_parameters(stored)
    ours = (known.memory_cost, known.time_cost, known.parallelism)
    is_weaker = (
        known.memory_cost <= _MEMORY_KIB
        and known.time_cost <= _PASSES
        and known.parallelism <= _LANES
    )
    return known.type is Type.ID and is_weaker and ours != (_MEMORY_KIB, _PASSES, _LANES)
