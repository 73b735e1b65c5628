"""What a valid assertion asks of AWS: the role, the session, its tags, the condition keys.

IAM User Guide, "Configure SAML assertions for the authentication response" and "Available
keys for SAML-based AWS STS federation"; STS API Reference, "AssumeRoleWithSAML".
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stslab.sandbox.api import constraints
from stslab.sandbox.federation.saml import names
from stslab.sandbox.federation.saml.assertion import Assertion
from stslab.sandbox.state.providers import SamlProvider
from stslab.sandbox.sts import faults, session_tags

_PATTERN = "[a-zA-Z_0-9+=,.@-]{2,64}"
_NAME = re.compile(_PATTERN)
_RESERVED = "aws:"
_LEAST_SECONDS, _MOST_SECONDS = 900, 43200


@dataclass(frozen=True, slots=True)
class Claims:
    """What becomes of an assertion: the session's name, tags and source identity.

    ``keys`` are the condition keys in the role's trust policy, ``lasting_keys`` those in later
    requests; ``answer`` are the members that the operation adds to its answer.
    """

    session_name: str
    source_identity: str
    tags: session_tags.SessionTags
    keys: Mapping[str, str | Sequence[str]]
    lasting_keys: tuple[tuple[str, str], ...]
    answer: Mapping[str, str]
    session_seconds: int | None
    session_until: datetime | None

    def seconds(self, now: datetime) -> int | None:
        """The most seconds from ``now`` that the assertion lets a session last, or None."""
        ends = [] if self.session_seconds is None else [self.session_seconds]
        if self.session_until is not None:
            ends.append(max(1, int((self.session_until - now).total_seconds())))
        return min(ends, default=None)


def of(assertion: Assertion, provider: SamlProvider, role: str) -> Claims:
    """The claims of a verified assertion for one provider and one role, by their ARNs.

    Raises:
        ApiFault: InvalidIdentityToken: an attribute is missing, or is not as AWS takes it.
    """
    _check_role(assertion, role, provider.arn)
    identity = _identity(assertion, provider)
    lasting = {name: identity[name] for name in ("namequalifier", "sub", "sub_type")}
    return Claims(
        session_name=_session_name(assertion),
        source_identity=_source_identity(assertion),
        tags=_tags(assertion, role),
        keys={f"saml:{name}": value for name, value in (_mapped(assertion) | identity).items()},
        lasting_keys=tuple((f"saml:{name}", value) for name, value in lasting.items()),
        answer={
            "Subject": assertion.subject,
            "SubjectType": identity["sub_type"],
            "Issuer": assertion.issuer,
            "Audience": assertion.recipient,
            "NameQualifier": identity["namequalifier"],
        },
        session_seconds=_session_seconds(assertion),
        session_until=assertion.session_until,
    )


def _check_role(assertion: Assertion, role: str, provider: str) -> None:
    """The pair of ARNs must be in it; which stands first does not matter."""
    pairs = (value.split(",") for value in assertion.attributes.get(names.ROLE, ()))
    if not any(sorted(map(str.strip, pair)) == sorted((role, provider)) for pair in pairs):
        raise faults.invalid_token(
            "SAML Assertion doesn't contain the requested Role and Metadata in the attributes"
        )


def _session_name(assertion: Assertion) -> str:
    if not any(assertion.attributes.get(names.SESSION_NAME, ())):
        raise faults.invalid_token("RoleSessionName is required in AuthnResponse")
    name = assertion.only(names.SESSION_NAME)
    if not _NAME.fullmatch(name):
        raise faults.invalid_token(f"RoleSessionName in AuthnResponse must match {_PATTERN}")
    return name


def _source_identity(assertion: Assertion) -> str:
    if names.SOURCE_IDENTITY not in assertion.attributes:
        return ""
    identity = assertion.only(names.SOURCE_IDENTITY)
    if not _NAME.fullmatch(identity) or identity.lower().startswith(_RESERVED):
        raise faults.invalid_token(
            f'Source Identity must match {_PATTERN} and not begin with "{_RESERVED}"'
        )
    return identity


def _session_seconds(assertion: Assertion) -> int | None:
    if names.SESSION_DURATION not in assertion.attributes:
        return None
    text = assertion.only(names.SESSION_DURATION)
    if re.fullmatch("[0-9]{1,6}", text) and _LEAST_SECONDS <= int(text) <= _MOST_SECONDS:
        return int(text)
    raise faults.invalid_token(
        "SessionDuration in AuthnResponse must be an integer between "
        f"{_LEAST_SECONDS} and {_MOST_SECONDS}"
    )


def _tags(assertion: Assertion, role: str) -> session_tags.SessionTags:
    """The session tags, within the limits that AssumeRole has for them."""
    passed = []
    for name, values in assertion.attributes.items():
        if name.startswith(names.TAG):
            if len(values) != 1:
                raise faults.invalid_token("A PrincipalTag attribute has one AttributeValue")
            passed.append((name.removeprefix(names.TAG), values[0]))
    transitive = assertion.attributes.get(names.TRANSITIVE_TAGS, ())
    as_params: dict[str, Any] = {
        "RoleArn": role,
        "RoleSessionName": "unnamed",
        "Tags": [{"Key": key, "Value": value} for key, value in passed],
        "TransitiveTagKeys": list(transitive),
    }
    constraints.check("sts", "AssumeRole", as_params)
    return session_tags.checked(tuple(passed), transitive, None)


def _identity(assertion: Assertion, provider: SamlProvider) -> dict[str, str]:
    """Who the assertion is about: the keys that are not of its attributes."""
    return {
        "aud": assertion.recipient,
        "doc": f"{provider.account}/{provider.name}",
        "iss": assertion.issuer,
        "namequalifier": _name_qualifier(assertion.issuer, provider),
        "sub": assertion.subject,
        "sub_type": (assertion.subject_format or names.UNSPECIFIED).removeprefix(names.NAME_FORMAT),
    }


def _name_qualifier(issuer: str, provider: SamlProvider) -> str:
    """``BASE64 ( SHA1 ( issuer + account + "/" + name ) )``, as the API Reference has it."""
    hashed = hashlib.sha1(
        f"{issuer}{provider.account}/{provider.name}".encode(), usedforsecurity=False
    )
    return base64.b64encode(hashed.digest()).decode()


def _mapped(assertion: Assertion) -> dict[str, str | tuple[str, ...]]:
    """The condition keys that attributes fill; of several for one key, the first does."""
    found: dict[str, str | tuple[str, ...]] = {}
    for name, values in assertion.attributes.items():
        key = names.KEYS.get(name)
        if key is None or not values or key.lower() in map(str.lower, found):
            continue
        found[key] = values[0] if key in names.SINGLE or len(values) == 1 else values
    return found
