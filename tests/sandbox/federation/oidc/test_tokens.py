import base64
import hmac
import json
from datetime import UTC, datetime

import pytest
from tests.sandbox.cases import Account

from stslab.errors import SandboxError
from stslab.sandbox.federation.oidc import tokens
from stslab.sandbox.federation.oidc.issuers import OWN_ISSUER, Issuers

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def issuers() -> Issuers:
    return Issuers()


def key_of(issuers: Issuers, token: tokens.Token) -> dict[str, str]:
    issuer = issuers.find(OWN_ISSUER)
    assert issuer is not None
    key = issuer.key_for(token.header["kid"])
    assert key is not None
    return dict(key)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_minted_token_is_valid(issuers: Issuers, algorithm: str) -> None:
    token = tokens.read(issuers.mint({"sub": "ana", "aud": "app"}, NOW, algorithm=algorithm))
    tokens.verify(token, key_of(issuers, token))
    assert token.claims["iss"] == OWN_ISSUER
    assert token.claims["exp"] - token.claims["iat"] == 3600
    assert token.header["alg"] == algorithm


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_changed_claims_are_found_out(issuers: Issuers, algorithm: str) -> None:
    head, _, signature = issuers.mint({"sub": "ana"}, NOW, algorithm=algorithm).split(".")
    token = tokens.read(f"{head}.{encoded({'sub': 'root'})}.{signature}")
    with pytest.raises(tokens.InvalidToken):
        tokens.verify(token, key_of(issuers, token))


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS512", None, ["RS256"]])
def test_an_algorithm_that_is_not_the_keys_is_refused(issuers: Issuers, algorithm: object) -> None:
    _, claims, signature = issuers.mint({"sub": "ana"}, NOW).split(".")
    token = tokens.read(f"{encoded({'alg': algorithm})}.{claims}.{signature}")
    real = tokens.read(issuers.mint({}, NOW))
    with pytest.raises(tokens.InvalidToken):
        tokens.verify(token, key_of(issuers, real))


def test_the_public_key_as_a_shared_secret_signs_nothing(issuers: Issuers) -> None:
    real = tokens.read(issuers.mint({}, NOW))
    jwk = key_of(issuers, real)
    signed = f"{encoded({'alg': 'HS256', 'kid': jwk['kid']})}.{encoded({'sub': 'root'})}"
    mac = hmac.digest(json.dumps(jwk).encode(), signed.encode(), "sha256")
    forged = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    with pytest.raises(tokens.InvalidToken):
        tokens.verify(tokens.read(forged), jwk)


def test_another_issuers_key_signs_nothing(issuers: Issuers) -> None:
    token = tokens.read(issuers.mint({"sub": "ana"}, NOW, issuer="https://other.example.com"))
    real = tokens.read(issuers.mint({}, NOW))
    with pytest.raises(tokens.InvalidToken):
        tokens.verify(token, key_of(issuers, real))


@pytest.mark.parametrize(
    "text", ["", "a.b", "a.b.c.d", "é.é.é", "..", f"{encoded([])}.{encoded({})}.", "[" * 5000]
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(tokens.InvalidToken):
        tokens.read(text)


@pytest.mark.parametrize("url", ["http://a.example", "https://", "https://a.example?b", "a", ""])
def test_what_is_no_issuer_is_refused(issuers: Issuers, url: str) -> None:
    with pytest.raises(SandboxError):
        issuers.mint({}, NOW, issuer=url)


def test_an_algorithm_that_is_not_offered(issuers: Issuers) -> None:
    with pytest.raises(SandboxError):
        issuers.mint({}, NOW, algorithm="none")


def test_the_documents_of_an_issuer_verify_its_tokens(account: Account) -> None:
    """Of its configuration and its key set, which `stslab sandbox issuer --json` shows."""
    for url in ("https://idp.example.com", "https://idp.example.com/tenant/", "https://gitlab.com"):
        asked = {"issuer": url, "claims": {"sub": "a"}}
        token = tokens.read(account.control("POST", "oidc/token", asked)["token"])
        shown = account.control("POST", "oidc/issuer", {"issuer": url})
        assert shown["configuration"]["issuer"] == url
        assert shown["configuration"]["jwks_uri"] == f"{url.rstrip('/')}/.well-known/jwks"
        (key,) = [one for one in shown["jwks"]["keys"] if one["kid"] == token.header["kid"]]
        tokens.verify(token, key)


def test_the_key_set_holds_nothing_private(issuers: Issuers) -> None:
    issuers.mint({}, NOW, algorithm="ES256")
    issuer = issuers.find(OWN_ISSUER)
    assert issuer is not None
    for key in issuer.jwks()["keys"]:
        assert not {"d", "p", "q", "dp", "dq", "qi"} & set(key)
    assert "PRIVATE" not in repr(issuer)
    assert issuer.configuration()["issuer"] == OWN_ISSUER
