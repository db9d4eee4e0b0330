"""`EDC_MAIL_URL`: the mail server, or the owner's hook, that receives the mails.

    smtp://user:password@mail.example.com:587?from=noreply@example.com     STARTTLS
    smtps://user:password@mail.example.com:465?from=noreply@example.com    TLS from the first byte
    https://hooks.example.com/mail                                         POST of a JSON object
    http://127.0.0.1:8025/mail                                             the same, on this machine

Standard library only, because `setting_types.py` checks the setting with it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

_DEFAULT_PORTS = {"smtp": 587, "smtps": 465}  # RFC 6409 section 3.1, RFC 8314 section 3.3
_USAGE = (
    "smtp://user:password@host:587?from=noreply@example.com, the same with smtps://, or the URL of "
    "a hook of yours: https://…, or http://127.0.0.1… on this machine"
)

# What RFC 5322 section 3.2.3 allows in an address without quoting, and non-ASCII letters (RFC
# 6531). Excluded is all that separates addresses or begins a comment, and a "-" in front: programs
# take such an address for an option.
_ATOM = r"[^\x00-\x20\x7f\"(),:;<>@\[\\\].\ud800-\udfff]+"
_LOCAL_PART = re.compile(rf"(?!-){_ATOM}(?:\.{_ATOM})*")
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"  # RFC 1035 section 2.3.4
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE)
_MAX_LOCAL_PART_BYTES = 64  # RFC 5321 section 4.5.3.1.1


@dataclass(frozen=True)
class MailServer:
    """An SMTP server; `user` and `password` are empty if it needs no credentials."""

    host: str
    port: int
    is_tls: bool
    """Whether the connection begins with TLS; if not, STARTTLS follows."""
    sender: str
    user: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def is_local(self) -> bool:
        """Whether the server runs on this machine."""
        return is_loopback_host(self.host)


@dataclass(frozen=True)
class MailHook:
    """A program of the owner's that receives mails as POST requests; its URL may hold a secret."""

    url: str = field(repr=False)
    is_local: bool


def parse_mail_url(text: str) -> MailServer | MailHook:
    """Parse the value of `EDC_MAIL_URL`.

    Raises:
        ValueError: the value is not usable; the text repeats none of it, since it may hold a
            password.
    """
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port
    except ValueError:
        raise ValueError(_USAGE) from None
    if (
        not host
        or port == 0
        or url.fragment
        or any(not "!" <= character <= "~" for character in text)
    ):
        raise ValueError(_USAGE)
    if url.scheme in _DEFAULT_PORTS:
        return _mail_server(url, host, port or _DEFAULT_PORTS[url.scheme])
    if url.scheme == "https" or (url.scheme == "http" and is_loopback_host(host)):
        return MailHook(text, is_loopback_host(host))
    raise ValueError(_USAGE)


def _mail_server(url: SplitResult, host: str, port: int) -> MailServer:
    query = parse_qs(url.query, keep_blank_values=True)
    senders = query.pop("from", [])
    user, password = unquote(url.username or ""), unquote(url.password or "")
    if url.path not in ("", "/") or query or len(senders) != 1 or not can_be_mailed(senders[0]):
        raise ValueError(_USAGE)
    if bool(user) != bool(password):
        raise ValueError(_USAGE)
    return MailServer(host, port, url.scheme == "smtps", senders[0], user, password)


def can_be_mailed(email: str) -> bool:
    """Tell whether a mail to this address can reach only this address.

    A mail program could read other addresses as several addresses, as a comment or as an option.
    """
    local_part, _, domain = email.rpartition("@")
    return bool(
        _LOCAL_PART.fullmatch(local_part)
        and len(local_part.encode()) <= _MAX_LOCAL_PART_BYTES
        and _DOMAIN.fullmatch(ascii_domain(domain))
    )


def ascii_domain(domain: str) -> str:
    """Write a domain in ASCII, as mail servers need it (RFC 5890).

    Python has the rules of 2003, which turn some names into names that anyone may own: "faß.de"
    into "fass.de". For a domain
    that does not survive the way back, the result is "".
    """
    if domain.isascii():
        return domain
    try:
        encoded = domain.encode("idna")
        return encoded.decode() if encoded.decode("idna") == domain else ""
    except UnicodeError:
        return ""


def is_loopback_host(host: str) -> bool:
    """Tell whether a host in a URL is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
