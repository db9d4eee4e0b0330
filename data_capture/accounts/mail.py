"""Send mails to the mail server or the hook of `EDC_MAIL_URL`, in a thread.

A request only puts its mail into a bounded queue, so that a slow mail server delays no response.
Mails in the queue are lost when the service stops: a user who misses a link asks for another one.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import smtplib
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import localtime, make_msgid
from http import HTTPStatus

import requests

from data_capture.mail_url import MailHook, MailServer, ascii_domain, parse_mail_url

log = logging.getLogger("data_capture.accounts.mail")

MAX_WAITING = 200
"""The size of the queue, about 1 MB. If it is full, the mail server accepts no mails."""

_TIMEOUT_SECONDS = 10.0  # for each step of an SMTP dialogue, and for the hook's response
_CONNECT_SECONDS = 5.0
# Servers with greylisting require a few minutes (RFC 6647 section 2.1).
_RETRY_DELAYS_SECONDS = (1.0, 10.0, 60.0, 300.0)


@dataclass(frozen=True)
class Mail:
    """A mail with a link. Only the link contains data that a stranger may have sent."""

    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    link: str = field(repr=False)
    event: str
    """Its purpose, for the hook: `signup` or `recovery`."""


ComposeMail = Callable[[], "Mail | None"]
"""Composes a mail in the thread that sends it; returns None to send none."""


class DeliveryError(Exception):
    """A mail was not accepted; the text says why, without addresses or secrets.

    Args:
        reason: the text.
        is_final: whether another attempt would fail, too.
    """

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


@dataclass(order=True)
class _Attempt:
    due_at: float
    number: int
    compose: ComposeMail = field(compare=False)
    failures: int = field(default=0, compare=False)


class Outbox:
    """The queue of mails, and the thread that sends them.

    Args:
        mail_url: the value of `EDC_MAIL_URL`.

    Raises:
        ValueError: `mail_url` is invalid.
    """

    def __init__(self, mail_url: str) -> None:
        self._target = parse_mail_url(mail_url)
        self._waiting: list[_Attempt] = []
        self._numbers = itertools.count()
        self._sending = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._send_all, name="mail", daemon=True).start()

    @property
    def is_full(self) -> bool:
        """Whether the queue accepts no more mails now."""
        with self._changed:
            return self._is_full()

    def put(self, compose: ComposeMail) -> bool:
        """Queue a mail; return False if the queue is full."""
        with self._changed:
            if self._is_full():
                return False
            self._push(_Attempt(time.monotonic(), next(self._numbers), compose))
            return True

    def _is_full(self) -> bool:
        return len(self._waiting) + self._sending >= MAX_WAITING

    def _push(self, attempt: _Attempt) -> None:
        heapq.heappush(self._waiting, attempt)
        self._changed.notify()

    def _send_all(self) -> None:
        while True:
            attempt = self._wait_for_next()
            failed = self._attempt_delivery(attempt)
            with self._changed:
                self._sending = 0
                if failed is not None:
                    self._push(failed)

    def _wait_for_next(self) -> _Attempt:
        """Wait until a mail is due, and return it."""
        with self._changed:
            while not self._waiting or self._waiting[0].due_at > time.monotonic():
                self._changed.wait(
                    self._waiting[0].due_at - time.monotonic() if self._waiting else None
                )
            self._sending = 1
            return heapq.heappop(self._waiting)

    def _attempt_delivery(self, attempt: _Attempt) -> _Attempt | None:
        """Send a mail.

        Returns:
            The next attempt, if this one failed and is not the last.
        """
        try:
            mail = attempt.compose()
            if mail is not None:
                send(mail, self._target)
        except DeliveryError as failure:
            if not failure.is_final and attempt.failures < len(_RETRY_DELAYS_SECONDS):
                due_at = time.monotonic() + _RETRY_DELAYS_SECONDS[attempt.failures]
                compose: ComposeMail = (lambda: mail) if mail is not None else attempt.compose
                return _Attempt(due_at, next(self._numbers), compose, attempt.failures + 1)
            log.error("A mail was not sent: %s (EDC_MAIL_URL)", failure)
        except Exception as error:  # noqa: BLE001  (the thread must continue)
            # Only the type, because the text may contain an address.
            log.error("A mail was not sent: %s", type(error).__name__)
        return None


def send(mail: Mail, target: MailServer | MailHook) -> None:
    """Send a mail.

    Raises:
        DeliveryError: it was not accepted.
    """
    if isinstance(target, MailHook):
        _send_to_hook(mail, target)
    else:
        _send_to_server(mail, target)


def _send_to_hook(mail: Mail, hook: MailHook) -> None:
    content = {
        "to": mail.to,
        "subject": mail.subject,
        "text": mail.text,
        "link": mail.link,
        "event": mail.event,
    }
    with requests.Session() as session:
        # A proxy of the environment must not get a mail for this machine.
        session.trust_env = not hook.is_local
        try:
            response = session.post(
                hook.url,
                json=content,
                timeout=(_CONNECT_SECONDS, _TIMEOUT_SECONDS),
                allow_redirects=False,
                stream=True,
            )
            response.close()  # its body is not read
        except requests.RequestException as error:
            raise DeliveryError(f"the hook can't be reached ({type(error).__name__})") from None
    if not HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
        raise DeliveryError(f"the hook responded with {response.status_code}")


def _send_to_server(mail: Mail, server: MailServer) -> None:
    try:
        client = _connect(server)
        try:
            if server.user:
                client.login(server.user, server.password)
            client.send_message(
                _build_message(mail, server.sender), server.sender, [_envelope_address(mail.to)]
            )
            with suppress(OSError, smtplib.SMTPException):
                client.quit()
        finally:
            client.close()
    except smtplib.SMTPRecipientsRefused as error:
        codes = {code for code, _ in error.recipients.values()}
        raise DeliveryError(
            f"the mail server rejected the recipient ({codes})", is_final=min(codes) >= 500
        ) from None
    except smtplib.SMTPResponseException as error:
        raise DeliveryError(
            f"the mail server responded with {error.smtp_code} ({type(error).__name__})"
        ) from None
    except smtplib.SMTPNotSupportedError as error:
        raise DeliveryError(
            f"the mail server lacks a needed feature: {error}", is_final=True
        ) from None
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryError(f"the mail server can't be used ({type(error).__name__})") from None


def _connect(server: MailServer) -> smtplib.SMTP:
    """Connect, with encryption if the server supports it.

    Credentials are never sent without encryption.

    Raises:
        SMTPNotSupportedError: there are credentials, but the server has no STARTTLS.
    """
    context = ssl.create_default_context()
    if server.is_tls:
        return smtplib.SMTP_SSL(server.host, server.port, timeout=_TIMEOUT_SECONDS, context=context)
    client = smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT_SECONDS)
    try:
        client.ehlo_or_helo_if_needed()
        # A mail server on this machine often has a self-signed certificate, and the connection to
        # it cannot be intercepted.
        if server.user or (client.has_extn("starttls") and not server.is_local):
            client.starttls(context=context)
    except BaseException:
        client.close()
        raise
    return client


def _build_message(mail: Mail, sender: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP_POLICY)
    local_part, _, domain = mail.to.rpartition("@")
    message["From"] = sender
    message["To"] = Address(username=local_part, domain=ascii_domain(domain))
    message["Subject"] = mail.subject
    message["Date"] = localtime()
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies
    message.set_content(mail.text)
    return message


def _envelope_address(email: str) -> str:
    local_part, _, domain = email.rpartition("@")
    return f"{local_part}@{ascii_domain(domain)}"
