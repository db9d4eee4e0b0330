"""Every setting: its environment variable, flag, default and meaning, in one table.

A flag wins over its environment variable, which wins over the default. A test compares the table in
docs/configuration.md with `SETTINGS`.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from data_capture.key_files import keys_beside
from data_capture.mail_url import parse_mail_url

REPOSITORY = Path(__file__).resolve().parent.parent

LOCAL_PAGES = "local"
"""The entry of `EDC_ALLOWED_ORIGINS` for pages on localhost, 127.0.0.1 or [::1], at any port."""

FILE_PAGES = "file"
"""The entry of `EDC_ALLOWED_ORIGINS` for pages opened from disk, whose origin `null` frames of any site can send, too."""

MIN_TOKEN_CHARACTERS = 32

_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|[0-9a-f:.]*:[0-9a-f:.]*")
_MAX_HOST_CHARACTERS = 253  # RFC 1035 section 2.3.4, without the root's
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
    r"([1-9][0-9]{0,8}) ?([kmg]?b) ?((?:/|per) ?(?:[1-9][0-9]{0,5} ?)?(?:second|minute|hour|day)s?)",
    re.IGNORECASE,
)
AGEING = ("payment", "questionnaire", "dashboard", "activity", "ip_address", "user_agent")
"""What `EDC_RETENTION_DAYS` can be said of: the kinds of captures, and two columns of all."""

_RETENTION = re.compile(rf"(?:{'|'.join(AGEING)})=[1-9][0-9]{{0,4}}")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 section 2.1: what a Bearer token is made of


_BASE_URL = re.compile(r"https?://[^\s/?#@\\,]+(?:/[A-Za-z0-9._~/-]*)?")


class SettingError(ValueError):
    """A setting's value cannot be used; the text names the setting and says what it takes."""


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise ValueError("a port number from 1 to 65535")
    return int(text)


def _path(text: str) -> Path:
    if not text:
        raise ValueError("a file's path")
    # Resolved, because the lock beside a database belongs to the file and not to one of its names.
    return Path(text).expanduser().resolve()


def _log_path(text: str) -> Path:
    """The log's own path: in its place may be a planted link, which must not be followed."""
    if not text:
        raise ValueError("a file's path")
    path = Path(text).expanduser()
    return path.parent.resolve() / path.name


def _host(text: str) -> str:
    try:
        if ":" in text:
            ipaddress.IPv6Address(text)
        length = len(text.encode("idna"))
    except (
        ValueError
    ):  # no such address, or a part of the name is empty, too long, or holds what no name can
        length = 0
    if not 0 < length <= _MAX_HOST_CHARACTERS or any(
        character.isspace() or character in "/@" for character in text
    ):
        raise ValueError("a host name or an address to listen on")
    return text


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in (part.strip() for part in text.split(",")) if word)


def _origins(text: str) -> tuple[str, ...]:
    return tuple(
        word if word in (LOCAL_PAGES, FILE_PAGES) else _origin(word.lower())
        for word in _words(text)
    )


def _origin(text: str) -> str:
    """Return the origin as browsers send it: without the default port of its scheme (RFC 6454 section 6.2)."""
    parts = _ORIGIN.fullmatch(text)
    port = int(parts["port"] or 1) if parts else 0
    if parts is None or not 1 <= port <= 65535:
        raise ValueError(
            f"'{LOCAL_PAGES}', '{FILE_PAGES}' and origins such as https://www.example.com, with commas between; "
            "no paths, and names outside ASCII in their xn-- form"
        )
    is_default = parts["port"] is None or port == _DEFAULT_PORTS[parts["scheme"]]
    return f"{parts['scheme']}://{parts['host']}" + ("" if is_default else f":{port}")


def _host_names(text: str) -> tuple[str, ...]:
    names = tuple(name.lower() for name in _words(text))
    if not all(_HOST_NAME.fullmatch(name) for name in names):
        raise ValueError("host names such as capture.example.com, with commas between, no ports")
    return names


def _hops(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 16:
        raise ValueError("a number of proxies from 0 to 16")
    return int(text)


def _rate(text: str) -> str:
    if text.strip() and not all(_RATE.fullmatch(part.strip()) for part in re.split("[;,]", text)):
        raise ValueError(
            "rates such as 600/minute, or several with semicolons between, or nothing for no limit"
        )
    return text.strip()


def byte_rates(text: str) -> str:
    """Return rates in bytes as the engine of the rates reads them: `60MB/minute` is `60000000/minute`.

    Raises:
        ValueError: the text is no such list.
    """
    parts = [part.strip() for part in re.split("[;,]", text) if part.strip()]
    found = [_BYTE_RATE.fullmatch(part) for part in parts]
    if not all(found):
        raise ValueError(
            "bytes a time such as 60MB/minute, or several with semicolons, or nothing for no limit"
        )
    return "; ".join(
        f"{int(one[1]) * _BYTES_IN[one[2].upper()]}{one[3]}" for one in found if one is not None
    )


def _byte_rate(text: str) -> str:
    byte_rates(text)
    return text.strip()


def _size(text: str) -> int | None:
    if not text.strip():
        return None
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError("a number of bytes such as 100MB, 0, or nothing")
    return int(found[1]) * _BYTES_IN[found[2].upper()]


def _retention(text: str) -> tuple[str, ...]:
    rules = _words(text.replace(" ", ""))
    names = [rule.partition("=")[0] for rule in rules]
    if not all(_RETENTION.fullmatch(rule) for rule in rules) or len(set(names)) < len(names):
        raise ValueError(
            f"what is kept for how many days, such as payment=3650,ip_address=30, of {', '.join(AGEING)}"
        )
    return rules


def _token(text: str) -> str:
    if text and (len(text) < MIN_TOKEN_CHARACTERS or not _TOKEN.fullmatch(text)):
        raise ValueError(
            f"{MIN_TOKEN_CHARACTERS} or more letters, digits or any of '._~+/-', chosen at random"
        )
    return text


def _mail_url(text: str) -> str:
    if text:
        parse_mail_url(text)
    return text


def _base_url(text: str) -> str:
    if not text:
        return text
    try:
        url = urlsplit(text)
        is_base = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        is_base = False
    if not is_base or not _BASE_URL.fullmatch(text):
        raise ValueError(
            "the address of a service, such as https://signup.example.com, without user, query and fragment"
        )
    return text.rstrip("/")


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 3600:
        raise ValueError("a number of seconds, more than 0 and at most 3600")
    return seconds


def _hours(text: str) -> float:
    hours = float(text)
    if not 0 < hours <= 24 * 366:
        raise ValueError("a number of hours, more than 0 and at most 8784")
    return hours


def _switch(text: str) -> bool:
    word = text.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("", "0", "false", "no", "off"):
        return False
    raise ValueError("1 or 0")


@dataclass(frozen=True)
class Setting:
    """One line of the settings table. A secret has no `flag`: a command line can be read by everyone on the machine."""

    name: str
    variable: str
    flag: str
    default: str
    parse: Callable[[str], Any]
    explanation: str
    used_by: frozenset[str]

    def value(self, text: str, given_as: str) -> Any:
        """The value that `text` stands for.

        Raises:
            SettingError: the text is not a value of this setting.
        """
        try:
            return self.parse(text)
        except ValueError as error:
            wanted = str(error) if not str(error).startswith("could not convert") else "a number"
            shown = repr(text) if self.flag else "…"  # a secret is not repeated
            raise SettingError(f"{given_as}={shown} is not usable: it takes {wanted}.") from error


_CAPTURE, _SIGNUP, _BOTH = (
    frozenset({"capture"}),
    frozenset({"signup"}),
    frozenset({"capture", "signup"}),
)


SETTINGS: tuple[Setting, ...] = (
    Setting("database", "EDC_DATABASE", "--database", str(REPOSITORY / "trading_bots.db"), _path,
            "SQLite file that stores everything", _BOTH),
    Setting("host", "EDC_HOST", "--host", "127.0.0.1", _host,
            "Address that both services listen on", _BOTH),
    Setting("capture_port", "EDC_CAPTURE_PORT", "--capture-port", "5003", _port,
            "Port of the capture service", _CAPTURE),
    Setting("signup_port", "EDC_SIGNUP_PORT", "--signup-port", "5001", _port,
            "Port of the signup service", _SIGNUP),
    Setting("log_file", "EDC_LOG_FILE", "--log-file", str(REPOSITORY / "enhanced_data_capture.log"), _log_path,
            "Log file; rotated at 10 MB, five old files are kept", _BOTH),
    Setting("allowed_origins", "EDC_ALLOWED_ORIGINS", "--allowed-origins", LOCAL_PAGES, _origins,
            "Origins whose pages may send captures and sign-ups, separated by commas. `local`: localhost, 127.0.0.1 and "
            "[::1] at any port. `file`: pages opened from disk", _BOTH),
    Setting("allowed_hosts", "EDC_ALLOWED_HOSTS", "--allowed-hosts", "", _host_names,
            "Further host names of the services, separated by commas", _BOTH),
    Setting("trusted_proxies", "EDC_TRUSTED_PROXIES", "--trusted-proxies", "0", _hops,
            "Number of your reverse proxies that a request passes; the caller's address is that many places from the end of "
            "`X-Forwarded-For`", _BOTH),
    Setting("admin_token", "EDC_ADMIN_TOKEN", "", "", _token,
            "Admin token from your own secret store. Empty: the first start creates one", _BOTH),
    Setting("rate_per_caller", "EDC_RATE_PER_CALLER", "--rate-per-caller", "6000/minute", _rate,
            "Rate limit: requests per caller", _BOTH),
    Setting("rate_per_person", "EDC_RATE_PER_PERSON", "--rate-per-person", "6000/minute", _rate,
            "Rate limit: captures per user and caller", _CAPTURE),
    Setting("bytes_per_caller", "EDC_BYTES_PER_CALLER", "--bytes-per-caller", "60MB/minute; 2GB/day", _byte_rate,
            "Rate limit: bytes of captures per caller", _CAPTURE),
    Setting("new_users_per_caller", "EDC_NEW_USERS_PER_CALLER", "--new-users-per-caller", "300/hour", _rate,
            "Rate limit: new users per caller, from captures and sign-ups", _BOTH),
    Setting("min_free_disk", "EDC_MIN_FREE_DISK", "--min-free-disk", "", _size,
            "Minimum free space on the database's disk, such as `1GB`. Empty: 100 MB, or a twentieth of a smaller disk. 0: no "
            "minimum", _BOTH),
    Setting("login_rate", "EDC_LOGIN_RATE", "--login-rate", "30/minute", _rate,
            "Rate limit: log-ins and sign-ups per caller, and per email address", _SIGNUP),
    Setting("mail_url", "EDC_MAIL_URL", "", "", _mail_url,
            "Mail server (`smtp://user:password@host:587?from=noreply@example.com`, `smtps://…`) or hook (`https://…`) for "
            "confirmation links. Empty: sign-ups are not confirmed", _SIGNUP),
    Setting("signup_url", "EDC_SIGNUP_URL", "--signup-url", "", _base_url,
            "Public URL of the signup service, such as `https://signup.example.com`, for links in mails. Empty: links lead to "
            "this machine", _SIGNUP),
    Setting("placeholder_emails", "EDC_PLACEHOLDER_EMAILS", "--placeholder-emails", "unknown@example.com,unknown", _words,
            "Email addresses that pages send when they do not know the user; captures with them are rejected", _BOTH),
    Setting("request_seconds", "EDC_REQUEST_SECONDS", "--request-seconds", "5", _seconds,
            "Seconds that a write may wait for the database before it gets 503", _BOTH),
    Setting("retention_days", "EDC_RETENTION_DAYS", "--retention-days", "", _retention,
            "Retention period in days, per kind, such as `payment=3650,dashboard=90,ip_address=30,user_agent=30`. A kind that is "
            "not named is kept", _CAPTURE),
    Setting("token_hours", "EDC_TOKEN_HOURS", "--token-hours", "24", _hours,
            "Hours that a token from signup or login stays valid", _SIGNUP),
    Setting("debug", "EDC_DEBUG", "--debug", "0", _switch,
            "Log the kind, result and duration of each request", _BOTH),
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """The settings of a running command; see `SETTINGS` for what each means."""

    database: Path
    host: str
    capture_port: int
    signup_port: int
    log_file: Path
    allowed_origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    trusted_proxies: int
    admin_token: str = field(repr=False)
    rate_per_caller: str
    rate_per_person: str
    bytes_per_caller: str
    new_users_per_caller: str
    min_free_disk: int | None
    login_rate: str
    mail_url: str = field(repr=False)
    signup_url: str
    placeholder_emails: tuple[str, ...]
    request_seconds: float
    retention_days: tuple[str, ...]
    token_hours: float
    debug: bool

    @property
    def keys_directory(self) -> Path:
        """Where this database's secrets are kept, each in a file that only its owner can read."""
        return keys_beside(self.database)

    def as_environment(self) -> dict[str, str]:
        """These settings as environment variables, for a service that is started with them."""
        texts: dict[str, str] = {}
        for setting in SETTINGS:
            value = getattr(self, setting.name)
            if isinstance(value, bool):
                texts[setting.variable] = "1" if value else "0"
            elif value is None:
                texts[setting.variable] = ""
            elif isinstance(value, tuple):
                texts[setting.variable] = ",".join(value)
            else:
                texts[setting.variable] = str(value)
        return texts


def load_settings(
    given: Mapping[str, str | bool | None] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The settings from flags (`given`, by name, as text), environment variables and defaults, in that order.

    Raises:
        SettingError: a value cannot be used.
    """
    given = given or {}
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        flag_text = given.get(setting.name)
        variable_text = environment.get(setting.variable)
        if flag_text is not None and flag_text is not False:
            values[setting.name] = setting.value(
                "1" if flag_text is True else flag_text, setting.flag
            )
        elif variable_text is not None:
            values[setting.name] = setting.value(variable_text, setting.variable)
        else:
            values[setting.name] = setting.value(setting.default, setting.variable)
    return Settings(**values)


def add_flags(
    parser: argparse.ArgumentParser, names: Collection[str], *, port_alone: str | None = None
) -> None:
    """Gives `parser` the flags of the settings called `names`; what it parses is what `load_settings` takes as given.

    Args:
        parser: of a command.
        names: which settings; a flag for any other is unknown to the command.
        port_alone: the setting that `--port` stands for as well.
    """
    for setting in SETTINGS:
        if setting.name not in names or not setting.flag:
            continue
        flags = [setting.flag, "--port"] if setting.name == port_alone else [setting.flag]
        explanation = (
            f"{setting.explanation} (${setting.variable}; default: {setting.default})".replace(
                "%", "%%"
            )
        )
        if setting.parse is _switch:
            parser.add_argument(*flags, dest=setting.name, action="store_true", help=explanation)
        else:
            parser.add_argument(*flags, dest=setting.name, metavar="VALUE", help=explanation)


def settings_from_command_line(
    command: str, description: str, arguments: Sequence[str] | None = None
) -> Settings:
    """The settings of one command: `capture`, `signup`, or `manager`, which takes every flag.

    A service alone also takes `--port` for its own port. Ends the program with status 2 and a sentence when a flag or
    a variable is not usable, as argparse does.
    """
    parser = argparse.ArgumentParser(description=description)
    names = [
        setting.name for setting in SETTINGS if command == "manager" or command in setting.used_by
    ]
    add_flags(parser, names, port_alone=f"{command}_port")
    given = vars(parser.parse_args(arguments))
    try:
        return load_settings(given)
    except SettingError as error:
        parser.error(str(error))


assert [setting.name for setting in SETTINGS] == [field.name for field in fields(Settings)]
