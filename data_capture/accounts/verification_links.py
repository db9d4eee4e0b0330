"""The signed links in mails: what they hold, and how long they are valid.

A link is `<signup service>/verify#token=<JSON Web Token>`. The token stands in the fragment, which
browsers send to no server, so that it gets into no log and no Referer header. It is signed with a key
of its own (`KEY_FILE_NAME`) and has an audience of its own: the token of a login is no link, and a
link is no login.
"""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt

from data_capture.capture.timestamps import timestamp
from data_capture.key_files import load_or_make_key
from data_capture.problems import LINK_VOID, UNUSABLE_ACCOUNT, FieldError, Problem
from data_capture.store.sqlite.sign_ups import SignUpDetails
from data_capture.store.sqlite.users import UserRow

KEY_FILE_NAME = "verification-links.key"  # removing it voids all links, and no login

MAX_TOKEN_CHARACTERS = 6000  # more than the longest one made here

VALID_HOURS = 24  # a mail that is read the next morning still works; one found later does not

_AUDIENCE = "urn:enhanced-data-capture:verification"
_ALGORITHM = "HS256"
_MAX_DETAILS_BYTES = (
    1500  # of JSON, so that a link stays below 2,900 characters; real sign-ups have about 200
)

_TOKEN = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Link:
    """A link whose signature is right and which is not too old."""

    email: str
    """The address, normalised, that it was sent to."""
    made_at: str
    """When it was made, ISO 8601 in UTC."""
    state: str = field(repr=False)
    details: SignUpDetails

    def is_for(self, state: str) -> bool:
        """Whether the account is still in the state that the link was made for."""
        return hmac.compare_digest(self.state, state)


class Links:
    """Makes and reads links.

    Args:
        keys_directory: where the signing key is, or is made.
        base_url: the signup service's public address.

    Raises:
        OSError: the key's file can't be made or read.
        ValueError: the key's file holds no key.
    """

    def __init__(self, keys_directory: Path, base_url: str) -> None:
        self._key = load_or_make_key(keys_directory / KEY_FILE_NAME)
        self._base_url = base_url.rstrip("/")

    def state_of(self, email: str, user: UserRow | None) -> str:
        """Return what stands for an account's state.

        It changes with the password, so that a used link is void. An unknown address and a provisional
        user, who has no password either, are one state: a user may pay between sign-up and click.
        """
        has_password = user is not None and not user.account.is_provisional
        hashes = (
            [[one.column, one.stored] for one in user.credentials]
            if user is not None and has_password
            else []
        )
        return hmac.digest(
            self._key, json.dumps([email, has_password, hashes]).encode(), "sha256"
        ).hex()

    def make(
        self, email: str, state: str, now: datetime, details: SignUpDetails | None = None
    ) -> str:
        """Return the link to mail to `email` (normalised)."""
        claims = {
            "aud": _AUDIENCE,
            "sub": email,
            "at": timestamp(now),
            "exp": now + timedelta(hours=VALID_HOURS),
            "state": state,
            "details": _bounded(details),
        }
        token = jwt.encode(claims, self._key, algorithm=_ALGORITHM)
        return f"{self._base_url}/verify#token={token}"

    def read(self, token: str) -> Link:
        """Read a link's token.

        Raises:
            Problem: 400 for a token that was not made here, 410 for one that is too old.
        """
        if len(token) > MAX_TOKEN_CHARACTERS or not _TOKEN.fullmatch(token):
            raise _not_ours()
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._key, algorithms=[_ALGORITHM], audience=_AUDIENCE,
                options={"require": ["aud", "sub", "exp", "at", "state", "details"]},
            )  # fmt: skip
        except jwt.ExpiredSignatureError:
            raise void_link(f"The link is older than {VALID_HOURS} hours.") from None
        except (jwt.PyJWTError, ValueError):
            raise _not_ours() from None
        known = {one.name for one in fields(SignUpDetails)}
        details = SignUpDetails(
            **{name: value for name, value in claims["details"].items() if name in known}
        )
        return Link(claims["sub"], claims["at"], claims["state"], details)


def void_link(reason: str) -> Problem:
    """Return the refusal of a link that is not valid any more."""
    return Problem(LINK_VOID, f"{reason} Ask for a new one.")


def _not_ours() -> Problem:
    error = FieldError("token", "is not from a mail of this service, or is incomplete")
    return Problem(UNUSABLE_ACCOUNT, f"The token {error.message}.", errors=[error])


def _bounded(details: SignUpDetails | None) -> dict[str, Any]:
    """The details that were given; the longest ones are left out where a link can't hold all."""
    given = (
        {} if details is None else {name: value for name, value in asdict(details).items() if value}
    )
    while len(json.dumps(given)) > _MAX_DETAILS_BYTES:
        del given[max(given, key=lambda name: len(str(given[name])))]
    return given
