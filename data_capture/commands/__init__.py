"""What whoever runs the services can ask for with `python -m data_capture`: one module a command.

    backup.py       a checked copy of the database, while everything runs
    restore.py      puts such a copy in the database's place
    people.py       exports and erases what is held on a person, and applies the retention
    verify_audit.py checks the audit trail
    doctor.py       says what is wrong

and what these share:

    examination.py  whether a database file is whole, and what is in it
    files.py        copies, names and locks: what makes that no file is ever half there
    occupants.py    who uses a database: the services, other programs
    interruption.py Ctrl-C and SIGTERM leave nothing half done
    words.py        sizes and numbers as people read them, and the progress bar
"""


class Refused(Exception):
    """The command can't do what it was asked for; the text is a sentence for whoever asked."""
