"""Makes X.509 certificates (RFC 5280) for the servers of issuers, and verifies them as AWS does.

IAM User Guide, "Obtain the thumbprint for an OpenID Connect identity provider".
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from stslab.sandbox.api import faults
from stslab.sandbox.state.identities import Authority
from stslab.structures import beside

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_read = x509.load_pem_x509_certificate
_AUTHORITY_DAYS = 30 * 365  # longer than the account's clock can be moved
# The longest that browsers accept (CA/Browser Forum, "Baseline Requirements", 6.3.2, before 2026).
_SERVER_DAYS = 398
_EARLIER = timedelta(days=1)
_LONGEST_COMMON_NAME = 64
_USES = """
    digital_signature content_commitment key_encipherment data_encipherment key_agreement
    key_cert_sign crl_sign encipher_only decipher_only
""".split()
Pems = Sequence[bytes]  # certificates in PEM
SAYS: Mapping[str, str] = beside(__file__, "messages.yaml")
unvalidated = partial(faults.invalid_token, SAYS["unvalidated"])
"""STS's error since 2026 for several causes. It does not tell which one it was; the log does."""
unverifiable = partial(faults.invalid_token, SAYS["unverifiable"])
"""STS's error if a certificate is for another name, not valid now, or forged, or there is none."""


def verify(host: str, chain: Pems, roots: Pems, thumbprints: Sequence[str], now: datetime) -> None:
    """Verify the chain of the server of ``host`` (the server's own certificate first).

    AWS trusts it by its root certificates, and only if none of them signed it by a thumbprint: of
    its authority or its own. Raises InvalidIdentityToken.
    """
    try:
        shown = [_read(pem) for pem in chain]
        trusted = [_read(root) for root in roots if has_signed(root, chain[-1])]
        wanted = {one.lower() for one in thumbprints}
        if not trusted and not wanted.intersection(map(thumbprint, chain)):
            raise unvalidated(log={"cause": "thumbprint"})
        policy = PolicyBuilder().store(Store(trusted or shown[-1:])).time(now.replace(tzinfo=None))
        policy.build_server_verifier(x509.DNSName(host)).verify(shown[0], shown[1:])
    except (VerificationError, ValueError) as error:  # a changed file has no certificates
        raise unverifiable() from error


def has_signed(root: bytes, authority: bytes) -> bool:
    try:
        _read(authority).verify_directly_issued_by(_read(root))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def authority(
    name: str, now: datetime, signed_by: Authority | None = None, below: int = 0
) -> Authority:
    """A new authority; ``below`` is how many others there may be between it and a server."""
    key = ec.generate_private_key(ec.SECP256R1())
    constraints = x509.BasicConstraints(ca=True, path_length=below)
    extensions = ((_usage("key_cert_sign", "crl_sign"), True), (constraints, True))
    pem = certificate(name, key, now, _AUTHORITY_DAYS, extensions, above=signed_by)
    return Authority(pem, pem_of(key))


def pem_of(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def server(
    host: str, now: datetime, signed_by: Authority, with_key_of: Authority | None = None
) -> bytes:
    """A new certificate for the server of ``host``, as PEM. Its private key is not kept.

    A forgery names ``signed_by``, but is signed ``with_key_of`` another authority.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    extensions = (
        (_usage("digital_signature"), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectAlternativeName([x509.DNSName(host)]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
    )
    return certificate(
        host, key, now, _SERVER_DAYS, extensions, above=signed_by, forger=with_key_of
    )


def thumbprint(pem: bytes) -> str:
    """The certificate's SHA-1 in 40 hexadecimal characters, as IAM has it."""
    der = _read(pem).public_bytes(serialization.Encoding.DER)
    return hashlib.sha1(der, usedforsecurity=False).hexdigest()


def described(pem: bytes) -> dict[str, str]:
    certificate = _read(pem)
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "sha1": thumbprint(pem),
    }


def _usage(*uses: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{use: use in uses for use in _USES})


def certificate(
    name: str,
    key: Key,
    now: datetime,
    days: int,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    *,
    above: Authority | None = None,
    forger: Authority | None = None,
) -> bytes:
    """A certificate (PEM) with these extensions, critical or not; self-signed without ``above``."""
    real = datetime.now(UTC)  # other tools go by the machine's clock
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "stslab sandbox")]
    if len(name) <= _LONGEST_COMMON_NAME:  # the alternative name has a longer host name
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, name))
    subject, signer = x509.Name(attributes), _key(above) if above else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_read(above.pem).subject if above else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, real) - _EARLIER)
        .not_valid_after(max(now, real) + timedelta(days=days))
    )
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    theirs = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    for extension, critical in ((own, False), (theirs, False), *extensions):
        builder = builder.add_extension(extension, critical=critical)
    signed = builder.sign(_key(forger) if forger else signer, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def _key(of: Authority) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(of.private_key, password=None)
    return cast("ec.EllipticCurvePrivateKey", key)
