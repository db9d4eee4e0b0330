"""The parts that the schemas are composed of."""

from __future__ import annotations

from typing import Any

from data_capture.capture.email import MAX_EMAIL_CHARACTERS, MAX_GIVEN_CHARACTERS

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
TEXT_OR_NULL: Json = {"type": ["string", "null"]}
INTEGER: Json = {"type": "integer"}
COUNT: Json = {"type": "integer", "minimum": 0}
TIME_OR_NULL: Json = {"type": ["string", "null"], "description": "ISO 8601 in UTC."}
TRUE: Json = {"const": True}


def ref(name: str) -> Json:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def object_schema(required: str = "", description: str = "", /, **properties: Json) -> Json:
    """Return the schema of an object; `required` lists names, separated by spaces."""
    schema: Json = {"type": "object", "properties": properties}
    if description:
        schema["description"] = description
    if required:
        schema["required"] = required.split()
    return schema


FIELD_MESSAGES: Json = {
    "type": "array",
    "items": object_schema("field message", field=TEXT, message=TEXT),
}


def email_schema() -> Json:
    r"""Return the schema of an address that `normalise_email` accepts in any case.

    JSON Schema's format "email" is narrower. The function also accepts other spellings of such an
    address, and addresses in other scripts, which a pattern cannot tell.
    """
    spaces, letter = r"[ \t\r\n]*", "[A-Za-z0-9]"
    length = rf"(?=[^ \t\r\n]{{3,{MAX_EMAIL_CHARACTERS}}}{spaces}$)"
    label = rf"(?![Xx][Nn]--){letter}(?:[A-Za-z0-9_-]{{0,61}}{letter})?"
    local_part = r"[A-Za-z0-9!#$&*+=^_|~.-][A-Za-z0-9!#$&'*+/=?^_`{|}~.-]*"
    address = rf"{length}{local_part}@{label}(?:\.{label})*"
    return {
        "type": "string",
        "pattern": f"^{spaces}{address}{spaces}$",
        "maxLength": MAX_GIVEN_CHARACTERS,
        "description": "An email address; case is ignored. Other spellings, such as "
        "<user@example.com>, and international domains are accepted, too.",
    }
