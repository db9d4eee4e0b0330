"""Test exports: all data of one user, and none of other users."""

from __future__ import annotations

import base64
import csv
import io
import json
import subprocess
import sys
import tracemalloc
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from data_capture.privacy.csv_format import format_line
from data_capture.privacy.export import stream_export
from data_capture.privacy.tables import RECEIPTS, USERS, list_user_tables
from tests.support.erasing import (
    ADMIN,
    TOKEN,
    TraceableUser,
    assert_whole,
    export,
    make_screenshot,
    send_captures,
    store_captures,
    store_in,
    user_url,
)
from tests.support.services import REPOSITORY, RunningService, capture_service_in, signup_service_in

ANN, BOB = TraceableUser("ann"), TraceableUser("bob")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run a capture service with twelve captures of two users each; Ann has an account."""
    directory = tmp_path_factory.mktemp("export")
    running = capture_service_in(directory, EDC_ADMIN_TOKEN=TOKEN)
    signup = signup_service_in(directory)
    running.start()
    signup.start()
    account = {
        "email": ANN.email,
        "password": "correct horse battery",
        "company": ANN.unique_text("company"),
    }
    response = requests.post(f"{signup.url}/api/auth/register", json=account, timeout=30)
    assert response.status_code == 201
    signup.stop()
    send_captures(running, ANN, ANN.captures(12))
    send_captures(running, BOB, BOB.captures(12))
    yield running
    running.stop()


def export_zip(service: RunningService) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(export(service, ANN.email, "zip")))


@pytest.mark.slow
def test_export_contains_every_row_of_every_table(service: RunningService) -> None:
    document = json.loads(export(service, ANN.email))
    assert list(document) == ["format", "email", USERS, *list_user_tables(), RECEIPTS]
    for table in list_user_tables():
        condition = "AND capture_type <> 'export'" if table == "data_capture_audit" else ""
        stored = service.rows(
            f"SELECT * FROM {table} WHERE user_email = ? {condition} ORDER BY 1",  # noqa: S608
            ANN.email,
        )
        in_hexadecimal = [
            {name: one.hex() if isinstance(one, bytes) else one for name, one in row.items()}
            for row in stored
        ]
        assert document[table] == in_hexadecimal, table
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
        assert ANN.unique_text(name) in text


@pytest.mark.slow
def test_exports_are_byte_identical_and_each_has_an_audit_record(service: RunningService) -> None:
    recorded = (
        "SELECT * FROM data_capture_audit WHERE capture_type = 'export' AND user_email = ? "
        "ORDER BY id"
    )
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
    with export_zip(service) as archive:
        assert archive.testzip() is None
        document = json.loads(archive.read("export.json"))
        screenshots = [one["account_screenshot"] for one in document["questionnaire_data"]]
        assert screenshots == [
            f"screenshots/questionnaire_data-{one['id']}.png"
            for one in document["questionnaire_data"]
        ]
        for name in screenshots:
            data_url = make_screenshot(ANN.unique_text("picture"))
            assert archive.read(name) == base64.b64decode(data_url.partition(",")[2])
        for table in (USERS, *list_user_tables(), RECEIPTS):
            lines = list(
                csv.DictReader(io.StringIO(archive.read(f"{table}.csv").decode("utf-8-sig")))
            )
            assert lines == [
                {name: "" if value is None else str(value) for name, value in row.items()}
                for row in document[table]
            ], table


FORMULAS = [
    '=HYPERLINK("http://192.0.2.1")', "=1+1", "+cmd|' /C calc'!A0", "@SUM(1)", "-2+3",
    "-cmd|'x'!A0", "-20.50-1", "--20", "-", "-%", "-A1", "-1 ", "-(2)", "+20",
    "\t=1+1", "\r=1+1", "\n=1+1", "＝1+1", "＋1+1", "－2+3", "＠SUM(1)", "−2+3",
]  # fmt: skip
PLAIN_TEXTS = [
    "-20.50", "-20", "-0.5", "-.5", "-1,250.75", "-20,50", "-1e5", "-2.5E-3", "-1.5%", "−20.50",
    "20.50", "1-2", "a=b", "Müller", " ", "'=1+1", "1+1", "user@example.com", "€ -20",
]  # fmt: skip


def cells_of(service: RunningService, texts: list[str]) -> tuple[bytes, list[str], list[str]]:
    """Return a CSV file with these texts, its cells, and the texts in the JSON document."""
    user = f"csv-{uuid.uuid4().hex}@example.com"
    captures = [{"type": "payment", "user_email": user, "plan_name": text} for text in texts]
    response = service.capture("batch", {"captures": captures})
    assert response.status_code == 200, response.text
    with zipfile.ZipFile(io.BytesIO(export(service, user, "zip"))) as archive:
        content = archive.read("payment_data.csv")
        document = json.loads(archive.read("export.json"))
    lines = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    cells = [line["plan_name"] for line in lines]
    return content, cells, [row["plan_name"] for row in document["payment_data"]]


def test_spreadsheet_formula_gets_an_apostrophe_in_the_csv(service: RunningService) -> None:
    texts = [text for text in FORMULAS if text.strip() == text]
    _, cells, stored = cells_of(service, texts)
    assert stored == texts
    assert cells == [f"'{text}" for text in texts]


@pytest.mark.parametrize("text", FORMULAS)
def test_formula_is_never_written_as_it_is(text: str) -> None:
    [[cell]] = csv.reader(io.StringIO(format_line([text]).decode(), newline=""))
    assert cell == f"'{text}"


@pytest.mark.parametrize("value", [*PLAIN_TEXTS, -20.5, -20, 0, 1.5])
def test_number_and_plain_text_are_written_as_they_are(value: Any) -> None:
    [[cell]] = csv.reader(io.StringIO(format_line([value]).decode(), newline=""))
    assert cell == str(value)


def test_csv_begins_with_a_byte_order_mark(service: RunningService) -> None:
    content, cells, _ = cells_of(service, ["Müller", "-20.50"])
    assert content.startswith(b"\xef\xbb\xbfid,")
    assert content.count(b"\xef\xbb\xbf") == 1
    assert cells == ["Müller", "-20.50"]
    with export_zip(service) as archive:
        for table in (USERS, *list_user_tables(), RECEIPTS):
            assert archive.read(f"{table}.csv").startswith(b"\xef\xbb\xbf"), table
        assert not archive.read("export.json").startswith(b"\xef\xbb\xbf")


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
    response = requests.get(
        f"{user_url(service, address)}/export", params={"format": form}, headers=ADMIN, timeout=30
    )
    assert (response.status_code, response.headers["Content-Type"]) == (
        status,
        "application/problem+json",
    )
    assert service.rows("SELECT * FROM users WHERE email LIKE 'nobody%'") == []


@pytest.mark.parametrize("suffix", ["/export", "%2Fexport", "/export?format=json"])
def test_delete_of_an_export_url_gets_405(service: RunningService, suffix: str) -> None:
    response = requests.delete(f"{user_url(service, ANN.email)}{suffix}", headers=ADMIN, timeout=30)
    assert response.status_code == 405
    assert "DELETE" not in response.headers["Allow"]
    options = requests.options(f"{user_url(service, ANN.email)}{suffix}", headers=ADMIN, timeout=30)
    assert "DELETE" not in options.headers["Allow"]
    options = requests.options(user_url(service, ANN.email), headers=ADMIN, timeout=30)
    assert sorted(options.headers["Allow"].split(", ")) == ["DELETE", "OPTIONS"]


def test_export_is_not_cached_and_its_file_name_has_no_address(service: RunningService) -> None:
    response = requests.get(f"{user_url(service, ANN.email)}/export", headers=ADMIN, timeout=30)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Disposition"] == 'attachment; filename="export.json"'


@pytest.mark.slow
def test_export_command_writes_the_same_bytes_as_the_service(
    service: RunningService, tmp_path: Path
) -> None:
    def run(*arguments: Any) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "data_capture", "export"]
        command += ["--database", str(service.database), *map(str, arguments)]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)

    assert run(ANN.email).stdout == export(service, ANN.email)
    target = tmp_path / "ann.zip"
    assert run(ANN.email.upper(), "--format", "zip", "--to", target).returncode == 0
    assert target.read_bytes() == export(service, ANN.email, "zip")
    assert target.stat().st_mode & 0o777 == 0o600
    for failed in (run(ANN.email, "--to", target), run("nobody@example.com"), run("nobody")):
        assert (failed.returncode, failed.stdout, failed.stderr.count(b"\n")) == (1, b"", 1)


@pytest.mark.slow
def test_export_needs_memory_for_a_few_rows_only(tmp_path: Path) -> None:
    screenshot = make_screenshot("large", 2_000_000)
    with closing(store_in(tmp_path)) as store:
        for number in range(12):
            answers = {"tradesPerDay": str(number), "screenshot": screenshot}
            capture = {"type": "questionnaire", "user_email": ANN.email, **answers}
            store_captures(store, [capture])
        for form, max_bytes in (("json", 16_000_000), ("zip", 24_000_000)):
            tracemalloc.start()
            written = sum(len(piece) for piece in stream_export(store.database, ANN.email, form))
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert written > 22_000_000
            assert peak < max_bytes, form


@pytest.mark.slow
def test_large_export_is_streamed(
    service: RunningService,
) -> None:
    user = "large@example.com"
    large = make_screenshot(user, 1_000_000)
    for number in range(60):
        capture = {"user_email": user, "screenshot": large, "tradesPerDay": str(number)}
        assert service.capture("questionnaire", capture).status_code == 201
    worker = requests.get(f"{service.url}/api/data-capture/health", timeout=30).json()["pid"]
    # Reset the process's peak memory (proc(5), clear_refs).
    Path(f"/proc/{worker}/clear_refs").write_text("5", encoding="ascii")
    before = peak_bytes(worker)
    response = requests.get(f"{user_url(service, user)}/export", headers=ADMIN, timeout=60)
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert len(response.json()["questionnaire_data"]) == 60
    # The server may take all parts before it sends them, so that they are in memory once.
    # Joining them before sending would take nearly three times their size.
    assert peak_bytes(worker) - before < len(response.content) * 2
    with zipfile.ZipFile(io.BytesIO(export(service, user, "zip"))) as archive:
        assert archive.testzip() is None


def peak_bytes(process: int) -> int:
    """Return the peak memory of a process (proc(5), VmHWM)."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
