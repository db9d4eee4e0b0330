"""Test the log file: its format, its rotation, and a file that cannot be written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from data_capture.server.logging import LOG_FILE_BYTES, OLD_LOG_FILES
from tests.support.managed import LOG_LINE
from tests.support.services import REPOSITORY, capture_service_in


@pytest.mark.slow
def test_unwritable_log_file_is_reported_and_the_service_runs(tmp_path: Path, user: str) -> None:
    service = capture_service_in(tmp_path, EDC_LOG_FILE=str(tmp_path))
    try:
        service.start()
        assert service.capture("payment", {"user_email": user}).status_code == 201
    finally:
        service.stop()
    output = service.output.read_text()
    assert (
        f"The log file {tmp_path} can't be written (Is a directory); "
        "the log goes to the console only."
    ) in output
    assert "INFO capture Listening on" in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_log_lines_have_one_format(tmp_path: Path, user: str) -> None:
    service = capture_service_in(tmp_path, EDC_DEBUG="1")
    try:
        service.start()
        assert service.capture("payment", {"user_email": user}).status_code == 201
    finally:
        service.stop()
    logged = service.log_file.read_text()
    assert all(LOG_LINE.match(line) for line in logged.splitlines())
    assert re.search(r"Z DEBUG capture POST /api/data-capture/payment -> 201 in [\d.]+ ms", logged)
    assert user not in logged
    assert service.log_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_log_rotation_with_two_writers_loses_and_splits_no_line(
    tmp_path: Path,
) -> None:
    log_file = tmp_path / "shared.log"
    program = f"""
import logging, sys
sys.path.insert(0, {str(REPOSITORY)!r})
from data_capture.server.logging import configure_logging
from data_capture.web import error_handlers
from data_capture.settings import load_settings
configure_logging(sys.argv[1], load_settings({{"log_file": {str(log_file)!r}}}))
for number in range(60_000):
    logging.getLogger("data_capture").info("%06d %s", number, "x" * 100)
"""
    writers = [
        subprocess.Popen([sys.executable, "-c", program, name], stderr=subprocess.DEVNULL)
        for name in ("capture", "signup")
    ]
    for writer in writers:
        assert writer.wait(timeout=300) == 0
    files = sorted(tmp_path.glob("shared.log*"))
    assert 1 < len(files) <= 1 + OLD_LOG_FILES
    assert all(file.stat().st_size <= LOG_FILE_BYTES + 200 for file in files)
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    seen: dict[str, set[int]] = {"capture": set(), "signup": set()}
    for line in (line for file in files for line in file.read_text().splitlines()):
        found = re.fullmatch(r"\S+Z INFO (capture|signup) (\d{6}) x{100}", line)
        assert found, line
        seen[found.group(1)].add(int(found.group(2)))
    assert all(numbers == set(range(60_000)) for numbers in seen.values())
