"""What the control verbs of the issuers do: mint a token, show an issuer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stslab.errors import SandboxError
from stslab.sandbox.federation.oidc import certificates, hosts, servers
from stslab.sandbox.federation.oidc.issuers import OWN_ISSUER, Issuers
from stslab.sandbox.federation.oidc.x509_making import described, thumbprint
from stslab.sandbox.saved.account import World
from stslab.sandbox.server.control.requests import ControlRequest

_MOST_SECONDS = 86400
_ROLES = ("server", "CA", "trusted root")


def mint(world: World, asked: ControlRequest) -> Mapping[str, Any]:
    """Mint ``{"claims": {"sub": …, "aud": …}, "issuer": …, "seconds": …, "algorithm": …}``."""
    body = asked.body
    claims, seconds = body.get("claims", {}), body.get("seconds", 3600)
    if not isinstance(claims, dict) or not isinstance(seconds, int):
        raise SandboxError("claims is a JSON object, and seconds a whole number.")
    if abs(seconds) > _MOST_SECONDS:
        raise SandboxError(f"A token is valid for {_MOST_SECONDS} seconds at most.")
    url = str(body.get("issuer", OWN_ISSUER))
    with world.write_lock:
        servers.reach(world, url)
        token = world.part("oidc", Issuers).mint(
            claims,
            world.now(),
            seconds=seconds,
            issuer=url,
            algorithm=str(body.get("algorithm", "RS256")),
        )
    return {"issuer": url, "token": token}


def issuer(world: World, asked: ControlRequest) -> Mapping[str, Any]:
    """Show an issuer (the sandbox's own by default): configuration, public keys, certificates.

    POST ``{"issuer": …, "certificate": …}`` lets its server show another certificate first;
    see :data:`stslab.sandbox.federation.oidc.certificates.KINDS`.
    """
    url = str(asked.body.get("issuer") or asked.arguments.get("issuer", OWN_ISSUER))
    with world.write_lock:
        shown = servers.reach(world, url)
        kind = asked.body.get("certificate")
        if asked.method == "POST" and kind:
            shown = certificates.of(world).change(hosts.of(url), str(kind), world.now())
        asked_for = world.part("oidc", Issuers).get(url)
        trusted = servers.trusted_root(world, shown)
        return {
            "issuer": url,
            "host": hosts.of(url),
            "configuration": asked_for.configuration(),
            "jwks": asked_for.jwks(),
            "trusted": bool(trusted),
            "thumbprint": thumbprint(shown.chain[-1]),
            "certificates": [
                {"role": role, **described(pem), "pem": pem.decode()}
                for role, pem in zip(_ROLES, (*shown.chain, *trusted), strict=False)
            ],
        }
