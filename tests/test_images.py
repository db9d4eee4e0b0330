"""Test screenshots: pictures are stored unchanged, and other content becomes NULL."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from data_capture.images import MAX_PICTURE_BYTES, NotAPicture, check_picture
from tests.support.services import RunningService

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(200))
WEBP = b"RIFF\xd8\x00\x00\x00WEBPVP8 " + bytes(range(200))
GIF = b"GIF89a" + bytes(range(200))
NOT_A_PICTURE = "is not a picture (PNG, JPEG or WebP) in base64, so it was stored as NULL"


def encode_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def read_stored(
    service: RunningService, user: str
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    [row] = service.rows("SELECT * FROM questionnaire_data WHERE user_email = ?", user)
    [record] = service.rows("SELECT * FROM data_capture_audit WHERE user_email = ?", user)
    return row, record, json.loads(record["data_snapshot"])


@pytest.mark.parametrize(
    ("content", "media_type"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")]
)
@pytest.mark.parametrize(
    "prefix", ["", "data:image/png;base64,", "data:application/octet-stream;base64,"]
)
def test_a_picture_is_stored_unchanged_and_described_in_the_snapshot(
    capture_service: RunningService, user: str, content: bytes, media_type: str, prefix: str
) -> None:
    given = prefix + encode_base64(content)
    payload = {
        "user_email": user,
        "screenshot": given,
        "answers": {"again": given, "propFirm": "FTMO"},
    }
    response = capture_service.capture("questionnaire", payload)
    assert (response.status_code, response.json().get("warnings")) == (201, None)
    row, record, snapshot = read_stored(capture_service, user)
    description = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "type": media_type,
    }
    assert snapshot == {
        "user_email": user,
        "screenshot": description,
        "answers": {"again": description, "propFirm": "FTMO"},
    }
    assert row["account_screenshot"] == given
    assert (row["screenshot_type"], row["screenshot_size"]) == (media_type, len(content))
    assert record["status"] == "success"


def test_the_media_type_is_detected_from_the_content(
    capture_service: RunningService, user: str
) -> None:
    payload = {
        "user_email": user,
        "account_screenshot": encode_base64(JPEG),
        "screenshot_type": "image/png",
        "screenshot_size": 17,
    }
    capture_service.capture("questionnaire", payload)
    row, _, snapshot = read_stored(capture_service, user)
    assert (row["screenshot_type"], row["screenshot_size"]) == ("image/jpeg", 17)
    assert snapshot["screenshot_type"] == "image/png"


@pytest.mark.parametrize(
    "given",
    [
        "data:image/gif;base64," + encode_base64(GIF),
        encode_base64(GIF + bytes(10_000)),
        encode_base64(
            b"%PDF-1.7" + bytes(1_500_000)
        ),  # larger than a body without a picture may be
        "data:image/svg+xml," + "<svg onload=alert(1)>",
        "data:image/png;base64," + encode_base64(b"<html>" + bytes(10_000)),
    ],
    ids=["gif", "long gif", "pdf", "svg", "html"],
)
def test_other_files_are_stored_as_null_with_a_warning(
    capture_service: RunningService, user: str, given: str
) -> None:
    response = capture_service.capture(
        "questionnaire", {"user_email": user, "screenshot": given, "propFirm": "FTMO"}
    )
    assert response.status_code == 201
    assert response.json()["warnings"] == [{"field": "screenshot", "message": NOT_A_PICTURE}]
    row, record, snapshot = read_stored(capture_service, user)
    assert (row["account_screenshot"], row["prop_firm"]) == (None, "FTMO")
    assert (record["status"], record["error_details"]) == ("partial", f"screenshot {NOT_A_PICTURE}")
    assert snapshot["screenshot"] == {
        "sha256": hashlib.sha256(given.encode()).hexdigest(),
        "size": len(given.encode()),
        "type": None,
    }


def test_a_url_instead_of_a_picture_is_kept_in_the_snapshot(
    capture_service: RunningService, user: str
) -> None:
    given = "https://files.example.com/screenshots/account.png"
    response = capture_service.capture("questionnaire", {"user_email": user, "screenshot": given})
    assert [warning["field"] for warning in response.json()["warnings"]] == ["screenshot"]
    row, _, snapshot = read_stored(capture_service, user)
    assert (row["account_screenshot"], snapshot["screenshot"]) == (None, given)


@pytest.mark.parametrize(
    "given",
    [
        encode_base64(PNG),
        encode_base64(PNG).rstrip("="),
        "iVBORw0KGgo=",
        base64.encodebytes(PNG).decode(),
        "DATA:image/PNG;BASE64," + encode_base64(PNG),
        encode_base64(b"\xff\xd8\xff" + bytes(MAX_PICTURE_BYTES - 3)),
    ],
    ids=lambda given: given[:20],
)
def test_pictures_are_accepted(given: str) -> None:
    check_picture(given)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (None, "not a picture"),
        (17, "not a picture"),
        ({}, "not a picture"),
        ("account.png", "not a picture"),
        ("iVBORw0K", "not a picture"),
        ("iVBORw0KGgo \n4111111111111111\n", "not a picture"),
        (encode_base64(PNG) + "!", "not a picture"),
        (encode_base64(WEBP.replace(b"WEBP", b"WAVE")), "not a picture"),
        ("data:image/png;name=4111111111111111;base64," + encode_base64(PNG), "not a picture"),
        (encode_base64(PNG[:12]).rstrip("=") + "A", "not whole base64"),
        (encode_base64(PNG + bytes(MAX_PICTURE_BYTES)), "larger than 10,485,760 bytes"),
    ],
    ids=lambda given: str(given)[:20],
)
def test_values_that_are_not_pictures_are_rejected(given: Any, reason: str) -> None:
    with pytest.raises(NotAPicture, match=reason):
        check_picture(given)
