"""Sign-ups that a mailbox confirms, and forgotten passwords.

With `EDC_MAIL_URL` set, a sign-up stores no password and makes no account. It sends a link to the
address. Whoever opens that link chooses the password, so that a stranger who signs up with someone
else's address gains nothing. The same link serves a forgotten password, and an account that a
stranger made before mail was set up.

    POST /api/auth/register ─┐
                             ├─> mail: link ─> GET /verify (a page) ─> POST /api/auth/verify
    POST /api/auth/recover  ─┘

Opening a link changes nothing, since mail scanners open links, too.
"""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from data_capture.accounts.accounts import (
    Accounts,
    SignUp,
    as_sent,
    complete_sign_up,
    questionnaire_of,
    read_email,
    read_new_password,
    read_sign_up,
    record_event,
    refuse_fields,
    refuse_taken,
)
from data_capture.accounts.mail import Compose, Mail, Outbox
from data_capture.accounts.verification_links import VALID_HOURS, Link, Links, void_link
from data_capture.capture.email import normalise_email
from data_capture.capture.parse import Caller, Capture
from data_capture.capture.snapshot import snapshot_of
from data_capture.capture.timestamps import timestamp
from data_capture.json_codec import JsonObject
from data_capture.limits.rates import MailRates
from data_capture.mail_url import can_be_mailed
from data_capture.problems import (
    ALREADY_EXISTS,
    NOT_ALLOWED,
    NOT_FOUND,
    UNAVAILABLE,
    UNUSABLE_ACCOUNT,
    FieldError,
    Problem,
)
from data_capture.redaction.redact import redact_with_paths
from data_capture.settings import Settings
from data_capture.store import Store
from data_capture.store.sqlite.captures import record_capture
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.sign_ups import SignUpDetails
from data_capture.store.sqlite.tombstones import find_erasure_times
from data_capture.store.sqlite.user_passwords import set_password_hash
from data_capture.store.sqlite.users import (
    UserRow,
    find_user,
    has_our_password,
)

_QUEUE_FULL_SECONDS = 30  # until a mail server that was away for a moment has taken some mails
_CHECK_MAIL = "Check your mail: the link in it completes the sign-up."
_IF_ACCOUNT = "If there is an account with this address, a mail with a link is on its way."

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

If it was not you, ignore this mail. Your password stays as it is.
"""


def own_origin(base_url: str) -> str:
    """Return the origin of the service's own pages, as browsers send it: without a default port."""
    url = urlsplit(base_url.lower())
    default_port = ":443" if url.scheme == "https" else ":80"
    return f"{url.scheme}://{url.netloc.removesuffix(default_port)}"


def mail_is_off() -> Problem:
    """Return the answer of the routes that need mail, where none is set up."""
    return Problem(NOT_FOUND, "This service sends no mail: EDC_MAIL_URL is not set.")


class Verification:
    """The sign-up by mail and the recovery of an account.

    Args:
        store: where the accounts are.
        settings: with a `mail_url`.
        accounts: the accounts of the same store.
        base_url: the signup service's public address. A link never begins with a request's Host.

    Raises:
        OSError: the file of the key that signs links can't be made or read.
        ValueError: that file holds no key.
    """

    def __init__(self, store: Store, settings: Settings, accounts: Accounts, base_url: str) -> None:
        self._store = store
        self._placeholder_emails = settings.placeholder_emails
        self._accounts = accounts
        self._links = Links(settings.keys_directory, base_url)
        self._host = urlsplit(base_url).netloc
        self._outbox = Outbox(settings.mail_url)
        self._mail_rates = MailRates()

    def register(self, payload: JsonObject, caller: Caller) -> dict[str, Any]:
        """Send a link to the address that signs up, and return the answer to the page.

        No password is stored. A questionnaire that came along is captured now, as it would be without
        the sign-up.

        Raises:
            Problem: 400 for unusable fields, 409 for an address that has an account, 429 or 503 when
                it's too busy.
        """
        sign_up = read_sign_up(payload, self._placeholder_emails)
        self._admit(sign_up.email, caller)
        questionnaire = questionnaire_of(sign_up, caller)
        user = self._store.read(lambda connection: refuse_taken(connection, sign_up))
        if user is None and questionnaire is not None:
            self._accounts.take_new_user(caller)
        self._store.write(
            lambda connection: _note_sign_up(connection, sign_up, questionnaire, caller)
        )
        details = _without(sign_up.details, sign_up.password)
        state = self._links.state_of(sign_up.email, None)
        link = self._links.make(sign_up.email, state, caller.now, details)
        mail = self._mail("signup", sign_up.email, "Complete your sign-up", _SIGN_UP_TEXT, link)
        if not self._send(sign_up.email, lambda: mail):
            raise _queue_full()
        return {
            "success": True,
            "verification_required": True,
            "message": _CHECK_MAIL,
            "msg": _CHECK_MAIL,
            "user": {
                "email": sign_up.email,
                "username": details.username,
                "fullName": details.full_name,
                "plan_type": details.plan_type,
            },
        }

    def recover(self, payload: JsonObject, caller: Caller) -> dict[str, Any]:
        """Send a link to an address that has an account here. The answer is the same for all addresses.

        The account is looked up in the thread that sends mail, so that time tells nothing either.

        Raises:
            Problem: 400 for an unusable address, 429 or 503 when it's too busy.
        """
        errors: list[FieldError] = []
        email = read_email(payload, errors)
        refuse_fields(errors)
        self._admit(email, caller)
        self._send(email, lambda: self._recovery_mail(email, caller.now))
        return {"success": True, "message": _IF_ACCOUNT, "msg": _IF_ACCOUNT}

    def verify(self, payload: JsonObject, caller: Caller) -> tuple[dict[str, Any], int]:
        """Set the password that the holder of a link chose; the answer to the page, and its status.

        A sign-up is completed (201). An account that is there gets the new password (200).

        Raises:
            Problem: 400 for a token that is none or an unusable password, 403 for a disabled account,
                410 for a link that was used or is too old, 429 or 503 when it's too busy.
        """
        errors: list[FieldError] = []
        token = _read_token(payload, errors)
        password = read_new_password(payload, errors)
        refuse_fields(errors)
        link = self._links.read(token)
        # Whoever filled the form in may have been a stranger: only the mailbox's owner consents.
        has_consented = link.details.consent_accepted and payload.get("consent_accepted") is True
        details = replace(link.details, consent_accepted=has_consented)
        sign_up = SignUp(link.email, "", details, {}, _snapshot(link.email, details))
        self._accounts.take_login(link.email, caller)
        # Before a password is hashed, which is costly.
        self._store.read(lambda connection: self._account_of(connection, link, sign_up))
        password_hash = self._accounts.hash(password)
        now = timestamp(caller.now)

        def accept(connection: StoreConnection) -> tuple[UserRow, bool]:
            erased_at = find_erasure_times(connection, (link.email,)).get(link.email)
            if erased_at is not None and link.made_at <= erased_at:
                raise void_link("The link is from before the account was erased.")
            user = self._account_of(connection, link, sign_up)
            if user is None:
                user = complete_sign_up(connection, sign_up, None, password_hash, caller)
                return as_sent(user, sign_up), True
            set_password_hash(connection, user.email, password_hash, now)
            record_event(connection, "password_set", user.email, caller)
            return user, False

        user, is_new = self._store.write(accept)
        message = "User registered successfully" if is_new else "Password changed successfully"
        return self._accounts.answer(user, caller.now, message), 201 if is_new else 200

    def _account_of(
        self, connection: sqlite3.Connection, link: Link, sign_up: SignUp
    ) -> UserRow | None:
        """The account whose password a link replaces; None where its sign-up is to be completed.

        Raises:
            Problem: 403 for a disabled account, 409 for another program's, 410 for a void link.
        """
        user = find_user(connection, link.email)
        if not link.is_for(self._links.state_of(link.email, user)):
            raise void_link("The link was used, or the account was changed since it was sent.")
        if user is None or user.account.is_provisional:
            refuse_taken(connection, sign_up)
            return None
        if user.account.is_disabled:
            raise Problem(NOT_ALLOWED, "This account is not active.")
        if not _may_be_recovered(connection, user, link.email):
            raise Problem(ALREADY_EXISTS, "Another program keeps the password of this account.")
        return user

    def _recovery_mail(self, email: str, now: datetime) -> Mail | None:
        user = self._store.read(lambda connection: _recoverable(connection, email))
        if user is None:
            return None
        link = self._links.make(email, self._links.state_of(email, user), now)
        return self._mail("recovery", email, "Choose a new password", _RECOVERY_TEXT, link)

    def _mail(self, event: str, email: str, subject: str, text: str, link: str) -> Mail:
        return Mail(
            email, subject, text.format(host=self._host, hours=VALID_HOURS, link=link), link, event
        )

    def _admit(self, email: str, caller: Caller) -> None:
        """Let a request go on that may cause a mail.

        Raises:
            Problem: 400 for an address that can't be mailed to, 429 over a rate, 503 while the queue is full.
        """
        if not can_be_mailed(email):
            error = FieldError("email", "can't be mailed to")
            raise Problem(UNUSABLE_ACCOUNT, f"The email {error.message}.", errors=[error])
        self._accounts.take_login(email, caller)
        self._mail_rates.take_caller(caller.ip_address)
        if self._outbox.is_full:
            raise _queue_full()

    def _send(self, email: str, compose: Compose) -> bool:
        """Queue a mail; False when the queue is full.

        It is counted where it is sent: a request that causes no mail keeps none back.
        """

        def counted() -> Mail | None:
            mail = compose()
            return (
                mail
                if mail is not None and self._mail_rates.take_mailbox(email, mail.event)
                else None
            )

        return self._outbox.put(counted)


def _queue_full() -> Problem:
    return Problem(
        UNAVAILABLE,
        "Mail can't be sent now; try again soon.",
        retry_after_seconds=_QUEUE_FULL_SECONDS,
    )


def _note_sign_up(
    connection: StoreConnection, sign_up: SignUp, questionnaire: Capture | None, caller: Caller
) -> None:
    """Record the sign-up where the address is known.

    An unknown one gets no row: a stranger may have typed it.
    """
    user = refuse_taken(connection, sign_up)  # once more: someone may have been faster
    if questionnaire is not None:
        record_capture(connection, questionnaire)
        user = find_user(connection, sign_up.email)
    if user is not None:
        record_event(connection, "signup_requested", user.email, caller, snapshot=sign_up.snapshot)
        return
    # Takes as long as a record, so that time does not tell which addresses are known.
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version}")


def _recoverable(connection: sqlite3.Connection, email: str) -> UserRow | None:
    """Return the account whose password a mailbox may set: it signed up here and is not disabled."""
    user = find_user(connection, email)
    if user is None or user.account.is_disabled or not _may_be_recovered(connection, user, email):
        return None
    return user


def _may_be_recovered(connection: sqlite3.Connection, user: UserRow, email: str) -> bool:
    """Whether the account is of exactly this mailbox, and its password was chosen here."""
    return normalise_email(user.email) == email and has_our_password(connection, user)


def _without(details: SignUpDetails, password: str) -> SignUpDetails:
    """The details without any that is the password itself: a link lies in a mailbox."""
    same = [name for name, value in asdict(details).items() if value == password]
    cleared: dict[str, Any] = dict.fromkeys(same)
    return replace(details, **cleared)


def _snapshot(email: str, details: SignUpDetails) -> str:
    given = {name: value for name, value in asdict(details).items() if value}
    return snapshot_of(*redact_with_paths({"email": email, **given}))


def _read_token(payload: JsonObject, errors: list[FieldError]) -> str:
    token = payload.get("token")
    if isinstance(token, str) and token:
        return token
    errors.append(FieldError("token", "is missing" if token in (None, "") else "is not a text"))
    return ""
