"""Hash passwords, and check them against the hashes of a user's row."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import VerificationError

from data_capture.password_formats import Check, check_of, is_plain_sha_256
from data_capture.problems import TOO_MANY, Problem

log = logging.getLogger("data_capture.accounts")

# The parameters of OWASP's Password Storage Cheat Sheet for Argon2id.
_MEMORY_KIB, _PASSES, _LANES = 19 * 1024, 2, 1

# How long a request waits for its turn, in one of the service's threads. At most seven others are
# ahead of it, which takes about 0.1 s; longer if the hashes of another program are costly, or the
# machine is busy.
MAX_WAIT_SECONDS = 3.0
_MAX_WAITING = 16
# How long a request may have waited for a thread of the service, while all threads hash passwords.
# Later requests get 429 at once, so that the ones after them find a thread.
MAX_WAIT_FOR_THREAD_SECONDS = 0.5


class CheckResult(Enum):
    """The result of checking a password."""

    WRONG = "wrong"
    CORRECT = "correct"
    CORRECT_BUT_OUTDATED = "correct, and the hash is of a kind to replace"


def reject_late_request(queued_at: float | None) -> None:
    """Reject a request that waited too long for a thread.

    Passwords are hashed no faster than the processors allow.

    Args:
        queued_at: the time, of `time.monotonic`, since when the request waited; None if unknown.

    Raises:
        Problem: 429, to be sent again in a second.
    """
    if queued_at is not None and time.monotonic() - queued_at > MAX_WAIT_FOR_THREAD_SECONDS:
        raise _too_many_problem()


def normalise_password(password: str) -> str:
    """Return a password in NFC (RFC 8265 section 4.2.2).

    Systems send one key press as one character or as a letter with its accent.
    """
    return unicodedata.normalize("NFC", password)


def password_forms(password: str) -> tuple[str, ...]:
    """Return the normalised form of a password, and the other one that may have been hashed.

    The number of forms depends on the password alone, not on the account.
    """
    normalised = normalise_password(password)
    other = password if password != normalised else unicodedata.normalize("NFD", password)
    return (normalised,) if other == normalised else (normalised, other)


class Passwords:
    """Hash and check passwords, a few at a time.

    Each takes 19 MiB and some 20 ms of a core.
    """

    def __init__(self) -> None:
        self._hasher = PasswordHasher(
            time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES
        )
        self._turns = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._places = threading.BoundedSemaphore((os.cpu_count() or 1) + _MAX_WAITING)
        self._dummy_hash = self._hasher.hash(secrets.token_hex())
        self._has_warned_of_unknown_format = False

    def hash(self, password: str) -> str:
        """Return an Argon2id hash of a password, normalised, in the PHC string format.

        Raises:
            Problem: 429, too many others are waiting.
        """
        with self._take_turn():
            return self._hasher.hash(normalise_password(password))

    def check(self, password: str, stored: Sequence[str | None]) -> CheckResult:
        """Check a password against all stored hashes; it must match every one of them.

        A hash of an unknown format makes the password wrong. The check takes as long without a
        hash, with an unknown format and with a plain SHA-256 as with an Argon2id hash of this
        product, so that its time does not reveal who has an account. The formats of other programs
        take their own time. A password with letters that have two forms is checked in both, because
        earlier versions and other programs hash it as it was typed.

        Raises:
            Problem: 429, too many others are waiting.
        """
        hashes = [(one or "").strip() for one in stored]
        checks = [check for one in hashes if (check := check_of(one)) is not None]
        is_unknown = len(checks) < len(hashes)
        if is_unknown:
            self._warn_of_unknown_format()
        needs_dummy = not checks or is_unknown or any(map(is_plain_sha_256, hashes))
        is_correct = False
        with self._take_turn():
            for form in password_forms(password):
                if needs_dummy:
                    self._check_dummy_hash(form)
                is_correct = bool(checks) and not is_unknown and _all_match(checks, form)
                if is_correct:
                    break
        if not is_correct:
            return CheckResult.WRONG
        if all(_is_outdated(one or "") for one in stored):
            return CheckResult.CORRECT_BUT_OUTDATED
        return CheckResult.CORRECT

    def _check_dummy_hash(self, password: str) -> None:
        """Spend the time of checking an Argon2id hash."""
        with suppress(VerificationError):
            self._hasher.verify(self._dummy_hash, password)

    def _warn_of_unknown_format(self) -> None:
        if not self._has_warned_of_unknown_format:
            self._has_warned_of_unknown_format = True
            log.warning(
                "An account's password has a format that can't be checked, so that its log-ins are "
                "rejected. python3 -m data_capture set-password sets a new password. This warning "
                "appears only once."
            )

    @contextmanager
    def _take_turn(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise _too_many_problem()
        try:
            if not self._turns.acquire(timeout=MAX_WAIT_SECONDS):
                raise _too_many_problem()
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._places.release()


def _too_many_problem() -> Problem:
    return Problem(
        TOO_MANY,
        "Too many users are signing up or logging in now. Try again in a second.",
        retry_after_seconds=1,
    )


def _all_match(checks: Sequence[Check], password: str) -> bool:
    # Every check runs, so that the time does not reveal which one failed.
    results = [check(password) for check in checks]
    return all(results)


def _is_outdated(stored: str) -> bool:
    """Tell whether a hash is a plain SHA-256, or a weaker Argon2id than ours.

    Hashes of other kinds may be needed by other programs, and are never replaced.
    """
    if is_plain_sha_256(stored):
        return True
    if not stored.startswith("$argon2id$"):
        return False
    given = extract_parameters(stored)
    parameters = (given.memory_cost, given.time_cost, given.parallelism)
    ours = (_MEMORY_KIB, _PASSES, _LANES)
    is_weaker = all(one <= other for one, other in zip(parameters, ours, strict=True))
    return given.type is Type.ID and is_weaker and parameters != ours
