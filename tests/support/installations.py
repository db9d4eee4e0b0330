"""An installation: a folder, a database, and the commands of `python3 -m data_capture`."""

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

# Runs each command in a fork, which takes a tenth of the time that a start of Python takes. On
# request, the fork kills itself before its n-th change to the files of a folder.
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
    request = json.loads(line)
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            os.environ.update(request["environment"])
            if request["limit_bytes"]:
                resource.setrlimit(resource.RLIMIT_FSIZE, (request["limit_bytes"],) * 2)
            if request["killed_before"]:
                die_before(request["killed_before"], request["folder"])
            try:
                status = program.main(request["arguments"])
            except SystemExit as end:
                status = end.code
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = [stream.seek(0) or stream.read() for stream in (output, errors)]
        print(json.dumps([status, *texts]), flush=True)
"""


@dataclass(frozen=True)
class Outcome:
    """The result of a command: its exit status (`KILLED` after a kill), and what it printed."""

    status: int
    output: str
    errors: str

    @property
    def error(self) -> str:
        """The last line of standard error, after the lines that show progress."""
        return self.errors.removesuffix("\n").rpartition("\n")[2]


class CommandServer:
    """Run commands one after the other, in forks of a process that has imported the product."""

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
        """Run a command, and return its result. `Installation.run` explains the arguments."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {
            "arguments": arguments,
            "environment": environment,
            "folder": str(folder),
            "limit_bytes": limit_bytes,
            "killed_before": killed_before,
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Outcome(*json.loads(self._process.stdout.readline()))

    def __enter__(self) -> CommandServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)


class Installation:
    """A folder with a database; no service runs unless a test starts one."""

    def __init__(self, directory: Path, server: CommandServer) -> None:
        self.directory = directory
        self.database = directory / "trading_bots.db"
        self.log_file = directory / "enhanced_data_capture.log"
        self.backups = directory / "backups"
        self.capture_port, self.signup_port = free_port(), free_port()
        self._server = server

    @property
    def environment(self) -> dict[str, str]:
        """The settings as environment variables."""
        return {
            "EDC_CAPTURE_PORT": str(self.capture_port),
            "EDC_SIGNUP_PORT": str(self.signup_port),
            "EDC_DATABASE": str(self.database),
            "EDC_LOG_FILE": str(self.log_file),
        }

    def run(self, *arguments: object, limit_bytes: int = 0, killed_before: int = 0) -> Outcome:
        """Run a command to its end.

        Args:
            arguments: of `python3 -m data_capture`.
            limit_bytes: the maximum size of a file that it writes, like a full disk; 0 for none.
            killed_before: the number of the change to the folder before which it is killed, counted
                from 1; 0 for no kill.
        """
        return self._server.run(
            [*map(str, arguments)], self.environment, self.directory, limit_bytes, killed_before
        )

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start a command in its own process, as an operator does."""
        return subprocess.Popen(
            [sys.executable, "-m", "data_capture", *map(str, arguments)],
            cwd=REPOSITORY,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def back_up(self) -> Path:
        """Back up the database, and return the backup."""
        outcome = self.run("backup")
        assert outcome.status == 0, outcome.errors
        return Path(outcome.output.partition(": ")[0])

    def files(self) -> set[str]:
        """Return the names in the folder, without the auxiliary files of the database."""
        names = (str(path.relative_to(self.directory)) for path in self.directory.rglob("*"))
        return {
            name
            for name in names
            if not name.endswith(("-gate", "-shm", "-wal", "-audit-head")) and ".keys" not in name
        }


@contextmanager
def writing_to(database: Path, users: Iterable[str], now: str) -> Iterator[sqlite3.Connection]:
    """Run a transaction in a database with these users, and prepare the database afterwards.

    The services prepare a database at each start, so that they accept the changes.
    """
    prepare(database)
    with closing(open_connection(database, 5)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for user in users:
            ensure_user(connection, user, None, now)
        yield connection
        connection.execute("COMMIT")
    prepare(database)


def make_database(database: Path, number: int, *, kilobytes: int = 0) -> None:
    """Create a database as the services do, with a number of payments."""
    prepare(database)
    add_payments(database, number, kilobytes=kilobytes)


def add_payments(database: Path, number: int, *, kilobytes: int = 0) -> None:
    """Add payments of one user with audit records, each with a snapshot of `kilobytes`."""
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
                "INSERT INTO data_capture_audit (user_email, capture_type, data_snapshot) "
                "VALUES ('p@example.com', 'payment', ?)",
                ("x" * 1000 * kilobytes,),
            )


def leave_in_wal(database: Path, number: int) -> None:
    """Add payments in a process that is killed, so that they are in the WAL and not in the file."""
    program = (
        "import sqlite3, sys, time\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA journal_mode = WAL')\n"
        "for _ in range(int(sys.argv[2])):\n"
        "    connection.execute("
        "        \"INSERT INTO payment_data (user_email) VALUES ('p@example.com')\")\n"
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


def delete_users(database: Path) -> None:
    """Delete all users with SQL, so that their rows have broken references."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM users")


def damage_file(database: Path) -> None:
    """Overwrite two pages in the middle of the file."""
    with database.open("r+b") as file:
        file.seek(database.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xa5" * 8192)


def count_payments(database: Path) -> int:
    """Return the number of payments."""
    return int(rows(database, "SELECT count(*) AS number FROM payment_data")[0]["number"])


def is_intact(database: Path) -> bool:
    """Run SQLite's integrity check."""
    try:
        return rows(database, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    except sqlite3.DatabaseError:
        return False
