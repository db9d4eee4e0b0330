"""`restore`: puts a backup in the database's place, with the services stopped.

    FILE ──copied, checked──▶ trading_bots.restoring.partial
                                        │ renamed, in one step
    trading_bots.db  ◀──────────────────┘
          └──a second name, given before──▶ trading_bots.before-restore-20240115T103000.000Z.db

At every moment there is a complete file under the database's name: the old one up to the rename, then the new one. The
log (-wal) of the old one is brought into it, or set aside with it, before: SQLite would apply it to whatever file is there.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from data_capture.audit.head import forget_head
from data_capture.commands import Refused
from data_capture.commands.examination import (
    Examination,
    begins_as_database,
    examine,
    is_lock,
    our_tables,
    refuse_what_is_no_database,
    snapshot,
)
from data_capture.commands.files import (
    copy_database,
    gate_beside,
    give_to_owner_of,
    one_at_a_time,
    refuse_lack_of_space,
    remove_partial,
    sync,
    time_for_name,
)
from data_capture.commands.interruption import undisturbed
from data_capture.commands.occupants import programs_with, services_on
from data_capture.commands.people import erase_again_after_restore
from data_capture.commands.words import Progress, count, size
from data_capture.pragmas import size_bytes_of
from data_capture.settings import Settings
from data_capture.store.connection import Gate, GateTimeout

_GATE_SECONDS = 5.0
_LOCK_SECONDS = 2.0  # a program that uses the file keeps it open; only one that is just closing it is worth a wait
_LOOK_SECONDS = 0.05  # between two looks at who has it open

# Where SQLite's locks are in the file: PENDING_BYTE and the 511 bytes after it (sqlite.org/fileformat2.html, section 1.3).
_LOCK_BYTES_AT, _LOCK_BYTES = 0x40000000, 512

_LOGS = ("-wal", "-journal")


def restore(
    file: Path,
    settings: Settings,
    *,
    accept_broken_references: bool,
    confirm: Callable[[Callable[[], str]], bool],
    progress: Progress,
) -> None:
    """Restores `file` and says what was done and how to undo it.

    Args:
        file: a backup, or any other database of ours; it is only read.
        settings: whose database, and where its services would answer.
        accept_broken_references: restores a file with rows of ours that refer to someone who isn't there.
        confirm: gets what says what is about to happen (which takes a look at the present database); nothing does
            happen if it returns False.
        progress: shows how far it is.

    Raises:
        Refused: nothing was changed.
    """
    database = settings.database.resolve()  # where it is a link, what it points to is replaced, and not the link
    refuse_what_is_no_database(file)
    _refuse_unusable_place(database)
    if database.exists() and os.path.samefile(file, database):
        raise Refused(f"{file} is the database itself.")
    _refuse_running_services(settings)
    with one_at_a_time(database):
        _remove_second_names(database)
        staged = staged_beside(database)
        remove_partial(staged)
        try:
            examination = _stage(file, staged, database, progress, accept_broken_references=accept_broken_references)
            if not confirm(lambda: _intention(file, examination, database)):
                raise Refused("Nothing was changed.")
            with undisturbed():
                set_aside = _put_in_place(staged, settings)
        except OSError as error:
            raise Refused(f"{file} can't be restored: {error.strerror or error}. Nothing was changed.") from error
        finally:
            remove_partial(staged)
            progress.clear()
    print(f"{database} is now what {file} holds: {_contents(examination)}.")
    if set_aside is not None:
        print(f"What was there before is {set_aside}. To go back: python -m data_capture restore {set_aside}")
    try:
        erase_again_after_restore(settings)
    except Refused as refusal:
        print(f"Who was erased after this copy was made is erased again when the capture service starts: {refusal}")
    print("The services can be started again.", flush=True)


def staged_beside(database: Path) -> Path:
    """The name that the copy has until it is put in place."""
    return database.with_name(f"{database.stem}.restoring.partial")


def second_names_of(database: Path) -> list[Path]:
    """Names that a killed restore gave to what is still the database, and under which nothing was set aside with it."""
    names = []
    for path in database.parent.glob(f"{database.stem}.before-restore-*{database.suffix}"):
        with suppress(OSError):
            alone = not any(path.with_name(path.name + log).exists() for log in _LOGS)
            if alone and os.path.samefile(path, database):
                names.append(path)
    return names


def _remove_second_names(database: Path) -> None:
    for name in second_names_of(database):
        name.unlink()


def _refuse_unusable_place(database: Path) -> None:
    folder = database.parent
    if not folder.is_dir():
        raise Refused(f"There is no folder {folder} to restore to.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Refused(f"The folder {folder} can't be written to.")
    if not database.exists():
        return
    status = database.stat()
    if not stat.S_ISREG(status.st_mode):
        raise Refused(f"{database} is not a regular file, so that it can't be replaced.")
    if os.geteuid() not in (0, status.st_uid):
        raise Refused(f"{database} belongs to another user (uid {status.st_uid}); restore as that user, who runs the services.")


def _refuse_running_services(settings: Settings) -> None:
    running = services_on(settings)
    if running:
        raise Refused(f"Running on this database: {' and '.join(running)}. Stop them first (Ctrl-C where they were started).")


def _stage(file: Path, staged: Path, database: Path, progress: Progress, *, accept_broken_references: bool) -> Examination:
    """Copies `file` beside the database and checks the copy, which is what will be put in place."""
    try:
        with snapshot(file) as source:
            size_bytes = size_bytes_of(source)
            refuse_lack_of_space(staged.parent, size_bytes)
            copy_database(source, staged, lambda done, total: progress.bar("Copying", done, total))
        progress.step("Checking …")
        with snapshot(staged) as copy:
            examination = examine(copy)
    except sqlite3.OperationalError as error:
        raise Refused(f"{file} can't be copied to {staged.parent}: {error}. Nothing was changed.") from error
    except sqlite3.DatabaseError as error:
        raise Refused(f"{file} is damaged: {error}. Nothing was changed.") from error
    finally:
        progress.clear()
    if examination.damage:
        raise Refused(f"{file} is damaged: {'; '.join(examination.damage)}. Nothing was changed.")
    if examination.missing_tables:
        missing = ", ".join(examination.missing_tables)
        raise Refused(f"{file} is not a database of Enhanced Data Capture: it has no {missing}. Nothing was changed.")
    broken = [words for table, words in examination.broken_references.items() if table in our_tables()]
    if broken and not accept_broken_references:
        raise Refused(
            f"In {file} rows refer to someone who isn't there: {', '.join(broken)}. Nothing was changed. "
            "--accept-broken-references restores it all the same."
        )
    model = database if database.exists() else database.parent
    give_to_owner_of(model, staged)
    if database.exists():
        staged.chmod(stat.S_IMODE(database.stat().st_mode) | stat.S_IRUSR | stat.S_IWUSR)
    sync(staged)
    return examination


def _intention(file: Path, examination: Examination, database: Path) -> str:
    lines = [f"To be restored: {file}, {_contents(examination)}"]
    if database.exists():
        lines.append(f"In its place:   {database}, {_present(database)}; it will be set aside, not deleted")
    return "\n".join(lines)


def _contents(examination: Examination) -> str:
    latest = f", the latest audit record of {examination.latest}" if examination.latest else ""
    return count(examination.captures, "capture") + latest


def _present(database: Path) -> str:
    if not begins_as_database(database):  # only looking at an empty one would make SQLite throw away its log
        return f"{size(database.stat().st_size)}, not a database"
    try:
        with snapshot(database) as connection:
            present = examine(connection)
    except sqlite3.Error as error:
        return f"{size(database.stat().st_size)}, which can't be read ({error})"
    if present.damage:
        return f"{size(database.stat().st_size)}, damaged ({present.damage[0]})"
    return "not a database of ours" if present.missing_tables else _contents(present)


def _put_in_place(staged: Path, settings: Settings) -> Path | None:
    """Exchanges the database for `staged`; where the old one is now, or None where there was none."""
    database = settings.database.resolve()
    gate = Gate(settings.database)
    give_to_owner_of(staged, gate_beside(settings.database))  # it may just have been made
    try:
        # The services open and write the database inside the gate: none can begin to while the file is exchanged.
        with gate.held(_GATE_SECONDS), _locked_out(database):
            set_aside = _set_aside(database)
            forget_head(database)  # of the audit trail that is being replaced
            staged.replace(database)
            sync(database.parent)
            return set_aside
    except GateTimeout:
        raise Refused(f"Another process is writing to {database}. Nothing was changed.") from None
    finally:
        gate.close()


def _set_aside(database: Path) -> Path | None:
    """Gives what is there a second name, and logs that could not be brought into it that name as well."""
    aside = _free_name(database)
    existed = database.exists()
    if existed:
        try:
            os.link(database, aside)
        except OSError as error:
            raise Refused(
                f"The file system of {database} can't give a file a second name ({error.strerror}), without which an exchange "
                "is not safe. Nothing was changed. With the services stopped, move the database and its -wal away by hand."
            ) from error
        sync(database.parent)
    for log in _LOGS:
        with suppress(FileNotFoundError):
            database.with_name(database.name + log).rename(aside.with_name(aside.name + log))
    with suppress(FileNotFoundError):
        database.with_name(database.name + "-shm").unlink()  # made anew from the log
    sync(database.parent)
    return aside if existed else None


def _free_name(database: Path) -> Path:
    while True:
        path = database.with_name(f"{database.stem}.before-restore-{time_for_name()}{database.suffix}")
        if not any(path.with_name(path.name + log).exists() for log in ("", *_LOGS)):
            return path


@contextmanager
def _locked_out(database: Path) -> Iterator[None]:
    """For the block, nobody else has the database open or can begin to use it; its log has been brought into it.

    Raises:
        Refused: another program has it open.
    """
    if not database.exists():
        yield
        return
    connection = None
    try:
        # An empty file is left alone too: SQLite would throw away the log that may be all that is left.
        if begins_as_database(database):
            connection = _open_exclusively(database)
        if connection is None:
            with _lock_bytes_of(database):
                _refuse_occupied(database)
                yield
        else:
            with closing(connection):
                _refuse_occupied(database)
                yield
    except sqlite3.Error as error:
        raise Refused(f"{database} can't be set aside: {error}. Nothing was changed.") from error


def _open_exclusively(database: Path) -> sqlite3.Connection | None:
    """A connection that holds SQLite's exclusive lock, after the log is in the file; None if the file is too damaged for it.

    From here to the end this process must not open and close the file by other means: POSIX would give up the lock.
    """
    connection = sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=_LOCK_SECONDS)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        _wait_until(lambda: _takes_exclusive_lock(connection), database)
    except sqlite3.Error as error:
        connection.close()
        if "full" in str(error):
            raise
        return None
    except Refused:
        connection.close()
        raise
    return connection


def _takes_exclusive_lock(connection: sqlite3.Connection) -> bool:
    """Bring the log into the file and lock it; False while another connection exists."""
    try:
        # Each connection holds a lock for as long as it uses the log, and SQLite does not wait for it here.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if is_lock(error):
            return False
        raise
    if connection.execute("PRAGMA journal_mode").fetchone() == ("delete",):
        return True
    connection.execute("ROLLBACK")
    return False


@contextmanager
def _lock_bytes_of(database: Path) -> Iterator[None]:
    """Takes SQLite's exclusive lock of a file that SQLite itself can't read any more."""
    descriptor = os.open(database, os.O_RDWR | os.O_CLOEXEC)
    try:
        _wait_until(lambda: _takes_lock_bytes(descriptor), database)
        yield
    finally:
        os.close(descriptor)


def _takes_lock_bytes(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCK_BYTES, _LOCK_BYTES_AT)
    except BlockingIOError:
        return False
    return True


def _refuse_occupied(database: Path) -> None:
    # A program that has opened the file but not used it yet has no lock, and would go on with what was set aside.
    _wait_until(lambda: not programs_with(database), database)


def _wait_until(is_free: Callable[[], bool], database: Path) -> None:
    """Look again until `is_free`, or refuse after `_LOCK_SECONDS`."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while not is_free():
        if time.monotonic() >= deadline:
            raise _occupied(database)
        time.sleep(_LOOK_SECONDS)


def _occupied(database: Path) -> Refused:
    programs = programs_with(database)
    by = ", ".join(programs) if programs else "another program"
    return Refused(f"{database} is open in {by}. Stop that first. Nothing was changed.")


def ask_on_terminal(intention: Callable[[], str]) -> bool:
    """Shows what is about to happen and asks; where nobody sits there to answer, it goes on, as nothing is lost by it."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    print(intention(), file=sys.stderr)
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
