"""Test `python3 -m data_capture import`: history from files, once, with nothing misread."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from data_capture.capture.kinds import KINDS
from data_capture.cli.commands.import_ import KIND_NAMES
from data_capture.store import Store
from tests.support.audit_trails import assert_chain_verifies
from tests.support.installations import CommandServer, Installation, make_database
from tests.support.services import RunningService, eventually, rows

HEADER = "Customer,Amount,Plan,Paid at,Reference"
MAPPING = (
    "--map", "Customer=user_email", "--map", "Amount=final_price", "--map", "Plan=plan_name",
    "--map", "Paid at=capture_timestamp", "--map", "Reference=transaction_id",
)  # fmt: skip


@pytest.fixture
def owner(tmp_path: Path, server: CommandServer) -> Installation:
    make_database(tmp_path / "trading_bots.db", 0)
    return Installation(tmp_path, server)


def write(owner: Installation, content: str | bytes, name: str = "history.csv") -> Path:
    path = owner.directory / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def payments(owner: Installation) -> list[dict[str, Any]]:
    return rows(
        owner.database,
        "SELECT user_email, final_price, plan_name, created_at, transaction_id FROM payment_data "
        "ORDER BY id",
    )


def line(number: int) -> str:
    day, month = number % 28 + 1, number // 28 % 12 + 1
    time = f"2024-{month:02}-{day:02}T08:00:00Z"
    return f"user{number % 50}@example.com,{number}.50,Pro,{time},TX-{number}"


class TestCsv:
    def test_mapped_columns_fill_the_row_with_its_past_time(self, owner: Installation) -> None:
        path = write(owner, f"{HEADER}\nann@example.com,99.80,Pro,2019-05-01 08:00:00,TX-1\n")
        outcome = owner.run("import", path, "--kind", "payment", *MAPPING)
        assert (outcome.status, outcome.error) == (0, "Importing …")
        assert outcome.output == (
            f"{path}: 1 line: 1 stored, 0 unchanged, 0 imported before, 0 rejected.\n"
        )
        assert payments(owner) == [{
            "user_email": "ann@example.com", "final_price": 99.8, "plan_name": "Pro",
            "created_at": "2019-05-01T08:00:00.000Z", "transaction_id": "TX-1",
        }]  # fmt: skip
        [source] = rows(owner.database, "SELECT source FROM capture_sources")
        assert source == {"source": "confirmed"}
        [audit] = rows(owner.database, "SELECT * FROM data_capture_audit")
        assert audit["source_endpoint"] == "python3 -m data_capture import"
        assert json.loads(audit["data_snapshot"])["user_email"] == "ann@example.com"
        with closing(Store(owner.database, 5)) as store:
            assert_chain_verifies(store)

    @pytest.mark.parametrize(
        "content",
        [
            "email,amount\na@example.com,5\n",
            "\ufeffemail,amount\na@example.com,5\n",
            "email;amount\r\na@example.com;5\r\n",
            "sep=;\r\nemail;amount\r\na@example.com;5\r\n",
            "email\tamount\na@example.com\t5\n",
            "email|amount\ra@example.com|5\r",
            '"email","amount"\n"a@example.com","5"\n',
            "email,amount,,\na@example.com,5,,\n,,,\n",
            '\ufeff"email";"amount"\r\n\r\na@example.com;5',
            '{"email": "a@example.com", "amount": 5}\n',
            '\ufeff{"email": "a@example.com", "amount": 5}\r\n\r\n',
            '{"data": {"email": "a@example.com", "amount": "5"}}',
        ],
    )
    def test_the_notation_of_the_file_is_found_out(self, owner: Installation, content: str) -> None:
        outcome = owner.run("import", write(owner, content, "file"), "--kind", "payment")
        assert outcome.status == 0, outcome.output
        assert [(row["user_email"], row["final_price"]) for row in payments(owner)] == [
            ("a@example.com", 5)
        ]

    def test_quoted_delimiters_quotes_and_line_ends_are_part_of_a_value(
        self, owner: Installation
    ) -> None:
        path = write(owner, 'email,plan,amount\na@example.com,"Pro, ""yearly""\r\nplan",5\nx,y,z\n')
        outcome = owner.run("import", path, "--kind", "payment")
        assert outcome.status == 1
        assert "line 4: The user_email" in outcome.output
        assert payments(owner)[0]["plan_name"] == 'Pro, "yearly"\r\nplan'

    def test_other_encodings_are_read_if_they_are_named(self, owner: Installation) -> None:
        text = "email;plan;amount\na@example.com;Größe;5\n"
        for number, encoding in enumerate(("windows-1252", "utf-16"), start=1):
            path = write(owner, text.replace("a@", f"{number}@").encode(encoding))
            refused = owner.run("import", path, "--kind", "payment")
            assert refused.status == 1
            assert "UTF-16" in refused.error or "encoding" in refused.output
            outcome = owner.run("import", path, "--kind", "payment", "--encoding", encoding)
            assert outcome.status == 0, outcome.output
        assert [row["plan_name"] for row in payments(owner)] == ["Größe"] * 2

    def test_times_in_a_stated_format_and_zone(self, owner: Installation) -> None:
        path = write(owner, "email,amount,created_at\na@example.com,5,1.2.2024 00:30\n")
        rejected = owner.run("import", path, "--kind", "payment")
        assert (rejected.status, payments(owner)) == (1, [])
        assert "line 2: its time can't be read as a time" in rejected.output
        outcome = owner.run(
            "import", path, "--kind", "payment", "--time-format", "%d.%m.%Y %H:%M",
            "--time-zone", "Europe/Berlin",
        )  # fmt: skip
        assert outcome.status == 0, outcome.output + outcome.errors
        assert payments(owner)[0]["created_at"] == "2024-01-31T23:30:00.000Z"


class TestRejectedLines:
    def test_each_rejected_line_has_its_number_and_reason(self, owner: Installation) -> None:
        content = b"\n".join([
            b"email,amount,created_at,transaction_id",
            b"a@example.com,5,2024-01-01,TX-1",
            b"nobody,5,2024-01-01,TX-2",
            b"a@example.com,5,tomorrow,TX-3",
            b"a@example.com,5,2098-01-01T00:00:00Z,TX-4",
            b"a@example.com,5,2024-01-01",
            b"a@example.com,5,2024-01-01,TX-6,more",
            b"b\xe4@example.com,5,2024-01-01,TX-7",
            b'a@example.com,"5"5,2024-01-01,TX-8',
            b"a@example.com,lots,2024-01-01,TX-9",
            b"a@example.com,7,2024-01-01,TX-10",
            b'a@example.com,"8,2024-01-01,TX-11',
        ])  # fmt: skip
        path = write(owner, content)
        outcome = owner.run("import", path, "--kind", "payment")
        assert outcome.status == 1
        rejected = path.with_name("history.csv.rejected").read_text().splitlines()
        assert rejected == [
            "line 3: The user_email is not an email address, so this can't be attributed to anyone",
            "line 4: its time can't be read as a time",
            "line 5: its time is in the future",
            "line 6: it has 3 cells, and the header has 4",
            "line 7: it has 5 cells, and the header has 4",
            "line 8: it is not in the file's encoding",
            "line 9: it is not CSV: ',' expected after '\"'",
            "line 12: it is not CSV: unexpected end of data",
        ]
        assert all(text in outcome.output for text in rejected)
        assert "12" not in [row["transaction_id"] for row in payments(owner)]
        assert [row["transaction_id"] for row in payments(owner)] == ["TX-1", "TX-9", "TX-10"]
        assert "amount: 1 line, such as: " in outcome.output
        assert payments(owner)[1]["final_price"] is None

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("[1]", "is one JSON array"),
            ("", "is empty"),
            ("email,email\na,b\n", "the column 'email' twice"),
            ("email,amount\na@example.com,5\n", "no column 'Customer'"),
        ],
    )
    def test_a_file_that_cannot_be_used_changes_nothing(
        self, owner: Installation, text: str, reason: str
    ) -> None:
        outcome = owner.run("import", write(owner, text), "--kind", "payment", *MAPPING)
        assert outcome.status == 1
        assert reason in outcome.errors
        assert payments(owner) == []

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (("--map", "amount=final_prise"), "There is no field 'final_prise'"),
            (("--map", "amount"), "--map takes COLUMN=FIELD"),
            (("--map", "amount=final_price", "--map", "email=final_price"), "Two columns"),
            (("--key", "id"), "There is no column 'id'"),
            (("--delimiter", ";;"), "A delimiter is one character"),
            (("--encoding", "none"), "There is no encoding none"),
            (("--time-zone", "Mars/Olympus"), "There is no time zone"),
            (("--database", "/nowhere/a.db"), "There is no database"),
        ],
    )
    def test_unusable_arguments_are_refused(
        self, owner: Installation, arguments: tuple[str, ...], reason: str
    ) -> None:
        path = write(owner, "email,amount\na@example.com,5\n")
        outcome = owner.run("import", path, "--kind", "payment", *arguments)
        assert (outcome.status, reason in outcome.errors) == (1, True), outcome.errors
        assert payments(owner) == []

    def test_json_lines_that_cannot_be_read_are_rejected(self, owner: Installation) -> None:
        path = write(
            owner,
            b'{"email": "a@example.com", "amount": 5}\n{"email"\n[1]\n{"a": NaN}\n'
            b'{"email": "a@example.com", "plan": "\xff"}\n{"email": "b@example.com"}\n',
            "history.jsonl",
        )
        outcome = owner.run("import", path, "--kind", "payment")
        assert outcome.status == 1
        assert [text.split()[1] for text in outcome.output.splitlines() if "  line " in text] == [
            "2:", "3:", "4:", "5:",
        ]  # fmt: skip
        assert [row["user_email"] for row in payments(owner)] == ["a@example.com", "b@example.com"]


class TestOnce:
    @pytest.mark.slow
    def test_an_import_that_is_killed_is_continued_by_the_next_run(
        self, owner: Installation
    ) -> None:
        path = write(owner, "\n".join([HEADER, *map(line, range(10_000))]))
        arguments = ("import", path, "--kind", "payment", *MAPPING)
        for stop in (1_000, 4_000):
            process = owner.start(*arguments)
            eventually(lambda stop=stop: len(payments(owner)) >= stop, "rows are imported")
            process.kill()
            process.communicate()
        stored = len(payments(owner))
        assert 4_000 <= stored < 10_000
        outcome = owner.run(*arguments)
        assert outcome.status == 0, outcome.errors
        assert f"{10_000 - stored:,} stored, 0 unchanged, {stored:,} imported before" in (
            outcome.output
        )
        found = payments(owner)
        assert [row["transaction_id"] for row in found] == [f"TX-{n}" for n in range(10_000)]
        assert sum(row["final_price"] for row in found) == sum(n + 0.5 for n in range(10_000))
        with closing(Store(owner.database, 5)) as store:
            assert_chain_verifies(store)

    def test_equal_lines_of_a_file_are_stored_each_and_once(self, owner: Installation) -> None:
        one = '{"email": "a@example.com", "activity_type": "login", "created_at": "2024-01-01"}\n'
        path = write(owner, one * 3, "history.jsonl")
        for stored in ("3 stored, 0 unchanged, 0 imported", "0 stored, 0 unchanged, 3 imported"):
            assert stored in owner.run("import", path, "--kind", "activity").output
        assert len(rows(owner.database, "SELECT 1 FROM trading_activity_log")) == 3
        longer = write(owner, one * 4, "longer.jsonl")
        assert "1 stored" in owner.run("import", longer, "--kind", "activity").output

    def test_a_key_identifies_a_line_in_all_files(self, owner: Installation) -> None:
        arguments = ("--kind", "payment", "--key", "id")
        first = write(owner, "id,email,amount\n1,a@example.com,5\n2,a@example.com,6\n", "a.csv")
        assert owner.run("import", first, *arguments).status == 0
        second = write(
            owner,
            "id,email,amount\n2,a@example.com,6\n3,a@example.com,6\n1,a@example.com,9\n"
            ",a@example.com,7\n",
            "b.csv",
        )
        outcome = owner.run("import", second, *arguments)
        assert outcome.status == 1
        assert "1 stored, 0 unchanged, 1 imported before, 2 rejected" in outcome.output
        assert "line 4: a line with this key was imported before, with other values" in (
            outcome.output
        )
        assert "line 5: it has no value in the column 'id'" in outcome.output
        assert [row["final_price"] for row in payments(owner)] == [5, 6, 6]

    def test_history_repeats_no_newer_state(self, owner: Installation) -> None:
        states = [("2024-01-03", 3), ("2024-01-01", 3), ("2024-01-02", 2), ("2024-01-02", 2)]
        lines = [
            json.dumps({"email": "a@example.com", "current_equity": value, "created_at": time})
            for time, value in states
        ]
        path = write(owner, "\n".join(lines), "history.jsonl")
        outcome = owner.run("import", path, "--kind", "dashboard")
        assert "3 stored, 1 unchanged" in outcome.output, outcome.output
        found = rows(owner.database, "SELECT created_at FROM dashboard_data ORDER BY id")
        assert [row["created_at"][:10] for row in found] == [
            "2024-01-03",
            "2024-01-01",
            "2024-01-02",
        ]

    def test_equal_payments_of_other_months_are_stored_each(self, owner: Installation) -> None:
        times = [f"{2019 + number // 12}-{number % 12 + 1:02}-01" for number in range(24)]
        lines = [f"a@example.com,Pro,49,{time}" for time in times]
        path = write(owner, "\n".join(["email,plan,amount,created_at", *lines]))
        for stored in ("24 stored, 0 unchanged", "0 stored, 0 unchanged, 24 imported before"):
            assert stored in owner.run("import", path, "--kind", "payment").output
        assert [row["created_at"][:10] for row in payments(owner)] == times

    def test_erased_users_are_not_brought_back(self, owner: Installation) -> None:
        content = f"{HEADER}\n{line(1)}\n{line(2)}\n"
        path = write(owner, content)
        arguments = ("import", path, "--kind", "payment", *MAPPING)
        assert owner.run(*arguments).status == 0
        assert owner.run("erase", "user1@example.com").status == 0
        for more in (("--dry-run",), ()):
            outcome = owner.run(*arguments, *more)
            assert outcome.status == 1
            assert "0 stored, 0 unchanged, 1 imported before, 1 rejected" in outcome.output
            assert "1 of the rejected are of erased users" in outcome.output
        assert [row["user_email"] for row in payments(owner)] == ["user2@example.com"]


class TestDryRun:
    def test_a_dry_run_reports_the_same_and_changes_nothing(self, owner: Installation) -> None:
        path = write(owner, f"{HEADER}\n{line(1)}\nnobody,5,Pro,2024-01-01,TX\n{line(2)}\n")
        arguments = ("import", path, "--kind", "payment", *MAPPING)
        assert "1 stored" in owner.run("import", write(owner, f"{HEADER}\n{line(1)}\n", "b.csv"),
                                       *arguments[2:]).output  # fmt: skip
        before = owner.database.read_bytes(), owner.files()
        outcome = owner.run(*arguments, "--dry-run")
        assert (owner.database.read_bytes(), owner.files()) == before
        assert outcome.status == 1
        counts = "3 lines: 1 stored, 0 unchanged, 1 imported before, 1 rejected."
        assert f"{counts} Nothing was changed." in outcome.output
        assert "line 3: The user_email is not an email address" in outcome.output
        assert counts in owner.run(*arguments).output

    def test_lines_without_a_time_are_reported(self, owner: Installation) -> None:
        path = write(owner, "email,amount\na@example.com,5\nb@example.com,many\n")
        outcome = owner.run("import", path, "--kind", "payment", "--dry-run")
        assert outcome.status == 0
        assert "capture_timestamp: 2 lines, such as: is missing" in outcome.output
        assert "amount: 1 line, such as:" in outcome.output


class TestMapping:
    def test_a_mapping_file_and_members_of_members(self, owner: Installation) -> None:
        mapping = write(owner, '{"who.mail": "user_email", "sum": "final_price"}', "map.json")
        path = write(
            owner,
            '{"who": {"mail": "a@example.com"}, "sum": "5", "final_price": "6", "at": 1700000000}',
            "history.jsonl",
        )
        outcome = owner.run(
            "import", path, "--kind", "payment", "--mapping", mapping, "--map", "at=created_at"
        )
        assert outcome.status == 0, outcome.errors
        [row] = payments(owner)
        assert (row["final_price"], row["created_at"]) == (5, "2023-11-14T22:13:20.000Z")
        [audit] = rows(owner.database, "SELECT data_snapshot FROM data_capture_audit")
        snapshot = json.loads(audit["data_snapshot"])
        assert snapshot["unmapped final_price"] == "6", "nothing of a line is lost"

    def test_questionnaires_and_secrets(self, owner: Installation) -> None:
        path = write(
            owner,
            "Mail,Pairs,Size,password,card\na@example.com,BTC;ETH,$50000,hunter2x,4111111111111111\n",
        )
        outcome = owner.run(
            "import", path, "--kind", "questionnaire", "--delimiter", ",", "--map",
            "Mail=user_email", "--map", "Pairs=cryptoAssets", "--map", "Size=account_size",
        )  # fmt: skip
        assert outcome.status == 0, outcome.errors
        [row] = rows(owner.database, "SELECT account_size FROM questionnaire_data")
        assert row["account_size"] == 50000
        [audit] = rows(owner.database, "SELECT data_snapshot FROM data_capture_audit")
        assert "hunter2x" not in audit["data_snapshot"]
        assert "4111111111111111" not in audit["data_snapshot"]


def test_the_kinds_of_the_command_are_all_kinds() -> None:
    assert (*KINDS,) == KIND_NAMES


def test_an_import_beside_a_running_service(
    capture_service: RunningService, server: CommandServer, user: str, tmp_path: Path
) -> None:
    owner = Installation(capture_service.database.parent, server)
    path = tmp_path / "history.csv"
    path.write_text("\n".join(["email,amount", *(f"{user},{number}" for number in range(300))]))
    process: subprocess.Popen[str] = owner.start("import", path, "--kind", "payment")
    while process.poll() is None:
        assert capture_service.capture("activity", {"user_email": user}).status_code == 201
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "300 stored" in output
    found = capture_service.rows("SELECT 1 FROM payment_data WHERE user_email = ?", user)
    assert len(found) == 300
