"""An identity provider for the tests, and tampered responses of it."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from lxml import etree

from stslab.sandbox.federation.saml import minting, names
from stslab.sandbox.state.identities import IdentityProvider

ISSUER = "https://idp.example.com"
NS = {"p": names.PROTOCOL, "a": names.ASSERTION, "d": names.SIGNATURE}
Tampering = Callable[[Any], Any]


def response(
    provider: IdentityProvider,
    now: datetime,
    attributes: Mapping[str, list[str]] | None = None,
    *,
    whole: bool = False,
    subject: str = "ana",
) -> Any:
    """A response as an element; ``whole``: it is signed instead of its assertion."""
    root = read(minting.response(provider, now, subject, attributes or {}, names.Asked()))
    if not whole:
        return root
    remove_signature(root.find("a:Assertion", NS))
    return minting.signed(root, provider)


def read(encoded: str) -> Any:
    return etree.fromstring(base64.b64decode(encoded))


def written(root: Any) -> str:
    return base64.b64encode(etree.tostring(root)).decode()


def remove_signature(element: Any) -> Any:
    signature = element.find("d:Signature", NS)
    element.remove(signature)
    return signature


def evil(assertion: Any) -> Any:
    """The same assertion about somebody else, unsigned, with an ID of its own."""
    other = copy.deepcopy(assertion)
    for signature in other.findall("d:Signature", NS):
        other.remove(signature)
    other.set("ID", "_evil")
    other.find(".//a:NameID", NS).text = "root"
    return other


# -- wrapped signatures: what is signed is still there, and something else is to be read ------


def beside_before(root: Any) -> Any:
    """Another assertion before the signed one."""
    signed = root.find("a:Assertion", NS)
    signed.addprevious(evil(signed))
    return root


def beside_after(root: Any) -> Any:
    """Another assertion after the signed one."""
    signed = root.find("a:Assertion", NS)
    signed.addnext(evil(signed))
    return root


def inside_other(root: Any) -> Any:
    """The signed assertion inside of another one."""
    signed = root.find("a:Assertion", NS)
    other = evil(signed)
    root.replace(signed, other)
    other.append(signed)
    return root


def inside_other_with_signature(root: Any) -> Any:
    """Another assertion with the signature, which refers to the signed one inside of it."""
    signed = root.find("a:Assertion", NS)
    other = evil(signed)
    root.replace(signed, other)
    other.insert(1, remove_signature(signed))
    other.append(signed)
    return root


def in_object(root: Any) -> Any:
    """The signed assertion in an Object of the signature, which stands in another one."""
    signed = root.find("a:Assertion", NS)
    other = evil(signed)
    root.replace(signed, other)
    signature = remove_signature(signed)
    other.insert(1, signature)
    etree.SubElement(signature, f"{{{names.SIGNATURE}}}Object").append(signed)
    return root


def in_extensions(root: Any) -> Any:
    """The signed assertion in the Extensions of a response with another one."""
    signed = root.find("a:Assertion", NS)
    root.replace(signed, evil(signed))
    extensions = etree.Element(f"{{{names.PROTOCOL}}}Extensions")
    extensions.append(signed)
    root.insert(1, extensions)
    return root


def same_identity(root: Any) -> Any:
    """Another assertion with the ID of the signed one and its signature; the signed one apart."""
    signed = root.find("a:Assertion", NS)
    other = evil(signed)
    other.set("ID", signed.get("ID"))
    other.insert(1, copy.deepcopy(signed.find("d:Signature", NS)))
    root.replace(signed, other)
    extensions = etree.Element(f"{{{names.PROTOCOL}}}Extensions")
    extensions.append(signed)
    root.insert(1, extensions)
    return root


def namespaced_identity(root: Any) -> Any:
    """Like it, with the second ID in a namespace, where some look for it."""
    signed = root.find("a:Assertion", NS)
    other = evil(signed)
    other.set("ID", signed.get("ID"))
    other.insert(1, copy.deepcopy(signed.find("d:Signature", NS)))
    identity = signed.attrib.pop("ID")
    signed.set("{urn:x}ID", identity)
    root.replace(signed, other)
    advice = etree.SubElement(other, f"{{{names.ASSERTION}}}Advice")
    remove_signature(signed)
    signed.tag = "{urn:x}Assertion"
    advice.append(signed)
    return root


def response_around_response(root: Any) -> Any:
    """The signed response inside of another one."""
    outer = copy.deepcopy(root)
    for signature in outer.findall("d:Signature", NS):
        outer.remove(signature)
    outer.set("ID", "_outer")
    signed = outer.find("a:Assertion", NS)
    outer.replace(signed, evil(signed))
    extensions = etree.Element(f"{{{names.PROTOCOL}}}Extensions")
    extensions.append(root)
    outer.insert(1, extensions)
    return outer


def response_in_signature(root: Any) -> Any:
    """The signed response in an Object of its signature, which stands in another response."""
    outer = copy.deepcopy(root)
    for each in outer.findall("d:Signature", NS):
        outer.remove(each)
    outer.set("ID", "_outer")
    signed = outer.find("a:Assertion", NS)
    outer.replace(signed, evil(signed))
    signature = remove_signature(root)
    outer.insert(1, signature)
    etree.SubElement(signature, f"{{{names.SIGNATURE}}}Object").append(root)
    return outer


def whole_document_reference(root: Any) -> Any:
    """A reference to the whole document in place of the assertion's ID."""
    root.find(".//d:Reference", NS).set("URI", "")
    return root


def two_references(root: Any) -> Any:
    """A second reference in the signature."""
    reference = root.find(".//d:Reference", NS)
    reference.addnext(copy.deepcopy(reference))
    return root


def stripped_by_transform(root: Any) -> Any:
    """A transform that hides what was added."""
    transforms = root.find(".//d:Transforms", NS)
    transform = etree.SubElement(transforms, f"{{{names.SIGNATURE}}}Transform")
    transform.set("Algorithm", "http://www.w3.org/TR/1999/REC-xpath-19991116")
    etree.SubElement(transform, f"{{{names.SIGNATURE}}}XPath").text = "not(ancestor::x)"
    return root


def style_sheet(root: Any) -> Any:
    """A transform that is a program."""
    transforms = root.find(".//d:Transforms", NS)
    transform = etree.SubElement(transforms, f"{{{names.SIGNATURE}}}Transform")
    transform.set("Algorithm", "http://www.w3.org/TR/1999/REC-xslt-19991116")
    return root


# -- changed: what was signed is not what it was ----------------------------------------------


def another_subject(root: Any) -> Any:
    root.find(".//a:NameID", NS).text = "root"
    return root


def another_attribute(root: Any) -> Any:
    root.find(".//a:AttributeValue", NS).text += ",x"
    return root


def a_further_attribute(root: Any) -> Any:
    statement = root.find(".//a:AttributeStatement", NS)
    attribute = etree.SubElement(statement, f"{{{names.ASSERTION}}}Attribute")
    attribute.set("Name", f"{names.TAG}Team")
    etree.SubElement(attribute, f"{{{names.ASSERTION}}}AttributeValue").text = "red"
    return root


def a_later_end(root: Any) -> Any:
    for each in root.iter("{*}Conditions", "{*}SubjectConfirmationData"):
        each.set("NotOnOrAfter", "2999-01-01T00:00:00Z")
    return root


def unsigned(root: Any) -> Any:
    for signature in list(root.iter(f"{{{names.SIGNATURE}}}Signature")):
        signature.getparent().remove(signature)
    return root


def an_empty_signature(root: Any) -> Any:
    for signature in root.iter(f"{{{names.SIGNATURE}}}Signature"):
        signature.clear()
    return root


def no_reference(root: Any) -> Any:
    reference = root.find(".//d:Reference", NS)
    reference.getparent().remove(reference)
    return root


def another_signature_value(root: Any) -> Any:
    value = root.find(".//d:SignatureValue", NS)
    value.text = value.text[:-8] + "AAAAAA=="
    return root


def a_shared_secret(root: Any) -> Any:
    method = root.find(".//d:SignatureMethod", NS)
    method.set("Algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")
    return root


def sha_1(root: Any) -> Any:
    method = root.find(".//d:SignatureMethod", NS)
    method.set("Algorithm", "http://www.w3.org/2000/09/xmldsig#rsa-sha1")
    return root


def no_known_method(root: Any) -> Any:
    root.find(".//d:SignatureMethod", NS).set("Algorithm", "none")
    return root


def a_comment_in_the_digest(root: Any) -> Any:
    """Two digests in one: what is before the comment, and what is after it."""
    value = root.find(".//d:DigestValue", NS)
    comment = etree.Comment("x")
    comment.tail = value.text
    value.text = "AAAA"
    value.append(comment)
    return another_subject(root)


WRAPPED: tuple[Tampering, ...] = (
    beside_before,
    beside_after,
    inside_other,
    inside_other_with_signature,
    in_object,
    in_extensions,
    same_identity,
    namespaced_identity,
    whole_document_reference,
    two_references,
    stripped_by_transform,
    style_sheet,
)
WRAPPED_WHOLE: tuple[Tampering, ...] = (
    beside_before,
    beside_after,
    response_around_response,
    response_in_signature,
)
CHANGED: tuple[Tampering, ...] = (
    another_subject,
    another_attribute,
    a_further_attribute,
    a_later_end,
    unsigned,
    an_empty_signature,
    no_reference,
    another_signature_value,
    a_shared_secret,
    sha_1,
    no_known_method,
    a_comment_in_the_digest,
)
