"""Every setting: its environment variable, flag, default and meaning, in one table.

A flag wins over its environment variable, which wins over the default. A test compares the table in
docs/configuration.md with `SETTINGS`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from data_capture.key_files import keys_beside
from data_capture.setting_types import (
    LOCAL_PAGES,
    check_mail_url,
    parse_base_url,
    parse_byte_rates,
    parse_host_names,
    parse_hours,
    parse_listen_host,
    parse_log_path,
    parse_origins,
    parse_path,
    parse_placeholders,
    parse_port,
    parse_proxy_count,
    parse_rates,
    parse_retention,
    parse_seconds,
    parse_secret,
    parse_size_bytes,
    parse_switch,
    parse_token,
)

REPOSITORY = Path(__file__).resolve().parent.parent


class SettingError(ValueError):
    """A setting's value cannot be used; the text names the setting and what it takes."""


@dataclass(frozen=True)
class Setting:
    """One line of the table.

    A secret has no `flag`, because every user of the machine can read command lines.
    """

    name: str
    variable: str
    flag: str
    default: str
    parse: Callable[[str], Any]
    explanation: str
    used_by: frozenset[str]

    def value(self, text: str, given_as: str) -> Any:
        """Parse a value of this setting.

        Args:
            text: the value.
            given_as: the name of the flag or variable, for the error's text.

        Raises:
            SettingError: the text is not a value of this setting.
        """
        try:
            return self.parse(text)
        except ValueError as error:
            shown = repr(text) if self.flag else "…"  # a secret is not repeated
            raise SettingError(f"{given_as}={shown} is not usable: it takes {error}.") from error


_CAPTURE, _SIGNUP = frozenset({"capture"}), frozenset({"signup"})
_BOTH = _CAPTURE | _SIGNUP


SETTINGS: tuple[Setting, ...] = (
    Setting("database", "EDC_DATABASE", "--database",
            str(REPOSITORY / "trading_bots.db"), parse_path,
            "SQLite file that stores everything", _BOTH),
    Setting("host", "EDC_HOST", "--host", "127.0.0.1", parse_listen_host,
            "Address that both services listen on", _BOTH),
    Setting("capture_port", "EDC_CAPTURE_PORT", "--capture-port", "5003", parse_port,
            "Port of the capture service", _CAPTURE),
    Setting("signup_port", "EDC_SIGNUP_PORT", "--signup-port", "5001", parse_port,
            "Port of the signup service", _SIGNUP),
    Setting("log_file", "EDC_LOG_FILE", "--log-file",
            str(REPOSITORY / "enhanced_data_capture.log"), parse_log_path,
            "Log file; rotated at 10 MB, five old files are kept", _BOTH),
    Setting("allowed_origins", "EDC_ALLOWED_ORIGINS", "--allowed-origins",
            LOCAL_PAGES, parse_origins,
            "Origins whose pages may send captures and sign-ups, separated by commas. "
            "`local`: localhost, 127.0.0.1 and [::1] at any port. `file`: pages opened from "
            "disk", _BOTH),
    Setting("allowed_hosts", "EDC_ALLOWED_HOSTS", "--allowed-hosts", "", parse_host_names,
            "Further host names of the services, separated by commas", _BOTH),
    Setting("trusted_proxies", "EDC_TRUSTED_PROXIES", "--trusted-proxies", "0", parse_proxy_count,
            "Number of your reverse proxies that a request passes; the caller's address is "
            "that many places from the end of `X-Forwarded-For`", _BOTH),
    Setting("admin_token", "EDC_ADMIN_TOKEN", "", "", parse_token,
            "Admin token from your own secret store. Empty: the first start creates one", _BOTH),
    Setting("rate_per_caller", "EDC_RATE_PER_CALLER", "--rate-per-caller",
            "6000/minute", parse_rates,
            "Rate limit: requests per caller", _BOTH),
    Setting("rate_per_person", "EDC_RATE_PER_PERSON", "--rate-per-person",
            "6000/minute", parse_rates,
            "Rate limit: captures per user and caller", _CAPTURE),
    Setting("bytes_per_caller", "EDC_BYTES_PER_CALLER", "--bytes-per-caller",
            "60MB/minute; 2GB/day", parse_byte_rates,
            "Rate limit: bytes of captures per caller", _CAPTURE),
    Setting("new_users_per_caller", "EDC_NEW_USERS_PER_CALLER", "--new-users-per-caller",
            "300/hour", parse_rates,
            "Rate limit: new users per caller, from captures and sign-ups", _BOTH),
    Setting("min_free_disk", "EDC_MIN_FREE_DISK", "--min-free-disk", "", parse_size_bytes,
            "Minimum free space on the database's disk, such as `1GB`. Empty: 100 MB, or a "
            "twentieth of a smaller disk. 0: no minimum", _BOTH),
    Setting("login_rate", "EDC_LOGIN_RATE", "--login-rate", "30/minute", parse_rates,
            "Rate limit: log-ins and sign-ups per caller, and per email address", _SIGNUP),
    Setting("mail_url", "EDC_MAIL_URL", "", "", check_mail_url,
            "Mail server (`smtp://user:password@host:587?from=noreply@example.com`, "
            "`smtps://…`) or hook (`https://…`) for confirmation links. Empty: sign-ups are "
            "not confirmed", _SIGNUP),
    Setting("signup_url", "EDC_SIGNUP_URL", "--signup-url", "", parse_base_url,
            "Public URL of the signup service, such as `https://signup.example.com`, for "
            "links in mails. Empty: links lead to this machine", _SIGNUP),
    Setting("placeholder_emails", "EDC_PLACEHOLDER_EMAILS", "--placeholder-emails",
            "unknown@example.com,unknown", parse_placeholders,
            "Email addresses that pages send when they do not know the user, and patterns in "
            "slashes such as `/^guest/`; captures with them are rejected", _BOTH),
    Setting("request_seconds", "EDC_REQUEST_SECONDS", "--request-seconds", "5", parse_seconds,
            "Seconds that a write may wait for the database before it gets 503", _BOTH),
    Setting("retention_days", "EDC_RETENTION_DAYS", "--retention-days", "", parse_retention,
            "Retention period in days, per kind, such as "
            "`payment=3650,dashboard=90,ip_address=30,user_agent=30`. A kind that is not "
            "named is kept", _CAPTURE),
    Setting("token_hours", "EDC_TOKEN_HOURS", "--token-hours", "24", parse_hours,
            "Hours that a token from signup or login stays valid", _SIGNUP),
    Setting("stripe_webhook_secret", "EDC_STRIPE_WEBHOOK_SECRET", "", "", parse_secret,
            "Signing secret (`whsec_…`) of the webhook that Stripe sends. Empty: the webhook is "
            "off", _CAPTURE),
    Setting("nowpayments_ipn_secret", "EDC_NOWPAYMENTS_IPN_SECRET", "", "", parse_secret,
            "IPN secret key of NOWPayments. Empty: the webhook is off", _CAPTURE),
    Setting("coinbase_commerce_secret", "EDC_COINBASE_COMMERCE_SECRET", "", "", parse_secret,
            "Webhook shared secret of Coinbase Commerce. Empty: the webhook is off", _CAPTURE),
    Setting("debug", "EDC_DEBUG", "--debug", "0", parse_switch,
            "Log the kind, result and duration of each request", _BOTH),
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """The settings of a running command; `SETTINGS` explains each."""

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
    stripe_webhook_secret: str = field(repr=False)
    nowpayments_ipn_secret: str = field(repr=False)
    coinbase_commerce_secret: str = field(repr=False)
    debug: bool

    @property
    def keys_directory(self) -> Path:
        """The folder of the database's keys, each in a file that only its owner can read."""
        return keys_beside(self.database)

    def as_environment(self) -> dict[str, str]:
        """Return these settings as environment variables for a service to be started."""
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
    """Load the settings from flags, environment variables and defaults, in that order.

    Args:
        given: the flags' values by the setting's name; False and None for flags not given.
        environment: the environment variables; None for those of this process.

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
    """Add the flags of some settings to a parser.

    `load_settings` takes the parser's result as `given`.

    Args:
        parser: a command's parser.
        names: the settings that the command uses.
        port_alone: the setting that `--port` also sets.
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
        if setting.parse is parse_switch:
            parser.add_argument(*flags, dest=setting.name, action="store_true", help=explanation)
        else:
            parser.add_argument(*flags, dest=setting.name, metavar="VALUE", help=explanation)


def settings_from_command_line(
    command: str, description: str, arguments: Sequence[str] | None = None
) -> Settings:
    """Load the settings of one command: `capture`, `signup` or `manager`.

    The manager takes all flags. A service alone also takes `--port` for its port. If a flag or
    variable is not usable, the program ends with status 2 and a sentence, as argparse does.
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
