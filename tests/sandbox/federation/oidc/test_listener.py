"""The servers of issuers over TLS on the loopback: what they show, and that they show no more."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest
from tests.sandbox.cases import Account
from tests.sandbox.federation.oidc.serving import (
    DOCUMENT,
    HOST,
    LOOPBACK,
    URLS,
    Serving,
    believing,
    status,
)

from stslab.sandbox.federation.oidc import certificates, servers, tokens
from stslab.sandbox.federation.oidc.issuers import Issuers

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
