"""The servers of issuers: their certificates, which are trusted, and what is saved."""

from __future__ import annotations

import json
from contextlib import closing, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from msgspec.structs import replace
from tests.sandbox.cases import Account
from tests.sandbox.direct import Direct

from stslab.errors import SandboxError
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.federation.oidc import certificates as making
from stslab.sandbox.federation.oidc import issuers
from stslab.sandbox.federation.oidc.certificates import verify
from stslab.sandbox.state.identities import Issuer, IssuerServer, PublicAuthority
from stslab.sandbox.state.snapshot import Snapshot, Transaction
from stslab.sandbox.state.state import State
from stslab.sandbox.state.store import Store
from stslab.vocabulary import CERTIFICATES

NOW = datetime.now(UTC)
HOST, URL = "idp.example.com", "https://idp.example.com"
WRONG = "0" * 40
MISMATCHED = "The web identity token provided could not be validated"
UNREACHED = "Couldn't retrieve verification key from your identity provider"


@pytest.fixture
def tx() -> Transaction:
    """An empty account."""
    return Transaction(Snapshot())


def moved(tx: Transaction, days: int) -> Transaction:
    """The same account, so many days from now."""
    tx.put(replace(tx.settings, clock_offset=days * 86400.0))
    return tx


def trusted_role(iam: Any, name: str, url: str = URL) -> str:
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{url[8:]}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": trust})
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
    return str(made["Role"]["Arn"])


def assume(sts: Any, role: str, token: str) -> Any:
    return sts.assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="me", WebIdentityToken=token
    )


def refusal(sts: Any, role: str, token: str) -> str:
    with pytest.raises(ClientError) as refused:
        assume(sts, role, token)
    assert refused.value.response["Error"]["Code"] == "InvalidIdentityToken"
    return str(refused.value.response["Error"]["Message"])


# -- what is shown and what is believed ----------------------------------------------------


def test_a_private_chain_is_its_own_authoritys(tx: Transaction) -> None:
    shown = issuers.server_of(tx, HOST)
    leaf, authority = map(x509.load_pem_x509_certificate, shown.chain)
    leaf.verify_directly_issued_by(authority)
    authority.verify_directly_issued_by(authority)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [HOST]
    assert leaf.not_valid_before_utc < NOW < leaf.not_valid_after_utc < NOW + timedelta(days=399)
    assert issuers.server_of(tx, HOST) is shown
    assert issuers.server_of(tx, "other.example.com").authority != shown.authority
    assert issuers.roots(tx) == ()


def test_a_public_chain_ends_below_a_root_that_is_not_sent(tx: Transaction) -> None:
    shown = issuers.server_of(tx, "gitlab.com")
    (root,) = issuers.roots(tx)
    assert root not in shown.chain
    verify("gitlab.com", shown.chain, [root], [], NOW)
    assert issuers.server_of(tx, "a.auth0.com").authority == shown.authority


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_each_kind_of_certificate(tx: Transaction, kind: str) -> None:
    before = issuers.server_of(tx, HOST)
    thumbprint = making.thumbprint(before.authority.pem)
    after = issuers.change(tx, HOST, kind)
    assert after.leaf != before.leaf
    assert issuers.server_of(tx, HOST) is after
    expected = {"new-ca": MISMATCHED, "wrong-host": UNREACHED, "forged": UNREACHED}
    if kind in expected:
        with pytest.raises(ApiFault, match=expected[kind]):
            issuers.verify(tx, URL, [thumbprint])
    else:
        issuers.verify(tx, URL, [thumbprint])
    issuers.change(tx, HOST, "renewed")
    assert issuers.server_of(tx, HOST).authority == after.authority


def test_a_certificate_is_valid_by_the_accounts_clock_and_by_the_machines() -> None:
    for away in (-3000, 3000):
        shown = issuers.server_of(moved(Transaction(Snapshot()), days=away), HOST)
        thumbprint = making.thumbprint(shown.authority.pem)
        for now in (NOW + timedelta(days=away), NOW):
            verify(HOST, shown.chain, [], [thumbprint], now)


@pytest.mark.parametrize(
    ("days", "is_valid"), [(-2, False), (0, True), (397, True), (399, False), (4000, False)]
)
def test_when_a_chain_is_valid(tx: Transaction, days: int, is_valid: bool) -> None:
    thumbprint = making.thumbprint(issuers.server_of(tx, HOST).authority.pem)
    with nullcontext() if is_valid else pytest.raises(ApiFault, match=UNREACHED):
        issuers.verify(moved(tx, days), URL, [thumbprint])


def test_authorities_outlast_the_accounts_clock(tx: Transaction) -> None:
    for host, kind in ((HOST, "renewed"), ("gitlab.com", "trusted")):
        old = issuers.server_of(tx, host).authority
        new = issuers.change(moved(tx, days=3650), host, kind)
        assert new.authority == old
        issuers.verify(tx, f"https://{host}", [making.thumbprint(old.pem)])
        moved(tx, days=0)


def test_an_unknown_kind_of_certificate_is_refused(tx: Transaction) -> None:
    with pytest.raises(SandboxError, match="'revoked'"):
        issuers.change(tx, HOST, "revoked")


def test_an_untrusted_chain_is_refused(tx: Transaction) -> None:
    """The right thumbprint does not help a server whose chain it did not sign."""
    mine, other = issuers.server_of(tx, HOST), issuers.server_of(tx, "other.example.com")
    public = issuers.server_of(tx, "gitlab.com")
    roots, right = issuers.roots(tx), making.thumbprint(mine.authority.pem)
    for leaf, authority in ((other.leaf, mine.authority), (mine.leaf, other.authority)):
        with pytest.raises(ApiFault, match=f"{UNREACHED}|{MISMATCHED}"):
            verify(HOST, [leaf, authority.pem], roots, [right], NOW)
    with pytest.raises(ApiFault, match=UNREACHED):
        verify(HOST, [mine.leaf, public.authority.pem], roots, [], NOW)
    with pytest.raises(ApiFault, match=UNREACHED):
        verify("elsewhere.example.com", public.chain, roots, [], NOW)
    with pytest.raises(ApiFault, match=MISMATCHED):
        verify(HOST, mine.chain, roots, [], NOW)
    with pytest.raises(ApiFault, match=MISMATCHED):
        verify("gitlab.com", public.chain, [], [right], NOW)


def test_nothing_private_is_shown(tx: Transaction) -> None:
    shown = issuers.server_of(tx, "gitlab.com")
    public = tx.get(PublicAuthority, "", "")
    assert public is not None
    assert "PRIVATE" not in f"{shown!r}{shown.authority!r}{public!r}{public.root!r}"
    assert b"PRIVATE" not in b"".join(shown.chain)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://IdP.example.com", HOST),
        ("https://idp.example.com:8443/tenant", HOST),
        ("https://a-b.c/", "a-b.c"),
        ("https://192.0.2.1", ""),
        ("https://[::1]", ""),
        ("https://a_b.example.com", ""),
        ("https://-a.example.com", ""),
        ("https://user@a.example.com", ""),
        ("https://bücher.example", ""),
        (f"https://{'a' * 64}.example", ""),
        (f"https://{'a.' * 130}example", ""),
        ("https://a..b", ""),
        ("https://", ""),
    ],
)
def test_the_host_of_an_issuer(url: str, host: str) -> None:
    assert issuers.host_of(url) == host
    if host:
        making.server(host, NOW, making.authority("CA", NOW))


@pytest.mark.parametrize(
    ("host", "is_public"),
    [
        ("token.actions.githubusercontent.com", True),
        ("tenant.eu.auth0.com", True),
        ("b.s3.us-west-2.amazonaws.com", True),
        ("s3-eu-west-1.amazonaws.com", True),
        ("s3.cn-north-1.amazonaws.com.cn", True),
        ("auth0.com.example.com", False),
        ("eviltoken.actions.githubusercontent.com", False),
        ("token.actions.githubusercontent.com.example.com", False),
        ("notgitlab.com", False),
        ("idp.example.com", False),
        ("evil-auth0.com", False),
        ("s3.amazonaws.com.example.com", False),
    ],
)
def test_whose_certificates_are_public(tx: Transaction, host: str, is_public: bool) -> None:
    issuers.server_of(tx, host)
    assert bool(issuers.roots(tx)) is is_public


def test_a_name_of_any_length_has_a_certificate(tx: Transaction) -> None:
    host = f"{'a' * 63}.{'b' * 63}.{'c' * 63}.example.com"
    shown = issuers.server_of(tx, host)
    verify(host, shown.chain, [], [making.thumbprint(shown.authority.pem)], NOW)


# -- what is kept ---------------------------------------------------------------------------


def test_certificates_are_kept_with_the_account(tmp_path: Path) -> None:
    store = Store(tmp_path / "account.sqlite")
    state = State(store.load(), store)
    with state.transaction() as tx:
        before = issuers.reach(tx, URL), issuers.reach(tx, "https://gitlab.com/team")
    with state.transaction() as tx:
        renewed = issuers.change(tx, HOST, "renewed")
    store.close()
    with closing(Store(tmp_path / "account.sqlite")) as store:
        tx = Transaction(store.load())
    assert issuers.reach(tx, URL) == renewed != before[0]
    assert issuers.reach(tx, "https://gitlab.com") == before[1]
    assert making.has_signed(issuers.roots(tx)[0], before[1].authority.pem)


def test_an_unknown_server_gives_no_keys_and_is_not_created(direct: Direct) -> None:
    iam = direct.client("iam")
    iam.create_open_id_connect_provider(Url=URL, ClientIDList=["app"], ThumbprintList=[WRONG])
    role = trusted_role(iam, "web")
    forged = issuers.mint(Transaction(Snapshot()), {"sub": "a", "aud": "app"}, issuer=URL)
    assert UNREACHED in refusal(direct.client("sts", "nobody"), role, forged)
    assert direct.record(Issuer, URL, "") is None
    assert direct.record(IssuerServer, HOST, "") is None


def test_the_thumbprints_of_a_stacks_provider_count(account: Account, fresh: str) -> None:
    stacks, anyone = account.client("cloudformation", "admin"), account.client("sts", "anonymous")
    iam = account.client("iam", "admin")
    for name, url in (
        ("p", f"https://p-{fresh}.example.com"),
        ("q", f"https://q-{fresh}.auth0.com"),
    ):
        properties: dict[str, Any] = {"Url": url, "ClientIdList": ["app"]}
        template = {"Type": "AWS::IAM::OIDCProvider", "Properties": properties}

        def body(template: Any = template) -> str:
            return json.dumps({"Resources": {"Provider": template}})

        stack = f"{name}-{fresh}"
        stacks.create_stack(StackName=stack, TemplateBody=body())
        stacks.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
        shown = account.control("POST", "oidc/issuer", {"issuer": url})
        arn = f"arn:aws:iam::111122223333:oidc-provider/{url[8:]}"
        kept = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        assert kept["ThumbprintList"] == [shown["thumbprint"]]
        role = trusted_role(iam, stack, url)
        asked = {"issuer": url, "claims": {"sub": "a", "aud": "app"}}
        token = account.control("POST", "oidc/token", asked)["token"]
        assert assume(anyone, role, token)
        properties["ThumbprintList"] = [WRONG]
        stacks.update_stack(StackName=stack, TemplateBody=body())
        stacks.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
        if shown["trusted"]:
            assert assume(anyone, role, token)
        else:
            assert MISMATCHED in refusal(anyone, role, token)
        properties["ThumbprintList"] = [WRONG, shown["thumbprint"].upper()]
        stacks.update_stack(StackName=stack, TemplateBody=body())
        stacks.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
        assert assume(anyone, role, token)


def test_too_many_hosts_are_refused(direct: Direct, monkeypatch: Any) -> None:
    monkeypatch.setattr(issuers, "_MOST_ISSUERS", 1)
    iam = direct.client("iam")
    iam.create_open_id_connect_provider(Url=URL)
    with pytest.raises(ClientError) as refused:
        iam.create_open_id_connect_provider(Url="https://second.example.com")
    assert refused.value.response["Error"]["Code"] == "OpenIdIdpCommunicationError"
    assert len(iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]) == 1
