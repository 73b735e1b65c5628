"""Generates ids and physical names, and checks the names of stacks.

AWS CloudFormation User Guide, "Name type" and "Physical ID".
"""

import re
import secrets
import string
import uuid

from stslab.sandbox.api.faults import invalid

SERVICE = "cloudformation.amazonaws.com"
"""The service's name in policies."""
NAME_PATTERN = "[a-zA-Z][-a-zA-Z0-9]*"
NAME_OR_ARN = "[a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*"
NAME_LIMIT = 128
SUFFIX_LENGTH = 12
LOGICAL_SHARE = 24
"""The characters that the logical id keeps when both parts must be shortened."""

MIXED = string.ascii_letters + string.digits


def check_new_name(name: str) -> None:
    if not re.fullmatch(NAME_PATTERN, name):
        raise _invalid(name, f"Member must satisfy regular expression pattern: {NAME_PATTERN}")
    if len(name) > NAME_LIMIT:
        raise _invalid(name, f"Member must have length less than or equal to {NAME_LIMIT}")


def check_reference(name: str) -> None:
    if not re.fullmatch(NAME_OR_ARN, name):
        raise _invalid(name, f"Member must satisfy regular expression pattern: {NAME_OR_ARN}")


def _invalid(name: str, constraint: str) -> Exception:
    return invalid(
        f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy "
        f"constraint: {constraint}"
    )


def new_arn(account: str, region: str, kind: str, name: str) -> str:
    return f"arn:aws:cloudformation:{region}:{account}:{kind}/{name}/{uuid.uuid4()}"


def physical(stack: str, logical_id: str, limit: int) -> str:
    """A name of at most ``limit`` characters: ``stack-LogicalId-Kx81mYqP0aZb``."""
    room = limit - SUFFIX_LENGTH - len("--") - 1
    share = max(LOGICAL_SHARE, room - len(stack))
    logical = logical_id[:share]
    return f"{stack[: room - len(logical)]}-{logical}-{_random()}"


def physical_short(stack: str, logical_id: str, _limit: int) -> str:
    """A short name for a resource without a name in its service: ``mysta-MyPo-Kx81mYqP0aZb``."""
    return f"{stack[:5]}-{logical_id[:4]}-{_random()}"


def _random() -> str:
    return "".join(secrets.choice(MIXED) for _ in range(SUFFIX_LENGTH))
