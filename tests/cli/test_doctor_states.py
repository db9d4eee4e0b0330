"""Test that the doctor tells the state of services, backups, disks and the audit trail."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from data_capture.audit.head import head_file, read_head_file
from tests.cli.test_doctor import Diagnosis
from tests.support.installations import CommandServer, Installation
from tests.support.services import (
    RunningService,
    capture_service_in,
    eventually,
    free_port,
    signup_service_in,
)

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/net/tcp").exists(), reason="only Linux shows the ports of processes"
)
PORTS = {"capture port", "signup port"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """A running capture service with a database of its own."""
    service = capture_service_in(tmp_path, EDC_REQUEST_SECONDS="0.5")
    service.start()
    yield service
    if service._process is not None:
        service.kill()


@pytest.fixture
def of_service(service: RunningService, server: CommandServer) -> Installation:
    """The installation of `service`, whose port the doctor does not know."""
    return Installation(service.database.parent, server)


class TestServices:
    def test_stopped_services_are_a_note_and_with_expect_running_a_problem(
        self, installation: Installation
    ) -> None:
        diagnosis = Diagnosis(installation)
        assert (diagnosis.notes(), diagnosis.problems()) == (PORTS, set())
        assert "is not running" in diagnosis.answer("capture port")
        assert diagnosis.exit_status == 0
        diagnosis = Diagnosis(installation, "--expect-running")
        assert (diagnosis.notes(), diagnosis.problems()) == (set(), PORTS)
        assert diagnosis.exit_status == 1
        assert "start_enhanced_data_capture.py" in diagnosis.findings["capture port"]["advice"]

    @pytest.mark.slow
    def test_running_services_are_ok_with_expect_running(
        self, capture_service: RunningService, signup_service: RunningService, server: CommandServer
    ) -> None:
        installation = Installation(capture_service.database.parent, server)
        installation.capture_port = capture_service.port
        installation.signup_port = signup_service.port
        diagnosis = Diagnosis(installation, "--expect-running")
        assert diagnosis.problems() == set()
        assert diagnosis.notes() == set()

    @needs_proc
    @pytest.mark.slow
    def test_services_at_other_ports_are_found(
        self, service: RunningService, of_service: Installation, tmp_path: Path
    ) -> None:
        signup = signup_service_in(tmp_path, EDC_HOST="0.0.0.0")  # noqa: S104
        signup.start()
        try:
            diagnosis = Diagnosis(of_service, "--expect-running")
        finally:
            signup.stop()
        assert diagnosis.problems() == set()
        answer = diagnosis.answer("capture port")
        assert answer.startswith(f"the capture service at {service.port} (process ")
        assert answer.endswith("is healthy")
        assert f"the signup service at {signup.port} (process " in diagnosis.answer("signup port")
        diagnosis = Diagnosis(of_service)
        assert diagnosis.notes() == {"signup port"}

    @needs_proc
    @pytest.mark.slow
    def test_a_suspended_service_is_found_at_another_port(
        self, service: RunningService, of_service: Installation
    ) -> None:
        assert service._process is not None
        os.killpg(service._process.pid, 19)  # SIGSTOP
        diagnosis = Diagnosis(of_service, "--quick")
        assert "capture port" in diagnosis.problems()
        assert f"at {service.port} (process " in diagnosis.answer("capture port")
        assert "does not respond" in diagnosis.answer("capture port")
        os.killpg(service._process.pid, 18)

    @needs_proc
    @pytest.mark.slow
    @pytest.mark.parametrize("responds", [True, False])
    def test_another_program_at_the_port_is_named(
        self, installation: Installation, tmp_path: Path, responds: bool
    ) -> None:
        port = installation.signup_port
        program = (
            f"import http.server; http.server.test(port={port}, bind='127.0.0.1')"
            if responds
            else f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); "
            "time.sleep(100)"
        )
        with subprocess.Popen(
            ["python3", "-c", program], cwd=tmp_path, stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        ) as other:  # fmt: skip
            try:
                eventually(lambda: is_listening(port), "the other program listens", 30)
                diagnosis = Diagnosis(installation)
            finally:
                other.kill()
        assert diagnosis.problems() == {"signup port"}
        assert diagnosis.answer("signup port") == (
            f"{port} is in use by another program (python3, process {other.pid})"
        )

    @pytest.mark.slow
    def test_a_service_with_another_database_is_a_problem_if_ours_should_run(
        self, service: RunningService, installation: Installation, tmp_path: Path
    ) -> None:
        installation.capture_port = service.port
        installation.database = tmp_path / "another.db"
        assert Diagnosis(installation).warnings() == {"capture port"}
        assert "capture port" in Diagnosis(installation, "--expect-running").problems()

    @pytest.mark.slow
    def test_an_unhealthy_service_is_a_problem_with_its_reason(
        self, service: RunningService, of_service: Installation
    ) -> None:
        of_service.capture_port = service.port
        assert Diagnosis(of_service, "--request-seconds", 0.2).problems() == set()
        with closing(sqlite3.connect(service.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert service.capture("payment", {"user_email": "a@example.com"}).status_code == 503
            diagnosis = Diagnosis(of_service, "--request-seconds", 0.2)
            assert diagnosis.problems() == {"capture port", "lock"}
            assert diagnosis.answer("capture port").endswith(
                "responds with 503: Another program holds the database's lock."
            )
        assert service.capture("payment", {"user_email": "a@example.com"}).status_code == 201
        assert Diagnosis(of_service, "--request-seconds", 0.2).problems() == set()


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def name_of_backup(age: timedelta) -> str:
    return f"trading_bots-{datetime.now(timezone.utc) - age:%Y%m%dT%H%M%S}.000Z.db"


class TestBackups:
    @pytest.mark.parametrize(
        ("ages_days", "level"),
        [
            ((), "warning"),
            ((0,), "ok"),
            ((1.9,), "ok"),
            ((3,), "warning"),
            ((400, 3), "warning"),
            ((3, 0.5), "ok"),
        ],
    )
    def test_the_newest_backup_must_not_be_old(
        self, installation: Installation, ages_days: tuple[float, ...], level: str
    ) -> None:
        installation.backups.mkdir()
        for days in ages_days:
            shutil.copyfile(
                installation.database, installation.backups / name_of_backup(timedelta(days=days))
            )
        diagnosis = Diagnosis(installation)
        assert diagnosis.findings["backups"]["level"] == level
        if ages_days:
            assert diagnosis.answer("backups").startswith(f"{len(ages_days)} in ")
        else:
            assert "there is no backup in" in diagnosis.answer("backups")
        assert diagnosis.problems() == set()

    def test_a_backup_that_was_modified_long_ago_is_old(self, installation: Installation) -> None:
        installation.backups.mkdir()
        backup = installation.backups / name_of_backup(timedelta(0))
        shutil.copyfile(installation.database, backup)
        assert Diagnosis(installation).warnings() == set()
        week_ago = time.time() - 7 * 86400
        os.utime(backup, (week_ago, week_ago))
        assert Diagnosis(installation).warnings() == {"backups"}

    def test_backups_in_another_folder_are_found(
        self, installation: Installation, tmp_path: Path
    ) -> None:
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        assert installation.run("backup", "--to", folder).status == 0
        assert Diagnosis(installation).warnings() == {"backups"}
        assert Diagnosis(installation, "--backups", folder).warnings() == set()

    def test_nothing_to_back_up_is_ok(self, tmp_path: Path, server: CommandServer) -> None:
        assert Diagnosis(Installation(tmp_path, server)).findings["backups"]["level"] == "ok"


@contextmanager
def read_only_mount(folder: Path) -> Iterator[None]:
    """Mount a folder read-only at its own place."""
    bound = subprocess.run(["mount", "--bind", folder, folder], capture_output=True, check=False)
    if bound.returncode != 0:
        pytest.skip(f"this user can't mount: {bound.stderr.decode().strip()}")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


class TestReadOnly:
    def test_a_read_only_mount_is_named_and_nothing_is_called_damaged(
        self, installation: Installation
    ) -> None:
        folder = installation.directory
        assert Diagnosis(installation).problems() == set()
        with read_only_mount(folder):
            diagnosis = Diagnosis(installation)
        assert {"database file", "database folder", "log file"} <= diagnosis.problems()
        assert "integrity" not in diagnosis.problems()
        for question in ("database file", "database folder"):
            finding = diagnosis.findings[question]
            assert f"because {folder} is mounted read-only" in finding["answer"]
            assert f"mount -o remount,rw {folder}" in finding["advice"]
        assert not diagnosis.answer("integrity").startswith("damaged")
        assert all("restore" not in finding["advice"] for finding in diagnosis.findings.values())
        assert Diagnosis(installation).problems() == set()

    @pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write to every folder")
    def test_a_folder_without_write_permission_is_a_problem(
        self, installation: Installation
    ) -> None:
        installation.directory.chmod(0o500)
        try:
            diagnosis = Diagnosis(installation)
        finally:
            installation.directory.chmod(0o700)
        assert "database folder" in diagnosis.problems()
        assert "integrity" not in diagnosis.problems()


def capture(service: RunningService, number: int) -> None:
    for index in range(number):
        payload = {"user_email": "a@example.com", "transaction_id": f"t-{index}-{free_port()}"}
        assert service.capture("payment", payload).status_code == 201


class TestAuditTrail:
    @pytest.mark.slow
    def test_records_lost_with_a_deleted_wal_are_a_problem(
        self, service: RunningService, of_service: Installation
    ) -> None:
        capture(service, 3)
        service.stop()  # the three are in the file
        service.start()
        capture(service, 4)
        records = len(service.rows("SELECT 1 FROM data_capture_audit"))
        eventually(
            lambda: read_head_file(service.database).audit_id == records, "the head is written", 30
        )
        assert Diagnosis(of_service).findings["audit trail"]["level"] == "ok"
        service.kill()
        assert Diagnosis(of_service).findings["audit trail"]["level"] == "ok"
        for suffix in ("-wal", "-shm"):
            service.database.with_name(f"trading_bots.db{suffix}").unlink()
        diagnosis = Diagnosis(of_service)
        assert diagnosis.problems() == {"audit trail"}
        kept = service.rows("SELECT id, timestamp FROM data_capture_audit ORDER BY id DESC")
        missing = records - kept[0]["id"]
        assert missing >= 4
        assert diagnosis.answer("audit trail").startswith(
            f"{missing} records of {records} are missing, everything since {kept[0]['timestamp']}"
        )
        service.start()  # more records, which get the numbers of the lost ones
        capture(service, 8)
        diagnosis = Diagnosis(of_service)
        assert diagnosis.problems() == {"audit trail"}
        assert f"record {records} is not the one" in diagnosis.answer("audit trail")

    @pytest.mark.slow
    @pytest.mark.parametrize("loss", ["deleted", "emptied"])
    def test_a_lost_database_is_a_problem_and_a_new_folder_is_not(
        self, service: RunningService, of_service: Installation, loss: str
    ) -> None:
        capture(service, 2)
        eventually(
            lambda: read_head_file(service.database).audit_id == 2, "the head is written", 30
        )
        service.stop()
        if loss == "deleted":
            service.database.unlink()
        else:
            os.truncate(service.database, 0)
        diagnosis = Diagnosis(of_service)
        assert diagnosis.problems() == {"audit trail"}
        assert "it had 2 records" in diagnosis.answer("audit trail")
        head_file(service.database).unlink()
        assert Diagnosis(of_service).problems() == set()

    @pytest.mark.parametrize("text", ["", "nonsense", "12:abc"])
    def test_an_unreadable_head_is_a_problem(self, installation: Installation, text: str) -> None:
        head_file(installation.database).write_text(text)
        assert Diagnosis(installation).problems() == {"audit trail"}


@pytest.mark.parametrize(
    ("minimum", "is_problem"), [("0", False), ("900000GB", True), ("1MB", False)]
)
def test_a_disk_below_the_minimum_of_the_services_is_a_problem(
    installation: Installation, minimum: str, is_problem: bool
) -> None:
    diagnosis = Diagnosis(installation, "--min-free-disk", minimum)
    assert ("disk space" in diagnosis.problems()) is is_problem
