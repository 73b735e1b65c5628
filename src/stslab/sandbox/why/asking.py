"""Which condition keys whoever calls can fill, and how: what to add to the call."""

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
_TAGS = ("aws:requesttag/", "with the tag {tag}={value}: --tags Key={tag},Value={value}")
_CLOCK = ("aws:currenttime", "aws:epochtime", "aws:tokenissuetime", "aws:multifactorauthage")


def how(key: str, value: str) -> str:
    """How a call gives the key this value; empty where a caller can't choose it."""
    lower = key.lower()
    prefix, tagged = _TAGS
    if lower.startswith(prefix):
        return tagged.format(tag=key[len(prefix) :], value=value)
    return _HOW.get(lower, "").format(value=value)


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
