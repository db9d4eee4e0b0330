"""Test `python3 -m data_capture backup`, also with damaged files, full disks and kills."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.support.installations import (
    KILLED,
    CommandServer,
    Installation,
    count_payments,
    damage_file,
    delete_users,
    is_intact,
    leave_in_wal,
)
from tests.support.services import RunningService, eventually, rows

BACKUP_NAME = re.compile(r"trading_bots-\d{8}T\d{6}\.\d{3}Z\.db")


@pytest.mark.slow
def test_backup_contains_every_capture_acknowledged_before_it_began(
    capture_service: RunningService, user: str, tmp_path: Path, server: CommandServer
) -> None:
    installation = Installation(tmp_path, server)
    installation.database = capture_service.database
    acknowledged: list[int] = []
    is_over = threading.Event()

    def capture_continuously() -> None:
        with requests.Session() as session:
            while not is_over.is_set():
                payment = {
                    "user_email": user,
                    "final_price": 1,
                    "transaction_id": len(acknowledged),
                }
                response = session.post(
                    f"{capture_service.url}/api/data-capture/payment", json=payment, timeout=60
                )
                assert response.status_code == 201
                acknowledged.append(response.json()["payment_id"])

    sender = threading.Thread(target=capture_continuously)
    sender.start()
    try:
        eventually(lambda: len(acknowledged) > 20, "some captures are acknowledged", 60)
        before = list(acknowledged)
        outcome = installation.run("backup", "--to", tmp_path)
        during = len(acknowledged) - len(before)
    finally:
        is_over.set()
        sender.join()
    assert outcome.status == 0, outcome.errors
    (backup,) = tmp_path.iterdir()  # without a WAL
    copied = {
        row["id"] for row in rows(backup, "SELECT id FROM payment_data WHERE user_email = ?", user)
    }
    assert set(before) <= copied <= set(acknowledged) | {max(acknowledged) + 1}
    assert during > 0
    assert is_intact(backup)
    assert re.fullmatch(
        rf"{re.escape(str(tmp_path))}/{BACKUP_NAME.pattern}: "
        r".*captures? in .* rows, checked, .* s\n",
        outcome.output,
    )


@pytest.mark.slow
def test_backup_ends_while_another_program_writes_continuously(
    large_installation: Installation,
) -> None:
    program = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)\n"
        "connection.execute('PRAGMA journal_mode = WAL')\n"
        "print(flush=True)\n"
        "while True: connection.execute("
        "\"INSERT INTO payment_data (user_email) VALUES ('p@example.com')\")"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program, str(large_installation.database)], stdout=subprocess.PIPE
    )
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        backup = large_installation.start("backup")
        # The writer never stops, so that a backup that waits for it never ends.
        output, errors = backup.communicate(timeout=60)
    finally:
        writer.kill()
        writer.communicate()
    assert backup.returncode == 0, errors
    assert is_intact(Path(output.partition(": ")[0]))


@pytest.mark.slow
def test_backup_is_one_complete_file_that_only_its_owner_can_read(
    installation: Installation,
) -> None:
    with closing(sqlite3.connect(installation.database)) as writer:  # its row is in the WAL
        writer.execute("INSERT INTO payment_data (user_email) VALUES ('p@example.com')")
        writer.commit()
        backup = installation.back_up()
    assert backup.stat().st_mode & 0o777 == 0o600
    assert backup.parent == installation.backups
    assert installation.backups.stat().st_mode & 0o777 == 0o700
    alone = installation.directory / "elsewhere.db"
    alone.write_bytes(backup.read_bytes())
    assert count_payments(alone) == 4
    assert [path.name for path in installation.backups.iterdir()] == [backup.name]


def test_backup_contains_commits_in_the_wal_of_a_killed_writer(installation: Installation) -> None:
    leave_in_wal(installation.database, 7)
    assert count_payments(installation.back_up()) == 10


def test_keep_deletes_the_oldest_backups_and_nothing_else(installation: Installation) -> None:
    installation.backups.mkdir()
    old = [f"trading_bots-2024010{day}T000000.000Z.db" for day in range(1, 6)]
    others = [
        "trading_bots-notes.db",
        "other-20240101T000000.000Z.db",
        "trading_bots-20240101T000000.000Z.db.gz",
    ]
    for name in old + others:
        (installation.backups / name).write_text("")
    (installation.backups / "trading_bots-20230101T000000.000Z.db").mkdir()
    outcome = installation.run("backup", "--keep", 3)
    assert outcome.status == 0, outcome.errors
    remaining = (
        {path.name for path in installation.backups.iterdir()}
        - set(others)
        - {"trading_bots-20230101T000000.000Z.db"}
    )
    assert sorted(remaining)[:2] == old[3:]
    assert len(remaining) == 3
    assert all((installation.backups / name).exists() for name in others)


def test_keep_never_deletes_the_new_backup_after_the_clock_went_back(
    installation: Installation,
) -> None:
    installation.backups.mkdir()
    (installation.backups / "trading_bots-29990101T000000.000Z.db").write_text("")
    outcome = installation.run("backup", "--keep", 1)
    assert outcome.status == 0
    assert [str(path) for path in installation.backups.iterdir()] == [
        outcome.output.partition(": ")[0]
    ]


@pytest.mark.slow
def test_backup_of_a_damaged_database_fails_and_deletes_no_older_backup(
    large_installation: Installation,
) -> None:
    large_installation.backups.mkdir()
    (large_installation.backups / "trading_bots-20240101T000000.000Z.db").write_text("")
    damage_file(large_installation.database)
    outcome = large_installation.run("backup", "--keep", 1)
    assert outcome.status == 1
    assert "is damaged" in outcome.errors
    assert [path.name for path in large_installation.backups.iterdir()] == [
        "trading_bots-20240101T000000.000Z.db"
    ]


def test_backup_on_a_full_disk_leaves_no_file(large_installation: Installation) -> None:
    outcome = large_installation.run("backup", "--keep", 1, limit_bytes=20_000_000)
    assert outcome.status == 1
    assert outcome.errors.startswith("Copying …\nThe copy can't be written to ")
    assert outcome.errors.count("\n") == 2
    assert list(large_installation.backups.iterdir()) == []


def test_broken_references_are_reported_and_do_not_prevent_a_backup(
    installation: Installation,
) -> None:
    delete_users(installation.database)
    outcome = installation.run("backup")
    assert outcome.status == 0
    assert "data_capture_audit (3 rows), payment_data (3 rows)" in outcome.output


@pytest.mark.slow(quick_cases=2)
@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--database", "nothing.db"], 1, "There is no database"),
        (["--database", "text.db"], 1, "is not an SQLite database"),
        (["--database", "empty.db"], 1, "is empty"),
        (
            ["--database", "foreign.db"],
            1,
            "is not a database of Enhanced Data Capture: it has no users",
        ),
        (["--to", "nowhere"], 1, "There is no folder"),
        (["--to", "text.db"], 1, "is not a folder"),
        (["--keep", "0"], 2, "it takes a number, 1 or more"),
    ],
)
def test_a_failed_backup_says_why(
    installation: Installation, arguments: list[str], status: int, message: str
) -> None:
    (installation.directory / "text.db").write_text("no database at all")
    (installation.directory / "empty.db").write_text("")
    with closing(sqlite3.connect(installation.directory / "foreign.db")) as connection, connection:
        connection.execute("CREATE TABLE notes (text TEXT)")
    option, value = arguments
    given = value if option == "--keep" else str(installation.directory / value)
    outcome = installation.run("backup", option, given)
    assert outcome.status == status
    assert message in outcome.errors
    assert "Traceback" not in outcome.errors
    assert not any(
        BACKUP_NAME.search(name) or "partial" in name or "nowhere" in name
        for name in installation.files()
    )


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_backup_leaves_no_file(
    large_installation: Installation, number: signal.Signals
) -> None:
    backup = large_installation.start("backup")
    eventually(
        lambda: list(large_installation.directory.glob("backups/*.partial")),
        "the copy is begun",
        60,
    )
    backup.send_signal(number)
    _, errors = backup.communicate(timeout=60)
    assert backup.returncode == 128 + number
    assert errors.removeprefix("Copying …\n") == "Interrupted.\n"
    assert list(large_installation.backups.iterdir()) == []


@pytest.mark.slow
def test_a_backup_killed_at_any_step_leaves_no_incomplete_backup(
    installation: Installation,
) -> None:
    killed = 0
    while installation.run("backup", killed_before=killed + 1).status == KILLED:
        killed += 1
        for path in installation.backups.glob("*"):
            if BACKUP_NAME.fullmatch(path.name):
                assert is_intact(path)
                assert count_payments(path) == 3
                path.unlink()
    assert killed > 8
    assert [
        path.name for path in installation.backups.iterdir() if not BACKUP_NAME.fullmatch(path.name)
    ] == []


@pytest.mark.slow
def test_the_next_backup_removes_the_files_of_a_killed_backup(
    large_installation: Installation,
) -> None:
    for step in range(4):
        backup = large_installation.start("backup")
        eventually(
            lambda: list(large_installation.directory.glob("backups/*.partial")),
            "the copy is begun",
            60,
        )
        time.sleep(step * 0.05)  # another part of the copy each time
        backup.kill()
        backup.communicate()
        assert all(is_intact(path) for path in large_installation.backups.glob("*.db"))
    last = large_installation.back_up()
    assert count_payments(last) == 6000
    assert [
        path.name
        for path in large_installation.backups.iterdir()
        if not BACKUP_NAME.fullmatch(path.name)
    ] == []
