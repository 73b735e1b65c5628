"""The servers of issuers as IAM and STS see them: what they show, and whether it is believed.

Each host has its own private authority, but for those that a public one vouches for: the
account plays one, whose root stands for AWS's library of trusted roots. Certificates are made
when they are first needed, and stay until somebody changes them.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from stslab.errors import SandboxError
from stslab.sandbox.federation.oidc import hosts, issuers, verification
from stslab.sandbox.federation.oidc import x509_making as making
from stslab.sandbox.state.providers import Authority, IssuerServer, PublicAuthority
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.transaction import Transaction

_ROOT_NAME, _PUBLIC_NAME = "stslab sandbox trusted root", "stslab sandbox public CA"
_SPARE = timedelta(days=1)


def reach(tx: Transaction, url: str) -> IssuerServer:
    """What the server of this issuer shows; the account stands in for it from now on.

    Raises:
        SandboxError: there is none of this URL.
    """
    issuers.named(tx, url)
    host = hosts.of(url)
    if not host:
        raise SandboxError(f"{url} has no host name for which there could be a certificate.")
    return shown(tx, host)


def shown(tx: Transaction, host: str) -> IssuerServer:
    """What the server of this host shows, made if need be."""
    found = tx.get(IssuerServer, "", host)
    if found is None:
        found = (_trusted if hosts.is_public(host) else _private)(tx, host)
        tx.put(found)
    return found


def change(tx: Transaction, host: str, kind: str) -> IssuerServer:
    """Let the server of this host show something else from now on; see :data:`KINDS`.

    Raises:
        SandboxError: there is no such kind, or what it takes is not valid any more.
    """
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise SandboxError(f"There is no kind of certificate {kind!r}.", f"There are {known}.")
    changed = KINDS[kind](tx, host)
    tx.put(changed)
    return changed


def retrieved_thumbprint(tx: Transaction, url: str) -> str:
    """The thumbprint of the top intermediate authority that the issuer's server shows.

    IAM takes it where a provider is made without one (API Reference,
    "CreateOpenIDConnectProvider", ThumbprintList).

    Raises:
        SandboxError: there is no server of this URL.
    """
    return making.thumbprint(reach(tx, url).chain[-1])


def verify(view: View, url: str, configured: Sequence[str]) -> None:
    """Connect to the issuer's server as STS does; ``configured`` are the provider's thumbprints.

    Raises:
        UnknownAuthority: neither a trusted root nor a thumbprint vouches for what it shows.
        NotVerified: there is no server, or what it shows is not for this host, not valid now,
            or forged.
    """
    host = hosts.of(url)
    server = view.get(IssuerServer, "", host)
    if server is None:
        raise verification.NotVerified(f"no server of {url}")
    verification.verify(host, server.chain, roots(view), configured, view.now())


def roots(view: View) -> tuple[bytes, ...]:
    """The roots that AWS trusts (PEM)."""
    public = view.get(PublicAuthority, "", "")
    return (public.root.pem,) if public else ()


def trusted_root(view: View, server: IssuerServer) -> tuple[bytes, ...]:
    """The root that AWS trusts and that is over what the server shows, if there is one (PEM)."""
    return tuple(root for root in roots(view) if verification.is_over(root, server.chain[-1]))


def _private(tx: Transaction, host: str) -> IssuerServer:
    """A certificate of a new authority of the host's own."""
    return _server(tx, host, _own_authority(tx, host))


def _trusted(tx: Transaction, host: str) -> IssuerServer:
    """A certificate of the public authority, which is made or renewed if need be."""
    now, public = tx.now(), tx.get(PublicAuthority, "", "")
    renewed = None if public is None or not _holds(tx, public.root) else public
    if renewed is None or not _holds(tx, renewed.below):
        root = (
            renewed.root
            if renewed
            else making.authority(_ROOT_NAME, now, making.ROOT_DAYS, below=1)
        )
        below = making.authority(_PUBLIC_NAME, now, making.AUTHORITY_DAYS, signed_by=root)
        renewed = PublicAuthority(root=root, below=below)
        tx.put(renewed)
    return _server(tx, host, renewed.below)


def _renewed(tx: Transaction, host: str) -> IssuerServer:
    """A new certificate of the same authority."""
    authority = shown(tx, host).authority
    if not _holds(tx, authority):
        raise SandboxError(
            f"The CA of {host} is not valid any more, and can't sign.",
            "Move the server to another one: --certificate new-ca",
        )
    return _server(tx, host, authority)


def _misnamed(tx: Transaction, host: str) -> IssuerServer:
    """A certificate of the same authority for another name."""
    return _server(tx, host, shown(tx, host).authority, name="elsewhere.stslab.example")


def _forged(tx: Transaction, host: str) -> IssuerServer:
    """A certificate that names the same authority, and that somebody else signed."""
    return _server(tx, host, shown(tx, host).authority, forger=_own_authority(tx, host))


def _own_authority(tx: Transaction, host: str) -> Authority:
    return making.authority(f"CA of {host}", tx.now(), making.AUTHORITY_DAYS)


def _server(
    tx: Transaction,
    host: str,
    authority: Authority,
    *,
    name: str = "",
    forger: Authority | None = None,
) -> IssuerServer:
    leaf = making.server(name or host, tx.now(), authority, forger)
    return IssuerServer(host=host, leaf=leaf, authority=authority)


def _holds(view: View, authority: Authority) -> bool:
    return making.ends(authority.pem) > view.now() + _SPARE


KINDS: Mapping[str, Callable[[Transaction, str], IssuerServer]] = {
    "renewed": _renewed,
    "new-ca": _private,
    "trusted": _trusted,
    "wrong-host": _misnamed,
    "forged": _forged,
}
"""What a host's server can change to: what happens to issuers, and what attackers do."""
