"""An export holds everything that is held on a person, and nothing of anybody else."""

from __future__ import annotations

import base64
import csv
import io
import json
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from data_capture.privacy.export import stream_export
from data_capture.privacy.tables import RECEIPTS, USERS, list_user_tables
from tests.support.erasing import (
    ADMIN,
    TOKEN,
    Marked,
    assert_whole,
    export,
    picture,
    record,
    send,
    store_in,
    user_url,
)
from tests.support.services import REPOSITORY, RunningService, capture_service_in, signup_service_in

ANN, BOB = Marked("ann"), Marked("bob")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A capture service with twelve captures of two people each, one of whom has signed up."""
    directory = tmp_path_factory.mktemp("export")
    running, signup = (
        capture_service_in(directory, EDC_ADMIN_TOKEN=TOKEN),
        signup_service_in(directory),
    )
    running.start()
    signup.start()
    account = {
        "email": ANN.email,
        "password": "correct horse battery",
        "company": ANN.mark("company"),
    }
    assert (
        requests.post(f"{signup.url}/api/auth/register", json=account, timeout=30).status_code
        == 201
    )
    signup.stop()
    send(running, ANN, ANN.captures(12))
    send(running, BOB, BOB.captures(12))
    yield running
    running.stop()


def archive(service: RunningService) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(export(service, ANN.email, "zip")))


def test_export_contains_every_row_of_every_table(service: RunningService) -> None:
    document = json.loads(export(service, ANN.email))
    assert list(document) == ["format", "email", USERS, *list_user_tables(), RECEIPTS]
    for table in list_user_tables():
        condition = "AND capture_type <> 'export'" if table == "data_capture_audit" else ""
        stored = service.rows(
            f"SELECT * FROM {table} WHERE user_email = ? {condition} ORDER BY 1",  # noqa: S608
            ANN.email,
        )
        assert document[table] == stored, table
    assert [
        len(document[table])
        for table in ("payment_data", "questionnaire_data", "dashboard_data", RECEIPTS)
    ] == [3, 3, 3, 12]
    assert {one["capture_id"] for one in document[RECEIPTS]} == {
        one["capture_id"] for one in ANN.captures(12)
    }
    [account] = document[USERS]
    assert (account["email"], account["password_hash"]) == (ANN.email, "[redacted]")
    text = json.dumps(document)
    assert "argon2" not in text
    assert BOB.name not in text
    for name in ("plan", "detail", "unknown", "company", "agent"):
        assert ANN.mark(name) in text


def test_exports_are_byte_identical_and_each_has_an_audit_record(service: RunningService) -> None:
    recorded = "SELECT * FROM data_capture_audit WHERE capture_type = 'export' AND user_email = ? ORDER BY id"
    before = len(service.rows(recorded, ANN.email))
    assert export(service, ANN.email) == export(service, ANN.email)
    assert export(service, ANN.email, "zip") == export(service, ANN.email.upper(), "zip")
    records = service.rows(recorded, ANN.email)
    assert len(records) == before + 4
    assert records[-1]["source_endpoint"] == "/api/data-capture/users/<path:email>/export"
    assert_whole(service)


def test_zip_contains_the_json_a_csv_per_table_and_the_screenshots(
    service: RunningService,
) -> None:
    with archive(service) as content:
        assert content.testzip() is None
        document = json.loads(content.read("export.json"))
        pictures = [one["account_screenshot"] for one in document["questionnaire_data"]]
        assert pictures == [
            f"screenshots/questionnaire_data-{one['id']}.png"
            for one in document["questionnaire_data"]
        ]
        for name in pictures:
            assert content.read(name) == base64.b64decode(
                picture(ANN.mark("picture")).partition(",")[2]
            )
        for table in (USERS, *list_user_tables(), RECEIPTS):
            lines = list(csv.DictReader(io.StringIO(content.read(f"{table}.csv").decode())))
            assert lines == [
                {k: "" if v is None else str(v) for k, v in row.items()} for row in document[table]
            ], table


def test_spreadsheet_formula_is_escaped_in_the_csv(service: RunningService) -> None:
    formula = '=HYPERLINK("http://192.0.2.1")'
    assert (
        service.capture(
            "payment", {"user_email": "formula@example.com", "plan_name": formula}
        ).status_code
        == 201
    )
    with zipfile.ZipFile(io.BytesIO(export(service, "formula@example.com", "zip"))) as content:
        [row] = csv.DictReader(io.StringIO(content.read("payment_data.csv").decode()))
        assert row["plan_name"] == f"'{formula}"
        assert json.loads(content.read("export.json"))["payment_data"][0]["plan_name"] == formula


@pytest.mark.parametrize(
    ("address", "form", "status"),
    [
        ("nobody@example.com", "json", 404),
        ("nobody@example.com", "zip", 404),
        ("nobody", "json", 422),
        (ANN.email, "xml", 422),
    ],
)
def test_invalid_export_request_gets_an_error(
    service: RunningService, address: str, form: str, status: int
) -> None:
    answer = requests.get(
        f"{user_url(service, address)}/export", params={"format": form}, headers=ADMIN, timeout=10
    )
    assert (answer.status_code, answer.headers["Content-Type"]) == (
        status,
        "application/problem+json",
    )
    assert service.rows("SELECT * FROM users WHERE email LIKE 'nobody%'") == []


@pytest.mark.parametrize("suffix", ["/export", "%2Fexport", "/export?format=json"])
def test_delete_of_an_export_url_gets_405(service: RunningService, suffix: str) -> None:
    answer = requests.delete(f"{user_url(service, ANN.email)}{suffix}", headers=ADMIN, timeout=10)
    assert answer.status_code == 405
    assert "DELETE" not in answer.headers["Allow"]
    options = requests.options(f"{user_url(service, ANN.email)}{suffix}", headers=ADMIN, timeout=10)
    assert "DELETE" not in options.headers["Allow"]
    allowed = requests.options(user_url(service, ANN.email), headers=ADMIN, timeout=10).headers[
        "Allow"
    ]
    assert sorted(allowed.split(", ")) == ["DELETE", "OPTIONS"]


def test_export_is_not_cached_and_its_file_name_has_no_address(service: RunningService) -> None:
    answer = requests.get(f"{user_url(service, ANN.email)}/export", headers=ADMIN, timeout=10)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="export.json"'


def test_export_command_writes_the_same_bytes_as_the_service(
    service: RunningService, tmp_path: Path
) -> None:
    def run(*arguments: Any) -> subprocess.CompletedProcess[bytes]:
        command = [
            sys.executable,
            "-m",
            "data_capture",
            "export",
            "--database",
            str(service.database),
            *map(str, arguments),
        ]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)

    assert run(ANN.email).stdout == export(service, ANN.email)
    target = tmp_path / "ann.zip"
    assert run(ANN.email.upper(), "--format", "zip", "--to", target).returncode == 0
    assert target.read_bytes() == export(service, ANN.email, "zip")
    assert target.stat().st_mode & 0o777 == 0o600
    for refused in (run(ANN.email, "--to", target), run("nobody@example.com"), run("nobody")):
        assert (refused.returncode, refused.stdout, refused.stderr.count(b"\n")) == (1, b"", 1)


def test_export_needs_memory_for_a_few_rows_only(tmp_path: Path) -> None:
    screenshot = picture("large", 2_000_000)
    with closing(store_in(tmp_path)) as store:
        for number in range(12):
            answers = {
                "user_email": ANN.email,
                "tradesPerDay": str(number),
                "screenshot": screenshot,
            }
            record(store, [{"type": "questionnaire", **answers}])
        for form, most_bytes in (("json", 16_000_000), ("zip", 24_000_000)):
            tracemalloc.start()
            written = sum(len(piece) for piece in stream_export(store.database, ANN.email, form))
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert written > 22_000_000
            assert peak < most_bytes, form


def test_large_export_is_streamed(
    service: RunningService,
) -> None:
    user = "large@example.com"
    large = picture(user, 1_000_000)
    for number in range(60):
        capture = {"user_email": user, "screenshot": large, "tradesPerDay": str(number)}
        assert service.capture("questionnaire", capture).status_code == 201
    worker = requests.get(f"{service.url}/api/data-capture/health", timeout=10).json()["pid"]
    Path(f"/proc/{worker}/clear_refs").write_text(
        "5", encoding="ascii"
    )  # from here on its peak counts anew
    before = peak_bytes(worker)
    answer = requests.get(f"{user_url(service, user)}/export", headers=ADMIN, timeout=60)
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert len(answer.json()["questionnaire_data"]) == 60
    # The server takes parts faster than it sends them, so they may all be in memory once; put together, they were nearly thrice.
    assert peak_bytes(worker) - before < len(answer.content) * 2
    with zipfile.ZipFile(io.BytesIO(export(service, user, "zip"))) as content:
        assert content.testzip() is None


def peak_bytes(process: int) -> int:
    """The most memory that a process has had (proc(5), VmHWM)."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
