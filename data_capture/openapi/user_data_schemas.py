"""The schemas of a user's data: statistics, export and erasure."""

from __future__ import annotations

from data_capture.openapi.schema_parts import (
    COUNT,
    TEXT,
    TIME_OR_NULL,
    TRUE,
    Json,
    object_schema,
)
from data_capture.privacy.export import FORMAT
from data_capture.privacy.tables import RECEIPTS, USERS, list_user_tables


def user_data_schemas() -> dict[str, Json]:
    """Return the schemas by name."""
    return {
        "Statistics": _statistics_schema(),
        "Export": _export_schema(),
        "Erasure": _erasure_schema(),
    }


def _statistics_schema() -> Json:
    counts = "payments questionnaires dashboard_updates activities audit_records"
    timestamps = "payment questionnaire dashboard"
    return object_schema(
        "user_email data_counts latest_timestamps total_data_points",
        user_email=TEXT,
        data_counts=object_schema(counts, **dict.fromkeys(counts.split(), COUNT)),
        latest_timestamps=object_schema(
            timestamps, **dict.fromkeys(timestamps.split(), TIME_OR_NULL)
        ),
        total_data_points=COUNT,
    )


def _export_schema() -> Json:
    rows: Json = {"type": "array", "items": {"type": "object"}}
    return object_schema(
        "format email users",
        "One member for each table, with the user's rows.",
        format={"const": FORMAT},
        email=TEXT,
        **dict.fromkeys((USERS, *list_user_tables(), RECEIPTS), rows),
    )


def _erasure_schema() -> Json:
    return object_schema(
        "success complete message erased audit_records_kept pseudonym emptied_for",
        success=TRUE,
        complete={
            "type": "boolean",
            "description": "Whether the data is also deleted from the files' bytes.",
        },
        message=TEXT,
        erased={
            "type": "object",
            "additionalProperties": COUNT,
            "description": "The number of deleted rows by table.",
        },
        audit_records_kept={
            **COUNT,
            "description": "The number of audit records, which now have the pseudonym.",
        },
        pseudonym=TEXT,
        emptied_for={
            "type": "array",
            "items": TEXT,
            "description": "Tables of other programs that refer to the row in `users`, which "
            "therefore was emptied and not deleted.",
        },
    )
