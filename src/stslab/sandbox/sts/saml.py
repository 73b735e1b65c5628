"""AssumeRoleWithSAML: refuses what is not a valid assertion.

The sandbox has no SAML identity provider to sign one, so no assertion is valid in it. What is
wrong is said in AWS's order: the encoding, the provider, the signature (IAM User Guide,
"Troubleshooting SAML 2.0 federation with AWS").
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, NoReturn

from stslab.sandbox.account import World
from stslab.sandbox.model import ApiFault, ApiRequest
from stslab.sandbox.sts import faults, roles

_RESPONSE = b"Response"


class AssumeRoleWithSaml:
    """The operation; nobody signs it, and in the sandbox nobody can succeed with it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, request: ApiRequest) -> NoReturn:
        """Refuse AssumeRoleWithSAML with the first thing that is wrong."""
        params = request.params
        target = roles.find(self._world, params["RoleArn"])
        _check_encoding(params)
        self._check_provider(params["PrincipalArn"], target.account)
        raise faults.invalid_token("Response signature invalid")

    def _check_provider(self, arn: str, account: str) -> None:
        providers = (
            self._world.account(account).iam.saml_providers.values()
            if account in self._world.accounts
            else ()
        )
        if all(provider.arn != arn for provider in list(providers)):
            raise ApiFault("AuthSamlManifestNotFoundException", "Specified provider doesn't exist")


def _check_encoding(params: Mapping[str, Any]) -> None:
    try:
        text = base64.b64decode(params["SAMLAssertion"], validate=True)
    except binascii.Error as error:
        raise faults.invalid_token("Invalid base64 SAMLResponse") from error
    if _RESPONSE not in text:
        raise faults.invalid_token("Invalid assertion")
