"""The schemas of what the services take and answer; those of captures are made of the table in `captures`."""

from __future__ import annotations

import sys
from functools import cache
from itertools import groupby
from typing import Any

from data_capture.accounts.fields import MAX_PASSWORD_CHARACTERS, MIN_PASSWORD_CHARACTERS
from data_capture.capture.email import MAX_EMAIL_CHARACTERS, MAX_GIVEN_CHARACTERS, is_unseen
from data_capture.capture.kinds import KINDS, Kind
from data_capture.privacy.export import FORMAT
from data_capture.privacy.tables import RECEIPTS, USERS, tables_of_users
from data_capture.problems import TYPE_PREFIX
from data_capture.web.requests import MAX_CAPTURES_IN_A_BATCH

Json = dict[str, Any]

_ABOUT_USER = (
    "username",
    "fullName",
    "firstName",
    "lastName",
    "phone",
    "company",
    "country",
    "plan_type",
)
_EMAIL_NAMES = ("user_email", "email")


def ref(name: str) -> Json:
    """A reference to one of `all_schemas`."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: str = "", description: str = "", /, **properties: Json) -> Json:
    described: Json = {"type": "object", "properties": properties}
    if description:
        described["description"] = description
    if required:
        described["required"] = required.split()
    return described


_WORDS: Json = {"type": "string"}
_WORDS_OR_NULL: Json = {"type": ["string", "null"]}
_COUNT: Json = {"type": "integer", "minimum": 0}
_TIME_OR_NULL: Json = {"type": ["string", "null"], "description": "ISO 8601 in UTC."}
_DONE: Json = {"const": True}
_FIELDS_AND_WHY: Json = {
    "type": "array",
    "items": _object("field message", field=_WORDS, message=_WORDS),
}


def all_schemas() -> dict[str, Json]:
    """Every schema by its name."""
    schemas = {
        "Email": _email(),
        "EmailInPath": _email(but_in_domain="/\\\\"),
        "Problem": _object(
            "type title status detail success error message msg",
            "Problem details (RFC 9457), and what existing pages read.",
            type={"type": "string", "format": "uri", "pattern": f"^{TYPE_PREFIX}"},
            title=_WORDS,
            status={"type": "integer", "minimum": 400, "maximum": 599},
            detail=_WORDS,
            success={"const": False},
            error=_WORDS,
            message=_WORDS,
            msg=_WORDS,
            errors=_FIELDS_AND_WHY,
        ),
        "Batch": _object(
            "captures",
            captures={
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_CAPTURES_IN_A_BATCH,
                "items": {"description": f"A capture with its type: {', '.join(KINDS)}. One that can't be used is answered so."},
            },
        ),
        "BatchAnswer": _object(
            "success message answers",
            success={"type": "boolean", "description": "Whether all were taken."},
            message=_WORDS,
            answers={
                "type": "array",
                "items": _object("status success", status={"type": "integer"}, success={"type": "boolean"}),
            },
        ),
        "Statistics": _object(
            "user_email data_counts latest_timestamps total_data_points",
            user_email=_WORDS,
            data_counts=_object(
                "payments questionnaires dashboard_updates activities audit_records",
                payments=_COUNT, questionnaires=_COUNT, dashboard_updates=_COUNT, activities=_COUNT, audit_records=_COUNT,
            ),
            latest_timestamps=_object(
                "payment questionnaire dashboard", payment=_TIME_OR_NULL, questionnaire=_TIME_OR_NULL, dashboard=_TIME_OR_NULL
            ),
            total_data_points=_COUNT,
        ),
        "Export": _object(
            "format email users",
            "A member a table, with the person's rows.",
            format={"const": FORMAT},
            email=_WORDS,
            **{table: {"type": "array", "items": {"type": "object"}} for table in (USERS, *tables_of_users(), RECEIPTS)},
        ),
        "Erasure": _object(
            "success complete message erased audit_records_kept pseudonym emptied_for",
            success=_DONE,
            complete={"type": "boolean", "description": "Whether it is gone from the files' bytes, too."},
            message=_WORDS,
            erased={"type": "object", "additionalProperties": _COUNT, "description": "How many rows went, by table."},
            audit_records_kept={**_COUNT, "description": "As the pseudonym's."},
            pseudonym=_WORDS,
            emptied_for={
                "type": "array",
                "items": _WORDS,
                "description": "Tables of other programs that refer to the row in `users`, which is therefore only emptied.",
            },
        ),
        "Health": _object("status service", status={"const": "healthy"}, service=_WORDS),
        "SignUp": _object(
            "email password",
            "The names of further members are those that existing pages use, in camelCase or snake_case; all may be missing.",
            email=ref("Email"),
            password={"type": "string", "minLength": MIN_PASSWORD_CHARACTERS, "maxLength": MAX_PASSWORD_CHARACTERS},
            **{name: {"description": "Used if it is a text."} for name in _ABOUT_USER},
            questionnaire={"description": "An object is captured as a questionnaire."},
            screenshot={"description": "A picture in base64, captured with the questionnaire."},
        ),
        "Login": _object(
            "email password",
            email=ref("Email"),
            password={"type": "string", "minLength": 1, "maxLength": MAX_PASSWORD_CHARACTERS},
        ),
        "SignUpRequested": _object(
            "success verification_required message msg user",
            success=_DONE, verification_required=_DONE, message=_WORDS, msg=_WORDS,
            user=_object(
                "email username fullName plan_type",
                "What the sign-up said.",
                email=_WORDS, username=_WORDS_OR_NULL, fullName=_WORDS_OR_NULL, plan_type=_WORDS_OR_NULL,
            ),
        ),
        "Recovery": _object("email", email=ref("Email")),
        "Accepted": _object("success message msg", success=_DONE, message=_WORDS, msg=_WORDS),
        "LinkUse": _object(
            "token password",
            token={"type": "string", "minLength": 1, "description": "What stands behind `#token=` in the link."},
            password={"type": "string", "minLength": MIN_PASSWORD_CHARACTERS, "maxLength": MAX_PASSWORD_CHARACTERS},
            consent_accepted={"type": "boolean", "description": "Whether the link's holder consents to what the sign-up did."},
        ),
        "Account": _object(
            "success message access_token token expires_in user_id user",
            success=_DONE, message=_WORDS, msg=_WORDS, access_token=_WORDS, token=_WORDS,
            expires_in={"type": "integer", "description": "In seconds."},
            user_id={"type": "integer"},
            user=_object(
                "id username email plan_type unique_id fullName",
                id={"type": "integer"}, username=_WORDS, email=_WORDS, plan_type=_WORDS,
                unique_id={"type": ["string", "null"]}, fullName=_WORDS,
            ),
        ),
    }  # fmt: skip
    for kind in KINDS.values():
        schemas[kind.title] = _captured(kind)
        schemas[f"{kind.title}Stored"] = _object(
            f"success {kind.id_name} capture_id message",
            success=_DONE,
            **{kind.id_name: {"type": "integer"}},
            capture_id=_WORDS,
            message=_WORDS,
            duplicate={"const": True, "description": "It says nothing new."},
            warnings={
                **_FIELDS_AND_WHY,
                "description": "Fields that were not understood, and stored as NULL.",
            },
        )
    return schemas


def _email(but_in_domain: str = "") -> Json:
    """An address as `normalise_email` takes it; JSON Schema's format "email" is another, narrower notion."""
    unseen, around = _unseen(), r"[ \t\r\n]*"
    trimmed = rf"(?=[^ \t\r\n]{{3,{MAX_EMAIL_CHARACTERS}}}{around}$)[^@{unseen}]+@[^@{unseen}{but_in_domain}]+"
    return {
        "type": "string",
        "pattern": f"^{around}{trimmed}{around}$",
        "maxLength": MAX_GIVEN_CHARACTERS,
        "description": "One @, something on both sides of it, and nothing that can't be seen; capitals make no difference.",
    }


@cache
def _unseen() -> str:
    """All characters that an address can't have, as ranges in a regular expression's brackets.

    Spelled out, since Python's expressions, of which test cases are made, have no `\\p{Cf}`. Surrogates are in no JSON text.
    """
    codes = [
        code
        for code in range(sys.maxunicode + 1)
        if not 0xD800 <= code <= 0xDFFF and is_unseen(chr(code))
    ]
    ranges = [
        [code for _, code in group]
        for _, group in groupby(enumerate(codes), lambda item: item[1] - item[0])
    ]
    return "".join(f"{chr(codes[0])}-{chr(codes[-1])}" for codes in ranges)


def _captured(kind: Kind) -> Json:
    """What a capture of this kind may hold, a property a column; the words are those of the column's reader."""
    properties: Json = {}
    for one in kind.fields:
        also = f" Also sent as {', '.join(one.names)}." if one.names else ""
        properties[one.column] = {"description": f"{_first_sentence(one.read.__doc__)}{also}"}
    sections = f" Fields may also lie in {', '.join(kind.sections)}." if kind.sections else ""
    return {
        "type": "object",
        "description": f"Somebody's email address is needed, under one of the names that pages have for it.{sections}",
        "properties": properties,
        "anyOf": [_object(name, **{name: ref("Email")}) for name in _EMAIL_NAMES],
    }


def _first_sentence(doc: str | None) -> str:
    sentence = " ".join((doc or "").split()).partition(". ")[0]
    return sentence.removesuffix(".") + "."
