"""Test `python3 test_enhanced_data_capture.py --live`, which checks a running system.

It deletes its test user. Only anonymised audit records remain.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from data_capture.cli.live_check import PSEUDONYM
from tests.support.documentation import FOLDER, documented_output
from tests.support.managed import RunningManager
from tests.support.services import REPOSITORY, free_port, rows

CHAIN = "data_capture_audit_chain"


@pytest.fixture
def system(tmp_path: Path, user: str) -> Iterator[RunningManager]:
    """A running system whose database has one user."""
    manager = RunningManager(tmp_path).wait_until_running()
    payment = {"user_email": user, "final_price": "9.90"}
    url = f"{manager.urls['capture']}/api/data-capture/payment"
    assert requests.post(url, json=payment, timeout=60).status_code == 201
    yield manager
    manager.clean_up()


def check_live(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "test_enhanced_data_capture.py"), "--live", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def signup_port_of(system: RunningManager) -> str:
    return system.urls["signup"].rsplit(":", 1)[1]


def read_tables(database: Path) -> dict[str, list[dict[str, object]]]:
    """Return the rows of all tables, without the test user's anonymised audit records.

    The audit chain and the numbers of AUTOINCREMENT are left out, because they only grow.
    """
    tables = rows(
        database,
        "SELECT name FROM sqlite_master "
        "WHERE type = 'table' AND name NOT IN ('sqlite_sequence', ?)",
        CHAIN,
    )
    found = {table["name"]: rows(database, f"SELECT * FROM {table['name']}") for table in tables}  # noqa: S608
    return {
        table: [
            row for row in table_rows if PSEUDONYM not in (row.get("email"), row.get("user_email"))
        ]
        for table, table_rows in found.items()
    }


def assert_audit_trail_verifies(database: Path) -> None:
    """Verify the audit trail, which also proves that records were only added."""
    command = [sys.executable, "-m", "data_capture", "verify-audit", "--database", str(database)]
    verified = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.slow
def test_live_check_passes_and_deletes_its_test_user(
    system: RunningManager,
) -> None:
    before = read_tables(system.database)
    checked = check_live(system.urls["capture"], "--signup-port", signup_port_of(system))
    assert checked.returncode == 0, checked.stderr
    output = checked.stdout.replace(str(system.database.parent), FOLDER)
    for service, port in (("capture", 5003), ("signup", 5001)):
        output = output.replace(system.urls[service], f"http://127.0.0.1:{port}")
    assert output.rstrip("\n") == documented_output("docs/getting-started.md", "Checking http")
    assert read_tables(system.database) == before
    assert_audit_trail_verifies(system.database)
    for file in system.database.parent.glob("trading_bots.db*"):
        assert b"live-check-" not in file.read_bytes(), file
    assert system.stop() == 0
    system.assert_database_is_intact()


class BrokenCaptureService(BaseHTTPRequestHandler):
    """A service that reports to be healthy, and responds with 500 to each capture."""

    database: Path

    def do_GET(self) -> None:
        self.respond(
            200,
            {
                "status": "healthy",
                "service": "enhanced-data-capture",
                "database": str(self.database),
            },
        )

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.respond(500, {"detail": "This is broken."})

    def respond(self, status: int, members: dict[str, str]) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(members).encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.mark.slow
def test_live_check_reports_a_failure_and_deletes_its_test_user(system: RunningManager) -> None:
    before = read_tables(system.database)
    BrokenCaptureService.database = system.database
    with ThreadingHTTPServer(("127.0.0.1", 0), BrokenCaptureService) as broken:
        threading.Thread(target=broken.serve_forever, daemon=True).start()
        checked = check_live(
            f"http://127.0.0.1:{broken.server_port}", "--signup-port", signup_port_of(system)
        )
        broken.shutdown()
    assert checked.returncode == 1
    assert "ok  signed up a test user" in checked.stdout
    assert "FAILED" in checked.stderr
    assert "answered 500: This is broken." in checked.stderr
    assert "Traceback" not in checked.stderr
    assert read_tables(system.database) == before


@pytest.mark.slow
def test_live_check_without_services_says_how_to_start_them() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    checked = check_live(url)
    assert checked.returncode == 1
    assert f"Nothing answers at {url}/api/data-capture/health" in checked.stderr
    assert "python3 start_enhanced_data_capture.py" in checked.stderr
