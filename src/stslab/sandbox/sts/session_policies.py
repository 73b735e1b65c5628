"""Session policies, and the room that they and session tags take in a session token.

IAM User Guide, "Session policies" and "IAM and AWS STS quotas".
"""

import json
import math
import zlib
from collections.abc import Mapping
from typing import Any

from stslab.errors import MalformedPolicy
from stslab.policy import PolicyKind, parse
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.api.services import ManagedText
from stslab.sandbox.state.sessions import SessionPolicy
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.sts import faults

_MOST_ARNS = 10
_PLAINTEXT = 2048
_TOKEN_FLOOR = 352
TOKEN_CEILING = 4096


def from_params(
    view: View, account: str, params: Mapping[str, Any], managed_text: ManagedText
) -> tuple[SessionPolicy, ...]:
    """The inline and managed session policies of a request, parsed and within their limits.

    Raises:
        ApiFault: MalformedPolicyDocument, or ValidationError when they are too many or too long.
    """
    arns = [entry.get("arn", "") for entry in params.get("PolicyArns", ())]
    inline = params.get("Policy")
    _check_size(inline or "", arns)
    found = [_managed(arn, managed_text(view, account, arn)) for arn in arns]
    if inline is not None:
        _check_document(inline)
        found.insert(0, SessionPolicy("inline session policy", inline))
    return tuple(found)


def token_size(
    policies: tuple[SessionPolicy, ...], tags: tuple[tuple[str, str], ...], least: int
) -> int:
    """The bytes of a session token that carries these, padded to ``least``.

    Raises:
        ApiFault: PackedPolicyTooLarge.
    """
    packed = json.dumps([[one.arn or one.document for one in policies], tags])
    content = len(zlib.compress(packed.encode())) if policies or tags else 0
    size = max(_TOKEN_FLOOR + math.ceil(content * 4 / 3), least)
    if size > TOKEN_CEILING:
        raise ApiFault(
            "PackedPolicyTooLarge",
            f"Packed size of session tags and policies consumes {percent(size)}% of allotted "
            f"space: the session token would be {size} bytes, and may be {TOKEN_CEILING}.",
        )
    return size


def percent(size: int) -> int:
    """How much of the room in a session token ``size`` bytes take, in percent."""
    return math.ceil(size * 100 / TOKEN_CEILING)


def _check_size(inline: str, arns: list[str]) -> None:
    if len(arns) > _MOST_ARNS:
        raise faults.invalid(
            f"1 validation error detected: Value '[{', '.join(arns)}]' at 'policyArns' failed to "
            f"satisfy constraint: Member must have length less than or equal to {_MOST_ARNS}"
        )
    if len(inline) + sum(map(len, arns)) > _PLAINTEXT:
        raise faults.invalid(
            f"1 validation error detected: Value '{inline}' at 'policy' failed to satisfy "
            f"constraint: Member must have length less than or equal to {_PLAINTEXT}"
        )


def _check_document(text: str) -> None:
    try:
        parse(text, PolicyKind.SESSION)
    except MalformedPolicy as error:
        raise faults.malformed_policy(error.message) from error


def _managed(arn: str, document: str | None) -> SessionPolicy:
    if document is None:
        raise faults.malformed_policy(f"Policy {arn} does not exist or is not attachable.")
    return SessionPolicy(f"managed session policy {arn.rpartition('/')[2]}", document, arn)
