"""What clients do to the servers of issuers, and that it comes to nothing."""

from __future__ import annotations

import random
import socket
import ssl
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.sandbox.direct import Direct
from tests.sandbox.federation.oidc.serving import (
    DOCUMENT,
    HOST,
    LOOPBACK,
    URLS,
    Serving,
    hello,
    status,
)

from stslab.sandbox.federation.oidc import certificates, listener, servers
from stslab.sandbox.federation.oidc.listener import IssuerListener


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (b"\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nBad Header: a\r\n\r\n", 400),
        (b"\xff\xfe\x00\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 300 + b"\r\n", 400),
        (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"A" * 1_000_000, 431),
    ],
)
def test_what_is_no_request_is_refused(serving: Serving, said: bytes, wanted: int) -> None:
    assert status(serving.say(said)) == wanted


def test_a_request_that_stops_in_the_middle(serving: Serving) -> None:
    for said in (b"", b"GET", b"GET / HTTP/1.1\r\nHost: a\r\n"):
        with serving.connect() as connection:
            connection.sendall(said)
            with suppress(OSError):
                connection.unwrap()
    assert serving.json(DOCUMENT)


# Of a name that is not ASCII Python itself says so, and ends the handshake.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. b:pytest.PytestUnraisableExceptionWarning"
)
def test_any_bytes_instead_of_a_handshake(serving: Serving) -> None:
    """A thousand handshakes that are broken: cut, changed, repeated, or never were one."""
    chance, right = random.Random(7), hello()
    ends = 0
    for number in range(1000):
        said = bytearray(right)
        if number % 4 == 0:
            said = bytearray(chance.randbytes(chance.randrange(1, 600)))
        for _ in range(chance.randrange(1, 12)):
            said[chance.randrange(len(said))] = chance.randrange(256)
        if number % 3 == 0:
            del said[chance.randrange(1, len(said) + 1) :]
        with serving.plain() as plain, suppress(OSError):
            plain.sendall(bytes(said) * chance.randrange(1, 3))
            plain.shutdown(socket.SHUT_WR)
            while plain.recv(65536):
                pass
            ends += 1
    assert ends > 500
    assert serving.json(DOCUMENT)["issuer"] == URLS[0]


def test_any_request(serving: Serving) -> None:
    """No request, whatever is changed in it, is answered with 500, or with what is not public."""
    chance = random.Random(11)
    right = f"GET {DOCUMENT} HTTP/1.1\r\nHost: {HOST}\r\nAccept: */*\r\n\r\n".encode()
    seen = set()
    for _ in range(400):
        said = bytearray(right)
        for _ in range(chance.randrange(1, 6)):
            place = chance.randrange(len(said))
            said[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        answer = b""
        with serving.connect() as connection, suppress(OSError):
            connection.sendall(said)
            if b"\r\n\r\n" in said:
                answer = b"".join(iter(lambda to=connection: to.recv(65536), b""))
        seen.add(status(answer))
    assert seen <= {0, 200, 400, 404, 405, 421}
    assert {400, 404} <= seen
    assert serving.json(DOCUMENT)


def test_silent_and_slow_clients_hold_nobody_up(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than there is room for, so that some wait for the end of others."""
    monkeypatch.setattr(listener, "_SECONDS", 2)
    monkeypatch.setattr(listener, "_HANDSHAKE_SECONDS", 1)
    silent = [serving.plain() for _ in range(140)]
    ending = threading.Event()

    def drip(plain: socket.socket) -> None:
        with suppress(OSError):
            for byte in hello():
                plain.sendall(bytes([byte]))
                if ending.wait(0.2):
                    return

    slow = [threading.Thread(target=drip, args=(plain,)) for plain in silent[:10]]
    for thread in slow:
        thread.start()
    try:
        began = time.monotonic()
        assert serving.json(DOCUMENT)
        assert time.monotonic() - began < 10
    finally:
        ending.set()
        for thread in slow:
            thread.join()
        for plain in silent:
            plain.close()


def test_a_handshake_that_is_done_and_then_silence(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_SECONDS", 1)
    with serving.connect() as connection:
        connection.sendall(b"GET ")
        with suppress(OSError):
            assert connection.recv(1) == b""


def test_it_ends_when_it_is_told_to_and_can_be_started_on_a_given_port() -> None:
    direct = Direct()
    servers.reach(direct.world, URLS[0])
    first = IssuerListener(lambda: direct.world)
    serving = Serving(direct.world, first.start())
    port = serving.port
    with serving.connect() as open_still:
        first.stop()
        with suppress(OSError):
            assert open_still.recv(1) == b""
    with pytest.raises(OSError):
        socket.create_connection((LOOPBACK, port), timeout=1)
    second = IssuerListener(lambda: direct.world)
    assert second.start(port) == port
    second.stop()
    second.stop()
    direct.stop()


def test_private_keys_are_never_in_a_file(serving: Serving, monkeypatch: Any) -> None:
    """They go to OpenSSL through a pipe."""
    opened = []
    load = ssl.SSLContext.load_cert_chain

    def seen(context: Any, chain: str, key: str) -> None:
        opened.extend((chain, key))
        load(context, chain, key)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", seen)
    before = set(Path("/dev/fd").iterdir())
    certificates.of(serving.world).change(HOST, "renewed", serving.world.now())
    assert serving.json(DOCUMENT)
    assert [path.rpartition("/")[0] for path in opened] == ["/dev/fd", "/dev/fd"]
    assert len(set(Path("/dev/fd").iterdir()) - before) <= 1
