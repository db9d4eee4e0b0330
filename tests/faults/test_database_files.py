"""Test databases that are deleted, replaced or damaged while or before services use them."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from pathlib import Path

import pytest

from tests.faults.managed_services import ManagedServices, connection_of_another_program
from tests.support.services import capture_service_in, eventually, rows


def wait_for_log(services: ManagedServices, text: str) -> None:
    """Wait until the log file contains a text."""
    eventually(
        lambda: text in services.manager.log_file.read_text(), f"the log contains: {text}", 60
    )


@pytest.mark.slow
def test_a_deleted_database_is_reported_and_used_again_when_it_is_back(
    services: ManagedServices, tmp_path: Path
) -> None:
    assert services.capture().status_code == 201
    second_name = tmp_path / "kept"
    os.link(services.database, second_name)
    services.database.unlink()
    assert services.capture().status_code == 503
    assert services.is_unhealthy("The database file was deleted or moved away while it was in use.")
    wait_for_log(
        services,
        "trading_bots.db-wal next to it holds the latest captures of the file that was there",
    )
    assert not services.database.exists()
    assert services.health() == {}
    second_name.rename(services.database)
    eventually(services.is_healthy, "the service is healthy again", 90)
    services.assert_stored_once()


@pytest.mark.slow
def test_a_database_deleted_with_its_wal_is_not_replaced_by_an_empty_one(
    services: ManagedServices, tmp_path: Path
) -> None:
    assert services.capture().status_code == 201
    for file in tmp_path.glob("trading_bots.db*"):
        file.unlink()
    assert services.capture().status_code == 503
    wait_for_log(
        services,
        f"{services.database} is gone, or empty: it was deleted, moved away or cut off while the "
        "services ran.",
    )
    time.sleep(1)  # the manager tries to start the service again, which must not create a database
    assert not services.database.exists()
    assert services.health() == {}


@pytest.mark.slow
def test_a_new_database_in_place_of_an_earlier_one_is_logged(tmp_path: Path) -> None:
    first = ManagedServices(tmp_path)
    assert first.capture().status_code == 201
    assert first.manager.stop() == 0
    first.database.unlink()
    second = ManagedServices(tmp_path)  # a start after a stop means that a new database is wanted
    try:
        assert (
            "There was a database before, and it is gone: a new, empty one is made."
            in second.manager.log_file.read_text()
        )
        assert second.capture().status_code == 201
    finally:
        second.kill()


@pytest.mark.slow
def test_a_replaced_database_is_detected_and_not_damaged_by_the_old_wal(
    services: ManagedServices, tmp_path: Path
) -> None:
    assert services.capture().status_code == 201
    replacement = tmp_path / "replacement"
    with (
        connection_of_another_program(services.database) as source,
        connection_of_another_program(replacement) as target,
    ):
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
        target.execute(
            "CREATE TABLE of_the_replacement AS "
            "SELECT randomblob(2000) AS content FROM data_capture_audit"
        )
        target.executescript("VACUUM")
    for _ in range(20):
        services.capture()
    process = services.health()["pid"]
    replacement.replace(services.database)
    services.acknowledged.clear()  # they are in the replaced file
    assert services.capture().status_code == 503
    assert services.is_unhealthy(
        "The database file was replaced by another one while it was in use."
    )
    eventually(lambda: services.has_restarted(process), "a new process serves the new file", 60)
    assert services.capture().status_code == 201
    assert rows(services.database, "SELECT count(*) AS n FROM of_the_replacement") == [{"n": 1}]
    services.assert_stored_once()
    assert list(tmp_path.glob("trading_bots.db-wal.of-replaced-file-*"))


@pytest.mark.slow
def test_a_deleted_wal_is_detected(services: ManagedServices) -> None:
    assert services.capture().status_code == 201
    process = services.health()["pid"]
    services.database.with_name("trading_bots.db-wal").unlink()
    mark = uuid.uuid4().hex
    assert services.capture(mark).status_code == 503
    assert services.is_unhealthy(
        "The database's WAL (-wal) was deleted or replaced while it was in use."
    )
    eventually(lambda: services.has_restarted(process), "a new process is healthy", 60)
    assert services.capture(mark).status_code == 201
    services.manager.assert_database_is_intact()


@pytest.mark.slow
def test_a_damaged_database_prevents_the_start_and_is_unchanged(tmp_path: Path) -> None:
    service = capture_service_in(tmp_path)
    service.start()
    for number in range(50):
        service.capture("payment", {"user_email": f"{number}@example.com"})
    service.stop()
    with service.database.open("r+b") as file:
        for page in range(2, service.database.stat().st_size // 4096, 3):
            file.seek(page * 4096)
            file.write(b"\xa5" * 1000)
    before = hashlib.sha256(service.database.read_bytes()).digest()
    with pytest.raises(AssertionError, match=r"is damaged: .*python3 -m data_capture backup"):
        service.start()
    assert hashlib.sha256(service.database.read_bytes()).digest() == before
