"""Read email addresses and passwords from requests."""

from __future__ import annotations

import re
from collections.abc import Callable

from data_capture.accounts.passwords import normalise_password
from data_capture.capture.converters import is_absent
from data_capture.capture.email import is_bare, normalise_email
from data_capture.json_codec import JsonObject
from data_capture.problems import UNUSABLE_ACCOUNT, FieldError, Problem

# What existing signup pages require; a password that such a page accepts is accepted here.
MIN_PASSWORD_CHARACTERS = 6
MAX_PASSWORD_CHARACTERS = 1024  # normalised; hashing reads all of them
# As sent. Normalising a long text can take time that grows with the square of its length.
MAX_SENT_PASSWORD_CHARACTERS = 4 * MAX_PASSWORD_CHARACTERS

# Decoding JSON turns each lone surrogate into U+FFFD, so that different passwords would be equal.
_ILL_FORMED = re.compile("[\ufffd\ud800-\udfff]")


def read_email(
    payload: JsonObject,
    errors: list[FieldError],
    normalise: Callable[[object], str | None] = normalise_email,
) -> str:
    """Return the address, normalised; append to `errors` if it is invalid."""
    value = payload.get("email")
    email = normalise(value)
    if email is None:
        message = "is missing" if is_absent(value) else "is not an email address"
        errors.append(FieldError("email", message))
    return email or ""


def read_bare_email(payload: JsonObject, errors: list[FieldError]) -> str:
    """Return the address, normalised; append to `errors` if it is invalid, or decorated.

    A sign-up that is sent as `<user@example.com>,` may be meant for a mail program.
    """
    email = read_email(payload, errors)
    if email and not is_bare(payload["email"], email):
        errors.append(FieldError("email", "is not a bare email address"))
    return email


def read_password(payload: JsonObject, errors: list[FieldError]) -> str:
    """Return the password; append to `errors` if it is missing or too long."""
    password = payload.get("password")
    if password is None or password == "":
        errors.append(FieldError("password", "is missing"))
    elif not isinstance(password, str):
        errors.append(FieldError("password", "is not a text"))
    elif _is_too_long(password):
        errors.append(
            FieldError("password", f"must have at most {MAX_PASSWORD_CHARACTERS} characters")
        )
    else:
        return password
    return ""


def read_new_password(payload: JsonObject, errors: list[FieldError]) -> str:
    """Return the password that a user chooses; append to `errors` if it is invalid."""
    password = read_password(payload, errors)
    error = find_password_error(password) if password else None
    if error is not None:
        errors.append(FieldError("password", error))
    return password


def find_password_error(password: str) -> str | None:
    """Return why a user cannot choose a password; None if it is valid.

    Returns:
        The rest of a sentence that begins with the password.
    """
    if not is_well_formed(password):
        return "has a character that could not be read"
    if _is_too_long(password):
        return f"must have at most {MAX_PASSWORD_CHARACTERS} characters"
    if len(normalise_password(password)) < MIN_PASSWORD_CHARACTERS:
        return f"must have at least {MIN_PASSWORD_CHARACTERS} characters"
    return None


def _is_too_long(password: str) -> bool:
    return (
        len(password) > MAX_SENT_PASSWORD_CHARACTERS
        or len(normalise_password(password)) > MAX_PASSWORD_CHARACTERS
    )


def is_well_formed(password: str) -> bool:
    """Tell whether all characters of a password could be read."""
    return _ILL_FORMED.search(password) is None


def raise_for_errors(errors: list[FieldError]) -> None:
    """Raise a Problem if there are errors.

    Raises:
        Problem: 400, it names the invalid fields.
    """
    if errors:
        sentence = "; ".join(f"the {error.field} {error.message}" for error in errors)
        raise Problem(UNUSABLE_ACCOUNT, f"{sentence[0].upper()}{sentence[1:]}.", errors=errors)
