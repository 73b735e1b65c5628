"""Writes the metadata and signed responses of the embedded account's SAML identity providers."""

import base64
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from lxml.builder import ElementMaker
from signxml.algorithms import CanonicalizationMethod
from signxml.signer import XMLSigner

from stslab.errors import SandboxError
from stslab.sandbox.api.model import iso
from stslab.sandbox.federation.oidc import certificates
from stslab.sandbox.federation.saml import names
from stslab.sandbox.federation.saml.xml import Element
from stslab.sandbox.state.identities import IdentityProvider
from stslab.sandbox.state.snapshot import Transaction

_PROTOCOL = ElementMaker(
    namespace=names.PROTOCOL, nsmap={"samlp": names.PROTOCOL, "saml": names.ASSERTION}
)
_ASSERTION = ElementMaker(namespace=names.ASSERTION, nsmap={"saml": names.ASSERTION})
_METADATA = ElementMaker(
    namespace=names.METADATA, nsmap={None: names.METADATA, "ds": names.SIGNATURE}
)
_SIGNATURE = ElementMaker(namespace=names.SIGNATURE, nsmap={"ds": names.SIGNATURE})
_POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_CONTEXT = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
_time = partial(iso, precision="milliseconds")


def metadata(provider: IdentityProvider) -> str:
    """The provider's metadata document, as CreateSAMLProvider takes it."""
    certificate = x509.load_pem_x509_certificate(provider.certificate)
    encoded = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
    key = _SIGNATURE.KeyInfo(_SIGNATURE.X509Data(_SIGNATURE.X509Certificate(encoded)))
    sign_on = {"Binding": _POST, "Location": f"{provider.entity_id.rstrip('/')}/sso"}
    document = _METADATA.EntityDescriptor(
        _METADATA.IDPSSODescriptor(
            _METADATA.KeyDescriptor(key, use="signing"),
            _METADATA.NameIDFormat(names.PERSISTENT),
            _METADATA.SingleSignOnService(**sign_on),
            protocolSupportEnumeration=names.PROTOCOL,
        ),
        entityID=provider.entity_id,
    )
    return _written(document).decode()


def response(
    provider: IdentityProvider,
    now: datetime,
    subject: str,
    attributes: Mapping[str, Sequence[str]],
    asked: names.Asked,
) -> str:
    """A signed response, in base64. ValueError: a text has a character that XML can't hold."""
    ends = now + timedelta(seconds=asked.seconds)
    issued = min(now, ends - timedelta(seconds=1))  # before its end, also if it has expired
    session_end = {}
    if asked.session_seconds is not None:
        session_end["SessionNotOnOrAfter"] = _time(now + timedelta(seconds=asked.session_seconds))
    listed = [
        _ASSERTION.Attribute(*map(_ASSERTION.AttributeValue, values), Name=name)
        for name, values in attributes.items()
    ]
    confirmed = {"NotOnOrAfter": _time(ends), "Recipient": asked.recipient}
    assertion = _ASSERTION.Assertion(
        _ASSERTION.Issuer(provider.entity_id),
        _ASSERTION.Subject(
            _ASSERTION.NameID(subject, Format=asked.subject_format),
            _ASSERTION.SubjectConfirmation(
                _ASSERTION.SubjectConfirmationData(**confirmed), Method=names.BEARER
            ),
        ),
        _ASSERTION.Conditions(
            _ASSERTION.AudienceRestriction(_ASSERTION.Audience(asked.audience)),
            NotBefore=_time(issued),
            NotOnOrAfter=_time(ends),
        ),
        _ASSERTION.AuthnStatement(
            _ASSERTION.AuthnContext(_ASSERTION.AuthnContextClassRef(_CONTEXT)),
            AuthnInstant=_time(issued),
            **session_end,
        ),
        *([_ASSERTION.AttributeStatement(*listed)] if listed else []),
        ID=_identity(),
        Version="2.0",
        IssueInstant=_time(issued),
    )
    document = _PROTOCOL.Response(
        _ASSERTION.Issuer(provider.entity_id),
        _PROTOCOL.Status(_PROTOCOL.StatusCode(Value=names.SUCCESS)),
        signed(assertion, provider),
        ID=_identity(),
        Version="2.0",
        IssueInstant=_time(now),
        Destination=asked.recipient,
    )
    return base64.b64encode(_written(document)).decode()


def signed(element: Element, provider: IdentityProvider) -> Element:
    # SAML's schema wants the signature right after the Issuer.
    element.insert(1, _SIGNATURE.Signature(Id="placeholder"))
    signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    return signer.sign(
        element,
        key=provider.private_key,
        cert=provider.certificate.decode(),
        reference_uri=element.get("ID"),
        id_attribute="ID",
    )


def _written(element: Element) -> bytes:
    return bytes(etree.tostring(element, xml_declaration=True, encoding="UTF-8"))


def _identity() -> str:
    return f"_{secrets.token_hex(16)}"


OWN = "https://saml.stslab.example"
_ENTITY_ID = re.compile("https://[!-~]+")  # ASCII without spaces
_LONGEST = 1024
_MOST = 100
_VALID_DAYS = 3650


def provider_of(tx: Transaction, entity_id: str) -> IdentityProvider:
    """The provider with this entity id, created if there is none."""
    known = tx.get(IdentityProvider, "", entity_id)
    if known is not None:
        return known
    if len(entity_id) > _LONGEST or not _ENTITY_ID.fullmatch(entity_id):
        raise SandboxError(
            f"{entity_id[:_LONGEST]!r} can't be the entity id of a SAML identity provider here.",
            f"It must begin with https://, and have {_LONGEST} characters at most and no spaces.",
        )
    if tx.count(IdentityProvider, "") >= _MOST:
        raise SandboxError(f"The embedded account can have {_MOST} SAML providers at most.")
    made = new(entity_id, tx.now())
    tx.put(made)
    return made


def new(entity_id: str, now: datetime) -> IdentityProvider:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return IdentityProvider(
        entity_id=entity_id,
        private_key=certificates.pem_of(key),
        certificate=certificates.certificate("stslab SAML", key, now, _VALID_DAYS),
    )
