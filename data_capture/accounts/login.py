"""Log users in."""

from __future__ import annotations

import sqlite3
from typing import Any

from data_capture.accounts.access_tokens import AccessTokens
from data_capture.accounts.events import record_event, write_without_change
from data_capture.accounts.fields import (
    is_well_formed,
    raise_for_errors,
    read_email,
    read_password,
)
from data_capture.accounts.passwords import CheckResult, Passwords
from data_capture.capture.email import normalise_email, normalise_known_email
from data_capture.capture.parse import Caller
from data_capture.capture.timestamps import timestamp
from data_capture.json_codec import JsonObject
from data_capture.limits.rates import Rates
from data_capture.problems import NOT_ALLOWED, NOT_AUTHENTICATED, FieldError, Problem
from data_capture.store import Store
from data_capture.store.sqlite.credentials import PASSWORD_HASH
from data_capture.store.sqlite.sign_ups import update_last_login
from data_capture.store.sqlite.user_passwords import set_password_hash
from data_capture.store.sqlite.users import UserRow, find_user


class Login:
    """Check passwords and create tokens.

    Args:
        store: has the accounts.
        rates: limit log-ins, and failures more than successes.
        passwords: checks the passwords.
        tokens: creates the tokens.
    """

    def __init__(
        self, store: Store, rates: Rates, passwords: Passwords, tokens: AccessTokens
    ) -> None:
        self._store = store
        self._rates = rates
        self._passwords = passwords
        self._tokens = tokens

    def log_in(self, payload: JsonObject, caller: Caller) -> dict[str, Any]:
        """Log a user in, and return the members of the response: the account and a token.

        A hash of an outdated kind, or with weaker parameters, is replaced.

        Raises:
            Problem: 400 invalid fields, 401 a wrong password or, with the same text, an unknown
                address, 403 a disabled account, 429 over a rate or after too many failures, 503
                the database cannot be written.
        """
        email, password = _read_login(payload)
        self._take_attempt(email, caller)
        user = self._store.read(lambda connection: find_user(connection, email))
        account = (normalise_email(user.email) if user is not None else None) or email
        if account != email:  # another program lets one account have several addresses
            self._take_attempt(account, caller)
        result = self._check_password(user, password)
        if user is None or result is CheckResult.WRONG:
            self._rates.note_failure(account, caller.ip_address)
            self._store.write(lambda connection: _record_failure(connection, user, caller))
            raise _wrong_login_problem()
        if user.account.is_disabled:
            self._store.write(lambda connection: _record_failure(connection, user, caller))
            raise Problem(NOT_ALLOWED, "This account is not active.")
        new_hash = self._make_replacement_hash(user, password, result)
        self._store.write(lambda connection: _record_login(connection, user, new_hash, caller))
        self._rates.note_success(account, caller.ip_address)
        return self._tokens.create_account_response(user, caller.now, "Login successful")

    def _take_attempt(self, account: str, caller: Caller) -> None:
        self._rates.take_login(account, caller.ip_address)
        self._rates.refuse_after_failures(account, caller.ip_address)

    def _check_password(self, user: UserRow | None, password: str) -> CheckResult:
        """Check a password.

        It takes as long for an unknown user or an ill-formed password.
        """
        is_readable = is_well_formed(password)
        credentials = user.credentials if user is not None and is_readable else ()
        stored = [credential.stored for credential in credentials]
        return self._passwords.check(password if is_readable else "", stored)

    def _make_replacement_hash(
        self, user: UserRow, password: str, result: CheckResult
    ) -> str | None:
        """Return the hash that replaces an outdated one; None to keep the stored one.

        Only a hash in our own column is replaced: another program may need the others.
        """
        is_ours = [credential.column for credential in user.credentials] == [PASSWORD_HASH]
        if result is CheckResult.CORRECT_BUT_OUTDATED and is_ours:
            return self._passwords.hash(password)
        return None


def _read_login(payload: JsonObject) -> tuple[str, str]:
    """Return the address and the password.

    An ill-formed password is not invalid but wrong, because an older version accepted such ones.

    Raises:
        Problem: 400, it names the invalid fields.
    """
    errors: list[FieldError] = []
    email = read_email(payload, errors, normalise_known_email)
    password = read_password(payload, errors)
    raise_for_errors(errors)
    return email, password


def _record_login(
    connection: sqlite3.Connection, known: UserRow, new_hash: str | None, caller: Caller
) -> None:
    """Record a log-in, and store the new hash of the password if there is one.

    Raises:
        Problem: 401, the account was erased or changed while its password was checked.
    """
    now = timestamp(caller.now)
    current = find_user(connection, known.email)
    if current is None or current.account != known.account:
        raise _wrong_login_problem()
    if new_hash is not None:
        set_password_hash(connection, known.email, new_hash, now)
    update_last_login(connection, known.email, now)
    record_event(connection, "login", known.email, caller)


def _record_failure(connection: sqlite3.Connection, user: UserRow | None, caller: Caller) -> None:
    """Record a failed log-in of a known user; take as long for an unknown one."""
    if user is None:
        write_without_change(connection)
    else:
        record_event(connection, "login_failed", user.email, caller, status="failed")


def _wrong_login_problem() -> Problem:
    return Problem(NOT_AUTHENTICATED, "The email address or the password is wrong.")
