"""The commands of whoever runs the services: `python -m data_capture COMMAND`; `--help` tells which there are."""

# ruff: noqa: E402  (the environment is made before anything from a package is imported)

import os
import sys

if not __package__:  # run as `python /some/where/data_capture`, from any folder: a cron job's way
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from data_capture.bootstrap import ensure_environment

ensure_environment(os.path.dirname(os.path.abspath(__file__)), __name__)

import argparse
import io
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from data_capture.commands import Refused
from data_capture.commands.interruption import Interrupted, interruptible
from data_capture.commands.words import Progress
from data_capture.keys import UntrustedKeysError, check_keys_directory
from data_capture.settings import SettingError, Settings, add_flags, load_settings

_PROGRAM = "python -m data_capture"

_ABOUT = """\
Commands for whoever runs Enhanced Data Capture.

  backup       makes a checked copy of the database, while everything runs
  restore      puts such a copy in the database's place, with the services stopped
  admin-token  shows the token that opens what is held on people, once, or makes a new one
  write-token  makes, lists and revokes tokens with which servers of yours confirm what they capture
  export       writes everything that is held on a person, as JSON or as an archive
  erase        erases a person: rows, audit contents, bytes
  set-password gives an account a new password
  retention    deletes what is older than EDC_RETENTION_DAYS says
  verify-audit checks that no audit record was changed, removed or inserted
  doctor       checks ports, permissions, the database, the disk and the log, and says what to do

  python -m data_capture COMMAND --help  tells more about one.
"""

_ABOUT_BACKUP = """\
Makes a copy of the database, of one moment, while the services go on writing. It is checked (integrity, foreign keys, our
tables) and on disk before it gets its name, trading_bots-20240115T103000.000Z.db: one file, complete in itself.

The copy holds personal data, and people who are erased later are still in it: keep it where only you can read it, and no
longer than you need it. The keys beside the database (trading_bots.keys) are left out on purpose, since copies get around.
Without them nothing is lost: they are made anew, and everybody logs in again. What the audit trail proves of the time before
takes its key (audit.key): keep a copy of that elsewhere.

Every night, the last 14 kept, in a crontab:
  30 3 * * *  cd /path/to/this/folder && .venv/bin/python -m data_capture backup --keep 14
"""

_ABOUT_RESTORE = """\
Checks FILE (integrity, foreign keys, our tables) and puts a copy of it in the database's place. Refuses while a service runs
on the database or any program keeps it open. What was there before is set aside beside it, never deleted, so that this can be
undone with the same command. It is safe to kill at any moment: the database is then either the old one or the new one.

People who were erased after FILE was made are erased again: trading_bots.keys/erasures tells who, without their addresses.
FILE itself, and what is set aside, still hold them.
"""

_ABOUT_ADMIN = """\
Prints the admin token, which programs send as "Authorization: Bearer TOKEN" to export what is held on a person and to erase it.
It was made at the first start. Only its hash is kept from then on, so that it is printed once: keep it in a password manager.
--rotate makes a new one, at any time, also while the services run; the one before it opens nothing any more.

--header writes it into a new file that only you can read, as the line that curl takes with -H @FILE. A token on a command line
is seen by everyone on the machine, and stays in the shell's history:

  python -m data_capture admin-token --header admin-header
  curl -H @admin-header http://127.0.0.1:5003/api/data-capture/stats/user@example.com

Where EDC_ADMIN_TOKEN is set, that is the token, and this command only writes its header.
"""

_ABOUT_WRITE = """\
Makes a write token and prints it, once; only its hash is kept. A server of yours that sends captures with the header
"Authorization: Bearer TOKEN" confirms them. All other captures are claims: anyone can send one for any address. The view
capture_sources tells them apart. A write token opens nothing else: it reads nothing and erases nothing.

Never put one into a page, where every visitor can read it. Each token has a name:

  python3 -m data_capture write-token shop             makes the token "shop"
  python3 -m data_capture write-token --list           names all tokens
  python3 -m data_capture write-token shop --revoke    makes it void at once, also for services that run
"""

_ABOUT_EXPORT = """\
Writes everything that is held on a person, from every table: a JSON document, or with --format zip an archive of it with a CSV
file a table and the screenshots as files. It works while the services run, and is recorded in the audit trail.
"""

_ABOUT_ERASE = """\
Erases a person: rows, receipts, addresses, the email itself. Audit records stay, as those of a pseudonym, without what was
captured; the trail still verifies. Then no byte of it is in the database's files; where a program keeps that from being done at
once, the capture service does it later. What browsers still hold of the time before is refused for 30 days, and a backup that is
restored is erased from again. It works while the services run.

Backups keep what they hold: delete those that you need no longer (backup --keep).
"""

_ABOUT_PASSWORDS = """\
Gives the account with this address a new password: where a stranger signed up with it first, or where a password was forgotten.
It asks for the password twice, or reads the first line of standard input where that is no terminal. It is never an argument,
since other users of the machine can see those. It works while the services run, and is recorded in the audit trail.

The password that was there opens nothing any more. Tokens that it gave stay valid until they expire (EDC_TOKEN_HOURS).
"""

_ABOUT_RETENTION = """\
Deletes what is older than EDC_RETENTION_DAYS says, as the capture service does once a day by itself, and records it in the audit
trail. Audit records stay, without what they held of it; the trail still verifies.

  EDC_RETENTION_DAYS=payment=3650,dashboard=90,ip_address=30,user_agent=30  python -m data_capture retention --dry-run
"""

_ABOUT_VERIFY = """\
Checks every audit record against the chain beside it, and names the first that was changed, removed, inserted or moved; status 1
then. It works while the services write, and changes nothing.

The chain is made with the key in trading_bots.keys/audit.key. Who can write the database, but not read that file, can't change a
record unnoticed, nor cut off the newest ones: which record was the newest is noted beside the database within a second or two.
Who can read the key can forge all of it, and is found out only with a head that was kept elsewhere.

  python -m data_capture verify-audit --head          prints the head: keep it on another machine
  python -m data_capture verify-audit --since HEAD    proves that nothing before it has changed
"""

_ABOUT_DOCTOR = """\
Asks everything that the README's troubleshooting asks, one line a question: ok, warning or problem, and what to do.
Changes nothing, works while the services run and while they don't, and prints no personal data. Status 1 if there is a problem.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit status: 0, 1 after a sentence on standard error, 128 and the signal when interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # not every terminal knows every character of a path
    parser = _parser()
    if not (sys.argv[1:] if arguments is None else arguments):
        parser.print_help()
        return 2
    given = parser.parse_args(arguments)
    try:
        settings = load_settings(vars(given))
    except SettingError as error:
        parser.error(str(error))
    progress = Progress()
    try:
        with interruptible():
            if given.command != "doctor":  # which reports it
                _refuse_untrusted_keys(settings)
            status: int = given.run(given, settings, progress)
            return status
    except Refused as refusal:
        progress.clear()
        print(refusal, file=sys.stderr, flush=True)
        return 1
    except BrokenPipeError:  # `doctor | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, sqlite3.Error) as error:
        progress.clear()
        reason = f"The {given.command} failed: {error}"
        if isinstance(error, OSError) and error.filename is not None:
            reason = f"{error.filename} can't be used: {error.strerror}"
        print(f"{reason}.", file=sys.stderr, flush=True)
        return 1
    except Interrupted as interruption:
        progress.clear()
        print("Interrupted.", file=sys.stderr, flush=True)
        return 128 + interruption.signal_number


def _refuse_untrusted_keys(settings: Settings) -> None:
    """Raise Refused if other users may have read or written the keys: a token from there, or a proof, is theirs as well."""
    try:
        check_keys_directory(settings.database)
    except UntrustedKeysError as error:
        raise Refused(f"{error} Nothing was done.") from error


# Each command imports what it needs itself: a backup is made also where what serves, or a package of its, is broken.


def _back_up(given: argparse.Namespace, settings: Settings, progress: Progress) -> int:
    from data_capture.commands.backup import back_up

    back_up(settings.database, given.to, given.keep, progress)
    return 0


def _restore(given: argparse.Namespace, settings: Settings, progress: Progress) -> int:
    from data_capture.commands.restore import ask_on_terminal, restore

    restore(
        given.file.absolute(), settings,
        accept_broken_references=given.accept_broken_references,
        confirm=(lambda _: True) if given.yes else ask_on_terminal,
        progress=progress,
    )  # fmt: skip
    return 0


def _examine(given: argparse.Namespace, settings: Settings, progress: Progress) -> int:
    from data_capture.commands.doctor import examine_installation

    return 0 if examine_installation(settings, quick=given.quick, as_json=given.json, progress=progress) else 1


def _show_admin_token(given: argparse.Namespace, settings: Settings, _progress: Progress) -> int:
    from data_capture.commands.admin_token import show_admin_token, write_admin_header

    if given.header is None:
        show_admin_token(settings, rotate=given.rotate)
    else:
        write_admin_header(given.header, settings, rotate=given.rotate)
    return 0


def _manage_write_tokens(given: argparse.Namespace, settings: Settings, _progress: Progress) -> int:
    from data_capture.write_tokens import create_write_token, revoke_write_token, write_token_names

    if not settings.database.parent.is_dir():
        raise Refused(f"There is no folder {settings.database.parent}.")
    if given.list:
        for name in write_token_names(settings):
            print(name)
        return 0
    if given.revoke:
        if not revoke_write_token(settings, given.name):
            raise Refused(f"There is no write token {given.name}. --list names those that there are.")
        print(f"The write token {given.name} is revoked.", file=sys.stderr, flush=True)
        return 0
    token = create_write_token(settings, given.name)
    if token is None:
        raise Refused(f"There is a write token {given.name} already. Choose another name, or revoke it with --revoke.")
    print(token, flush=True)
    print("Keep it in your server's secret store: it is not shown again.", file=sys.stderr, flush=True)
    return 0


def _export(given: argparse.Namespace, settings: Settings, _progress: Progress) -> int:
    from data_capture.commands.people import export

    export(given.email, settings, given.format, given.to)
    return 0


def _erase(given: argparse.Namespace, settings: Settings, _progress: Progress) -> int:
    from data_capture.commands.people import erase
    from data_capture.commands.restore import ask_on_terminal

    erase(given.email, settings, (lambda _: True) if given.yes else ask_on_terminal)
    return 0


def _set_password(given: argparse.Namespace, settings: Settings, _progress: Progress) -> int:
    from data_capture.commands.set_password import set_password

    set_password(given.email, settings)
    return 0


def _apply_retention(given: argparse.Namespace, settings: Settings, progress: Progress) -> int:
    from data_capture.commands.people import retention

    retention(settings, progress, dry_run=given.dry_run)
    return 0


def _verify_audit(given: argparse.Namespace, settings: Settings, progress: Progress) -> int:
    from data_capture.commands.verify_audit import verify_audit

    intact = verify_audit(settings.database, given.key, given.since, print_head=given.head, progress=progress)
    return 0 if intact else 1


def _parser() -> argparse.ArgumentParser:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog=_PROGRAM, description=_ABOUT, formatter_class=shape, usage="%(prog)s COMMAND …")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", prog=_PROGRAM, help=argparse.SUPPRESS)

    backup = commands.add_parser("backup", description=_ABOUT_BACKUP, formatter_class=shape)
    backup.add_argument(
        "--to",
        type=_folder,
        metavar="DIR",
        help="the folder to put it in, which must be there (default: backups/ beside the database, which is made)",
    )
    backup.add_argument(
        "--keep",
        type=_at_least_one,
        metavar="N",
        help="then delete the oldest backups of this database in DIR, so that N are left (default: keep all)",
    )
    backup.set_defaults(run=_back_up)
    add_flags(backup, {"database"})

    restoring = commands.add_parser("restore", description=_ABOUT_RESTORE, formatter_class=shape)
    restoring.add_argument("file", type=Path, metavar="FILE", help="a backup; it is only read")
    restoring.add_argument("--yes", action="store_true", help="don't ask (nobody is asked either where no terminal is)")
    restoring.add_argument(
        "--accept-broken-references",
        action="store_true",
        help="restore FILE even if rows in it refer to a person who isn't there",
    )
    restoring.set_defaults(run=_restore)
    add_flags(restoring, {"database", "host", "capture_port", "signup_port"})

    admin_token = commands.add_parser("admin-token", description=_ABOUT_ADMIN, formatter_class=shape)
    admin_token.add_argument("--rotate", action="store_true", help="make a new token; the one before it is void at once")
    admin_token.add_argument(
        "--header", type=_folder, metavar="FILE", help="write it as a header into FILE, a new file, instead of printing it"
    )
    admin_token.set_defaults(run=_show_admin_token)
    add_flags(admin_token, {"database"})

    write_token = commands.add_parser("write-token", description=_ABOUT_WRITE, formatter_class=shape)
    write_token.add_argument("name", nargs="?", type=_token_name, metavar="NAME", default="default",
                             help="the token's name: letters, digits, hyphens (default: default)")  # fmt: skip
    choice = write_token.add_mutually_exclusive_group()
    choice.add_argument("--list", action="store_true", help="name all write tokens, and make none")
    choice.add_argument("--revoke", action="store_true", help="make the token void at once")
    write_token.set_defaults(run=_manage_write_tokens)
    add_flags(write_token, {"database"})

    exporting = commands.add_parser("export", description=_ABOUT_EXPORT, formatter_class=shape)
    exporting.add_argument("email", metavar="EMAIL", help="the person's address")
    exporting.add_argument("--to", type=_folder, metavar="FILE", help="the file to make (default: standard output)")
    exporting.add_argument("--format", choices=("json", "zip"), default="json", help="the form (default: json)")
    exporting.set_defaults(run=_export)
    add_flags(exporting, {"database", "request_seconds"})

    erasing = commands.add_parser("erase", description=_ABOUT_ERASE, formatter_class=shape)
    erasing.add_argument("email", metavar="EMAIL", help="the person's address")
    erasing.add_argument("--yes", action="store_true", help="don't ask (nobody is asked either where no terminal is)")
    erasing.set_defaults(run=_erase)
    add_flags(erasing, {"database", "request_seconds"})

    setting = commands.add_parser("set-password", description=_ABOUT_PASSWORDS, formatter_class=shape)
    setting.add_argument("email", metavar="EMAIL", help="the account's address")
    setting.set_defaults(run=_set_password)
    add_flags(setting, {"database", "request_seconds"})

    ageing = commands.add_parser("retention", description=_ABOUT_RETENTION, formatter_class=shape)
    ageing.add_argument("--dry-run", action="store_true", help="only tell what would be done")
    ageing.set_defaults(run=_apply_retention)
    add_flags(ageing, {"database", "request_seconds", "retention_days"})

    verifying = commands.add_parser("verify-audit", description=_ABOUT_VERIFY, formatter_class=shape)
    verifying.add_argument("--head", action="store_true", help="print the head alone, if everything is as it was written")
    verifying.add_argument("--since", type=_head, metavar="HEAD", help="a head printed earlier, which has to be there still")
    verifying.add_argument("--key", type=Path, metavar="FILE", help="the key, where it is not beside the database: for a backup")
    verifying.set_defaults(run=_verify_audit)
    add_flags(verifying, {"database"})

    doctor = commands.add_parser("doctor", description=_ABOUT_DOCTOR, formatter_class=shape)
    doctor.add_argument("--quick", action="store_true", help="check the database's pages, but not whether its indexes agree")
    doctor.add_argument("--json", action="store_true", help="answer in JSON, for programs")
    doctor.set_defaults(run=_examine)
    exposing = {"host", "allowed_origins", "allowed_hosts", "trusted_proxies"}
    add_flags(doctor, {"database", "capture_port", "signup_port", "log_file", "request_seconds", *exposing})
    return parser


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _head(text: str) -> object:
    from data_capture.audit.head import parse_head

    try:
        return parse_head(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"it takes {error}") from error


def _token_name(text: str) -> str:
    from data_capture.write_tokens import NAME

    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError("it takes 1 to 40 small letters, digits and hyphens")
    return text


def _at_least_one(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("it takes a number, 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
