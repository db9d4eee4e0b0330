"""Signed health requests: this installation's programs read details with them.

    Authorization: EDC-Health EXPIRES.MAC    MAC = HMAC-SHA-256 of EXPIRES, key in health.key

The startup manager, `doctor`, `restore` and the live check must know whether the service on a port
belongs to their installation. They can read `trading_bots.keys/health.key` and so can sign. They
do not have the admin token, because only its hash is stored. A signed request expires within
seconds and allows reading health details only, so another program that took the port gains nothing
lasting.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time

from data_capture.key_files import load_key, load_or_make_key
from data_capture.settings import Settings

_KEY_FILE_NAME = "health.key"
_VALID_SECONDS = 30
_AUTHORIZATION = re.compile(r"EDC-Health ([0-9]{1,12})\.([0-9a-f]{64})")


def load_or_make_probe_key(settings: Settings) -> bytes:
    """Return the key that signs probes; the first service that starts creates it.

    Raises:
        OSError: the key's file cannot be read or written.
        ValueError: the file does not contain a key.
    """
    return load_or_make_key(settings.keys_directory / _KEY_FILE_NAME)


def probe_headers(settings: Settings) -> dict[str, str]:
    """Return the headers of a signed health request.

    There are none before the first service has run.
    """
    try:
        key = load_key(settings.keys_directory / _KEY_FILE_NAME)
    except (OSError, ValueError):
        return {}
    expires = str(int(time.time()) + _VALID_SECONDS)
    return {"Authorization": f"EDC-Health {expires}.{_sign(expires, key)}"}


def is_probe(authorization: str, key: bytes) -> bool:
    """Tell whether the header's value was signed with `key` and has not expired."""
    match = _AUTHORIZATION.fullmatch(authorization)
    if match is None or not hmac.compare_digest(match[2], _sign(match[1], key)):
        return False
    return 0 <= int(match[1]) - time.time() <= _VALID_SECONDS


def _sign(expires: str, key: bytes) -> str:
    return hmac.new(key, f"health {expires}".encode(), hashlib.sha256).hexdigest()
