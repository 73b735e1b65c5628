"""Makes a session and the answer that hands it out: its policies, its token, its credentials.

IAM User Guide, "Session policies" and "IAM and AWS STS quotas".
"""

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from stslab.policy import PolicyKind
from stslab.sandbox.api import faults, identifiers, policies
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.api.services import ManagedText
from stslab.sandbox.state.sessions import Session, SessionPolicy
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.transaction import Transaction
from stslab.sandbox.sts.session_tags import Tags

_MOST_ARNS = 10
_PLAINTEXT = 2048
_TOKEN_FLOOR, _TOKEN_CEILING = 352, 4096  # bytes of a session token
_REMEMBERED = timedelta(hours=36)
# Of so many new sessions one looks for those that expired long ago, and forgets so many at most.
_LOOKS_EVERY, _FORGETS = 1024, 4096


@dataclass(frozen=True, slots=True)
class Grant:
    """What a new session carries beside who it is: policies, tags, and how long it lasts.

    ``always_limited``: without session policies the session may do nothing, instead of all
    that its issuer may.
    """

    seconds: int
    policies: tuple[SessionPolicy, ...] = ()
    tags: Tags = ()
    least_token_size: int = 0
    always_limited: bool = False


def issue(tx: Transaction, account: str, now: datetime, grant: Grant, **who: Any) -> Session:
    """A new session that the fields ``who`` of Session describe."""
    issued = now.replace(microsecond=0)
    session = Session(
        account=account,
        access_key_id=identifiers.access_key_id("ASIA", account),
        secret_access_key=identifiers.secret_access_key(),
        session_token=identifiers.session_token(_token_size(grant)),
        issued=issued,
        expires=issued + timedelta(seconds=grant.seconds),
        session_policies=grant.policies if grant.policies or grant.always_limited else None,
        tags=grant.tags,
        **who,
    )
    if tx.count(Session, account) % _LOOKS_EVERY == 0:
        _forget(tx, account, issued - _REMEMBERED)
    tx.put(session)
    return session


def answer(session: Session, grant: Grant) -> dict[str, Any]:
    """The members that every operation answers which issues a session."""
    size = len(session.session_token)
    members: dict[str, Any] = {
        "Credentials": {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "SessionToken": session.session_token,
            "Expiration": session.expires,
        },
        "SessionTokenSize": size,
        "SessionTokenUtilization": _percent(size),
    }
    if grant.policies or grant.tags:
        members["PackedPolicySize"] = _percent(size)
    return members


def session_policies(
    view: View, account: str, params: Mapping[str, Any], managed_text: ManagedText
) -> tuple[SessionPolicy, ...]:
    """The inline and managed session policies of a request, parsed and within their limits.

    Raises:
        ApiFault: MalformedPolicyDocument, or ValidationError when they are too many or too long.
    """
    arns = [entry.get("arn", "") for entry in params.get("PolicyArns", ())]
    inline = params.get("Policy")
    if len(arns) > _MOST_ARNS:
        raise _too_long("policyArns", f"[{', '.join(arns)}]", _MOST_ARNS)
    if len(inline or "") + sum(map(len, arns)) > _PLAINTEXT:
        raise _too_long("policy", inline or "", _PLAINTEXT)
    found = [_managed(arn, managed_text(view, account, arn)) for arn in arns]
    if inline is not None:
        text = policies.checked(inline, PolicyKind.SESSION)
        found.insert(0, SessionPolicy("inline", text))
    return tuple(found)


def _managed(arn: str, document: str | None) -> SessionPolicy:
    if document is None:
        raise faults.malformed_policy(f"Policy {arn} does not exist or is not attachable.")
    return SessionPolicy(f"managed {arn}", document, arn)


def _too_long(parameter: str, value: str, most: int) -> ApiFault:
    return faults.invalid(
        f"1 validation error detected: Value '{value}' at '{parameter}' failed to satisfy "
        f"constraint: Member must have length less than or equal to {most}"
    )


def _token_size(grant: Grant) -> int:
    """The bytes of a session token that carries policies and tags, packed.

    Raises:
        ApiFault: PackedPolicyTooLarge.
    """
    packed = json.dumps([[one.arn or one.document for one in grant.policies], grant.tags])
    content = len(zlib.compress(packed.encode())) if grant.policies or grant.tags else 0
    size = max(_TOKEN_FLOOR + math.ceil(content * 4 / 3), grant.least_token_size)
    if size > _TOKEN_CEILING:
        raise ApiFault(
            "PackedPolicyTooLarge",
            f"Packed size of session tags and policies consumes {_percent(size)}% of allotted "
            f"space: the session token would be {size} bytes, and may be {_TOKEN_CEILING}.",
        )
    return size


def _percent(size: int) -> int:
    return math.ceil(size * 100 / _TOKEN_CEILING)


def _forget(tx: Transaction, account: str, before: datetime) -> None:
    long_gone = (one for one in tx.all(Session, account) if one.expires <= before)
    for session in tuple(islice(long_gone, _FORGETS)):
        tx.delete(session)
