"""The servers of issuers over TLS on the loopback: what they show, and that they show no more."""

from __future__ import annotations

import json
import logging
import random
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.sandbox.cases import Account
from tests.sandbox.inside.direct import Direct
from tests.sandbox.oidc.test_servers import assume, refusal, trusted_role

from stslab.sandbox.account import World
from stslab.sandbox.oidc import certificates, listener, servers, tokens
from stslab.sandbox.oidc.issuers import Issuers
from stslab.sandbox.oidc.listener import IssuerListener

HOST = "idp.example.com"
URLS = (f"https://{HOST}", f"https://{HOST}/tenant/one/", "https://gitlab.com")
DOCUMENT = "/.well-known/openid-configuration"
LOOPBACK = "127.0.0.1"


@dataclass
class Serving:
    """A world whose issuers are served, and the port."""

    world: World
    port: int

    def context(self, host: str) -> ssl.SSLContext:
        """A client that trusts the CA of this host, and nobody else."""
        server = certificates.of(self.world).find(host)
        assert server is not None
        root = servers.trusted_root(self.world, server) or (server.authority.pem,)
        context = ssl.create_default_context(cadata=root[0].decode())
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    def plain(self) -> socket.socket:
        plain = socket.create_connection((LOOPBACK, self.port), timeout=15)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain

    def connect(self, host: str = HOST, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        return (context or self.context(host)).wrap_socket(self.plain(), server_hostname=host)

    def say(self, content: bytes, host: str = HOST) -> bytes:
        """What is answered to what is said, until the server closes."""
        with self.connect(host) as connection:
            connection.sendall(content)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def ask(self, path: str, host: str = HOST, method: str = "GET", also: str = "") -> bytes:
        return self.say(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{also}\r\n".encode(), host)

    def json(self, path: str, host: str = HOST) -> Any:
        head, _, body = self.ask(path, host).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n"), head
        return json.loads(body)


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    direct = Direct()
    for url in URLS:
        servers.reach(direct.world, url)
        direct.world.part("oidc", Issuers).mint({"sub": "a"}, direct.world.now(), issuer=url)
    served = IssuerListener(lambda: direct.world)
    yield Serving(direct.world, served.start())
    served.stop()
    direct.stop()


@pytest.fixture(autouse=True)
def nothing_went_wrong_inside(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a client does is none of the sandbox's errors."""
    caplog.set_level(logging.INFO)
    yield
    told = [record for record in caplog.records if record.name in (listener.__name__, "asyncio")]
    assert [record.getMessage() for record in told if record.levelno >= logging.INFO] == []


def status(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found[1]) if found else 0


def believing() -> ssl.SSLContext:
    """A client that believes everybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


# -- what it shows --------------------------------------------------------------------------


@pytest.mark.parametrize("url", URLS)
def test_the_documents_of_an_issuer_verify_its_tokens(serving: Serving, url: str) -> None:
    host, _, path = url.removeprefix("https://").rstrip("/").partition("/")
    path = f"/{path}" if path else ""
    said = serving.json(path + DOCUMENT, host)
    assert said["issuer"] == url
    assert said["jwks_uri"].startswith(f"https://{host}{path}/.well-known/")
    keys = serving.json(said["jwks_uri"].removeprefix(f"https://{host}"), host)["keys"]
    issuers = serving.world.part("oidc", Issuers)
    token = tokens.read(issuers.mint({"sub": "a"}, serving.world.now(), issuer=url))
    (key,) = [one for one in keys if one["kid"] == token.header["kid"]]
    tokens.verify(token, key)
    assert not {"d", "p", "q"} & set(key)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_it_is_verified_by_whoever_trusts_its_ca(serving: Serving, version: Any) -> None:
    context = serving.context(HOST)
    context.maximum_version = version
    with serving.connect(HOST, context) as connection:
        leaf = ssl.PEM_cert_to_DER_cert(certificates.of(serving.world).find(HOST).leaf.pem.decode())
        assert connection.getpeercert(binary_form=True) == leaf
    with pytest.raises(ssl.SSLCertVerificationError):
        serving.connect("gitlab.com", serving.context(HOST))


def test_a_changed_certificate_is_shown_at_once(serving: Serving) -> None:
    before = serving.context(HOST)
    serving.connect(HOST, before).close()
    certificates.of(serving.world).change(HOST, "new-ca", serving.world.now())
    with pytest.raises(ssl.SSLCertVerificationError):
        serving.connect(HOST, before)
    serving.connect().close()
    certificates.of(serving.world).change(HOST, "wrong-host", serving.world.now())
    with pytest.raises(ssl.SSLCertVerificationError, match="ostname"):
        serving.connect()
    certificates.of(serving.world).change(HOST, "forged", serving.world.now())
    with pytest.raises(ssl.SSLCertVerificationError):
        serving.connect()
    certificates.of(serving.world).change(HOST, "renewed", serving.world.now())
    assert serving.json(DOCUMENT)["issuer"] == URLS[0]


def test_head_shows_no_body(serving: Serving) -> None:
    for path, wanted in ((DOCUMENT, 200), ("/", 404)):
        answer = serving.ask(path, method="HEAD")
        assert status(answer) == wanted
        assert answer.endswith(b"\r\n\r\n")


def test_an_issuer_whose_url_ends_in_a_slash_is_the_one_that_signs(serving: Serving) -> None:
    """As those of Auth0; IAM, which keeps no slash, has asked for its thumbprint before."""
    host = "tenant.auth0.com"
    servers.reach(serving.world, f"https://{host}")
    assert serving.json(DOCUMENT, host)["issuer"] == f"https://{host}"
    issuers = serving.world.part("oidc", Issuers)
    issuers.mint({"sub": "a"}, serving.world.now(), issuer=f"https://{host}/")
    assert serving.json(DOCUMENT, host)["issuer"] == f"https://{host}/"
    assert len(serving.json("/.well-known/jwks", host)["keys"]) == 1


# -- what it does not show ------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [None, "unknown.example.com", "xn--bcher-kva.example", "a." * 100 + "b"]
)
def test_an_unknown_name_is_told_so_and_makes_nothing(serving: Serving, name: str | None) -> None:
    context = believing()
    with serving.plain() as plain, pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        context.wrap_socket(plain, server_hostname=name)
    assert certificates.of(serving.world).find(str(name)) is None
    assert serving.world.part("oidc", Issuers).find(f"https://{name}") is None


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/", 404),
        ("/_stslab/health", 404),
        ("/_stslab/oidc/issuer", 404),
        ("/?Action=GetCallerIdentity&Version=2011-06-15", 404),
        ("/moto-api/data.json", 404),
        ("/bucket/key", 404),
        ("/tenant/one", 404),
        (f"/tenant{DOCUMENT}", 404),
        (f"/tenant/one/..{DOCUMENT}", 404),
        (f"//tenant/one{DOCUMENT}", 404),
        ("/.well-known/../.well-known/jwks", 404),
        ("/%2ewell-known/jwks", 404),
        ("/.well-known/jwks/", 404),
        (f"{DOCUMENT}?x=y", 200),
        ("/tenant/one/.well-known/jwks", 200),
        ("/%zz", 400),
    ],
)
def test_only_documents_are_there(serving: Serving, path: str, wanted: int) -> None:
    answer = serving.ask(path, also="X-Stslab-Control: anything\r\n")
    assert status(answer) == wanted
    assert b"PRIVATE" not in answer


def test_the_control_token_opens_nothing_here(account: Account) -> None:
    shown = account.control("POST", "oidc/issuer", {"issuer": f"https://{HOST}"})
    port = account.control("POST", "oidc/serve")["port"]
    assert account.control("POST", "oidc/serve")["port"] == port != account.endpoint.port
    token = (account.folder / "control.token").read_text()
    context = ssl.create_default_context(cadata=shown["certificates"][-1]["pem"])
    for path in ("/_stslab/health", "/_stslab/admin-key", "/_stslab/stop", "/"):
        for method in ("GET", "POST"):
            with (
                socket.create_connection((LOOPBACK, port), timeout=15) as plain,
                context.wrap_socket(plain, server_hostname=HOST) as connection,
            ):
                asked = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nX-Stslab-Control: {token}"
                connection.sendall(f"{asked}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
                answer = b"".join(iter(lambda to=connection: to.recv(65536), b""))
            assert status(answer) == (404 if method == "GET" else 405)
    assert account.control("GET", "health")["port"] == account.endpoint.port


def test_it_listens_on_the_loopback_only(serving: Serving) -> None:
    others = [family[4][0] for family in socket.getaddrinfo(socket.gethostname(), None)]
    for address in {*others, "127.0.0.2"} - {LOOPBACK, "::1"}:
        with pytest.raises(OSError), socket.create_connection((address, serving.port), 1):
            pass


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT"])
def test_it_is_only_read(serving: Serving, method: str) -> None:
    assert status(serving.ask(DOCUMENT, method=method)) == 405


@pytest.mark.parametrize("host", ["gitlab.com", LOOPBACK, "localhost", "", f"{HOST}.evil.example"])
def test_another_host_in_the_request_is_misdirected(serving: Serving, host: str) -> None:
    asked = f"GET {DOCUMENT} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    assert status(serving.say(asked)) == 421


# -- what it outlives -----------------------------------------------------------------------


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


def hello() -> bytes:
    """What a client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = believing().wrap_bio(incoming, outgoing, server_hostname=HOST)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


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


# -- with the tools of AWS's page -------------------------------------------------------------


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")
def test_openssl_gives_the_thumbprint_that_works(
    account: Account, fresh: str, tmp_path: Path
) -> None:
    """As in "Obtain the thumbprint for an OpenID Connect identity provider", step by step."""
    host = f"keys-{fresh}.example.com"
    url = f"https://{host}"
    token = account.control(
        "POST", "oidc/token", {"issuer": url, "claims": {"sub": "a", "aud": "app"}}
    )["token"]
    port = account.control("POST", "oidc/serve")["port"]
    iam, anyone = account.client("iam", "admin"), account.client("sts", "anonymous")
    made = iam.create_open_id_connect_provider(
        Url=url, ClientIDList=["app"], ThumbprintList=["0" * 40]
    )
    role = trusted_role(iam, f"openssl-{fresh}", url)
    assert "configured thumbprint" in refusal(anyone, role, token)
    connect = f"openssl s_client -servername {host} -showcerts -connect {LOOPBACK}:{port}"
    shown = run(connect.split())
    last = re.findall(
        "-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", shown, re.DOTALL
    )[-1]
    (tmp_path / "certificate.crt").write_text(last)
    told = run(
        ["openssl", "x509", "-in", str(tmp_path / "certificate.crt"), "-fingerprint", "-sha1",
         "-noout"]
    )  # fmt: skip
    thumbprint = told.strip().partition("=")[2].replace(":", "")
    assert re.fullmatch("[0-9A-F]{40}", thumbprint)
    iam.update_open_id_connect_provider_thumbprint(
        OpenIDConnectProviderArn=made["OpenIDConnectProviderArn"], ThumbprintList=[thumbprint]
    )
    assert assume(anyone, role, token)["Audience"] == "app"
    verified = run([*connect.split(), "-CAfile", str(tmp_path / "certificate.crt"),
                    "-verify_hostname", host, "-verify_return_error"])  # fmt: skip
    assert "Verify return code: 0 (ok)" in verified


def run(words: list[str]) -> str:
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
