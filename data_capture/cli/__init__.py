"""Run the operator's commands (`python3 -m data_capture`) and the live check.

    main.py              runs a command and turns errors into exit statuses
    parser.py            builds the argument parser from the modules of commands/
    commands/            one module per command: its description, its arguments, its `run`
    backup.py            makes a checked copy of the database while everything runs
    restore.py           replaces the database with a backup
    replacement.py       sets the old database aside and moves the new one into its place
    exclusive_access.py  keeps other programs out of a database while it is replaced
    export.py            writes a user's data to a file
    import_file.py       imports a file of history, in groups, and reports
    import_lines.py      reads the lines of CSV and JSON lines files
    import_rows.py       turns lines into captures
    erase.py             erases a user
    retention.py         deletes data that is older than its retention period
    set_password.py      gives an account a new password
    verify_audit.py      verifies the audit trail and the schema
    doctor/              checks an installation and says what to do
    live_check.py        sends one user's captures through running services

These are shared by several commands:

    integrity_report.py  checks a database file and counts its contents
    schema_report.py     compares a database's schema with schema.sql
    open_handles.py      finds the services and programs that use a database
    listening_ports.py   finds the ports on which processes listen
    opened_store.py      opens the store for a command
    files.py             copies, file names and locks: no database file is ever incomplete
    signals.py           ends a command cleanly on Ctrl-C, SIGTERM and SIGHUP
    confirmation.py      asks before a change that cannot be undone
    formatting.py        formats sizes, numbers and ages
    progress.py          shows how far a command is
    errors.py            the error that ends a command
"""

from data_capture.cli.errors import CommandError

__all__ = ["CommandError"]
