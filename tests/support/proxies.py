"""Real reverse proxies in front of a service, configured as in docs/operations.md."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.services import eventually, free_port

# Both proxies accept every host name, and nginx forwards the name of its upstream, 127.0.0.1: these
# settings let most requests through. The PROXY protocol gives this nginx the addresses of its
# clients; over loopback, all would have this machine's own.
_NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    server {{
        listen 127.0.0.1:{port} proxy_protocol;
        set_real_ip_from 127.0.0.0/8;
        real_ip_header proxy_protocol;
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
}}
"""

_CADDY = """
{{
    admin off
    auto_https off
    storage file_system {folder}
}}
http://:{port} {{
    bind 127.0.0.1
    reverse_proxy 127.0.0.1:{upstream}
}}
"""


class Proxy:
    """A running proxy."""

    def __init__(self, port: int, *, uses_proxy_protocol: bool) -> None:
        self.port = port
        self._uses_proxy_protocol = uses_proxy_protocol

    def send(self, request: bytes, client: str = "203.0.113.9") -> bytes:
        """Send a request that asks to close the connection, and return the response.

        Args:
            request: the bytes of the whole request.
            client: the address that nginx sees as the client; Caddy sees this machine's own.
        """
        with closing(socket.create_connection(("127.0.0.1", self.port), timeout=30)) as connection:
            if self._uses_proxy_protocol:
                connection.sendall(f"PROXY TCP4 {client} 127.0.0.1 4711 {self.port}\r\n".encode())
            connection.sendall(request)
            response = b""
            while part := connection.recv(65536):
                response += part
        return response


@contextmanager
def nginx(upstream: int) -> Iterator[Proxy]:
    """Run nginx in front of the loopback port `upstream`."""
    with _running("nginx", _NGINX, upstream, "-e", "stderr", "-c") as port:
        yield Proxy(port, uses_proxy_protocol=True)


@contextmanager
def caddy(upstream: int) -> Iterator[Proxy]:
    """Run Caddy in front of the loopback port `upstream`."""
    with _running("caddy", _CADDY, upstream, "run", "--adapter", "caddyfile", "--config") as port:
        yield Proxy(port, uses_proxy_protocol=False)


@contextmanager
def _running(program: str, configuration: str, upstream: int, *arguments: str) -> Iterator[int]:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is None:
        if os.environ.get("EDC_REQUIRE_PROXIES") == "1":
            pytest.fail(f"{program} is not installed, and EDC_REQUIRE_PROXIES=1 asks for it")
        pytest.skip(f"{program} is not installed")
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        file = Path(folder, "configuration")
        file.write_text(configuration.format(folder=folder, port=port, upstream=upstream))
        output = Path(folder, "output")
        with output.open("w") as stream:
            process = subprocess.Popen(
                [path, *arguments, str(file)],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env={
                    **os.environ,
                    "HOME": folder,
                    "XDG_DATA_HOME": folder,
                    "XDG_CONFIG_HOME": folder,
                },
            )
        try:
            eventually(
                lambda: _is_listening(port, process, output),
                f"{program} listens: {output.read_text()}",
            )
            yield port
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=30)


def _is_listening(port: int, process: subprocess.Popen[bytes], output: Path) -> bool:
    assert process.poll() is None, output.read_text()
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
