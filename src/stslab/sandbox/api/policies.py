"""Policy documents as the policy engine reads them."""

import json

from stslab.policy import MalformedPolicy, NamedPolicy, PolicyKind, parse


def named(name: str, text: str, kind: PolicyKind) -> NamedPolicy:
    """The policy with this text, by the name that messages have for it.

    A document that the engine can't read denies everything; it was refused when it was put,
    so only an account that was changed outside the sandbox holds one.
    """
    try:
        return NamedPolicy(name, parse(text, kind))
    except MalformedPolicy:
        return NamedPolicy(name, parse(_denying(kind), kind))


def _denying(kind: PolicyKind) -> str:
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    if kind is PolicyKind.RESOURCE:
        statement["Principal"] = "*"
    return json.dumps({"Version": "2012-10-17", "Statement": statement})
