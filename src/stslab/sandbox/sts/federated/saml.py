"""AssumeRoleWithSAML: an assertion of a SAML identity provider in place of a signature.

STS API Reference, "AssumeRoleWithSAML"; IAM User Guide, "Configure SAML assertions for the
authentication response", "Troubleshoot SAML federation with IAM" and "Available keys for
SAML-based AWS STS federation".
"""

import re
from collections.abc import Mapping, Sequence

from stslab.policy import Principal
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest
from stslab.sandbox.state.identities import Role
from stslab.sandbox.state.providers import SamlProvider
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.transaction import Transaction
from stslab.sandbox.sts import faults, roles
from stslab.sandbox.sts.assume_role import AssumeRole, Wish
from stslab.sandbox.sts.federated import saml_claims, saml_response
from stslab.sandbox.sts.federated.saml_claims import Claims

_OPERATION = "AssumeRoleWithSAML"
_PROVIDER_ARN = re.compile(r"arn:aws:iam::(\d{12}):saml-provider/(.+)")
_IDENTITY_CENTER = "AWSReservedSSO_"


def assume_role_with_saml(assume: AssumeRole, tx: Transaction, request: ApiRequest) -> Answer:
    """Carry out AssumeRoleWithSAML, which nobody signs."""
    params = request.params
    target = assume.target(tx, params["RoleArn"])
    text = saml_response.decoded(params["SAMLAssertion"])
    provider = _provider(tx, params["PrincipalArn"], request)
    assertion = saml_response.verified(text, provider, request)
    claims = saml_claims.of(assertion, provider, target.arn)
    wish = _wish(target, provider, claims)
    answer = assume.issue(
        tx,
        request,
        wish,
        _authorized(assume, tx, request, wish),
        at_most=claims.seconds(request.now),
        federated_provider=provider.arn,
        provider_keys=claims.lasting_keys,
    )
    return {**answer, **claims.answer}


def _provider(view: View, arn: str, request: ApiRequest) -> SamlProvider:
    match = _PROVIDER_ARN.fullmatch(arn)
    found = view.get(SamlProvider, match[1], match[2].lower()) if match else None
    if found is None or found.arn != arn:
        raise faults.rejected_assertion(
            request, "Specified provider doesn't exist", "AuthSamlManifestNotFoundException"
        )
    return found


def _authorized(assume: AssumeRole, view: View, request: ApiRequest, wish: Wish) -> Role:
    """The role, if its trust policy lets pass; if not, why is nobody's business.

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
        return assume.authorize(view, request, wish)
    except ApiFault as fault:
        raise faults.access_denied(f"Not authorized to perform sts:{_OPERATION}") from fault


def _wish(target: roles.Target, provider: SamlProvider, claims: Claims) -> Wish:
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
