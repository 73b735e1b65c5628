"""TLS contexts for the servers of issuers: whose certificates they show, and how.

The private key of a certificate goes from memory to memory: OpenSSL reads it from a pipe.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import TypeVar

from stslab.sandbox.federation.oidc.certificates import Server

_PROTOCOLS = ["http/1.1"]
_CACHED = 64
Context = TypeVar("Context", bound=ssl.SSLContext)
FindServer = Callable[[str], Server | None]


class HostContext(ssl.SSLContext):
    """How the server of one host speaks; ``host`` is its name."""

    host = ""


def entrance(find: FindServer) -> ssl.SSLContext:
    """A context for whoever connects, who is shown the certificate of the host that it names.

    ``find`` gives what the server of a host shows, or None. Who names no host (SNI), or one
    that is not there, gets the alert *unrecognized name* (RFC 6066, section 3).
    """

    def choose(
        connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext
    ) -> int | None:
        host = (name or "").lower()
        server = find(host) if host else None
        if server is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = _context_of(host, server)
        return None

    context = _new(ssl.SSLContext)
    context.sni_callback = choose
    return context


@lru_cache(maxsize=_CACHED)
def _context_of(host: str, server: Server) -> HostContext:
    context = _new(HostContext)
    context.host = host
    with ExitStack() as pipes:
        chain = pipes.enter_context(_piped(b"".join(server.chain)))
        key = pipes.enter_context(_piped(server.leaf.key))
        context.load_cert_chain(chain, key)
    return context


def _new(kind: type[Context]) -> Context:
    context = kind(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A session that is resumed would not show what the server shows now.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    context.set_alpn_protocols(_PROTOCOLS)
    return context


@contextmanager
def _piped(content: bytes) -> Iterator[str]:
    """A path from which ``content`` can be read, once; it is small, and fits into the pipe."""
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "wb") as stream:
            stream.write(content)
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)
