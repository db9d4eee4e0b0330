"""The schemas of captures, generated from the fields of each kind."""

from __future__ import annotations

from data_capture.capture.capture_target import TARGET
from data_capture.capture.kinds import KINDS, Kind
from data_capture.capture.partial_mark import PARTIAL
from data_capture.openapi.schema_parts import (
    FIELD_MESSAGES,
    INTEGER,
    TEXT,
    TRUE,
    Json,
    object_schema,
    ref,
)
from data_capture.web.requests import MAX_CAPTURES_IN_A_BATCH

_EMAIL_NAMES = ("user_email", "email")


def capture_schemas() -> dict[str, Json]:
    """Return the schemas of captures, batches and their responses, by name."""
    schemas = {
        "Batch": _batch_schema(),
        "BatchResponse": _batch_response_schema(),
        "Unattributed": _unattributed_schema(),
    }
    for kind in KINDS.values():
        schemas[kind.title] = _capture_schema(kind)
        schemas[f"{kind.title}Stored"] = _stored_schema(kind)
    return schemas


def _batch_schema() -> Json:
    captures: Json = {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_CAPTURES_IN_A_BATCH,
        "items": {
            "description": f"A capture with its type: {', '.join(KINDS)}. An invalid one gets its "
            "own error.",
        },
    }
    return object_schema("captures", captures=captures)


def _batch_response_schema() -> Json:
    answers: Json = {
        "type": "array",
        "items": object_schema("status success", status=INTEGER, success={"type": "boolean"}),
    }
    return object_schema(
        "success message answers",
        success={"type": "boolean", "description": "Whether all captures were stored."},
        message=TEXT,
        answers=answers,
    )


def _unattributed_schema() -> Json:
    return object_schema(
        "success unattributed capture_id message",
        success=TRUE,
        unattributed=TRUE,
        capture_id=TEXT,
        message=TEXT,
    )


def _capture_schema(kind: Kind) -> Json:
    """Return the schema of a capture, with one property for each column and fact.

    The description of the column's converter describes the property.
    """
    properties: Json = {}
    for field in kind.parsed_fields:
        aliases = ", ".join(alias.lstrip(".*") for alias in field.aliases)
        names = f" Also sent as {aliases}." if aliases else ""
        description = f"{field.converter.description}{names}"
        properties[field.column] = {"description": description}
    if kind.repetition is not None:
        properties[PARTIAL] = {
            "description": "true: the capture says only what changed, and is laid over the user's "
            "latest state. What it leaves out keeps its value.",
        }
    properties[TARGET] = {
        "description": "The path and query of the page's PUT or PATCH, such as "
        "/rest/v1/payments?id=eq.77. With it, the address may be missing: the capture belongs to "
        "the user whose row has this id in earlier captures.",
    }
    sections = f" Fields may also be in {', '.join(kind.sections)}." if kind.sections else ""
    return {
        "type": "object",
        "description": "The user's email address is required, under one of the names that pages "
        f"use for it, unless there is a {TARGET}.{sections}",
        "properties": properties,
        "anyOf": [
            *(object_schema(name, **{name: ref("Email")}) for name in _EMAIL_NAMES),
            object_schema(TARGET, **{TARGET: {**TEXT, "pattern": r"\S"}}),
        ],
    }


def _stored_schema(kind: Kind) -> Json:
    return object_schema(
        f"success {kind.id_name} capture_id message",
        success=TRUE,
        **{kind.id_name: INTEGER},
        capture_id=TEXT,
        message=TEXT,
        updated={
            "const": True,
            "description": "The capture filled columns of a stored row, or the columns are the "
            "same. Its other new fields are in its own audit record.",
        },
        duplicate={"const": True, "description": "The capture contained nothing new."},
        warnings={
            **FIELD_MESSAGES,
            "description": "Fields that could not be read and are stored as NULL, and a "
            "`capture_timestamp` that is not stored.",
        },
    )
