"""Sign users up: create an account, or complete the row of a provisional user."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

from data_capture.accounts.access_tokens import AccessTokens
from data_capture.accounts.events import record_event
from data_capture.accounts.passwords import Passwords
from data_capture.accounts.signup_form import SignUp, parse_questionnaire, read_sign_up
from data_capture.capture.parse import Caller, Capture
from data_capture.capture.timestamps import timestamp
from data_capture.json_codec import JsonObject
from data_capture.limits.rates import Rates
from data_capture.problems import ALREADY_EXISTS, Problem
from data_capture.store import Store
from data_capture.store.sqlite.captures import record_capture
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.sign_ups import complete_user, is_username_for, requested_username
from data_capture.store.sqlite.users import (
    AccountExists,
    UserRow,
    ensure_user,
    find_completable_user,
    find_user,
)


class Registration:
    """Sign users up at once, without a mail.

    Args:
        store: has the accounts.
        placeholder_emails: addresses that belong to no user.
        rates: limit sign-ups.
        passwords: hashes the passwords.
        tokens: creates the tokens.
    """

    def __init__(
        self,
        store: Store,
        placeholder_emails: tuple[str, ...],
        rates: Rates,
        passwords: Passwords,
        tokens: AccessTokens,
    ) -> None:
        self._store = store
        self._placeholder_emails = placeholder_emails
        self._rates = rates
        self._passwords = passwords
        self._tokens = tokens

    def register(self, payload: JsonObject, caller: Caller) -> dict[str, Any]:
        """Create an account or complete a provisional user.

        A questionnaire that came along is captured in the same transaction. The response contains
        only what this sign-up sent, and the ids of the row.

        Returns:
            The members of the response.

        Raises:
            Problem: 400 invalid fields, 409 the address has an account or a row of another
                program, 429 over a rate, 503 the database cannot be written.
        """
        sign_up = read_sign_up(payload, self._placeholder_emails)
        self._rates.take_login(sign_up.email, caller.ip_address)
        questionnaire = parse_questionnaire(sign_up, caller)
        provisional_user = self._store.read(
            lambda connection: find_provisional_user(connection, sign_up.email)
        )
        if provisional_user is None:
            self._rates.take_new_user(caller.ip_address)
        # Before the transaction, because all other writes wait for that.
        password_hash = self._passwords.hash(sign_up.password)
        user = self._store.write(
            lambda connection: complete_sign_up(
                connection, sign_up, questionnaire, password_hash, caller
            )
        )
        return self._tokens.create_account_response(
            hide_earlier_data(user, sign_up), caller.now, "User registered successfully"
        )


def find_provisional_user(connection: StoreConnection, email: str) -> UserRow | None:
    """Return the provisional user of an address; None if the address is unknown.

    Raises:
        Problem: 409, the address has an account, or a row that another program created.
    """
    try:
        return find_completable_user(connection, email)
    except AccountExists as error:
        raise Problem(
            ALREADY_EXISTS, "An account with this email address already exists."
        ) from error


def complete_sign_up(
    connection: StoreConnection,
    sign_up: SignUp,
    questionnaire: Capture | None,
    password_hash: str,
    caller: Caller,
) -> UserRow:
    """Write a sign-up with its questionnaire and audit record; return the account.

    Raises:
        Problem: 409, someone else has signed up with the address meanwhile.
    """
    now = timestamp(caller.now)
    user = find_provisional_user(connection, sign_up.email)
    if user is None:
        spelling = ensure_user(connection, sign_up.email, sign_up.details.full_name, now)
        user = _find_written_user(connection, spelling)
    complete_user(connection, user, sign_up.details, password_hash, now)
    record_event(connection, "signup", user.email, caller, snapshot=sign_up.snapshot)
    if questionnaire is not None:
        record_capture(connection, questionnaire)
    return _find_written_user(connection, user.email)


def hide_earlier_data(user: UserRow, sign_up: SignUp) -> UserRow:
    """Return an account without data that was in its row before the sign-up.

    The caller who signs up has not proved to own the address.
    """
    wished = requested_username(sign_up.details, user.email)
    is_given_plan = sign_up.details.plan_type == user.plan_type
    return replace(
        user,
        username=user.username if is_username_for(user.username, wished) else wished,
        full_name=sign_up.details.full_name,
        plan_type=sign_up.details.plan_type if is_given_plan else None,
    )


def _find_written_user(connection: StoreConnection, spelling: str) -> UserRow:
    user = find_user(connection, spelling)
    if user is None:
        raise sqlite3.OperationalError("the table users lost a row that was just written")
    return user
