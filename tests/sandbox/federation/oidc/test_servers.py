"""The servers of issuers: what they show, what is believed, and what is kept of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from tests.sandbox.cases import Account
from tests.sandbox.direct import Direct

from stslab.errors import SandboxError
from stslab.sandbox.federation.oidc import certificates, hosts, servers
from stslab.sandbox.federation.oidc import x509_making as making
from stslab.sandbox.federation.oidc.issuers import Issuers
from stslab.sandbox.federation.oidc.verification import NotVerified, UnknownAuthority, verify
from stslab.sandbox.saved.persistence.memory import Memory
from stslab.sandbox.server.assembly import assemble

NOW = datetime.now(UTC)
HOST, URL = "idp.example.com", "https://idp.example.com"
WRONG = "0" * 40
UNREACHED = "Couldn't retrieve verification key from your identity provider"


@pytest.fixture
def direct() -> Iterator[Direct]:
    account = Direct()
    yield account
    account.stop()


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


def test_a_private_chain_is_its_own_authoritys() -> None:
    kept = certificates.Certificates()
    shown = kept.get(HOST, NOW)
    leaf, authority = map(x509.load_pem_x509_certificate, shown.chain)
    leaf.verify_directly_issued_by(authority)
    authority.verify_directly_issued_by(authority)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [HOST]
    assert leaf.not_valid_before_utc < NOW < leaf.not_valid_after_utc < NOW + timedelta(days=399)
    assert kept.get(HOST, NOW) is shown
    assert kept.get("other.example.com", NOW).authority != shown.authority
    assert kept.roots() == ()


def test_a_public_chain_ends_below_a_root_that_is_not_sent() -> None:
    kept = certificates.Certificates()
    shown = kept.get("gitlab.com", NOW)
    (root,) = kept.roots()
    assert root not in shown.chain
    verify("gitlab.com", shown.chain, [root], [], NOW)
    assert kept.get("a.auth0.com", NOW).authority == shown.authority


@pytest.mark.parametrize("kind", certificates.KINDS)
def test_each_kind_of_certificate(kind: str) -> None:
    kept = certificates.Certificates()
    before = kept.get(HOST, NOW)
    thumbprint = making.thumbprint(before.authority.pem)
    after = kept.change(HOST, kind, NOW)
    assert after.leaf != before.leaf
    assert kept.get(HOST, NOW) == after
    expected = {"new-ca": UnknownAuthority, "wrong-host": NotVerified, "forged": NotVerified}
    if kind in expected:
        with pytest.raises(expected[kind]):
            verify(HOST, after.chain, kept.roots(), [thumbprint], NOW)
    else:
        verify(HOST, after.chain, kept.roots(), [thumbprint], NOW)
    kept.change(HOST, "renewed", NOW)
    assert kept.get(HOST, NOW).authority == after.authority


def test_a_certificate_is_valid_by_the_accounts_clock_and_by_the_machines() -> None:
    for away in (-3000, 3000):
        moved = NOW + timedelta(days=away)
        shown = certificates.Certificates().get(HOST, moved)
        thumbprint = making.thumbprint(shown.authority.pem)
        for now in (moved, NOW):
            verify(HOST, shown.chain, [], [thumbprint], now)


def test_when_a_chain_is_valid() -> None:
    shown = certificates.Certificates().get(HOST, NOW)
    thumbprint = making.thumbprint(shown.authority.pem)
    for days, is_valid in ((-2, False), (0, True), (397, True), (399, False), (4000, False)):
        now = NOW + timedelta(days=days)
        if is_valid:
            verify(HOST, shown.chain, [], [thumbprint], now)
        else:
            with pytest.raises(NotVerified):
                verify(HOST, shown.chain, [], [thumbprint], now)


def test_an_authority_that_has_expired_signs_nothing_more() -> None:
    kept = certificates.Certificates()
    kept.get(HOST, NOW)
    late = NOW + timedelta(days=3650)
    with pytest.raises(SandboxError, match="not valid any more"):
        kept.change(HOST, "renewed", late)
    fresh = kept.change(HOST, "new-ca", late)
    verify(HOST, fresh.chain, [], [making.thumbprint(fresh.authority.pem)], late)


def test_another_kind_of_certificate_is_none() -> None:
    with pytest.raises(SandboxError, match="'revoked'"):
        certificates.Certificates().change(HOST, "revoked", NOW)


def test_nothing_vouches_for_a_chain_of_strangers() -> None:
    """A thumbprint that is right does not help a server that can't show what it signed."""
    kept = certificates.Certificates()
    mine, other = kept.get(HOST, NOW), kept.get("other.example.com", NOW)
    public = kept.get("gitlab.com", NOW)
    right = making.thumbprint(mine.authority.pem)
    for leaf, authority in ((other.leaf, mine.authority), (mine.leaf, other.authority)):
        with pytest.raises((NotVerified, UnknownAuthority)):
            verify(HOST, [leaf, authority.pem], kept.roots(), [right], NOW)
    with pytest.raises(NotVerified):
        verify(HOST, [mine.leaf, public.authority.pem], kept.roots(), [], NOW)
    with pytest.raises(NotVerified):
        verify("elsewhere.example.com", public.chain, kept.roots(), [], NOW)
    with pytest.raises(UnknownAuthority):
        verify(HOST, mine.chain, kept.roots(), [], NOW)
    with pytest.raises(UnknownAuthority):
        verify("gitlab.com", public.chain, [], [right], NOW)


def test_nothing_private_is_shown() -> None:
    kept = certificates.Certificates()
    shown = kept.get(HOST, NOW)
    assert "PRIVATE" not in repr(shown) + repr(kept)
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
    assert hosts.of(url) == host
    if host:
        making.server(host, NOW, making.authority("CA", NOW, 10))


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
def test_whose_certificates_are_public(host: str, is_public: bool) -> None:
    assert hosts.is_public(host) is is_public


def test_a_name_of_any_length_has_a_certificate() -> None:
    host = f"{'a' * 63}.{'b' * 63}.{'c' * 63}.example.com"
    shown = certificates.Certificates().get(host, NOW)
    verify(host, shown.chain, [], [making.thumbprint(shown.authority.pem)], NOW)


# -- what is kept ---------------------------------------------------------------------------


def test_certificates_are_kept_with_the_account(tmp_path: Path) -> None:
    first = Memory(tmp_path / "account.sqlite")
    world = first.open()
    before = servers.reach(world, URL), servers.reach(world, "https://gitlab.com/team")
    certificates.of(world).change(HOST, "renewed", NOW)
    first.save(world)
    renewed = servers.reach(world, URL)
    first.close()
    again = Memory(tmp_path / "account.sqlite")
    world = again.open()
    assert servers.reach(world, URL) == renewed != before[0]
    assert servers.reach(world, "https://gitlab.com") == before[1]
    assert servers.trusted_root(world, before[1])
    again.close()


def test_an_account_that_was_saved_without_certificates_has_them_when_needed(
    tmp_path: Path,
) -> None:
    """As an earlier version saved it: an issuer with keys, a provider without a thumbprint."""
    first = Memory(tmp_path / "account.sqlite")
    world = first.open()
    token = world.part("oidc", Issuers).mint({"sub": "a", "aud": "app"}, world.now(), issuer=URL)
    world.account("111122223333").iam.create_open_id_connect_provider(URL, [], ["app"], [])
    first.save(world)
    first.close()

    memory = Memory(tmp_path / "account.sqlite")
    direct = Direct(memory.open())
    direct.inside = assemble(direct.world, saved=memory.save)
    role = trusted_role(direct.client("iam"), "web")
    anyone = direct.client("sts", "nobody")
    assert assume(anyone, role, token)["Audience"] == "app"
    assert memory.differences(direct.world) == []
    certificates.of(direct.world).change(HOST, "new-ca", direct.world.now())
    assert "configured thumbprint" in refusal(anyone, role, token)
    direct.stop()
    memory.close()


def test_a_server_that_is_nowhere_gives_no_keys_and_is_not_made(direct: Direct) -> None:
    iam = direct.client("iam")
    iam.create_open_id_connect_provider(Url=URL, ClientIDList=["app"], ThumbprintList=[WRONG])
    role = trusted_role(iam, "web")
    forged = Issuers().mint({"sub": "a", "aud": "app"}, direct.world.now(), issuer=URL)
    assert UNREACHED in refusal(direct.client("sts", "nobody"), role, forged)
    assert direct.world.part("oidc", Issuers).find(URL) is None
    assert HOST not in certificates.of(direct.world)._servers


def test_a_stack_s_provider_is_held_to_its_thumbprints(account: Account, fresh: str) -> None:
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
            assert "configured thumbprint" in refusal(anyone, role, token)
        properties["ThumbprintList"] = [WRONG, shown["thumbprint"].upper()]
        stacks.update_stack(StackName=stack, TemplateBody=body())
        stacks.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
        assert assume(anyone, role, token)


def test_too_many_hosts_are_a_clear_refusal(direct: Direct, monkeypatch: Any) -> None:
    from stslab.sandbox.federation.oidc import issuers

    monkeypatch.setattr(issuers, "_MOST_ISSUERS", 1)
    iam = direct.client("iam")
    iam.create_open_id_connect_provider(Url=URL)
    with pytest.raises(ClientError) as refused:
        iam.create_open_id_connect_provider(Url="https://second.example.com")
    assert refused.value.response["Error"]["Code"] == "OpenIdIdpCommunicationError"
    assert len(iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]) == 1
