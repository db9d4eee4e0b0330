"""How often a caller may call and a person may be captured, logged in to or signed up; what is more is answered 429.

The rates are written and counted as flask-limiter does it, with its engine, `limits`: fixed windows, of which each begins
at the first request that counts in it. They are kept in the memory of the process that serves.
"""

from __future__ import annotations

import math
import time
import unicodedata
from functools import lru_cache

from limits import RateLimitItem, parse_many
from limits.strategies import FixedWindowRateLimiter

from data_capture.limits.callers import caller_of, is_loopback
from data_capture.limits.known_callers import KnownCallers
from data_capture.limits.windows import Windows
from data_capture.mail_url import ascii_domain
from data_capture.problems import TOO_MANY, Problem
from data_capture.settings import Settings, byte_rates

# Of one caller with one address, and of all callers together: what strangers do must not shut the owner out.
MAX_FAILED_LOGINS = "20/15 minute"  # a user needs a handful
MAX_FAILED_LOGINS_OF_ALL = "200/15 minute"
ALL_CALLERS = 10  # how many times EDC_LOGIN_RATE all callers together have with one address

_LOCAL = "local"  # what callers on this machine are counted under, where they are counted

_MAX_MAILS_TO_ADDRESS = "5/hour"  # of each kind: who deletes the first link by mistake gets another
_MAX_MAILS_TO_MAILBOX = "20/hour"  # by all of its addresses together; a flood is not worth sending
_DOTLESS_HOSTS = frozenset({"gmail.com", "googlemail.com"})
_MAX_MAILS_OF_CALLER = (
    "60/hour"  # an office or a school behind one address; a list of strangers' addresses takes days
)


class Rates:
    """The rates that are not Flask's to count: those of captures, which may not even reach it, and of email addresses."""

    def __init__(self, settings: Settings) -> None:
        self._callers = _Counter(
            settings.rate_per_caller, "This caller sends too much; wait and send it again."
        )
        self._users = _Counter(
            settings.rate_per_person,
            "This caller sends too much about this user; wait and send it again.",
        )
        self._bytes = _Counter(
            byte_rates(settings.bytes_per_caller),
            "This caller sends too many bytes; wait and send it again.",
        )
        self._new_users = _Counter(
            settings.new_users_per_caller,
            "This caller sends too many users that are not known yet; wait and send it again.",
        )
        too_often = (
            "Too many have tried to log in or to sign up with this address; try again later."
        )
        self._logins = _Counter(settings.login_rate, too_often)
        self._logins_of_all = _Counter(settings.login_rate, too_often, times=ALL_CALLERS)
        self._failed_logins = _Counter(MAX_FAILED_LOGINS, too_often)
        self._failed_logins_of_all = _Counter(MAX_FAILED_LOGINS_OF_ALL, too_often)
        self._known_callers = KnownCallers()

    def take(self, caller_address: str | None, user: str | None = None) -> None:
        """Counts one capture of `caller_address`, and of `person` when it is known whose it is.

        Args:
            caller_address: as `RequestGuard.caller_address` has it; None, or an address of this machine's, is not counted.
            person: an email address in its one spelling.

        Raises:
            Problem: 429, for the first of both that is over its rate.
        """
        caller = counted_as(caller_address)
        if caller is None:
            return
        self._callers.take(caller)
        if user is not None:
            self._users.take(f"{caller} {user}")

    def take_bytes(self, caller_address: str | None, size_bytes: int) -> None:
        """Count the body of one request, of which the caller has been counted already.

        Raises:
            Problem: 429, over `EDC_BYTES_PER_CALLER`.
        """
        caller = counted_as(caller_address)
        if caller is not None and size_bytes:
            self._bytes.take(caller, size_bytes)

    def take_new_user(self, caller_address: str | None) -> None:
        """Count one user who is about to be added to the database.

        Raises:
            Problem: 429, over `EDC_NEW_USERS_PER_CALLER`.
        """
        caller = counted_as(caller_address)
        if caller is not None:
            self._new_users.take(caller)

    def take_user(self, caller_address: str | None, user: str) -> None:
        """Counts one capture of `person` from this caller, where `take` has counted the caller already.

        The rate is one of both: what others send of a user, forged or not, takes nothing from the user's own pages.

        Raises:
            Problem: 429, over the rate of this user from this caller.
        """
        caller = counted_as(caller_address)
        if caller is not None:
            self._users.take(f"{caller} {user}")

    def take_login(self, email: str, caller_address: str | None = None) -> None:
        """Counts one try of a caller to log in or to sign up with an address, whether or not it has an account.

        All callers together have a higher rate. It does not hold for one that has logged in to the account before.

        Args:
            email: the address, in its one spelling.
            caller_address: as `Doors.caller_address` has it; those of this machine are one caller.

        Raises:
            Problem: 429, over `EDC_LOGIN_RATE`.
        """
        caller = counted_as(caller_address) or _LOCAL
        self._logins.take(f"{caller} {email}")
        if not self._known_callers.has(caller, email):
            self._logins_of_all.take(email)

    def refuse_after_failures(self, email: str, caller_address: str | None = None) -> None:
        """Refuses a caller that comes after too many failures of its own, or of all, known address or not.

        Raises:
            Problem: 429, for a quarter of an hour after the first of them.
        """
        caller = counted_as(caller_address) or _LOCAL
        self._failed_logins.look(f"{caller} {email}")
        if not self._known_callers.has(caller, email):
            self._failed_logins_of_all.look(email)

    def note_failure(self, email: str, caller_address: str | None = None) -> None:
        """Counts one failed login."""
        self._failed_logins.count(f"{counted_as(caller_address) or _LOCAL} {email}")
        self._failed_logins_of_all.count(email)

    def note_success(self, email: str, caller_address: str | None = None) -> None:
        """Notes that a caller has logged in: the failures of others don't shut it out any more."""
        self._known_callers.add(counted_as(caller_address) or _LOCAL, email)


class MailRates:
    """How many mails strangers can cause: to one mailbox, so that it can't be flooded, and each caller altogether."""

    def __init__(self) -> None:
        self._callers = _Counter(
            _MAX_MAILS_OF_CALLER, "This caller has caused too many mails; try again later."
        )
        self._addresses = _Counter(_MAX_MAILS_TO_ADDRESS, "")
        self._mailboxes = _Counter(_MAX_MAILS_TO_MAILBOX, "")

    def take_caller(self, caller_address: str | None) -> None:
        """Count one mail that a caller may cause, whether or not it is sent.

        Raises:
            Problem: 429, over the rate.
        """
        caller = counted_as(caller_address)
        if caller is not None:
            self._callers.take(caller)

    def take_mailbox(self, email: str, event: str) -> bool:
        """Count one mail that is about to be sent, whoever caused it; False over a rate.

        Args:
            email: the address, normalised.
            event: what the mail is for. Mails of one kind keep none of another back.
        """
        return self._addresses.try_take(f"{event} {email}") and self._mailboxes.try_take(
            _mailbox_of(email)
        )


def _mailbox_of(email: str) -> str:
    """The mailbox that an address is delivered to by most servers: a+b@ is a@ (RFC 5233), and Gmail reads no dots."""
    local_part, _, domain = unicodedata.normalize("NFKC", email).rpartition("@")
    name, host = local_part.partition("+")[0], ascii_domain(domain)
    return f"{name.replace('.', '') if host in _DOTLESS_HOSTS else name}@{host}"


@lru_cache(maxsize=4096)
def counted_as(address: str | None) -> str | None:
    """What a caller is counted under; None for one that is not counted."""
    return None if address is None or is_loopback(address) else caller_of(address)


def seconds_until(moment: float) -> int:
    """Return the whole seconds from now until a time of `time.time()`, for `Retry-After`."""
    return max(1, math.ceil(moment - time.time()))


class _Counter:
    """One setting's rates, all of which have to be kept; each counter has windows of its own."""

    def __init__(self, rates: str, refusal: str, *, times: int = 1) -> None:
        written: list[RateLimitItem] = parse_many(rates) if rates else []
        self._rates = [type(rate)(rate.amount * times, rate.multiples) for rate in written]
        self._windows = FixedWindowRateLimiter(Windows())
        self._refusal = refusal

    def take(self, key: str, amount: int = 1) -> None:
        for rate in self._rates:
            if not self._windows.hit(rate, key, cost=amount):
                self._refuse(rate, key)

    def try_take(self, key: str) -> bool:
        return all(self._windows.hit(rate, key) for rate in self._rates)

    def count(self, key: str) -> None:
        for rate in self._rates:
            self._windows.hit(rate, key)

    def look(self, key: str) -> None:
        for rate in self._rates:
            if not self._windows.test(rate, key):
                self._refuse(rate, key)

    def _refuse(self, rate: RateLimitItem, key: str) -> None:
        ends_at = self._windows.get_window_stats(rate, key).reset_time
        raise Problem(TOO_MANY, self._refusal, retry_after_seconds=seconds_until(ends_at))
