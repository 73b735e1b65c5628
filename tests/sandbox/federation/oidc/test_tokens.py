import base64
import hmac
import json

import pytest
from tests.sandbox.cases import Account

from stslab.errors import SandboxError
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.federation.oidc import issuers
from stslab.sandbox.federation.oidc.issuers import OWN_ISSUER, mint
from stslab.sandbox.state.identities import Issuer
from stslab.sandbox.state.snapshot import Snapshot, Transaction


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def tx() -> Transaction:
    return Transaction(Snapshot())


def own_issuer(tx: Transaction) -> Issuer:
    issuer = tx.get(Issuer, "", OWN_ISSUER)
    assert issuer is not None
    return issuer


def key_of(tx: Transaction, text: str) -> dict[str, str]:
    header, _ = issuers.read(text)
    return dict(issuers.public_key(own_issuer(tx), header["kid"]))


def test_a_minted_token_is_valid(tx: Transaction) -> None:
    token = mint(tx, {"sub": "ana", "aud": "app"})
    issuers.verify_token(token, key_of(tx, token))
    header, claims = issuers.read(token)
    assert claims["iss"] == OWN_ISSUER
    assert claims["exp"] - claims["iat"] == 3600
    assert header["alg"] == "RS256"


def test_changed_claims_are_detected(tx: Transaction) -> None:
    head, _, signature = mint(tx, {"sub": "ana"}).split(".")
    token = f"{head}.{encoded({'sub': 'root'})}.{signature}"
    with pytest.raises(ApiFault, match="The ID Token provided is not"):
        issuers.verify_token(token, key_of(tx, token))


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS512", None, ["RS256"]])
def test_an_algorithm_that_is_not_the_keys_is_refused(tx: Transaction, algorithm: object) -> None:
    _, claims, signature = mint(tx, {"sub": "ana"}).split(".")
    token = f"{encoded({'alg': algorithm})}.{claims}.{signature}"
    with pytest.raises(ApiFault, match="The ID Token provided is not"):
        issuers.verify_token(token, key_of(tx, mint(tx, {})))


def test_the_public_key_as_a_shared_secret_signs_nothing(tx: Transaction) -> None:
    jwk = key_of(tx, mint(tx, {}))
    signed = f"{encoded({'alg': 'HS256', 'kid': jwk['kid']})}.{encoded({'sub': 'root'})}"
    mac = hmac.digest(json.dumps(jwk).encode(), signed.encode(), "sha256")
    forged = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    with pytest.raises(ApiFault, match="The ID Token provided is not"):
        issuers.verify_token(forged, jwk)


def test_another_issuers_key_signs_nothing(tx: Transaction) -> None:
    token = mint(tx, {"sub": "ana"}, issuer="https://other.example.com")
    with pytest.raises(ApiFault, match="The ID Token provided is not"):
        issuers.verify_token(token, key_of(tx, mint(tx, {})))


@pytest.mark.parametrize(
    "text", ["", "a.b", "a.b.c.d", "é.é.é", "..", f"{encoded([])}.{encoded({})}.", "[" * 5000]
)
def test_malformed_tokens_are_refused(text: str) -> None:
    with pytest.raises(ApiFault, match="The ID Token provided is not"):
        issuers.read(text)


@pytest.mark.parametrize("url", ["http://a.example", "https://", "https://a.example?b", "a", ""])
def test_invalid_issuer_urls_are_refused(tx: Transaction, url: str) -> None:
    with pytest.raises(SandboxError):
        mint(tx, {}, issuer=url)


def test_the_documents_of_an_issuer_verify_its_tokens(account: Account) -> None:
    """The configuration and key set are those that `stslab sandbox issuer --json` shows."""
    for url in ("https://idp.example.com", "https://idp.example.com/tenant/", "https://gitlab.com"):
        asked = {"issuer": url, "claims": {"sub": "a"}}
        token = account.control("POST", "oidc/token", asked)["token"]
        header, _ = issuers.read(token)
        shown = account.control("POST", "oidc/issuer", {"issuer": url})
        assert shown["configuration"]["issuer"] == url
        assert shown["configuration"]["jwks_uri"] == f"{url.rstrip('/')}/.well-known/jwks"
        (key,) = [one for one in shown["jwks"]["keys"] if one["kid"] == header["kid"]]
        issuers.verify_token(token, key)


def test_the_key_set_holds_nothing_private(tx: Transaction) -> None:
    mint(tx, {})
    issuer = own_issuer(tx)
    shown = issuers.jwks(issuer)["keys"]
    assert {key["kty"] for key in shown} == {"RSA"}
    for key in shown:
        assert not {"d", "p", "q", "dp", "dq", "qi"} & set(key)
    assert "PRIVATE" not in f"{issuer!r}{issuer.keys!r}"
    assert issuers.configuration(issuer)["issuer"] == OWN_ISSUER
