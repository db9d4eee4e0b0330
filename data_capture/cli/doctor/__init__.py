"""Check an installation and say what to do; nothing here changes anything.

    findings.py         the result of a check, and its level
    report.py           runs all checks and prints their findings
    service_checks.py   the services, their ports, and who can reach them
    file_checks.py      permissions of the database, its folder and its keys; disk space; log file
    database_checks.py  integrity, foreign keys, lock, SQLite's version, WAL
    audit_checks.py     whether audit records are missing
    backup_checks.py    backups, and files that an unfinished backup or restore left

Answers and advice contain no personal data.
"""
