"""A connection's two directions: a buffered reader and a writer over one socket.

In place of cheroot's, which read byte by byte in Python and copy an answer once a packet.
"""

import math
import socket
import time
from collections.abc import Callable
from contextlib import suppress

_RECEIVE = 64 * 1024
# From when on, and how often, one that waits looks whether others wait for its worker.
_LOOK_SECONDS = 1.0
_SEND = 1024 * 1024


class SocketReader:
    """Reads lines and blocks; keeps what came with them for the next request."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self._patience = sock.gettimeout() or math.inf
        self._began = time.monotonic()
        self._end = math.inf
        self.bytes_read = 0
        self.crowded: Callable[[], bool] = lambda: False

    def within(self, seconds: float) -> None:
        """Let all that is read from now to the next such call take so long, however it comes.

        Otherwise a client that sends a byte now and then would hold a worker for ever.
        """
        self._began = time.monotonic()
        self._end = self._began + seconds

    def has_data(self) -> bool:
        """Whether something of a next request is here already."""
        return bool(self._buffer)

    def readline(self, size: int, /) -> bytes:
        """Read up to and with a line feed, ``size`` bytes at most; what is left at the end."""
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
        """Throw away up to ``size`` bytes that come within ``seconds``, if nobody waits for that.

        A client that is still sending when the connection closes never sees the answer.
        """
        self._buffer.clear()
        self.within(seconds)
        while size > 0 and not self.crowded() and (got := self._received(_RECEIVE)):
            size -= len(got)

    def close(self) -> None:
        """Forget what is buffered; the socket is the connection's to close."""
        self._buffer.clear()

    def _receive(self, size: int = _RECEIVE) -> bool:
        received = self._received(max(size, _RECEIVE))
        self._buffer += received
        return bool(received)

    def _received(self, size: int) -> bytes:
        """The next bytes. A client that lets all others wait does not get its whole time."""
        end = min(self._end, time.monotonic() + self._patience)
        while (now := time.monotonic()) < end:
            if now - self._began > _LOOK_SECONDS and self.crowded():
                break
            self._sock.settimeout(min(end - now, _LOOK_SECONDS))
            with suppress(TimeoutError):
                return self._sock.recv(size)
        raise TimeoutError("timed out")  # in the words that cheroot answers with 408

    def _take(self, size: int) -> bytes:
        with memoryview(self._buffer) as view:
            taken = bytes(view[:size])
        del self._buffer[:size]
        self.bytes_read += len(taken)
        return taken


class SocketWriter:
    """Sends at once what it is given."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._patience = sock.gettimeout()
        self.bytes_written = 0

    def write(self, content: bytes) -> None:
        """Send all of it; each megabyte may take as long as the socket's timeout."""
        self._sock.settimeout(self._patience)
        with memoryview(content) as view:
            for start in range(0, len(content), _SEND):
                self._sock.sendall(view[start : start + _SEND])
        self.bytes_written += len(content)


def stream(sock: socket.socket, mode: str, _size: int) -> SocketReader | SocketWriter:
    """What cheroot asks of its ``makefile``."""
    return SocketReader(sock) if "r" in mode else SocketWriter(sock)
