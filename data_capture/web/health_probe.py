"""Signed requests with which this installation's own programs read health details, whatever the service is reached by.

    Authorization: EDC-Health EXPIRES.MAC       MAC = HMAC-SHA-256 of EXPIRES under trading_bots.keys/health.key

The startup manager, `doctor`, `restore` and the live check have to know whether the service on a port is theirs. They can
read the keys folder, and so can sign; the admin token they don't have, of which only a hash is kept. What they send opens
nothing but health details, for seconds: another program that has taken the port learns nothing that lasts.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time

from data_capture.key_files import load_key, load_or_make_key
from data_capture.settings import Settings

_KEY_FILE_NAME = "health.key"
_SECONDS = 30
_AUTHORIZATION = re.compile(r"EDC-Health ([0-9]{1,12})\.([0-9a-f]{64})")


def load_or_make_probe_key(settings: Settings) -> bytes:
    """Return the key that probes are signed with; the first service that starts makes it.

    Raises:
        OSError: its file can't be made or read.
        ValueError: its file holds no key.
    """
    return load_or_make_key(settings.keys_directory / _KEY_FILE_NAME)


def probe_headers(settings: Settings) -> dict[str, str]:
    """Return the headers that ask a service of this installation for its details; none where no service has run yet."""
    try:
        key = load_key(settings.keys_directory / _KEY_FILE_NAME)
    except (OSError, ValueError):
        return {}
    expires = str(int(time.time()) + _SECONDS)
    return {"Authorization": f"EDC-Health {expires}.{_mac_of(expires, key)}"}


def is_probe(authorization: str, key: bytes) -> bool:
    """Whether the header's value was signed with `key`, and has not expired."""
    given = _AUTHORIZATION.fullmatch(authorization)
    if given is None or not hmac.compare_digest(given[2], _mac_of(given[1], key)):
        return False
    return 0 <= int(given[1]) - time.time() <= _SECONDS


def _mac_of(expires: str, key: bytes) -> str:
    return hmac.new(key, f"health {expires}".encode(), hashlib.sha256).hexdigest()
