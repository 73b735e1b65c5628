"""One TLS connection of a server, on asyncio's event loop.

In place of asyncio's own streams, which drop the alert that says why a handshake failed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from stslab.sandbox.federation.oidc.tls import HostContext

_RECEIVE = 16 * 1024
_DRAINED = 8 * 1024 * 1024
Result = TypeVar("Result")


class TooLong(Exception):  # noqa: N818 - it names what was sent
    """What should have ended by then goes on."""


class TlsStream:
    """The connection over ``sock``, which does not block and is its caller's to close.

    What clients do wrong is an OSError, as are all of ssl's errors.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    @property
    def host(self) -> str:
        """The host that the client named in the handshake."""
        context = self._tls.context
        return context.host if isinstance(context, HostContext) else ""

    async def handshake(self) -> None:
        """Agree on keys; a client that can't be served is told so."""
        await self._drive(self._tls.do_handshake)

    async def read_until(self, ending: bytes, most: int) -> bytes:
        """What the client sends, up to and with ``ending``; or all of it, where it ends before.

        Raises:
            TooLong: there is no such ending in the first ``most`` bytes.
        """
        received = b""
        while ending not in received:
            if len(received) >= most:
                raise TooLong
            piece = await self._drive(lambda: self._tls.read(_RECEIVE))
            if not piece:
                return received
            received += piece
        return received[: received.index(ending) + len(ending)]

    async def send(self, content: bytes) -> None:
        """Send all of it."""
        left = memoryview(content)
        while left:
            sent = await self._drive(lambda part=left: self._tls.write(part))  # type: ignore[misc]
            left = left[sent:]

    async def close(self) -> None:
        """Say that nothing more comes, and let the client take what it was sent.

        A connection that is closed with something unread in it may lose what was sent.
        """
        with suppress(ssl.SSLError):  # the client need not say that it ends
            self._tls.unwrap()
        await self._flush()
        self._sock.shutdown(socket.SHUT_WR)
        left = _DRAINED
        while left > 0 and (got := await self._loop.sock_recv(self._sock, _RECEIVE)):
            left -= len(got)

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    async def _drive(self, operation: Callable[[], Result]) -> Result:
        """Do what takes as many messages to and fro as it takes."""
        while True:
            try:
                return operation()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive()
            finally:
                await self._flush()

    async def _receive(self) -> None:
        received = await self._loop.sock_recv(self._sock, _RECEIVE)
        if received:
            self._incoming.write(received)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._loop.sock_sendall(self._sock, self._outgoing.read())
