"""The simulated providers are saved with the account, and never show their keys."""

from __future__ import annotations

import base64
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.sandbox.cases import LEARNER, Account
from tests.sandbox.federation.saml import forging

from stslab.errors import SandboxError
from stslab.sandbox.federation.saml import metadata, minting, names
from stslab.sandbox.state.snapshot import Snapshot, Transaction

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ROLE = f"arn:aws:iam::{LEARNER}:role/r"
PROVIDER = f"arn:aws:iam::{LEARNER}:saml-provider/p"


def minted(account: Account, **body: object) -> str:
    asked = {"role": ROLE, "provider": PROVIDER, "session_name": "ana", **body}
    return str(account.control("POST", "saml/assertion", asked)["assertion"])


def values(encoded: str, name: str) -> list[str]:
    root = forging.read(encoded)
    path = f".//a:Attribute[@Name='{name}']/a:AttributeValue"
    return [each.text for each in root.findall(path, forging.NS)]


def test_a_provider_outlives_a_kill(tmp_path: Path) -> None:
    account = Account.start(tmp_path / "sandbox")
    try:
        before = account.control("POST", "saml/metadata")
        pid = account.endpoint.pid
        os.kill(pid, signal.SIGKILL)
        again = Account.start(tmp_path / "sandbox")
        assert again.endpoint.pid != pid
        assert again.control("POST", "saml/metadata") == before
        issuers = metadata.read(before["metadata"])
        assert list(issuers) == [before["issuer"]]
    finally:
        account.stop()


def test_short_and_whole_names_of_attributes(account: Account) -> None:
    attributes = {"eduPersonAffiliation": ["staff", "faculty"], "PrincipalTag:A": "b", "urn:x": 1}
    encoded = minted(account, attributes=attributes)
    assert values(encoded, "urn:oid:1.3.6.1.4.1.5923.1.1.1.1") == ["staff", "faculty"]
    assert values(encoded, f"{names.TAG}A") == ["b"]
    assert values(encoded, "urn:x") == ["1"]
    assert values(encoded, names.ROLE) == [f"{ROLE},{PROVIDER}"]


@pytest.mark.parametrize(
    "body",
    [
        {"attributes": []},
        {"seconds": "1"},
        {"seconds": True},
        {"seconds": 86401},
        {"session_seconds": -86401},
        {"issuer": "http://idp.example.com"},
        {"issuer": "https://"},
        {"issuer": "https://a b"},
        {"issuer": f"https://{'x' * 1024}"},
        {"subject": "\x00"},
        {"attributes": {"\x01": "x"}},
    ],
    ids=str,
)
def test_invalid_requests_are_refused(account: Account, body: dict[str, object]) -> None:
    with pytest.raises(SandboxError):
        minted(account, **body)


def test_the_number_of_providers_is_limited() -> None:
    made = minting.new("https://idp.example.com", NOW)
    others = (replace(made, entity_id=f"https://{n}") for n in range(99))
    tx = Transaction(Snapshot.of([made, *others]))
    with pytest.raises(SandboxError, match="100 SAML providers at most"):
        minting.provider_of(tx, "https://another.example.com")
    assert minting.provider_of(tx, "https://idp.example.com") is made


def test_nothing_private_is_shown(account: Account) -> None:
    provider = minting.new("https://idp.example.com", NOW)
    assert "PRIVATE" not in repr(provider)
    told = account.control("POST", "saml/metadata")["metadata"]
    told += base64.b64decode(minted(account)).decode()
    assert "PRIVATE" not in told
