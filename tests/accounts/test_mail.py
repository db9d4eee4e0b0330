"""How mail is handed over: to a hook and to a mail server, and what happens where neither takes it."""

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
from tests.accounts.test_signup import assert_problem, register
from tests.support.mailing import MailHook, MailServer, certificate
from tests.support.services import RunningService, eventually, signup_service_in

# The test's server takes credentials also without TLS, so that a client that sends them so is found out.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

A_MAIL = Mail(
    "ann@example.com",
    "Complete your sign-up",
    "Open https://s.example/verify#token=" + "x" * 1500,
    "link",
    "signup",
)


@contextmanager
def running(server: MailServer) -> Iterator[MailServer]:
    server.start()
    try:
        yield server
    finally:
        server.stop(no_assert=True)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def hook() -> Iterator[MailHook]:
    hook = MailHook()
    yield hook
    hook.close()


@contextmanager
def signup_with(directory: Path, mail_url: str, **environment: str) -> Iterator[RunningService]:
    service = signup_service_in(directory, EDC_MAIL_URL=mail_url, **environment)
    service.start()
    try:
        yield service
    finally:
        service.stop()


# --- The setting ------------------------------------------------------------------------------------------------------

USABLE = [
    "smtp://mail.example.com?from=noreply@example.com", "smtp://u:p@mail.example.com:25?from=noreply@example.com",
    "smtps://u:p%40%2F@mail.example.com?from=noreply%2Bsignup@example.com", "smtp://[::1]:2525/?from=a@b",
    "https://hooks.example.com/mail?key=1", "https://user:password@hooks.example.com:8443/", "http://127.0.0.1:8025/mail",
    "http://[::1]:8025/", "http://localhost/",
]  # fmt: skip
UNUSABLE = [
    "mail.example.com", "smtp://mail.example.com", "smtp://?from=a@b", "smtp://u@host?from=a@b", "smtp://:p@host?from=a@b",
    "smtp://u:s3cr/et@host?from=a@b", "smtp://u:s3cret@host:99999?from=a@b", "smtp://u:s3cret@host:x?from=a@b",
    "smtp://host?from=a@b&from=c@d", "smtp://host?from=a@b&tls=off", "smtp://host/path?from=a@b", "smtp://host?from=a",
    "smtp://host?from=a,b@c", "smtp://host?from=a@b%0d%0aBcc:c@d", "http://hooks.example.com/mail", "http://10.0.0.1/",
    "http://127.0.0.1.example.com/", "https://", "https:///mail", "ftp://host", "file:///etc/passwd", "https://host/#s3cret",
    "https://host/ s3cret", "https://host/\u00e4", "smtp://host:0?from=a@b", "https://[::1", "javascript:alert(1)",
]  # fmt: skip


@pytest.mark.parametrize("text", USABLE)
def test_what_takes_mail_is_understood_and_not_shown(text: str) -> None:
    settings = load_settings({}, {"EDC_MAIL_URL": text})
    assert settings.mail_url == text
    assert text not in repr(settings)
    assert load_settings({}, settings.as_environment()) == settings


@pytest.mark.parametrize("text", UNUSABLE)
def test_what_can_not_take_mail_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(
        SettingError, match=r"^EDC_MAIL_URL=… is not usable: it takes smtp://"
    ) as refused:
        load_settings({}, {"EDC_MAIL_URL": text})
    assert "s3c" not in str(refused.value)


NO_BASES = ["signup.example.com", "ftp://a", "https://u:p@a", "https://a/?b", "https://a#b", "https://a b", "https://a,https://b",
            "https://:80", "https://a:x", "javascript://a", "https://a/\\b"]  # fmt: skip


@pytest.mark.parametrize("text", NO_BASES)
def test_a_public_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match=r"^EDC_SIGNUP_URL=.* is not usable: it takes the URL"):
        load_settings({}, {"EDC_SIGNUP_URL": text})


@pytest.mark.parametrize(("address", "can"), [
    ("ann@example.com", True), ("ann+tag@example.com", True), ("o'neil@example.com", True), ("änne@exämple.com", True),
    ("ann@bücher.example", True), ("ann@a.b-c.example", True), ("ann", False), ("@example.com", False), ("ann@", False),
    ("ann@[127.0.0.1]", False), ("-ann@example.com", False), ("ann@-a.example", False), ("ann@a..example", False),
    ("ann@exam ple.com", False), ("ann@example.com\n", False), ("a@b@example.com", False), ("ann@\udc80.example", False),
    ("\udc80@example.com", False), ("ann@xn--bcher-kva.example", True), ("ann@" + "a" * 64 + ".example", False),
    # Names of 2003 and of 2008 for the same letters are two domains, which two people may own.
    ("ann@fa\u00df.example", False), ("ann@\u03b2\u03cc\u03bb\u03bf\u03c2.example", False),
    # Other ways of writing example.com.
    ("ann@\uff45xample.com", False), ("ann@\u24d4xample.com", False), ("ann@example\u3002com", False),
])  # fmt: skip
def test_only_addresses_that_mean_one_mailbox_are_mailed_to(address: str, can: bool) -> None:
    assert can_be_mailed(address) == can


# --- A mail server ----------------------------------------------------------------------------------------------------


def test_a_mail_is_complete_and_goes_to_its_address_alone() -> None:
    with running(MailServer()) as server:
        send(A_MAIL, parse_mail_url(f"smtp://127.0.0.1:{server.port}?from=noreply@example.com"))
    [(sender, recipients, content)] = server.messages
    assert (sender, recipients) == ("noreply@example.com", ["ann@example.com"])
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert (message["From"], message["To"], message["Subject"]) == (
        "noreply@example.com",
        "ann@example.com",
        A_MAIL.subject,
    )
    assert message["Date"]
    assert message["Message-ID"].endswith("@example.com>")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().strip() == A_MAIL.text
    assert max(map(len, content.splitlines())) <= 998  # RFC 5322 section 2.1.1


@pytest.mark.parametrize(
    "address", ["änne@bücher.example", "o'neil+tag@example.com", "a!b%c@example.com"]
)
def test_unusual_addresses_reach_the_server_as_they_are(address: str) -> None:
    mail = Mail(address, "A subject", "A text", "link", "signup")
    with running(MailServer()) as server:
        send(mail, parse_mail_url(f"smtp://127.0.0.1:{server.port}?from=noreply@example.com"))
    [(_, [recipient], content)] = server.messages
    assert recipient == address.replace("bücher", "xn--bcher-kva")
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert len(message["To"].addresses) == 1


def sent_with_login(server: MailServer, scheme: str, host: str = "localhost") -> None:
    secret = f"{server.user}:{quote(server.password, safe='')}"
    send(
        A_MAIL, parse_mail_url(f"{scheme}://{secret}@{host}:{server.port}?from=noreply@example.com")
    )


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_credentials_are_sent_encrypted(
    tls: tuple[ssl.SSLContext, Path], scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trusted = tls
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with running(
        MailServer(context, from_first_byte=scheme == "smtps", wants_login=True)
    ) as server:
        sent_with_login(server, scheme)
    assert len(server.messages) == 1
    assert set(server.encrypted) == {True}


def test_credentials_are_not_sent_to_a_server_without_tls() -> None:
    with (
        running(MailServer(wants_login=True)) as server,
        pytest.raises(DeliveryError, match="STARTTLS"),
    ):
        sent_with_login(server, "smtp")
    assert (server.messages, server.encrypted) == ([], [])


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_credentials_are_not_sent_to_a_server_whose_certificate_is_not_trusted(
    tls: tuple[ssl.SSLContext, Path], scheme: str
) -> None:
    server = MailServer(tls[0], from_first_byte=scheme == "smtps", wants_login=True)
    with running(server), pytest.raises(DeliveryError, match="SSLCertVerificationError"):
        sent_with_login(server, scheme)
    assert (server.messages, server.encrypted) == ([], [])


def test_a_refusal_says_why_without_secrets(
    tls: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls[1]))
    with running(MailServer(tls[0], wants_login=True)) as server:
        url = f"smtp://sender:s3cret@localhost:{server.port}?from=noreply@example.com"
        with pytest.raises(DeliveryError, match="535") as refused:
            send(A_MAIL, parse_mail_url(url))
    assert not [
        word for word in ("s3cret", "ann@example.com", A_MAIL.text) if word in str(refused.value)
    ]


def test_a_sign_up_is_mailed_by_a_mail_server(tmp_path: Path, user: str) -> None:
    name = "Ann\r\nBcc: victim@example.com\r\nSubject: A prize"
    server = MailServer()
    mail_url = f"smtp://127.0.0.1:{server.port}?from=noreply@example.com"
    with running(server), signup_with(tmp_path, mail_url) as service:
        assert (
            register(service, user, fullName=name, username=name, subject=name).status_code == 202
        )
        eventually(lambda: server.messages, "the mail")
    [(_, recipients, content)] = server.messages
    assert recipients == [user]
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert message["Bcc"] is None
    assert message.get_all("Subject") == ["Complete your sign-up"]
    readable = message.get_content()
    assert "victim" not in readable
    assert f"{service.url}/verify#token=" in readable


# --- A hook -----------------------------------------------------------------------------------------------------------


def test_a_hook_on_this_machine_is_reached_past_a_proxy_of_the_environment(
    hook: MailHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    send(A_MAIL, parse_mail_url(hook.url))
    [mail] = hook.mails
    assert mail == {
        "to": A_MAIL.to,
        "subject": A_MAIL.subject,
        "text": A_MAIL.text,
        "link": "link",
        "event": "signup",
    }


def test_a_hook_s_redirect_is_not_followed(hook: MailHook) -> None:
    elsewhere = MailHook()
    hook.location = elsewhere.url
    try:
        for status in (301, 302, 303, 307, 308):
            hook.statuses = [status]
            with pytest.raises(DeliveryError, match=str(status)):
                send(A_MAIL, parse_mail_url(hook.url))
        assert elsewhere.requests == 0
    finally:
        elsewhere.close()


def test_what_a_hook_does_not_take_is_sent_again(hook: MailHook) -> None:
    hook.statuses = [500]
    assert Outbox(hook.url).put(lambda: A_MAIL)
    hook.mails_to(A_MAIL.to)
    assert hook.requests == 2


def test_a_mail_that_can_not_be_made_does_not_stop_the_others(hook: MailHook) -> None:
    outbox = Outbox(hook.url)

    def broken() -> Mail:
        raise RuntimeError(A_MAIL.to)

    assert outbox.put(broken)
    assert outbox.put(lambda: None)
    assert outbox.put(lambda: A_MAIL)
    hook.mails_to(A_MAIL.to)


def test_a_hook_that_hangs_keeps_no_one_waiting_and_a_full_queue_says_so(
    tmp_path: Path, hook: MailHook, user: str
) -> None:
    hook.hangs.set()

    def recover(email: str) -> requests.Response:
        return requests.post(f"{service.url}/api/auth/recover", json={"email": email}, timeout=30)

    def ask(number: int) -> requests.Response:
        return register(service, f"{number}-{user}") if number < 10 else recover(f"{number}-{user}")

    with signup_with(tmp_path, hook.url) as service:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(MAX_WAITING + 20)))
        assert hook.requests >= 1
        assert hook.mails == [], "the hook has not answered yet"
        statuses = [answer.status_code for answer in answers]
        assert set(statuses[:10]) == {202}
        assert set(statuses) == {202, 503}
        assert MAX_WAITING <= statuses.count(202) <= MAX_WAITING + 2
        for refused in (answers[statuses.index(503)], register(service, user), recover(user)):
            assert int(refused.headers["Retry-After"]) > 0
            assert_problem(refused, 503)
        assert requests.get(f"{service.url}/api/health", timeout=30).json()["status"] == "healthy"
        assert service.rows("SELECT id FROM users") == []
        hook.hangs.clear()
        hook.goes_on.set()
        hook.mails_to(f"9-{user}")
        eventually(lambda: register(service, user).status_code == 202, "mail is taken again", 30)


def test_what_is_not_sent_in_the_end_is_logged_once_without_secrets(
    hook: MailHook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("data_capture.accounts.mail._RETRY_DELAYS_SECONDS", (0.0, 0.0))
    hook.statuses = [503, 503, 503]
    outbox = Outbox(hook.url)
    outbox.put(lambda: A_MAIL)
    eventually(lambda: hook.requests == 3, "all attempts")
    done = threading.Event()
    outbox.put(done.set)
    assert done.wait(10)
    [line] = [
        record.getMessage()
        for record in caplog.records
        if record.name == "data_capture.accounts.mail"
    ]
    assert line == "A mail was not sent: the hook responded with 503 (EDC_MAIL_URL)"


class RefusingServer(MailServer):
    def __init__(self, answer: str) -> None:
        self._answer = answer
        super().__init__()

    async def handle_RCPT(self, *_: object) -> str:  # noqa: N802
        return self._answer


@pytest.mark.parametrize(
    ("answer", "is_final"), [("550 No such user", True), ("450 Try again later", False)]
)
def test_a_recipient_that_does_not_exist_is_not_tried_again(answer: str, is_final: bool) -> None:
    with running(RefusingServer(answer)) as server, pytest.raises(DeliveryError) as refused:
        send(A_MAIL, parse_mail_url(f"smtp://127.0.0.1:{server.port}?from=noreply@example.com"))
    assert refused.value.is_final is is_final
    assert "ann@" not in str(refused.value)
