"""The identity providers that IAM trusts, and those that the account stands in for.

No network is reached, so that a lab's tokens and assertions come from the latter. They belong to
no account.
"""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from stslab.sandbox.state.record import Moment, Named, Record


class OidcProvider(Record, frozen=True, kw_only=True):
    """An OpenID Connect provider. ``url`` has no ``https://`` and no slash at its end.

    ``thumbprints`` are in lower case.
    """

    table: ClassVar[str] = "oidc-provider"
    keyed_by: ClassVar[str] = "url"

    url: str
    created: Moment
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()
    tags: Mapping[str, str] = {}

    @property
    def arn(self) -> str:
        """The provider's ARN."""
        return f"arn:aws:iam::{self.account}:oidc-provider/{self.url}"


class SamlProvider(Named, frozen=True, kw_only=True):
    """A SAML provider. ``unique_id`` ends the sign-in address that is this provider's alone."""

    table: ClassVar[str] = "saml-provider"

    valid_until: Moment
    metadata: str
    tags: Mapping[str, str] = {}


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
    keyed_by: ClassVar[str] = "url"

    account: str = ""
    url: str
    keys: Mapping[str, SigningKey] = {}


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
    keyed_by: ClassVar[str] = "host"

    account: str = ""
    host: str
    leaf: bytes
    authority: Authority

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


class IdentityProvider(Record, frozen=True, kw_only=True):
    """A SAML identity provider: its entity id, its private key and its certificate, as PEM."""

    table: ClassVar[str] = "saml-identity-provider"
    keyed_by: ClassVar[str] = "entity_id"

    account: str = ""
    entity_id: str
    private_key: bytes
    certificate: bytes
