"""All schemas of requests and responses."""

from __future__ import annotations

from data_capture.openapi.account_schemas import account_schemas
from data_capture.openapi.capture_schemas import capture_schemas
from data_capture.openapi.schema_parts import (
    FIELD_MESSAGES,
    TEXT,
    TRUE,
    Json,
    email_schema,
    object_schema,
)
from data_capture.openapi.user_data_schemas import user_data_schemas
from data_capture.problems import TYPE_PREFIX


def all_schemas() -> dict[str, Json]:
    """Return all schemas by name."""
    return {
        "Email": email_schema(),
        "EmailInPath": email_schema(),
        "Problem": _problem_schema(),
        "Health": object_schema("status service", status={"const": "healthy"}, service=TEXT),
        "WebhookOutcome": object_schema(
            "success outcome",
            success=TRUE,
            outcome={"enum": ["applied", "unmatched", "duplicate", "erased", "ignored"]},
        ),
        **capture_schemas(),
        **user_data_schemas(),
        **account_schemas(),
    }


def _problem_schema() -> Json:
    return object_schema(
        "type title status detail success error message msg",
        "Problem details (RFC 9457), and the members that existing pages read.",
        type={"type": "string", "format": "uri", "pattern": f"^{TYPE_PREFIX}"},
        title=TEXT,
        status={"type": "integer", "minimum": 400, "maximum": 599},
        detail=TEXT,
        success={"const": False},
        error=TEXT,
        message=TEXT,
        msg=TEXT,
        errors=FIELD_MESSAGES,
    )
