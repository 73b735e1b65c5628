"""What the servers of issuers show who connects to them: a certificate, and its authority's.

Each host has its own private authority, but for those that a public one vouches for: the
sandbox plays one, whose root stands for AWS's library of trusted roots. Certificates are made
when they are first needed, and kept with the account: until somebody changes them, they stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from stslab.errors import SandboxError
from stslab.sandbox.federation.oidc import hosts
from stslab.sandbox.federation.oidc import x509_making as making
from stslab.sandbox.federation.oidc.x509_making import Certified
from stslab.sandbox.saved.tables import Table

if TYPE_CHECKING:
    from stslab.sandbox.saved.account import World

PART = "oidc certificates"
_ROOT, _PUBLIC = "root", "public"
_ROOT_NAME, _PUBLIC_NAME = "stslab sandbox trusted root", "stslab sandbox public CA"
_SPARE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Server:
    """What one host's server shows: its own certificate (PEM), and the authority over it."""

    leaf: bytes
    authority: Certified

    @property
    def chain(self) -> tuple[bytes, bytes]:
        """What it sends, the server's own first; roots are not sent."""
        return self.leaf, self.authority.pem


class Certificates:
    """Those of every host, and of the public authority; part of what the account saves."""

    def __init__(self) -> None:
        self._servers: Table[str, Server] = Table()
        self._public: Table[str, Certified] = Table()

    def get(self, host: str, now: datetime) -> Server:
        """What the server of this name shows, made if need be."""
        if host not in self._servers:
            is_public = hosts.is_public(host)
            self._servers[host] = (self.trusted if is_public else _private)(host, now)
        return self._servers[host]

    def roots(self) -> tuple[bytes, ...]:
        """The roots that AWS trusts."""
        root = self._public.get(_ROOT)
        return (root.pem,) if root else ()

    def change(self, host: str, kind: str, now: datetime) -> Server:
        """Let the server of this name show something else from now on; see :data:`KINDS`.

        Raises:
            SandboxError: there is no such kind, or what it takes is not valid any more.
        """
        if kind not in KINDS:
            known = ", ".join(KINDS)
            raise SandboxError(f"There is no kind of certificate {kind!r}.", f"There are {known}.")
        self._servers[host] = KINDS[kind](self, host, now)
        return self._servers[host]

    def trusted(self, host: str, now: datetime) -> Server:
        """What it would show if the public authority vouched for it."""
        if not _holds(self._public.get(_ROOT), now):
            self._public[_ROOT] = making.authority(_ROOT_NAME, now, making.ROOT_DAYS, below=1)
            self._public.pop(_PUBLIC, None)
        if not _holds(self._public.get(_PUBLIC), now):
            self._public[_PUBLIC] = making.authority(
                _PUBLIC_NAME, now, making.AUTHORITY_DAYS, self._public[_ROOT]
            )
        authority = self._public[_PUBLIC]
        return Server(making.server(host, now, authority), authority)


def _private(host: str, now: datetime) -> Server:
    """A certificate of a new authority of the host's own."""
    authority = making.authority(f"CA of {host}", now, making.AUTHORITY_DAYS)
    return Server(making.server(host, now, authority), authority)


def _renewed(certificates: Certificates, host: str, now: datetime) -> Server:
    """A new certificate of the same authority."""
    authority = certificates.get(host, now).authority
    if not _holds(authority, now):
        raise SandboxError(
            f"The CA of {host} is not valid any more, and can't sign.",
            "Move the server to another one: --certificate new-ca",
        )
    return Server(making.server(host, now, authority), authority)


def _misnamed(certificates: Certificates, host: str, now: datetime) -> Server:
    """A certificate of the same authority for another name."""
    authority = certificates.get(host, now).authority
    return Server(making.server("elsewhere.stslab.example", now, authority), authority)


def _forged(certificates: Certificates, host: str, now: datetime) -> Server:
    """A certificate that names the same authority, and that somebody else signed."""
    authority = certificates.get(host, now).authority
    somebody = making.authority(f"CA of {host}", now, making.AUTHORITY_DAYS)
    return Server(making.server(host, now, authority, somebody), authority)


def _holds(authority: Certified | None, now: datetime) -> bool:
    return authority is not None and making.ends(authority.pem) > now + _SPARE


KINDS: Mapping[str, Callable[[Certificates, str, datetime], Server]] = {
    "renewed": _renewed,
    "new-ca": lambda _certificates, host, now: _private(host, now),
    "trusted": Certificates.trusted,
    "wrong-host": _misnamed,
    "forged": _forged,
}
"""What a host's server can change to: what happens to issuers, and what attackers do."""


def of(world: World) -> Certificates:
    """Those of this world."""
    return world.part(PART, Certificates)
