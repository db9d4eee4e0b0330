"""Secrets in texts after their names: `password: correct horse`, `?token=abc`, `mot de passe = x`.

A name is judged as a key is (`sensitive_keys.py`). Its value ends at the end of the line, or where
the next `name=` or `name:` begins; in quotes and in a URL, where these end; a code has one word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter

from data_capture.redaction.harmless_values import POSTAL_CODE, is_harmless_value
from data_capture.redaction.sensitive_keys import (
    BEGINNINGS_IN_TEXTS,
    Role,
    has_name_of_secret,
    is_named_by_last_word,
    role_of,
)
from data_capture.redaction.shown_secrets import looks_secret
from data_capture.scanning import find_in_steps, pause

_MAX_NAME_CHARACTERS = 40
_CHECKS_PER_NAME = 3  # a name takes as long as three card numbers
_LONG_TEXT_CHARACTERS = 100_000
_STEP_CHARACTERS, _MAX_END_CHARACTERS = 50_000, 200
_CLOSING = r"[\\\"'\])]{0,66}"
# The quick check skips colons in times and before the slashes of URLs.
_SEPARATOR = (
    r"\s{0,9}(?:(?<![0-9])|(?<=[^\W\d][0-9])|(?<=_[0-9])|(?<=[^\W\d][0-9]{2})(?==))"
    r"[=:\uff1a](?!//)\s{0,9}"
)


def any_of(words: tuple[str, ...]) -> str:
    """Return a pattern of words, which `re` tries by their first letters."""
    by_letter = [(letter, [*group]) for letter, group in groupby(sorted(words), key=itemgetter(0))]
    return "|".join(
        f"{re.escape(letter)}(?:{'|'.join(re.escape(word[1:]) for word in group)})"
        for letter, group in by_letter
    )


# Behind the beginning of a name, up to two more words: `password (again)`, `κωδικός πρόσβασης`.
_HEAD = re.compile(
    rf"(?:{any_of(BEGINNINGS_IN_TEXTS)})(?P<rest>\w{{0,24}}(?:[ .(-]{{1,2}}\w{{1,24}}){{0,2}})"
    rf"{_CLOSING}(?P<separator>{_SEPARATOR})(?!\s{{0,9}}\[redacted\])"
)
# "My password is hunter2", and not "the password is required".
_SAID = re.compile(
    r"(?:password|passphrase|passcode|passwort|kennwort|mot\ de\ passe|contraseña|mnemonic"
    r"|(?:seed|recovery|secret)[ -]phrase)\s{1,3}(?:is|ist|lautet|est|es)\s{0,2}:?\s{1,3}"
    r"(?!(?:not|now|no|too|the|an?|in|on|at|to|of|for|set|reset|changed|wrong|incorrect|required"
    r"|invalid|valid|correct(?=[.,!?:\n]|\Z)|weak|strong|expired|missing|optional|never|always|still|also|already"
    r"|only|being|very|safe|secure|lost|forgotten|stored|used|needed|what|where|why|how|sent|same"
    r"|case|empty|hidden|encrypted|hashed|masked|known|unknown|ok|fine|falsch|nicht|incorrecte?"
    r"|incorrecta|my|your|our|their|his|her|different|longer|shorter|protected|necessary)\b)"
)
_QUOTED = re.compile(r""""[^"]*"?|'[^']*'(?!\w)|\\{1,64}"[^"]*"?""")
_IN_URL = re.compile(r"""[^\s&#"'<>;,]+""")
_ONE_WORD = re.compile(r"[^\s&,;\"'}]+")
_END = re.compile(
    r"[\r\n\"}]|'(?=\s*(?:[,}\])]|$))"
    r"|[\s,;&|.]{1,9}(?=[^\W\d][\w.\[\]-]{0,40}\s{0,2}(?:=(?!=)|:(?=\s|$|[\"'])))"
)
_END_OF_SENTENCE = re.compile(r"[.!?](?=\s|$)|[\r\n\"]")
_MARKS = "\u0300-\u036f\u0900-\u0963\u0e31-\u0e4e"  # of letters, also in Hindi and Thai
_LAST_WORDS = re.compile(rf"[\w{_MARKS}'-]+(?:[ .(]{{1,2}}[\w{_MARKS}'-]+){{0,3}}\Z")
_NAME_PARTS = re.compile(r"[ .(]+")
# These end a name without changing what it names: "password again", "card code number".
_ADDED_WORDS = frozenset({"again", "code", "confirm", "confirmation", "no", "number", "repeat"})
# Names of codes, which have one word.
_CODES = ("code", "pin", "otp", "totp", "csc", "cvc", "cvv", "cvn", "cvd")
# Words that name a secret in a key or before "=", but have other meanings before ":".
_AMBIGUOUS = frozenset({
    "bearer", "clave", "cookie", "cookies", "credential", "parola", "parole", "pass", "pin", "pins",
    "secrets", "seed", "token", "tokens",
})  # fmt: skip
_BEFORE_AMBIGUOUS = frozenset({"api", "client", "csrf", "id", "login", "nueva", "tu", "xsrf"})
_FIRST_WORD = re.compile(r"[\"']?([^\s,;\"'}]+)")
_COIN_ADDRESS = re.compile(r"0x[0-9A-Fa-f]{40}\Z")
_SCHEME = re.compile(
    r"[\"']?(?:basic|bearer|digest|token|apikey|negotiate|aws4-hmac-sha256)\s{1,3}", re.IGNORECASE
)
_BEFORE_NAME_IN_URL = re.compile(r"[?&#][\w.\[\]%-]*\Z")


def find_named_secrets(
    text: str, lowered: str, spend_checks: Callable[[int], None]
) -> Iterator[tuple[int, int]]:
    """Find the values after the names of secrets; yield each begin and end.

    Args:
        text: any text.
        lowered: the same in lower case, of the same length.
        spend_checks: called with a number of checks before they are made; may raise to end.
    """
    # Most texts have no such letters. `in` finds that out quickly, but not in steps.
    if len(lowered) < _LONG_TEXT_CHARACTERS and not any(
        map(lowered.__contains__, BEGINNINGS_IN_TEXTS)
    ):
        return
    end = 0
    for found in find_in_steps(_HEAD, lowered):
        if found.start() < end:
            continue
        spend_checks(_CHECKS_PER_NAME)
        begin = found.end()
        name, role = _name_and_role(text, found)
        if role in ("", "card") or (role == "pincode" and POSTAL_CODE.match(text, begin)):
            continue
        end = _end_of_value(text, found, name)
        if end > begin and not is_harmless_value(role, text[begin:end].strip("\"'"), ()):
            yield begin, end
    if may_say_secret(lowered):
        yield from _find_said_secrets(lowered, spend_checks)


def may_say_secret(lowered: str) -> bool:
    """Tell whether a text in lower case may say `password is …`."""
    return (" is" in lowered or " es" in lowered or " lautet" in lowered) and (
        "pass" in lowered or "phrase" in lowered or "mnemonic" in lowered or "kennwort" in lowered
        or "contrase" in lowered
    )  # fmt: skip


def _find_said_secrets(
    lowered: str, spend_checks: Callable[[int], None]
) -> Iterator[tuple[int, int]]:
    end = 0
    for found in find_in_steps(_SAID, lowered):
        if found.start() < end:  # without this, the time grows with the square of the length
            continue
        spend_checks(1)
        quoted = _QUOTED.match(lowered, found.end())
        if quoted is not None:
            end = quoted.end()
        else:
            end = _find_end(_END_OF_SENTENCE, lowered, found.end())
        yield found.end(), end


def _name_and_role(text: str, found: re.Match[str]) -> tuple[str, Role]:
    """Return the name before a separator, and its role; ("", "") if it names nothing."""
    end = found.end("rest")
    begin = max(0, found.start() - _MAX_NAME_CHARACTERS)
    written = _LAST_WORDS.search(text[begin:end])
    if written is None:
        return "", ""
    parts = _NAME_PARTS.split(written[0])
    is_ambiguous = "=" not in found["separator"] and parts[-1].lower() in _AMBIGUOUS
    for count in range(1, len(parts) + 1):
        words = parts[-count:]
        name = " ".join(words)
        role = role_of(name)
        if not role or (count > 1 and not _is_named_by_all(words)):
            continue
        if is_ambiguous and not (
            has_name_of_secret(name)
            or (count > 1 and words[0].lower() in _BEFORE_AMBIGUOUS)
            or _is_followed_by_secret(text, found.end())
        ):
            continue
        return name, role
    return "", ""


def _is_followed_by_secret(text: str, begin: int) -> bool:
    """Tell whether the next word looks like a secret, and not like the name of a coin."""
    word = _FIRST_WORD.match(text, begin, begin + _MAX_END_CHARACTERS)
    if word is None or _COIN_ADDRESS.match(word[1]):
        return False
    return looks_secret(word[1])


def _is_named_by_all(words: list[str]) -> bool:
    """Tell whether the last word belongs to the name: "password policy" names no password."""
    if words[-1].lower() in _ADDED_WORDS or words[-1].isdigit():
        return True
    return is_named_by_last_word(words) or not role_of(" ".join(words[:-1]))


def _end_of_value(text: str, found: re.Match[str], name: str) -> int:
    begin = found.end()
    scheme = _SCHEME.match(text, begin)
    if scheme is not None and scheme[0][0] not in "\"'":
        return _find_end(_END, text, scheme.end())
    quoted = _QUOTED.match(text, begin)
    if quoted is not None:
        return quoted.end()
    in_url = found["separator"] == "=" and _BEFORE_NAME_IN_URL.search(
        text[max(0, found.start() - _MAX_NAME_CHARACTERS) : found.start()]
    )
    if in_url:
        pattern = _IN_URL
    elif name.lower().rstrip("0123456789").endswith(_CODES):
        pattern = _ONE_WORD
    else:
        return _find_end(_END, text, begin)
    value = pattern.match(text, begin)
    return begin if value is None else value.end()


def _find_end(pattern: re.Pattern[str], text: str, begin: int) -> int:
    """Return where a pattern matches first, searching in steps, or where the text ends."""
    while True:
        limit = min(len(text), begin + _STEP_CHARACTERS)
        found = pattern.search(text, begin, limit)
        if limit == len(text):
            return limit if found is None else found.start()
        # Near the limit, a pattern could see it as the text's end.
        if found is not None and found.start() < limit - _MAX_END_CHARACTERS:
            return found.start()
        begin = limit - _MAX_END_CHARACTERS
        pause()
