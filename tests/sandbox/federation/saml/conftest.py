from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.sandbox.cases import LEARNER, Account
from tests.sandbox.federation.saml import forging

from stslab.sandbox.federation.saml import minting, names
from stslab.sandbox.state.identities import IdentityProvider


@pytest.fixture(scope="session")
def idp() -> IdentityProvider:
    return minting.new(forging.ISSUER, datetime.now(UTC))


@dataclass
class Federation:
    """A SAML provider in IAM and a role that trusts it, and the ways to both."""

    account: Account
    idp: IdentityProvider
    provider: str
    role: str

    @functools.cached_property
    def sts(self) -> Any:
        return self.account.client("sts", "anonymous")

    def now(self) -> datetime:
        return datetime.fromisoformat(self.account.control("GET", "clock")["now"])

    @property
    def attributes(self) -> dict[str, list[str]]:
        return {names.ROLE: [f"{self.role},{self.provider}"], names.SESSION_NAME: ["ana"]}

    def response(self, **how: Any) -> Any:
        return forging.response(self.idp, self.now(), self.attributes, **how)

    def assume(self, encoded: str) -> dict[str, Any]:
        """The answer, or the error as ``{"Code", "Message", "Status"}``."""
        try:
            return dict(
                self.sts.assume_role_with_saml(
                    RoleArn=self.role, PrincipalArn=self.provider, SAMLAssertion=encoded
                )
            )
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            return {**error.response["Error"], "Status": status}

    def refused(self, encoded: str, code: str = "InvalidIdentityToken") -> str:
        """What is said of a response that must be refused with this code."""
        answer = self.assume(encoded)
        assert answer.get("Code") == code, answer
        return str(answer["Message"])


@pytest.fixture(scope="session")
def federation(account: Account, idp: IdentityProvider) -> Federation:
    iam = account.client("iam", "admin")
    provider = iam.create_saml_provider(Name="forged", SAMLMetadataDocument=minting.metadata(idp))[
        "SAMLProviderArn"
    ]
    trust = (
        '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"Federated": "'
        + provider
        + '"}, "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"]}}'
    )
    role = iam.create_role(RoleName="forged", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    assert role == f"arn:aws:iam::{LEARNER}:role/forged"
    return Federation(account, idp, provider, role)
