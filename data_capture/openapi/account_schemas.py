"""The schemas of sign-ups, log-ins and account recovery."""

from __future__ import annotations

from data_capture.accounts.fields import MAX_PASSWORD_CHARACTERS, MIN_PASSWORD_CHARACTERS
from data_capture.openapi.schema_parts import (
    INTEGER,
    TEXT,
    TEXT_OR_NULL,
    TRUE,
    Json,
    object_schema,
    ref,
)

_DETAILS = (
    "username",
    "fullName",
    "firstName",
    "lastName",
    "phone",
    "company",
    "country",
    "plan_type",
)
_NEW_PASSWORD: Json = {
    "type": "string",
    "minLength": MIN_PASSWORD_CHARACTERS,
    "maxLength": MAX_PASSWORD_CHARACTERS,
}


def account_schemas() -> dict[str, Json]:
    """Return the schemas by name."""
    return {
        "SignUp": _sign_up_schema(),
        "Login": _login_schema(),
        "SignUpRequested": _sign_up_requested_schema(),
        "Recovery": object_schema("email", email=ref("Email")),
        "Accepted": object_schema("success message msg", success=TRUE, message=TEXT, msg=TEXT),
        "LinkUse": _link_use_schema(),
        "Account": _account_schema(),
    }


def _sign_up_schema() -> Json:
    return object_schema(
        "email password",
        "The other members have the names that existing pages use, in camelCase or snake_case. "
        "All of them are optional.",
        email=ref("Email"),
        password=_NEW_PASSWORD,
        **{name: {"description": "Used if it is a text."} for name in _DETAILS},
        questionnaire={"description": "An object is captured as a questionnaire."},
        screenshot={"description": "A picture in base64, captured with the questionnaire."},
    )


def _login_schema() -> Json:
    return object_schema(
        "email password",
        email=ref("Email"),
        password={"type": "string", "minLength": 1, "maxLength": MAX_PASSWORD_CHARACTERS},
    )


def _sign_up_requested_schema() -> Json:
    return object_schema(
        "success verification_required message msg user",
        success=TRUE,
        verification_required=TRUE,
        message=TEXT,
        msg=TEXT,
        user=object_schema(
            "email username fullName plan_type",
            "The fields of the sign-up.",
            email=TEXT,
            username=TEXT_OR_NULL,
            fullName=TEXT_OR_NULL,
            plan_type=TEXT_OR_NULL,
        ),
    )


def _link_use_schema() -> Json:
    return object_schema(
        "token password",
        token={
            "type": "string",
            "minLength": 1,
            "description": "The text after `#token=` in the link.",
        },
        password=_NEW_PASSWORD,
        consent_accepted={
            "type": "boolean",
            "description": "Whether the link's holder accepts the terms that the sign-up accepted.",
        },
    )


def _account_schema() -> Json:
    user = object_schema(
        "id username email plan_type unique_id fullName",
        id=INTEGER,
        username=TEXT,
        email=TEXT,
        plan_type=TEXT,
        unique_id=TEXT_OR_NULL,
        fullName=TEXT,
    )
    return object_schema(
        "success message access_token token expires_in user_id user",
        success=TRUE,
        message=TEXT,
        msg=TEXT,
        access_token=TEXT,
        token=TEXT,
        expires_in={"type": "integer", "description": "In seconds."},
        user_id=INTEGER,
        user=user,
    )
