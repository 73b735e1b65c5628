"""Makes X.509 certificates for the servers of issuers, and verifies them as AWS does.

RFC 5280; P-256 keys, ECDSA signatures with SHA-256. IAM User Guide, "Obtain the thumbprint for an
OpenID Connect identity provider": AWS trusts a server by its library of root certificates, and
only if none of them signed its certificate by the thumbprints in the provider's configuration: of
its authority, or (API Reference, "CreateOpenIDConnectProvider") its own.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from stslab.sandbox.state.identities import Authority

ROOT_DAYS, AUTHORITY_DAYS = 30 * 365, 10 * 365
# The longest that browsers accept (CA/Browser Forum, "Baseline Requirements", 6.3.2, before 2026).
SERVER_DAYS = 398
_EARLIER = timedelta(days=1)
_ORGANIZATION = "stslab sandbox"
_LONGEST_COMMON_NAME = 64
_NO_USAGE = dict.fromkeys(
    """
    digital_signature content_commitment key_encipherment data_encipherment key_agreement
    key_cert_sign crl_sign encipher_only decipher_only
    """.split(),
    False,
)


class UnknownAuthority(Exception):  # noqa: N818 - the name says what was found
    """No trusted root signed the chain, and no thumbprint matches a certificate in it."""


class NotVerified(Exception):  # noqa: N818 - as above
    """The certificate is not for this name, not valid now, or not signed by its authority."""


def verify(
    host: str,
    chain: Sequence[bytes],
    roots: Sequence[bytes],
    thumbprints: Sequence[str],
    now: datetime,
) -> None:
    """Verify the chain of the server of ``host`` (PEM, the server's own certificate first)."""
    try:
        shown = [_read(pem) for pem in chain]
        trusted = [_read(root) for root in roots if has_signed(root, chain[-1])]
        wanted = {one.lower() for one in thumbprints}
        if not trusted and not wanted.intersection(map(thumbprint, chain)):
            raise UnknownAuthority
        policy = PolicyBuilder().store(Store(trusted or shown[-1:])).time(now.replace(tzinfo=None))
        policy.build_server_verifier(x509.DNSName(host)).verify(shown[0], shown[1:])
    except (VerificationError, ValueError) as error:  # a changed file has no certificates
        raise NotVerified(str(error)) from error


def has_signed(root: bytes, authority: bytes) -> bool:
    """Whether this root has signed the authority's certificate (both PEM)."""
    try:
        _read(authority).verify_directly_issued_by(_read(root))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def authority(
    name: str, now: datetime, days: int, signed_by: Authority | None = None, below: int = 0
) -> Authority:
    """An authority's certificate, self-signed unless another authority signs it.

    ``below`` is how many authorities there may be between it and a server.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, key, now, days, signed_by)
    builder = _used_for(builder, "key_cert_sign", "crl_sign")
    constraints = x509.BasicConstraints(ca=True, path_length=below)
    builder = builder.add_extension(constraints, critical=True)
    return Authority(_signed(builder, _key(signed_by) if signed_by else key), pem_of(key))


def pem_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def server(
    host: str, now: datetime, signed_by: Authority, with_key_of: Authority | None = None
) -> bytes:
    """A new certificate for the server of ``host``, as PEM. Its private key is not kept.

    ``with_key_of`` makes a forgery: it names ``signed_by``, but is signed with this one's key.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _used_for(_builder(host, key, now, SERVER_DAYS, signed_by), "digital_signature")
    for extension in (
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        x509.SubjectAlternativeName([x509.DNSName(host)]),
    ):
        builder = builder.add_extension(extension, critical=False)
    constraints = x509.BasicConstraints(ca=False, path_length=None)
    builder = builder.add_extension(constraints, critical=True)
    return _signed(builder, _key(with_key_of or signed_by))


def thumbprint(pem: bytes) -> str:
    """The certificate's SHA-1 in 40 hexadecimal characters, as IAM has it."""
    der = _read(pem).public_bytes(serialization.Encoding.DER)
    return hashlib.sha1(der, usedforsecurity=False).hexdigest()


def ends(pem: bytes) -> datetime:
    return _read(pem).not_valid_after_utc


def described(pem: bytes) -> dict[str, str]:
    """``subject``, ``issuer``, ``not_before``, ``not_after`` and ``sha1`` of a certificate."""
    certificate = _read(pem)
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "sha1": thumbprint(pem),
    }


def _builder(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    days: int,
    signed_by: Authority | None,
) -> x509.CertificateBuilder:
    """A certificate with the fields that all have; self-signed if ``signed_by`` is None.

    It is valid by the account's clock (``now``) and by the machine's, which other tools use.
    """
    real = datetime.now(UTC)
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION)]
    if len(name) <= _LONGEST_COMMON_NAME:  # the alternative name has a longer host name
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, name))
    subject = x509.Name(attributes)
    above = _read(signed_by.pem) if signed_by else None
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    theirs = x509.AuthorityKeyIdentifier.from_issuer_public_key(
        _key(signed_by).public_key() if signed_by else key.public_key()
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.subject if above else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, real) - _EARLIER)
        .not_valid_after(max(now, real) + timedelta(days=days))
        .add_extension(own, critical=False)
        .add_extension(theirs, critical=False)
    )


def _used_for(builder: x509.CertificateBuilder, *uses: str) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(**{**_NO_USAGE, **dict.fromkeys(uses, True)})
    return builder.add_extension(usage, critical=True)


def _signed(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> bytes:
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _key(of: Authority) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(of.private_key, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(type(key))
    return key


def _read(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)
