"""What a verified assertion says, as plain values.

OASIS, "Assertions and Protocols for SAML V2.0", section 2; IAM User Guide, "Configure SAML
assertions for the authentication response".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from stslab.sandbox.federation.saml import names, xml


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion taken apart; what it does not say is empty or None.

    ``begins`` and ``ends`` are the times of its Conditions. ``confirmed_from``,
    ``confirmed_until`` and ``recipient`` are of the SubjectConfirmationData of its one bearer
    confirmation. ``audiences`` has a set for each AudienceRestriction, all of which must be
    met. ``attributes`` are the values of each by name, in their order.
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

    def only(self, name: str) -> str:
        """The one value of an attribute; empty where it has none or several."""
        values = self.attributes.get(name, ())
        return values[0] if len(values) == 1 else ""


def read(element: xml.Element) -> Assertion:
    """The values of an ``Assertion`` element; BadXml where it is not as SAML has it."""
    issued = xml.moment(element.get("IssueInstant"))
    if issued is None:
        raise xml.BadXml("the assertion does not say when it was issued")
    conditions = xml.child(element, names.ASSERTION, "Conditions")
    restrictions = (
        []
        if conditions is None
        else xml.children(conditions, names.ASSERTION, "AudienceRestriction")
    )
    subject = xml.child(element, names.ASSERTION, "Subject")
    named = None if subject is None else xml.child(subject, names.ASSERTION, "NameID")
    confirmed = _confirmation(subject)
    statements = xml.children(element, names.ASSERTION, "AuthnStatement")
    ends = [xml.moment(each.get("SessionNotOnOrAfter")) for each in statements]
    return Assertion(
        issuer=issuer(element),
        issued=issued,
        begins=_time(conditions, "NotBefore"),
        ends=_time(conditions, "NotOnOrAfter"),
        audiences=tuple(
            frozenset(map(xml.text, xml.children(each, names.ASSERTION, "Audience")))
            for each in restrictions
        ),
        subject=xml.text(named),
        subject_format=_attribute(named, "Format"),
        recipient=_attribute(confirmed, "Recipient"),
        confirmed_from=_time(confirmed, "NotBefore"),
        confirmed_until=_time(confirmed, "NotOnOrAfter"),
        session_until=min(filter(None, ends), default=None),
        attributes=_attributes(element),
    )


def issuer(element: xml.Element) -> str:
    """Who issued an assertion, or a response, by its own word."""
    return xml.text(xml.child(element, names.ASSERTION, "Issuer"))


def failed(response: xml.Element) -> bool:
    """Whether the identity provider says that it did not authenticate its user."""
    status = xml.child(response, names.PROTOCOL, "Status")
    code = None if status is None else xml.child(status, names.PROTOCOL, "StatusCode")
    return code is not None and code.get("Value") != names.SUCCESS


def _confirmation(subject: xml.Element | None) -> xml.Element | None:
    """AWS takes exactly one confirmation, and a browser's is the bearer's."""
    if subject is None:
        return None
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
            found[name] = (*found.get(name, ()), *map(xml.all_text, values))
    return found


def _attribute(element: xml.Element | None, name: str) -> str:
    return "" if element is None else element.get(name) or ""


def _time(element: xml.Element | None, name: str) -> datetime | None:
    return None if element is None else xml.moment(element.get(name))
