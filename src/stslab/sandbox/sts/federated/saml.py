"""AssumeRoleWithSAML: an assertion of a SAML identity provider in place of a signature.

STS API Reference, "AssumeRoleWithSAML"; IAM User Guide, "Configure SAML assertions for the
authentication response", "Troubleshoot SAML federation with IAM" and "Available keys for
SAML-based AWS STS federation".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stslab.policy import Principal
from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.federation import saml
from stslab.sandbox.saved.account import World
from stslab.sandbox.sts import faults, roles
from stslab.sandbox.sts.assume_role import AssumeRole, Wish
from stslab.sandbox.sts.federated.saml_provider import Provider

if TYPE_CHECKING:
    from stslab.sandbox.sts.federated.saml_claims import Claims

_OPERATION = "AssumeRoleWithSAML"
_IDENTITY_CENTER = "AWSReservedSSO_"


class AssumeRoleWithSaml:
    """The operation; nobody signs it."""

    def __init__(self, world: World, assume: AssumeRole) -> None:
        self._world = world
        self._assume = assume

    def __call__(self, request: ApiRequest) -> dict[str, Any]:
        """Carry out AssumeRoleWithSAML."""
        saml.require()
        from stslab.sandbox.sts.federated import saml_claims, saml_response

        params = request.params
        target = roles.find(self._world, params["RoleArn"])
        text = saml_response.decoded(params["SAMLAssertion"])
        provider = self._provider(params["PrincipalArn"], request)
        assertion = saml_response.verified(text, provider, request)
        claims = saml_claims.of(assertion, provider, target.arn)
        self._authorize(request, wish := _wish(target, provider, claims))
        answer = self._assume.issue(
            request,
            wish,
            at_most=claims.seconds(request.now),
            federated_provider=provider.arn,
            provider_keys=claims.lasting_keys,
        )
        return {**answer, **claims.answer}

    def _provider(self, arn: str, request: ApiRequest) -> Provider:
        for account in self._world.accounts.values():
            for one in list(account.iam.saml_providers.values()):
                if one.arn == arn:
                    return _provider(account.account_id, one)
        raise faults.rejected_assertion(
            request, "Specified provider doesn't exist", "AuthSamlManifestNotFoundException"
        )

    def _authorize(self, request: ApiRequest, wish: Wish) -> None:
        """What the trust policy does not let pass, and why is nobody's business.

        A provider of another account than the role's is trusted by no policy ("Create a SAML
        identity provider in IAM").
        """
        principal = wish.principal
        try:
            if wish.target.name.startswith(_IDENTITY_CENTER):
                raise faults.access_denied("The role is one of IAM Identity Center")
            if not wish.context["saml:sub"] or principal is None:
                raise faults.access_denied("The assertion names nobody")
            if principal.account != wish.target.account:
                raise faults.access_denied("The provider is in another account")
            self._assume.authorize(request, wish)
        except ApiFault as fault:
            raise faults.access_denied(f"Not authorized to perform sts:{_OPERATION}") from fault


def _provider(account: str, kept: Any) -> Provider:
    return Provider(kept.arn, account, kept.name, kept.saml_metadata_document, kept.uuid)


def _wish(target: roles.Target, provider: Provider, claims: Claims) -> Wish:
    keys: Mapping[str, str | Sequence[str]] = {"aws:FederatedProvider": provider.arn, **claims.keys}
    return Wish(
        _OPERATION,
        target,
        claims.session_name,
        claims.tags,
        claims.source_identity,
        keys,
        Principal.federated(provider.arn, provider.account),
    )
