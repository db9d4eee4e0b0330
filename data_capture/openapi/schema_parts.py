"""The parts that the schemas are composed of."""

from __future__ import annotations

import sys
from functools import cache
from itertools import groupby
from typing import Any

from data_capture.capture.email import MAX_EMAIL_CHARACTERS, MAX_GIVEN_CHARACTERS, is_unseen

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


def email_schema(*, excluded_in_domain: str = "") -> Json:
    r"""Return the schema of an address, as `normalise_email` accepts it.

    JSON Schema's format "email" is narrower.

    Args:
        excluded_in_domain: more characters, as in the brackets of a regular expression.
    """
    unseen, spaces = _unseen_characters(), r"[ \t\r\n]*"
    length = rf"(?=[^ \t\r\n]{{3,{MAX_EMAIL_CHARACTERS}}}{spaces}$)"
    address = rf"{length}[^@{unseen}]+@[^@{unseen}{excluded_in_domain}]+"
    return {
        "type": "string",
        "pattern": f"^{spaces}{address}{spaces}$",
        "maxLength": MAX_GIVEN_CHARACTERS,
        "description": "Text, one @, and text, without invisible characters. Case is ignored.",
    }


# It takes 1.8 s and is needed twice (timeit).
@cache
def _unseen_characters() -> str:
    r"""Return the characters that an address cannot have, for regex brackets.

    They are listed as ranges, because Python's regular expressions, which generate test cases, do
    not have `\p{Cf}`. Surrogates cannot occur in JSON.
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
