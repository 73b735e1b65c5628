"""Policy documents as the policy engine reads them."""

import json

from stslab.policy import MalformedPolicy, NamedPolicy, PolicyKind, parse
from stslab.sandbox.api import faults


def named(name: str, text: str, kind: PolicyKind) -> NamedPolicy:
    """The policy with this text, by the name that messages have for it.

    A document that the engine can't read denies everything; it was refused when it was put,
    so only an account that was changed outside the sandbox holds one.
    """
    try:
        return NamedPolicy(name, parse(text, kind))
    except MalformedPolicy:
        return NamedPolicy(name, parse(_denying(kind), kind))


def checked(text: str, kind: PolicyKind) -> str:
    """``text`` if the engine can read it as a policy of this kind; else MalformedPolicyDocument."""
    try:
        parse(text, kind)
    except MalformedPolicy as error:
        raise faults.malformed_policy(error.message) from error
    return text


def _denying(kind: PolicyKind) -> str:
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    if kind is PolicyKind.RESOURCE:
        statement["Principal"] = "*"
    return json.dumps({"Version": "2012-10-17", "Statement": statement})
