"""What a message leaves open, and what to look at first: the right caller first, widening last."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from stslab.policy import arn as arns
from stslab.policy.messages import commands
from stslab.policy.messages.message import Message, OtherGate, Step
from stslab.policy.vocabulary import Gate

_Steps = Iterator[Step]

_NOTHING_ALLOWS: Final = "nothing in it allows this (implicit deny)"
_DENIES: Final = "a Deny applies (explicit deny)"
_AWS_WORDS: Final[Mapping[Gate | OtherGate, str]] = {
    Gate.SCP: "scp (service control policy)",
    Gate.RCP: "rcp (resource control policy)",
    Gate.BOUNDARY: "boundary (permissions boundary)",
}
_NARROW: Final = Step("Last, let its owner narrow it: a Deny is there to protect something.")
# CloudTrail has them only in a trail that logs data events.
_DATA_EVENTS: Final = frozenset(
    {"s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"}
)


@dataclass(frozen=True, slots=True)
class Advice:
    """``refused_by`` in a sentence, ``cannot_say`` what is left open, ``steps`` in their order."""

    refused_by: str
    cannot_say: tuple[str, ...]
    steps: tuple[Step, ...]


def advise(message: Message) -> Advice:
    """What to make of a message."""
    if message.known:
        known = message.known
        told = f"{known.gate}: {known.says}" if known.gate else known.says
        return Advice(told, known.cannot_say, known.steps)
    return Advice(_refused_by(message), tuple(_left_open(message)), tuple(_steps(message)))


def _refused_by(message: Message) -> str:
    gate = message.gate
    if gate is None:
        return (
            "not said, but that a Deny applies (explicit deny)" if message.explicit else "not said"
        )
    how = f"its setting {message.setting}" if message.setting else _NOTHING_ALLOWS
    return f"{_AWS_WORDS.get(gate, gate)}: {_DENIES if message.explicit else how}"


# -- what the message can't say ------------------------------------------------------------


def _left_open(message: Message) -> Iterator[str]:
    parts = {
        "who asked": message.caller,
        "for what": message.action or message.operation,
        "on what": message.resource,
    }
    if missing := " and ".join(part for part, value in parts.items() if not value):
        yield f"{missing[0].upper()}{missing[1:]}."
    if message.gate is None:
        yield _why_no_gate(message)
    elif message.explicit:
        yield f"{_which(message)}; and whether another gate refuses as well: AWS names one."
    elif message.explicit is False:
        yield (
            "Which Allow came nearest, or which Condition failed: where nothing allows, AWS "
            "names no policy. Nor whether another gate refuses as well."
        )


def _which(message: Message) -> str:
    if message.policy:
        return "Which statement of that policy denies"
    if message.gate in (Gate.RESOURCE, Gate.TRUST):  # there is but one
        return "Which statement denies"
    return "Which policy denies, and which statement"


def _why_no_gate(message: Message) -> str:
    if _with_token(message):
        return (
            "Which gate refused. A token brings no permissions, so that the role's trust policy "
            "has to allow this; AWS says the same of a role that doesn't exist."
        )
    if message.assumes_role:
        return (
            "Which gate refused: the caller's policies, the role's trust policy, or that there "
            "is no such role. AWS may say the same of all three."
        )
    if message.service == "s3":
        return (
            "Which gate refused, and whether bucket and key exist: S3 tells callers of another "
            "organization no more, and hides a missing key from callers that may not list."
        )
    return (
        "Which gate refused: AWS leaves that out for callers of another organization, and "
        "some services always do."
    )


# -- what to look at -----------------------------------------------------------------------


def _step(what: str, found: tuple[str, ...]) -> Step:
    """A sentence that leads to its commands, or ends where there are none."""
    end = "" if what.endswith("?") else ":" if found else "."
    return Step(f"{what}{end}", found)


def _steps(message: Message) -> _Steps:
    if _with_token(message):
        yield from _token(message)
        return
    yield _right_caller(message)
    if message.encoded and not message.policy:
        yield Step(
            "Save what stands behind `failure message:` as encoded.txt; decoded it names the "
            "statement:",
            (commands.DECODE,),
        )
    yield from _BY_GATE[message.gate](message)


def _right_caller(message: Message) -> Step:
    kind = message.caller_kind
    if kind == "an unsigned request":
        return Step(
            "The request was not signed. Call with credentials, without --no-sign-request:",
            ("aws configure list",),
        )
    if kind == "an EC2 instance's own role":
        asked = "The machine's own role asked: were a profile's or a pod's credentials not found?"
    else:
        asked = "Is that the caller that you meant?" if message.caller else "See who asked:"
    return Step(asked, (commands.WHO,))


def _with_token(message: Message) -> bool:
    """Whether a role was asked for on the word of an identity provider."""
    return message.action.lower().startswith("sts:assumerolewith")


def _token(message: Message) -> _Steps:
    saml = message.action.lower().endswith("saml")
    issuers = commands.SAML_PROVIDERS if saml else commands.ISSUERS
    yield Step("Is it the role's right ARN? A role that is not there is refused in the same words.")
    claims = "issuer, audience and subject" if saml else "`iss`, `aud` and `sub`"
    yield _step(
        f"Compare the token's {claims}, to the letter, with what the role's trust policy wants",
        commands.trust(message.resource_arn),
    )
    yield Step("Does the account know the issuer, and this audience?", (issuers,))
    yield Step(
        "Last, correct the trust policy's Condition. Don't drop it: without it everyone with a "
        "token of that issuer gets in."
    )


def _where(message: Message) -> str:
    """In which account the resource's side is to be looked at, if it is another one."""
    other = arns.account_of(message.resource_arn)
    return f", in account {other}" if other and message.same_account is False else ""


def _who(message: Message) -> str:
    """The caller, as a policy would name it."""
    kind, name = commands.owner(message.caller)
    return f"{kind} {name}" if kind else "the caller"


def _trust(message: Message) -> _Steps:
    found = (
        "Find the Deny in the role's trust policy, and its Condition"
        if message.explicit
        else "See which principals the role trusts, and under which conditions"
    )
    yield _step(f"{found}{_where(message)}", commands.trust(message.resource_arn))
    yield Step("Send with the call what the conditions want: an external id, an MFA code, tags.")
    if message.explicit:
        yield _NARROW
        return
    yield Step(
        f"Last, let the trust policy name {_who(message)} alone, and keep its conditions: they "
        "keep others out."
    )


def _assuming(message: Message) -> _Steps:
    """A role was asked for, and the message does not say which side refused."""
    if commands.owner(message.resource_arn)[0] == "user":
        yield Step("That is a user's ARN, and only a role can be assumed. Give the role's ARN.")
        return
    yield _step(
        f"Is there such a role{_where(message)}, and does it trust the caller?",
        commands.trust(message.resource_arn),
    )
    yield _simulation(message)
    side = "both sides" if message.same_account is False else "the side that refuses"
    yield Step(f"Last, let {side} allow this caller and this role, and no other.")


def _simulation(message: Message) -> Step:
    return _step(
        "What do the caller's own policies decide?",
        commands.simulation(message.caller, message.action, message.resource_arn),
    )


def _identity(message: Message) -> _Steps:
    if message.explicit:
        yield from _deny_of(message, commands.identity_policies(message.caller))
        return
    yield _step(
        "Read the caller's policies: one must allow this action on this resource",
        commands.identity_policies(message.caller),
    )
    if hint := _HINTS.get(message.action.lower()):
        yield Step(hint)
    if message.caller_kind == "session of IAM Identity Center":
        yield Step(
            "Last, add it to the permission set in IAM Identity Center, which overwrites what "
            "the role itself is given."
        )
        return
    yield Step(
        f"Last, allow {_who(message)} {message.action or 'this action'}, on that resource alone."
    )


_HINTS: Final[Mapping[str, str]] = {
    "iam:passrole": "Is it the role that you meant to hand over? Pass none that may do more.",
    "kms:decrypt": "KMS wants the key's own ARN in the statement: an alias's does not count.",
    "s3:getobject": "Objects are `bucket/*`: a statement on the bucket alone misses them.",
    "s3:listbucket": "Listing is asked of the bucket itself: a statement on `bucket/*` misses it.",
    "s3:putobject": "Objects are `bucket/*`: a statement on the bucket alone misses them.",
    "sts:assumerole": "The statement's resource is the role's ARN, with its path.",
}


def _deny_of(message: Message, listing: tuple[str, ...]) -> _Steps:
    """A Deny of IAM's: read it, meet its Condition, and change it last."""
    document = commands.policy_document(message.policy)
    if "AWSCompromisedKeyQuarantine" in message.policy:
        yield Step(
            "AWS put this policy there, since the access key was found in public. Disable the "
            "key and make a new one, before the policy is taken off."
        )
    yield _step("Read the policy that denies" if document else "Find the Deny", document or listing)
    if "AWSCompromisedKeyQuarantine" not in message.policy:
        yield Step("Meet its Condition rather than change it: MFA, a region, a network, a tag.")
        yield _NARROW


def _boundary(message: Message) -> _Steps:
    if message.explicit:
        yield from _deny_of(message, commands.boundary(message.caller))
        return
    yield _step(
        "Read the boundary: it is the most that the caller may do, whatever else allows",
        commands.boundary(message.caller),
    )
    yield Step("Can another role do this, one that is made for it?")
    yield Step("Last, ask who set the boundary to add this one action.")


def _session(message: Message) -> _Steps:
    federated = ":federated-user/" in message.caller
    yield _step(
        "A session policy came with the call that made the session, and can't be changed. See "
        "its `policy` and `policyArns`",
        commands.policy_document(message.policy)
        or commands.event("GetFederationToken" if federated else "AssumeRole"),
    )
    yield Step("Make a new session, with a session policy that lets this one action through.")
    yield Step("Nothing else needs widening: a session policy only takes away.")


def _scp(message: Message) -> _Steps:
    yield from _of_organization(message, message.caller, "SERVICE")
    yield Step(
        "No policy in this account gets around it. Use a region, a service or an account that "
        "is open; last, ask for an exception."
    )


def _rcp(message: Message) -> _Steps:
    yield from _of_organization(message, message.resource_arn, "RESOURCE")
    yield Step(
        "Meet its Condition (the organization, TLS, the network); last, ask for an exception."
    )


def _of_organization(message: Message, whose: str, kind: str) -> _Steps:
    document = commands.policy_document(message.policy)
    more = "" if document else " (its OUs and root have more)"
    yield _step(
        f"In the organization's management account, read it{more}",
        document or commands.organization_policies(arns.account_of(whose) or "", kind),
    )
    yield Step("Which account that is, and who to ask:", (commands.ORGANIZATION,))


def _resource(message: Message) -> _Steps:
    yield _step(
        f"{'Find the Deny in' if message.explicit else 'Read'} the resource's own policy"
        f"{_where(message)}",
        commands.resource_policy(message.resource_arn),
    )
    if message.explicit:
        yield Step("Meet its Condition rather than change it: TLS, a network, an organization.")
        yield _NARROW
        return
    if message.action.lower().startswith("kms:"):
        yield Step("A key policy must name the caller, or the account, which lets IAM decide.")
    if message.caller_kind == "an unsigned request":
        yield Step("Unsigned requests get in only where everyone may: sign yours instead.")
        return
    yield Step(f"Last, let it name {_who(message)} as Principal; never `*`.")


def _endpoint(message: Message) -> _Steps:
    del message
    yield Step(
        "The request went through a VPC endpoint. Read its policy, where the VPC is:",
        (commands.ENDPOINTS,),
    )
    yield Step("Was it meant to go that way? Another network may be the right one.")
    yield Step("Last, let the endpoint's owner allow this action on this resource.")


def _public_access(message: Message) -> _Steps:
    yield _step(
        "See the bucket's settings; the account may have stricter ones",
        commands.public_access(message.resource_arn),
    )
    yield Step("Leave it on. Share with named principals, a presigned URL or CloudFront instead.")


def _unnamed(message: Message) -> _Steps:
    """Nothing says which gate refused."""
    if message.assumes_role:
        yield from _assuming(message)
        return
    if message.service == "s3" and not message.resource:
        yield Step(
            "Is the bucket's name right, and is it one of yours?",
            ("aws s3api list-buckets --query 'Buckets[].Name'",),
        )
    if message.caller and message.action:
        yield _simulation(message)
    if policy := commands.resource_policy(message.resource_arn):
        yield Step(f"What does the resource's own policy say{_where(message)}?", policy)
    if message.action in _DATA_EVENTS:
        yield Step("Look at Block Public Access and the KMS key as well.")
    elif not message.encoded and (found := commands.event(message.operation)):
        yield Step("CloudTrail may say more, in the resource's account most:", found)
    yield Step("Last, and once you know what refused: allow this action on this resource alone.")


_BY_GATE: Final[Mapping[Gate | OtherGate | None, Callable[[Message], _Steps]]] = {
    None: _unnamed,
    Gate.TRUST: _trust,
    Gate.IDENTITY: _identity,
    Gate.BOUNDARY: _boundary,
    Gate.SESSION: _session,
    Gate.SCP: _scp,
    Gate.RCP: _rcp,
    Gate.RESOURCE: _resource,
    OtherGate.ENDPOINT: _endpoint,
    OtherGate.PUBLIC_ACCESS: _public_access,
}
