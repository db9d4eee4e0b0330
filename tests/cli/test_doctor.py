"""Test `python3 -m data_capture doctor` with every state of an installation."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest
import requests

from data_capture.audit.head import head_file
from tests.support.installations import (
    CommandServer,
    Installation,
    damage_file,
    delete_users,
    leave_in_wal,
)
from tests.support.services import RunningService, eventually

QUESTIONS = [
    "capture port",
    "signup port",
    "access",
    "database file",
    "database folder",
    "keys",
    "integrity",
    "foreign keys",
    "audit trail",
    "lock",
    "SQLite version",
    "write-ahead log",
    "disk space",
    "log file",
    "leftovers",
    "backups",
]


@pytest.fixture
def installation(installation: Installation) -> Installation:
    """An installation with three payments and a backup."""
    installation.backups.mkdir()
    name = f"trading_bots-{datetime.now(timezone.utc):%Y%m%dT%H%M%S}.000Z.db"
    shutil.copyfile(installation.database, installation.backups / name)
    return installation


class Diagnosis:
    """The findings of the doctor, by question."""

    def __init__(self, installation: Installation, *arguments: object) -> None:
        outcome = installation.run("doctor", "--json", *arguments)
        report = json.loads(outcome.output)
        self.exit_status = outcome.status
        self.status = report["status"]
        self.text = outcome.output
        self.findings = {finding["question"]: finding for finding in report["findings"]}
        assert list(self.findings) == QUESTIONS
        assert (self.exit_status == 1) is (self.status == "problem")
        for finding in self.findings.values():
            assert (finding["level"] == "ok") is (finding["advice"] == "")

    def problems(self) -> set[str]:
        """Return the questions whose finding is a problem."""
        return {
            question for question, finding in self.findings.items() if finding["level"] == "problem"
        }

    def warnings(self) -> set[str]:
        """Return the questions whose finding is a warning."""
        return {
            question for question, finding in self.findings.items() if finding["level"] == "warning"
        }

    def notes(self) -> set[str]:
        """Return the questions whose finding is a note."""
        return {
            question for question, finding in self.findings.items() if finding["level"] == "note"
        }

    def answer(self, question: str) -> str:
        """Return the answer to a question."""
        return str(self.findings[question]["answer"])


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder, without the WAL index, which SQLite rebuilds from the WAL."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and not path.name.endswith("-shm")
    }


def test_an_empty_folder_is_no_problem_and_stays_empty(
    tmp_path: Path, server: CommandServer
) -> None:
    diagnosis = Diagnosis(Installation(tmp_path, server))
    assert diagnosis.status == "note"
    assert diagnosis.notes() == {"capture port", "signup port"}
    assert list(tmp_path.iterdir()) == []


def test_a_running_service_is_reported_as_healthy(
    capture_service: RunningService, tmp_path: Path, server: CommandServer
) -> None:
    installation = Installation(tmp_path, server)
    installation.database = capture_service.database
    installation.capture_port = capture_service.port
    diagnosis = Diagnosis(installation)
    assert diagnosis.problems() == set()
    assert f"at {capture_service.port} (process" in diagnosis.answer("capture port")
    assert diagnosis.answer("capture port").endswith("is healthy")
    assert diagnosis.answer("integrity").startswith("intact (full check")
    assert Diagnosis(installation, "--quick").answer("integrity").startswith("intact (quick check")


def test_a_service_over_another_database_is_a_warning(
    capture_service: RunningService, installation: Installation
) -> None:
    installation.capture_port = capture_service.port
    diagnosis = Diagnosis(installation)
    assert diagnosis.warnings() == {"capture port"}
    assert str(capture_service.database) in diagnosis.answer("capture port")


@pytest.mark.slow
def test_another_program_on_a_port_is_a_problem(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", installation.signup_port)) as listener:
        listener.settimeout(0)
        diagnosis = Diagnosis(installation)
    assert diagnosis.problems() == {"signup port"}
    assert "EDC_SIGNUP_PORT" in diagnosis.findings["signup port"]["advice"]


def test_one_port_for_both_services_is_a_problem(installation: Installation) -> None:
    assert Diagnosis(installation, "--signup-port", installation.capture_port).problems() == {
        "signup port"
    }


def test_text_output_has_a_line_per_question_and_advice(installation: Installation) -> None:
    delete_users(installation.database)
    outcome = installation.run("doctor")
    assert outcome.status == 1
    lines = outcome.output.splitlines()
    assert [
        line[9:27].strip()
        for line in lines
        if line.startswith(("ok", "note", "warning", "problem"))
    ] == QUESTIONS
    advice = lines[
        next(number for number, line in enumerate(lines) if line.startswith("problem")) + 1
    ]
    assert advice.strip().startswith("→ someone has changed the file by hand")
    assert lines[-1] == "1 problem, 0 warnings, 2 notes"


def test_broken_references_are_counted_without_naming_users(installation: Installation) -> None:
    delete_users(installation.database)
    diagnosis = Diagnosis(installation)
    assert diagnosis.problems() == {"foreign keys"}
    assert diagnosis.answer("foreign keys").endswith(
        "data_capture_audit (3 rows), payment_data (3 rows)"
    )
    assert "example.com" not in diagnosis.text


def test_broken_references_of_another_programs_table_are_a_warning(
    installation: Installation,
) -> None:
    with closing(sqlite3.connect(installation.database)) as connection, connection:
        connection.execute("CREATE TABLE notes (author INTEGER REFERENCES users (id))")
        connection.execute("INSERT INTO notes VALUES (99)")
    assert Diagnosis(installation).warnings() == {"foreign keys"}


def test_a_damaged_database_is_a_problem(installation: Installation, tmp_path: Path) -> None:
    damage_file(installation.database)
    diagnosis = Diagnosis(installation)
    assert "integrity" in diagnosis.problems()
    assert diagnosis.answer("integrity").startswith("damaged: ")
    assert "restore" in diagnosis.findings["integrity"]["advice"]
    assert "example.com" not in diagnosis.text


@pytest.mark.parametrize("content", [b"not a database at all, but a text" * 100, b"\xa5" * 8192])
def test_a_file_that_is_not_a_database_is_a_problem(
    installation: Installation, content: bytes
) -> None:
    installation.database.write_bytes(content)
    assert "is not an SQLite database" in Diagnosis(installation).answer("integrity")
    assert installation.database.read_bytes() == content


def test_a_read_only_database_is_a_problem(installation: Installation) -> None:
    installation.database.chmod(0o444)
    diagnosis = Diagnosis(installation)
    assert "database file" in diagnosis.problems()
    assert "chmod u+rw" in diagnosis.findings["database file"]["advice"]


def test_a_database_readable_by_others_is_a_warning_and_a_key_a_problem(
    installation: Installation,
) -> None:
    installation.database.chmod(0o644)
    keys = installation.directory / "trading_bots.keys"
    keys.mkdir(mode=0o700, exist_ok=True)
    (keys / "token-signing.key").write_text("00" * 32)
    (keys / "token-signing.key").chmod(0o640)
    diagnosis = Diagnosis(installation)
    assert (diagnosis.warnings(), diagnosis.problems()) == ({"database file"}, {"keys"})
    (keys / "token-signing.key").chmod(0o600)
    keys.chmod(0o755)
    assert Diagnosis(installation).findings["keys"]["advice"] == f"chmod 700 {keys}"


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[RunningService]:
    """A capture service of the test's own, whose files it may damage."""
    service = RunningService(
        "enhanced_data_capture_system.py", "/api/data-capture/health", tmp_path
    )
    service.start()
    yield service
    service.stop()


@pytest.fixture
def own_installation(own_service: RunningService, server: CommandServer) -> Installation:
    """The installation of `own_service`."""
    installation = Installation(own_service.database.parent, server)
    installation.database, installation.capture_port = own_service.database, own_service.port
    return installation


@pytest.mark.slow
@pytest.mark.parametrize("name", ["audit.key", ""], ids=["key", "folder"])
def test_lost_keys_of_a_running_service_are_a_problem(
    own_service: RunningService, own_installation: Installation, name: str
) -> None:
    requests.post(
        f"{own_service.url}/api/data-capture/payment",
        json={"user_email": "ann@example.com", "final_price": 5},
        timeout=30,
    ).raise_for_status()
    eventually(head_file(own_service.database).exists, "the head was noted")
    assert Diagnosis(own_installation).problems() == set()
    keys = own_service.database.with_name("trading_bots.keys")
    lost, aside = keys / name, keys.with_name("lost")
    lost.rename(aside)
    diagnosis = Diagnosis(own_installation)
    assert "keys" in diagnosis.problems()
    assert "audit.key is missing" in diagnosis.answer("keys")
    assert f"copy {keys} back" in diagnosis.findings["keys"]["advice"]
    aside.rename(lost)
    assert Diagnosis(own_installation).problems() == set()


@pytest.mark.slow
def test_a_service_with_a_damaged_table_is_unhealthy_and_not_another_program(
    own_service: RunningService, own_installation: Installation
) -> None:
    with closing(sqlite3.connect(own_service.database)) as connection:
        connection.execute("ALTER TABLE data_capture_erasures RENAME TO lost")
    diagnosis = Diagnosis(own_installation)
    assert "capture port" in diagnosis.problems()
    assert "responds with 503: The database can't be used" in diagnosis.answer("capture port")
    health = requests.get(f"{own_service.url}/api/data-capture/health", timeout=30)
    assert (health.status_code, health.json()["service"]) == (503, "enhanced-data-capture")


@pytest.mark.parametrize(
    "begin", ["BEGIN IMMEDIATE", "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE"]
)
def test_a_lock_of_another_program_is_a_problem(installation: Installation, begin: str) -> None:
    with closing(sqlite3.connect(installation.database, isolation_level=None)) as other:
        other.executescript(begin)
        other.execute("INSERT INTO payment_data (user_email) VALUES ('p@example.com')")
        diagnosis = Diagnosis(installation, "--request-seconds", 0.2)
    assert "lock" in diagnosis.problems()
    if Path("/proc/self/fd").exists():
        assert f"(process {os.getpid()})" in diagnosis.answer("lock")


def test_doctor_does_not_change_the_wal_of_a_killed_service(installation: Installation) -> None:
    leave_in_wal(installation.database, 5)
    before = read_files(installation.directory)
    assert Diagnosis(installation).status == "note"
    assert read_files(installation.directory) == before


def test_doctor_creates_no_lock_file(
    installation: Installation,
) -> None:
    (installation.directory / "trading_bots.db-gate").unlink()
    assert Diagnosis(installation).status == "note"
    assert not (installation.directory / "trading_bots.db-gate").exists()


@pytest.mark.parametrize("loss", ["deleted", "emptied"])
def test_a_wal_without_its_database_is_a_problem_and_is_kept(
    installation: Installation, loss: str
) -> None:
    leave_in_wal(installation.database, 5)
    if loss == "deleted":
        installation.database.unlink()
    else:
        os.truncate(installation.database, 0)
    before = read_files(installation.directory)
    assert "write-ahead log" in Diagnosis(installation).problems()
    assert read_files(installation.directory) == before


def test_a_large_wal_is_a_warning(installation: Installation) -> None:
    with (installation.directory / "trading_bots.db-wal").open("wb") as wal:
        wal.truncate(100_000_000)
    assert "write-ahead log" in Diagnosis(installation).warnings()


def test_missing_folders_are_problems(tmp_path: Path, server: CommandServer) -> None:
    installation = Installation(tmp_path, server)
    installation.database = tmp_path / "nowhere" / "trading_bots.db"
    installation.log_file = tmp_path / "nowhere" / "enhanced_data_capture.log"
    assert Diagnosis(installation).problems() == {"database folder", "log file"}
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_place_of_the_log_file_is_a_problem(installation: Installation) -> None:
    installation.log_file.mkdir()
    assert Diagnosis(installation).problems() == {"log file"}


def test_leftover_files_of_a_killed_backup_or_restore_are_named(installation: Installation) -> None:
    leftovers = [
        "backups/trading_bots-20240115T103000.000Z.db.partial",
        "trading_bots.restoring.partial",
    ]
    for name in leftovers:
        (installation.directory / name).write_text("")
    leftovers.append("trading_bots.before-restore-20240115T103000.000Z.db")
    os.link(installation.database, installation.directory / leftovers[-1])
    diagnosis = Diagnosis(installation)
    assert diagnosis.warnings() == {"leftovers"}
    assert all(name in diagnosis.answer("leftovers") for name in leftovers)
