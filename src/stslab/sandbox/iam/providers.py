"""Operations on OpenID Connect and SAML providers (IAM User Guide, "Identity providers")."""

import base64
import re
import secrets
from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from stslab.errors import SandboxError
from stslab.sandbox.api import faults
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Params, shown, tag_list
from stslab.sandbox.federation import saml
from stslab.sandbox.iam import answers, entities, lookups
from stslab.sandbox.state.identities import OidcProvider, SamlProvider
from stslab.sandbox.state.snapshot import Transaction, View

_THUMBPRINTS = 5
_UNPROPAGATED = {"IsTrustedIdentityPropagationEnabled": False}  # it can't be enabled here
_HTTPS = "https://"
_ISSUER = re.compile(rf"{_HTTPS}([^?#/:\s]+)(?::443)?(/[^?#\s]*)?([?#].*)?")


def create_open_id_connect_provider(tx: Transaction, request: ApiRequest) -> Answer:
    """IAM retrieves the thumbprint if the request has none."""
    params = request.params
    issuer = _ISSUER.fullmatch(params["Url"])
    if issuer is None and not params["Url"].startswith("http://"):
        raise faults.invalid("Invalid Open ID Connect Provider URL")
    if issuer is None or issuer[3]:
        raise ApiFault("InvalidInput")  # without a message
    clients, given = dict.fromkeys(params.get("ClientIDList", ())), params.get("ThumbprintList")
    provider = OidcProvider(
        account=request.account,
        url="".join(issuer.groups("")),
        created=request.now,
        client_ids=tuple(clients),
        thumbprints=_checked_thumbprints(given) if given else (),
        tags=entities.given(request),
    )
    lookups.refuse_taken(tx, provider, provider.url)
    lookups.check_quota("ClientIdsPerOpenIdConnectProvider", len(clients))
    if not given:
        provider = replace(provider, thumbprints=_retrieved(tx, f"{_HTTPS}{provider.url}"))
    lookups.put(tx, provider, provider.url)
    return {"OpenIDConnectProviderArn": provider.arn, "Tags": tag_list(provider.tags) or None}


def _retrieved(tx: Transaction, url: str) -> tuple[str, ...]:
    """The thumbprint of the top intermediate authority in the certificate chain of the server."""
    from stslab.sandbox.federation.oidc import certificates, issuers  # slow: needs cryptography

    try:
        return (certificates.thumbprint(issuers.reach(tx, url).chain[-1]),)
    except SandboxError as error:
        raise lookups.fault("unreachable", url=url) from error


def _checked_thumbprints(thumbprints: Sequence[str]) -> tuple[str, ...]:
    """The thumbprints in lower case, as IAM stores them. Raises InvalidInput."""
    if not thumbprints:
        raise faults.invalid_input("Thumbprint list must contain at least one entry.")
    if len(thumbprints) > _THUMBPRINTS:  # AWS's message says "fewer than", but five are accepted
        raise lookups.fault("many thumbprints", most=_THUMBPRINTS)
    return tuple(thumbprint.lower() for thumbprint in thumbprints)


def get_open_id_connect_provider(view: View, request: ApiRequest) -> Answer:
    provider = lookups.named(view, OidcProvider, request)
    return shown(provider, Tags=answers.tags(provider.tags))


def list_open_id_connect_providers(view: View, request: ApiRequest) -> Answer:
    arns = sorted(provider.arn for provider in view.all(OidcProvider, request.account))
    return {"OpenIDConnectProviderList": [{"Arn": arn, **_UNPROPAGATED} for arn in arns]}


def delete_open_id_connect_provider(tx: Transaction, request: ApiRequest) -> None:
    arn = request.params["OpenIDConnectProviderArn"]
    provider = lookups.find(tx, OidcProvider, request.account, arn)
    if provider is None:
        raise faults.no_such(f"OpenId connect Provider {arn} cannot be found.")
    tx.delete(provider)


def add_client_id_to_open_id_connect_provider(tx: Transaction, request: ApiRequest) -> None:
    """Also succeeds if the provider has the client id already."""
    provider, client = lookups.named(tx, OidcProvider, request), request.params["ClientID"]
    clients = provider.client_ids
    if client not in clients:
        lookups.check_quota("ClientIdsPerOpenIdConnectProvider", len(clients) + 1)
        tx.put(replace(provider, client_ids=(*clients, client)))


def remove_client_id_from_open_id_connect_provider(tx: Transaction, request: ApiRequest) -> None:
    """Also succeeds if the provider does not have the client id."""
    provider, removed = lookups.named(tx, OidcProvider, request), request.params["ClientID"]
    tx.put(replace(provider, client_ids=lookups.without(provider.client_ids, removed)))


def update_open_id_connect_provider_thumbprint(tx: Transaction, request: ApiRequest) -> None:
    provider = lookups.named(tx, OidcProvider, request)
    thumbprints = _checked_thumbprints(request.params.get("ThumbprintList", ()))
    tx.put(replace(provider, thumbprints=thumbprints))


# -- SAML (IAM User Guide, "Create a SAML identity provider in IAM") ------------------------

_VALID = timedelta(days=36524)  # a hundred years, as in the AWS CLI's example of get-saml-provider


def create_saml_provider(tx: Transaction, request: ApiRequest) -> Answer:
    params = request.params
    provider = SamlProvider(
        account=request.account,
        name=params["Name"],
        unique_id="SAMLSP" + base64.b32encode(secrets.token_bytes(10)).decode(),
        created=request.now,
        valid_until=request.now + _VALID,
        metadata=_metadata(params),
        tags=entities.given(request),
    )
    lookups.put(tx, provider, provider.name)
    return {"SAMLProviderArn": provider.arn, "Tags": tag_list(provider.tags) or None}


def update_saml_provider(tx: Transaction, request: ApiRequest) -> Answer:
    provider = lookups.named(tx, SamlProvider, request)
    metadata = _metadata(request.params)
    none = "Unable to update identity provider. No updates are defined for metadata or encryption"
    faults.require(metadata, f"{none} assertion.")
    tx.put(replace(provider, metadata=metadata, valid_until=request.now + _VALID))
    return {"SAMLProviderArn": provider.arn}


def get_saml_provider(view: View, request: ApiRequest) -> Answer:
    provider = lookups.named(view, SamlProvider, request)
    more = {"AssertionEncryptionMode": "Allowed", "PrivateKeyList": []}
    return shown(provider, Tags=answers.tags(provider.tags), **more)


def list_saml_providers(view: View, request: ApiRequest) -> Answer:
    listed = [
        {"Arn": one.arn, "ValidUntil": one.valid_until, "CreateDate": one.created} | _UNPROPAGATED
        for one in sorted(view.all(SamlProvider, request.account), key=lambda one: one.name)
    ]
    return {"SAMLProviderList": listed}


def _metadata(params: Params) -> str:
    """The request's metadata document, if any (IAM User Guide, "IAM and AWS STS quotas")."""
    if "SAMLMetadataDocument" not in params:
        return ""
    saml.require()
    from stslab.sandbox.federation.saml import metadata

    document: str = params["SAMLMetadataDocument"]
    issuers = metadata.read(document)
    lookups.check_quota("IdpsPerSamlProvider", len(issuers))
    lookups.check_quota("KeysPerSamlProvider", sum(map(len, issuers.values())))
    return document
