"""Secrets in texts that no `=` or `:` separates from their names.

Such as `password hunter2`, `my API key is …`, `<pin>4821</pin>`, `<input name="pw" value="…">`, the
part of a form in `multipart/form-data`, and a `Cookie` header.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from data_capture.redaction.harmless_values import is_harmless_value
from data_capture.redaction.sensitive_keys import role_of
from data_capture.scanning import find_in_steps

_MIN_SHOWN_CHARACTERS = 6

_PASSWORDS = (
    r"passwords?|passwd|pwd|passphrase|passcode|passwort|kennwort|mot\ de\ passe|mdp|contraseña"
    r"|contrasena|palavra-passe|senha|wachtwoord|l[öo]senord|adgangskode|passord|has[łl]o|heslo"
    r"|geslo|lozinka|jelsz[óo]|salasana|slapta[žz]odis|парол[ьяею]м?|[şs][iı]fre\w{0,4}"
    r"|parola\w{0,4}|密[码碼]|パスワード|비밀번호"
)
_KEYS = (
    r"(?:api|secret|private|priv|encryption|signing|ssh|wi-?fi|hex|wallet|access)[ _-]?keys?"
    r"|(?:access|auth|refresh|session|bearer|api|bot)[ _-]?token|(?:api[ _-]?)?secret"
)
_VERBS = (
    r"is|was|are|will\ be|should\ be|ist|war|lautet|est|es|era|é|è|er|är|on|to|je|jest|now"
    r"|(?:re)?set\ to|changed\ to"
)
_SHOWN = re.compile(
    rf"(?<![^\W\d_])(?:{_PASSWORDS}|{_KEYS})(?:\s{{1,3}}(?:{_VERBS}))?"
    r"(?:[是为為は은는]\W{0,4}|\s{0,3}[=-]{1,3}>\s{0,3}|[^\w=:&$%\\\]\uff1a\uff1d]{1,6})(?P<value>[^\s\"'<>|,;()\[\]{}]{6,200})"
)
_SHORT_FOR_PRIVATE_KEY = re.compile(
    r"(?<![^\W_])pk(?:\s(?:is|was))?\W{1,4}(?P<value>(?:0x)?[0-9a-f]{64})(?![0-9a-z])"
)
_ELEMENT = re.compile(
    r"<(?P<name>[A-Za-z_][\w:.-]{0,40})(?:\s[^<>]{0,200})?>(?P<value>[^<]{1,1000})</"
)
_INPUT = re.compile(
    r"(?:name|type|id)\s?=\s?\\?[\"']?(?P<name>[\w.\[\]-]{1,40})\\?[\"']?[^<>]{0,200}?"
    r"\svalue\s?=\s?\\?(?:\"(?P<value>[^\"]{1,1000})|'(?P<single>[^']{1,1000})"
    r"|(?P<bare>[^\s\"'>]{1,1000}))"
)
_FORM_PART = re.compile(
    r"name=\"(?P<name>[^\"\r\n]{1,60})\"[^\r\n]{0,200}(?:\r?\n[^\r\n]{1,200}){0,2}"
    r"\r?\n\r?\n(?P<value>[^\r\n]{1,1000})"
)
_COOKIE_HEADER = re.compile(
    r"(?<![^\W_])(?:set-)?cookie2?:\s{0,3}(?P<value>[\w.-]{1,60}=[^\r\n]{1,4000})"
)

_LETTER_AND_DIGIT = re.compile(r"(?=.{0,200}?[^\W\d_])(?=.{0,200}?[0-9!@#$%^&*+])")
# Dates, counts with a unit, versions, addresses of pages and people, and placeholders.
_ORDINARY = re.compile(
    r"\d+[-.]?[A-Za-z]{1,12}[-\w]{0,20}\Z|[0-9]{4}-[0-9]{2}-|v?\d[\d.]*\Z|[a-z+.-]{2,20}://|www\."
    r"|[^@]{1,64}@[\w-]{1,100}\.[\w.-]{2,100}\Z|[^\W\d_]+[?!*]+\Z|[*•·xX.?!]+[A-Za-z0-9]{0,4}\Z"
)


def looks_secret(word: str) -> bool:
    """Tell whether a word looks like a password or a key, and not like one of a sentence."""
    word = word.rstrip(".,:;!?")
    return (
        len(word) >= _MIN_SHOWN_CHARACTERS
        and _LETTER_AND_DIGIT.match(word) is not None
        and _ORDINARY.match(word) is None
    )


def find_shown_secrets(
    text: str, lowered: str, spend_checks: Callable[[int], None]
) -> Iterator[tuple[int, int]]:
    """Find the secrets that follow their names without `=` or `:`; yield each begin and end.

    Args:
        text: any text.
        lowered: the same in lower case, of the same length.
        spend_checks: called with a number of checks before they are made; may raise to end.
    """
    for found in find_in_steps(_SHOWN, lowered):
        spend_checks(1)
        begin, end = found.span("value")
        end -= len(found["value"]) - len(found["value"].rstrip(".,:;"))
        if looks_secret(text[begin:end]):
            yield begin, end
    for pattern in (_SHORT_FOR_PRIVATE_KEY, *((_COOKIE_HEADER,) if "cookie" in lowered else ())):
        for found in find_in_steps(pattern, lowered):
            spend_checks(1)
            yield found.span("value")
    for pattern in _markup_patterns(lowered):
        for found in find_in_steps(pattern, text):
            spend_checks(1)
            role, group = role_of(found["name"]), found.lastgroup or "value"
            if role not in ("", "card") and not is_harmless_value(role, found[group], ()):
                yield found.span(group)


def _markup_patterns(lowered: str) -> Iterator[re.Pattern[str]]:
    if "</" in lowered:
        yield _ELEMENT
    if "value" in lowered and "<" in lowered:
        yield _INPUT
    if "form-data" in lowered:
        yield _FORM_PART
