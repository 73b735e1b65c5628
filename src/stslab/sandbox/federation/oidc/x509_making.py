"""X.509 certificates for the servers of issuers, and for the authorities that sign them.

RFC 5280. Keys are on the curve P-256, signatures ECDSA with SHA-256.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stslab.sandbox.state.providers import Authority

ROOT_DAYS, AUTHORITY_DAYS = 30 * 365, 10 * 365
# What browsers take at most (CA/Browser Forum, "Baseline Requirements", 6.3.2, before 2026).
SERVER_DAYS = 398
_EARLIER = timedelta(days=1)
_ORGANIZATION = "stslab sandbox"
_LONGEST_COMMON_NAME = 64
_NO_USAGE = dict.fromkeys(
    (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    ),
    False,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Signer:
    """Who signs: the authority that the certificate names, and the key that it is signed with."""

    name: x509.Name
    public_key: Any
    key: Any = field(repr=False)


def authority(
    name: str, now: datetime, days: int, signed_by: Authority | None = None, below: int = 0
) -> Authority:
    """An authority's certificate, self-signed unless another authority signs it.

    ``below`` is how many authorities there may be between it and a server.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    signer = _signer(signed_by) if signed_by else _Signer(subject, key.public_key(), key)
    usage = x509.KeyUsage(**{**_NO_USAGE, "key_cert_sign": True, "crl_sign": True})
    builder = (
        _builder(subject, key, signer, now, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=below), critical=True)
        .add_extension(usage, critical=True)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Authority(_signed(builder, signer), private)


def server(
    host: str, now: datetime, signed_by: Authority, with_key_of: Authority | None = None
) -> bytes:
    """A server's certificate for ``host``, as PEM; its private key is used nowhere.

    ``with_key_of`` forges it: it names ``signed_by``, and another key has signed it.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    signer = _signer(signed_by)
    if with_key_of is not None:
        signer = _Signer(signer.name, signer.public_key, _key(with_key_of))
    usage = x509.KeyUsage(**{**_NO_USAGE, "digital_signature": True})
    builder = (
        _builder(_name(host), key, signer, now, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    )
    return _signed(builder, signer)


def thumbprint(pem: bytes) -> str:
    """The SHA-1 of the certificate in 40 hexadecimal characters, as IAM keeps it."""
    der = _read(pem).public_bytes(serialization.Encoding.DER)
    return hashlib.sha1(der, usedforsecurity=False).hexdigest()


def ends(pem: bytes) -> datetime:
    """Until when the certificate is valid."""
    return _read(pem).not_valid_after_utc


def described(pem: bytes) -> dict[str, str]:
    """``subject``, ``issuer``, ``not_before``, ``not_after`` and ``sha1`` of a certificate."""
    found = _read(pem)
    return {
        "subject": found.subject.rfc4514_string(),
        "issuer": found.issuer.rfc4514_string(),
        "not_before": found.not_valid_before_utc.isoformat(),
        "not_after": found.not_valid_after_utc.isoformat(),
        "sha1": thumbprint(pem),
    }


def _builder(
    subject: x509.Name, key: Any, signer: _Signer, now: datetime, days: int
) -> x509.CertificateBuilder:
    """What all certificates have.

    They hold by the account's clock and by the machine's, which tools that look at them go by.
    """
    real = datetime.now(UTC)
    own, theirs = (
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key),
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, real) - _EARLIER)
        .not_valid_after(max(now, real) + timedelta(days=days))
        .add_extension(own, critical=False)
        .add_extension(theirs, critical=False)
    )


def _signed(builder: x509.CertificateBuilder, signer: _Signer) -> bytes:
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _signer(authority: Authority) -> _Signer:
    found = _read(authority.pem)
    return _Signer(found.subject, found.public_key(), _key(authority))


def _key(authority: Authority) -> Any:
    return serialization.load_pem_private_key(authority.private_key, password=None)


def _read(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def _name(common: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION)]
    if len(common) <= _LONGEST_COMMON_NAME:  # a longer host name is in the alternative name alone
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common))
    return x509.Name(attributes)
