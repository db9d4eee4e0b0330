"""Test the command verify-audit: heads, backups, restores and progress."""

from __future__ import annotations

import hmac
import json
import os
import pty
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from data_capture.audit.format import RECORD_COLUMNS
from data_capture.store.sqlite.schema import prepare
from tests.support.audit_trails import begin_chain, erase_records, verify
from tests.support.installations import CommandServer, Installation, add_payments
from tests.support.services import REPOSITORY


@pytest.mark.slow
def test_earlier_head_proves_that_nothing_before_it_changed(
    installation: Installation,
) -> None:
    head = begin_chain(installation)
    erase_records(installation.database, "p@example.com", "erased-2@data-capture.invalid")
    assert f"Nothing up to record {head.split(':')[0]} has changed" in verify(
        installation, "--since", head
    )
    other_head = head[:-1] + ("0" if head[-1] != "0" else "1")
    assert installation.run("verify-audit", "--since", other_head).status == 1
    assert installation.run("verify-audit", "--since", "9999:" + "0" * 64).status == 1


@pytest.mark.parametrize("text", ["", "17", "17:abc", "-1:" + "0" * 64, "x:" + "0" * 64])
def test_malformed_head_is_rejected_with_an_explanation(
    installation: Installation, text: str
) -> None:
    outcome = installation.run("verify-audit", f"--since={text}")
    assert outcome.status == 2
    assert "a number, a colon, 64 hexadecimal digits" in outcome.errors


def test_backup_verifies_only_with_the_installations_key(
    installation: Installation,
) -> None:
    head = begin_chain(installation)
    backup = installation.back_up()
    erase_records(installation.database, "p@example.com", "erased-2@data-capture.invalid")
    outcome = installation.run("verify-audit", "--database", backup)
    assert (outcome.status, "--key" in outcome.errors) == (1, True)
    key = installation.directory / "trading_bots.keys" / "audit.key"
    assert verify(installation, "--database", backup, "--key", key, "--head").strip() == head


@pytest.mark.slow
def test_restored_backup_verifies_before_and_after_new_records(installation: Installation) -> None:
    head = begin_chain(installation)
    backup = installation.back_up()
    erase_records(installation.database, "p@example.com", "erased-2@data-capture.invalid")
    prepare(installation.database)
    assert installation.run("restore", backup).status == 0
    assert "Nothing up to record" in verify(installation, "--since", head)
    prepare(installation.database)
    erase_records(installation.database, "p@example.com", "erased-3@data-capture.invalid")
    assert "Nothing up to record" in verify(installation, "--since", head)


@pytest.mark.slow
def test_database_replaced_by_an_older_copy_is_reported_with_advice(
    installation: Installation,
) -> None:
    begin_chain(installation)
    backup = installation.back_up()
    erase_records(installation.database, "p@example.com", "erased-2@data-capture.invalid")
    prepare(installation.database)
    shutil.copyfile(backup, installation.database)
    outcome = installation.run("verify-audit")
    assert (outcome.status, outcome.output.startswith("Audit record 5 was removed")) == (1, True)
    assert f"remove {installation.database}-audit-head" in outcome.output


def test_file_without_audit_trail_is_rejected_with_an_explanation(
    installation: Installation,
) -> None:
    (installation.directory / "foreign.keys").mkdir(mode=0o700)
    shutil.copy(
        installation.directory / "trading_bots.keys" / "audit.key",
        installation.directory / "foreign.keys" / "audit.key",
    )
    with closing(sqlite3.connect(installation.directory / "foreign.db")) as connection, connection:
        connection.execute("CREATE TABLE something (else_)")
    for name, message in (
        ("foreign.db", "not a database of Enhanced"),
        ("nowhere.db", "There is no file"),
    ):
        outcome = installation.run("verify-audit", "--database", installation.directory / name)
        assert (outcome.status, message in outcome.errors) == (1, True), outcome.errors


def test_verify_audit_shows_progress_on_a_terminal(installation: Installation) -> None:
    begin_chain(installation)
    terminal, command_terminal = pty.openpty()
    command = [sys.executable, "-m", "data_capture", "verify-audit"]
    command += ["--database", str(installation.database)]
    result = subprocess.run(
        command,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=command_terminal,
        stdin=command_terminal,
        check=True,
        timeout=60,
    )
    os.close(command_terminal)
    shown = os.read(terminal, 10_000).decode()
    os.close(terminal)
    assert "Verifying  [##############################]  100%" in shown
    assert result.stdout.startswith(b"4 audit records")


@pytest.mark.skipif("EDC_FULL_AUDIT" not in os.environ, reason="takes a minute: EDC_FULL_AUDIT=1")
def test_million_records_are_verified_as_fast_as_the_standard_library_hashes_them(
    tmp_path: Path, server: CommandServer
) -> None:
    installation = Installation(tmp_path, server)
    prepare(installation.database)
    add_payments(installation.database, 1_000_000)
    with closing(sqlite3.connect(installation.database)) as connection, connection:
        connection.execute(
            "UPDATE data_capture_audit SET data_snapshot = ?",
            (json.dumps({"plan_name": "x" * 400}),),
        )
    (tmp_path / "trading_bots.keys" / "audit.key").unlink()
    prepare(installation.database)
    seconds = [float(verify(installation).split("(", 1)[1].split()[0]) for _ in range(3)]
    baseline = min(time_standard_library(installation.database) for _ in range(3))
    assert min(seconds) <= baseline, (seconds, baseline)


def time_standard_library(database: Path) -> float:
    """Return the seconds to read all records, and to encode and hash them as the format says."""
    select = f"SELECT {', '.join(RECORD_COLUMNS)} FROM data_capture_audit ORDER BY id"  # noqa: S608
    key = link = bytes(32)
    began_at = time.perf_counter()
    with closing(sqlite3.connect(database)) as connection:
        for record in connection.execute(select):
            text = json.dumps(
                dict(zip(RECORD_COLUMNS, record, strict=True)),
                ensure_ascii=False,
                separators=(",", ":"),
                sort_keys=True,
            )
            commitment = hmac.digest(bytes(16), text.encode(), "sha256")
            link = hmac.digest(key, b"link\0" + link + commitment + bytes(9), "sha256")
    return time.perf_counter() - began_at
