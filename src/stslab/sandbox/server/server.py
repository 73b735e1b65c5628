"""The embedded account's HTTP server: cheroot's connections, our own threads and strict parser.

It listens on 127.0.0.1 only, and answers only requests whose Host names this server, which stops
DNS rebinding.
"""

import dataclasses
import email.utils
import http.client
import logging
import re
import secrets
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from cheroot import server as cheroot

from stslab.sandbox.api import faults, serialize
from stslab.sandbox.api.http import MAX_BODY, OWN_NAME, Head, read_body, read_head
from stslab.sandbox.api.model import ApiFault, ApiResponse, Dropped, HttpRequest
from stslab.sandbox.signing.signature import addressed_service

HOST = "127.0.0.1"
# From ``_MANY_THREADS`` on, slow clients lose theirs: the others are for those that wait meanwhile.
_MANY_THREADS, _MOST_THREADS = 192, 256
# How long an answer may keep others waiting; how seldom that is looked at while no request comes.
_LONG, _QUIET = 0.005, 0.25
# How long a request's head may take; and its body, which gets more time by its size.
_HEAD_SECONDS, _BODY_SECONDS = 5, 20
_SLOWEST = 1024 * 1024  # bytes a second
# For a larger body, ``refuse`` first sees the request's head.
_SMALL = 1024 * 1024
# How many bodies larger than ``_LARGE`` are in memory at once; how long others wait at most.
_LARGE, _LARGE_AT_ONCE, _WAIT = 8 * 1024 * 1024, 4, 5
_NO_BODY = {204, 304}
_DRAINED = 8 * 1024 * 1024
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER with zero seconds
_LINES = re.compile(r"[\r\n]")

Application = Callable[[HttpRequest], ApiResponse]
Refuse = Callable[[HttpRequest], ApiResponse | None]
log = logging.getLogger(__name__)


class SandboxServer(cheroot.HTTPServer):
    """An HTTP server on a loopback port that calls an application; ``port`` 0 takes any free one.

    ``refuse`` gets the head of a request with a large body, and returns the answer, or None to have
    the body read.
    """

    _connections: Any  # a ConnectionManager: cheroot has no types for all of it
    timeout = 20  # seconds for the next bytes, sent or received, or for the next request
    request_queue_size = 128
    keep_alive_conn_limit = 512

    def __init__(
        self, application: Application, port: int = 0, refuse: Refuse = lambda _: None
    ) -> None:
        super().__init__((HOST, port), gateway=None)
        self.requests = SimpleNamespace(start=lambda: None, stop=lambda _: None)  # no workers
        self.ConnectionClass = _Connection
        self.large_bodies = threading.BoundedSemaphore(_LARGE_AT_ONCE)
        self.refuse = refuse
        self._application = application
        self._busy = 0
        self._last = time.monotonic()
        self._threads: set[threading.Thread] = set()
        self._first: threading.Thread | None = None  # the one that waits for connections
        self._since: float | None = 0  # when it began to answer, or 0 if it has ended
        self._lock = threading.Lock()

    @property
    def port(self) -> int:
        return int(self.bind_addr[1])

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def seconds_idle(self) -> float:
        """How long ago the last request came or was answered; 0 while one is being answered."""
        with self._lock:
            return 0.0 if self._busy else time.monotonic() - self._last

    def require_own_name(self, host: str) -> None:
        """Raise ApiFault if Host is neither this server's name nor a bucket's under it."""
        name, _, port = host.lower().partition(":")
        own = name == HOST or OWN_NAME.fullmatch(name)
        if not own or (port or "80") != str(self.port):
            raise ApiFault("MisdirectedRequest", f"This is {HOST}:{self.port}.", 421)

    def answer(self, request: HttpRequest) -> ApiResponse:
        """The application's answer; InternalFailure if it raises anything but Dropped."""
        with self._lock:
            self._busy += 1
        try:
            return self._application(request)
        except Dropped:
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence: log and answer
            request_id = secrets.token_hex(8).upper()
            log.error("request %s failed\n%s", request_id, faults.where(error))  # noqa: TRY400 - no values in the log
            return _fault(request, faults.failure(addressed_service(request), error), request_id)
        finally:
            with self._lock:
                self._busy -= 1
                self._last = time.monotonic()

    def bind(self, family: int, type: int, proto: int = 0) -> socket.socket:  # noqa: A002 - cheroot's name
        """Bind so that the next server can have this port while old connections linger."""
        bound: socket.socket = super().bind(family, type, proto)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return bound

    def serve(self) -> None:
        """Answer requests until :meth:`stop`.

        One thread waits for connections, and answers what they send, one after the other: threads
        that take turns hand on the interpreter's lock several times for each request. Only if an
        answer takes long, or waits for its client, does another thread go on waiting.
        """
        while self.ready:
            long = _LONG / min(max(len(self._threads), 1), 5)  # when some do, others may too
            with self._lock:
                if self._since is not None and time.monotonic() - self._since > long:
                    self._replace()
            time.sleep(min(max(self.seconds_idle() / 20, long), _QUIET))

    def process_conn(self, conn: "_Connection") -> None:
        """Answer a connection's requests, once it has sent something: silent ones hold nothing."""
        if conn.last_used is None:
            self.put_conn(conn)
            return
        with self._lock:
            self._since = time.monotonic()
        answered: Callable[[], bool] = conn.communicate
        keep = False
        try:
            with suppress(OSError):  # the client may have gone
                while not keep and answered():
                    keep = not conn.rfile.has_data()
        finally:
            self.put_conn(conn) if keep else conn.close()
        with self._lock:
            if self._first is not threading.current_thread() or not self.ready:
                raise _Replaced
            self._since = None

    def hand_over(self) -> None:
        """Let another thread wait for connections, as the calling one will be busy for long."""
        with self._lock:
            if self._first is threading.current_thread():
                self._replace()

    def crowded(self) -> bool:
        """Whether there are so many threads that slow clients must give back theirs."""
        return len(self._threads) >= _MANY_THREADS

    def stop(self) -> None:
        """Stop listening, and let running requests end."""
        if not self.ready:
            return
        self._connections._stop_requested = True  # noqa: SLF001
        with suppress(OSError):  # whoever waits for connections wakes up, and ends
            socket.create_connection((HOST, self.port), timeout=1).close()
        end = time.monotonic() + self.shutdown_timeout
        with self._lock:
            threads = tuple(self._threads)
        for thread in threads:
            thread.join(max(end - time.monotonic(), 0))
        super().stop()

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Log cheroot's warnings and errors, but not that a client left."""
        if level >= logging.WARNING:
            log.log(level, "%s", msg, exc_info=traceback)

    def _replace(self) -> None:
        if len(self._threads) < _MOST_THREADS:
            name = f"answers on {self.port}"
            thread = threading.Thread(target=self._answer_all, name=name, daemon=True)
            with suppress(RuntimeError):  # the system has none left: tried again soon
                thread.start()
                self._threads.add(thread)
                self._first, self._since = thread, None

    def _answer_all(self) -> None:
        try:
            # cheroot's run() looks for silent clients only after a while, and knows of one thread.
            self._connections._expire(time.time() - self.timeout)  # noqa: SLF001
            self._connections._run(self.expiration_interval)  # noqa: SLF001
        except _Replaced:
            pass
        except Exception:  # noqa: BLE001 - the last line of defence: log, and start another thread
            self.error_log("waiting for connections failed", logging.ERROR, traceback=True)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())
                if self._first is threading.current_thread():
                    self._since = 0
                    self._connections._expire(time.time() - 1)  # noqa: SLF001 - no files may be left


class _Replaced(Exception):  # noqa: N818 - it is not an error
    """Another thread waits for connections now, or none."""


class _Request(cheroot.HTTPRequest):
    head = Head(HttpRequest("GET", "/", (), "", (), b""), HOST, 0, False, False)  # until it is read

    def parse_request(self) -> None:
        self.started_request = True
        self.conn.rfile.within(_HEAD_SECONDS)
        try:
            if head := read_head(self.conn.rfile):
                self.head = head
                self.server.require_own_name(head.host)
                self.close_connection, self.ready = not head.keep_alive, True
        except ApiFault as refusal:
            self._refuse(_fault(self._request(), refusal))

    def respond(self) -> None:
        length = MAX_BODY if self.head.length is None else self.head.length
        refusal = self.server.refuse(self._request()) if _SMALL < length <= MAX_BODY else None
        if length > MAX_BODY:
            sizes = {"ProposedSize": length, "MaxSizeAllowed": MAX_BODY}
            refusal = _fault(self._request(), faults.fault("EntityTooLarge", extra=sizes))
        if length > _LARGE:
            self.server.hand_over()  # it takes long, whatever the client does
        wait = 0 if self.server.crowded() else _WAIT
        if refusal is None and length <= _LARGE:
            self._respond(length)
        elif refusal is None and self.server.large_bodies.acquire(timeout=wait):
            try:
                self._respond(length)
            finally:
                self.server.large_bodies.release()
        else:
            self._refuse(refusal or _fault(self._request(), faults.fault("SlowDown")))

    def _respond(self, length: int) -> None:
        try:
            if self.head.expects_continue:
                self.conn.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.conn.rfile.within(_BODY_SECONDS + length / _SLOWEST)
            self._send(self.server.answer(self._request(self._body())))
        except ApiFault as refusal:
            self._refuse(_fault(self._request(), refusal))
        except Dropped:  # the client gets no answer but a reset
            self.close_connection = self.sent_headers = True
            self.conn.reset()

    def _body(self) -> bytes:
        try:
            return read_body(self.conn.rfile, self.head.length)
        except TimeoutError:
            raise faults.fault("RequestTimeout") from None

    def _request(self, body: bytes = b"") -> HttpRequest:
        return dataclasses.replace(
            self.head.request, body=body, source_ip=self.conn.remote_addr or HOST
        )

    def _send(self, response: ApiResponse) -> None:
        self.sent_headers = True
        if not self.server.can_add_keepalive_connection:
            self.close_connection = True
        names = {name.lower() for name, _ in response.headers}
        phrase = http.client.responses.get(response.status, "Unknown")
        lines = [f"HTTP/1.1 {response.status} {phrase}"]
        lines += [f"{name}: {_LINES.sub(' ', value)}" for name, value in response.headers]
        if response.status not in _NO_BODY and "content-length" not in names:
            lines.append(f"Content-Length: {len(response.body)}")
        lines.append(f"Date: {email.utils.formatdate(usegmt=True)}")
        lines.append(f"Connection: {'close' if self.close_connection else 'keep-alive'}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        bodyless = self.head.request.method == "HEAD" or response.status in _NO_BODY
        self.conn.wfile.write(head if bodyless else head + response.body)

    def _refuse(self, answer: ApiResponse) -> None:
        """Send the answer, and leave unread what else there is of the request."""
        self.close_connection, self.ready = True, False
        with suppress(OSError):  # the client may have gone, or have stopped sending
            self._send(answer)
            self.conn.socket.shutdown(socket.SHUT_WR)
            self.conn.rfile.drain(_DRAINED, seconds=1)


class _Connection(cheroot.HTTPConnection):
    RequestHandlerClass = _Request

    def __init__(self, server: SandboxServer, sock: socket.socket, _makefile: object) -> None:
        stream = SocketStream(sock, server)
        super().__init__(server, sock, makefile=lambda *_: stream)
        # With a timeout it polls before each read and write, and gives up the interpreter's lock.
        sock.setblocking(False)

    def reset(self) -> None:
        """Reset the connection (RST), and let :meth:`close` do no more."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.socket.close()
        self.linger = True


def _fault(request: HttpRequest, fault: ApiFault, request_id: str = "") -> ApiResponse:
    """The server's own error, in the format of the service that the request addresses."""
    request_id = request_id or secrets.token_hex(8).upper()
    return serialize.fault(addressed_service(request), fault, request_id, request)


# cheroot's own reader and writer read byte by byte in Python, and copy an answer for each packet.

_RECEIVE = 64 * 1024
_LOOK_SECONDS = 1.0  # how often a slow reader checks whether other requests need its worker
_SEND = 1024 * 1024


class SocketStream:
    """Reads lines and blocks, and keeps further bytes for the next request; sends at once."""

    def __init__(self, sock: socket.socket, server: SandboxServer) -> None:
        self._sock = sock
        self._server = server
        self._buffer = bytearray()
        self.within(_HEAD_SECONDS)

    def within(self, seconds: float) -> None:
        """Limit the time of all reads until the next such call: no client holds a worker long."""
        self._began = time.monotonic()
        self._end = self._began + seconds

    def has_data(self) -> bool:
        return bool(self._buffer)

    def readline(self, size: int, /) -> bytes:
        seen = 0
        while (end := self._buffer.find(b"\n", seen, size)) < 0:
            seen = len(self._buffer)
            if seen >= size or not self._receive():
                return self._take(size)
        return self._take(end + 1)

    def read(self, size: int, /) -> bytes:
        while len(self._buffer) < size and self._receive(min(size, _SEND)):
            pass
        return self._take(size)

    def drain(self, size: int, seconds: float) -> None:
        """Discard what comes: a client that is still sending at the close never sees the answer."""
        self._buffer.clear()
        self.within(seconds)
        while size > 0 and not self._server.crowded() and self._receive():
            size -= len(self._buffer)
            self._buffer.clear()

    def close(self) -> None:
        self._buffer.clear()

    def _receive(self, size: int = _RECEIVE) -> bool:
        """Whether there were more bytes. TimeoutError: too late, or others need the worker."""
        end = min(self._end, time.monotonic() + self._server.timeout)
        while (now := time.monotonic()) < end:
            if now - self._began > _LOOK_SECONDS and self._server.crowded():
                break
            try:
                received = self._sock.recv(max(size, _RECEIVE))
            except BlockingIOError:
                self._server.hand_over()
                _wait(self._sock, select.POLLIN, min(end - now, _LOOK_SECONDS))
            else:
                self._buffer += received
                return bool(received)
        raise TimeoutError("timed out")  # in the words that cheroot answers with 408

    def _take(self, size: int) -> bytes:
        with memoryview(self._buffer) as view:
            taken = bytes(view[:size])
        del self._buffer[:size]
        return taken

    def write(self, content: bytes) -> None:
        """Send all of it; each megabyte may take as long as the server's timeout."""
        with memoryview(content) as view:
            for start in range(0, len(content), _SEND):
                self._send(view[start : start + _SEND])

    def _send(self, part: memoryview) -> None:
        end = time.monotonic() + self._server.timeout
        while part:
            try:
                part = part[self._sock.send(part) :]
            except BlockingIOError:
                self._server.hand_over()
                if not _wait(self._sock, select.POLLOUT, end - time.monotonic()):
                    raise TimeoutError("timed out") from None


def _wait(sock: socket.socket, event: int, seconds: float) -> bool:
    """Wait until the socket can be read or written, and return whether it can."""
    poll = select.poll()
    poll.register(sock, event)
    return bool(poll.poll(max(seconds, 0) * 1000))
