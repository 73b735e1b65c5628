"""The servers of all issuers, on one port of 127.0.0.1, over TLS: who connects names the host.

It answers ``/.well-known/openid-configuration`` and the key set of each issuer, and nothing
else; no request reaches anything of the sandbox but its public keys and certificates. It runs
where it is asked for, in a thread of its own. (OpenID Connect Discovery 1.0, section 4.)
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, cast

from stslab.errors import SandboxError
from stslab.sandbox.api.http import Head, Malformed, read_head
from stslab.sandbox.federation.oidc import certificates
from stslab.sandbox.federation.oidc.certificates import Certificates, Server
from stslab.sandbox.federation.oidc.issuers import CONFIGURATION_PATH, JWKS_PATH, Issuers
from stslab.sandbox.federation.oidc.tls import entrance
from stslab.sandbox.federation.oidc.tls_stream import TlsStream, TooLong
from stslab.sandbox.saved.account import World

HOST = "127.0.0.1"
# How long one connection may take, its handshake within that; and how many there are at once.
_SECONDS, _HANDSHAKE_SECONDS = 10, 5
_AT_ONCE = 128
_PAUSE = 0.1
_MAX_HEAD = 16 * 1024
_END_SECONDS = 5
log = logging.getLogger(__name__)


class IssuerListener:
    """Serves the issuers of the world that there is at the time. Start it at most once."""

    def __init__(self, world: Callable[[], World]) -> None:
        self._world = world
        self._context = entrance(self._server_of)
        self._loop: asyncio.AbstractEventLoop
        self._listening: asyncio.Task[None]
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="issuers", daemon=True)

    def start(self, port: int = 0) -> int:
        """Listen, on any free port by default; the port.

        Raises:
            SandboxError: it can't.
        """
        try:
            self._socket = socket.create_server((HOST, port))
        except OSError as error:
            raise SandboxError(f"Port {port} can't be used: {error.strerror}.") from error
        self._socket.setblocking(False)
        self._thread.start()
        self._ready.wait()
        return int(self._socket.getsockname()[1])

    def stop(self) -> None:
        """Stop listening; connections that are open end with it."""
        with suppress(RuntimeError):  # the loop is closed: it has ended by itself
            self._loop.call_soon_threadsafe(self._listening.cancel)
        self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        with suppress(asyncio.CancelledError), self._socket:
            asyncio.run(self._listen())

    async def _listen(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._listening = cast("asyncio.Task[None]", asyncio.current_task())
        self._ready.set()
        self._loop.set_exception_handler(_note)
        room = asyncio.Semaphore(_AT_ONCE)
        serving = set()
        while True:
            await room.acquire()
            connection = await self._accepted(self._loop)
            task = self._loop.create_task(self._serve(connection))
            serving.add(task)
            task.add_done_callback(serving.discard)
            task.add_done_callback(lambda _: room.release())

    async def _accepted(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        while True:
            try:
                connection, _ = await loop.sock_accept(self._socket)
            except OSError as error:  # the client has gone, or there are no more descriptors
                log.info("an issuer's server could not accept: %s", error)
                await asyncio.sleep(_PAUSE)
            else:
                return connection

    async def _serve(self, connection: socket.socket) -> None:
        """One connection, one request, whatever comes of it."""
        with connection, suppress(OSError):  # what clients do; time that is up is one, too
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(_SECONDS):
                stream = TlsStream(connection, self._context)
                async with asyncio.timeout(_HANDSHAKE_SECONDS):
                    await stream.handshake()
                await stream.send(await self._answer(stream))
                await stream.close()

    async def _answer(self, stream: TlsStream) -> bytes:
        try:
            head = read_head(io.BytesIO(await stream.read_until(b"\r\n\r\n", _MAX_HEAD)))
        except TooLong:
            return _response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        except Malformed:
            head = None
        if head is None:
            return _response(HTTPStatus.BAD_REQUEST)
        status, document = self._found(stream.host, head)
        return _response(status, document, bodyless=head.method == "HEAD")

    def _found(self, host: str, head: Head) -> tuple[HTTPStatus, Mapping[str, Any] | None]:
        if head.method not in ("GET", "HEAD"):
            return HTTPStatus.METHOD_NOT_ALLOWED, None
        if head.host.lower().partition(":")[0] != host:
            return HTTPStatus.MISDIRECTED_REQUEST, None
        document = self._document(host, head)
        return (HTTPStatus.OK if document else HTTPStatus.NOT_FOUND), document

    def _document(self, host: str, head: Head) -> Mapping[str, Any] | None:
        issuers = self._world().parts().get("oidc")
        for ending, show in _DOCUMENTS.items():
            if head.path.endswith(ending) and isinstance(issuers, Issuers):
                issuer = issuers.at(host, head.path.removesuffix(ending).removeprefix("/"))
                return show(issuer) if issuer else None
        return None

    def _server_of(self, host: str) -> Server | None:
        """What the host's server shows; nothing is made here, for whoever may connect."""
        kept = self._world().parts().get(certificates.PART)
        return kept.find(host) if isinstance(kept, Certificates) else None


_DOCUMENTS: Mapping[str, Callable[[Any], Mapping[str, Any]]] = {
    CONFIGURATION_PATH: lambda issuer: issuer.configuration(),
    JWKS_PATH: lambda issuer: issuer.jwks(),
}


def _response(
    status: HTTPStatus, document: Mapping[str, Any] | None = None, *, bodyless: bool = False
) -> bytes:
    shown = {"error": status.phrase} if document is None else document
    body = json.dumps(shown).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if bodyless else body)


def _note(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """What asyncio has to say of connections that broke goes to the log, without values."""
    error = context.get("exception")
    log.info("an issuer's server: %s", type(error).__name__ if error else "a connection broke")
