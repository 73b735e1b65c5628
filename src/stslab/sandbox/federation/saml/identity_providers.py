"""The SAML identity providers that a lab can have assertions of, offline.

The account stands in for whichever provider a lab names by its entity id. Each has a key and
a certificate of its own, made when its metadata or its first assertion is asked for.
"""

from datetime import datetime, timedelta

from stslab.errors import SandboxError
from stslab.sandbox.state.providers import IdentityProvider
from stslab.sandbox.state.transaction import Transaction

OWN = "https://saml.stslab.example"
_HTTPS = "https://"
_LONGEST = 1024
_MOST = 100
_RSA_BITS = 2048
_RSA_EXPONENT = 65537
_VALID = timedelta(days=3650)


def named(tx: Transaction, entity_id: str) -> IdentityProvider:
    """The provider with this entity id, made if need be.

    Raises:
        SandboxError: it is no entity id, or there are too many.
    """
    found = tx.get(IdentityProvider, "", entity_id)
    if found is not None:
        return found
    printable = entity_id.isascii() and entity_id.isprintable() and " " not in entity_id
    fits = len(_HTTPS) < len(entity_id) <= _LONGEST
    if not entity_id.startswith(_HTTPS) or not printable or not fits:
        raise SandboxError(
            f"{entity_id[:_LONGEST]!r} is not the entity id of a SAML identity provider here.",
            f"It begins with {_HTTPS} and has {_LONGEST} characters at most, no spaces.",
        )
    if tx.count(IdentityProvider, "") >= _MOST:
        raise SandboxError(f"The sandbox stands in for {_MOST} SAML providers at most.")
    made = new(entity_id, tx.now())
    tx.put(made)
    return made


def new(entity_id: str, now: datetime) -> IdentityProvider:
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
    return IdentityProvider(
        entity_id=entity_id,
        private_key=pem,
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
    )
