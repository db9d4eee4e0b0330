"""Signed access tokens, and the response that contains one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import jwt

from data_capture.key_files import load_or_make_key
from data_capture.settings import Settings
from data_capture.store.sqlite.users import UserRow

_ALGORITHM = "HS256"
_KEY_FILE_NAME = "token-signing.key"  # in the folder `Settings.keys_directory`


class AccessTokens:
    """Create access tokens; the signing key is created if there is none.

    Args:
        settings: the folder of the key, and the validity of a token.

    Raises:
        OSError: the key's file cannot be read or written.
        ValueError: the file does not contain a key.
    """

    def __init__(self, settings: Settings) -> None:
        self._valid_hours = settings.token_hours
        self._signing_key = load_or_make_key(settings.keys_directory / _KEY_FILE_NAME)

    def create_account_response(self, user: UserRow, now: datetime, message: str) -> dict[str, Any]:
        """Return the members of the response to a user: the account and a new token."""
        token = self._create_token(user, now)
        return {
            "success": True,
            "message": message,
            "msg": message,
            "access_token": token,
            "token": token,
            "expires_in": round(self._valid_hours * 3600),
            "user_id": user.id,
            "user": {
                "id": user.id,
                "username": user.username,
                "email": user.email,
                "plan_type": user.plan_type or "free",
                "unique_id": user.unique_id,
                "fullName": user.full_name or user.username,
            },
        }

    def _create_token(self, user: UserRow, now: datetime) -> str:
        """Create a token (RFC 7519).

        Anyone can read its claims, so that it contains only the user's id and its validity.
        """
        claims = {
            "sub": str(user.id),
            "iat": now,
            "exp": now + timedelta(hours=self._valid_hours),
        }
        return jwt.encode(claims, self._signing_key, algorithm=_ALGORITHM)
