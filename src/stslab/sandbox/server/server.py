"""The sandbox's HTTP server: asyncio's connections, our own strict reading.

It listens on 127.0.0.1 only, answers only requests whose Host names this very server (a web
page whose name was made to point here gets nothing), hands each to the application whole, and
gives its answer back. Whatever the application raises becomes AWS's InternalFailure, in the
log with the lines that led to it and without values.

One thread reads and writes for all clients, so that slow and silent ones hold nobody up; others
do what is asked.
"""

import asyncio
import email.utils
import http
import io
import logging
import re
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from html import escape
from typing import cast

from stslab.sandbox.api import faults, s3_faults, serialize
from stslab.sandbox.api.http import (
    MAX_BODY,
    MAX_HEAD,
    Head,
    Malformed,
    read_body,
    read_head,
    read_lines,
)
from stslab.sandbox.api.model import ApiFault, ApiResponse, Dropped, HttpRequest
from stslab.sandbox.signing.signature import addressed_service

HOST = "127.0.0.1"
THREADS = 64
# How long a request's head may take altogether; and its body, or an answer, beside its bytes.
_HEAD_SECONDS, _BODY_SECONDS = 5, 20
_SLOWEST = 1024 * 1024  # bytes a second
# Larger bodies are read only where the request's head is found worth it.
_SMALL = 1024 * 1024
# At most so many bodies of more than so many bytes are in memory at once.
_LARGE, _LARGE_AT_ONCE = 8 * 1024 * 1024, 4
# How long a client may think of a next request, or wait for room for a large body.
_TIMEOUT = 20
_CONNECTIONS = 512
_BACKLOG = 128
_NO_BODY = {204, 304}
_DRAINED, _DRAIN_SECONDS = 8 * 1024 * 1024, 1
_AT_ONCE = struct.pack("ii", 1, 0)  # linger, for no time

Application = Callable[[HttpRequest], ApiResponse]
Refuse = Callable[[HttpRequest], ApiResponse | None]
log = logging.getLogger(__name__)


class SandboxServer:
    """An HTTP server on a loopback port that calls an application.

    ``port`` is the one that it listens on; 0 takes any free one. ``refuse`` answers a request with
    a large body by its head alone, or lets it be read by answering None. ``prepare()`` listens;
    ``serve()`` answers until ``stop()``. ``seconds_idle()`` is how long ago the last request came
    or ended.
    """

    socket: socket.socket

    def __init__(
        self,
        application: Application,
        port: int = 0,
        threads: int = THREADS,
        refuse: Refuse = lambda _: None,
    ) -> None:
        self.application = application
        self.refuse = refuse
        self.workers = ThreadPoolExecutor(threads, "request")
        self.large_bodies = asyncio.Semaphore(_LARGE_AT_ONCE)
        self.waiting = set[asyncio.Task[None]]()
        self.port = port
        self._connections = set[asyncio.Task[None]]()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end, self._ended, self._stopping = asyncio.Event(), threading.Event(), False
        self._busy = 0
        self._last = time.monotonic()
        self._counting = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def is_crowded(self) -> bool:
        return len(self._connections) > _CONNECTIONS

    def seconds_idle(self) -> float:
        """How long nothing has been asked; 0 while something is being answered."""
        with self._counting:
            return 0.0 if self._busy else time.monotonic() - self._last

    def require_own_name(self, host: str) -> None:
        """Refuse a request that was meant for another name than this server's or a bucket's."""
        name, _, port = host.lower().rpartition(":")
        if port != str(self.port) or not (name in {HOST, "localhost"} or _BUCKET_HOST(name)):
            raise Malformed("421 Misdirected Request", f"This is {HOST}:{self.port}.")

    def answer(self, request: HttpRequest) -> ApiResponse:
        """The application's answer, or InternalFailure where it fails; Dropped passes."""
        with self._counting:
            self._busy += 1
        try:
            return self.application(request)
        except Dropped:
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence: log and answer
            request_id = secrets.token_hex(8).upper()
            log.error("request %s failed\n%s", request_id, faults.where(error))  # noqa: TRY400 - no values in the log
            return _fault(request, faults.failure(addressed_service(request)), request_id)
        finally:
            with self._counting:
                self._busy -= 1
                self._last = time.monotonic()

    def prepare(self) -> None:
        """Listen; what comes from now on waits for :meth:`serve`."""
        self.socket = socket.create_server((HOST, self.port), backlog=_BACKLOG)
        self.port = int(self.socket.getsockname()[1])

    def serve(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            try:
                runner.run(self._serve())
            finally:
                self._ended.set()

    def stop(self) -> None:
        """Stop listening, let running requests end, and end the workers."""
        self._stopping = True
        if self._loop is not None and not self._ended.is_set():
            self._loop.call_soon_threadsafe(self._end.set)
            self._ended.wait()
        with suppress(AttributeError):  # it could not even listen
            self.socket.close()
        self.workers.shutdown()

    async def _serve(self) -> None:
        listening = await asyncio.start_server(self._connected, sock=self.socket, limit=MAX_HEAD)
        if not self._stopping:
            await self._end.wait()
        listening.close()
        for one in self.waiting:
            one.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(self, reader, writer)
        self._connections.add(connection.task)
        try:
            while not self._end.is_set() and await connection.next():
                pass
        except (OSError, asyncio.CancelledError):  # clients that leave are no news
            pass
        except Exception as error:  # noqa: BLE001 - costs one client its connection
            log.error("a connection failed\n%s", faults.where(error))  # noqa: TRY400 - no values in the log
        finally:
            self.waiting.discard(connection.task)
            self._connections.discard(connection.task)
            writer.close()
            with suppress(OSError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    await writer.wait_closed()


class _Connection:
    """A client's requests, one after another: read, handed over, answered."""

    def __init__(
        self, server: SandboxServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.source = str((writer.get_extra_info("peername") or (HOST,))[0])
        self.task = cast("asyncio.Task[None]", asyncio.current_task())
        self.closing = False

    async def next(self) -> bool:
        """Answer the next request; whether there may be another one after it."""
        self.server.waiting.add(self.task)
        async with asyncio.timeout(_TIMEOUT):
            first = await self.reader.read(1)
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                lines = await read_lines(self.reader, first)
            head = read_head(io.BytesIO(lines))
            if head is None:
                return False
            self.server.require_own_name(head.host)
            self.closing = not head.keep_alive or self.server.is_crowded
            await self._respond(head)
        except TimeoutError:
            await self._refuse(Malformed("408 Request Timeout", "The request took too long."))
        except Malformed as malformed:
            await self._refuse(malformed)
        return not self.closing

    async def _respond(self, head: Head) -> None:
        length = MAX_BODY if head.length is None else head.length
        refusal = await self._refusal(head, length)
        if refusal is not None:
            await self._leave_unread(head, refusal)
        elif length <= _LARGE:
            await self._answer(head, length)
        else:
            try:
                async with asyncio.timeout(_TIMEOUT):
                    await self.server.large_bodies.acquire()
            except TimeoutError:
                slow = _fault(self._request(head), s3_faults.fault("SlowDown"))
                await self._leave_unread(head, slow)
                return
            try:
                await self._answer(head, length)
            finally:
                self.server.large_bodies.release()

    async def _refusal(self, head: Head, length: int) -> ApiResponse | None:
        """The answer by the head alone; None where the body is worth reading."""
        if length > MAX_BODY:
            sizes = {"ProposedSize": length, "MaxSizeAllowed": MAX_BODY}
            return _fault(self._request(head), s3_faults.fault("EntityTooLarge", extra=sizes))
        if length <= _SMALL:
            return None
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self.server.workers, self.server.refuse, self._request(head)
        )

    async def _answer(self, head: Head, length: int) -> None:
        if head.expects_continue:
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        async with asyncio.timeout(_BODY_SECONDS + length / _SLOWEST):
            body = await read_body(self.reader, head.length)
        self.server.waiting.discard(self.task)
        loop, request = asyncio.get_running_loop(), self._request(head, body)
        try:
            response = await loop.run_in_executor(self.server.workers, self.server.answer, request)
        except Dropped:
            self._reset()
        else:
            await self._send(head, response)

    def _request(self, head: Head, body: bytes = b"") -> HttpRequest:
        return replace(head.request, body=body, source_ip=self.source)

    async def _send(self, head: Head, response: ApiResponse) -> None:
        names = {name.lower() for name, _ in response.headers}
        lines = [f"HTTP/1.1 {response.status} {_phrase(response.status)}"]
        lines += [f"{name}: {_LINES.sub(' ', value)}" for name, value in response.headers]
        if response.status not in _NO_BODY and "content-length" not in names:
            lines.append(f"Content-Length: {len(response.body)}")
        lines.append(f"Date: {email.utils.formatdate(usegmt=True)}")
        lines.append(f"Connection: {'close' if self.closing else 'keep-alive'}")
        start = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        bodyless = head.request.method == "HEAD" or response.status in _NO_BODY
        await self._write(start if bodyless else start + response.body)

    async def _write(self, content: bytes) -> None:
        self.writer.write(content)
        try:
            async with asyncio.timeout(_BODY_SECONDS + len(content) / _SLOWEST):
                await self.writer.drain()
        except TimeoutError:
            self._reset()

    async def _refuse(self, malformed: Malformed) -> None:
        self.closing = True
        body = f"<html><body><h1>{malformed.status}</h1>{escape(malformed.reason)}</body></html>"
        head = (
            f"HTTP/1.1 {malformed.status}\r\nContent-Type: text/html\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        await self._write((head + body).encode())
        await self._drain()

    async def _leave_unread(self, head: Head, response: ApiResponse) -> None:
        self.closing = True
        await self._send(head, response)
        await self._drain()

    async def _drain(self) -> None:
        """Throw away what comes: a client that still sends at the end never sees the answer."""
        with suppress(OSError):  # the client may have gone, or have stopped sending
            self.writer.write_eof()
            async with asyncio.timeout(_DRAIN_SECONDS):
                left = _DRAINED
                while left > 0 and (received := await self.reader.read(MAX_HEAD)):
                    left -= len(received)

    def _reset(self) -> None:
        """Close the connection at once: what is not sent, or not read, is thrown away."""
        self.closing = True
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.writer.transport.abort()


_LINES = re.compile(r"[\r\n]")
_BUCKET_HOST = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\.localhost").fullmatch


@lru_cache
def _phrase(status: int) -> str:
    return http.HTTPStatus(status).phrase if status in set(http.HTTPStatus) else "Unknown"


def _fault(request: HttpRequest, fault: ApiFault, request_id: str = "") -> ApiResponse:
    """An error that no service answers, in the form of the one that the request addresses."""
    request_id = request_id or secrets.token_hex(8).upper()
    return serialize.fault(addressed_service(request), fault, request_id, request)
