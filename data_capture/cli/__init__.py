"""What whoever runs the services can ask for with `python3 -m data_capture`: one module a command.

    backup.py       a checked copy of the database, while everything runs
    restore.py      puts such a copy in the database's place
    users.py        exports and erases what is held on a person, and applies the retention
    verify_audit.py checks the audit trail
    doctor.py       says what is wrong

and what these share:

    integrity_report.py  whether a database file is whole, and what is in it
    files.py        copies, names and locks: what makes that no file is ever half there
    open_handles.py who uses a database: the services, other programs
    signals.py      Ctrl-C and SIGTERM leave nothing half done
    formatting.py   sizes and numbers as people read them, and the progress bar
"""

from data_capture.cli.errors import CommandError

__all__ = ["CommandError"]
