"""Sign-ups that are confirmed by mail, and forgotten passwords.

With `EDC_MAIL_URL`, a sign-up stores no password and creates no account. It sends a link to the
address, and the person who opens the link chooses the password. So a stranger who signs up with
another user's address gains nothing. The same link replaces a forgotten password, and recovers an
account that a stranger created before mail was set up.

    POST /api/auth/register ─┐
                             ├─> mail: link ─> GET /verify (a page) ─> POST /api/auth/verify
    POST /api/auth/recover  ─┘

Opening a link changes nothing, because mail scanners open links, too.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from data_capture.accounts.access_tokens import AccessTokens
from data_capture.accounts.events import record_event, write_without_change
from data_capture.accounts.fields import raise_for_errors, read_bare_email, read_new_password
from data_capture.accounts.link_mail import LinkMailer, queue_full_problem
from data_capture.accounts.mail import Mail
from data_capture.accounts.passwords import Passwords
from data_capture.accounts.signup import (
    complete_sign_up,
    find_provisional_user,
    hide_earlier_data,
)
from data_capture.accounts.signup_form import SignUp, parse_questionnaire, read_sign_up
from data_capture.accounts.verification_links import Link, LinkSigner, void_link_problem
from data_capture.capture.email import is_spelling_of
from data_capture.capture.parse import Caller, Capture
from data_capture.capture.snapshot import snapshot_of
from data_capture.capture.timestamps import timestamp
from data_capture.json_codec import JsonObject
from data_capture.limits.rates import Rates
from data_capture.problems import (
    ALREADY_EXISTS,
    NOT_ALLOWED,
    NOT_FOUND,
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

_CHECK_MAIL = "Check your mail: the link in it completes the sign-up."
_IF_ACCOUNT = "If there is an account with this address, a mail with a link is on its way."


def mail_disabled_problem() -> Problem:
    """Return the Problem of the routes that need mail, if no mail is set up."""
    return Problem(NOT_FOUND, "This service sends no mail: EDC_MAIL_URL is not set.")


class Verification:
    """Sign users up by mail, and recover accounts.

    Args:
        store: has the accounts.
        settings: of the service, with a `mail_url`.
        rates: limit log-ins and sign-ups.
        passwords: hashes the passwords.
        tokens: creates the tokens.
        base_url: the public URL of the signup service. A link never uses a request's Host.

    Raises:
        OSError: the file of the key that signs links cannot be read or written.
        ValueError: the file does not contain a key.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        rates: Rates,
        passwords: Passwords,
        tokens: AccessTokens,
        base_url: str,
    ) -> None:
        self._store = store
        self._placeholder_emails = settings.placeholder_emails
        self._rates = rates
        self._passwords = passwords
        self._tokens = tokens
        self._links = LinkSigner(settings.keys_directory, base_url)
        self._mailer = LinkMailer(settings.mail_url, base_url, rates)

    def register(self, payload: JsonObject, caller: Caller) -> dict[str, Any]:
        """Send a link to the address that signs up, and return the response's members.

        No password is stored. A questionnaire that came along is captured at once, as it would be
        without the sign-up.

        Raises:
            Problem: 400 invalid fields, 409 the address has an account, 429 over a rate, 503 the
                queue of mails is full, or the database cannot be written.
        """
        sign_up = read_sign_up(payload, self._placeholder_emails)
        self._mailer.admit(sign_up.email, caller)
        questionnaire = parse_questionnaire(sign_up, caller)
        user = self._store.read(lambda connection: find_provisional_user(connection, sign_up.email))
        if user is None and questionnaire is not None:
            self._rates.take_new_user(caller.ip_address)
        self._store.write(
            lambda connection: _record_request(connection, sign_up, questionnaire, caller)
        )
        details = _without_password(sign_up.details, sign_up.password)
        state = self._links.account_state(sign_up.email, None)
        link = self._links.create(sign_up.email, state, caller.now, details)
        mail = self._mailer.compose_signup(sign_up.email, link)
        if not self._mailer.queue(sign_up.email, lambda: mail):
            raise queue_full_problem()
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
        """Send a link to an address if it has an account; the response is always the same.

        The thread that sends mails looks the account up, so that the time of the response reveals
        nothing either.

        Raises:
            Problem: 400 an invalid address, 429 over a rate, 503 the queue of mails is full.
        """
        errors: list[FieldError] = []
        email = read_bare_email(payload, errors)
        raise_for_errors(errors)
        self._mailer.admit(email, caller)
        self._mailer.queue(email, lambda: self._compose_recovery(email, caller.now))
        return {"success": True, "message": _IF_ACCOUNT, "msg": _IF_ACCOUNT}

    def verify(self, payload: JsonObject, caller: Caller) -> tuple[dict[str, Any], int]:
        """Set the password that the holder of a link chose.

        Returns:
            The response's members, and its status: 201 for a completed sign-up, 200 for a new
            password of an existing account.

        Raises:
            Problem: 400 an invalid token or password, 403 a disabled account, 409 another program
                has the password of the account, 410 a link that was used or is too old, 429 over a
                rate, 503 the database cannot be written.
        """
        errors: list[FieldError] = []
        token = _read_token(payload, errors)
        password = read_new_password(payload, errors)
        raise_for_errors(errors)
        link = self._links.read(token)
        sign_up = _rebuild_sign_up(link, has_consented=payload.get("consent_accepted") is True)
        self._rates.take_login(link.email, caller.ip_address)
        # A void link is rejected before a password is hashed, which is costly.
        self._store.read(lambda connection: self._find_account(connection, link))
        password_hash = self._passwords.hash(password)
        user, is_new = self._store.write(
            lambda connection: self._use_link(connection, link, sign_up, password_hash, caller)
        )
        message = "User registered successfully" if is_new else "Password changed successfully"
        members = self._tokens.create_account_response(user, caller.now, message)
        return members, 201 if is_new else 200

    def _use_link(
        self,
        connection: StoreConnection,
        link: Link,
        sign_up: SignUp,
        password_hash: str,
        caller: Caller,
    ) -> tuple[UserRow, bool]:
        """Complete the sign-up of a link, or set the password of its account.

        Returns:
            The account, and whether it is new.

        Raises:
            Problem: as `verify`.
        """
        erased_at = find_erasure_times(connection, (link.email,)).get(link.email)
        if erased_at is not None and link.created_at <= erased_at:
            raise void_link_problem("The link is older than the erasure of the account.")
        user = self._find_account(connection, link)
        if user is None:
            user = complete_sign_up(connection, sign_up, None, password_hash, caller)
            return hide_earlier_data(user, sign_up), True
        set_password_hash(connection, user.email, password_hash, timestamp(caller.now))
        record_event(connection, "password_set", user.email, caller)
        return user, False

    def _find_account(self, connection: StoreConnection, link: Link) -> UserRow | None:
        """Return the account of a link; None if the link completes a sign-up.

        Raises:
            Problem: 403 a disabled account, 409 another program has its password, 410 a void link.
        """
        user = find_user(connection, link.email)
        if not link.matches_state(self._links.account_state(link.email, user)):
            raise void_link_problem("The link was used, or the account has changed since.")
        if user is None or user.account.is_provisional:
            find_provisional_user(connection, link.email)  # raises 409
            return None
        if user.account.is_disabled:
            raise Problem(NOT_ALLOWED, "This account is not active.")
        if not _is_ours(connection, user, link.email):
            raise Problem(ALREADY_EXISTS, "Another program keeps the password of this account.")
        return user

    def _compose_recovery(self, email: str, now: datetime) -> Mail | None:
        user = self._store.read(lambda connection: _find_recoverable(connection, email))
        if user is None:
            return None
        link = self._links.create(email, self._links.account_state(email, user), now)
        return self._mailer.compose_recovery(email, link)


def _record_request(
    connection: StoreConnection, sign_up: SignUp, questionnaire: Capture | None, caller: Caller
) -> None:
    """Capture the questionnaire, and record the sign-up if the address is known.

    An unknown address gets no row, because a stranger may have typed it.

    Raises:
        Problem: 409, the address has got an account meanwhile.
    """
    user = find_provisional_user(connection, sign_up.email)
    if questionnaire is not None:
        record_capture(connection, questionnaire)
        user = find_user(connection, sign_up.email)
    if user is None:
        write_without_change(connection)
    else:
        record_event(connection, "signup_requested", user.email, caller, snapshot=sign_up.snapshot)


def _find_recoverable(connection: StoreConnection, email: str) -> UserRow | None:
    """Return the account whose password a mailbox may set; None if there is none."""
    user = find_user(connection, email)
    if user is None or user.account.is_disabled or not _is_ours(connection, user, email):
        return None
    return user


def _is_ours(connection: StoreConnection, user: UserRow, email: str) -> bool:
    """Tell whether the account has this address, and a password chosen here."""
    return is_spelling_of(user.email, email) and has_our_password(connection, user)


def _without_password(details: SignUpDetails, password: str) -> SignUpDetails:
    """Remove details that equal the password, since a link stays in a mailbox."""
    equal = [name for name, value in asdict(details).items() if value == password]
    cleared: dict[str, Any] = dict.fromkeys(equal)
    return replace(details, **cleared)


def _rebuild_sign_up(link: Link, *, has_consented: bool) -> SignUp:
    """Return the sign-up of a link.

    Only the owner of the mailbox can consent, because a stranger may have sent the sign-up.
    """
    is_accepted = link.details.consent_accepted and has_consented
    details = replace(link.details, consent_accepted=is_accepted)
    present = {name: value for name, value in asdict(details).items() if value}
    snapshot = snapshot_of(*redact_with_paths({"email": link.email, **present}))
    return SignUp(link.email, "", details, {}, snapshot)


def _read_token(payload: JsonObject, errors: list[FieldError]) -> str:
    token = payload.get("token")
    if isinstance(token, str) and token:
        return token
    errors.append(FieldError("token", "is missing" if token in (None, "") else "is not a text"))
    return ""
