"""The signed links in mails: what they contain, and how long they are valid.

A link is `<signup service>/verify#token=<JSON Web Token>`. The token is in the fragment, which
browsers send to no server, so that it appears in no log and no Referer header. It has a key
(`KEY_FILE_NAME`) and an audience of its own, so that an access token is no link, and a link is no
access token.
"""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt

from data_capture.capture.timestamps import timestamp
from data_capture.key_files import load_or_make_key
from data_capture.problems import LINK_VOID, UNUSABLE_ACCOUNT, FieldError, Problem
from data_capture.store.sqlite.sign_ups import SignUpDetails
from data_capture.store.sqlite.users import UserRow

KEY_FILE_NAME = "verification-links.key"  # deleting it voids all links, but no access token

MAX_TOKEN_CHARACTERS = 6000  # more than the longest token of this service

VALID_HOURS = 24  # a mail that is read the next morning still works, an old one does not

_AUDIENCE = "urn:enhanced-data-capture:verification"
_ALGORITHM = "HS256"
# Of JSON, so that a link has fewer than 2,900 characters. Real sign-ups have about 200 bytes.
_MAX_DETAILS_BYTES = 1500

_TOKEN = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Link:
    """A link with a valid signature that has not expired."""

    email: str
    """The address that it was sent to, normalised."""
    created_at: str
    """ISO 8601 in UTC."""
    state: str = field(repr=False)
    """See `LinkSigner.account_state`."""
    details: SignUpDetails
    """The details of the sign-up; empty for a recovery."""

    def matches_state(self, state: str) -> bool:
        """Tell whether the account is still in the state for which the link was created."""
        return hmac.compare_digest(self.state, state)


class LinkSigner:
    """Create and read links; the signing key is created if there is none.

    Args:
        keys_directory: the folder of the signing key.
        base_url: the public URL of the signup service.

    Raises:
        OSError: the key's file cannot be read or written.
        ValueError: the file does not contain a key.
    """

    def __init__(self, keys_directory: Path, base_url: str) -> None:
        self._key = load_or_make_key(keys_directory / KEY_FILE_NAME)
        self._base_url = base_url.rstrip("/")

    def account_state(self, email: str, user: UserRow | None) -> str:
        """Return a keyed hash of the state of an account.

        It changes with the password, so that a used link is void. An unknown address and a
        provisional user, which has no password either, have the same state, because a user may pay
        between the sign-up and opening the link.
        """
        has_password = user is not None and not user.account.is_provisional
        credentials = user.credentials if user is not None and has_password else ()
        hashes = [[credential.column, credential.stored] for credential in credentials]
        state = json.dumps([email, has_password, hashes]).encode()
        return hmac.digest(self._key, state, "sha256").hex()

    def create(
        self, email: str, state: str, now: datetime, details: SignUpDetails | None = None
    ) -> str:
        """Return the link to send to `email` (normalised)."""
        claims = {
            "aud": _AUDIENCE,
            "sub": email,
            "at": timestamp(now),
            "exp": now + timedelta(hours=VALID_HOURS),
            "state": state,
            "details": _limit_details(details),
        }
        token = jwt.encode(claims, self._key, algorithm=_ALGORITHM)
        return f"{self._base_url}/verify#token={token}"

    def read(self, token: str) -> Link:
        """Verify the token of a link, and return the link.

        Raises:
            Problem: 400 the service did not create the token, 410 it has expired.
        """
        if len(token) > MAX_TOKEN_CHARACTERS or not _TOKEN.fullmatch(token):
            raise _invalid_token_problem()
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._key, algorithms=[_ALGORITHM], audience=_AUDIENCE,
                options={"require": ["aud", "sub", "exp", "at", "state", "details"]},
            )  # fmt: skip
        except jwt.ExpiredSignatureError:
            raise void_link_problem(f"The link is older than {VALID_HOURS} hours.") from None
        except (jwt.PyJWTError, ValueError):
            raise _invalid_token_problem() from None
        known = {one.name for one in fields(SignUpDetails)}
        details = SignUpDetails(
            **{name: value for name, value in claims["details"].items() if name in known}
        )
        return Link(claims["sub"], claims["at"], claims["state"], details)


def parse_origin(base_url: str) -> str:
    """Return the origin of a URL as browsers send it, without a default port."""
    url = urlsplit(base_url.lower())
    default_port = ":443" if url.scheme == "https" else ":80"
    return f"{url.scheme}://{url.netloc.removesuffix(default_port)}"


def void_link_problem(reason: str) -> Problem:
    """Return the Problem for a link that is no longer valid."""
    return Problem(LINK_VOID, f"{reason} Ask for a new one.")


def _invalid_token_problem() -> Problem:
    error = FieldError("token", "is not from a mail of this service, or is incomplete")
    return Problem(UNUSABLE_ACCOUNT, f"The token {error.message}.", errors=[error])


def _limit_details(details: SignUpDetails | None) -> dict[str, Any]:
    """Return the details that are set, as many as a link can contain.

    The longest ones are left out first.
    """
    given = (
        {} if details is None else {name: value for name, value in asdict(details).items() if value}
    )
    while len(json.dumps(given)) > _MAX_DETAILS_BYTES:
        del given[max(given, key=lambda name: len(str(given[name])))]
    return given
