"""What a row of `users` says about its account: its passwords' hashes, whether it is open, and whose account it is.

The table may be another program's. Its columns are told by their names, compared without capitals and punctuation:
`passwordHash`, `PASSWORD_HASH` and `password-hash` are one name here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

PROVISIONAL = "provisional"
"""The status of a user who was captured before signing up."""

NO_PASSWORD = "!"  # noqa: S105  (the opposite of a password: no hash looks like this)
"""What stands in `password_hash` of a user without a password."""

OURS = NO_PASSWORD
"""What a value in `user_credentials` begins with when this product made the user's row; the hash follows, if there is one."""

PASSWORD_HASH = "password_hash"  # noqa: S105  (the name of our own column)

RESERVED_DOMAIN = "@data-capture.invalid"
"""Where this product's pseudonyms are; a sign-up completes none of them."""

_HASH_NAMES = frozenset({
    "hash", "bcrypt", "bcrypthash", "argon2", "argon2hash", "scrypthash", "pass", "passwd", "passphrase", "pwd", "pw",
    "credential", "credentials", "secrethash", "kennwort", "motdepasse", "contrasena", "senha",
})  # fmt: skip
_HASH_PARTS = re.compile(r"passw|passhash|pwdhash|pwhash|userpass|loginpass|passdigest|crypt(?:ed)?pass|hash(?:ed)?pass")
# What a column can say about a password without being one.
_ABOUT_A_PASSWORD = re.compile(
    r"reset|change|updat|expir|hint|salt|algo|type|version|token|date|less|polic|attempt|last|must|force|need|requir|"
    r"temp|histor|old|prev|creat|iter|strength|length|count|fail|enabled|(?:at|on|set|time)$|"
    r"^(?:has(?!h)|is|show|use(?!r)|allow|can|skip|no)"
)

_ENABLED_NAMES = frozenset({
    "isactive", "active", "enabled", "isenabled", "activated", "isactivated", "useractive", "userenabled", "accountactive",
    "accountenabled", "loginenabled", "loginallowed", "canlogin", "allowlogin", "accountnonlocked", "accountnonexpired",
})  # fmt: skip
_CLOSED = (
    "disabled|banned|blocked|locked|suspended|deleted|archived|deactivated|inactive|terminated|revoked|removed|closed|frozen"
)
_DISABLED_NAME = re.compile(rf"(?:is|user|account|login|soft|isaccount)?(?:{_CLOSED}|lockedout|shadowbanned)")
_CLOSED_AT_NAME = re.compile(rf"(?:user|account|soft)?(?:{_CLOSED})(?:at|on|date|time|since)")
_CLOSED_UNTIL_NAME = re.compile(
    r"(?:user|account|login)?(?:(?:banned|blocked|locked|lockedout|suspended|disabled|deactivated|frozen)(?:until|till)"
    r"|lock(?:out)?(?:until|end|expiresat|expires)|ban(?:until|end|expiresat|expires)|suspension(?:until|end))"
)
_STATUS_NAMES = frozenset({
    "status", "accountstatus", "userstatus", "state", "accountstate", "userstate", "loginstatus", "memberstatus",
})  # fmt: skip
_CLOSED_WORD = re.compile(
    r"suspen|disab|deactiv|inactiv|block|bann|lock|delet|remov|clos|terminat|revok|archiv|reject|den(?:y|ie)|frozen|froze|"
    r"spam|expir|cancel|purg|erase|forbid|prohibit|restrict|quarantin|barred|ban$|disallow|unactiv|noactiv|notactiv|nonactiv|"
    r"notenabled|notallowed|shadowban|softdelet"
)
_CLOSED_STATUSES = frozenset({"false", "off", "no", "n", "f", "i", "d", "b", "x"})  # of a column of one letter, or a switch
# Another program's mark on a row: someone signs in to it in another way, has signed in, or may more than others.
_CLAIMED_NAME = re.compile(
    r"(?:is|email|user|account)?(?:admin|administrator|staff|superuser|superadmin|moderator|owner|root|verified|confirmed)(?:at|on)?"
    r"|(?:user|account)?(?:role|roles|permissions|privileges|accesslevel|usertype|accounttype|isinrole|rights)(?:id)?"
    r"|last(?:login|signin|seen|loggedin|signedin).*|(?:login|signin)count"
    r"|(?:auth|login|oauth|signup|signin|identity|account|social|sso)?provider(?:id|uid|userid)?"
    r"|.*(?:google|facebook|github|gitlab|twitter|discord|linkedin|microsoft|azure|okta|auth0|oauth|openid|firebase|supabase"
    r"|cognito|keycloak|clerk|webauthn|passkey|telegram).*"
    r"|(?:apple|saml|sso|external|social|auth|authuser|sub|subject|oidc)(?:id|uid|sub|subject)|.*totp.*|.*mfa.*|.*twofactor.*"
    r"|(?:api|access|refresh|session|auth|remember|bearer)(?:key|token|secret)|otpsecret|pin|pinhash|salt|passwordsalt"
)

_FALSE_WORDS = frozenset({"0", "0.0", "false", "f", "no", "n", "off", "disabled", "inactive"})
_NO_VALUES = frozenset({"", "null", "none", "undefined"})
_NO_TIMES = frozenset({"0", "0.0", "false", "0000-00-00", "0000-00-00 00:00:00"})
_CONSTANT = re.compile(
    r"\(*(?:[-+]?[0-9.]+(?:e[-+]?[0-9]+)?|'(?:[^']|'')*'|\"[^\"]*\"|x'[0-9a-f]*'|null|true|false)\)*", re.IGNORECASE
)
_MILLISECONDS_FROM = 100_000_000_000  # a number of seconds would be in the year 5138

Row = Sequence[tuple[str, Any]]  # names and values, in the table's order


@dataclass(frozen=True)
class Credential:
    """Something in a column that is for a password's hash."""

    column: str
    stored: str | None = field(repr=False)
    """None for bytes that are no text."""


@dataclass(frozen=True)
class Account:
    """What a row says.

    Args:
        credentials: all that a password has to agree with; none opens an account without any.
        is_disabled: whether the row says that nobody may log in to it.
        is_provisional: whether this product made the row and nobody has taken it since: a sign-up may complete it.
    """

    credentials: tuple[Credential, ...]
    is_disabled: bool
    is_provisional: bool


@dataclass(frozen=True)
class Columns:
    """What has to be known of the columns of `users`.

    Args:
        defaults: by the columns' names, what a row gets that brings no value, as SQL has it; None without.
        written: those that this product writes, in lower case; a generated column is not among them.
    """

    defaults: Mapping[str, str | None]
    written: frozenset[str]

    @property
    def tell_what_is_ours(self) -> bool:
        """Whether a row says by itself that this product made it; else `user_credentials` does."""
        return {PASSWORD_HASH, "status"} <= self.written

    def is_left_alone(self, column: str, value: Any) -> bool:
        """Whether a value is empty, or the column's default."""
        default = self.defaults.get(column)
        return is_empty(value) or (default is not None and _same(value, default))

    def may_be_default(self, column: str) -> bool:
        """Whether the column's default is an expression, whose value is another each time."""
        default = self.defaults.get(column)
        return default is not None and not _CONSTANT.fullmatch(default.strip())


def read_account(row: Row, columns: Columns, beside: str | None, now: datetime) -> Account:
    """What a row says about its account.

    Args:
        row: all of it.
        columns: of the table.
        beside: what `user_credentials` holds for it.
        now: the time, which a lock may end at.
    """
    credentials = _credentials_in(row, columns)
    is_ours_beside = beside is not None and beside.startswith(OURS)
    if not credentials and beside is not None and beside != NO_PASSWORD:
        has_columns = any(is_for_hashes(column) for column, _ in row)
        # Beside a table with a column for passwords, an older version stored what a stranger chose for a user without one.
        if is_ours_beside or not has_columns:
            credentials = (Credential("user_credentials", beside.removeprefix(OURS)),)
    is_disabled = any(_is_closed(column, value, columns, now) for column, value in row)
    is_provisional = not is_disabled and _is_untouched(row, columns) and (columns.tell_what_is_ours or beside == NO_PASSWORD)
    return Account(credentials, is_disabled, is_provisional)


@lru_cache(maxsize=1024)
def is_for_hashes(column: str) -> bool:
    """Whether a column of this name is for a password, or its hash."""
    name = simple_name(column)
    return name in _HASH_NAMES or (_HASH_PARTS.search(name) is not None and _ABOUT_A_PASSWORD.search(name) is None)


@lru_cache(maxsize=1024)
def simple_name(column: str) -> str:
    """A column's name without capitals and punctuation."""
    return "".join(character for character in column.lower() if character.isalnum())


def is_empty(value: Any) -> bool:
    """Whether there is nothing in a column: NULL, or a text of spaces."""
    return value is None or (isinstance(value, (str, bytes)) and not value.strip())


def _credentials_in(row: Row, columns: Columns) -> tuple[Credential, ...]:
    """What is in the columns for hashes, our own column's first.

    Another column's default is no credential. The mark for "no password" is one in all columns: no password agrees with it.
    """
    found = [
        Credential(column.lower(), _text(value))
        for column, value in row
        if is_for_hashes(column)
        and not is_empty(value)
        and (column.lower() == PASSWORD_HASH or not columns.is_left_alone(column, value))
    ]
    return tuple(sorted(found, key=lambda credential: credential.column != PASSWORD_HASH))


def _is_untouched(row: Row, columns: Columns) -> bool:
    """Whether a row is as this product makes one, and holds nothing that another program's account would have."""
    ours = {PASSWORD_HASH: NO_PASSWORD, "status": PROVISIONAL}
    for column, value in row:
        wanted = ours.get(column.lower()) if column.lower() in columns.written else None
        if wanted is not None:
            if value != wanted:
                return False
        elif is_for_hashes(column):
            if not columns.is_left_alone(column, value):
                return False
        elif _is_claimed(column, value, columns):
            return False
    return True


def _is_claimed(column: str, value: Any, columns: Columns) -> bool:
    """Whether a value says that a row is an account already, or stands for no user at all."""
    if column.lower() == "email":
        return str(value).endswith(RESERVED_DOMAIN)
    if not _CLAIMED_NAME.fullmatch(simple_name(column)) or _is_false(value) or columns.may_be_default(column):
        return False
    return not columns.is_left_alone(column, value)


# --- Whether an account is open -------------------------------------------------------------------------------------------


def _is_closed(column: str, value: Any, columns: Columns, now: datetime) -> bool:
    if is_empty(value):
        return False
    name = simple_name(column)
    if name in _STATUS_NAMES:
        return _is_closed_status(column, value, columns)
    if name in _ENABLED_NAMES:
        return _is_false(value)
    if _DISABLED_NAME.fullmatch(name):
        return _is_true(value)
    if _CLOSED_UNTIL_NAME.fullmatch(name):
        return _is_true(value) and _word(value) not in _NO_TIMES and not _is_past(value, now)
    return bool(_CLOSED_AT_NAME.fullmatch(name)) and _is_true(value) and _word(value) not in _NO_TIMES


def _is_closed_status(column: str, value: Any, columns: Columns) -> bool:
    word = _word(value)
    if re.fullmatch(r"-?[0-9]+(?:\.0)?", word):  # most programs' 0 is an account that is not active
        return float(word) < 0 or (float(word) == 0 and not columns.is_left_alone(column, value))
    words = re.findall(r"[^\W_]+", word)
    if any(_CLOSED_WORD.match(part) for part in (*words, "".join(words))):
        return True
    return word in _CLOSED_STATUSES and simple_name(column) != "state"  # which may be one of a country's


def _is_false(value: Any) -> bool:
    if isinstance(value, bytes) and value and not any(value):
        return True  # one bit, as dumps of other databases bring it
    return (isinstance(value, (int, float)) and value == 0) or _word(value) in _FALSE_WORDS


def _is_true(value: Any) -> bool:
    return not _is_false(value) and _word(value) not in _NO_VALUES


def _is_past(value: Any, now: datetime) -> bool:
    """Whether a time is understood and over."""
    word = _word(value)
    try:
        if re.fullmatch(r"[0-9]{9,13}(?:\.[0-9]*)?", word):
            number = float(word)
            moment = datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS_FROM else number, timezone.utc)
        else:
            moment = datetime.fromisoformat(word.upper().replace("Z", "+00:00"))
    except (ValueError, OverflowError, OSError):
        return False
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)) <= now


def _word(value: Any) -> str:
    return (_text(value) or "").strip().lower()


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    return str(value)


def _same(value: Any, default: str) -> bool:
    """Whether a value is what a default, in SQL, gives."""
    constant = default.strip().strip("()")
    if len(constant) > 1 and constant[0] == constant[-1] and constant[0] in "'\"":
        quote = constant[0]
        constant = constant[1:-1].replace(quote * 2, quote)
    elif constant.lower() in ("true", "false"):
        constant = str(int(constant.lower() == "true"))
    text = _text(value)
    if text == constant:
        return True
    try:
        return text is not None and float(text) == float(constant)
    except ValueError:
        return False
