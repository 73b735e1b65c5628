"""The SAML identity providers that a lab can have assertions of, offline.

The sandbox stands in for whichever provider a lab names by its entity id. Each has a key and
a certificate of its own, made when its metadata or its first assertion is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from stslab.errors import SandboxError
from stslab.sandbox.saved.tables import Table

OWN = "https://saml.stslab.example"
_HTTPS = "https://"
_LONGEST = 1024
_MOST = 100
_RSA_BITS = 2048
_RSA_EXPONENT = 65537
_VALID = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """A provider: its entity id, its private key and its certificate, as PEM."""

    entity_id: str
    key: bytes = field(repr=False)
    certificate: bytes = field(repr=False)

    @classmethod
    def new(cls, entity_id: str, now: datetime) -> IdentityProvider:
        """A provider with a fresh RSA key, and a certificate that it signed itself."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(_RSA_EXPONENT, _RSA_BITS)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stslab SAML")])
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + _VALID)
            .sign(key, hashes.SHA256())
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return cls(entity_id, pem, certificate.public_bytes(serialization.Encoding.PEM))


def _fits(entity_id: str) -> bool:
    return len(_HTTPS) < len(entity_id) <= _LONGEST


class IdentityProviders:
    """Every provider that was asked for; part of what the account saves."""

    def __init__(self) -> None:
        self._providers: Table[str, IdentityProvider] = Table()

    def get(self, entity_id: str, now: datetime) -> IdentityProvider:
        """The provider with this entity id, made if need be.

        Raises:
            SandboxError: it is no entity id, or there are too many.
        """
        if entity_id in self._providers:
            return self._providers[entity_id]
        printable = entity_id.isascii() and entity_id.isprintable() and " " not in entity_id
        if not entity_id.startswith(_HTTPS) or not printable or not _fits(entity_id):
            raise SandboxError(
                f"{entity_id[:_LONGEST]!r} is not the entity id of a SAML identity provider here.",
                f"It begins with {_HTTPS} and has {_LONGEST} characters at most, no spaces.",
            )
        if len(self._providers) >= _MOST:
            raise SandboxError(f"The sandbox stands in for {_MOST} SAML providers at most.")
        self._providers[entity_id] = IdentityProvider.new(entity_id, now)
        return self._providers[entity_id]
