"""OpenID Connect identity providers (IAM User Guide, "Identity providers")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stslab.errors import SandboxError
from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.iam import faults, lookups, shapes, tagging
from stslab.sandbox.saved.account import World

Answer = Mapping[str, Any]

_THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}")
_OIDC_PROVIDERS = 100
_CLIENTS = 100
_THUMBPRINTS = 5


def create_open_id_connect_provider(world: World, request: ApiRequest) -> Answer:
    """CreateOpenIDConnectProvider; IAM retrieves a thumbprint itself where none is given."""
    iam, params = lookups.backend(world, request), request.params
    url = _checked_url(params["Url"])
    arn = f"arn:aws:iam::{request.account}:oidc-provider/{url.removeprefix('https://')}"
    if arn in iam.open_id_providers:
        raise faults.exists(f"Provider with url {url} already exists.")
    there_are = len(iam.open_id_providers)
    faults.check_quota("OpenIdConnectProvidersPerAccount", _OIDC_PROVIDERS, there_are)
    clients = params.get("ClientIDList", [])
    if len(clients) > _CLIENTS:
        raise faults.quota("ClientIdsPerOpenIdConnectProvider", _CLIENTS)
    tags = tagging.checked(params.get("Tags", ()))
    given = params.get("ThumbprintList")
    thumbprints = _checked_thumbprints(given) if given else _retrieved(world, url)
    provider = iam.create_open_id_connect_provider(url, thumbprints, list(clients), tags)
    return shapes.filled({"OpenIDConnectProviderArn": provider.arn, "Tags": tags or None})


def _checked_url(url: str) -> str:
    if not url.startswith("https://") or len(url) == len("https://") or {"?", "#"} & set(url):
        raise faults.invalid("Invalid Open ID Connect Provider URL")
    return url.rstrip("/")


def _retrieved(world: World, url: str) -> list[str]:
    from stslab.sandbox.federation.oidc import servers

    try:
        return [servers.retrieved_thumbprint(world, url)]
    except SandboxError as error:
        raise faults.no_communication(url) from error


def _checked_thumbprints(thumbprints: list[str]) -> list[str]:
    """The thumbprints as IAM keeps them, in lower case."""
    if not thumbprints:
        raise faults.invalid_input("Thumbprint list must contain at least one entry.")
    if len(thumbprints) > _THUMBPRINTS:  # in AWS's words, which mean that five are taken
        raise faults.invalid_input(
            f"Thumbprint list must contain fewer than {_THUMBPRINTS} entries."
        )
    if not all(_THUMBPRINT.fullmatch(thumbprint) for thumbprint in thumbprints):
        raise faults.invalid_input("A thumbprint consists of 40 hexadecimal characters.")
    return [thumbprint.lower() for thumbprint in thumbprints]


def get_open_id_connect_provider(world: World, request: ApiRequest) -> Answer:
    """GetOpenIDConnectProvider."""
    from stslab.sandbox.federation.oidc import servers

    iam, provider = _oidc(world, request)
    return {
        "Url": provider.url,
        "ClientIDList": list(provider.client_id_list),
        "ThumbprintList": servers.thumbprints(world, request.account, provider),
        "CreateDate": shapes.moment(provider.create_date),
        "Tags": tagging.of(iam, "OIDC provider", provider),
    }


def list_open_id_connect_providers(world: World, request: ApiRequest) -> Answer:
    """ListOpenIDConnectProviders."""
    providers = sorted(lookups.backend(world, request).open_id_providers)
    return {"OpenIDConnectProviderList": [{"Arn": arn} for arn in providers]}


def delete_open_id_connect_provider(world: World, request: ApiRequest) -> Answer:
    """DeleteOpenIDConnectProvider, which succeeds where there is none."""
    iam = lookups.backend(world, request)
    iam.open_id_providers.pop(request.params["OpenIDConnectProviderArn"], None)
    return {}


def add_client_id(world: World, request: ApiRequest) -> Answer:
    """AddClientIDToOpenIDConnectProvider; an audience that is there is no error."""
    _, provider = _oidc(world, request)
    client = request.params["ClientID"]
    if client not in provider.client_id_list:
        there_are = len(provider.client_id_list)
        faults.check_quota("ClientIdsPerOpenIdConnectProvider", _CLIENTS, there_are)
        provider.client_id_list = [*provider.client_id_list, client]
    return {}


def remove_client_id(world: World, request: ApiRequest) -> Answer:
    """RemoveClientIDFromOpenIDConnectProvider; an audience that is not there is no error."""
    _, provider = _oidc(world, request)
    gone = request.params["ClientID"]
    provider.client_id_list = [client for client in provider.client_id_list if client != gone]
    return {}


def update_thumbprint(world: World, request: ApiRequest) -> Answer:
    """UpdateOpenIDConnectProviderThumbprint."""
    _, provider = _oidc(world, request)
    provider.thumbprint_list = _checked_thumbprints(request.params.get("ThumbprintList", []))
    return {}


def _oidc(world: World, request: ApiRequest) -> tuple[Any, Any]:
    iam = lookups.backend(world, request)
    return iam, tagging.oidc_provider(iam, request.params["OpenIDConnectProviderArn"])


HANDLERS = {
    "CreateOpenIDConnectProvider": create_open_id_connect_provider,
    "GetOpenIDConnectProvider": get_open_id_connect_provider,
    "ListOpenIDConnectProviders": list_open_id_connect_providers,
    "DeleteOpenIDConnectProvider": delete_open_id_connect_provider,
    "AddClientIDToOpenIDConnectProvider": add_client_id,
    "RemoveClientIDFromOpenIDConnectProvider": remove_client_id,
    "UpdateOpenIDConnectProviderThumbprint": update_thumbprint,
}
