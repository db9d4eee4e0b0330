"""An installation as whoever runs it sees it: a folder, a database, and the commands of `python3 -m data_capture`."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from data_capture.store.sqlite.connection import open_connection
from data_capture.store.sqlite.schema import prepare
from data_capture.store.sqlite.users import ensure_user
from tests.support.services import REPOSITORY, free_port, rows

KILLED = -signal.SIGKILL

# Runs each command that it is told in a fork of itself, which takes a tenth of the time that starting Python does; on
# request the fork kills itself before its n-th change to the files of a folder.
_SERVER = """
import json, os, resource, signal, sys, tempfile
import data_capture.cli.main as program, data_capture.cli.backup, data_capture.cli.doctor.report
import data_capture.cli.erase, data_capture.cli.export, data_capture.cli.restore
import data_capture.cli.retention, data_capture.cli.verify_audit
CHANGES = {"open", "os.link", "os.rename", "os.remove", "os.chmod", "os.mkdir", "sqlite3.connect"}

def die_before(change, folder):
    def hook(event, arguments):
        nonlocal change
        if event in CHANGES and folder in str(arguments[0]):
            change -= 1
            if change == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

for line in sys.stdin:
    order = json.loads(line)
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as complaints:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output.fileno(), 1)
            os.dup2(complaints.fileno(), 2)
            os.environ.update(order["environment"])
            if order["limit_bytes"]:
                resource.setrlimit(resource.RLIMIT_FSIZE, (order["limit_bytes"],) * 2)
            if order["killed_before"]:
                die_before(order["killed_before"], order["folder"])
            try:
                status = program.main(order["arguments"])
            except SystemExit as end:
                status = end.code
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = [stream.seek(0) or stream.read() for stream in (output, complaints)]
        print(json.dumps([status, *texts]), flush=True)
"""


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit status (`KILLED` when it was), and what it said."""

    status: int
    output: str
    complaint: str

    @property
    def error(self) -> str:
        """The last line of standard error, after the lines that show progress."""
        return self.complaint.removesuffix("\n").rpartition("\n")[2]


class CommandServer:
    """Runs commands, one after the other."""

    def __init__(self) -> None:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("EDC_")
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVER], cwd=REPOSITORY, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def run(
        self,
        arguments: list[str],
        environment: dict[str, str],
        folder: Path,
        limit_bytes: int,
        killed_before: int,
    ) -> Outcome:
        """What came of one command."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"arguments": arguments, "environment": environment, "folder": str(folder), "limit_bytes": limit_bytes,
                 "killed_before": killed_before}  # fmt: skip
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Outcome(*json.loads(self._process.stdout.readline()))

    def __enter__(self) -> CommandServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)


class Installation:
    """A folder with a database in it; no service runs unless a test starts one."""

    def __init__(self, directory: Path, server: CommandServer) -> None:
        self.directory = directory
        self.database = directory / "trading_bots.db"
        self.log_file = directory / "enhanced_data_capture.log"
        self.backups = directory / "backups"
        self.capture_port, self.signup_port = free_port(), free_port()
        self._server = server

    @property
    def environment(self) -> dict[str, str]:
        """The settings."""
        return {"EDC_CAPTURE_PORT": str(self.capture_port), "EDC_SIGNUP_PORT": str(self.signup_port),
                "EDC_DATABASE": str(self.database), "EDC_LOG_FILE": str(self.log_file)}  # fmt: skip

    def run(self, *arguments: object, limit_bytes: int = 0, killed_before: int = 0) -> Outcome:
        """Runs a command to its end.

        Args:
            arguments: of `python3 -m data_capture`.
            limit_bytes: how large a file of its can grow, as if the disk were full then; 0 for any size.
            killed_before: before which of its changes to the folder it is killed, counted from 1; 0 for none.
        """
        return self._server.run(
            [*map(str, arguments)], self.environment, self.directory, limit_bytes, killed_before
        )

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Starts a command in a process of its own, exactly as people do."""
        return subprocess.Popen(
            [sys.executable, "-m", "data_capture", *map(str, arguments)], cwd=REPOSITORY, text=True,
            env={**os.environ, **self.environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def back_up(self) -> Path:
        """A backup of the database as it is."""
        outcome = self.run("backup")
        assert outcome.status == 0, outcome.complaint
        return Path(outcome.output.partition(": ")[0])

    def files(self) -> set[str]:
        """The names of everything in the folder, without what SQLite and the services keep beside a database."""
        names = (str(path.relative_to(self.directory)) for path in self.directory.rglob("*"))
        return {
            name
            for name in names
            if not name.endswith(("-gate", "-shm", "-wal", "-audit-head")) and ".keys" not in name
        }


@contextmanager
def writing_to(database: Path, users: Iterable[str], now: str) -> Iterator[sqlite3.Connection]:
    """A transaction in a database of ours with these users; the services' next start has seen what it leaves."""
    prepare(database)
    with closing(open_connection(database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for user in users:
            ensure_user(connection, user, None, now)
        yield connection
        connection.execute("COMMIT")
    prepare(database)


def make_database(database: Path, number: int, *, kilobytes: int = 0) -> None:
    """A database as the services make it, with so many payments."""
    prepare(database)
    add_payments(database, number, kilobytes=kilobytes)


def add_payments(database: Path, number: int, *, kilobytes: int = 0) -> None:
    """Adds payments of one person with their audit records, each with a snapshot of so many kilobytes."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(
            "INSERT OR IGNORE INTO users (username, email, password_hash, normalized_email) "
            "VALUES ('p', 'p@example.com', '!', 'p@example.com')"
        )
        for _ in range(number):
            connection.execute(
                "INSERT INTO payment_data (user_email, final_price) VALUES ('p@example.com', 9.5)"
            )
            connection.execute(
                "INSERT INTO data_capture_audit (user_email, capture_type, data_snapshot) VALUES ('p@example.com', 'payment', ?)",
                ("x" * 1000 * kilobytes,),
            )


def leave_in_log(database: Path, number: int) -> None:
    """Adds payments in a process that is killed, so that they are in the log and not in the file."""
    program = (
        "import sqlite3, sys, time\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA journal_mode = WAL')\n"
        "for _ in range(int(sys.argv[2])):\n"
        "    connection.execute(\"INSERT INTO payment_data (user_email) VALUES ('p@example.com')\")\n"
        "print(flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(database), str(number)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    assert database.with_name(database.name + "-wal").stat().st_size > 0


def forget_users(database: Path) -> None:
    """What a hand in the database can do: the rows of the person refer to nobody afterwards."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM users")


def damage(database: Path) -> None:
    """Overwrites a part of the middle of the file."""
    with database.open("r+b") as file:
        file.seek(database.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xa5" * 8192)


def payments(database: Path) -> int:
    """How many payments there are."""
    return int(rows(database, "SELECT count(*) AS number FROM payment_data")[0]["number"])


def is_whole(database: Path) -> bool:
    """What SQLite says."""
    try:
        return [tuple(row.values()) for row in rows(database, "PRAGMA integrity_check")] == [
            ("ok",)
        ]
    except sqlite3.DatabaseError:
        return False
