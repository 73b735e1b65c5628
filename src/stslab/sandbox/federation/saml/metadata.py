"""Reads a SAML metadata document: the identity providers in it, and their certificates.

Expired ones are accepted, too (IAM User Guide, "Create a SAML identity provider in IAM").
"""

import base64
from collections.abc import Mapping

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa

from stslab.sandbox.api import faults
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.federation.saml import names, xml

_LEAST_BITS = 1024
_LONGEST_ENTITY_ID = 1024
_NO_ISSUER = "SAML Providers must reference at least one SAML assertion issuer."
_ENTITY = f"{{{names.METADATA}}}EntityDescriptor"
_ENTITIES = f"{{{names.METADATA}}}EntitiesDescriptor"

Issuers = Mapping[str, tuple[x509.Certificate, ...]]
"""The certificates that each provider signs with, by its entity id.

It may have no other than those for encryption, and so none here: public records show it.
"""


def read(document: str) -> Issuers:
    """The providers in a document, each of which has certificates. Raises InvalidInput."""
    try:
        return _issuers(xml.parse(document.encode()))
    except (xml.BadXml, UnicodeEncodeError) as error:
        raise _refused(str(error)) from error


def _issuers(root: xml.Element) -> Issuers:
    found: dict[str, tuple[x509.Certificate, ...]] = {}
    if root.tag not in (_ENTITY, _ENTITIES):
        raise _refused("it is not an EntityDescriptor")
    for entity in [root] if root.tag == _ENTITY else root.iter(_ENTITY):
        descriptor = xml.child(entity, names.METADATA, "IDPSSODescriptor")
        if descriptor is None:
            continue
        issuer = (entity.get("entityID") or "").strip()
        if not issuer or len(issuer) > _LONGEST_ENTITY_ID or issuer in found:
            raise _refused("an EntityDescriptor has no entityID, or another one's")
        if names.PROTOCOL not in (descriptor.get("protocolSupportEnumeration") or "").split():
            raise _refused("the identity provider does not support SAML 2.0")
        if not xml.everywhere(descriptor, names.SIGNATURE, "X509Certificate"):
            raise _refused("an identity provider has no certificate")
        found[issuer] = tuple(
            _certificate(xml.text(info))
            for key in xml.children(descriptor, names.METADATA, "KeyDescriptor")
            if key.get("use", "signing") == "signing"
            for info in xml.everywhere(key, names.SIGNATURE, "X509Certificate")
        )
    if not found:
        raise faults.invalid_input(_NO_ISSUER)
    return found


def _refused(why: str, not_able: str = "Could not") -> ApiFault:
    return faults.invalid_input(f"{not_able} parse metadata: {why}")


def _certificate(encoded: str) -> x509.Certificate:
    try:
        der = base64.b64decode("".join(encoded.split()), validate=True)
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
        _ = certificate.extensions
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise _refused("a certificate can't be read", "Unable to") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _LEAST_BITS:
        raise _refused("a certificate has no RSA key of at least 1024 bits", "Unable to")
    return certificate
