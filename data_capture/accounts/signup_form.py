"""Read the fields of a sign-up, as pages send them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from data_capture.accounts.fields import raise_for_errors, read_bare_email, read_new_password
from data_capture.accounts.passwords import password_forms
from data_capture.capture.email import normalise_placeholders
from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, Capture, parse_capture
from data_capture.capture.snapshot import snapshot_of
from data_capture.json_codec import JsonObject
from data_capture.problems import FieldError
from data_capture.redaction.redact import REDACTED, redact, redact_with_paths
from data_capture.store.sqlite.sign_ups import SignUpDetails
from data_capture.store.sqlite.users import clean_name

# The members that are captured as a questionnaire, and their types.
_QUESTIONNAIRE_MEMBERS: dict[str, tuple[type, ...]] = {
    "questionnaire": (dict,),
    "screenshot": (str, dict),
}


@dataclass(frozen=True)
class SignUp:
    """A valid sign-up."""

    email: str
    """Normalised."""
    password: str
    details: SignUpDetails
    payload: JsonObject
    """Without the password."""
    snapshot: str
    """The payload as JSON, without secrets and without a questionnaire."""


def read_sign_up(payload: JsonObject, placeholder_emails: tuple[str, ...]) -> SignUp:
    """Read the fields of a sign-up.

    Raises:
        Problem: 400, it names the invalid fields.
    """
    errors: list[FieldError] = []
    email = read_bare_email(payload, errors)
    if email in normalise_placeholders(placeholder_emails):
        errors.append(FieldError("email", "is a placeholder, which belongs to no user"))
    password = read_new_password(payload, errors)
    raise_for_errors(errors)
    # Redaction masks the member `password`; some pages repeat the password under another name.
    without_password = _mask_password(payload, password_forms(password))
    captured_separately = _QUESTIONNAIRE_MEMBERS if _has_questionnaire(payload) else {}
    recorded = {
        key: value for key, value in without_password.items() if key not in captured_separately
    }
    snapshot = snapshot_of(*redact_with_paths(recorded))
    return SignUp(email, password, _read_details(payload), without_password, snapshot)


def _read_masked(payload: JsonObject, *keys: str) -> str | None:
    """Return the first usable text, with the secrets and card numbers in it masked."""
    found = _read_text(payload, *keys)
    masked: str | None = redact({keys[0]: found})[keys[0]]  # the key tells a phone from a card
    return masked


def parse_questionnaire(sign_up: SignUp, caller: Caller) -> Capture | None:
    """Return the questionnaire that came with a sign-up as a capture, if any.

    Raises:
        Problem: 422, it cannot be captured.
    """
    if not _has_questionnaire(sign_up.payload):
        return None
    payload: JsonObject = {"user_email": sign_up.email, "user_name": sign_up.details.full_name}
    payload |= {
        key: sign_up.payload[key] for key in _QUESTIONNAIRE_MEMBERS if key in sign_up.payload
    }
    return parse_capture(KINDS["questionnaire"], payload, caller, placeholder_emails=())


def _read_details(payload: JsonObject) -> SignUpDetails:
    first_name = _read_masked(payload, "firstName", "first_name")
    last_name = _read_masked(payload, "lastName", "last_name")
    both_names = " ".join(filter(None, (first_name, last_name))) or None
    full_name = _read_masked(payload, "fullName", "full_name", "name") or both_names
    # Consent to marketing is a different question.
    consents = ("consent_accepted", "consentAccepted", "agreeToTerms")
    return SignUpDetails(
        username=_read_text(payload, "username", "userName"),
        full_name=full_name,
        first_name=first_name or (full_name and full_name.partition(" ")[0]),
        last_name=last_name or (full_name and full_name.partition(" ")[2]) or None,
        phone=_read_masked(payload, "phone", "phoneNumber", "phone_number"),
        company=_read_masked(payload, "company"),
        country=_read_masked(payload, "country"),
        plan_type=_read_masked(payload, "plan_type", "planType", "plan"),
        consent_accepted=any(payload.get(key) is True for key in consents),
    )


def _read_text(payload: JsonObject, *keys: str) -> str | None:
    """Return the first usable text under one of the keys."""
    return next(filter(None, (clean_name(payload.get(key)) for key in keys)), None)


def _mask_password(value: Any, forms: tuple[str, ...]) -> Any:
    """Return `value` with every text masked that equals a form of the password."""
    if isinstance(value, dict):
        return {
            REDACTED if key in forms else key: _mask_password(member, forms)
            for key, member in value.items()
        }
    if isinstance(value, list):
        return [_mask_password(item, forms) for item in value]
    return REDACTED if value in forms else value


def _has_questionnaire(payload: JsonObject) -> bool:
    return any(
        isinstance(payload.get(key), types) and payload[key]
        for key, types in _QUESTIONNAIRE_MEMBERS.items()
    )
