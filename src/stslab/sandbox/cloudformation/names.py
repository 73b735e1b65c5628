"""Generates ids and physical names, and checks the names of stacks.

AWS CloudFormation User Guide, "Name type" and "Physical ID".
"""

import re
import secrets
import string
import uuid

from stslab.sandbox.api.faults import require

SERVICE = "cloudformation.amazonaws.com"
"""The service's name in policies."""
NAME_PATTERN = "[a-zA-Z][-a-zA-Z0-9]*"
NAME_OR_ARN = "[a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*"
NAME_LIMIT = 128
SUFFIX_LENGTH = 12
LOGICAL_SHARE = 24
"""The characters that the logical id keeps when both parts must be shortened."""


def check_new_name(name: str) -> None:
    check_reference(name, NAME_PATTERN)
    short = len(name) <= NAME_LIMIT
    _require(short, name, f"have length less than or equal to {NAME_LIMIT}")


def check_reference(name: str, pattern: str = NAME_OR_ARN) -> None:
    matches = re.fullmatch(pattern, name)
    _require(matches, name, f"satisfy regular expression pattern: {pattern}")


def _require(holds: object, name: str, constraint: str) -> None:
    where = f"Value '{name}' at 'stackName' failed to satisfy constraint"
    require(holds, f"1 validation error detected: {where}: Member must {constraint}")


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
    mixed = string.ascii_letters + string.digits
    return "".join(secrets.choice(mixed) for _ in range(SUFFIX_LENGTH))
