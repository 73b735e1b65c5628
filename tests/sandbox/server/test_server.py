"""The server over real sockets, with an application that echoes the request."""

import http.client
import json
import resource
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress

import pytest

from stslab.errors import SandboxError
from stslab.sandbox.api import http as reading
from stslab.sandbox.api.model import ApiFault, ApiResponse, HttpRequest
from stslab.sandbox.server import server as serving_module
from stslab.sandbox.server.control import (
    ControlRequest,
    admitted,
)
from stslab.sandbox.server.files import TOKEN_HEADER
from stslab.sandbox.server.server import SandboxServer

BEGUN = threading.Event()
"""Set when a slow request has begun."""


def echo(request: HttpRequest) -> ApiResponse:
    """Answer with the request as JSON; some paths do more."""
    if request.path == "/fail":
        raise ValueError(request.header("x-secret"))
    if request.path == "/head":
        return ApiResponse(200, (("Content-Length", "12345"),))
    if request.path == "/nothing":
        return ApiResponse(204, ())
    if request.path == "/slow":
        BEGUN.set()
        time.sleep(0.2)
    said = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": request.headers,
        "length": len(request.body),
        "body": request.body[:100].decode("latin-1"),
        "source": request.source_ip,
    }
    return ApiResponse(200, (("Content-Type", "application/json"),), json.dumps(said).encode())


@contextmanager
def serving(application=echo, **options):
    server = SandboxServer(application, **options)
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


@pytest.fixture(scope="module")
def server():
    with serving() as one:
        yield one


def ask(server, method="GET", path="/", body=None, **headers):
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request(
            method, path, body, {k.replace("__", "-"): v for k, v in headers.items()}
        )
        response = connection.getresponse()
        return response, response.read()


def raw(server, sent: bytes, *, wait: float = 5) -> bytes:
    """What the server answers to these bytes, until it closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=wait) as connection:
        connection.sendall(sent)
        answer = b""
        while received := connection.recv(65536):
            answer += received
        return answer


def said(server, method="GET", path="/", body=None, **headers):
    response, content = ask(server, method, path, body, **headers)
    assert response.status == 200
    return json.loads(content)


def test_a_request_comes_through_as_it_was_sent(server):
    found = said(server, "PUT", "/b/a%2Fb%20c?x=1%2B&y", b"body", X_meta_a="1", x__meta__b="2")
    assert (found["method"], found["path"]) == ("PUT", "/b/a%2Fb%20c")
    assert found["query"] == [["x", "1+"], ["y", ""]]
    assert (found["body"], found["source"]) == ("body", "127.0.0.1")
    headers = [tuple(pair) for pair in found["headers"]]
    assert ("X_meta_a", "1") in headers
    assert ("x-meta-b", "2") in headers


def test_two_requests_on_one_connection(server):
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        for path in ("/one", "/two"):
            connection.request("GET", path)
            response = connection.getresponse()
            assert json.loads(response.read())["path"] == path
            assert response.headers["Connection"] == "keep-alive"


def test_pipelined_requests(server):
    host = f"Host: localhost:{server.port}\r\n".encode()
    answer = raw(
        server,
        b"GET /one HTTP/1.1\r\n"
        + host
        + b"\r\nGET /two HTTP/1.1\r\n"
        + host
        + b"Connection: close\r\n\r\n",
    )
    assert answer.index(b"/one") < answer.index(b"/two")


def test_head_has_the_length_and_no_body(server):
    response, body = ask(server, "HEAD", "/head")
    assert (response.headers["Content-Length"], body) == ("12345", b"")


def test_no_content_has_no_length(server):
    response, body = ask(server, "DELETE", "/nothing")
    assert (response.status, response.headers["Content-Length"], body) == (204, None, b"")


def test_chunks(server):
    found = said(server, "PUT", "/", iter([b"abc", b"def"]))
    assert (found["length"], found["body"]) == (6, "abcdef")


@pytest.mark.parametrize("length", [0, 5])
def test_a_client_that_expects_100_continue(server, length):
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(
            f"PUT / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: {length}\r\n"
            "Expect: 100-continue\r\nConnection: close\r\n\r\n".encode()
        )
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"x" * length)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "bucket.localhost", "my.bucket.localhost", "s3.localhost",
     "s3.eu-west-1.localhost", "my.bucket.s3.dualstack.us-west-2.localhost"],
)  # fmt: skip
def test_its_own_names(server, host):
    assert said(server, Host=f"{host}:{server.port}")["method"] == "GET"


@pytest.mark.parametrize(
    "host",
    ["evil.example:{}", "127.0.0.1:1", "127.0.0.1", "localhost", "", "127.0.0.1.evil.example:{}",
     "localhost.evil.example:{}", "evil.example#.localhost:{}", ".localhost:{}", "[::1]:{}", "0.0.0.0:{}"],
)  # fmt: skip
def test_other_names_are_refused(server, host):
    sent = f"GET / HTTP/1.1\r\nHost: {host.format(server.port)}\r\n\r\n".encode()
    assert raw(server, sent).startswith(b"HTTP/1.1 421 Misdirected Request\r\n")


def test_the_host_of_a_whole_url_counts(server):
    """RFC 9112, 3.2.2: not the header's."""
    sent, own = "GET http://{}/ HTTP/1.0\r\nHost: {}\r\n\r\n", f"bucket.localhost:{server.port}"
    assert raw(server, sent.format(own, "evil.example").encode()).startswith(b"HTTP/1.1 200")
    assert raw(server, sent.format("evil.example", own).encode()).startswith(b"HTTP/1.1 421")


class At80(SandboxServer):
    port = 80

    def __init__(self):
        """Nothing of a server: only names are asked."""


@pytest.mark.parametrize("host", ["127.0.0.1", "Localhost", "bucket.localhost", "localhost:80"])
def test_port_80_may_be_left_out(host):
    At80().require_own_name(host)


@pytest.mark.parametrize("host", ["", "evil.example", "localhost:81", "localhost:80:80", "[::1]"])
def test_other_names_are_refused_at_port_80(host):
    with pytest.raises(ApiFault, match=r"This is 127\.0\.0\.1:80\."):
        At80().require_own_name(host)


def test_a_request_without_host_is_refused(server):
    assert raw(server, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 421")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
        b"GET //[\x01 HTTP/1.1\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_malformed_requests_are_refused(server, sent):
    """S3's answer in a public thread: versity/versitygw#1364."""
    answer = raw(server, sent)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 505 "))
    said = (
        b"<Error><Code>BadRequest</Code><Message>An error occurred when parsing the HTTP request."
    )
    assert said in answer


def test_a_malformed_body_is_refused_in_its_service_s_form(server):
    form = b"POST / HTTP/1.1\r\nHost: localhost:%d\r\nContent-Type: %s\r\n" % (
        server.port,
        b"application/x-www-form-urlencoded",
    )
    answer = raw(server, form + b"Transfer-Encoding: chunked\r\n\r\n-3\r\n")
    assert b"<ErrorResponse" in answer
    assert b"<Code>BadRequest</Code>" in answer


@pytest.mark.parametrize("path", ["//[", "//", "/b//k", "/../x", "/;a=b", "/a:b@c"])
def test_strange_paths_come_through(server, path):
    assert said(server, "GET", path)["path"] == path


def test_a_client_that_disconnects_is_not_logged(server, caplog):
    for sent in (
        b"",
        b"GET / HT",
        b"PUT / HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 9\r\n\r\nab" % server.port,
    ):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(sent)
    assert said(server)["method"] == "GET"
    assert caplog.records == []


def test_a_body_that_ends_early(server):
    """S3 API Reference, "Error responses" (IncompleteBody)."""
    sent = f"PUT /b/k HTTP/1.1\r\nHost: localhost:{server.port}\r\nContent-Length: 9\r\n\r\nab"
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(sent.encode())
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/xml\r\n")
    assert b"<Code>IncompleteBody</Code>" in answer
    assert b"<NumberBytesExpected>9</NumberBytesExpected>" in answer


def test_a_body_that_is_too_large(server):
    sent = f"PUT /b/k HTTP/1.1\r\nHost: localhost:{server.port}\r\nContent-Length: {reading.MAX_BODY + 1}\r\n\r\n"
    answer = raw(server, sent.encode() + b"x" * 100_000)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"<Code>EntityTooLarge</Code>" in answer
    assert f"<MaxSizeAllowed>{reading.MAX_BODY}</MaxSizeAllowed>".encode() in answer


def test_a_large_body_and_a_large_answer():
    content = bytes(range(256)) * 80_000

    def same(request: HttpRequest) -> ApiResponse:
        return ApiResponse(200, (), request.body)

    with serving(same) as one:
        assert ask(one, "PUT", "/", content)[1] == content


@pytest.mark.parametrize(
    ("service", "code", "named"),
    [
        ("iam", b"InternalFailure", "x-amzn-RequestId"),
        ("s3", b"InternalError", "x-amz-request-id"),
    ],
)
def test_a_failing_application(server, caplog, service, code, named):
    authorization = f"AWS4-HMAC-SHA256 Credential=A/20300101/us-east-1/{service}/aws4_request"
    response, body = ask(
        server, "GET", "/fail", Authorization=authorization, x__secret="wJalrXUtnFEMI/K7MDENG"
    )
    assert response.status == 500
    assert b"<Code>%s</Code>" % code in body
    assert response.headers[named] in caplog.text
    assert "ValueError" in caplog.text
    assert "in echo" in caplog.text
    assert "wJalrXUtnFEMI" not in caplog.text
    assert b"wJalrXUtnFEMI" not in body


def test_many_clients_at_once(server):
    def client(number):
        with closing(
            http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        ) as connection:
            for turn in range(20):
                connection.request("PUT", f"/{number}/{turn}", str(number))
                found = json.loads(connection.getresponse().read())
                assert (found["path"], found["body"]) == (f"/{number}/{turn}", str(number))
        return 20

    with ThreadPoolExecutor(40) as pool:
        assert sum(pool.map(client, range(40))) == 800


def test_silent_connections_do_not_block_others(server):
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    try:
        assert said(server)["method"] == "GET"
    finally:
        for connection in silent:
            connection.close()


@contextmanager
def held(server, count, sent):
    """``count`` clients that send this, and then a byte now and then."""
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(count)]
    ended = threading.Event()

    def drip():
        while not ended.wait(0.2):
            for one in slow:
                with suppress(OSError):
                    one.sendall(b"x")

    dripping = threading.Thread(target=drip)
    try:
        for one in slow:
            one.sendall(sent)
        dripping.start()
        yield slow
    finally:
        ended.set()
        dripping.join()
        for one in slow:
            one.close()


@pytest.mark.parametrize(
    "sent",
    ["GET / HTTP/1.1\r\nHost: ", "POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 9999\r\n\r\n"],
)
def test_slow_clients_do_not_block_others(server, sent):
    with held(server, 80, sent.format(f"127.0.0.1:{server.port}").encode()):
        time.sleep(0.3)
        before = time.monotonic()
        assert said(server)["method"] == "GET"
        assert time.monotonic() - before < 2


def test_a_head_that_never_ends_is_refused(server):
    with held(server, 1, b"GET / HTTP/1.1\r\nX-Slow: ") as (slow,):
        slow.settimeout(10)
        assert slow.recv(100).startswith(b"HTTP/1.1 408")


def test_a_body_that_never_ends_is_refused_as_s3_does(server, monkeypatch):
    """S3 API Reference, "Error responses"."""
    monkeypatch.setattr("stslab.sandbox.server.server._BODY_SECONDS", 1)
    head = f"PUT /b/k HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 10\r\n\r\nabc"
    with held(server, 1, head.encode()) as (slow,):
        slow.settimeout(10)
        said = slow.recv(1000)
        assert said.startswith(b"HTTP/1.1 400")
        assert b"<Code>RequestTimeout</Code>" in said


def test_running_requests_end_before_the_server_does():
    with serving() as one:
        with ThreadPoolExecutor(1) as pool:
            BEGUN.clear()
            slow = pool.submit(ask, one, "GET", "/slow")
            assert BEGUN.wait(10)
            assert one.seconds_idle() == 0
            one.stop()
            assert slow.result()[0].status == 200
        with pytest.raises(OSError, match="refused"):
            ask(one)


def test_a_slow_answer_does_not_hold_up_others(server):
    with ThreadPoolExecutor(20) as pool:
        slow = [pool.submit(ask, server, "GET", "/slow") for _ in range(20)]
        assert BEGUN.wait(10)
        assert said(server)["method"] == "GET"
        assert not all(one.done() for one in slow)
        assert {one.result()[0].status for one in slow} == {200}


def test_one_thread_is_left_when_all_is_answered(server):
    eventually(lambda: threads_of(server) == 1)
    with held(server, 20, b"GET / HTTP/1.1\r\nHost: "):
        eventually(lambda: threads_of(server) > 20)
    eventually(lambda: threads_of(server) == 1)


def test_it_goes_on_after_a_failure_of_its_own(server, monkeypatch, caplog):
    def fail(connection) -> None:
        monkeypatch.undo()
        connection.close()
        raise ValueError("a failure")

    monkeypatch.setattr(server, "put_conn", fail)
    with suppress(OSError, http.client.HTTPException):
        ask(server)
    assert said(server)["method"] == "GET"
    assert "a failure" in caplog.text


def test_silent_connections_are_closed_beside_slow_answers():
    with serving() as one:
        one.timeout = 0.3
        with socket.create_connection(("127.0.0.1", one.port)) as silent:
            for _ in range(5):
                ask(one, "GET", "/slow")
            silent.setblocking(False)
            assert silent.recv(1) == b""


def test_silent_connections_give_way_when_no_file_descriptors_are_left():
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with serving() as one, ExitStack() as opened:
        clients = [opened.enter_context(socket.socket()) for _ in range(5)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (clients[-1].fileno() + 3, limits[1]))
        try:
            for client in clients:
                client.settimeout(10)
                client.connect(("127.0.0.1", one.port))
            client.sendall(head_of(one, 0))
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_it_stops_though_every_thread_answers(monkeypatch):
    monkeypatch.setattr(serving_module, "_MOST_THREADS", 3)
    begun, may_end = threading.Semaphore(0), threading.Event()

    def wait(_: HttpRequest) -> ApiResponse:
        begun.release()
        may_end.wait(10)
        return ApiResponse(200, ())

    with serving(wait) as one, ThreadPoolExecutor(3) as pool:
        one.shutdown_timeout = 0.1
        for _ in range(3):
            pool.submit(ask, one)
        assert all(begun.acquire(timeout=10) for _ in range(3))
        before = time.monotonic()
        one.stop()
        assert time.monotonic() - before < 5
        may_end.set()


def test_seconds_idle():
    with serving() as one:
        ask(one)
        time.sleep(0.05)
        assert 0.04 < one.seconds_idle() < 5


def threads_of(server):
    return [one.name for one in threading.enumerate()].count(f"answers on {server.port}")


def eventually(holds):
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_it_listens_on_loopback_only(server):
    assert server.socket.getsockname()[0] == "127.0.0.1"


# -- control ---------------------------------------------------------------------------------


def refuse(_: ControlRequest):
    raise SandboxError("Not that.", "Do this.")


@pytest.fixture(scope="module")
def controlled():
    def twice(asked: ControlRequest):
        return {"method": asked.method, **asked.arguments, **asked.body}

    verbs = {"twice": twice, "refuse": refuse}

    def application(request: HttpRequest) -> ApiResponse:
        return admitted(request, "the-token", verbs) or echo(request.without({TOKEN_HEADER}))

    with serving(application) as one:
        yield one


def control(server, path, token="the-token", method="GET", body=None):
    response, content = ask(server, method, path, body, **{TOKEN_HEADER: token})
    return response.status, json.loads(content)


def test_a_verb(controlled):
    assert control(controlled, "/_stslab/twice?a=1") == (200, {"method": "GET", "a": "1"})
    assert control(controlled, "/_stslab/twice", method="POST", body=b'{"b": 2}') == (
        200,
        {"method": "POST", "b": 2},
    )


def test_a_verb_that_refuses(controlled):
    assert control(controlled, "/_stslab/refuse") == (
        400,
        {"error": "Not that.", "hint": "Do this."},
    )


def test_no_such_verb(controlled):
    assert control(controlled, "/_stslab/nothing")[0] == 404


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff"])
def test_a_body_that_is_not_an_object(controlled, body):
    assert control(controlled, "/_stslab/twice", method="POST", body=body)[0] == 400


@pytest.mark.parametrize("token", ["", "the-toke", "the-token2", "the-tok\xe9n"])
def test_without_the_token_it_is_a_request_like_any_other(controlled, token):
    status, found = control(controlled, "/_stslab/twice", token)
    assert (status, found["path"]) == (200, "/_stslab/twice")


def test_the_token_works_on_no_other_path_and_is_not_passed_on(controlled):
    _, found = control(controlled, "/bucket/_stslab/twice")
    assert found["path"] == "/bucket/_stslab/twice"
    assert "the-token" not in str(found)


def head_of(server, length: int) -> bytes:
    return f"PUT /b/k HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: {length}\r\n\r\n".encode()


@pytest.mark.parametrize("length", [900_000, 200_000_000])
def test_very_many_slow_uploads_do_not_block_others(length):
    with serving() as one, held(one, 420, head_of(one, length)):
        for _ in range(5):
            assert said(one)["method"] == "GET"


def test_a_large_body_without_valid_credentials_is_not_read():
    read = []

    def application(request):
        read.append(len(request.body))
        return ApiResponse(200, ())

    def refuse(head):
        assert head.body == b""
        return None if head.header("x-known") else ApiResponse(403, (), b"who are you?")

    with serving(application, refuse=refuse) as one:
        assert raw(one, head_of(one, 2_000_000) + bytes(10)).startswith(b"HTTP/1.1 403")
        assert ask(one, "PUT", "/b/k", bytes(2_000_000))[0].status == 403
        assert ask(one, "PUT", "/b/k", bytes(2_000_000), x__known="1")[0].status == 200
        assert ask(one, "PUT", "/b/k", bytes(1_000_000))[0].status == 200
    assert read == [2_000_000, 1_000_000]
