"""What the elements of a statement hold, and what IAM refuses in them.

"IAM JSON policy elements reference"; the messages are IAM's ("Troubleshoot IAM policies").
Each function raises MalformedPolicy for what IAM would refuse; the hint tells the place within
the statement, before which whoever reads the statement puts its own.

Policies repeat each other's actions, which are read once.
"""

import json
import re
from collections.abc import Sequence
from fnmatch import filter as filter_names
from typing import Any, Final

from stslab.errors import MalformedPolicy
from stslab.policy.catalogue import suggestions
from stslab.policy.conditions.conditions import Test, read_test
from stslab.policy.conditions.operators import OPERATORS
from stslab.policy.documents.statement import TYPES, Element, PrincipalElement, is_aws_principal
from stslab.policy.patterns import ARN_SEPARATORS
from stslab.policy.remembered import remembered
from stslab.policy.vocabulary import PolicyKind

SYNTAX: Final = "Syntax errors in policy."
_NO_VENDOR: Final = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
_NO_PROVIDER: Final = "Federated principals must be valid domain names or SAML metadata ARNs"
_NO_SERVICE: Final = "Resource vendor must be fully qualified and cannot contain regexes."
_BETWEEN: Final = "\0"
_AN_ACTION: Final = r"(?:[A-Za-z0-9*?][A-Za-z0-9.*?-]*:[^:\0]*|\*)"
_ACTION: Final = re.compile(_AN_ACTION)
_ACTIONS: Final = re.compile(rf"{_AN_ACTION}(?:\0{_AN_ACTION})*")
_FOREIGN: Final = re.compile(r"[^\x00-\xff]")
_PROVIDER: Final = re.compile(
    r"arn:[^:]+:iam::[0-9]{12}:(?:saml|oidc)-provider/.+|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
)
_STS: Final = {
    f"sts:{name}".lower(): f"sts:{name}"
    for name in """
    AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity AssumeRoot DecodeAuthorizationMessage
    GetAccessKeyInfo GetCallerIdentity GetDelegatedAccessToken GetFederationToken
    GetServiceBearerToken GetSessionToken GetWebIdentityToken SetContext SetSourceIdentity
    TagGetWebIdentityToken TagSession
    """.split()
}
"""Service Authorization Reference, "Actions defined by AWS Security Token Service"."""
_SERVICE, _REGION = 2, 3
_PARTITION: Final = re.compile(r"aws(?:-[a-z0-9-]+)?|[^:${}]*[*?][^:${}]*")
# The usual: whatever does not look so is looked at more closely.
_ARN: Final = re.compile(r"arn:aws:(?!iam:)[^:*?]*:[^:]*:[^:]*:.*", re.DOTALL)
_WILDCARD: Final = re.compile(r"[*?]")
_CONDITION_KEY: Final = re.compile(r"[^\s:*?][^:*?]*:.+", re.DOTALL)


def action(name: str, value: object, kind: PolicyKind) -> Element:
    """The element ``name``, ``Action`` or ``NotAction``; its patterns are in lower case.

    Actions are compared so ("IAM JSON policy elements: Action").
    """
    actions = texts(value, name)
    if not actions:
        raise MalformedPolicy("Policy statement must contain actions.")
    return _action(_BETWEEN.join(actions), len(actions), name, kind)


@remembered(512, 2048)
def _action(together: str, number: int, element: str, kind: PolicyKind) -> Element:
    lower = together.lower().split(_BETWEEN)
    if not _ACTIONS.fullmatch(together) or len(lower) != number:
        wrong = next((each for each in together.split(_BETWEEN) if not _ACTION.fullmatch(each)), "")
        vendor, colon, name = wrong.partition(":")
        problem = f"Vendor {vendor} is not valid" if colon else _NO_VENDOR
        if ":" in name:
            problem = "Actions/Condition can contain only one colon."
        raise MalformedPolicy(problem, f": {wrong!r}")
    if kind is PolicyKind.TRUST:
        for each in lower:
            if not (each.startswith("sts:") and filter_names(_STS, each)):
                near = suggestions(each, _STS.values())
                meant = f": did you mean {near[0]}?" if near else ""
                refusal = "AssumeRole policy may only specify STS AssumeRole actions."
                raise MalformedPolicy(refusal, meant)
    return Element(element, lower, variables=False, arn=False)


def texts(value: object, name: str) -> list[str]:
    if isinstance(value, str):
        together, found = value, [value]
    elif isinstance(value, list):
        together, found = _joined(value, name), value
    else:
        raise MalformedPolicy(SYNTAX, f": {name} is a text or a list of texts.")
    if not together.isascii() and _FOREIGN.search(together):
        raise MalformedPolicy(SYNTAX, f": {name} has a character beyond U+00FF.")
    return found


def _joined(values: list[Any], name: str) -> str:
    """All of them in one text, which is looked through faster than each by itself."""
    try:
        return "".join(values)
    except TypeError:
        wrong = next(each for each in values if not isinstance(each, str))
        raise MalformedPolicy(SYNTAX, f": {name} has {wrong!r}, which is no text.") from None


def resources(value: object, name: str, kind: PolicyKind) -> Sequence[str]:
    found = texts(value, name)
    if not found:
        raise MalformedPolicy("Policy statement must contain resources.")
    for each in found:
        if not _ARN.fullmatch(each):
            _refuse_arn(each, kind)
    return found


def _refuse_arn(text: str, kind: PolicyKind) -> None:
    """What is wrong with a resource that is no ARN as it should be; ``*`` is one.

    The messages are those that users of IAM report. A ``*`` at the end may stand for the parts
    that are missing, but none for the service ("IAM JSON policy elements: Resource").
    """
    if not text.strip("*"):
        return
    parts = text.split(":", ARN_SEPARATORS)
    if parts[0] == "arn" and len(parts) > _SERVICE and _WILDCARD.search(parts[_SERVICE]):
        raise MalformedPolicy(_NO_SERVICE, f": {text}")
    if kind is PolicyKind.RESOURCE:
        return  # whose services check their own
    if parts[0] != "arn" or (len(parts) <= ARN_SEPARATORS and not text.endswith("*")):
        raise MalformedPolicy(f'Resource {text} must be in ARN format or "*".')
    if len(parts) > _REGION and parts[_SERVICE] == "iam" and parts[_REGION].strip("*"):
        raise MalformedPolicy(f"IAM resource {text} cannot contain region information.")
    if not _PARTITION.fullmatch(parts[1]):
        raise MalformedPolicy(f'Partition "{parts[1]}" is not valid for resource "{text}".')


def principal(name: str, value: object, kind: PolicyKind) -> PrincipalElement:
    if kind is PolicyKind.RCP and value not in ("*", {"AWS": "*"}):
        raise MalformedPolicy(SYNTAX, ": the Principal of a resource control policy is '*'.")
    if value == "*":
        return PrincipalElement(name, None)
    return PrincipalElement(name, _principals(value, name, kind))


def _principals(value: object, name: str, kind: PolicyKind) -> list[tuple[str, str]]:
    if not isinstance(value, dict) or not value:
        raise MalformedPolicy(f"Invalid principal in policy: {json.dumps(value)}", f": {name}")
    principals = []
    for type_, names in value.items():
        if type_ not in TYPES or (type_ == "CanonicalUser" and kind is not PolicyKind.RESOURCE):
            raise MalformedPolicy(
                f'Invalid principal in policy: "{type_}":{json.dumps(names)}', f": {name}"
            )
        for each in texts(names, name) or [""]:
            if not each or (type_ == "AWS" and not is_aws_principal(each)):
                raise MalformedPolicy(f'Invalid principal in policy: "{type_}":"{each}"')
            if type_ == "Federated" and not _PROVIDER.fullmatch(each):
                raise MalformedPolicy(_NO_PROVIDER, f": {each!r}")
            principals.append((type_, each))
    return principals


def tests(element: object) -> list[tuple[Test, str, Sequence[str]]]:
    if not isinstance(element, dict):
        raise MalformedPolicy(SYNTAX, ": Condition is a JSON object.")
    found = []
    for written, keys in element.items():
        test = read_test(written)
        if test is None:
            near = suggestions(written, [one.name for one in OPERATORS.values()])
            meant = f": did you mean {near[0]}?" if near else ""
            raise MalformedPolicy(f"Invalid Condition type : {written}.", meant)
        if not isinstance(keys, dict):
            raise MalformedPolicy(SYNTAX, f": {written} is a JSON object.")
        found += [(test, key, _condition_values(key, value)) for key, value in keys.items()]
    return found


def _condition_values(key: str, value: object) -> Sequence[str]:
    """The values; an empty list is one that IAM accepts, and that the key never matches."""
    if not _CONDITION_KEY.fullmatch(key):
        raise MalformedPolicy(_NO_VENDOR, f": condition key {key!r}")
    if isinstance(value, str):
        return texts(value, key)
    values = value if isinstance(value, list) else [value]
    return texts([_value_text(each) for each in values], key)


def _value_text(value: object) -> object:
    """Quotation marks are optional for numbers and Booleans ("The policy language and JSON")."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value
