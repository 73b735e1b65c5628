"""The servers of a world's issuers, and clients that speak TLS with them, rightly or wrongly."""

from __future__ import annotations

import json
import re
import socket
import ssl
from dataclasses import dataclass
from typing import Any

import pytest

from stslab.sandbox.federation.oidc import certificates, servers
from stslab.sandbox.saved.account import World

HOST = "idp.example.com"
URLS = (f"https://{HOST}", f"https://{HOST}/tenant/one/", "https://gitlab.com")
DOCUMENT = "/.well-known/openid-configuration"
LOOPBACK = "127.0.0.1"


@dataclass
class Serving:
    """A world whose issuers are served, and the port."""

    world: World
    port: int

    def context(self, host: str) -> ssl.SSLContext:
        """A client that trusts the CA of this host, and nobody else."""
        server = certificates.of(self.world).find(host)
        assert server is not None
        root = servers.trusted_root(self.world, server) or (server.authority.pem,)
        context = ssl.create_default_context(cadata=root[0].decode())
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    def plain(self) -> socket.socket:
        plain = socket.create_connection((LOOPBACK, self.port), timeout=15)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain

    def connect(self, host: str = HOST, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        return (context or self.context(host)).wrap_socket(self.plain(), server_hostname=host)

    def say(self, content: bytes, host: str = HOST) -> bytes:
        """What is answered to what is said, until the server closes."""
        with self.connect(host) as connection:
            connection.sendall(content)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def ask(self, path: str, host: str = HOST, method: str = "GET", also: str = "") -> bytes:
        return self.say(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{also}\r\n".encode(), host)

    def json(self, path: str, host: str = HOST) -> Any:
        head, _, body = self.ask(path, host).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n"), head
        return json.loads(body)


def status(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found[1]) if found else 0


def believing() -> ssl.SSLContext:
    """A client that believes everybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def hello() -> bytes:
    """What a client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = believing().wrap_bio(incoming, outgoing, server_hostname=HOST)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()
