"""Writes the metadata and signed responses of the embedded account's SAML identity providers."""

import base64
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

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

_ASSERTION = ElementMaker(namespace=names.ASSERTION, nsmap={"saml": names.ASSERTION})
_SIGNATURE = ElementMaker(namespace=names.SIGNATURE, nsmap={"ds": names.SIGNATURE})
_time = partial(iso, precision="milliseconds")
Values = Mapping[str, Sequence[str]]  # those of each attribute


def _filled(template: str, **values: str) -> Element:
    """A document from the template beside this module; ValueError: XML can't hold a value."""
    parser = etree.XMLParser(remove_blank_text=True)
    root = etree.parse(Path(__file__).with_name(template), parser).getroot()
    for element in root.iter():
        element.text = element.text and element.text.format_map(values)
        for name, text in element.items():
            element.set(name, text.format_map(values))
    return root


def metadata(provider: IdentityProvider) -> str:
    """The provider's metadata document, as CreateSAMLProvider takes it."""
    certificate = x509.load_pem_x509_certificate(provider.certificate)
    encoded = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
    issuer, sign_on = provider.entity_id, f"{provider.entity_id.rstrip('/')}/sso"
    document = _filled("metadata.xml", issuer=issuer, certificate=encoded, sign_on=sign_on)
    return _written(document).decode()


def response(
    provider: IdentityProvider, now: datetime, subject: str, attributes: Values, asked: names.Asked
) -> str:
    """A signed response, in base64. ValueError: a text has a character that XML can't hold."""
    ends = now + timedelta(seconds=asked.seconds)
    issued = min(now, ends - timedelta(seconds=1))  # before its end, also if it has expired
    both = {"issuer": provider.entity_id, "recipient": asked.recipient}
    times = {"issued": _time(issued), "ends": _time(ends)}
    told = {"subject": subject, "format": asked.subject_format, "audience": asked.audience}
    assertion = _filled("assertion.xml", id=_identity(), **both, **times, **told)
    if asked.session_seconds is not None:
        session_end = _time(now + timedelta(seconds=asked.session_seconds))
        assertion[-1].set("SessionNotOnOrAfter", session_end)
    listed = [
        _ASSERTION.Attribute(*map(_ASSERTION.AttributeValue, values), Name=name)
        for name, values in attributes.items()
    ]
    if listed:
        assertion.append(_ASSERTION.AttributeStatement(*listed))
    document = _filled("response.xml", id=_identity(), now=_time(now), **both)
    document.append(signed(assertion, provider))
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
