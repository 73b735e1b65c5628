"""Whether the server of an issuer is believed, as AWS decides it before it takes keys from it.

IAM User Guide, "Obtain the thumbprint for an OpenID Connect identity provider": by the library
of trusted roots; and only where the certificate is not signed by one of those, by the
thumbprints in the provider's configuration. A thumbprint is that of the authority over the
server's certificate, or (API Reference, "CreateOpenIDConnectProvider") of the server's own.
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from stslab.sandbox.federation.oidc.x509_making import thumbprint


class UnknownAuthority(Exception):  # noqa: N818 - the name says what was found
    """No trusted root is over the certificate, and no thumbprint is that of what is shown."""


class NotVerified(Exception):  # noqa: N818 - as above
    """The certificate is not for this name, not valid now, or not signed by its authority."""


def verify(
    host: str,
    chain: Sequence[bytes],
    roots: Sequence[bytes],
    thumbprints: Sequence[str],
    now: datetime,
) -> None:
    """Check the certificates that the server of ``host`` shows, its own first, all PEM.

    Raises:
        UnknownAuthority: nothing vouches for them.
        NotVerified: something does, and they are not what it vouches for.
    """
    shown = _read(chain)
    trusted = [root for root in roots if is_over(root, chain[-1])]
    wanted = {one.lower() for one in thumbprints}
    if not trusted and not wanted.intersection(map(thumbprint, chain)):
        raise UnknownAuthority
    _verify(host, shown, _read(trusted) or shown[-1:], now)


def is_over(root: bytes, authority: bytes) -> bool:
    """Whether this root has signed the authority's certificate, both PEM."""
    above, below = _read((root, authority))
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _read(chain: Sequence[bytes]) -> list[x509.Certificate]:
    try:
        return [x509.load_pem_x509_certificate(pem) for pem in chain]
    except ValueError as error:  # somebody changed the account's file
        raise NotVerified(str(error)) from error


def _verify(
    host: str,
    shown: list[x509.Certificate],
    anchors: list[x509.Certificate],
    now: datetime,
) -> None:
    try:
        policy = PolicyBuilder().store(Store(anchors)).time(now.replace(tzinfo=None))
        policy.build_server_verifier(x509.DNSName(host)).verify(shown[0], shown[1:])
    except (VerificationError, ValueError) as error:
        raise NotVerified(str(error)) from error
