"""What a row of `users` says about its account: its passwords' hashes, whether it is open, and whose account it is.

The table may be another program's. Its columns are told by their names, compared without capitals and punctuation:
`passwordHash`, `PASSWORD_HASH` and `password-hash` are one name here.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

from data_capture.capture.email import is_reserved
from data_capture.password_formats import check_of

PROVISIONAL = "provisional"
"""The status of a user who was captured before signing up."""

NO_PASSWORD = "!"  # noqa: S105  (the opposite of a password: no hash looks like this)
"""What stands in `password_hash` of a user without a password."""

PASSWORD_HASH = "password_hash"  # noqa: S105  (the name of our own column)

_HASH_NAMES = frozenset({
    "hash", "bcrypt", "bcrypthash", "argon2", "argon2hash", "scrypthash", "pass", "passwd", "passphrase", "pwd", "pw",
    "credential", "credentials", "secrethash", "authhash", "loginhash", "userhash", "kennwort", "motdepasse", "clave", "pswd",
    "psw", "authenticationstring",
})  # fmt: skip
_HASH_PARTS = re.compile(
    r"passw|passhash|pwdhash|pwhash|pswd|userpass|loginpass|passdigest|crypt(?:ed)?pass|hash(?:ed)?pass|hash(?:ed)?pwd|"
    r"(?:user|login|account|crypt|crypted|encrypted)_?pwd|contrasen|senha|clavehash|hashclave|kennworthash"
)
# What a column can say about a password without being one: each of these begins a word of its name.
_ABOUT_A_PASSWORD = re.compile(
    r"reset|chang|updat|expir|hint|salt(?!ed)|algo|type|version|token|date|less|polic|attempt|last|must|force|need|requir|"
    r"temp|histor|old|prev|creat|iter|strength|length|count|fail|enabled|(?:at|on|set|time)$|"
    r"(?:has|is|show|use|allow|can|skip|no)$"
)
# The same in a name that is one word, such as "passwordresettoken".
_ABOUT_IN_ONE_WORD = re.compile(
    r"reset|change|updat|expir|hint|salt(?!ed)|algo|type|version|token|date|less|polic|attempt|last|must|force|need|requir|"
    r"temp|histor|old|prev|creat|(?<!recru)iter|strength|length|(?<!ac)count|fail|enabled|(?:at|on|set|time)$|"
    r"^(?:has(?!h)|is|show|use(?!r)|allow|can|skip|no)"
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_ENABLED_NAMES = frozenset({
    "isactive", "active", "enabled", "isenabled", "activated", "isactivated", "useractive", "userenabled", "accountactive",
    "accountenabled", "loginenabled", "loginallowed", "canlogin", "allowlogin", "accountnonlocked", "accountnonexpired",
    "enable", "isenable", "isuseractive", "isuserenabled", "isaccountactive", "isaccountenabled", "isloginenabled",
    "isloginallowed", "cansignin", "allowsignin", "signinenabled", "isapproved", "approved", "userapproved", "accountapproved",
    "isvalid", "valid", "activeflag", "activeyn", "useyn", "isopen", "isalive", "aktiv", "isaktiv", "activo", "ativo", "actif",
    "attivo", "habilitado", "freigeschaltet", "userisactive", "userisenabled", "accountisactive", "accountisenabled",
})  # fmt: skip
_CLOSED = (
    "disabled|banned|blocked|locked|suspended|deleted|archived|deactivated|inactive|terminated|revoked|removed|closed|frozen|"
    "blacklisted|trashed|barred|unapproved|invalidated|gesperrt|inaktiv"
)
_OF_ACCOUNT = r"(?:is|was|has|been|user|account|login|signin|soft|self|auto|admin|temp|perma|permanently|temporarily)*"
_DISABLED_NAME = re.compile(
    rf"{_OF_ACCOUNT}(?:{_CLOSED}|lockedout|shadowbanned)(?:by(?:admin|system|user|staff|id)?|flag|yn|ind|user|account|login)?"
)
# Verbs, which may name something else in a table of users ("block" of a street): they count with the value of a switch.
_DISABLED_SWITCH_NAME = re.compile(
    rf"{_OF_ACCOUNT}(?:ban|block|lock|suspend|disable|delete|del|archive|deactivate|blacklist|trash|freeze)(?:flag|yn|ind)?"
    r"|(?:prohibit|forbid|deny|disallow|no|disable|block)(?:login|signin|access)|(?:login|signin|access)(?:prohibited|forbidden|denied)"
)
_CLOSED_AT_NAME = re.compile(
    rf"{_OF_ACCOUNT}(?:{_CLOSED}|ban|block|lock|suspend|suspension|disable|delete|archive|deactivate|deactivation|blacklist|trash)"
    r"(?:at|on|date|time|since|datetime|timestamp)"
)
_CLOSED_UNTIL_NAME = re.compile(
    rf"{_OF_ACCOUNT}(?:(?:banned|blocked|locked|lockedout|suspended|disabled|deactivated|frozen|ban|block|lock|lockout|suspension|"
    r"suspend|disable)(?:until|till|end|ends|endsat|enddate|expires|expiresat|expiry)|lockuntil|lockoutend)"
)
_OPEN_UNTIL_NAME = re.compile(
    r"(?:user|account|login|access)(?:expires?|expiry|expiration|expired|valid)(?:at|on|date|time|until|till|to)?"
)
_STATUS_NAMES = frozenset({
    "status", "accountstatus", "userstatus", "state", "accountstate", "userstate", "loginstatus", "memberstatus", "activestatus",
    "membershipstatus", "customerstatus", "profilestatus", "statusname", "statuscode", "statustext", "accstatus", "acctstatus",
})  # fmt: skip
_CLOSED_WORD = re.compile(
    r"suspen|disab|deactiv|inactiv|inaktiv|block|bann|lock|delet|remov|clos|terminat|revok|archiv|reject|den(?:y|ie)|frozen|froze|"
    r"spam|expir|cancel|purg|erase|forbid|prohibit|restrict|quarantin|barred|ban$|disallow|unactiv|noactiv|notactiv|nonactiv|"
    r"notenabled|notallowed|shadowban|softdelet|unapprov|notapprov|nonapprov|trash|fraud|kick|invalid|dormant|gesperrt|gelosch|"
    r"geloesch|dead|deceas|left$|hold$|onhold|pause|expel|evict|abus|blacklist|denylist|declin|dismiss|ended|withdrawn|void|"
    r"(?:temp|perm|perma|auto|hard|ip|shadow|temporarily|permanently)_?(?:ban|lock|block|suspen|disab|delet|deactiv)"
)
_CLOSED_STATUSES = frozenset(
    {"false", "off", "no", "n", "f", "i", "d", "b", "x"}
)  # of a column of one letter, or a switch
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

_IDS = frozenset({"uuid", "guid", "id", "uniqueid", "publicid"})  # 32 hexadecimal digits, too
_HASH_IN_HEX = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})")
_CRYPT = re.compile(
    r"\$[0-9a-z-]{1,20}\$|\{[a-z0-9-]{2,20}\}\S|(?:pbkdf2|scrypt|sha\d+|bcrypt|argon2)[\w:.]*\$"
)

_FALSE_WORDS = frozenset({"0", "0.0", "false", "f", "no", "n", "off", "disabled", "inactive"})
_TRUE_WORDS = frozenset({"1", "1.0", "-1", "true", "t", "yes", "y", "on"})
_NO_VALUES = frozenset({"", "null", "none", "undefined"})
_NO_TIMES = frozenset({"0", "0.0", "false", "0000-00-00", "0000-00-00 00:00:00"})
_CONSTANT = re.compile(
    r"\(*(?:[-+]?[0-9.]+(?:e[-+]?[0-9]+)?|'(?:[^']|'')*'|\"[^\"]*\"|x'[0-9a-f]*'|null|true|false)\)*",
    re.IGNORECASE,
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
class Beside:
    """What `user_credentials` holds for a row.

    Args:
        password_hash: of the password that was chosen here.
        is_marked: whether it was chosen for this very row.
        is_untouched: whether this product made the row, and no program has changed it since.
    """

    password_hash: str | None = field(default=None, repr=False)
    is_marked: bool = False
    is_untouched: bool = False


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
        """Whether a row says by itself that this product made it; else a mark beside it does."""
        return {PASSWORD_HASH, "status"} <= self.written

    def said_by(self, row: Row) -> list[tuple[str, Any]]:
        """Return what was written into a row: no generated column, none that a later column's default filled."""
        return [
            (column, value)
            for column, value in row
            if column.lower() in self.written and not self.is_left_alone(column, value)
        ]

    def is_left_alone(self, column: str, value: Any) -> bool:
        """Whether a value is empty, or the column's default."""
        default = self.defaults.get(column)
        return is_empty(value) or (default is not None and _same(value, default))

    def may_be_default(self, column: str) -> bool:
        """Whether the column's default is an expression, whose value is another each time."""
        default = self.defaults.get(column)
        return default is not None and not _CONSTANT.fullmatch(default.strip())


def read_account(row: Row, columns: Columns, beside: Beside, now: datetime) -> Account:
    """What a row says about its account.

    Args:
        row: all of it.
        columns: of the table.
        beside: what `user_credentials` holds for it.
        now: the time, which a lock may end at.
    """
    credentials = _credentials_in(row, columns)
    if not credentials and beside.password_hash is not None:
        has_columns = any(is_for_hashes(column) for column, _ in row)
        # Beside a table with a column for passwords, an older version stored what a stranger chose for a user without one.
        if beside.is_marked or not has_columns:
            credentials = (Credential("user_credentials", beside.password_hash),)
    is_disabled = any(_is_closed(column, value, columns, now) for column, value in row)
    is_ours = columns.tell_what_is_ours or beside.is_untouched
    return Account(
        credentials,
        is_disabled,
        is_provisional=is_ours and not is_disabled and _is_untouched(row, columns),
    )


@lru_cache(maxsize=1024)
def is_for_hashes(column: str) -> bool:
    """Whether a column of this name is for a password, or its hash."""
    name = simple_name(column)
    if name in _HASH_NAMES:
        return True
    if _HASH_PARTS.search(name) is None:
        return False
    words = [word.lower() for word in _WORD.findall(_without_marks(column))]
    if len(words) == 1:
        return _ABOUT_IN_ONE_WORD.search(name) is None
    return not any(map(_ABOUT_A_PASSWORD.match, words))


@lru_cache(maxsize=1024)
def simple_name(column: str) -> str:
    """A column's name without capitals and punctuation."""
    return "".join(character for character in _without_marks(column).lower() if character.isalnum())


def _without_marks(column: str) -> str:
    """A name without its accents: "contraseña" is "contrasena"."""
    if column.isascii():
        return column
    return "".join(
        one for one in unicodedata.normalize("NFKD", column) if not unicodedata.combining(one)
    )


def is_empty(value: Any) -> bool:
    """Whether there is nothing in a column: NULL, or a text of spaces."""
    return value is None or (isinstance(value, (str, bytes)) and not value.strip())


def _credentials_in(row: Row, columns: Columns) -> tuple[Credential, ...]:
    """What is in the columns for hashes, our own column's first.

    Another column's default is no credential. The mark for "no password" is one in all columns: no password agrees with it.
    """
    email = next((_word(value) for column, value in row if column.lower() == "email"), "")
    found = [
        Credential(column.lower(), _text(value))
        for column, value in row
        if is_for_hashes(column)
        and not is_empty(value)
        and not _is_digest_of_address(value, email)
        and (column.lower() == PASSWORD_HASH or not columns.is_left_alone(column, value))
    ]
    return tuple(sorted(found, key=lambda credential: credential.column != PASSWORD_HASH))


def _is_digest_of_address(value: Any, email: str) -> bool:
    """Whether a value is what picture services, say, know a user by: the address would be the password."""
    return _word(value) == hashlib.sha256(email.encode(errors="surrogatepass")).hexdigest()


def _is_untouched(row: Row, columns: Columns) -> bool:
    """Whether a row has this product's own values, and holds nothing that another program's account would have."""
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
        return is_reserved(str(value))
    name = simple_name(column)
    is_credential = name not in _IDS and _looks_like_hash(value)
    if (
        not (is_credential or _CLAIMED_NAME.fullmatch(name))
        or _is_false(value)
        or columns.may_be_default(column)
    ):
        return False
    return not columns.is_left_alone(column, value)


def _looks_like_hash(value: Any) -> bool:
    """Whether a value is what programs store of a password, in a column of whatever name."""
    text = _word(value)
    return (
        check_of(text) is not None
        or _HASH_IN_HEX.fullmatch(text) is not None
        or _CRYPT.match(text) is not None
    )


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
    if _DISABLED_SWITCH_NAME.fullmatch(name):
        return _is_switched_on(value)
    if _OPEN_UNTIL_NAME.fullmatch(name):
        return _is_past(value, now)
    if _CLOSED_UNTIL_NAME.fullmatch(name):
        return _is_true(value) and _word(value) not in _NO_TIMES and not _is_past(value, now)
    return (
        bool(_CLOSED_AT_NAME.fullmatch(name)) and _is_true(value) and _word(value) not in _NO_TIMES
    )


def _is_closed_status(column: str, value: Any, columns: Columns) -> bool:
    word = _word(value)
    if re.fullmatch(r"-?[0-9]+(?:\.0)?", word):  # most programs' 0 is an account that is not active
        return float(word) < 0 or (float(word) == 0 and not columns.is_left_alone(column, value))
    words = re.findall(r"[^\W_]+", word)
    if any(_CLOSED_WORD.match(part) for part in (*words, "".join(words))):
        return True
    return (
        word in _CLOSED_STATUSES and simple_name(column) != "state"
    )  # which may be one of a country's


def _is_false(value: Any) -> bool:
    if isinstance(value, bytes) and value and not any(value):
        return True  # one bit, as dumps of other databases bring it
    return (isinstance(value, (int, float)) and value == 0) or _word(value) in _FALSE_WORDS


def _is_true(value: Any) -> bool:
    return not _is_false(value) and _word(value) not in _NO_VALUES


def _is_switched_on(value: Any) -> bool:
    if isinstance(value, bytes) and len(value) == 1:
        return any(value)
    return _word(value) in _TRUE_WORDS


def _is_past(value: Any, now: datetime) -> bool:
    """Whether a time is understood and over."""
    word = _word(value)
    try:
        if re.fullmatch(r"[0-9]{9,13}(?:\.[0-9]*)?", word):
            number = float(word)
            moment = datetime.fromtimestamp(
                number / 1000 if number >= _MILLISECONDS_FROM else number, timezone.utc
            )
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
