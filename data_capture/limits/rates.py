"""The rates of callers, users, logins and mails. A request over a rate gets 429.

Rates are written and counted as in flask-limiter, with its engine, `limits`: in fixed windows, each
of which begins with the first request that it counts. Counts are kept in the memory of the process.
"""

from __future__ import annotations

import math
import time
import unicodedata
from contextlib import suppress
from functools import lru_cache

from limits import RateLimitItem, parse_many
from limits.strategies import FixedWindowRateLimiter

from data_capture.limits.callers import caller_of, is_loopback
from data_capture.limits.known_callers import KnownCallers
from data_capture.limits.windows import Windows
from data_capture.mail_url import ascii_domain
from data_capture.problems import TOO_MANY, Problem
from data_capture.setting_types import to_plain_rates
from data_capture.settings import Settings

# Per email address: of one caller, and of all callers together. The failures of strangers must not
# lock the owner out.
MAX_FAILED_LOGINS = "20/15 minute"  # a user needs a handful
MAX_FAILED_LOGINS_OF_ALL = "200/15 minute"
ALL_CALLERS = 10
"""All callers together have this many times EDC_LOGIN_RATE with one email address."""

_LOCAL = "local"  # the key of callers on this machine, for rates that count them

# Per kind of mail. A user who deleted the first link by mistake gets another.
_MAX_MAILS_TO_ADDRESS = "5/hour"
_MAX_MAILS_TO_MAILBOX = "20/hour"  # through all its addresses together
_DOTLESS_HOSTS = frozenset({"gmail.com", "googlemail.com"})
# Enough for an office or a school behind one address; a list of strangers' addresses takes days.
_MAX_MAILS_OF_CALLER = "60/hour"


class Rates:
    """The rates that Flask does not count.

    Captures may not reach Flask, and flask-limiter knows no email addresses.
    """

    def __init__(self, settings: Settings) -> None:
        self._callers = _Counter(
            settings.rate_per_caller, "This caller sends too much; wait and send it again."
        )
        self._users = _Counter(
            settings.rate_per_person,
            "This caller sends too much about this user; wait and send it again.",
        )
        self._bytes = _Counter(
            to_plain_rates(settings.bytes_per_caller),
            "This caller sends too many bytes; wait and send it again.",
        )
        self._new_users = _Counter(
            settings.new_users_per_caller,
            "This caller sends too many users that are not known yet; wait and send it again.",
        )
        too_often = "There were too many attempts with this address; wait and try again."
        self._logins = _Counter(settings.login_rate, too_often)
        self._logins_of_all = _Counter(settings.login_rate, too_often, times=ALL_CALLERS)
        self._failed_logins = _Counter(MAX_FAILED_LOGINS, too_often)
        self._failed_logins_of_all = _Counter(MAX_FAILED_LOGINS_OF_ALL, too_often)
        self._known_callers = KnownCallers()

    def take(self, caller_address: str | None, user: str | None = None) -> None:
        """Count one capture of a caller, and of a user if the user is known already.

        Args:
            caller_address: from `RequestGuard.caller_address`; None and addresses of this machine
                are not counted.
            user: the user's email address, normalised.

        Raises:
            Problem: 429, if either is over its rate.
        """
        caller = counted_as(caller_address)
        if caller is None:
            return
        self._callers.take(caller)
        if user is not None:
            self._users.take(f"{caller} {user}")

    def take_bytes(self, caller_address: str | None, size_bytes: int) -> None:
        """Count the bytes of a request whose caller `take` has counted.

        Raises:
            Problem: 429, over `EDC_BYTES_PER_CALLER`.
        """
        caller = counted_as(caller_address)
        if caller is not None and size_bytes:
            self._bytes.take(caller, size_bytes)

    def count_bytes(self, caller_address: str | None, size_bytes: int) -> None:
        """Count bytes that were stored for a request; over the rate, the next one is rejected."""
        with suppress(Problem):
            self.take_bytes(caller_address, size_bytes)

    def take_new_user(self, caller_address: str | None) -> None:
        """Count one user that is about to be added to the database.

        Raises:
            Problem: 429, over `EDC_NEW_USERS_PER_CALLER`.
        """
        caller = counted_as(caller_address)
        if caller is not None:
            self._new_users.take(caller)

    def take_user(self, caller_address: str | None, user: str) -> None:
        """Count one capture of a user by a caller that `take` has counted.

        Each pair of caller and user has a rate of its own, so that other callers' captures of a
        user, forged or not, do not use up the rate of the user's own pages.

        Raises:
            Problem: 429, over `EDC_RATE_PER_PERSON`.
        """
        caller = counted_as(caller_address)
        if caller is not None:
            self._users.take(f"{caller} {user}")

    def take_login(self, email: str, caller_address: str | None = None) -> None:
        """Count one attempt to log in or sign up with an address.

        The address need not have an account. All callers together have a higher rate, which does
        not apply to a caller that has logged in to the account before.

        Args:
            email: the address, normalised.
            caller_address: from `RequestGuard.caller_address`; this machine is one caller.

        Raises:
            Problem: 429, over `EDC_LOGIN_RATE`.
        """
        caller = counted_as(caller_address) or _LOCAL
        self._logins.take(f"{caller} {email}")
        if not self._known_callers.has(caller, email):
            self._logins_of_all.take(email)

    def refuse_after_failures(self, email: str, caller_address: str | None = None) -> None:
        """Reject a login after too many failures of the caller, or of all callers.

        The failures of all callers do not count against a caller that has logged in before. An
        address without an account is treated in the same way.

        Raises:
            Problem: 429, until 15 minutes after the first of these failures.
        """
        caller = counted_as(caller_address) or _LOCAL
        self._failed_logins.check(f"{caller} {email}")
        if not self._known_callers.has(caller, email):
            self._failed_logins_of_all.check(email)

    def note_failure(self, email: str, caller_address: str | None = None) -> None:
        """Count one failed login."""
        self._failed_logins.count(f"{counted_as(caller_address) or _LOCAL} {email}")
        self._failed_logins_of_all.count(email)

    def note_success(self, email: str, caller_address: str | None = None) -> None:
        """Remember a caller that logged in: others' failures do not lock it out."""
        self._known_callers.add(counted_as(caller_address) or _LOCAL, email)


class MailRates:
    """The rates of mails that strangers can cause: to one mailbox, and by one caller."""

    def __init__(self) -> None:
        self._callers = _Counter(
            _MAX_MAILS_OF_CALLER, "This caller has caused too many mails; try again later."
        )
        self._addresses = _Counter(_MAX_MAILS_TO_ADDRESS, "")
        self._mailboxes = _Counter(_MAX_MAILS_TO_MAILBOX, "")

    def take_caller(self, caller_address: str | None) -> None:
        """Count one mail that a caller causes, whether or not it is sent.

        Raises:
            Problem: 429, over the rate.
        """
        caller = counted_as(caller_address)
        if caller is not None:
            self._callers.take(caller)

    def take_mailbox(self, email: str, event: str) -> bool:
        """Count one mail that is about to be sent; return False over a rate.

        Args:
            email: the address, normalised.
            event: the kind of mail. Each kind has a rate of its own per address.
        """
        return self._addresses.try_take(f"{event} {email}") and self._mailboxes.try_take(
            _mailbox_of(email)
        )


def _mailbox_of(email: str) -> str:
    """Return the mailbox of an address.

    On most servers, a+b@ is a@ (RFC 5233); Gmail ignores dots.
    """
    local_part, _, domain = unicodedata.normalize("NFKC", email).rpartition("@")
    name, host = local_part.partition("+")[0], ascii_domain(domain)
    return f"{name.replace('.', '') if host in _DOTLESS_HOSTS else name}@{host}"


# As for `caller_of`; each request needs the key several times.
@lru_cache(maxsize=4096)
def counted_as(address: str | None) -> str | None:
    """Return the key that counts a caller; None for a caller that is not counted."""
    return None if address is None or is_loopback(address) else caller_of(address)


def seconds_until(moment: float) -> int:
    """Return the whole seconds until a `time.time()`, at least 1, for `Retry-After`."""
    return max(1, math.ceil(moment - time.time()))


class _Counter:
    """Counts by key; a key must keep all rates of one setting."""

    def __init__(self, rates: str, detail: str, *, times: int = 1) -> None:
        parsed: list[RateLimitItem] = parse_many(rates) if rates else []
        self._rates = [type(rate)(rate.amount * times, rate.multiples) for rate in parsed]
        self._windows = FixedWindowRateLimiter(Windows())
        self._detail = detail

    def take(self, key: str, amount: int = 1) -> None:
        for rate in self._rates:
            if not self._windows.hit(rate, key, cost=amount):
                self._reject(rate, key)

    def try_take(self, key: str) -> bool:
        return all(self._windows.hit(rate, key) for rate in self._rates)

    def count(self, key: str) -> None:
        for rate in self._rates:
            self._windows.hit(rate, key)

    def check(self, key: str) -> None:
        for rate in self._rates:
            if not self._windows.test(rate, key):
                self._reject(rate, key)

    def _reject(self, rate: RateLimitItem, key: str) -> None:
        ends_at = self._windows.get_window_stats(rate, key).reset_time
        raise Problem(TOO_MANY, self._detail, retry_after_seconds=seconds_until(ends_at))
