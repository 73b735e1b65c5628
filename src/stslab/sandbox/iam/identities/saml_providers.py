"""SAML identity providers (IAM User Guide, "Create a SAML identity provider in IAM")."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.federation import saml
from stslab.sandbox.iam import faults, lookups, shapes, tagging
from stslab.sandbox.saved.account import REGION, World

Answer = Mapping[str, Any]

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


def create_saml_provider(world: World, request: ApiRequest) -> Answer:
    """CreateSAMLProvider."""
    iam, params = lookups.backend(world, request), request.params
    name = params["Name"]
    _check_offered(params)
    if lookups.taken(iam.saml_providers, name):
        raise faults.exists(f"Provider with name {name} already exists.")
    faults.check_quota("SAMLProvidersPerAccount", _PROVIDERS, len(iam.saml_providers))
    metadata, tags = _metadata(params), tagging.checked(params.get("Tags", ()))
    provider = iam.create_saml_provider(name, metadata)
    provider.region_name = REGION
    provider.tags = tags
    provider.valid_until = provider.create_date + _VALID
    provider.uuid = "SAMLSP" + base64.b32encode(secrets.token_bytes(10)).decode()
    shown = sorted(tags, key=lambda tag: tag["Key"])
    return shapes.filled({"SAMLProviderArn": provider.arn, "Tags": shown or None})


def update_saml_provider(world: World, request: ApiRequest) -> Answer:
    """UpdateSAMLProvider: another metadata document."""
    params = request.params
    provider = tagging.saml_provider(lookups.backend(world, request), params["SAMLProviderArn"])
    _check_offered(params)
    if "SAMLMetadataDocument" in params:
        provider.saml_metadata_document = _metadata(params)
    return {"SAMLProviderArn": provider.arn}


def get_saml_provider(world: World, request: ApiRequest) -> Answer:
    """GetSAMLProvider."""
    iam = lookups.backend(world, request)
    provider = tagging.saml_provider(iam, request.params["SAMLProviderArn"])
    return shapes.filled(
        {
            "SAMLProviderUUID": provider.uuid,
            "SAMLMetadataDocument": provider.saml_metadata_document,
            "CreateDate": shapes.moment(provider.create_date),
            "ValidUntil": shapes.moment(provider.valid_until),
            "Tags": tagging.of(iam, "SAML provider", provider),
        }
    )


def list_saml_providers(world: World, request: ApiRequest) -> Answer:
    """ListSAMLProviders."""
    providers = lookups.backend(world, request).saml_providers
    return {
        "SAMLProviderList": [
            {
                "Arn": provider.arn,
                "ValidUntil": shapes.moment(provider.valid_until),
                "CreateDate": shapes.moment(provider.create_date),
            }
            for _, provider in sorted(providers.items())
        ]
    }


def delete_saml_provider(world: World, request: ApiRequest) -> Answer:
    """DeleteSAMLProvider."""
    iam = lookups.backend(world, request)
    provider = tagging.saml_provider(iam, request.params["SAMLProviderArn"])
    del iam.saml_providers[provider.name]
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


HANDLERS = {
    "CreateSAMLProvider": create_saml_provider,
    "UpdateSAMLProvider": update_saml_provider,
    "GetSAMLProvider": get_saml_provider,
    "ListSAMLProviders": list_saml_providers,
    "DeleteSAMLProvider": delete_saml_provider,
}
