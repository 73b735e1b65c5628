"""HTTP/1.1 requests, read strictly: what two readers could read differently is refused.

A request that is read here means one thing only, so that what is authenticated is what is
acted on. Everything that AWS's SDKs send passes; obsolete folding, doubled framing headers,
stray control characters and escapes that are no escapes do not.
"""

import re
from typing import Protocol
from urllib.parse import unquote, unquote_plus

import msgspec

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


class Reader(Protocol):
    """A buffered stream of what a client sends; at its end there are fewer bytes than ``size``.

    ``readline`` reads up to and with a line feed, ``size`` bytes at most.
    """

    def readline(self, size: int = ..., /) -> bytes: ...
    def read(self, size: int = ..., /) -> bytes: ...


class Head(msgspec.Struct, frozen=True):
    """A request without its body, whose ``length`` is in bytes, None where it is chunked."""

    request: HttpRequest
    host: str
    length: int | None
    keep_alive: bool
    expects_continue: bool


def read_head(stream: Reader) -> Head | None:
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


def read_body(stream: Reader, length: int | None) -> bytes:
    """Read the body: ``length`` bytes, or chunks where that is None."""
    if length is None:
        return _read_chunks(stream)
    body = stream.read(length) if length else b""
    if len(body) < length:
        raise Malformed("400 Bad Request", "The body ends early.")
    return body


def _request_line(line: str) -> tuple[str, str, int]:
    found = _REQUEST_LINE.fullmatch(line)
    if not found:
        raise Malformed("400 Bad Request", "The request line can't be read.")
    method, target, major, minor = found.groups()
    if major != "1" or minor not in "01":
        raise Malformed("505 HTTP Version Not Supported", "HTTP/1.1 is spoken here.")
    return method, target, int(minor)


def _headers(stream: Reader) -> Pairs:
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


def _read_chunks(stream: Reader) -> bytes:
    body = bytearray()
    while True:
        found = _CHUNK_SIZE.fullmatch(stream.readline(_MAX_CHUNK_LINE))
        if not found:
            raise Malformed("400 Bad Request", "A chunk of the body can't be read.")
        size = int(found[1], 16)
        if not size:
            break
        if len(body) + size > MAX_BODY:
            raise Malformed("413 Content Too Large", "The body is too large.")
        chunk = stream.read(size)
        if len(chunk) < size or stream.read(2) != b"\r\n":
            raise Malformed("400 Bad Request", "A chunk of the body can't be read.")
        body += chunk
    _headers(stream)  # trailers, which nothing here uses
    return bytes(body)
