"""The strict reader of HTTP requests: an ambiguous request is refused."""

import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stslab.sandbox.api import http
from stslab.sandbox.api.http import parse_query, read_body, read_head
from stslab.sandbox.api.model import ApiFault

HOST = b"Host: h\r\n"


def _head(sent: bytes):
    return read_head(io.BytesIO(sent))


def test_the_head_of_a_request():
    head = _head(
        b"PUT /b/a%20b?x=1&y=a+b%2B HTTP/1.1\r\nHost: h:1\r\nX_A-b:  v  w \r\nContent-Length: 3\r\n\r\n"
    )
    assert (head.request.method, head.request.path, head.request.raw_query) == (
        "PUT",
        "/b/a%20b",
        "x=1&y=a+b%2B",
    )
    assert head.request.query == (("x", "1"), ("y", "a b+"))
    assert head.request.headers == (("Host", "h:1"), ("X_A-b", "v  w"), ("Content-Length", "3"))
    assert (head.host, head.length, head.keep_alive) == ("h:1", 3, True)


def test_a_path_that_is_not_utf_8_is_left_to_the_service():
    assert _head(b"GET /b/%ff HTTP/1.1\r\n\r\n").request.path == "/b/%ff"


def test_bytes_that_are_not_ascii_need_no_escape():
    """curl sends a key as it is typed. AWS's answer to such a path (JuliaCloud/AWS.jl#592)."""
    request = _head("PUT /b/%25ä😀?prefix=ä HTTP/1.1\r\n\r\n".encode()).request
    assert (request.path, request.raw_query) == ("/b/%25%C3%A4%F0%9F%98%80", "prefix=%C3%A4")
    assert request.query == (("prefix", "ä"),)
    assert _head(b"GET /b/\xff HTTP/1.1\r\n\r\n").request.path == "/b/%FF"


@pytest.mark.parametrize(
    ("scheme", "host"),
    [("http", "127.0.0.1:4566"), ("https", "b.s3.amazonaws.com"), ("http", "[::1]")],
)
def test_a_target_may_be_a_whole_url(scheme, host):
    """Clients of a proxy send it: RFC 9112, 3.2.2; openstack/swift, test_request_target_style."""
    head = _head(f"GET {scheme}://{host}/b/k?acl= HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n".encode())
    assert (head.request.path, head.request.raw_query) == ("/b/k", "acl=")
    assert (head.host, head.request.headers) == (host, (("Host", host), ("A", "b")))


def test_a_connection_that_sends_nothing_is_not_a_request():
    assert _head(b"") is None


@pytest.mark.parametrize(
    ("line", "keeps"),
    [
        (b"GET / HTTP/1.1\r\n", True),
        (b"GET / HTTP/1.0\r\n", False),
        (b"GET / HTTP/1.1\r\nConnection: Close\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n", True),
    ],
)
def test_keep_alive(line, keeps):
    assert _head(line + HOST + b"\r\n").keep_alive is keeps


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\nHost: h\n\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\n\r\n", 400),
        (b"GET http://h HTTP/1.1\r\n\r\n", 400),
        (b"GET ftp://h/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http:// HTTP/1.1\r\n\r\n", 400),
        ("GET http://\xe4/ HTTP/1.1\r\n\r\n".encode("latin-1"), 400),
        (b"GET http://a@h/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http://h/ HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT h:1 HTTP/1.1\r\n\r\n", 400),
        (b"GET /a#b HTTP/1.1\r\n\r\n", 400),
        (b"GET /?a=\xff HTTP/1.1\r\n\r\n", 400),
        (b"GET /?a=%ff HTTP/1.1\r\n\r\n", 400),
        (b"GET /?a=%f HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET /" + b"a" * http.MAX_REQUEST_LINE + b" HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\x00\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b", 400),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (http.MAX_HEADERS + 2) + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * http.MAX_HEAD + b"\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nContent-Length: \r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nTransfer-Encoding: \r\n\r\n", 501),
        (b"PUT / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nContent-Length: 1_0\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 501),
    ],
)
def test_refused(sent, status):
    with pytest.raises(ApiFault) as caught:
        _head(sent)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("value", "expects"),
    [(b"100-continue", True), (b"100-Continue", True), (b"200", False), (b"", False)],
)
def test_expect(value, expects):
    """S3 takes any (ceph/s3-tests, test_object_create_bad_expect_mismatch: "but S3 succeeds!")."""
    assert _head(b"PUT / HTTP/1.1\r\nExpect: " + value + b"\r\n\r\n").expects_continue is expects


def _body(sent: bytes, length: int | None):
    return read_body(io.BytesIO(sent), length)


def test_bodies():
    assert _body(b"abcdef", 3) == b"abc"
    assert _body(b"", 0) == b""
    assert (
        _body(b"3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n", None)
        == b"abc0123456789"
    )


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"3\r\nab",
        b"3\r\nabcX0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"3\nabc\n0\n\n",
        b"3\r\nabc\r\n0\r\nno trailer\r\n\r\n",
        b"ffffffff\r\n",
    ],
)
def test_broken_chunks_are_refused(sent):
    with pytest.raises(ApiFault):
        _body(sent, None)


def test_a_body_that_ends_early_is_refused():
    with pytest.raises(ApiFault, match="IncompleteBody"):
        _body(b"abc", 4)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
@example(b"GET //[ HTTP/1.1\r\n\r\n")
@example(b"\r\n\r\n")
def test_any_bytes_are_a_request_or_refused(sent):
    outcome = _outcome(sent)
    assert outcome is None or outcome.startswith(("/", "4", "5"))


def _outcome(sent: bytes) -> str | None:
    """The path of the request, or the status of the refusal."""
    stream = io.BytesIO(sent)
    try:
        head = read_head(stream)
        if head is None:
            return None
        read_body(stream, head.length)
    except ApiFault as refused:
        return str(refused.status)
    return head.request.path


_piece = st.sampled_from(
    [b"GET", b"PUT", b" ", b"/", b"?", b"%2F", b"%", b"&", b"=", b"HTTP/1.1", b"\r\n", b"Host", b":",
     b"Content-Length", b"1", b"Transfer-Encoding", b"chunked", b"a", b"\xff", b"0", b";", b"\n"]
)  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(st.lists(_piece, max_size=40).map(b"".join))
def test_pieces_of_requests_are_read_or_refused(pieces):
    outcome = _outcome(pieces)
    assert outcome is None or outcome.startswith(("/", "4", "5"))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.text(), st.text()).filter(any), max_size=5))
def test_a_query_string_is_read_as_it_was_written(pairs):
    from urllib.parse import urlencode

    pairs = [
        (a.encode(errors="ignore").decode(), b.encode(errors="ignore").decode()) for a, b in pairs
    ]
    assert parse_query(urlencode(pairs)) == tuple(pairs)
