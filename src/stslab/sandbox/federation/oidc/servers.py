"""The servers of issuers, as IAM and STS see them when they connect."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from stslab.errors import SandboxError
from stslab.sandbox.federation.oidc import certificates, hosts, verification
from stslab.sandbox.federation.oidc.certificates import Server
from stslab.sandbox.federation.oidc.issuers import Issuers
from stslab.sandbox.federation.oidc.x509_making import thumbprint
from stslab.sandbox.saved.account import World


def reach(world: World, url: str) -> Server:
    """What the server of this issuer shows; the sandbox stands in for it from now on.

    Raises:
        SandboxError: there is none of this URL.
    """
    with world.write_lock:
        world.part("oidc", Issuers).get(url)
        host = hosts.of(url)
        if not host:
            raise SandboxError(f"{url} has no host name for which there could be a certificate.")
        return certificates.of(world).get(host, world.now())


def retrieved_thumbprint(world: World, url: str) -> str:
    """The thumbprint of the top intermediate authority that the issuer's server shows.

    IAM takes it where a provider is made without one (API Reference,
    "CreateOpenIDConnectProvider", ThumbprintList).

    Raises:
        SandboxError: there is no server of this URL.
    """
    return thumbprint(reach(world, url).chain[-1])


def thumbprints(world: World, account: str, provider: Any) -> list[str]:
    """Those in the configuration of an OIDC provider in IAM (moto's), all in lower case.

    A provider that was made before IAM retrieved them here may have none: they are retrieved now.
    """
    if not provider.thumbprint_list:
        with suppress(SandboxError), world.write_lock:
            provider.thumbprint_list = [retrieved_thumbprint(world, f"https://{provider.url}")]
            world.account(account).iam.open_id_providers[provider.arn] = provider
    return [one.lower() for one in provider.thumbprint_list]


def verify(world: World, url: str, configured: Sequence[str]) -> None:
    """Connect to the issuer's server as STS does; ``configured`` are the provider's thumbprints.

    Raises:
        SandboxError: there is none of this URL.
        UnknownAuthority: neither a trusted root nor a thumbprint vouches for what it shows.
        NotVerified: what it shows is not for this host, not valid now, or forged.
    """
    shown = reach(world, url).chain
    roots = certificates.of(world).roots()
    verification.verify(hosts.of(url), shown, roots, configured, world.now())


def trusted_root(world: World, server: Server) -> tuple[bytes, ...]:
    """The root that AWS trusts and that is over what the server shows, if there is one (PEM)."""
    roots = certificates.of(world).roots()
    return tuple(root for root in roots if verification.is_over(root, server.chain[-1]))
