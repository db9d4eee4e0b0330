"""A mail hook, a mail server, and services that send mail, all on loopback."""

from __future__ import annotations

import base64
import http.server
import json
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tests.support.accounts import register
from tests.support.services import capture_service_in, eventually, free_port, signup_service_in

ADMIN_TOKEN = "for-the-verification-0123456789abcdef"
OWN_PASSWORD = "chosen by the mailbox's owner"


class MailHook:
    """The hook of an operator: keeps the mails and responds as a test chooses.

    Attributes:
        mails: the accepted mails.
        statuses: the statuses of the next responses; 204 when the list is empty.
        location: the header `Location` of every response; empty for none.
        requests: the number of requests.
        hangs: set while new requests get no response.
        resumes: set to respond to the requests that hang.
    """

    def __init__(self) -> None:
        self.mails: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.location = ""
        self.requests = 0
        self.hangs = threading.Event()
        self.resumes = threading.Event()
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.respond(self)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/mail?key=s3cret-of-the-hook"

    def respond(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Respond to one request and keep its mail if it is accepted."""
        content = json.loads(
            handler.rfile.read(int(handler.headers["Content-Length"] or 0)) or "null"
        )
        self.requests += 1
        if self.hangs.is_set():
            self.resumes.wait(60)
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
        """Wait until there are `number` mails to an address and return all of them."""

        def find() -> list[dict[str, Any]]:
            found = [mail for mail in self.mails if mail["to"] == email]
            return found if len(found) >= number else []

        return eventually(find, f"{number} mail(s) to {email}", 30)

    def token_to(self, email: str, number: int = 1) -> str:
        """Wait for `number` mails to an address and return the token of the newest link."""
        return str(self.mails_to(email, number)[-1]["link"].partition("#token=")[2])

    def close(self) -> None:
        """Stop the hook."""
        self.resumes.set()
        self._server.shutdown()
        self._server.server_close()


class MailServer(Controller):
    """A mail server that keeps its messages.

    Args:
        context: the TLS context; None for a server without TLS.
        implicit_tls: whether a connection begins with TLS, instead of STARTTLS.
        requires_login: whether a client must log in before it sends.

    Attributes:
        messages: sender, recipients and content of each message.
        encrypted: whether TLS was in use, at each log-in and each message.
    """

    user, password = "sender", "p@ss/w:rd%"

    def __init__(
        self,
        context: ssl.SSLContext | None = None,
        *,
        implicit_tls: bool = False,
        requires_login: bool = False,
    ) -> None:
        self.messages: list[tuple[str, list[str], bytes]] = []
        self.encrypted: list[bool] = []
        self._implicit_tls = implicit_tls
        super().__init__(
            self,
            hostname="127.0.0.1",
            port=free_port(),
            server_hostname="localhost",
            ready_timeout=30,
            ssl_context=context if implicit_tls else None,
            tls_context=None if implicit_tls else context,
            authenticator=self._authenticate if requires_login else None,
            auth_required=requires_login,
            auth_require_tls=False,
            enable_SMTPUTF8=True,
        )

    def _trigger_server(self) -> None:
        """Open the first connection, for which the base class waits.

        The connection of the base class does not work with every TLS context.
        """
        with suppress(OSError), socket.create_connection((self.hostname, self.port), 30):
            pass

    def _authenticate(
        self, _server: Any, session: Any, _envelope: Any, _mechanism: str, login: Any
    ) -> AuthResult:
        self.encrypted.append(self._implicit_tls or session.ssl is not None)
        is_correct = (login.login, login.password) == (self.user.encode(), self.password.encode())
        return AuthResult(success=is_correct, handled=False)

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep a message."""
        self.encrypted.append(self._implicit_tls or session.ssl is not None)
        self.messages.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 OK"


def make_certificate(directory: Path) -> tuple[ssl.SSLContext, Path]:
    """Make a self-signed certificate for localhost.

    Returns:
        The TLS context of a server, and the certificate file that a client has to trust.
    """
    key, file = directory / "tls.key", directory / "tls.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-keyout", key, "-out", file, "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return context, file


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims of a JSON Web Token without checking its signature."""
    payload = token.split(".")[1]
    padding = "=" * (-len(payload) % 4)
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + padding))
    return claims


class ServicesWithMail:
    """Both services over one database, with a mail hook, so that sign-ups need confirmation."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.hook = MailHook()
        self.signup = signup_service_in(
            directory, EDC_MAIL_URL=self.hook.url, EDC_TRUSTED_PROXIES="1", **environment
        )
        self.capture = capture_service_in(directory, EDC_ADMIN_TOKEN=ADMIN_TOKEN)

    def post(self, route: str, **body: Any) -> requests.Response:
        """Send a request to a route of `/api/auth/`."""
        return requests.post(f"{self.signup.url}/api/auth/{route}", json=body, timeout=30)

    def read_key(self, name: str) -> bytes:
        """Read a key from the keys folder."""
        return bytes.fromhex((self.signup.database.parent / "trading_bots.keys" / name).read_text())

    def users(self, email: str) -> list[dict[str, Any]]:
        """Return the rows of `users` that have this address."""
        return self.signup.rows("SELECT * FROM users WHERE email = ?", email)

    def pay(self, email: str) -> None:
        """Capture a payment."""
        payment = {"user_email": email, "final_price": 49}
        assert self.capture.capture("payment", payment).status_code == 201

    def verify(self, email: str, mails: int = 1, **fields: Any) -> requests.Response:
        """Open the newest link to an address, once it has got this number of mails.

        Args:
            email: the address.
            mails: how many mails to wait for.
            fields: the fields of the request besides the token; the password is `OWN_PASSWORD`
                unless given.
        """
        token = self.hook.token_to(email, mails)
        return self.post("verify", **{"token": token, "password": OWN_PASSWORD, **fields})

    def create_account(self, email: str) -> None:
        """Sign up and confirm the address, as its owner does."""
        number = len([mail for mail in self.hook.mails if mail["to"] == email]) + 1
        assert register(self.signup, email).status_code == 202
        response = self.verify(email, number)
        assert response.status_code == 201, response.text

    def close(self) -> None:
        """Stop the services and the hook."""
        self.signup.stop()
        self.capture.stop()
        self.hook.close()
