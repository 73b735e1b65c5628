"""SAML identity providers (IAM User Guide, "Create a SAML identity provider in IAM")."""

import base64
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest
from stslab.sandbox.api.services import Reads, Writes
from stslab.sandbox.federation import saml
from stslab.sandbox.iam import faults, lookups, shapes, tagging
from stslab.sandbox.state.providers import SamlProvider
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.transaction import Transaction

_PROVIDERS = 100
_ISSUERS = 10
_CERTIFICATES = 10
_VALID = timedelta(days=36524)  # a hundred years, as the AWS CLI's example of get-saml-provider
_NOT_OFFERED = (
    "AssertionEncryptionMode",
    "AddPrivateKey",
    "RemovePrivateKey",
    "ContextProvider",
    "RemoveContextProvider",
    "IdentityCenterInstanceArn",
    "RemoveIdentityCenterInstance",
)


def create_saml_provider(tx: Transaction, request: ApiRequest) -> Answer:
    """CreateSAMLProvider."""
    account, params = request.account, request.params
    name = params["Name"]
    _check_offered(params)
    if tx.get(SamlProvider, account, name.lower()) is not None:
        raise faults.exists(f"Provider with name {name} already exists.")
    faults.check_quota("SAMLProvidersPerAccount", _PROVIDERS, tx.count(SamlProvider, account))
    provider = SamlProvider(
        account=account,
        name=name,
        unique_id="SAMLSP" + base64.b32encode(secrets.token_bytes(10)).decode(),
        created=request.now,
        valid_until=request.now + _VALID,
        metadata=_metadata(params),
        tags=tagging.checked(params.get("Tags", ())),
    )
    tx.put(provider)
    shown = {"SAMLProviderArn": provider.arn, "Tags": shapes.tags(provider.tags) or None}
    return shapes.filled(shown)


def update_saml_provider(tx: Transaction, request: ApiRequest) -> Answer:
    """UpdateSAMLProvider: another metadata document."""
    params, provider = request.params, lookups.named(tx, SamlProvider, request)
    _check_offered(params)
    if "SAMLMetadataDocument" in params:
        tx.put(replace(provider, metadata=_metadata(params)))
    return {"SAMLProviderArn": provider.arn}


def get_saml_provider(view: View, request: ApiRequest) -> Answer:
    """GetSAMLProvider."""
    provider = lookups.named(view, SamlProvider, request)
    return {
        "SAMLProviderUUID": provider.unique_id,
        "SAMLMetadataDocument": provider.metadata,
        "CreateDate": provider.created,
        "ValidUntil": provider.valid_until,
        "Tags": shapes.tags(provider.tags),
    }


def list_saml_providers(view: View, request: ApiRequest) -> Answer:
    """ListSAMLProviders."""
    providers = sorted(view.all(SamlProvider, request.account), key=lambda one: one.name)
    return {
        "SAMLProviderList": [
            {"Arn": one.arn, "ValidUntil": one.valid_until, "CreateDate": one.created}
            for one in providers
        ]
    }


def delete_saml_provider(tx: Transaction, request: ApiRequest) -> Answer:
    """DeleteSAMLProvider."""
    tx.delete(lookups.named(tx, SamlProvider, request))
    return {}


def _check_offered(params: Mapping[str, Any]) -> None:
    for name in _NOT_OFFERED:
        if params.get(name):
            raise faults.invalid_input(
                f"The sandbox does not offer {name} of SAML providers; see docs/sandbox.md."
            )


def _metadata(params: Mapping[str, Any]) -> str:
    """The document, if it describes identity providers as AWS takes them.

    IAM User Guide, "Troubleshoot SAML federation with IAM" (Could not parse metadata) and "IAM
    and AWS STS quotas" (Identity providers per, and Keys per, SAML provider).
    """
    saml.require()
    from stslab.sandbox.federation.saml import metadata

    document: str = params["SAMLMetadataDocument"]
    try:
        issuers = metadata.read(document)
    except metadata.BadCertificate as error:
        raise _unreadable("Unable to parse metadata", error) from error
    except metadata.BadMetadata as error:
        raise _unreadable("Could not parse metadata", error) from error
    if len(issuers) > _ISSUERS:
        raise faults.quota("IdpsPerSamlProvider", _ISSUERS)
    if sum(map(len, issuers.values())) > _CERTIFICATES:
        raise faults.quota("KeysPerSamlProvider", _CERTIFICATES)
    return document


def _unreadable(said: str, error: Exception) -> ApiFault:
    return faults.invalid_input(f"{said}: {error}")


READS: Reads = {
    "GetSAMLProvider": get_saml_provider,
    "ListSAMLProviders": list_saml_providers,
}
WRITES: Writes = {
    "CreateSAMLProvider": create_saml_provider,
    "DeleteSAMLProvider": delete_saml_provider,
    "UpdateSAMLProvider": update_saml_provider,
}
