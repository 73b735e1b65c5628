"""What Block Public Access calls public.

S3 User Guide, "Blocking public access to your Amazon S3 storage", section "The meaning of
"public"".
"""

import functools
import ipaddress
import json
from collections.abc import Iterator, Mapping
from typing import Any

Statement = Mapping[str, Any]
_FIXING_KEYS = frozenset(
    """
    aws:principalorgid aws:principalorgpaths aws:principalarn aws:principalaccount aws:sourcearn
    aws:sourcevpc aws:sourcevpce aws:sourceowner aws:sourceaccount aws:userid
    s3:x-amz-server-side-encryption-aws-kms-key-id s3:dataaccesspointarn s3:dataaccesspointaccount
    """.split()
)
_FIXING_OPERATORS = ("stringequals", "stringlike", "arnequals", "arnlike")
_BROADEST = {4: 8, 6: 32}  # the shortest prefix that still names a fixed set of addresses


@functools.lru_cache(maxsize=256)
def policy_is_public(text: str) -> bool:
    """Whether a bucket policy grants something to anyone but fixed principals or places."""
    statements = json.loads(text).get("Statement", [])
    if isinstance(statements, dict):
        statements = [statements]
    return any(_is_public(one) for one in statements if one.get("Effect") == "Allow")


def _is_public(statement: Statement) -> bool:
    if "NotPrincipal" in statement:
        return True
    named = statement.get("Principal", {})
    if isinstance(named, str):
        open_to_all = True
    else:
        open_to_all = "Federated" in named or any(
            _is_open(value) for values in named.values() for value in _listed(values)
        )
    return open_to_all and not _is_fixed(statement.get("Condition", {}))


def _is_fixed(conditions: Mapping[str, Mapping[str, object]]) -> bool:
    """Whether some condition limits the grant to fixed values."""
    for operator, tests in conditions.items():
        for key, values in tests.items():
            if _fixes(operator.lower(), key.lower(), list(_listed(values))):
                return True
    return False


def _fixes(operator: str, key: str, values: list[object]) -> bool:
    if operator == "ipaddress" and key == "aws:sourceip":
        return all(_is_narrow(str(value)) for value in values)
    if key in _FIXING_KEYS and operator.startswith(_FIXING_OPERATORS):
        return not operator.endswith("ifexists") and not any(_is_open(one) for one in values)
    return False


def _is_narrow(cidr: str) -> bool:
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False
    return network.is_private or network.prefixlen >= _BROADEST[network.version]


def _is_open(value: object) -> bool:
    return any(mark in str(value) for mark in ("*", "?", "${"))


def _listed(values: object) -> Iterator[object]:
    return iter(values if isinstance(values, list) else [values])
