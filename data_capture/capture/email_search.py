"""Search a payload for the payer's address where no list of names has its place.

Form builders and payment providers nest addresses in many ways: `billingContact.emailAddress`,
`form_response.answers[0].email`, `{"label": "E-Mail", "value": …}`, `q3_email`. The search takes an
address only if all that it finds are the same, and none of someone else, such as a referrer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from data_capture.capture.email import Placeholders, is_made_up, normalise_email
from data_capture.json_codec import JsonObject, decode_json
from data_capture.problems import Problem

_MAX_DEPTH = 7
_MAX_VALUES = 2_000
_MAX_JSON_CHARACTERS = 50_000
_MAX_KEY_CHARACTERS = 64
_MAX_ADDRESS_CHARACTERS = 320

_NO_LETTERS = re.compile(r"[\W\d_]+")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NAME_OF_ADDRESS = re.compile(
    r"e?mails?\Z|email|mailaddress|courriel|correo|eposta?\Z|postaelettronica|почта|邮箱|郵箱|电邮"
    r"|メール|이메일|replyto"
)
_OTHER_PEOPLE = frozenset({
    "admin", "affiliate", "agent", "assignee", "author", "bcc", "beneficiary", "broker", "cc",
    "company", "creator", "friend", "from", "help", "introducer", "invited", "invitee", "inviter",
    "manager", "merchant", "notify", "organization", "partner", "payee", "receiver", "recipient",
    "referee", "referral", "referred", "referrer", "sales", "seller", "sender", "sent", "shop",
    "sponsor", "staff", "store", "sub", "support", "team", "to", "vendor", "webmaster",
    # Who is signed in, and who gets the parcel, come later.
    "auth", "current", "logged", "session", "shipping", "signed",
})  # fmt: skip
_PAIR_NAMES = ("name", "key", "field", "id", "label", "title", "type", "ref", "question")
_PAIR_VALUES = ("value", "answer", "val", "text", "email")
# Of fields without a name of their own: "3", `q12`, `field_1`, and of lists of answers.
_NUMBERED = re.compile(
    r"(?:answers?|entry|entries|fields?|inputs?|items?|q|questions?)[ _-]?[0-9]{0,4}|[0-9]{1,4}"
)


def search_email(payload: JsonObject, placeholders: Placeholders) -> str | None:
    """Return the only address in a payload that can be its user's; None if there are more or none.

    Args:
        payload: the payload, which has no address under a usual name.
        placeholders: addresses that stand for nobody; those that pages make up count as such.
    """
    found: set[str] = set()
    for values, sent in enumerate(_candidates(payload, "", _MAX_DEPTH)):
        if values >= _MAX_VALUES:
            return None
        email = normalise_email(sent) if isinstance(sent, str) and "@" in sent else None
        if email is not None and email not in placeholders and not is_made_up(email):
            found.add(email)
            if len(found) > 1:
                return None
    return next(iter(found), None)


def _candidates(value: Any, key: str, depth: int) -> Iterator[Any]:
    """Yield each value that was looked at; None for those that are no addresses by their place."""
    yield None
    if depth == 0:
        return
    if isinstance(value, dict):
        name_of_pair = _name_of_pair(value)
        for member_key, member in value.items():
            if _is_about_others(member_key):
                continue
            is_value = name_of_pair and member_key in _PAIR_VALUES
            yield from _candidates(member, name_of_pair if is_value else member_key, depth - 1)
    elif isinstance(value, list):
        for item in value:
            yield from _candidates(item, key, depth - 1)
    elif isinstance(value, str):
        if value.lstrip()[:1] in ("{", "[") and len(value) <= _MAX_JSON_CHARACTERS:
            with suppress(Problem):
                yield from _candidates(decode_json(value), key, depth - 1)
        elif len(value) <= _MAX_ADDRESS_CHARACTERS and _names_address(key):
            yield value


def _name_of_pair(members: JsonObject) -> str:
    """Return the name in {"label": "E-Mail", "value": …} if it is that of an address."""
    names = (members.get(name) for name in _PAIR_NAMES)
    return next((name for name in names if isinstance(name, str) and _names_address(name)), "")


def _names_address(key: str) -> bool:
    if len(key) > _MAX_KEY_CHARACTERS:
        return False
    lowered = key.lower()
    return _NUMBERED.fullmatch(lowered) is not None or (
        _NAME_OF_ADDRESS.search(_NO_LETTERS.sub("", lowered)) is not None
        and not _is_about_others(key)
    )


def _is_about_others(key: str) -> bool:
    if len(key) > _MAX_KEY_CHARACTERS:
        return True
    return not _OTHER_PEOPLE.isdisjoint([word.lower() for word in _WORDS.findall(key)])
