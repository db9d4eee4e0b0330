"""Test the delivery of mail to a hook or a mail server, and its failures."""

from __future__ import annotations

import email
import email.policy
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from data_capture.accounts.mail import MAX_WAITING, DeliveryError, Mail, Outbox, send
from data_capture.mail_url import can_be_mailed, parse_mail_url
from data_capture.settings import SettingError, load_settings
from tests.support.accounts import assert_problem, register
from tests.support.mailing import MailHook, MailServer, make_certificate
from tests.support.services import RunningService, eventually, signup_service_in

# The test's server accepts credentials without TLS, so that a test can detect that they were sent.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

MAIL = Mail(
    "ann@example.com",
    "Complete your sign-up",
    "Open https://s.example/verify#token=" + "x" * 1500,
    "link",
    "signup",
)


@contextmanager
def run_server(server: MailServer) -> Iterator[MailServer]:
    server.start()
    try:
        yield server
    finally:
        server.stop(no_assert=True)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def hook() -> Iterator[MailHook]:
    hook = MailHook()
    yield hook
    hook.close()


@contextmanager
def run_signup_service(
    directory: Path, mail_url: str, **environment: str
) -> Iterator[RunningService]:
    service = signup_service_in(directory, EDC_MAIL_URL=mail_url, **environment)
    service.start()
    try:
        yield service
    finally:
        service.stop()


VALID_MAIL_URLS = [
    "smtp://mail.example.com?from=noreply@example.com",
    "smtp://u:p@mail.example.com:25?from=noreply@example.com",
    "smtps://u:p%40%2F@mail.example.com?from=noreply%2Bsignup@example.com",
    "smtp://[::1]:2525/?from=a@b",
    "https://hooks.example.com/mail?key=1",
    "https://user:password@hooks.example.com:8443/",
    "http://127.0.0.1:8025/mail",
    "http://[::1]:8025/",
    "http://localhost/",
]
INVALID_MAIL_URLS = [
    "mail.example.com",
    "smtp://mail.example.com",
    "smtp://?from=a@b",
    "smtp://u@host?from=a@b",
    "smtp://:p@host?from=a@b",
    "smtp://u:s3cr/et@host?from=a@b",
    "smtp://u:s3cret@host:99999?from=a@b",
    "smtp://u:s3cret@host:x?from=a@b",
    "smtp://host?from=a@b&from=c@d",
    "smtp://host?from=a@b&tls=off",
    "smtp://host/path?from=a@b",
    "smtp://host?from=a",
    "smtp://host?from=a,b@c",
    "smtp://host?from=a@b%0d%0aBcc:c@d",
    "http://hooks.example.com/mail",
    "http://10.0.0.1/",
    "http://127.0.0.1.example.com/",
    "https://",
    "https:///mail",
    "ftp://host",
    "file:///etc/passwd",
    "https://host/#s3cret",
    "https://host/ s3cret",
    "https://host/\u00e4",
    "smtp://host:0?from=a@b",
    "https://[::1",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("text", VALID_MAIL_URLS)
def test_valid_mail_url_is_accepted_and_hidden_from_repr(text: str) -> None:
    settings = load_settings({}, {"EDC_MAIL_URL": text})
    assert settings.mail_url == text
    assert text not in repr(settings)
    assert load_settings({}, settings.as_environment()) == settings


@pytest.mark.parametrize("text", INVALID_MAIL_URLS)
def test_invalid_mail_url_is_rejected_without_repeating_it(text: str) -> None:
    with pytest.raises(
        SettingError, match=r"^EDC_MAIL_URL=… is not usable: it takes smtp://"
    ) as raised:
        load_settings({}, {"EDC_MAIL_URL": text})
    assert "s3c" not in str(raised.value)


INVALID_SIGNUP_URLS = [
    "signup.example.com",
    "ftp://a",
    "https://u:p@a",
    "https://a/?b",
    "https://a#b",
    "https://a b",
    "https://a,https://b",
    "https://:80",
    "https://a:x",
    "javascript://a",
    "https://a/\\b",
]


@pytest.mark.parametrize("text", INVALID_SIGNUP_URLS)
def test_invalid_signup_url_is_rejected(text: str) -> None:
    with pytest.raises(SettingError, match=r"^EDC_SIGNUP_URL=.* is not usable: it takes the URL"):
        load_settings({}, {"EDC_SIGNUP_URL": text})


@pytest.mark.parametrize("address", [
    "ann@example.com", "ann+tag@example.com", "o'neil@example.com", "änne@exämple.com",
    "ann@bücher.example", "ann@a.b-c.example", "ann@xn--bcher-kva.example",
])  # fmt: skip
def test_ordinary_addresses_can_be_mailed(address: str) -> None:
    assert can_be_mailed(address)


@pytest.mark.parametrize("address", [
    "ann", "@example.com", "ann@", "ann@[127.0.0.1]", "-ann@example.com", "ann@-a.example",
    "ann@a..example", "ann@exam ple.com", "ann@example.com\n", "a@b@example.com",
    "ann@\udc80.example", "\udc80@example.com", "ann@" + "a" * 64 + ".example",
    # IDNA 2003 and IDNA 2008 encode these letters as two domains, which may have two owners.
    "ann@fa\u00df.example", "ann@\u03b2\u03cc\u03bb\u03bf\u03c2.example",
    # Other spellings of example.com.
    "ann@\uff45xample.com", "ann@\u24d4xample.com", "ann@example\u3002com",
])  # fmt: skip
def test_ambiguous_or_invalid_addresses_cannot_be_mailed(address: str) -> None:
    assert not can_be_mailed(address)


def test_mail_is_complete_and_goes_to_its_address_only() -> None:
    with run_server(MailServer()) as server:
        send(MAIL, parse_mail_url(f"smtp://127.0.0.1:{server.port}?from=noreply@example.com"))
    [(sender, recipients, content)] = server.messages
    assert (sender, recipients) == ("noreply@example.com", ["ann@example.com"])
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert (message["From"], message["To"], message["Subject"]) == (
        "noreply@example.com",
        "ann@example.com",
        MAIL.subject,
    )
    assert message["Date"]
    assert message["Message-ID"].endswith("@example.com>")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().strip() == MAIL.text
    assert max(map(len, content.splitlines())) <= 998  # RFC 5322 section 2.1.1


@pytest.mark.parametrize(
    "address", ["änne@bücher.example", "o'neil+tag@example.com", "a!b%c@example.com"]
)
def test_unusual_addresses_reach_the_mail_server(address: str) -> None:
    mail = Mail(address, "A subject", "A text", "link", "signup")
    with run_server(MailServer()) as server:
        send(mail, parse_mail_url(f"smtp://127.0.0.1:{server.port}?from=noreply@example.com"))
    [(_, [recipient], content)] = server.messages
    assert recipient == address.replace("bücher", "xn--bcher-kva")
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert len(message["To"].addresses) == 1


def send_with_login(server: MailServer, scheme: str, host: str = "localhost") -> None:
    secret = f"{server.user}:{quote(server.password, safe='')}"
    send(MAIL, parse_mail_url(f"{scheme}://{secret}@{host}:{server.port}?from=noreply@example.com"))


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_credentials_are_sent_encrypted(
    tls: tuple[ssl.SSLContext, Path], scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, certificate = tls
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with run_server(
        MailServer(context, implicit_tls=scheme == "smtps", requires_login=True)
    ) as server:
        send_with_login(server, scheme)
    assert len(server.messages) == 1
    assert set(server.encrypted) == {True}


def test_credentials_are_not_sent_without_tls() -> None:
    with (
        run_server(MailServer(requires_login=True)) as server,
        pytest.raises(DeliveryError, match="STARTTLS"),
    ):
        send_with_login(server, "smtp")
    assert (server.messages, server.encrypted) == ([], [])


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_credentials_are_not_sent_to_a_server_with_an_untrusted_certificate(
    tls: tuple[ssl.SSLContext, Path], scheme: str
) -> None:
    server = MailServer(tls[0], implicit_tls=scheme == "smtps", requires_login=True)
    with run_server(server), pytest.raises(DeliveryError, match="SSLCertVerificationError"):
        send_with_login(server, scheme)
    assert (server.messages, server.encrypted) == ([], [])


def test_rejected_credentials_are_reported_without_secrets(
    tls: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls[1]))
    with run_server(MailServer(tls[0], requires_login=True)) as server:
        url = f"smtp://sender:s3cret@localhost:{server.port}?from=noreply@example.com"
        with pytest.raises(DeliveryError, match="535") as raised:
            send(MAIL, parse_mail_url(url))
    for secret in ("s3cret", "ann@example.com", MAIL.text):
        assert secret not in str(raised.value)


@pytest.mark.slow
def test_signup_mail_through_a_mail_server_resists_header_injection(
    tmp_path: Path, user: str
) -> None:
    name = "Ann\r\nBcc: victim@example.com\r\nSubject: A prize"
    server = MailServer()
    mail_url = f"smtp://127.0.0.1:{server.port}?from=noreply@example.com"
    with run_server(server), run_signup_service(tmp_path, mail_url) as service:
        response = register(service, user, fullName=name, username=name, subject=name)
        assert response.status_code == 202
        eventually(lambda: server.messages, "the mail", 30)
    [(_, recipients, content)] = server.messages
    assert recipients == [user]
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert message["Bcc"] is None
    assert message.get_all("Subject") == ["Complete your sign-up"]
    text = message.get_content()
    assert "victim" not in text
    assert f"{service.url}/verify#token=" in text


def test_loopback_hook_is_called_without_the_environments_proxy(
    hook: MailHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    send(MAIL, parse_mail_url(hook.url))
    [mail] = hook.mails
    assert mail == {
        "to": MAIL.to,
        "subject": MAIL.subject,
        "text": MAIL.text,
        "link": "link",
        "event": "signup",
    }


def test_hook_redirect_is_not_followed(hook: MailHook) -> None:
    target = MailHook()
    hook.location = target.url
    try:
        for status in (301, 302, 303, 307, 308):
            hook.statuses = [status]
            with pytest.raises(DeliveryError, match=str(status)):
                send(MAIL, parse_mail_url(hook.url))
        assert target.requests == 0
    finally:
        target.close()


@pytest.mark.slow
def test_mail_is_sent_again_after_a_hook_error(hook: MailHook) -> None:
    hook.statuses = [500]
    assert Outbox(hook.url).put(lambda: MAIL)
    hook.mails_to(MAIL.to)
    assert hook.requests == 2


def test_failure_to_build_a_mail_does_not_stop_the_next_ones(hook: MailHook) -> None:
    outbox = Outbox(hook.url)

    def fail() -> Mail:
        raise RuntimeError(MAIL.to)

    assert outbox.put(fail)
    assert outbox.put(lambda: None)
    assert outbox.put(lambda: MAIL)
    hook.mails_to(MAIL.to)


@pytest.mark.slow
def test_hanging_hook_blocks_no_request_and_a_full_queue_responds_503(
    tmp_path: Path, hook: MailHook, user: str
) -> None:
    hook.hangs.set()

    def recover(email: str) -> requests.Response:
        return requests.post(f"{service.url}/api/auth/recover", json={"email": email}, timeout=30)

    def register_or_recover(number: int) -> requests.Response:
        email = f"{number}-{user}"
        return register(service, email) if number < 10 else recover(email)

    with run_signup_service(tmp_path, hook.url) as service:
        with ThreadPoolExecutor(8) as pool:
            responses = list(pool.map(register_or_recover, range(MAX_WAITING + 20)))
        assert hook.requests >= 1
        assert hook.mails == [], "the hook has not responded yet"
        statuses = [response.status_code for response in responses]
        assert set(statuses[:10]) == {202}
        assert set(statuses) == {202, 503}
        assert MAX_WAITING <= statuses.count(202) <= MAX_WAITING + 2
        rejected = responses[statuses.index(503)]
        for response in (rejected, register(service, user), recover(user)):
            assert int(response.headers["Retry-After"]) > 0
            assert_problem(response, 503)
        assert requests.get(f"{service.url}/api/health", timeout=30).json()["status"] == "healthy"
        assert service.rows("SELECT id FROM users") == []
        hook.hangs.clear()
        hook.resumes.set()
        hook.mails_to(f"9-{user}")
        eventually(lambda: register(service, user).status_code == 202, "mail is accepted again", 30)


def test_undelivered_mail_is_logged_once_without_secrets(
    hook: MailHook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("data_capture.accounts.mail._RETRY_DELAYS_SECONDS", (0.0, 0.0))
    hook.statuses = [503, 503, 503]
    outbox = Outbox(hook.url)
    outbox.put(lambda: MAIL)
    eventually(lambda: hook.requests == 3, "all attempts", 30)
    done = threading.Event()
    outbox.put(done.set)
    assert done.wait(30)
    [line] = [
        record.getMessage()
        for record in caplog.records
        if record.name == "data_capture.accounts.mail"
    ]
    assert line == "A mail was not sent: the hook responded with 503 (EDC_MAIL_URL)"


class RejectingServer(MailServer):
    """A mail server that gives every recipient the same response."""

    def __init__(self, response: str) -> None:
        self._response = response
        super().__init__()

    async def handle_RCPT(self, *_: object) -> str:  # noqa: N802
        return self._response


@pytest.mark.parametrize(
    ("response", "is_final"), [("550 No such user", True), ("450 Try again later", False)]
)
def test_permanent_smtp_errors_are_final_and_temporary_ones_are_not(
    response: str, is_final: bool
) -> None:
    with run_server(RejectingServer(response)) as server, pytest.raises(DeliveryError) as raised:
        send(MAIL, parse_mail_url(f"smtp://127.0.0.1:{server.port}?from=noreply@example.com"))
    assert raised.value.is_final is is_final
    assert "ann@" not in str(raised.value)
