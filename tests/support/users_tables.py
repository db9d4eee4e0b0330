"""Generate `users` tables of other programs, with accounts of all kinds."""

from __future__ import annotations

import base64
import hashlib
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bcrypt
from argon2 import PasswordHasher
from werkzeug.security import generate_password_hash

PASSWORDS = [f"the owner's {word} password" for word in ("first", "second", "third")]
ATTACKER_PASSWORD = "an attacker's password"

_ARGON2 = PasswordHasher(time_cost=1, memory_cost=256, parallelism=1)


def _django_pbkdf2(password: str) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"salt", 100)
    return f"pbkdf2_sha256$100$salt${base64.b64encode(digest).decode()}"


def _bcrypt(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


# The hash formats that the product checks.
CHECKED_FORMATS: dict[str, Callable[[str], Any]] = {
    "sha-256": lambda password: hashlib.sha256(password.encode()).hexdigest(),
    "SHA-256 in capitals": lambda password: hashlib.sha256(password.encode()).hexdigest().upper(),
    "argon2": _ARGON2.hash,
    "django's argon2": lambda password: "argon2" + _ARGON2.hash(password),
    "bcrypt": _bcrypt,
    "bcrypt in bytes": lambda password: _bcrypt(password).encode(),
    "php's bcrypt": lambda password: _bcrypt(password).replace("$2b$", "$2y$"),
    "scrypt": lambda password: generate_password_hash(password, "scrypt:1024:8:1"),
    "pbkdf2": lambda password: generate_password_hash(password, "pbkdf2:sha256:100"),
    "django's pbkdf2": _django_pbkdf2,
}
# Stored passwords that the product cannot or must not check: no password logs in.
UNCHECKED_FORMATS: dict[str, Callable[[str], Any]] = {
    "plain": lambda password: password,
    "md5": lambda password: hashlib.md5(password.encode()).hexdigest(),  # noqa: S324
    "sha-1": lambda password: hashlib.sha1(password.encode()).hexdigest(),  # noqa: S324
    "sha-512": lambda password: hashlib.sha512(password.encode()).hexdigest(),
    "salted": lambda password: "salt:" + hashlib.sha256(("salt" + password).encode()).hexdigest(),
    "crypt": lambda _password: "$6$rounds=5000$salt$" + "a" * 86,
    "expensive bcrypt": lambda _password: "$2b$31$" + "a" * 53,
    "expensive pbkdf2": lambda _password: "pbkdf2:sha256:9999999$salt$" + "ab" * 32,
    "truncated bcrypt": lambda password: _bcrypt(password)[:40],
    "bytes": lambda _password: b"\xff\xfe\x00\x01",
    "a number": lambda _password: 12345678,
    "!": lambda _password: "!",
    "*": lambda _password: "*",
    "django's unusable": lambda _password: "!aBcDeFgHiJkLmNoPqRsTuVwXyZ",
}
HASH_COLUMNS = [
    "password_hash", "PASSWORD_HASH", "hashed_password", "password_digest", "passwordHash",
    "passhash", "pass_hash", "pwd_hash", "encrypted_password", "password", "PassWord", "passwd",
    "pwd", "hash", "user_password",
]  # fmt: skip
OTHER_COLUMNS = [
    "username TEXT", "username TEXT UNIQUE", "name TEXT", "full_name TEXT", "google_id TEXT",
    "is_admin INTEGER DEFAULT 0", "role TEXT DEFAULT 'user'",
    "created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP", "created_at DATETIME", "plan_type TEXT",
    "normalized_email TEXT", "normalized_email TEXT UNIQUE", "phone TEXT", "last_login DATETIME",
    "unique_id TEXT UNIQUE", "password_reset_token TEXT", "password_changed_at TEXT",
    "avatar BLOB", "updated_at TEXT",
]  # fmt: skip
# Declarations of columns that can disable an account: the values that do, and values that do not.
FLAGS: dict[str, tuple[list[Any], list[Any]]] = {
    "is_active INTEGER DEFAULT 1": ([0, "0", "false", b"\0"], [1, None, "true"]),
    "active BOOLEAN": ([0, "no", "F", "off"], [1, None, "yes"]),
    "enabled": ([0, "False", "n"], [1, None, "Y"]),
    "isEnabled INTEGER": ([0], [1, None]),
    "banned INTEGER DEFAULT 0": ([1, "yes"], [0, None, "no"]),
    "is_locked": ([1, "true", b"\1"], [0, None, "", b"\0"]),
    "disabled BOOLEAN": ([1], [0, None]),
    "isBlocked": ([1, "t"], [0, "f"]),
    "deleted_at DATETIME": (["2024-01-01 00:00:00", 1704067200], [None, ""]),
    "bannedAt TEXT": (["2024-01-01"], [None]),
    "locked_until": (["2999-01-01T00:00:00Z", 32503680000, "for ever"],
                     [None, "2020-01-01 00:00:00", 1500000000]),
    "suspended_until TEXT": (["2999-01-01"], ["2020-01-01", ""]),
    "status": (["suspended", "Banned", "INACTIVE", "deactivated", "deleted", "soft-deleted", 0,
                "account_locked", "rejected"],
               ["active", None, "Active", 1, "verified", "provisional"]),
    "account_status TEXT DEFAULT 'active'": (["disabled", "closed", "frozen"],
                                             ["active", None, "trial"]),
    "state TEXT": (["blocked", "archived"], ["active", None, "NY"]),
    "block": ([1, "1", "true"], [0, None, "12B"]),
    "is_ban INTEGER": ([1], [0, None]),
    "blacklisted": ([1, "yes"], [0, None]),
    "isDisabledByAdmin BOOLEAN": ([1], [0, None]),
    "prohibit_login": ([1, "t"], [0, None]),
    "del_flag TEXT": (["1", "Y"], ["0", "N", None]),
    "approved INTEGER": ([0, "no"], [1, None]),
    "can_sign_in": ([0, "false"], [1, None]),
    "use_yn TEXT": (["N"], ["Y", None]),
    "delete_time": ([1704067200, "2024-01-01"], [0, None]),
    "account_expires_at": (["2020-01-01", 1500000000], ["2999-01-01", None, 0]),
    "user_status": (["tempbanned", "on_hold", "paused", "blacklisted", "unapproved",
                     "gesperrt"],
                    ["unblocked", "reactivated", "invited", "premium"]),
    "blockchain_address TEXT": ([], ["0x1", None]),
    "bank_account TEXT": ([], ["DE12", None]),
}  # fmt: skip


@dataclass(frozen=True)
class ExistingAccount:
    """An account that another program created.

    Attributes:
        spelling: the address as the program stored it.
        email: the normalised address.
        password: the only password that logs in; None if none does.
        is_found: whether a log-in finds the row. It does not if letters outside ASCII are stored
            in another case or decomposed.
        is_disabled: whether a flag disables the account.
    """

    spelling: str
    email: str
    password: str | None
    is_found: bool
    is_disabled: bool


@dataclass
class UsersTable:
    """A generated table: its accounts, and the statements that create it."""

    seed: int
    accounts: list[ExistingAccount] = field(default_factory=list)
    statements: list[tuple[str, list[Any]]] = field(default_factory=list)

    def create(self, database: Path) -> None:
        """Create the database as its own program would."""
        with closing(sqlite3.connect(database)) as connection, connection:
            for statement, values in self.statements:
                connection.execute(statement, values)


def generate_table(seed: int) -> UsersTable:
    """Generate a table, always the same for a seed."""
    rng = random.Random(seed)
    table = UsersTable(seed)
    hashes = _unique_names(rng.sample(HASH_COLUMNS, rng.choice([0, 1, 1, 1, 2, 2, 3])))
    flags = _unique_names(rng.sample([*FLAGS], rng.choice([0, 1, 2, 3])))
    others = _unique_names(rng.sample(OTHER_COLUMNS, rng.randrange(6)))
    keys = [
        "id INTEGER PRIMARY KEY",
        "id INTEGER PRIMARY KEY AUTOINCREMENT",
        "id TEXT PRIMARY KEY",
        "rowno INTEGER",
    ]
    key = rng.choice(keys)
    email = rng.choice(
        ["email TEXT UNIQUE NOT NULL", "email VARCHAR(120) UNIQUE", "EMAIL TEXT NOT NULL UNIQUE"]
    )
    declared = [
        f'"{name}" {rng.choice(["TEXT", "", "VARCHAR(255)", "TEXT DEFAULT NULL"])}'
        for name in hashes
    ]
    body = [key, email, *declared, *flags, *others]
    rng.shuffle(body)
    table.statements.append((f"CREATE TABLE users ({', '.join(body)})", []))
    for number in range(rng.randint(3, 5)):
        _add_account(table, rng, number, hashes, flags, others, key)
    return table


def _add_account(
    table: UsersTable,
    rng: random.Random,
    number: int,
    hashes: list[str],
    flags: list[str],
    others: list[str],
    key: str,
) -> None:
    local = rng.choice(["ann", "jörg", "o.b", "zoë+x", "mia"])
    domain = rng.choice(["example.com", "exämple.org"])
    email = f"{local}{number}@{domain}"
    respell: Callable[[str], str] = rng.choice(
        [str, str.upper, str.title, lambda text: f" {text}", _decompose]
    )
    spelling = respell(email)
    password = rng.choice(PASSWORDS)
    row: dict[str, Any] = {"email": spelling}
    if key.startswith("id TEXT"):
        row["id"] = f"key-{number}"
    filled = [name for name in hashes if rng.random() < 0.7]
    formats = [rng.choice([*CHECKED_FORMATS] * 3 + [*UNCHECKED_FORMATS]) for _ in filled]
    is_attacked = len(filled) > 1 and rng.random() < 0.3
    for position, (name, stored_format) in enumerate(zip(filled, formats, strict=True)):
        store = {**CHECKED_FORMATS, **UNCHECKED_FORMATS}[stored_format]
        row[name] = store(ATTACKER_PASSWORD if is_attacked and position == 0 else password)
    for name in hashes:
        row.setdefault(name, rng.choice([None, None, ""]))
    is_disabled = False
    for declaration in flags:
        disabling, harmless = FLAGS[declaration]
        disables = rng.random() < 0.25 and bool(disabling)
        row[declaration.split()[0]] = rng.choice(disabling if disables else harmless)
        is_disabled |= disables
    for declaration in others:
        name = declaration.split()[0]
        row |= _other_values(name, number, email, rng)
    can_be_checked = (
        bool(filled) and not is_attacked and all(one in CHECKED_FORMATS for one in formats)
    )
    is_found = spelling == email or (spelling.isascii() and spelling.lower() == email)
    table.accounts.append(
        ExistingAccount(
            spelling, email, password if can_be_checked else None, is_found, is_disabled
        )
    )
    names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
    table.statements.append((f"INSERT INTO users ({names}) VALUES ({marks})", [*row.values()]))  # noqa: S608


def _other_values(name: str, number: int, email: str, rng: random.Random) -> dict[str, Any]:
    values: dict[str, Any] = {
        "username": f"user{number}",
        "name": "Mia Member",
        "full_name": "Mia Member",
        "google_id": f"g-{number}",
        "is_admin": 1,
        "role": "admin",
        "plan_type": "platinum",
        "normalized_email": email,
        "phone": f"+1 555 {number}",
        "unique_id": f"AB{number}",
        "password_reset_token": "abc",
        "password_changed_at": "2024-01-01",
        "avatar": b"\xff\0",
    }
    return {name: values[name]} if name in values and rng.random() < 0.6 else {}


def _unique_names(declarations: list[str]) -> list[str]:
    """Keep one declaration of each column name; SQLite ignores the case of names."""
    return [*{declaration.split()[0].lower(): declaration for declaration in declarations}.values()]


def _decompose(text: str) -> str:
    """Write each umlaut as a letter and a combining mark."""
    return text.replace("ö", "o\u0308").replace("ë", "e\u0308").replace("ä", "a\u0308")
