"""What receives the mail that tests cause: a hook and a mail server, both real and on loopback."""

from __future__ import annotations

import base64
import http.server
import json
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tests.accounts.test_signup import register
from tests.support.services import capture_service_in, eventually, free_port, signup_service_in

ADMIN_TOKEN = "for-the-verification-0123456789abcdef"
OWN_PASSWORD = "chosen by the mailbox's owner"


class MailHook:
    """An owner's hook: keeps what it is sent, and answers as a test says."""

    def __init__(self) -> None:
        self.mails: list[dict[str, Any]] = []
        """What was taken."""
        self.statuses: list[int] = []
        """How the next requests are answered; 204 when there is none."""
        self.location = ""
        self.requests = 0
        self.hangs = threading.Event()
        self.goes_on = threading.Event()
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.take(self)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/mail?key=s3cret-of-the-hook"

    def take(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Answers one request."""
        content = json.loads(
            handler.rfile.read(int(handler.headers["Content-Length"] or 0)) or "null"
        )
        self.requests += 1
        if self.hangs.is_set():
            self.goes_on.wait(60)
        status = self.statuses.pop(0) if self.statuses else 204
        if status < 300:
            self.mails.append(content)
        with suppress(OSError):
            handler.send_response(status)
            if self.location:
                handler.send_header("Location", self.location)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

    def mails_to(self, email: str, number: int = 1) -> list[dict[str, Any]]:
        """The mails to an address, once there are so many."""

        def look() -> list[dict[str, Any]]:
            found = [mail for mail in self.mails if mail["to"] == email]
            return found if len(found) >= number else []

        return eventually(look, f"{number} mail(s) to {email}")

    def token_to(self, email: str, number: int = 1) -> str:
        """The token in the newest link to an address, once there are so many mails to it."""
        return str(self.mails_to(email, number)[-1]["link"].partition("#token=")[2])

    def close(self) -> None:
        """Ends it."""
        self.goes_on.set()
        self._server.shutdown()
        self._server.server_close()


class MailServer(Controller):
    """A mail server: keeps the messages that it gets, and with which credentials.

    Args:
        context: with TLS; None for a server without.
        from_first_byte: whether a connection begins with TLS.
        wants_login: whether only who logs in may send.
    """

    user, password = "sender", "p@ss/w:rd%"

    def __init__(
        self,
        context: ssl.SSLContext | None = None,
        *,
        from_first_byte: bool = False,
        wants_login: bool = False,
    ) -> None:
        self.messages: list[tuple[str, list[str], bytes]] = []
        self.encrypted: list[bool] = []
        self._from_first_byte = from_first_byte
        super().__init__(
            self, hostname="127.0.0.1", port=free_port(), server_hostname="localhost",
            ready_timeout=30, ssl_context=context if from_first_byte else None, tls_context=None if from_first_byte else context,
            authenticator=self._authenticate if wants_login else None, auth_required=wants_login,
            auth_require_tls=False, enable_SMTPUTF8=True,
        )  # fmt: skip

    def _trigger_server(self) -> None:
        """The base class waits for a first connection; its own does not fit every context."""
        with suppress(OSError), socket.create_connection((self.hostname, self.port), 5):
            pass

    def _authenticate(
        self, _server: Any, session: Any, _envelope: Any, _mechanism: str, login: Any
    ) -> AuthResult:
        self.encrypted.append(self._from_first_byte or session.ssl is not None)
        is_right = (login.login, login.password) == (self.user.encode(), self.password.encode())
        return AuthResult(success=is_right, handled=False)

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Keeps a message."""
        self.encrypted.append(self._from_first_byte or session.ssl is not None)
        self.messages.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 OK"


def certificate(directory: Path) -> tuple[ssl.SSLContext, Path]:
    """A certificate for localhost: what a server serves with it, and the file that makes it trusted."""
    key, file = directory / "tls.key", directory / "tls.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", file,
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return context, file


def claims_of(token: str) -> dict[str, Any]:
    """What is in a token, without checking it."""
    middle = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return claims


class Mailing:
    """Both services over one database, where sign-ups have to be confirmed."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.hook = MailHook()
        self.signup = signup_service_in(
            directory, EDC_MAIL_URL=self.hook.url, EDC_TRUSTED_PROXIES="1", **environment
        )
        self.capture = capture_service_in(directory, EDC_ADMIN_TOKEN=ADMIN_TOKEN)

    def post(self, route: str, **body: Any) -> requests.Response:
        """Sends one of the calls of accounts."""
        return requests.post(f"{self.signup.url}/api/auth/{route}", json=body, timeout=30)

    def key(self, name: str) -> bytes:
        """A key of the installation's."""
        return bytes.fromhex((self.signup.database.parent / "trading_bots.keys" / name).read_text())

    def users(self, email: str) -> list[dict[str, Any]]:
        """The rows of an address."""
        return self.signup.rows("SELECT * FROM users WHERE email = ?", email)

    def account(self, email: str, password: str = OWN_PASSWORD) -> None:
        """Makes an account, as its owner does."""
        number = len([mail for mail in self.hook.mails if mail["to"] == email]) + 1
        assert register(self.signup, email).status_code == 202
        answer = self.post("verify", token=self.hook.token_to(email, number), password=password)
        assert answer.status_code == 201, answer.text

    def close(self) -> None:
        """Ends everything."""
        self.signup.stop()
        self.capture.stop()
        self.hook.close()


def change(database: Path, statement: str, *parameters: str) -> None:
    """What another program does in the database."""
    program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2], sys.argv[3:]); c.commit()"
    subprocess.run(
        [sys.executable, "-c", program, str(database), statement, *parameters], check=True
    )
