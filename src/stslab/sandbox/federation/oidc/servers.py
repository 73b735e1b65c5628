"""The servers of issuers as IAM and STS see them: what they show, and whether it is believed.

Each host has its own private authority, but for those that a public one vouches for: the
account plays one, whose root stands for AWS's library of trusted roots. Certificates are made
when they are first needed, and stay until somebody changes them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from stslab.errors import SandboxError
from stslab.sandbox.federation.oidc import certificates, issuers
from stslab.sandbox.state.identities import Authority, IssuerServer, PublicAuthority
from stslab.sandbox.state.snapshot import Transaction, View

_ROOT_NAME, _PUBLIC_NAME = "stslab sandbox trusted root", "stslab sandbox public CA"
_SPARE = timedelta(days=1)
_LONGEST = 253
_NAME = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_PORT = re.compile(r":[0-9]{1,5}$")
_PUBLIC = re.compile(
    r"token\.actions\.githubusercontent\.com"
    r"|gitlab\.com"
    r"|accounts\.google\.com"
    r"|.+\.auth0\.com"
    r"|(?:.+\.)?s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?"
)
"""The hosts with certificates of public authorities.

IAM User Guide, "Obtain the thumbprint for an OpenID Connect identity provider": AWS trusts the
servers of Auth0, GitHub, GitLab, Google and Amazon S3 by its library of root certificates.
"""


def host_of(url: str) -> str:
    """The host name in an issuer's URL, in lower case; empty where it has none.

    An address, and what DNS does not know as a name, is none.
    """
    name = _PORT.sub("", url.removeprefix("https://").partition("/")[0]).lower()
    is_name = len(name) <= _LONGEST and _NAME.fullmatch(name) is not None
    return name if is_name and not name.rpartition(".")[2].isdigit() else ""


def is_public(host: str) -> bool:
    """Whether a public authority, one that AWS trusts, vouches for the servers of this name."""
    return _PUBLIC.fullmatch(host) is not None


def reach(tx: Transaction, url: str) -> IssuerServer:
    """What the server of this issuer shows; the account stands in for it from now on."""
    issuers.named(tx, url)
    host = host_of(url)
    if not host:
        raise SandboxError(f"{url} has no host name for which there could be a certificate.")
    return shown(tx, host)


def shown(tx: Transaction, host: str) -> IssuerServer:
    """What the server of this host shows, made if need be."""
    found = tx.get(IssuerServer, "", host)
    if found is None:
        found = KINDS["trusted" if is_public(host) else "new-ca"](tx, host)
        tx.put(found)
    return found


def change(tx: Transaction, host: str, kind: str) -> IssuerServer:
    """Let the server of this host show something else from now on; see :data:`KINDS`."""
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise SandboxError(f"There is no kind of certificate {kind!r}.", f"There are {known}.")
    changed = KINDS[kind](tx, host)
    tx.put(changed)
    return changed


def retrieved_thumbprint(tx: Transaction, url: str) -> str:
    """The thumbprint of the top intermediate authority that the issuer's server shows.

    IAM takes it where a provider is made without one (API Reference, "CreateOpenIDConnectProvider",
    ThumbprintList).
    """
    return certificates.thumbprint(reach(tx, url).chain[-1])


def verify(view: View, url: str, configured: Sequence[str]) -> None:
    """Connect to the issuer's server as STS does; ``configured`` are the provider's thumbprints.

    UnknownAuthority: neither a trusted root nor a thumbprint vouches for what it shows.
    NotVerified: there is no server, or what it shows is for another host, not valid now, or forged.
    """
    host = host_of(url)
    server = view.get(IssuerServer, "", host)
    if server is None:
        raise certificates.NotVerified(f"no server of {url}")
    certificates.verify(host, server.chain, roots(view), configured, view.now())


def roots(view: View) -> tuple[bytes, ...]:
    """The roots that AWS trusts (PEM)."""
    public = view.get(PublicAuthority, "", "")
    return (public.root.pem,) if public else ()


def trusted_root(view: View, server: IssuerServer) -> tuple[bytes, ...]:
    """The root that AWS trusts and that is over what the server shows, if there is one (PEM)."""
    return tuple(root for root in roots(view) if certificates.is_over(root, server.chain[-1]))


def _trusted(tx: Transaction, host: str) -> IssuerServer:
    """A certificate of the public authority, which is made or renewed if need be."""
    now, public = tx.now(), tx.get(PublicAuthority, "", "")
    if public is None or not _holds(tx, public.root):
        root = certificates.authority(_ROOT_NAME, now, certificates.ROOT_DAYS, below=1)
    else:
        root = public.root
    if public is None or root is not public.root or not _holds(tx, public.below):
        days = certificates.AUTHORITY_DAYS
        below = certificates.authority(_PUBLIC_NAME, now, days, signed_by=root)
        public = PublicAuthority(root=root, below=below)
        tx.put(public)
    return _server(tx, host, public.below)


def _renewed(tx: Transaction, host: str) -> IssuerServer:
    authority = shown(tx, host).authority
    if not _holds(tx, authority):
        raise SandboxError(
            f"The CA of {host} is not valid any more, and can't sign.",
            "Move the server to another one: --certificate new-ca",
        )
    return _server(tx, host, authority)


def _own_authority(tx: Transaction, host: str) -> Authority:
    return certificates.authority(f"CA of {host}", tx.now(), certificates.AUTHORITY_DAYS)


def _server(
    tx: Transaction,
    host: str,
    authority: Authority,
    *,
    name: str = "",
    forger: Authority | None = None,
) -> IssuerServer:
    leaf = certificates.server(name or host, tx.now(), authority, forger)
    return IssuerServer(host=host, leaf=leaf, authority=authority)


def _holds(view: View, authority: Authority) -> bool:
    return certificates.ends(authority.pem) > view.now() + _SPARE


KINDS: Mapping[str, Callable[[Transaction, str], IssuerServer]] = {
    "renewed": _renewed,
    "new-ca": lambda tx, host: _server(tx, host, _own_authority(tx, host)),
    "trusted": _trusted,
    "wrong-host": lambda tx, host: _server(
        tx, host, shown(tx, host).authority, name="elsewhere.stslab.example"
    ),
    "forged": lambda tx, host: _server(
        tx, host, shown(tx, host).authority, forger=_own_authority(tx, host)
    ),
}
"""What a host's server can change to: what happens to issuers, and what attackers do.

A new certificate of the same authority; one of a new authority of the host's own, or of the public
one; one for another name; one that names the same authority, and that somebody else signed.
"""
