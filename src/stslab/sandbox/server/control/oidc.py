"""The control verbs of the issuers: mint a token, show an issuer.

What they need (certificates above all) is imported when one of them is first asked for.
"""

from collections.abc import Callable, Mapping
from typing import Any

from stslab.errors import SandboxError
from stslab.sandbox.server.control.requests import ControlRequest, Registry
from stslab.sandbox.state.state import State

_MOST_SECONDS = 86400
_ROLES = ("server", "CA", "trusted root")


def add_verbs(registry: Registry, state: Callable[[], State]) -> None:
    """Answer ``oidc/token`` and ``oidc/issuer`` for the state that there is at the time."""
    registry.add("oidc/token", lambda asked: _mint(state(), asked))
    registry.add("oidc/issuer", lambda asked: _issuer(state(), asked))


def _mint(state: State, asked: ControlRequest) -> Mapping[str, Any]:
    """Mint ``{"claims": {"sub": …, "aud": …}, "issuer": …, "seconds": …, "algorithm": …}``."""
    from stslab.sandbox.federation.oidc import issuers, servers

    body = asked.body
    claims, seconds = body.get("claims", {}), body.get("seconds", 3600)
    if not isinstance(claims, dict) or not isinstance(seconds, int):
        raise SandboxError("claims is a JSON object, and seconds a whole number.")
    if abs(seconds) > _MOST_SECONDS:
        raise SandboxError(f"A token is valid for {_MOST_SECONDS} seconds at most.")
    url, algorithm = str(body.get("issuer", issuers.OWN_ISSUER)), body.get("algorithm", "RS256")
    with state.transaction() as tx:
        servers.reach(tx, url)
        token = issuers.mint(tx, claims, seconds=seconds, issuer=url, algorithm=str(algorithm))
    return {"issuer": url, "token": token}


def _issuer(state: State, asked: ControlRequest) -> Mapping[str, Any]:
    """Show an issuer (the account's own by default): configuration, public keys, certificates.

    POST ``{"issuer": …, "certificate": …}`` lets its server show another certificate first;
    see :data:`stslab.sandbox.federation.oidc.servers.KINDS`.
    """
    from stslab.sandbox.federation.oidc import hosts, issuers, servers
    from stslab.sandbox.federation.oidc.x509_making import described, thumbprint

    url = str(asked.body.get("issuer") or asked.arguments.get("issuer", issuers.OWN_ISSUER))
    kind = asked.body.get("certificate")
    with state.transaction() as tx:
        shown = servers.reach(tx, url)
        if asked.method == "POST" and kind:
            shown = servers.change(tx, hosts.of(url), str(kind))
        issuer = issuers.named(tx, url)
        trusted = servers.trusted_root(tx, shown)
    return {
        "issuer": url,
        "host": hosts.of(url),
        "configuration": issuers.configuration(issuer),
        "jwks": issuers.jwks(issuer),
        "trusted": bool(trusted),
        "thumbprint": thumbprint(shown.chain[-1]),
        "certificates": [
            {"role": role, **described(pem), "pem": pem.decode()}
            for role, pem in zip(_ROLES, (*shown.chain, *trusted), strict=False)
        ],
    }
