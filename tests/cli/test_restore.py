"""Test `python3 -m data_capture restore`, also with damaged files, full disks and kills."""

from __future__ import annotations

import os
import pty
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import requests

from data_capture.store.sqlite.lock import WriterLock
from data_capture.store.sqlite.schema import prepare
from tests.support.installations import (
    KILLED,
    CommandServer,
    Installation,
    Outcome,
    add_payments,
    count_payments,
    damage_file,
    delete_users,
    is_intact,
    leave_in_wal,
)
from tests.support.services import REPOSITORY, RunningService, eventually, free_port

_BRIEF_SECONDS = 0.3  # several attempts of the restore, which gives up after two seconds


def previous_database_of(outcome: Outcome) -> Path:
    """Return the path of the previous database, which the output names twice."""
    message = (
        r"The previous database is now (\S+)\. To go back: python3 -m data_capture restore (\S+)$"
    )
    found = re.search(message, outcome.output, re.M)
    assert found is not None, outcome.output + outcome.errors
    assert found[1] == found[2]
    return Path(found[1])


@pytest.mark.slow
def test_restore_replaces_the_database_and_can_be_undone(installation: Installation) -> None:
    backup = installation.back_up()
    add_payments(installation.database, 2)
    outcome = installation.run("restore", backup)
    assert outcome.status == 0, outcome.errors
    assert count_payments(installation.database) == 3
    previous = previous_database_of(outcome)
    assert count_payments(previous) == 5
    outcome = installation.run("restore", previous)
    assert outcome.status == 0, outcome.errors
    assert count_payments(installation.database) == 5
    assert backup.exists()
    assert previous.exists()
    prepare(installation.database)  # as the services do when they start
    assert installation.database.stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_the_old_wal_is_never_applied_to_the_restored_database(
    installation: Installation,
) -> None:
    backup = installation.back_up()
    leave_in_wal(installation.database, 40)
    outcome = installation.run("restore", backup, "--yes")
    assert outcome.status == 0, outcome.errors
    assert count_payments(installation.database) == 3
    assert is_intact(installation.database)
    assert count_payments(previous_database_of(outcome)) == 43  # also the payments in the WAL
    assert not installation.database.with_name("trading_bots.db-wal").exists()


@pytest.mark.slow(quick_cases=1)
@pytest.mark.parametrize("state", ["first bytes overwritten", "emptied", "deleted"])
def test_restore_replaces_an_unreadable_database_and_keeps_its_wal(
    installation: Installation, state: str
) -> None:
    backup = installation.back_up()
    leave_in_wal(installation.database, 40)
    if state == "first bytes overwritten":
        with installation.database.open("r+b") as file:
            file.write(b"\xa5" * 512)
    elif state == "emptied":
        os.truncate(installation.database, 0)
    else:
        installation.database.unlink()
    wal = installation.database.with_name("trading_bots.db-wal").read_bytes()
    outcome = installation.run("restore", backup)
    assert outcome.status == 0, outcome.errors
    assert count_payments(installation.database) == 3
    assert is_intact(installation.database)
    (kept,) = installation.directory.glob("trading_bots.before-restore-*.db-wal")
    assert kept.read_bytes() == wal


@pytest.mark.slow
def test_restore_replaces_a_damaged_database_and_sets_it_aside(
    large_installation: Installation,
) -> None:
    backup = large_installation.back_up()
    damage_file(large_installation.database)
    outcome = large_installation.run("restore", backup)
    assert outcome.status == 0, outcome.errors
    assert count_payments(large_installation.database) == 6000
    assert is_intact(large_installation.database)
    assert not is_intact(previous_database_of(outcome))


@pytest.mark.slow
def test_restore_is_refused_while_the_service_runs(
    capture_service: RunningService, user: str, tmp_path: Path, server: CommandServer
) -> None:
    installation = Installation(tmp_path, server)
    installation.database = capture_service.database
    outcome = installation.run("backup", "--to", tmp_path)
    (backup,) = tmp_path.iterdir()
    for port, message in (
        (capture_service.port, "the capture service (http://127"),
        (free_port(), "is open in"),
    ):
        outcome = installation.run("restore", backup, "--yes", "--capture-port", port)
        assert outcome.status == 1
        assert message in outcome.error
    response = requests.post(
        f"{capture_service.url}/api/data-capture/payment",
        json={"user_email": user, "final_price": 1},
        timeout=60,
    )
    assert response.status_code == 201
    assert len(capture_service.rows("SELECT id FROM payment_data WHERE user_email = ?", user)) == 1


@pytest.mark.slow
def test_restore_is_refused_while_another_program_uses_the_database(
    installation: Installation,
) -> None:
    backup = installation.back_up()
    add_payments(installation.database, 1)
    with closing(sqlite3.connect(installation.database)) as idle:
        idle.execute("SELECT count(*) FROM users").fetchone()
        outcome = installation.run("restore", backup)
        assert outcome.status == 1
        assert f"{installation.database} is open in" in outcome.errors
    assert count_payments(installation.database) == 4
    assert not [name for name in installation.files() if "restor" in name]


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="only Linux lists the processes with an open file"
)
def test_restore_is_refused_while_a_program_without_a_lock_has_the_file_open(
    installation: Installation,
) -> None:
    backup = installation.back_up()
    # The connection has no lock yet, and would continue with the file that is set aside.
    with closing(sqlite3.connect(installation.database)):
        outcome = installation.run("restore", backup)
    assert outcome.status == 1
    assert f"(process {os.getpid()})" in outcome.errors


@pytest.mark.parametrize("statement", ["", "SELECT count(*) FROM users"])
def test_restore_waits_for_a_program_that_opens_the_database_briefly(
    installation: Installation, statement: str
) -> None:
    backup = installation.back_up()
    writer_lock = WriterLock(installation.database)

    def restore_has_begun() -> bool:
        is_free = writer_lock.try_acquire()
        if is_free:
            writer_lock.release()
        return not is_free

    with closing(writer_lock), ThreadPoolExecutor(1) as thread:
        with closing(sqlite3.connect(installation.database)) as connection:
            connection.execute(statement)
            restoring = thread.submit(installation.run, "restore", backup)
            eventually(restore_has_begun, "the restore has the writer lock", 60)
            time.sleep(_BRIEF_SECONDS)
        outcome = restoring.result()
    assert outcome.status == 0, outcome.errors
    assert count_payments(installation.database) == 3


@pytest.mark.slow
def test_invalid_backups_are_refused_and_nothing_is_changed(
    installation: Installation, large_database: Path
) -> None:
    folder = installation.directory
    (folder / "text.db").write_text("no database at all")
    with closing(sqlite3.connect(folder / "foreign.db")) as connection, connection:
        connection.execute("CREATE TABLE notes (text TEXT)")
    shutil.copyfile(large_database, folder / "damaged.db")
    damage_file(folder / "damaged.db")
    shutil.copyfile(large_database, folder / "cut-off.db")
    os.truncate(folder / "cut-off.db", 30_000_000)
    shutil.copyfile(installation.back_up(), folder / "orphans.db")
    delete_users(folder / "orphans.db")
    before = installation.files()
    expected_errors = {
        "missing.db": "There is no file",
        "text.db": "is not an SQLite database",
        "foreign.db": "is not a database of Enhanced Data Capture",
        "damaged.db": "is damaged",
        "cut-off.db": "is damaged",
        "trading_bots.db": "is the database itself",
        "orphans.db": "rows refer to a row that does not exist: "
        "data_capture_audit (3 rows), payment_data (3 rows)",
        ".": "is a folder",
    }
    for file, message in expected_errors.items():
        outcome = installation.run("restore", folder / file, "--yes")
        assert outcome.status == 1
        assert message in outcome.error
    assert installation.files() == before
    assert count_payments(installation.database) == 3


def test_broken_references_are_restored_with_the_accept_flag(
    installation: Installation,
) -> None:
    delete_users(installation.database)
    outcome = installation.run("restore", installation.back_up(), "--accept-broken-references")
    assert outcome.status == 0, outcome.errors


@pytest.mark.slow
def test_restore_on_a_full_disk_changes_nothing(
    large_installation: Installation, large_database: Path
) -> None:
    shutil.copyfile(large_database, large_installation.directory / "file.db")
    add_payments(large_installation.database, 1)
    outcome = large_installation.run(
        "restore", large_installation.directory / "file.db", limit_bytes=20_000_000
    )
    assert outcome.status == 1
    assert "Nothing was changed." in outcome.errors
    assert large_installation.files() == {"trading_bots.db", "file.db"}
    assert count_payments(large_installation.database) == 6001


@pytest.mark.slow
def test_a_restore_killed_at_any_step_leaves_the_old_or_the_new_database(
    installation: Installation,
) -> None:
    backup = installation.back_up()
    leave_in_wal(installation.database, 40)
    folder = installation.directory
    originals = {
        path: path.read_bytes()
        for path in folder.iterdir()
        if path.name.startswith("trading_bots.db")
    }
    found: list[int] = []
    for change in range(1, 100):
        for path in folder.glob("trading_bots.*"):
            if path.is_file():
                path.unlink()
        for path, content in originals.items():
            path.write_bytes(content)
        status = installation.run("restore", backup, killed_before=change).status
        # Check a copy, because a connection checkpoints the WAL.
        copy = folder / "copy.db"
        for end in ("", "-wal"):
            source = installation.database.with_name(installation.database.name + end)
            copy.with_name(copy.name + end).unlink(missing_ok=True)
            if source.exists():
                shutil.copyfile(source, copy.with_name(copy.name + end))
        assert is_intact(copy)
        found.append(count_payments(copy))
        previous_databases = list(folder.glob("trading_bots.before-restore-*.db"))
        if found[-1] == 3:
            assert [count_payments(path) for path in previous_databases] == [43]
        if status != KILLED:
            assert status == 0
            break
        # The files that the killed restore left do not disturb the next one.
        assert installation.run("restore", backup).status == 0
        assert count_payments(installation.database) == 3
        assert not [name for name in installation.files() if "partial" in name]
        inodes = [path.stat().st_ino for path in folder.glob("trading_bots.before-restore-*.db")]
        inodes.append(installation.database.stat().st_ino)
        assert len(set(inodes)) == len(inodes)  # no file has two names
    assert len(found) > 12
    assert found == sorted(found, reverse=True)
    assert set(found) == {43, 3}


@pytest.mark.slow
def test_a_killed_restore_over_an_unreadable_database_never_mixes_files(
    installation: Installation,
) -> None:
    backup = installation.back_up()
    leave_in_wal(installation.database, 40)
    wal = installation.database.with_name("trading_bots.db-wal")
    unreadable = b"\xa5" * 512 + installation.database.read_bytes()[512:]
    wal_content = wal.read_bytes()
    for change in range(1, 100):
        # Unlink it first: a file that was set aside may be its second name.
        installation.database.unlink()
        installation.database.write_bytes(unreadable)
        wal.write_bytes(wal_content)
        status = installation.run("restore", backup, killed_before=change).status
        if installation.database.read_bytes() != unreadable:
            assert is_intact(installation.database)
            assert count_payments(installation.database) == 3
        kept = [path.read_bytes() for path in installation.directory.glob("trading_bots.*-wal")]
        assert wal_content in kept
        if status != KILLED:
            assert status == 0
            break
    assert change > 12


@pytest.mark.slow
def test_restore_asks_for_confirmation_at_a_terminal(installation: Installation) -> None:
    backup = installation.back_up()
    add_payments(installation.database, 1)
    for typed, status, expected in ((b"\n", 1, 4), (b"y\n", 0, 3)):
        screen, terminal = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "data_capture", "restore", str(backup)],
            cwd=REPOSITORY,
            env={**os.environ, **installation.environment},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        shown = b""
        while b"[y/N] " not in shown:
            shown += os.read(screen, 1000)
        assert b"3 captures" in shown
        assert b"4 captures" in shown
        os.write(screen, typed)
        assert process.wait(timeout=60) == status
        os.close(screen)
        assert count_payments(installation.database) == expected
    assert not [name for name in installation.files() if "partial" in name]


@pytest.mark.slow
def test_a_restore_killed_while_copying_leaves_the_old_database(
    large_installation: Installation, large_database: Path
) -> None:
    shutil.copyfile(large_database, large_installation.directory / "file.db")
    add_payments(large_installation.database, 1)
    for step in range(3):
        restore = large_installation.start("restore", large_installation.directory / "file.db")
        eventually(
            lambda: list(large_installation.directory.glob("*.partial")), "the copy is begun", 60
        )
        time.sleep(step * 0.05)  # another part of the copy each time
        restore.kill()
        restore.communicate()
        assert count_payments(large_installation.database) in (6000, 6001)
        assert is_intact(large_installation.database)
