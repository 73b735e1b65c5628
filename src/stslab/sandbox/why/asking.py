"""Which condition keys whoever calls can fill, and how: what to add to the call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_BOOLEANS = {"true": "false", "false": "true"}
_HOW: Mapping[str, str] = {
    "sts:externalid": "with --external-id {value}",
    "sts:rolesessionname": "with --role-session-name {value}",
    "sts:sourceidentity": "with --source-identity {value}",
    "aws:sourceidentity": "with a session that was made with --source-identity {value}",
    "aws:multifactorauthpresent": "with MFA: --serial-number and --token-code on assume-role or "
    "get-session-token (stslab sandbox mfa shows the codes)",
    "aws:requestedregion": "in the region {value}",
    "aws:referer": "with the header Referer: {value}",
    "s3:prefix": "with --prefix {value}",
    "s3:x-amz-acl": "with --acl {value}",
    "s3:x-amz-server-side-encryption": "with --server-side-encryption {value}",
    "iam:permissionsboundary": "with --permissions-boundary {value}",
    "iam:passedtoservice": "passing the role to {value}",
}
# What a condition on each key keeps out (IAM User Guide, "AWS global condition context keys", "IAM
# and AWS STS condition context keys", "The confused deputy problem").
_PROTECTS: Mapping[str, str] = {
    "sts:externalid": "It keeps out other customers of the same vendor: without it they could have "
    "the vendor use this role for them (the confused deputy).",
    "aws:multifactorauthpresent": "It keeps out who has nothing but a stolen key.",
    "aws:multifactorauthage": "It keeps out who has nothing but a stolen session.",
    "aws:principalarn": "It keeps out all others of the account that the statement names.",
    "aws:principalorgid": "It keeps out other organizations.",
    "aws:sourceip": "It keeps out a key that was carried elsewhere.",
    "aws:sourcevpc": "It keeps out a key that was carried elsewhere.",
    "aws:sourcevpce": "It keeps out a key that was carried elsewhere.",
    "aws:securetransport": "It keeps out what others on the way could read.",
    "aws:currenttime": "It keeps the door shut at other times.",
    "aws:tokenissuetime": "It keeps out sessions that were revoked.",
    "aws:sourceaccount": "It keeps out other accounts' use of the same service (the confused "
    "deputy).",
    "aws:sourcearn": "It keeps out other resources' use of the same service (the confused deputy).",
    "aws:requestedregion": "It keeps out what would be made in other regions.",
    "sts:rolesessionname": "It keeps out sessions by whose name nobody knows who is behind them.",
    "sts:sourceidentity": "It keeps out sessions of which nobody knows who is behind them.",
    "s3:prefix": "It keeps out the rest of the bucket.",
    "s3:x-amz-server-side-encryption": "It keeps out what is not encrypted.",
    "s3:x-amz-acl": "It keeps out objects that would be open to others.",
    "iam:passedtoservice": "It keeps the role from other services.",
    "iam:permissionsboundary": "It keeps out new identities without that boundary.",
}
_TAG_KEYS = ("principaltag/", "requesttag/", "resourcetag/")
_CLAIMS: Mapping[str, str] = {
    "sub": "It keeps out everybody else whom the identity provider vouches for: with GitHub, all "
    "other repositories.",
    "aud": "It keeps out tokens that were issued for other applications.",
}
_TAGS = ("aws:requesttag/", "with the tag {tag}={value}: --tags Key={tag},Value={value}")
_CLOCK = ("aws:currenttime", "aws:epochtime", "aws:tokenissuetime", "aws:multifactorauthage")


def how(key: str, value: str) -> str:
    """How a call gives the key this value; empty where a caller can't choose it."""
    lower = key.lower()
    prefix, tagged = _TAGS
    if lower.startswith(prefix):
        return tagged.format(tag=key[len(prefix) :], value=value)
    return _HOW.get(lower, "").format(value=value)


def protects(key: str) -> str:
    """What a condition on the key keeps out, in a sentence."""
    lower = key.lower()
    if any(part in lower for part in _TAG_KEYS):
        return "It keeps out what has not that tag."
    claim = _CLAIMS.get(lower.rpartition(":")[2], "It keeps out all requests that do not meet it.")
    return _PROTECTS.get(lower, claim)


def is_time(key: str) -> bool:
    """Whether the key's value comes from the sandbox's clock."""
    return key.lower() in _CLOCK


def wanted_values(tests: Sequence[Mapping[str, Any]], *, holding: bool) -> dict[str, str]:
    """Values of keys with which the tests might hold, or (``holding`` False) might not.

    Only of keys that a caller can fill; they are tried by deciding again.
    """
    values = {}
    for test in tests:
        value = _value(test, holding=holding)
        if value and how(test["key"], value):
            values[test["key"]] = value
    return values


def _value(test: Mapping[str, Any], *, holding: bool) -> str:
    wanted = test["wanted"]
    first = wanted if isinstance(wanted, str) else next(iter(wanted), "")
    operator = test["operator"].lower()
    if "bool" in operator and not holding:
        return _BOOLEANS.get(first.lower(), "")
    if "*" in first or "?" in first:
        return ""
    fits = ("not" not in operator) is holding
    return first if fits else ""
