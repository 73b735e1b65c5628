"""Reads the values of an assertion, and verifies signatures in a response.

OASIS, "Assertions and Protocols for SAML V2.0", section 2.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

import msgspec
from cryptography import x509
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from stslab.sandbox.api import faults
from stslab.sandbox.federation.saml import names, xml


class Assertion(msgspec.Struct, frozen=True):
    """The values of an assertion; missing ones are empty or None.

    ``begins`` and ``ends`` are of its Conditions; ``recipient`` and ``confirmed_`` of its one
    bearer confirmation. ``audiences`` has a set for each restriction, all of which must be met.
    """

    issuer: str
    issued: datetime
    begins: datetime | None
    ends: datetime | None
    audiences: tuple[frozenset[str], ...]
    subject: str
    subject_format: str
    recipient: str
    confirmed_from: datetime | None
    confirmed_until: datetime | None
    session_until: datetime | None
    attributes: Mapping[str, tuple[str, ...]]

    def only(self, name: str) -> str | None:
        """The single value of an attribute; empty if it has none or several, None without it."""
        values = self.attributes.get(name)
        return None if values is None else values[0] if len(values) == 1 else ""


def read(element: xml.Element) -> Assertion:
    """The values of an ``Assertion`` element. BadXml: it does not have the form of SAML."""
    issued = xml.moment(element.get("IssueInstant"))
    if issued is None:
        raise xml.BadXml("the assertion does not say when it was issued")
    conditions = xml.child(element, names.ASSERTION, "Conditions")
    restrictions = xml.children(conditions, names.ASSERTION, "AudienceRestriction")
    subject = xml.child(element, names.ASSERTION, "Subject")
    named = xml.child(subject, names.ASSERTION, "NameID")
    confirmed = _confirmation(subject)
    statements = xml.children(element, names.ASSERTION, "AuthnStatement")
    if not statements or (named is not None and named.get("Format") is None):
        raise xml.BadXml("it has no AuthnStatement, or a NameID without a Format")
    ends = [xml.moment(each.get("SessionNotOnOrAfter")) for each in statements]
    return Assertion(
        issuer=issuer(element),
        issued=issued,
        begins=xml.moment(_attribute(conditions, "NotBefore")),
        ends=xml.moment(_attribute(conditions, "NotOnOrAfter")),
        audiences=tuple(
            frozenset(map(xml.text, xml.children(each, names.ASSERTION, "Audience")))
            for each in restrictions
        ),
        subject=xml.text(named),
        subject_format=_attribute(named, "Format") or "",
        recipient=_attribute(confirmed, "Recipient") or "",
        confirmed_from=xml.moment(_attribute(confirmed, "NotBefore")),
        confirmed_until=xml.moment(_attribute(confirmed, "NotOnOrAfter")),
        session_until=min(filter(None, ends), default=None),
        attributes=_attributes(element),
    )


def issuer(element: xml.Element) -> str:
    return xml.text(xml.child(element, names.ASSERTION, "Issuer"))


def failed(response: xml.Element) -> bool:
    """Whether the response's status says that the user was not authenticated."""
    code = xml.child(xml.child(response, names.PROTOCOL, "Status"), names.PROTOCOL, "StatusCode")
    return code is not None and code.get("Value") != names.SUCCESS


def _confirmation(subject: xml.Element | None) -> xml.Element | None:
    """The data of the subject's confirmation: AWS wants exactly one, with the bearer method."""
    confirmations = xml.children(subject, names.ASSERTION, "SubjectConfirmation")
    if len(confirmations) != 1 or confirmations[0].get("Method") != names.BEARER:
        return None
    return xml.child(confirmations[0], names.ASSERTION, "SubjectConfirmationData")


def _attributes(element: xml.Element) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for statement in xml.children(element, names.ASSERTION, "AttributeStatement"):
        for attribute in xml.children(statement, names.ASSERTION, "Attribute"):
            values = xml.children(attribute, names.ASSERTION, "AttributeValue")
            name = attribute.get("Name") or ""
            found[name] = (*found.get(name, ()), *("".join(value.itertext()) for value in values))
    return found


def _attribute(element: xml.Element | None, name: str) -> str | None:
    return None if element is None else element.get(name)


# -- signatures --------------------------------------------------------------------------------
# SAML restricts XML signatures (OASIS, "Assertions and Protocols for SAML V2.0", section 5.4): a
# signature is inside the element that it signs, refers to only that by its ID, and uses no
# transform that could hide a part. All else is refused before a key is tried, which prevents
# signature wrapping. The result is parsed again from exactly the bytes that were verified.

_ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_TRANSFORMS = frozenset({_ENVELOPED, _EXCLUSIVE, f"{_EXCLUSIVE}WithComments"})
# No SHA-1: it has collisions, so a signature with it proves nothing.
_METHODS = frozenset(
    {SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512}
)
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_RESPONSE = f"{{{names.PROTOCOL}}}Response"


invalid_signature = partial(faults.invalid_token, "Response signature invalid")
"""STS's error for a signature that is not this provider's, or not as SAML requires."""


def signed_assertion(
    response: xml.Element, certificates: Sequence[x509.Certificate]
) -> xml.Element | None:
    """The only assertion of a response; None if it is not signed itself.

    If both are signed, both signatures must be valid. Raises InvalidIdentityToken, or BadXml.
    """
    assertion = _only_assertion(response)
    if not _signatures(assertion):
        return None
    if _signatures(response):
        _verified(response, certificates)
    # Its signature may depend on the response's namespaces: it is verified in place, not in the
    # parsed copy of the response.
    return _verified(assertion, certificates)


def _only_assertion(response: xml.Element) -> xml.Element:
    """Refuse a response unless it has one assertion, signatures only in place, and no ID twice."""
    assertions = xml.everywhere(response, names.ASSERTION, "Assertion")
    if response.tag != _RESPONSE or not assertions:
        raise xml.BadXml("it is not a Response with an assertion in it")
    responses = xml.everywhere(response, names.PROTOCOL, "Response")
    if len(assertions) > 1 or len(responses) > 1 or assertions[0].getparent() is not response:
        raise xml.BadXml("it has more than one assertion, or has it in a wrong place")
    placed = len(_signatures(response)) + len(_signatures(assertions[0]))
    if placed != len(xml.everywhere(response, names.SIGNATURE, "Signature")):
        raise invalid_signature()  # a signature is not inside the element that it signs
    identities = [each.get("ID") for each in response.iter("*") if each.get("ID") is not None]
    if len(set(identities)) < len(identities):
        raise invalid_signature()  # an ID is given twice
    return assertions[0]


def _signatures(element: xml.Element) -> list[xml.Element]:
    return xml.children(element, names.SIGNATURE, "Signature")


def _verified(element: xml.Element, certificates: Sequence[x509.Certificate]) -> xml.Element:
    """The element, parsed from the bytes that a key of the certificates signed."""
    _check_form(element)
    document: bytes = etree.tostring(element, with_tail=False)  # with the namespaces in scope
    for certificate in certificates:
        data = _signed_by(certificate, document)
        if data is None:
            continue
        root = xml.parse(data)
        if root.tag != element.tag or root.get("ID") != element.get("ID"):
            raise invalid_signature()  # the signature covers another element
        return root
    raise invalid_signature()  # no key of the provider signed it


def _signed_by(certificate: x509.Certificate, document: bytes) -> bytes | None:
    config = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=_METHODS,
        digest_algorithms=_DIGESTS,
        ignore_ambiguous_key_info=True,  # the key in the message is not used
        verification_time=certificate.not_valid_before_utc,  # AWS ignores a certificate's expiry
        default_reference_c14n_method=CanonicalizationMethod.CANONICAL_XML_1_0,
    )
    try:
        result = XMLVerifier().verify(
            document, x509_cert=certificate, id_attribute="ID", expect_config=config
        )
    # For malformed signatures the library raises many kinds of errors, also lxml's and
    # cryptography's. Each means the same: this is not signed.
    except Exception:  # noqa: BLE001
        return None
    return None if isinstance(result, list) else result.signed_data


def _check_form(element: xml.Element) -> None:
    signatures = _signatures(element)
    if len(signatures) != 1 or xml.children(signatures[0], names.SIGNATURE, "Object"):
        raise invalid_signature()  # it is not signed once
    references = xml.everywhere(signatures[0], names.SIGNATURE, "Reference")
    identity = element.get("ID")
    if len(references) != 1 or not identity or references[0].get("URI") != f"#{identity}":
        raise invalid_signature()  # the signature does not refer to the element around it
    transforms = xml.everywhere(references[0], names.SIGNATURE, "Transform")
    if not {each.get("Algorithm") for each in transforms} <= _TRANSFORMS:
        raise invalid_signature()  # the signature transforms what it signs
