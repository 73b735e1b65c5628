"""The identity providers that the account stands in for: their keys and certificates.

No network is reached, so that a lab's tokens and assertions come from here. These belong to no
account: what IAM knows of an identity provider is another record.
"""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from stslab.sandbox.state.record import Record


class SigningKey(msgspec.Struct, frozen=True):
    """One private key of an OpenID Connect issuer, as PEM, and the id that its tokens name."""

    key_id: str
    algorithm: str
    pem: bytes

    def __repr__(self) -> str:
        """Show no key."""
        return f"<signing key {self.key_id}>"


class Issuer(Record, frozen=True, kw_only=True):
    """An OpenID Connect issuer. ``keys`` has one for each algorithm that it was asked for."""

    table: ClassVar[str] = "oidc-issuer"

    account: str = ""
    url: str
    keys: Mapping[str, SigningKey] = {}

    @property
    def key(self) -> str:
        """The URL."""
        return self.url


class Authority(msgspec.Struct, frozen=True):
    """A certificate authority: its certificate and its private key, as PEM."""

    pem: bytes
    private_key: bytes

    def __repr__(self) -> str:
        """Show no key."""
        return "<certificate authority>"


class IssuerServer(Record, frozen=True, kw_only=True):
    """What the server of an issuer shows: a certificate (PEM), and that of who signed it.

    Its own private key is used nowhere.
    """

    table: ClassVar[str] = "issuer-server"

    account: str = ""
    host: str
    leaf: bytes
    authority: Authority

    @property
    def key(self) -> str:
        """The host name."""
        return self.host

    @property
    def chain(self) -> tuple[bytes, bytes]:
        """What it sends, the server's own first; roots are not sent."""
        return self.leaf, self.authority.pem


class PublicAuthority(Record, frozen=True, kw_only=True):
    """The authority that AWS trusts: its root, and the authority below that signs."""

    table: ClassVar[str] = "public-authority"

    account: str = ""
    root: Authority
    below: Authority

    @property
    def key(self) -> str:
        """There is one."""
        return ""


class IdentityProvider(Record, frozen=True, kw_only=True):
    """A SAML identity provider: its entity id, its private key and its certificate, as PEM."""

    table: ClassVar[str] = "saml-identity-provider"

    account: str = ""
    entity_id: str
    private_key: bytes
    certificate: bytes

    @property
    def key(self) -> str:
        """The entity id."""
        return self.entity_id
