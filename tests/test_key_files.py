"""Test the permissions of key files, log files and the database, and symlinks in their place."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from data_capture.audit import record_audit
from data_capture.audit.append import audit_key_file
from data_capture.audit.format import ChainKey
from data_capture.audit.head import head_file, update_head_file
from data_capture.key_files import load_key, open_new_file
from data_capture.store import Store
from data_capture.store.sqlite.lock import WriterLock
from data_capture.store.sqlite.schema import DatabaseRefused, prepare
from data_capture.store.sqlite.users import ensure_user
from tests.support.services import REPOSITORY, capture_service_in, rows

OTHER_UID = 65534
NOW = "2024-01-15T10:30:00.000Z"
ROOT_ONLY = pytest.mark.skipif(
    os.geteuid() != 0, reason="only the superuser can give a file to another user"
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    database = tmp_path / "trading_bots.db"
    prepare(database)
    return database


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701, 0o777, 0o720])
def test_a_keys_folder_accessible_to_others_is_refused(database: Path, mode: int) -> None:
    keys = database.with_name("trading_bots.keys")
    before = sorted(keys.iterdir())
    keys.chmod(mode)
    with pytest.raises(DatabaseRefused, match=f"chmod 700 {keys}"):
        prepare(database)
    assert sorted(keys.iterdir()) == before
    keys.chmod(0o700)
    prepare(database)


@ROOT_ONLY
@pytest.mark.parametrize("name", ["", "audit.key"])
def test_keys_owned_by_another_user_are_refused(database: Path, name: str) -> None:
    os.chown(database.with_name("trading_bots.keys") / name, OTHER_UID, OTHER_UID)
    with pytest.raises(DatabaseRefused, match=f"belongs to another user \\(uid {OTHER_UID}\\)"):
        prepare(database)


@ROOT_ONLY
def test_a_keys_folder_behind_another_users_symlink_is_refused(database: Path) -> None:
    keys = database.with_name("trading_bots.keys")
    elsewhere = keys.rename(keys.with_name("elsewhere"))
    keys.symlink_to(elsewhere)
    prepare(database)  # a symlink of the same user is allowed
    os.chown(keys, OTHER_UID, OTHER_UID, follow_symlinks=False)
    with pytest.raises(DatabaseRefused, match="belongs to another user"):
        prepare(database)


@ROOT_ONLY
def test_root_may_use_the_keys_of_the_databases_owner(database: Path) -> None:
    keys = database.with_name("trading_bots.keys")
    for path in (database, keys, *keys.iterdir()):
        os.chown(path, OTHER_UID, OTHER_UID)
    prepare(database)


@ROOT_ONLY
def test_root_may_not_use_the_keys_in_a_world_writable_folder(database: Path) -> None:
    keys = database.with_name("trading_bots.keys")
    for path in (database, keys, *keys.iterdir()):
        os.chown(path, OTHER_UID, OTHER_UID)
    database.parent.chmod(0o1777)
    with pytest.raises(DatabaseRefused, match="belongs to another user"):
        prepare(database)


@pytest.mark.parametrize(
    "command",
    [["admin-token"], ["write-token", "shop"], ["verify-audit"], ["export", "a@example.com"]],
)
def test_no_command_uses_keys_accessible_to_others(database: Path, command: list[str]) -> None:
    keys = database.with_name("trading_bots.keys")
    before = sorted(keys.iterdir())
    keys.chmod(0o777)
    run = subprocess.run(
        [sys.executable, "-m", "data_capture", *command, "--database", str(database)],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (1, "")
    assert f"chmod 700 {keys}" in run.stderr
    assert sorted(keys.iterdir()) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["edc.log", ".__edc.lock"])
def test_the_log_file_is_not_written_through_a_symlink(tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    victim.chmod(0o644)
    logs = tmp_path / "logs"
    logs.mkdir()
    logs.joinpath(name).symlink_to(victim)
    service = capture_service_in(tmp_path, EDC_LOG_FILE=str(logs / "edc.log"))
    service.start()
    service.stop()
    assert (victim.read_text(), stat.S_IMODE(victim.stat().st_mode)) == ("kept", 0o644)
    assert "can't be written (it is a link" in service.output.read_text()


@pytest.mark.slow
@ROOT_ONLY
def test_the_log_is_not_written_to_another_users_file(tmp_path: Path) -> None:
    planted = tmp_path / "edc.log"
    planted.touch()
    os.chown(planted, OTHER_UID, OTHER_UID)
    service = capture_service_in(tmp_path, EDC_LOG_FILE=str(planted))
    service.start()
    service.stop()
    assert planted.read_text() == ""
    assert "can't be written (it belongs to another user)" in service.output.read_text()


@pytest.mark.slow
def test_a_service_says_why_it_refuses_an_accessible_keys_folder(tmp_path: Path) -> None:
    service = capture_service_in(tmp_path)
    service.start()
    service.stop()
    tmp_path.joinpath("trading_bots.keys").chmod(0o755)
    with pytest.raises(AssertionError, match="Other users of this machine can open"):
        service.start()
    assert rows(service.database, "SELECT * FROM payment_data") == []


def test_temporary_files_are_new_and_follow_no_symlink(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    for name, target in (("link", victim), ("dangling", tmp_path / "missing")):
        tmp_path.joinpath(name).symlink_to(target)
        with pytest.raises(FileExistsError):
            open_new_file(tmp_path / name)
    with pytest.raises(FileExistsError):
        open_new_file(victim)
    assert victim.read_text() == "kept"
    assert not tmp_path.joinpath("missing").exists()
    os.close(open_new_file(tmp_path / "new"))
    assert stat.S_IMODE(tmp_path.joinpath("new").stat().st_mode) == 0o600


def test_the_lock_file_is_not_opened_through_a_symlink(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    tmp_path.joinpath("trading_bots.db-gate").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        WriterLock(tmp_path / "trading_bots.db")
    assert not victim.exists()


def test_the_temporary_file_of_the_audit_head_follows_no_symlink(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(database, 5)
    store.write(lambda connection: ensure_user(connection, "a@example.com", None, NOW))
    store.write(
        lambda connection: record_audit(
            connection,
            user_email="a@example.com",
            capture_type="login",
            timestamp=NOW,
            source_endpoint="test",
        )
    )
    store.close()
    victim = database.with_name("victim")
    victim.write_text("kept")
    monkeypatch.setattr("secrets.token_hex", lambda _bytes=None: "guessed")
    temporary = head_file(database).with_name(f"{head_file(database).name}.{os.getpid()}.guessed")
    temporary.symlink_to(victim)
    with closing(sqlite3.connect(database)) as connection, pytest.raises(FileExistsError):
        update_head_file(connection, database, ChainKey(load_key(audit_key_file(database))))
    assert victim.read_text() == "kept"


@pytest.mark.slow
def test_a_database_readable_by_others_causes_a_warning_at_the_start(tmp_path: Path) -> None:
    service = capture_service_in(tmp_path)
    service.start()
    service.stop()
    assert "Other users" not in service.output.read_text()
    service.database.chmod(0o644)
    service.start()
    service.stop()
    warning = (
        "Other users of this machine can open the database (mode 0644): "
        f"chmod 600 {service.database}"
    )
    assert service.output.read_text().count(warning) == 1
    assert stat.S_IMODE(service.database.stat().st_mode) == 0o644, "the service does not change it"
