"""Read the values of other programs' columns: truth, times, hashes, closed statuses, defaults."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

from data_capture.password_formats import check_of

_CLOSED_WORD = re.compile(
    r"suspen|disab|deactiv|inactiv|inaktiv|block|bann|lock|delet|remov|clos|terminat|revok|archiv"
    r"|reject|den(?:y|ie)|frozen|froze|spam|expir|cancel|purg|erase|forbid|prohibit|restrict"
    r"|quarantin|barred|ban$|disallow|unactiv|noactiv|notactiv|nonactiv|notenabled|notallowed"
    r"|shadowban|softdelet|unapprov|notapprov|nonapprov|trash|fraud|kick|invalid|dormant|gesperrt"
    r"|gelosch|geloesch|dead|deceas|left$|hold$|onhold|pause|expel|evict|abus|blacklist|denylist"
    r"|declin|dismiss|ended|withdrawn|void"
    r"|(?:temp|perm|perma|auto|hard|ip|shadow|temporarily|permanently)_?(?:ban|lock|block|suspen|"
    r"disab|delet|deactiv)"
)
# Of a column of one letter, or a switch.
CLOSED_CODES = frozenset({"false", "off", "no", "n", "f", "i", "d", "b", "x"})

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


def is_empty(value: Any) -> bool:
    """Return whether a value is NULL, or a text of spaces."""
    return value is None or (isinstance(value, (str, bytes)) and not value.strip())


def is_false(value: Any) -> bool:
    """Return whether a value means "no"."""
    if isinstance(value, bytes) and value and not any(value):
        return True  # one bit, as dumps of other databases have it
    return (isinstance(value, (int, float)) and value == 0) or as_word(value) in _FALSE_WORDS


def is_true(value: Any) -> bool:
    """Return whether a value is neither empty nor means "no"."""
    return not is_false(value) and as_word(value) not in _NO_VALUES


def is_switched_on(value: Any) -> bool:
    """Return whether a value means "yes"; other texts don't."""
    if isinstance(value, bytes) and len(value) == 1:
        return any(value)
    return as_word(value) in _TRUE_WORDS


def is_time(value: Any) -> bool:
    """Return whether a value is set and not one of the zeros that stand for no time."""
    return is_true(value) and as_word(value) not in _NO_TIMES


def is_past(value: Any, now: datetime) -> bool:
    """Return whether a value is a time that can be read and is over."""
    word = as_word(value)
    try:
        if re.fullmatch(r"[0-9]{9,13}(?:\.[0-9]*)?", word):
            number = float(word)
            seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
            moment = datetime.fromtimestamp(seconds, timezone.utc)
        else:
            moment = datetime.fromisoformat(word.upper().replace("Z", "+00:00"))
    except (ValueError, OverflowError, OSError):
        return False
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)) <= now


def is_number(value: Any) -> bool:
    """Return whether a value is a whole number, as a number or as text."""
    return re.fullmatch(r"-?[0-9]+(?:\.0)?", as_word(value)) is not None


def has_closed_word(value: Any) -> bool:
    """Return whether a status has a word for a closed account ("suspended")."""
    words = re.findall(r"[^\W_]+", as_word(value))
    return any(_CLOSED_WORD.match(part) for part in (*words, "".join(words)))


def looks_like_hash(value: Any) -> bool:
    """Return whether a value has a form in which programs store passwords."""
    text = as_word(value)
    return (
        check_of(text) is not None
        or _HASH_IN_HEX.fullmatch(text) is not None
        or _CRYPT.match(text) is not None
    )


def is_constant(default: str) -> bool:
    """Return whether a column's default, in SQL, is a constant and not an expression."""
    return _CONSTANT.fullmatch(default.strip()) is not None


def equals_default(value: Any, default: str) -> bool:
    """Return whether a value is what a column's default, in SQL, gives."""
    constant = default.strip().strip("()")
    if len(constant) > 1 and constant[0] == constant[-1] and constant[0] in "'\"":
        quote = constant[0]
        constant = constant[1:-1].replace(quote * 2, quote)
    elif constant.lower() in ("true", "false"):
        constant = str(int(constant.lower() == "true"))
    text = as_text(value)
    if text == constant:
        return True
    try:
        return text is not None and float(text) == float(constant)
    except ValueError:
        return False


def as_word(value: Any) -> str:
    """Return a value as text in lower case, without surrounding spaces."""
    return (as_text(value) or "").strip().lower()


def as_text(value: Any) -> str | None:
    """Return a value as text, or None for bytes that are not UTF-8."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    return str(value)
