"""OpenID Connect identity providers (IAM User Guide, "Identity providers")."""

import re
from collections.abc import Sequence

from msgspec.structs import replace

from stslab.errors import SandboxError
from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.api.services import Reads, Writes
from stslab.sandbox.iam import faults, lookups, shapes, tagging
from stslab.sandbox.state.providers import OidcProvider
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.transaction import Transaction

_THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}")
_OIDC_PROVIDERS = 100
_CLIENTS = 100
_THUMBPRINTS = 5


def create_open_id_connect_provider(tx: Transaction, request: ApiRequest) -> Answer:
    """CreateOpenIDConnectProvider; IAM retrieves a thumbprint itself where none is given."""
    account, params = request.account, request.params
    url = _checked_url(params["Url"])
    if tx.get(OidcProvider, account, url.removeprefix("https://")) is not None:
        raise faults.exists(f"Provider with url {url} already exists.")
    there_are = tx.count(OidcProvider, account)
    faults.check_quota("OpenIdConnectProvidersPerAccount", _OIDC_PROVIDERS, there_are)
    clients = tuple(params.get("ClientIDList", ()))
    if len(clients) > _CLIENTS:
        raise faults.quota("ClientIdsPerOpenIdConnectProvider", _CLIENTS)
    tags, given = tagging.checked(params.get("Tags", ())), params.get("ThumbprintList")
    provider = OidcProvider(
        account=account,
        url=url.removeprefix("https://"),
        created=request.now,
        client_ids=clients,
        thumbprints=_checked_thumbprints(given) if given else _retrieved(tx, url),
        tags=tags,
    )
    tx.put(provider)
    shown = {"OpenIDConnectProviderArn": provider.arn, "Tags": shapes.tags(tags) or None}
    return shapes.filled(shown)


def _checked_url(url: str) -> str:
    if not url.startswith("https://") or len(url) == len("https://") or {"?", "#"} & set(url):
        raise faults.invalid("Invalid Open ID Connect Provider URL")
    return url.rstrip("/")


def _retrieved(tx: Transaction, url: str) -> tuple[str, ...]:
    from stslab.sandbox.federation.oidc import servers  # needs cryptography, which takes its time

    try:
        return (servers.retrieved_thumbprint(tx, url),)
    except SandboxError as error:
        raise faults.no_communication(url) from error


def _checked_thumbprints(thumbprints: Sequence[str]) -> tuple[str, ...]:
    """The thumbprints as IAM keeps them, in lower case."""
    if not thumbprints:
        raise faults.invalid_input("Thumbprint list must contain at least one entry.")
    if len(thumbprints) > _THUMBPRINTS:  # in AWS's words, which mean that five are taken
        raise faults.invalid_input(
            f"Thumbprint list must contain fewer than {_THUMBPRINTS} entries."
        )
    if not all(_THUMBPRINT.fullmatch(thumbprint) for thumbprint in thumbprints):
        raise faults.invalid_input("A thumbprint consists of 40 hexadecimal characters.")
    return tuple(thumbprint.lower() for thumbprint in thumbprints)


def get_open_id_connect_provider(view: View, request: ApiRequest) -> Answer:
    """GetOpenIDConnectProvider."""
    provider = lookups.named(view, OidcProvider, request)
    return {
        "Url": provider.url,
        "ClientIDList": provider.client_ids,
        "ThumbprintList": provider.thumbprints,
        "CreateDate": provider.created,
        "Tags": shapes.tags(provider.tags),
    }


def list_open_id_connect_providers(view: View, request: ApiRequest) -> Answer:
    """ListOpenIDConnectProviders."""
    arns = sorted(provider.arn for provider in view.all(OidcProvider, request.account))
    return {"OpenIDConnectProviderList": [{"Arn": arn} for arn in arns]}


def delete_open_id_connect_provider(tx: Transaction, request: ApiRequest) -> Answer:
    """DeleteOpenIDConnectProvider, which succeeds where there is none."""
    arn = request.params["OpenIDConnectProviderArn"]
    provider = lookups.find(tx, OidcProvider, request.account, arn)
    if provider is not None:
        tx.delete(provider)
    return {}


def add_client_id(tx: Transaction, request: ApiRequest) -> Answer:
    """AddClientIDToOpenIDConnectProvider; an audience that is there is no error."""
    provider, client = lookups.named(tx, OidcProvider, request), request.params["ClientID"]
    if client not in provider.client_ids:
        there_are = len(provider.client_ids)
        faults.check_quota("ClientIdsPerOpenIdConnectProvider", _CLIENTS, there_are)
        tx.put(replace(provider, client_ids=(*provider.client_ids, client)))
    return {}


def remove_client_id(tx: Transaction, request: ApiRequest) -> Answer:
    """RemoveClientIDFromOpenIDConnectProvider; an audience that is not there is no error."""
    provider, gone = lookups.named(tx, OidcProvider, request), request.params["ClientID"]
    kept = tuple(client for client in provider.client_ids if client != gone)
    tx.put(replace(provider, client_ids=kept))
    return {}


def update_thumbprint(tx: Transaction, request: ApiRequest) -> Answer:
    """UpdateOpenIDConnectProviderThumbprint."""
    provider = lookups.named(tx, OidcProvider, request)
    thumbprints = _checked_thumbprints(request.params.get("ThumbprintList", ()))
    tx.put(replace(provider, thumbprints=thumbprints))
    return {}


READS: Reads = {
    "GetOpenIDConnectProvider": get_open_id_connect_provider,
    "ListOpenIDConnectProviders": list_open_id_connect_providers,
}
WRITES: Writes = {
    "AddClientIDToOpenIDConnectProvider": add_client_id,
    "CreateOpenIDConnectProvider": create_open_id_connect_provider,
    "DeleteOpenIDConnectProvider": delete_open_id_connect_provider,
    "RemoveClientIDFromOpenIDConnectProvider": remove_client_id,
    "UpdateOpenIDConnectProviderThumbprint": update_thumbprint,
}
