"""The mails that contain a link, and the limits on sending them."""

from __future__ import annotations

from urllib.parse import urlsplit

from data_capture.accounts.mail import ComposeMail, Mail, Outbox
from data_capture.accounts.verification_links import VALID_HOURS
from data_capture.capture.parse import Caller
from data_capture.limits.rates import MailRates, Rates
from data_capture.mail_url import can_be_mailed
from data_capture.problems import UNAVAILABLE, UNUSABLE_ACCOUNT, FieldError, Problem

# By then, a mail server that was down for a moment has accepted some mails.
_QUEUE_FULL_SECONDS = 30

_SIGN_UP_TEXT = """\
Someone, probably you, signed up with this email address at {host}.

To complete the sign-up, open this link within {hours} hours and choose a password:

{link}

If it was not you, ignore this mail. Without the link there is no account.
"""

_RECOVERY_TEXT = """\
Someone, probably you, asked for a new password for your account at {host}.

To choose one, open this link within {hours} hours:

{link}

If it was not you, ignore this mail. Your password does not change.
"""


class LinkMailer:
    """Compose and queue the mails, and limit the requests that cause them.

    Args:
        mail_url: the value of `EDC_MAIL_URL`.
        base_url: the public URL of the signup service.
        rates: limit log-ins and sign-ups.
    """

    def __init__(self, mail_url: str, base_url: str, rates: Rates) -> None:
        self._outbox = Outbox(mail_url)
        self._host = urlsplit(base_url).netloc
        self._rates = rates
        self._mail_rates = MailRates()

    def admit(self, email: str, caller: Caller) -> None:
        """Count a request that may cause a mail.

        Raises:
            Problem: 400 the address cannot get mails, 429 over a rate, 503 the queue is full.
        """
        if not can_be_mailed(email):
            error = FieldError("email", "is an address that can't get mails")
            raise Problem(UNUSABLE_ACCOUNT, f"The email {error.message}.", errors=[error])
        self._rates.take_login(email, caller.ip_address)
        self._mail_rates.take_caller(caller.ip_address)
        if self._outbox.is_full:
            raise queue_full_problem()

    def queue(self, email: str, compose: ComposeMail) -> bool:
        """Queue a mail; return False if the queue is full.

        The mail is counted when it is sent, so that requests that cause no mail use up no limit.
        """

        def compose_within_rate() -> Mail | None:
            mail = compose()
            if mail is None or not self._mail_rates.take_mailbox(email, mail.event):
                return None
            return mail

        return self._outbox.put(compose_within_rate)

    def compose_signup(self, email: str, link: str) -> Mail:
        """Compose the mail that completes a sign-up."""
        return self._compose("signup", email, "Complete your sign-up", _SIGN_UP_TEXT, link)

    def compose_recovery(self, email: str, link: str) -> Mail:
        """Compose the mail that recovers an account."""
        return self._compose("recovery", email, "Choose a new password", _RECOVERY_TEXT, link)

    def _compose(self, event: str, email: str, subject: str, text: str, link: str) -> Mail:
        content = text.format(host=self._host, hours=VALID_HOURS, link=link)
        return Mail(email, subject, content, link, event)


def queue_full_problem() -> Problem:
    """Return the Problem for a request whose mail cannot be queued."""
    return Problem(
        UNAVAILABLE,
        "The service cannot send mails now. Try again soon.",
        retry_after_seconds=_QUEUE_FULL_SECONDS,
    )
