"""Test what the product does not promise, as docs/security.md describes it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.installations import CommandServer, Installation
from tests.support.services import capture_service_in


@pytest.mark.slow
def test_a_changed_row_is_not_detected_and_its_snapshot_has_the_original(
    tmp_path: Path, server: CommandServer
) -> None:
    service = capture_service_in(tmp_path)
    service.start()
    try:
        payment = {"user_email": "a@example.com", "final_price": "179.99"}
        assert service.capture("payment", payment).status_code == 201
    finally:
        service.stop()
    with closing(sqlite3.connect(service.database)) as connection, connection:
        connection.execute("UPDATE payment_data SET final_price = 1")
    assert Installation(tmp_path, server).run("verify-audit").status == 0
    [record] = service.rows("SELECT data_snapshot FROM data_capture_audit")
    assert json.loads(record["data_snapshot"])["final_price"] == "179.99"
