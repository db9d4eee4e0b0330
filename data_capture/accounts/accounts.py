"""Accounts: signing up, logging in, and the token that comes of it."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import jwt

from data_capture.accounts.passwords import Passwords, Verdict
from data_capture.audit import record_audit
from data_capture.capture.converters import is_absent
from data_capture.capture.email import normalise_email
from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, Capture, parse_capture
from data_capture.capture.snapshot import snapshot_of
from data_capture.capture.timestamps import timestamp
from data_capture.capture.user_agent import stored_user_agent
from data_capture.json_codec import JsonObject
from data_capture.key_files import load_or_make_key
from data_capture.limits.rates import Rates
from data_capture.problems import (
    ALREADY_EXISTS,
    NOT_ALLOWED,
    NOT_AUTHENTICATED,
    UNUSABLE_ACCOUNT,
    FieldError,
    Problem,
)
from data_capture.redaction.redact import REDACTED, redact_with_paths
from data_capture.settings import Settings
from data_capture.store import Store
from data_capture.store.sqlite.captures import record_capture
from data_capture.store.sqlite.connection import StoreConnection
from data_capture.store.sqlite.credentials import PASSWORD_HASH
from data_capture.store.sqlite.sign_ups import (
    SignUpDetails,
    complete_user,
    is_username_for,
    requested_username,
    update_last_login,
)
from data_capture.store.sqlite.user_passwords import set_password_hash
from data_capture.store.sqlite.users import (
    AccountExists,
    UserRow,
    clean_name,
    ensure_user,
    find_completable_user,
    find_user,
)

MIN_PASSWORD_CHARACTERS = (
    6  # what existing signup pages ask for; a visitor whose page took it is not sent away here
)
MAX_PASSWORD_CHARACTERS = 1024  # hashing reads all of it

# What reading JSON makes of each lone surrogate (U+FFFD), so that different passwords would be one.
_ILL_FORMED = re.compile("[\ufffd\ud800-\udfff]")

_SIGNING_ALGORITHM = "HS256"
_KEY_FILE_NAME = "token-signing.key"  # in the folder `Settings.keys_directory`

# What a sign-up may bring along that is a capture of its own.
_QUESTIONNAIRE_PARTS: dict[str, tuple[type, ...]] = {
    "questionnaire": (dict,),
    "screenshot": (str, dict),
}

_WRONG = "The email address or the password is wrong."
_HAS_ACCOUNT = "An account with this email address already exists."


class Accounts:
    """Signing up and logging in, over one store."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """Makes the key that signs tokens, where there is none.

        Raises:
            OSError: the key's file can't be made or read.
            ValueError: the key's file holds no key.
        """
        self._store = store
        self._settings = settings
        self._rates = Rates(settings)
        self._passwords = Passwords()
        self._signing_key = load_or_make_key(settings.keys_directory / _KEY_FILE_NAME)

    def register(self, payload: JsonObject, caller: Caller) -> dict[str, Any]:
        """Makes an account, or completes the provisional row of someone who was captured before; the answer to the page.

        The questionnaire that some pages send along is captured in the same transaction. The answer holds only what this
        sign-up sent, and the row's own ids.

        Raises:
            Problem: 400 for unusable fields, 409 for an address that has an account, or a row of another program's, 429 or
                503 when it's too busy.
        """
        sign_up = read_sign_up(payload, self._settings.placeholder_emails)
        self._rates.take_login(sign_up.email, caller.ip_address)
        questionnaire = questionnaire_of(sign_up, caller)
        if self._store.read(lambda connection: refuse_taken(connection, sign_up)) is None:
            self._rates.take_new_user(caller.ip_address)
        password_hash = self._passwords.hash(
            sign_up.password
        )  # not in the transaction, which all other writes wait for
        user = self._store.write(
            lambda connection: complete_sign_up(
                connection, sign_up, questionnaire, password_hash, caller
            )
        )
        return self.answer(as_sent(user, sign_up), caller.now, "User registered successfully")

    def login(self, payload: JsonObject, caller: Caller) -> dict[str, Any]:
        """The answer to a page whose visitor knows the password: their account and a token.

        A hash of an older program's, or of weaker parameters, is replaced by today's.

        Raises:
            Problem: 400 for unusable fields, 401 for a wrong password and, in the same words, an unknown address, 403 for
                someone locked out, 429 after too many failures, 503 when it's too busy.
        """
        email, password = _read_login(payload)
        self._take_attempt(email, caller)
        user = self._store.read(lambda connection: find_user(connection, email))
        account = (normalise_email(user.email) if user is not None else None) or email
        if account != email:  # its program lets it be called by several addresses
            self._take_attempt(account, caller)
        is_read = _ILL_FORMED.search(password) is None
        stored = [one.stored for one in user.credentials] if user is not None and is_read else []
        verdict = self._passwords.check(password if is_read else "", stored)
        if user is None or verdict is Verdict.WRONG:
            self._rates.note_failure(account, caller.ip_address)
            self._store.write(lambda connection: _note_failed_login(connection, user, caller))
            raise Problem(NOT_AUTHENTICATED, _WRONG)
        if user.account.is_disabled:
            known = user.email
            self._store.write(
                lambda connection: record_event(
                    connection, "login_failed", known, caller, status="failed"
                )
            )
            raise Problem(NOT_ALLOWED, "This account is not active.")
        is_ours_to_replace = [one.column for one in user.credentials] == [PASSWORD_HASH]
        is_outdated = verdict is Verdict.RIGHT_BUT_OUTDATED and is_ours_to_replace
        newer_hash = self._passwords.hash(password) if is_outdated else None
        self._store.write(lambda connection: _note_login(connection, user, newer_hash, caller))
        self._rates.note_success(account, caller.ip_address)
        return self.answer(user, caller.now, "Login successful")

    def _take_attempt(self, account: str, caller: Caller) -> None:
        self._rates.take_login(account, caller.ip_address)
        self._rates.refuse_after_failures(account, caller.ip_address)

    def take_login(self, email: str, caller: Caller) -> None:
        """Count one try to log in, to sign up or to recover an account.

        Raises:
            Problem: 429, over the rate.
        """
        self._rates.take_login(email, caller.ip_address)

    def take_new_user(self, caller: Caller) -> None:
        """Count a user who is added without having confirmed anything.

        Raises:
            Problem: 429, over the rate.
        """
        self._rates.take_new_user(caller.ip_address)

    def hash(self, password: str) -> str:
        """Return the hash to store for a password.

        Raises:
            Problem: 429, when too many wait for theirs.
        """
        return self._passwords.hash(password)

    def answer(self, user: UserRow, now: datetime, message: str) -> dict[str, Any]:
        """Return the answer to a page whose visitor has an account: the account and a token."""
        token = self._token(user, now)
        return {
            "success": True,
            "message": message,
            "msg": message,
            "access_token": token,
            "token": token,
            "expires_in": round(self._settings.token_hours * 3600),
            "user_id": user.id,
            "user": {
                "id": user.id,
                "username": user.username,
                "email": user.email,
                "plan_type": user.plan_type or "free",
                "unique_id": user.unique_id,
                "fullName": user.full_name or user.username,
            },
        }

    def _token(self, user: UserRow, now: datetime) -> str:
        """A signed token (RFC 7519). Anyone can read what is in it, so that it says no more than whose it is and when."""
        claims = {
            "sub": str(user.id),
            "iat": now,
            "exp": now + timedelta(hours=self._settings.token_hours),
        }
        return jwt.encode(claims, self._signing_key, algorithm=_SIGNING_ALGORITHM)


# --- What pages send ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SignUp:
    """A sign-up that can be used. `payload` and `snapshot`, which is JSON, hold no password."""

    email: str
    password: str
    details: SignUpDetails
    payload: JsonObject
    snapshot: str


def read_sign_up(payload: JsonObject, placeholder_emails: tuple[str, ...]) -> SignUp:
    """Read what a page sends to sign someone up.

    Raises:
        Problem: 400, naming the fields that can't be used.
    """
    errors: list[FieldError] = []
    email = read_email(payload, errors)
    if email in placeholder_emails:
        errors.append(FieldError("email", "is a placeholder that stands for nobody"))
    password = read_new_password(payload, errors)
    refuse_fields(errors)
    first_name, last_name = (
        _name(payload, "firstName", "first_name"),
        _name(payload, "lastName", "last_name"),
    )
    both = " ".join(filter(None, (first_name, last_name))) or None
    full_name = _name(payload, "fullName", "full_name", "name") or both
    details = SignUpDetails(
        username=_name(payload, "username", "userName"),
        full_name=full_name,
        first_name=first_name or (full_name and full_name.partition(" ")[0]),
        last_name=last_name or (full_name and full_name.partition(" ")[2]) or None,
        phone=_name(payload, "phone", "phoneNumber", "phone_number"),
        company=_name(payload, "company"),
        country=_name(payload, "country"),
        plan_type=_name(payload, "plan_type", "planType", "plan"),
        # Agreeing to marketing is another question.
        consent_accepted=any(
            payload.get(key) is True
            for key in ("consent_accepted", "consentAccepted", "agreeToTerms")
        ),
    )
    # Under its own key the password is masked for its name; some pages send it again under another.
    without_password = _masked(payload, password)
    captured_by_itself = _QUESTIONNAIRE_PARTS if _brings_questionnaire(payload) else {}
    said = {key: value for key, value in without_password.items() if key not in captured_by_itself}
    return SignUp(email, password, details, without_password, snapshot_of(*redact_with_paths(said)))


def _read_login(payload: JsonObject) -> tuple[str, str]:
    """The address and the password.

    A password with a character that could not be read is wrong, and not unusable: an older version took them.
    """
    errors: list[FieldError] = []
    email, password = read_email(payload, errors), _read_password(payload, errors)
    refuse_fields(errors)
    return email, password


def read_email(payload: JsonObject, errors: list[FieldError]) -> str:
    """Return the address, normalised; add what is wrong with it to `errors`."""
    given = payload.get("email")
    email = normalise_email(given)
    if email is None:
        errors.append(
            FieldError("email", "is missing" if is_absent(given) else "is not an email address")
        )
    return email or ""


def read_new_password(payload: JsonObject, errors: list[FieldError]) -> str:
    """Return a password that someone chooses; add what is wrong with it to `errors`."""
    password = _read_password(payload, errors)
    fault = password_fault(password) if password else None
    if fault is not None:
        errors.append(FieldError("password", fault))
    return password


def password_fault(password: str) -> str | None:
    """Return why a password can't be chosen, as the rest of a sentence; None for one that can."""
    if _ILL_FORMED.search(password):
        return "holds a character that could not be read"
    if len(password) < MIN_PASSWORD_CHARACTERS:
        return f"must have at least {MIN_PASSWORD_CHARACTERS} characters"
    if len(password) > MAX_PASSWORD_CHARACTERS:
        return f"must have at most {MAX_PASSWORD_CHARACTERS} characters"
    return None


def _read_password(payload: JsonObject, errors: list[FieldError]) -> str:
    password = payload.get("password")
    if password is None or password == "":
        errors.append(FieldError("password", "is missing"))
    elif not isinstance(password, str):
        errors.append(FieldError("password", "is not a text"))
    elif len(password) > MAX_PASSWORD_CHARACTERS:
        errors.append(
            FieldError("password", f"must have at most {MAX_PASSWORD_CHARACTERS} characters")
        )
    else:
        return password
    return ""


def refuse_fields(errors: list[FieldError]) -> None:
    """Raise Problem, 400, if there are errors."""
    if errors:
        sentence = "; ".join(f"the {error.field} {error.message}" for error in errors)
        raise Problem(UNUSABLE_ACCOUNT, f"{sentence[0].upper()}{sentence[1:]}.", errors=errors)


def _name(payload: JsonObject, *keys: str) -> str | None:
    return next(filter(None, (clean_name(payload.get(key)) for key in keys)), None)


def _masked(value: Any, password: str) -> Any:
    """`value` with every text that is the password itself masked."""
    if isinstance(value, dict):
        return {
            REDACTED if key == password else key: _masked(member, password)
            for key, member in value.items()
        }
    if isinstance(value, list):
        return [_masked(item, password) for item in value]
    return REDACTED if value == password else value


def _brings_questionnaire(payload: JsonObject) -> bool:
    return any(
        isinstance(payload.get(key), kinds) and payload[key]
        for key, kinds in _QUESTIONNAIRE_PARTS.items()
    )


def questionnaire_of(sign_up: SignUp, caller: Caller) -> Capture | None:
    """The questionnaire that came with a sign-up, as the capture that it would have been by itself."""
    if not _brings_questionnaire(sign_up.payload):
        return None
    payload: JsonObject = {"user_email": sign_up.email, "user_name": sign_up.details.full_name}
    payload |= {key: sign_up.payload[key] for key in _QUESTIONNAIRE_PARTS if key in sign_up.payload}
    return parse_capture(KINDS["questionnaire"], payload, caller, placeholder_emails=())


def refuse_taken(connection: sqlite3.Connection, sign_up: SignUp) -> UserRow | None:
    """The provisional row that a sign-up completes, if there is one.

    Raises:
        Problem: 409, when the address has an account, or a row that another program made.
    """
    try:
        return find_completable_user(connection, sign_up.email)
    except AccountExists as error:
        raise Problem(ALREADY_EXISTS, _HAS_ACCOUNT) from error


def complete_sign_up(
    connection: StoreConnection,
    sign_up: SignUp,
    questionnaire: Capture | None,
    password_hash: str,
    caller: Caller,
) -> UserRow:
    """Writes a sign-up with all that came with it; the account that it made."""
    now = timestamp(caller.now)
    user = refuse_taken(connection, sign_up)  # once more: someone may have been faster
    if user is None:
        user = _somebody(
            connection, ensure_user(connection, sign_up.email, sign_up.details.full_name, now)
        )
    complete_user(connection, user, sign_up.details, password_hash, now)
    record_event(connection, "signup", user.email, caller, snapshot=sign_up.snapshot)
    if questionnaire is not None:
        record_capture(connection, questionnaire)
    return _somebody(connection, user.email)


def as_sent(user: UserRow, sign_up: SignUp) -> UserRow:
    """An account as its sign-up may see it: nothing that a capture or another program left in its row."""
    wished = requested_username(sign_up.details, user.email)
    return replace(
        user,
        username=user.username if is_username_for(user.username, wished) else wished,
        full_name=sign_up.details.full_name,
        plan_type=sign_up.details.plan_type
        if sign_up.details.plan_type == user.plan_type
        else None,
    )


def _note_login(
    connection: sqlite3.Connection, known: UserRow, newer_hash: str | None, caller: Caller
) -> None:
    """Writes a login, and the newer hash of its password.

    Raises:
        Problem: 401, when the account was erased or changed while its password was checked.
    """
    now = timestamp(caller.now)
    current = find_user(connection, known.email)
    if current is None or current.account != known.account:
        raise Problem(NOT_AUTHENTICATED, _WRONG)
    if newer_hash is not None:
        set_password_hash(connection, known.email, newer_hash, now)
    update_last_login(connection, known.email, now)
    record_event(connection, "login", known.email, caller)


def _somebody(connection: sqlite3.Connection, spelling: str) -> UserRow:
    user = find_user(connection, spelling)
    if user is None:
        raise sqlite3.OperationalError("the table users lost a row that was just written")
    return user


def _note_failed_login(
    connection: sqlite3.Connection, user: UserRow | None, caller: Caller
) -> None:
    """Records it where the address is known; writes and syncs as long where it isn't, and changes nothing."""
    if user is not None:
        record_event(connection, "login_failed", user.email, caller, status="failed")
        return
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version}")


def record_event(
    connection: sqlite3.Connection,
    event: str,
    spelling: str,
    caller: Caller,
    *,
    snapshot: str | None = None,
    status: str = "success",
) -> None:
    """Add the audit record of something that a caller did to an account."""
    record_audit(
        connection,
        user_email=spelling,
        capture_type=event,
        timestamp=timestamp(caller.now),
        source_endpoint=caller.source_endpoint,
        snapshot=snapshot,
        ip_address=caller.ip_address,
        user_agent=stored_user_agent(caller.user_agent).text,
        status=status,
    )
