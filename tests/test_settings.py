"""Test settings: flags, environment variables, defaults, and errors for invalid values."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_capture.settings import SETTINGS, SettingError, load_settings, settings_from_command_line
from tests.support.services import REPOSITORY


def test_defaults_listen_on_loopback_and_keep_files_next_to_the_scripts() -> None:
    settings = load_settings({}, {})
    assert settings.host == "127.0.0.1"
    assert (settings.signup_port, settings.capture_port) == (5001, 5003)
    assert settings.database == REPOSITORY / "trading_bots.db"
    assert settings.log_file == REPOSITORY / "enhanced_data_capture.log"
    assert settings.keys_directory == REPOSITORY / "trading_bots.keys"
    assert settings.debug is False


def test_flags_override_variables_and_variables_override_defaults() -> None:
    environment = {"EDC_CAPTURE_PORT": "6003", "EDC_SIGNUP_PORT": "6001"}
    settings = load_settings({"capture_port": "7003"}, environment)
    assert (settings.capture_port, settings.signup_port) == (7003, 6001)


def test_variable_and_flag_of_a_setting_follow_from_its_name() -> None:
    for setting in SETTINGS:
        assert setting.variable == "EDC_" + setting.name.upper()
        # Secrets have no flag, because all users of a machine can read command lines.
        secret = setting.name in ("admin_token", "mail_url") or setting.name.endswith("_secret")
        assert setting.flag == ("" if secret else "--" + setting.name.replace("_", "-"))


def test_port_sets_the_port_of_the_started_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDC_CAPTURE_PORT", raising=False)
    monkeypatch.delenv("EDC_SIGNUP_PORT", raising=False)
    assert settings_from_command_line("capture", "", ["--port", "7000"]).capture_port == 7000
    assert settings_from_command_line("signup", "", ["--port", "7000"]).signup_port == 7000


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("EDC_CAPTURE_PORT", "0"),
        ("EDC_CAPTURE_PORT", "65536"),
        ("EDC_CAPTURE_PORT", "٥٠٠٣"),
        ("EDC_CAPTURE_PORT", "5003 "),
        ("EDC_HOST", ""),
        ("EDC_HOST", "http://localhost"),
        ("EDC_HOST", "a" * 64 + ".example.com"),
        ("EDC_HOST", "a." * 124 + "example.com"),
        ("EDC_HOST", "a..example.com"),
        ("EDC_HOST", "::1::2"),
        ("EDC_HOST", "localhost:5003"),
        ("EDC_HOST", "\udcff"),  # how Python decodes the byte 255 of a command line
        ("EDC_DATABASE", ""),
        ("EDC_ALLOWED_ORIGINS", "www.example.com"),
        ("EDC_ALLOWED_ORIGINS", "https://www.example.com/shop"),
        ("EDC_ALLOWED_ORIGINS", "*"),
        ("EDC_ALLOWED_ORIGINS", "null"),
        ("EDC_ALLOWED_ORIGINS", "file://"),
        ("EDC_ALLOWED_ORIGINS", "local,https://user@www.example.com"),
        ("EDC_ALLOWED_ORIGINS", "https://www.example.com:65536"),
        ("EDC_ALLOWED_ORIGINS", "https://www.example.com:0"),
        ("EDC_ALLOWED_ORIGINS", "https://www.example.com:"),
        ("EDC_ALLOWED_ORIGINS", "https://bücher.example"),
        ("EDC_ALLOWED_ORIGINS", "https://*.example.com"),
        ("EDC_ALLOWED_ORIGINS", "https://www.example.com#x"),
        ("EDC_ALLOWED_HOSTS", "https://capture.example.com"),
        ("EDC_ALLOWED_HOSTS", "capture.example.com:443"),
        ("EDC_ALLOWED_HOSTS", "*"),
        ("EDC_TRUSTED_PROXIES", "-1"),
        ("EDC_TRUSTED_PROXIES", "yes"),
        ("EDC_RATE_PER_CALLER", "600"),
        ("EDC_RATE_PER_CALLER", "0/minute"),
        ("EDC_RATE_PER_PERSON", "600/fortnight"),
        ("EDC_LOGIN_RATE", "5/minute; soon"),
        ("EDC_REQUEST_SECONDS", "0"),
        ("EDC_REQUEST_SECONDS", "nan"),
        ("EDC_REQUEST_SECONDS", "soon"),
        ("EDC_DEBUG", "maybe"),
    ],
)
def test_an_invalid_value_is_reported_with_the_accepted_ones(variable: str, text: str) -> None:
    with pytest.raises(SettingError, match=f"^{variable}=.* is not usable: it takes ."):
        load_settings({}, {variable: text})


def test_origins_are_normalised_as_browsers_send_them() -> None:
    text = (
        "HTTPS://WWW.example.com:443,http://www.example.com:80,"
        "http://www.example.com:443,http://[2001:DB8::1]:8080"
    )
    assert load_settings({}, {"EDC_ALLOWED_ORIGINS": text}).allowed_origins == (
        "https://www.example.com",
        "http://www.example.com",
        "http://www.example.com:443",
        "http://[2001:db8::1]:8080",
    )


def test_an_invalid_secret_is_not_shown() -> None:
    with pytest.raises(
        SettingError, match=r"^EDC_ADMIN_TOKEN=… is not usable: it takes ."
    ) as refused:
        load_settings({}, {"EDC_ADMIN_TOKEN": "hunter2"})
    assert "hunter2" not in str(refused.value)
    assert "s3cret" not in repr(load_settings({}, {"EDC_ADMIN_TOKEN": "s3cret" * 8}))


def test_an_invalid_flag_ends_the_command_with_a_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        settings_from_command_line("capture", "", ["--port", "none"])
    assert ended.value.code == 2
    assert "it takes a port number from 1 to 65535" in capsys.readouterr().err


def test_settings_are_passed_to_services_as_environment_unchanged(tmp_path: Path) -> None:
    given = {
        "database": str(tmp_path / "a.db"),
        "allowed_origins": "local, file, https://www.example.com",
        "allowed_hosts": "Capture.example.com, 2001:db8::1",
        "admin_token": "s3cret" * 8,
        "rate_per_caller": "600/minute; 10 per 2 seconds",
        "login_rate": "",
        "placeholder_emails": "nobody@example.com",
        "request_seconds": "0.5",
        "debug": True,
    }
    settings = load_settings(given, {})
    assert settings.allowed_origins == ("local", "file", "https://www.example.com")
    assert load_settings({}, settings.as_environment()) == settings
