"""The types of settings: from the text of a variable or flag to its value.

Each function parses one type. It raises ValueError with a phrase that completes "it takes …".
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from urllib.parse import urlsplit

from data_capture.mail_url import parse_mail_url

LOCAL_PAGES = "local"
"""The entry of `EDC_ALLOWED_ORIGINS` for pages on localhost, 127.0.0.1 or [::1], at any port."""

FILE_PAGES = "file"
"""The entry of `EDC_ALLOWED_ORIGINS` for pages opened from disk.

Their origin is `null`, which sandboxed frames of any site can send, too.
"""

MIN_TOKEN_CHARACTERS = 32

_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|[0-9a-f:.]*:[0-9a-f:.]*")
_MAX_HOST_CHARACTERS = 253  # RFC 1035 section 2.3.4, without the root label
_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_RATE = re.compile(
    r"[1-9][0-9]{0,8} ?(?:/|per) ?(?:[1-9][0-9]{0,5} ?)?(?:second|minute|hour|day)s?", re.IGNORECASE
)
_BYTES_IN = {"": 1, "B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3}
_SIZE = re.compile(r"([0-9]{1,9}) ?([kmg]?b|)", re.IGNORECASE)
_BYTE_RATE = re.compile(
    r"([1-9][0-9]{0,8}) ?([kmg]?b) ?"
    r"((?:/|per) ?(?:[1-9][0-9]{0,5} ?)?(?:second|minute|hour|day)s?)",
    re.IGNORECASE,
)
_MAX_PROXIES = 16
_MAX_SECONDS = 3600
_MAX_HOURS = 24 * 366

RETENTION_NAMES = ("payment", "questionnaire", "dashboard", "activity", "ip_address", "user_agent")
"""The names in `EDC_RETENTION_DAYS`: the kinds of captures, and two columns of all kinds."""

_RETENTION = re.compile(rf"(?:{'|'.join(RETENTION_NAMES)})=[1-9][0-9]{{0,4}}")
_SECRET = re.compile(r"[!-~]{1,255}")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 section 2.1
_BASE_URL = re.compile(r"https?://[^\s/?#@\\,]+(?:/[A-Za-z0-9._~/-]*)?")


def parse_port(text: str) -> int:
    """Parse a port number."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise ValueError("a port number from 1 to 65535")
    return int(text)


def parse_path(text: str) -> Path:
    """Parse the path of the database, and resolve links.

    The database's lock belongs to the file, not to one of its names.
    """
    if not text:
        raise ValueError("a file's path")
    return Path(text).expanduser().resolve()


def parse_log_path(text: str) -> Path:
    """Parse the path of the log file.

    A link in its place may be planted, so it is not resolved.
    """
    if not text:
        raise ValueError("a file's path")
    path = Path(text).expanduser()
    return path.parent.resolve() / path.name


def parse_listen_host(text: str) -> str:
    """Parse the host name or address that the services listen on."""
    try:
        if ":" in text:
            ipaddress.IPv6Address(text)
        length = len(text.encode("idna"))
    except ValueError:  # not an address, or a label is empty, too long or has a wrong character
        length = 0
    if not 0 < length <= _MAX_HOST_CHARACTERS or any(
        character.isspace() or character in "/@" for character in text
    ):
        raise ValueError("a host name or an address to listen on")
    return text


def split_list(text: str) -> tuple[str, ...]:
    """Split a list at its commas."""
    return tuple(item for item in (part.strip() for part in text.split(",")) if item)


def parse_placeholders(text: str) -> tuple[str, ...]:
    """Parse a list of addresses, and of patterns in slashes, which have no commas."""
    items = split_list(text)
    for item in items:
        if len(item) > 1 and item[0] == item[-1] == "/":
            try:
                re.compile(item[1:-1])
            except re.error as error:
                raise ValueError("addresses, and valid patterns in slashes") from error
    return items


def parse_origins(text: str) -> tuple[str, ...]:
    """Parse a list of origins, `local` and `file`."""
    return tuple(
        item if item in (LOCAL_PAGES, FILE_PAGES) else _parse_origin(item.lower())
        for item in split_list(text)
    )


def _parse_origin(text: str) -> str:
    """Write an origin as browsers do: without a default port (RFC 6454 section 6.2)."""
    parts = _ORIGIN.fullmatch(text)
    port = int(parts["port"] or 1) if parts else 0
    if parts is None or not 1 <= port <= 65535:
        raise ValueError(
            f"'{LOCAL_PAGES}', '{FILE_PAGES}' and origins such as https://www.example.com, "
            "separated by commas, without paths, and with non-ASCII names in their xn-- form"
        )
    is_default = parts["port"] is None or port == _DEFAULT_PORTS[parts["scheme"]]
    return f"{parts['scheme']}://{parts['host']}" + ("" if is_default else f":{port}")


def parse_host_names(text: str) -> tuple[str, ...]:
    """Parse a list of host names."""
    names = tuple(name.lower() for name in split_list(text))
    if not all(_HOST_NAME.fullmatch(name) for name in names):
        raise ValueError(
            "host names such as capture.example.com, separated by commas, without ports"
        )
    return names


def parse_proxy_count(text: str) -> int:
    """Parse the number of reverse proxies."""
    if not text.isascii() or not text.isdigit() or int(text) > _MAX_PROXIES:
        raise ValueError(f"a number of proxies from 0 to {_MAX_PROXIES}")
    return int(text)


def parse_rates(text: str) -> str:
    """Check a list of rates."""
    if text.strip() and not all(_RATE.fullmatch(part.strip()) for part in re.split("[;,]", text)):
        raise ValueError(
            "rates such as 600/minute, separated by semicolons, or nothing for no limit"
        )
    return text.strip()


def to_plain_rates(text: str) -> str:
    """Write rates in bytes as numbers: `60MB/minute` is `60000000/minute`."""
    parts = [part.strip() for part in re.split("[;,]", text) if part.strip()]
    found = [_BYTE_RATE.fullmatch(part) for part in parts]
    if not all(found):
        raise ValueError(
            "rates in bytes such as 60MB/minute, separated by semicolons, or nothing for no limit"
        )
    return "; ".join(
        f"{int(one[1]) * _BYTES_IN[one[2].upper()]}{one[3]}" for one in found if one is not None
    )


def parse_byte_rates(text: str) -> str:
    """Check a list of rates in bytes."""
    to_plain_rates(text)
    return text.strip()


def parse_size_bytes(text: str) -> int | None:
    """Parse a number of bytes, such as `100MB`; None for an empty text."""
    if not text.strip():
        return None
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError("a number of bytes such as 100MB, 0, or nothing")
    return int(found[1]) * _BYTES_IN[found[2].upper()]


def parse_retention(text: str) -> tuple[str, ...]:
    """Parse a list of retention periods, such as `payment=3650`."""
    rules = split_list(text.replace(" ", ""))
    names = [rule.partition("=")[0] for rule in rules]
    if not all(_RETENTION.fullmatch(rule) for rule in rules) or len(set(names)) < len(names):
        raise ValueError(
            "retention periods in days, such as payment=3650,ip_address=30, with these names, each "
            f"at most once: {', '.join(RETENTION_NAMES)}"
        )
    return rules


def parse_token(text: str) -> str:
    """Check an admin token; empty for none."""
    if text and (len(text) < MIN_TOKEN_CHARACTERS or not _TOKEN.fullmatch(text)):
        raise ValueError(
            f"{MIN_TOKEN_CHARACTERS} or more letters, digits or any of '._~+/-', chosen at random"
        )
    return text


def parse_secret(text: str) -> str:
    """Check the secret of a webhook; empty for none."""
    if text and not _SECRET.fullmatch(text):
        raise ValueError("at most 255 visible ASCII characters, as the provider shows it")
    return text


def check_mail_url(text: str) -> str:
    """Check the URL of a mail server or hook; empty for none."""
    if text:
        parse_mail_url(text)
    return text


def parse_base_url(text: str) -> str:
    """Check a public URL, and remove the slash at its end; empty for none."""
    if not text:
        return text
    try:
        url = urlsplit(text)
        is_base = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        is_base = False
    if not is_base or not _BASE_URL.fullmatch(text):
        raise ValueError(
            "the URL of a service, such as https://signup.example.com, without user, query and "
            "fragment"
        )
    return text.rstrip("/")


def parse_seconds(text: str) -> float:
    """Parse a number of seconds."""
    return _parse_positive(text, "seconds", _MAX_SECONDS)


def parse_hours(text: str) -> float:
    """Parse a number of hours."""
    return _parse_positive(text, "hours", _MAX_HOURS)


def _parse_positive(text: str, unit: str, maximum: int) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= maximum:
        raise ValueError(f"a number of {unit}, more than 0 and at most {maximum}")
    return number


def parse_switch(text: str) -> bool:
    """Parse a switch."""
    word = text.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("", "0", "false", "no", "off"):
        return False
    raise ValueError("1 or 0")
