"""A strict reader of HTTP/1.1 requests: a request that can be read in two ways is refused.

So the request that is authenticated is the one that is carried out.
"""

import re
from string import punctuation
from typing import Protocol
from urllib.parse import parse_qsl, quote

import msgspec

from stslab.sandbox.api.faults import SAYS, fault
from stslab.sandbox.api.model import ApiFault, HttpRequest, Pairs

MAX_REQUEST_LINE = 16 * 1024
MAX_HEAD = 64 * 1024
MAX_HEADERS = 200
MAX_BODY = 256 * 1024 * 1024
_MAX_CHUNK_LINE = 1024

_HOST = r"(?:https?://([A-Za-z0-9_.:[\]-]{1,255})(?=/))?"  # of a client with a proxy
_REQUEST_LINE = re.compile(rf"([A-Z]{{1,20}}) {_HOST}(/[!-\"$-~\x80-\xff]*) HTTP/(\d)\.(\d)\r\n")
_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([^\x00-\x08\x0a-\x1f\x7f]*)\r\n")
BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[^\r\n]*)?\r\n")
_DIGITS = re.compile(r"[0-9]{1,19}")
_FRAMING = ("host", "content-length", "transfer-encoding", "expect")
# S3's names for its endpoints, of which this server has one.
ENDPOINT = r"s3(?:[.-]dualstack)?(?:[.-][a-z]{2}-[a-z]+-\d)?"
OWN_NAME = re.compile(rf"(?:(?P<bucket>[a-z0-9][a-z0-9.-]+?)\.)??(?:{ENDPOINT}\.)?localhost")


class Reader(Protocol):
    """A buffered stream from a client. At its end, a read returns fewer bytes than ``size``."""

    def readline(self, size: int = ..., /) -> bytes: ...
    def read(self, size: int = ..., /) -> bytes: ...


class Head(msgspec.Struct, frozen=True):
    """A request without its body. ``length`` is the body's in bytes, or None if it is chunked."""

    request: HttpRequest
    host: str
    length: int | None
    keep_alive: bool
    expects_continue: bool


def _unread(reason: str, status: int = 400) -> ApiFault:
    """S3's error for an unreadable request (versity/versitygw#1364). S3 leaves out the reason."""
    return ApiFault("BadRequest", f"{SAYS['unread']} {reason}", status)


def read_head(stream: Reader) -> Head | None:
    """Read one request's head; None if the client closed the connection first. Raises ApiFault."""
    line = stream.readline(MAX_REQUEST_LINE + 1)
    if line == b"\r\n":  # RFC 9112, 2.2: ignore one empty line before a request
        line = stream.readline(MAX_REQUEST_LINE + 1)
    if not line:
        return None
    if len(line) > MAX_REQUEST_LINE:
        raise fault("RequestHeaderSectionTooLarge", MaxSizeAllowed=MAX_REQUEST_LINE)
    match = _REQUEST_LINE.fullmatch(line.decode("latin-1"))
    if not match:
        raise _unread("The request line can't be read.")
    method, host, target, major, minor = match.groups()
    if major != "1" or minor not in "01":
        raise _unread("Only HTTP/1.1 is supported.", 505)
    headers = _headers(stream)
    if host:  # RFC 9112, 3.2.2: it replaces the header's
        headers = tuple((key, host if key.lower() == "host" else value) for key, value in headers)
    path, _, raw_query = quote(target, punctuation, "latin-1").partition("?")
    request = HttpRequest(method, path, parse_query(raw_query), raw_query, headers, b"")
    return _framed(request, minor=int(minor))


def parse_query(raw: str) -> Pairs:
    """The decoded pairs of a query string or of a form, in order. Raises ApiFault."""
    if BAD_ESCAPE.search(raw):
        raise _unread("The query string has a broken escape.")
    try:
        return tuple(parse_qsl(raw, keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise _unread("The query string is not UTF-8.") from None


def bucket_in_host(request: HttpRequest) -> str:
    """The bucket that the Host names (S3 User Guide, "Virtual hosting of buckets"), or empty."""
    match = OWN_NAME.fullmatch(request.header("host").lower().partition(":")[0])
    return (match and match["bucket"]) or ""


def read_body(stream: Reader, length: int | None) -> bytes:
    """Read a body of ``length`` bytes, or of chunks if that is None. Raises ApiFault."""
    if length is None:
        return _read_chunks(stream)
    body = stream.read(length) if length else b""
    if len(body) < length:
        sizes = {"NumberBytesExpected": length, "NumberBytesProvided": len(body)}
        raise fault("IncompleteBody", SAYS["too few bytes"], sizes)
    return body


def _headers(stream: Reader) -> Pairs:
    headers: list[tuple[str, str]] = []
    room = MAX_HEAD
    while True:
        line = stream.readline(room + 1)
        room -= len(line)
        if room < 0 or len(headers) > MAX_HEADERS:
            raise fault("RequestHeaderSectionTooLarge", MaxSizeAllowed=MAX_HEAD)
        if line == b"\r\n":
            return tuple(headers)
        match = _HEADER.fullmatch(line.decode("latin-1"))
        if not match:
            raise _unread("A header can't be read.")
        headers.append((match[1], match[2].strip(" \t")))


def _framed(request: HttpRequest, minor: int) -> Head:
    sent = [(name.lower(), value) for name, value in request.headers]
    for name in _FRAMING:
        if sum(one == name for one, _ in sent) > 1:
            raise _unread(f"There is more than one {name} header.")
    host, length, encoding, expect = (dict(sent).get(name) for name in _FRAMING)
    connection = ",".join(value for name, value in sent if name == "connection")
    options = {option.strip().lower() for option in connection.split(",")}
    return Head(
        request,
        host or "",
        length=_length(length, encoding, minor),
        keep_alive="keep-alive" in options if minor == 0 else "close" not in options,
        expects_continue=(expect or "").lower() == "100-continue" and minor == 1,
    )


def _length(length: str | None, encoding: str | None, minor: int) -> int | None:
    if encoding is not None:
        if length is not None or minor == 0:
            raise _unread("The length of the body is given twice.")
        if encoding.lower() != "chunked":
            raise _unread("Transfer-Encoding must be chunked.", 501)
        return None
    if length is not None and not _DIGITS.fullmatch(length):
        raise _unread("The Content-Length is not a number.")
    return int(length or 0)


def _read_chunks(stream: Reader) -> bytes:
    body = bytearray()
    while True:
        match = _CHUNK_SIZE.fullmatch(stream.readline(_MAX_CHUNK_LINE))
        if not match:
            raise _unread("A chunk of the body can't be read.")
        size = int(match[1], 16)
        if not size:
            break
        if len(body) + size > MAX_BODY:
            raise _unread("The body is too large.", 413)
        chunk = stream.read(size)
        if len(chunk) < size or stream.read(2) != b"\r\n":
            raise _unread("A chunk of the body can't be read.")
        body += chunk
    _headers(stream)  # the trailers, which nothing uses
    return bytes(body)
