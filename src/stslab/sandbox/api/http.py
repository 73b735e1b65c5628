"""HTTP/1.1 requests, read strictly: what two readers could read differently is refused.

A request that is read here means one thing only, so that what is authenticated is what is
acted on. Everything that AWS's SDKs send passes; obsolete folding, doubled framing headers,
stray control characters and escapes that are no escapes do not.
"""

import asyncio
import io
import re
from dataclasses import dataclass
from typing import IO
from urllib.parse import unquote, unquote_plus

from stslab.sandbox.api.model import HttpRequest, Pairs

MAX_REQUEST_LINE = 16 * 1024
MAX_HEAD = 64 * 1024
MAX_HEADERS = 200
MAX_BODY = 256 * 1024 * 1024
_MAX_CHUNK_LINE = 1024

_REQUEST_LINE = re.compile(r"([A-Z]{1,20}) (/[!-\"$-~]*) HTTP/(\d)\.(\d)\r\n")
_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)\r\n")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[^\r\n]*)?\r\n")
_DIGITS = re.compile(r"[0-9]{1,19}")
_FRAMING = ("host", "content-length", "transfer-encoding", "expect")


class Malformed(Exception):  # noqa: N818 - it names the request, not a fault of ours
    """A request that can't be taken; ``status`` is the HTTP status line's code and reason."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body, whose ``length`` is in bytes, None where it is chunked."""

    request: HttpRequest
    host: str
    length: int | None
    keep_alive: bool
    expects_continue: bool


def read_head(stream: IO[bytes]) -> Head | None:
    """Read one request's head; None where the client closed before it sent anything."""
    line = stream.readline(MAX_REQUEST_LINE + 1)
    if line == b"\r\n":  # RFC 9112, 2.2: one empty line before a request is to be ignored
        line = stream.readline(MAX_REQUEST_LINE + 1)
    if not line:
        return None
    if len(line) > MAX_REQUEST_LINE:
        raise Malformed("414 URI Too Long", "The request line is too long.")
    method, target, minor = _request_line(line.decode("latin-1"))
    headers = _headers(stream)
    path, _, raw_query = target.partition("?")
    if _BAD_ESCAPE.search(path):
        raise Malformed("400 Bad Request", "The path has a broken escape.")
    try:
        unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise Malformed("400 Bad Request", "The path is not UTF-8.") from None
    return _framed(method, path, raw_query, headers, minor)


def parse_query(raw: str) -> Pairs:
    """The decoded pairs of a query string or of a form, in their order."""
    if _BAD_ESCAPE.search(raw):
        raise Malformed("400 Bad Request", "The query string has a broken escape.")
    try:
        return tuple(
            (unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict"))
            for name, _, value in (part.partition("=") for part in raw.split("&") if part)
        )
    except UnicodeDecodeError:
        raise Malformed("400 Bad Request", "The query string is not UTF-8.") from None


async def read_lines(stream: asyncio.StreamReader, start: bytes) -> bytes:
    """Read up to and with an empty line, or as far as it shows that what comes is no head.

    ``start`` is what was read of the first line, or that. An empty first line does not count.
    """
    found = line = start if start.endswith(b"\n") else start + await _line(stream)
    while line.endswith(b"\r\n") and (line != b"\r\n" or len(found) == len(line)):
        line = await _line(stream)
        found += line
        if len(found) > MAX_REQUEST_LINE + MAX_HEAD:
            break
    return found


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await stream.read(error.consumed)


async def read_body(stream: asyncio.StreamReader, length: int | None) -> bytes:
    """Read the body: ``length`` bytes, or chunks where that is None."""
    if length is None:
        return await _read_chunks(stream)
    try:
        return await stream.readexactly(length) if length else b""
    except asyncio.IncompleteReadError:
        raise Malformed("400 Bad Request", "The body ends early.") from None


def _request_line(line: str) -> tuple[str, str, int]:
    found = _REQUEST_LINE.fullmatch(line)
    if not found:
        raise Malformed("400 Bad Request", "The request line can't be read.")
    method, target, major, minor = found.groups()
    if major != "1" or minor not in "01":
        raise Malformed("505 HTTP Version Not Supported", "HTTP/1.1 is spoken here.")
    return method, target, int(minor)


def _headers(stream: IO[bytes]) -> Pairs:
    headers: list[tuple[str, str]] = []
    room = MAX_HEAD
    while True:
        line = stream.readline(room + 1)
        room -= len(line)
        if room < 0 or len(headers) > MAX_HEADERS:
            raise Malformed("431 Request Header Fields Too Large", "The headers are too large.")
        if line == b"\r\n":
            return tuple(headers)
        found = _HEADER.fullmatch(line.decode("latin-1"))
        if not found:
            raise Malformed("400 Bad Request", "A header can't be read.")
        headers.append((found[1], found[2].rstrip(" \t")))


def _framed(method: str, path: str, raw_query: str, headers: Pairs, minor: int) -> Head:
    said = {name: [v for k, v in headers if k.lower() == name] for name in _FRAMING}
    for name, values in said.items():
        if len(values) > 1:
            raise Malformed("400 Bad Request", f"There is more than one {name} header.")
    host, length, encoding, expect = (next(iter(said[name]), "") for name in _FRAMING)
    if expect and expect.lower() != "100-continue":
        raise Malformed("417 Expectation Failed", "The only expectation is 100-continue.")
    return Head(
        HttpRequest(method, path, parse_query(raw_query), raw_query, headers, b""),
        host,
        length=_length(length, encoding, minor),
        keep_alive=_keeps_alive(headers, minor),
        expects_continue=bool(expect) and minor == 1,
    )


def _length(length: str, encoding: str, minor: int) -> int | None:
    if encoding:
        if length or minor == 0:
            raise Malformed("400 Bad Request", "The length of the body is said twice.")
        if encoding.lower() != "chunked":
            raise Malformed("501 Not Implemented", "The only Transfer-Encoding is chunked.")
        return None
    if not length:
        return 0
    if not _DIGITS.fullmatch(length):
        raise Malformed("400 Bad Request", "The Content-Length is no number.")
    return int(length)


def _keeps_alive(headers: Pairs, minor: int) -> bool:
    wishes = {
        wish.strip().lower()
        for name, value in headers
        if name.lower() == "connection"
        for wish in value.split(",")
    }
    return "keep-alive" in wishes if minor == 0 else "close" not in wishes


async def _read_chunks(stream: asyncio.StreamReader) -> bytes:
    body = bytearray()
    unread = Malformed("400 Bad Request", "A chunk of the body can't be read.")
    while True:
        line = await _line(stream)
        found = _CHUNK_SIZE.fullmatch(line) if len(line) <= _MAX_CHUNK_LINE else None
        if not found:
            raise unread
        size = int(found[1], 16)
        if not size:
            break
        if len(body) + size > MAX_BODY:
            raise Malformed("413 Content Too Large", "The body is too large.")
        try:
            body += await stream.readexactly(size)
            end = await stream.readexactly(2)
        except asyncio.IncompleteReadError:
            raise unread from None
        if end != b"\r\n":
            raise unread
    trailers = await _line(stream)
    if trailers != b"\r\n":
        trailers = await read_lines(stream, trailers)
    _headers(io.BytesIO(trailers))  # which nothing here uses
    return bytes(body)
