"""The control verbs of the issuers: mint a token, show an issuer, let issuers be servers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from stslab.errors import SandboxError
from stslab.sandbox.account import World
from stslab.sandbox.control import ControlRequest, Registry
from stslab.sandbox.oidc import certificates, hosts, servers
from stslab.sandbox.oidc.issuers import OWN_ISSUER, Issuers
from stslab.sandbox.oidc.x509_making import described, thumbprint

if TYPE_CHECKING:
    from stslab.sandbox.oidc.listener import IssuerListener

_MOST_SECONDS = 86400
_ROLES = ("server", "CA", "trusted root")


def add_verbs(registry: Registry, world: Callable[[], World]) -> Callable[[], None]:
    """Answer ``oidc/token``, ``oidc/issuer`` and ``oidc/serve`` for the world at the time.

    Returns what stops the servers that ``oidc/serve`` started, if it did.
    """
    serving = _Serving(world)
    registry.add("oidc/token", lambda asked: _mint(world(), asked))
    registry.add("oidc/issuer", lambda asked: _issuer(world(), asked))
    registry.add("oidc/serve", lambda _: {"address": "127.0.0.1", "port": serving.start()})
    return serving.stop


class _Serving:
    """The servers of all issuers, which are there once somebody has asked for them."""

    def __init__(self, world: Callable[[], World]) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._listener: IssuerListener | None = None
        self._port = 0

    def start(self) -> int:
        """The port on which they listen."""
        from stslab.sandbox.oidc.listener import IssuerListener

        with self._lock:
            if self._listener is None:
                listener = IssuerListener(self._world)
                self._port = listener.start()
                self._listener = listener
            return self._port

    def stop(self) -> None:
        """Let them go."""
        with self._lock:
            if self._listener is not None:
                self._listener.stop()
                self._listener = None


def _mint(world: World, asked: ControlRequest) -> Mapping[str, Any]:
    """Mint ``{"claims": {"sub": …, "aud": …}, "issuer": …, "seconds": …, "algorithm": …}``."""
    body = asked.body
    claims, seconds = body.get("claims", {}), body.get("seconds", 3600)
    if not isinstance(claims, dict) or not isinstance(seconds, int):
        raise SandboxError("claims is a JSON object, and seconds a whole number.")
    if abs(seconds) > _MOST_SECONDS:
        raise SandboxError(f"A token is valid for {_MOST_SECONDS} seconds at most.")
    issuer = str(body.get("issuer", OWN_ISSUER))
    with world.write_lock:
        servers.reach(world, issuer)
        token = world.part("oidc", Issuers).mint(
            claims,
            world.now(),
            seconds=seconds,
            issuer=issuer,
            algorithm=str(body.get("algorithm", "RS256")),
        )
    return {"issuer": issuer, "token": token}


def _issuer(world: World, asked: ControlRequest) -> Mapping[str, Any]:
    """Show an issuer (the sandbox's own by default): configuration, public keys, certificates.

    POST ``{"issuer": …, "certificate": …}`` lets its server show another certificate first;
    see :data:`stslab.sandbox.oidc.certificates.KINDS`.
    """
    url = str(asked.body.get("issuer") or asked.arguments.get("issuer", OWN_ISSUER))
    with world.write_lock:
        shown = servers.reach(world, url)
        kind = asked.body.get("certificate")
        if asked.method == "POST" and kind:
            shown = certificates.of(world).change(hosts.of(url), str(kind), world.now())
        issuer = world.part("oidc", Issuers).get(url)
        trusted = servers.trusted_root(world, shown)
        return {
            "issuer": url,
            "host": hosts.of(url),
            "configuration": issuer.configuration(),
            "jwks": issuer.jwks(),
            "trusted": bool(trusted),
            "thumbprint": thumbprint(shown.chain[-1]),
            "certificates": [
                {"role": role, **described(pem), "pem": pem.decode()}
                for role, pem in zip(_ROLES, (*shown.chain, *trusted), strict=False)
            ],
        }
