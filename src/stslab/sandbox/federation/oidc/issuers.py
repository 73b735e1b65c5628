"""The OpenID Connect issuers whose tokens a lab can use, all of them simulated offline.

The account simulates any issuer that a lab names, such as
``https://token.actions.githubusercontent.com``. Each issuer's keys are made when its first token
is minted, and only tokens signed with them are valid.
"""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from msgspec.structs import replace

from stslab.errors import SandboxError
from stslab.sandbox.federation.oidc import certificates, tokens
from stslab.sandbox.state.identities import (
    Authority,
    Issuer,
    IssuerServer,
    PublicAuthority,
    SigningKey,
)
from stslab.sandbox.state.snapshot import Transaction, View

JWKS_PATH = "/.well-known/jwks"
OWN_ISSUER = "https://oidc.stslab.example"
_HTTPS = "https://"
_ALGORITHMS = ("RS256", "ES256")
_MOST_ISSUERS = 1000


def issuer_of(tx: Transaction, url: str) -> Issuer:
    """The issuer with exactly this URL, created if there is none.

    SandboxError: the URL is not an issuer's, or there are too many issuers.
    """
    known = tx.get(Issuer, "", url)
    if known is not None:
        return known
    if not url.startswith(_HTTPS) or len(url) <= len(_HTTPS) or set("?# ") & set(url):
        raise SandboxError(
            f"{url!r} is not the URL of an OpenID Connect issuer.",
            "It must begin with https:// and have neither a query nor a fragment.",
        )
    if tx.count(Issuer, "") >= _MOST_ISSUERS:
        raise SandboxError(f"The embedded account can have {_MOST_ISSUERS} issuers at most.")
    made = Issuer(url=url)
    tx.put(made)
    return made


def mint(
    tx: Transaction,
    claims: tokens.Claims,
    *,
    seconds: int = 3600,
    issuer: str = OWN_ISSUER,
    algorithm: str = "RS256",
) -> str:
    """A token of the issuer with these claims; iss, iat, exp and jti are added if absent."""
    if algorithm not in _ALGORITHMS:
        raise SandboxError(f"Tokens can be signed with {' or '.join(_ALGORITHMS)} only.")
    signer = issuer_of(tx, issuer)
    key = signer.keys.get(algorithm)
    if key is None:
        key = _new_key(algorithm)
        tx.put(replace(signer, keys={**signer.keys, algorithm: key}))
    issued = int(tx.now().timestamp())
    standard = {"iss": issuer, "iat": issued, "exp": issued + seconds}
    filled = {**standard, "jti": secrets.token_hex(8), **claims}
    return tokens.sign(_read(key.pem), algorithm, key.key_id, filled)


def jwks(issuer: Issuer) -> dict[str, list[dict[str, str]]]:
    return {"keys": [_jwk(key) for key in issuer.keys.values()]}


def public_key(issuer: Issuer, key_id: object) -> Mapping[str, str] | None:
    """The issuer's public key with this id, a JSON Web Key; None if there is none."""
    return next((_jwk(key) for key in issuer.keys.values() if key.key_id == key_id), None)


def configuration(issuer: Issuer) -> dict[str, object]:
    """The issuer's ``/.well-known/openid-configuration`` (OpenID Connect Discovery)."""
    return {
        "issuer": issuer.url,
        "jwks_uri": f"{issuer.url.rstrip('/')}{JWKS_PATH}",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(_ALGORITHMS),
        "claims_supported": ["aud", "exp", "iat", "iss", "jti", "sub"],
    }


def _new_key(algorithm: str) -> SigningKey:
    key = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if algorithm == "RS256"
        else ec.generate_private_key(ec.SECP256R1())
    )
    return SigningKey(secrets.token_hex(8), algorithm, certificates.pem_of(key))


@lru_cache(maxsize=64)
def _read(pem: bytes) -> tokens.PrivateKey:
    """The private key. Cached, since reading an RSA key takes longer than signing with it."""
    return cast("tokens.PrivateKey", serialization.load_pem_private_key(pem, password=None))


def _jwk(key: SigningKey) -> dict[str, str]:
    return tokens.public_jwk(_read(key.pem), key.algorithm, key.key_id)


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
"""The hosts whose certificates AWS trusts by its library of root certificates.

IAM User Guide, "Obtain the thumbprint for an OpenID Connect identity provider": Auth0, GitHub,
GitLab, Google and Amazon S3.
"""


def host_of(url: str) -> str:
    """The DNS name in an issuer's URL, in lower case; empty if it has none (an IP address)."""
    name = _PORT.sub("", url.removeprefix("https://").partition("/")[0]).lower()
    is_name = len(name) <= _LONGEST and _NAME.fullmatch(name) is not None
    return name if is_name and not name.rpartition(".")[2].isdigit() else ""


def is_public(host: str) -> bool:
    """Whether a public authority, which AWS trusts, signs certificates for this host."""
    return _PUBLIC.fullmatch(host) is not None


def reach(tx: Transaction, url: str) -> IssuerServer:
    """The server of this issuer; both are created if there are none."""
    issuer_of(tx, url)
    host = host_of(url)
    if not host:
        raise SandboxError(f"{url} has no host name that a certificate could be for.")
    return server_of(tx, host)


def server_of(tx: Transaction, host: str) -> IssuerServer:
    """The server of this host with its certificates, created if there is none."""
    server = tx.get(IssuerServer, "", host)
    if server is None:
        server = KINDS["trusted" if is_public(host) else "new-ca"](tx, host)
        tx.put(server)
    return server


def change(tx: Transaction, host: str, kind: str) -> IssuerServer:
    """Give the server of this host other certificates; see :data:`KINDS`."""
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise SandboxError(f"There is no kind of certificate {kind!r}.", f"Choose from: {known}.")
    changed = KINDS[kind](tx, host)
    tx.put(changed)
    return changed


def verify(view: View, url: str, configured: Sequence[str]) -> None:
    """Verify the issuer's server as STS does; ``configured`` are the provider's thumbprints.

    UnknownAuthority: neither a trusted root nor a thumbprint matches its certificates.
    NotVerified: there is no server, or its certificate is for another host, expired, or forged.
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
    """The root that AWS trusts and that signed the server's chain (PEM); empty if none did."""
    return tuple(root for root in roots(view) if certificates.has_signed(root, server.chain[-1]))


def _trusted(tx: Transaction, host: str) -> IssuerServer:
    """A certificate of the public authority, which is created or renewed if needed."""
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
    authority = server_of(tx, host).authority
    if not _holds(tx, authority):
        raise SandboxError(
            f"The CA of {host} has expired, and can't sign.",
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
        tx, host, server_of(tx, host).authority, name="elsewhere.stslab.example"
    ),
    "forged": lambda tx, host: _server(
        tx, host, server_of(tx, host).authority, forger=_own_authority(tx, host)
    ),
}
"""The certificates that a host's server can change to.

A new one of the same authority, of a new authority, or of the public one; one for another host;
one that names the same authority but is signed with another key.
"""
