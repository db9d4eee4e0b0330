"""Test databases that cannot be adopted: they are rejected and left unchanged."""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from data_capture.store.sqlite.schema import DatabaseRefused, prepare
from tests.support.existing_databases import (
    create_database,
    read_contents,
)
from tests.support.incompatible_databases import INCOMPATIBLE, USERS
from tests.support.services import (
    REPOSITORY,
)


@pytest.mark.parametrize("case", INCOMPATIBLE)
def test_incompatible_database_is_rejected_and_left_unchanged(case: str, tmp_path: Path) -> None:
    scripts, texts = INCOMPATIBLE[case]
    schema = (REPOSITORY / "schema.sql").read_text()
    database = create_database(
        tmp_path / "trading_bots.db",
        *(schema if script == "schema.sql" else script for script in scripts),
    )
    before = database.read_bytes()
    with pytest.raises(DatabaseRefused) as error:
        prepare(database)
    texts = [str(database), "Nothing was changed", *texts]
    assert [text for text in texts if text not in str(error.value)] == [], error.value
    assert database.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "script", ["enhanced_signup_handler.py", "enhanced_data_capture_system.py"]
)
def test_service_exits_with_an_error_for_an_incompatible_database(
    script: str, tmp_path: Path
) -> None:
    database = create_database(tmp_path / "trading_bots.db", "another_data_capture_audit.sql")
    environment = {
        **os.environ,
        "EDC_DATABASE": str(database),
        "EDC_LOG_FILE": str(tmp_path / "log"),
    }
    command = [sys.executable, str(REPOSITORY / script), "--port", "59999"]
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "data_capture_audit" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("name", ["trading_bots.db", "it's a $HOME of bots.db"])
def test_command_in_the_error_message_renames_the_old_table_with_its_rows(
    name: str, tmp_path: Path
) -> None:
    database = create_database(
        tmp_path / name, "users_in_sql.sql", "another_data_capture_audit.sql"
    )
    old = read_contents(database)["data_capture_audit"][1]
    with pytest.raises(DatabaseRefused) as error:
        prepare(database)
    message = str(error.value)
    command = message[message.index("sqlite3 ") : message.index(" Nothing was changed.")]
    if shutil.which("sqlite3"):
        subprocess.run(command, shell=True, check=True)  # noqa: S602  (as an operator does)
    else:
        _, path, statements = shlex.split(command)
        create_database(Path(path), statements)
    prepare(database)
    assert read_contents(database)["data_capture_audit_old"][1] == old
    assert read_contents(database)["data_capture_audit"][1] == []


def test_path_that_is_not_a_database_is_rejected(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("Call Ann.\n" * 1000)
    with pytest.raises(DatabaseRefused, match="not an SQLite database"):
        prepare(text)
    assert text.read_text() == "Call Ann.\n" * 1000
    with pytest.raises(DatabaseRefused, match="is a folder"):
        prepare(tmp_path)
    with pytest.raises(DatabaseRefused, match="does not exist"):
        prepare(tmp_path / "nowhere" / "trading_bots.db")
    assert not (tmp_path / "nowhere").exists()


def test_read_only_database_is_rejected(tmp_path: Path) -> None:
    database = create_database(tmp_path / "trading_bots.db", "users_in_sql.sql")
    database.chmod(0o444)
    with pytest.raises(DatabaseRefused, match="read-only"):
        prepare(database)


@pytest.mark.parametrize(
    "is_adopted", [False, True], ids=["at the first start", "at a later start"]
)
def test_damaged_database_is_rejected_with_a_description_of_the_damage(
    is_adopted: bool, tmp_path: Path
) -> None:
    users = ", ".join(f"('{'long' * 10}-{number}@example.com')" for number in range(3000))
    database = create_database(
        tmp_path / "trading_bots.db",
        USERS,
        f"INSERT INTO users (email) VALUES {users}",  # noqa: S608
    )
    if is_adopted:
        prepare(database)
    damaged = bytearray(database.read_bytes())
    damaged[20 * 4096 : 22 * 4096] = b"\xaa" * (2 * 4096)
    database.write_bytes(damaged)
    with pytest.raises(DatabaseRefused, match=r"is damaged: .*[Pp]age.*\.recover"):
        prepare(database)
    assert database.read_bytes() == damaged


def test_truncated_database_is_rejected(tmp_path: Path) -> None:
    database = create_database(
        tmp_path / "trading_bots.db", "users_in_sql.sql", "other_programs.sql"
    )
    with database.open("r+b") as file:
        file.truncate(4096 * 2 + 100)
    with pytest.raises(DatabaseRefused, match="is damaged"):
        prepare(database)


@pytest.mark.parametrize(
    "lock", ["BEGIN EXCLUSIVE", "BEGIN IMMEDIATE", "BEGIN; SELECT * FROM users"]
)
def test_locked_database_is_rejected_after_the_timeout(lock: str, tmp_path: Path) -> None:
    database = create_database(tmp_path / "trading_bots.db", "users_in_sql.sql")
    before = database.read_bytes()
    with closing(sqlite3.connect(database, isolation_level=None)) as other_program:
        for statement in lock.split("; "):
            cursor = other_program.execute(statement)
        cursor.fetchone()
        with pytest.raises(DatabaseRefused, match="Another program is using"):
            prepare(database, request_seconds=0.2)
        cursor.close()
    assert database.read_bytes() == before
    prepare(database)


def test_start_with_nothing_to_add_does_not_wait_for_a_lock(
    tmp_path: Path,
) -> None:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    with closing(sqlite3.connect(database, isolation_level=None)) as other_program:
        other_program.execute("BEGIN IMMEDIATE")
        prepare(database, request_seconds=0.2)
