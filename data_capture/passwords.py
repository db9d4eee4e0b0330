"""Passwords: how they are hashed, and how the older programs' hashes are checked."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from data_capture.problems import TOO_MANY, Problem

_SHA_256_IN_HEX = re.compile(r"[0-9a-fA-F]{64}")


class Verdict(Enum):
    """What checking a password found."""

    WRONG = "wrong"
    RIGHT = "right"
    RIGHT_BUT_OUTDATED = "right, and the hash is of a kind to be replaced"


class Passwords:
    """Hashes and checks passwords, a few at a time: each takes 19 MiB and some 20 ms of a core."""

    def __init__(self, patience_seconds: float) -> None:
        # The parameters of OWASP's Password Storage Cheat Sheet for Argon2id.
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._patience_seconds = patience_seconds
        self._turns = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._nobodys_hash = self._hasher.hash(secrets.token_hex())

    def hash(self, password: str) -> str:
        """An Argon2id hash in the PHC string format.

        Raises:
            Problem: 429, when too many are waiting for theirs.
        """
        with self._turn():
            return self._hasher.hash(password)

    def check(self, password: str, stored: str | None) -> Verdict:
        """Whether `password` is the one that `stored` was made of: Argon2id, or an older program's plain SHA-256 in hex.

        It takes as long when there is no hash, or one that is not Argon2id: time does not tell who has an account.

        Raises:
            Problem: 429, when too many are waiting for theirs.
        """
        is_argon2 = stored is not None and stored.startswith("$argon2id$")
        against = stored if is_argon2 and stored is not None else self._nobodys_hash
        with self._turn():
            try:
                self._hasher.verify(against, password)
            except (VerificationError, InvalidHashError):
                right = False
            else:
                right = is_argon2
        if stored is not None and _SHA_256_IN_HEX.fullmatch(stored):
            digest = hashlib.sha256(password.encode()).hexdigest()
            return Verdict.RIGHT_BUT_OUTDATED if hmac.compare_digest(digest, stored.lower()) else Verdict.WRONG
        if not right:
            return Verdict.WRONG
        return Verdict.RIGHT_BUT_OUTDATED if self._hasher.check_needs_rehash(against) else Verdict.RIGHT

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=self._patience_seconds):
            raise Problem(TOO_MANY, "Too many are signing up or logging in at this moment.", retry_after_seconds=1)
        try:
            yield
        finally:
            self._turns.release()
