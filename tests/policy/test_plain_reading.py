"""The engine against a plain reading of AWS's pages, over the whole product of their layers."""

import random
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import product

import pytest
from tests.policy.cases import (
    ACCOUNT,
    ALICE,
    FEDERATED,
    OTHER,
    ROLE,
    ROOT,
    SESSION,
    all_but,
    allow,
    aws,
    deny,
    grant,
    policy,
    refuse,
)
from tests.policy.plain_reading import Names, Says, Situation, Target, Who, read

from stslab.policy import NamedPolicy, Policies, PolicyKind, Principal, Request, authorize, parse

_HOST = "ec2.amazonaws.com"
_LINKED_ROLE = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{_HOST}/Linked"
_LINKED_SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/Linked/night"
_PRINCIPALS = {
    Who.USER: Principal.from_arn(ALICE),
    Who.ROLE: Principal.from_arn(ROLE),
    Who.SESSION: Principal.from_arn(SESSION),
    Who.FEDERATED: Principal.from_arn(FEDERATED, issuer=ALICE),
    Who.FEDERATED_ROOT: Principal.from_arn(FEDERATED, issuer=ROOT),
    Who.ROOT: Principal.from_arn(ROOT),
    Who.SERVICE: Principal.service(_HOST),
    Who.ANONYMOUS: Principal.anonymous(),
    Who.LINKED: Principal.from_arn(_LINKED_SESSION, issuer=_LINKED_ROLE),
}
_CALLERS = {
    Who.USER: aws(ALICE),
    Who.ROLE: aws(ROLE),
    Who.SESSION: aws(SESSION),
    Who.FEDERATED: aws(FEDERATED),
    Who.FEDERATED_ROOT: aws(FEDERATED),
    Who.ROOT: aws(ROOT),
    Who.SERVICE: {"Service": _HOST},
    Who.LINKED: aws(_LINKED_SESSION),
}
_ENTITIES = {
    **_CALLERS,
    Who.SESSION: aws(ROLE),
    Who.FEDERATED: aws(ALICE),
    Who.FEDERATED_ROOT: aws(ROOT),
    Who.LINKED: aws(_LINKED_ROLE),
}
_OTHERS = {
    **aws(
        "999988887777",
        f"arn:aws:iam::{ACCOUNT}:user/team/alice",
        f"arn:aws:iam::{OTHER}:user/alice",
        f"arn:aws:iam::{OTHER}:role/worker",
        f"arn:aws:iam::{ACCOUNT}:role/Linked",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/day",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/Linked/day",
        f"arn:aws:sts::{ACCOUNT}:federated-user/bob",
    ),
    "Service": "lambda.amazonaws.com",
}
_TARGETS = {  # the action, and the resource in an account
    Target.ORDINARY: ("s3:GetObject", "arn:aws:s3:::shop/a"),
    Target.UNLISTED: ("sns:Publish", "arn:aws:sns:us-east-1:{}:news"),
    Target.ROLE: ("sts:AssumeRole", "arn:aws:iam::{}:role/lab"),
    Target.KEY: ("kms:Decrypt", "arn:aws:kms:us-east-1:{}:key/1"),
}
_SCPS = (
    (),
    (Says.ALLOW,),
    (Says.ALLOW, Says.ALLOW),
    (Says.SILENT,),
    (Says.SILENT, Says.ALLOW),
    (Says.ALLOW, Says.SILENT),
    (Says.ALLOW, Says.ABSENT),
    (Says.DENY, Says.ALLOW),
    (Says.ALLOW, Says.DENY),
)
_RCPS = ((), (Says.ABSENT,), (Says.SILENT, Says.SILENT), (Says.DENY, Says.SILENT), (Says.DENY,))
_NO_POLICIES = (Who.ROOT, Who.SERVICE, Who.ANONYMOUS)
_NO_IDENTITY = (*_NO_POLICIES, Who.FEDERATED_ROOT)
_NO_BOUNDARY = (*_NO_IDENTITY, Who.LINKED)
_NO_SESSION_POLICY = (*_NO_POLICIES, Who.LINKED, Who.USER)
_ONLY_ABSENT = (Says.ABSENT,)


def _situations(who: Who, target: Target) -> Iterator[Situation]:
    """All that can be, for these: what AWS does not let be attached is left out."""
    names = [each for each in Names if _can_be_written(each, who, target)]
    for same, identity, boundary, session, resource, scps, rcps in product(
        (True, False),
        _ONLY_ABSENT if who in _NO_IDENTITY else Says,
        _ONLY_ABSENT if who in _NO_BOUNDARY else Says,
        _ONLY_ABSENT if who in _NO_SESSION_POLICY else Says,
        names,
        _SCPS,
        _RCPS,
    ):
        yield Situation(who, same, target, identity, boundary, session, resource, scps, rcps)


def _can_be_written(names: Names, who: Who, target: Target) -> bool:
    """NotPrincipal is for no trust policy; nothing but "*" names an anonymous caller."""
    if names is Names.DENY_OTHERS and target is Target.ROLE:
        return False
    by_name = (Names.ENTITY, Names.CALLER, Names.BOTH, Names.DENY_ACCOUNT, Names.DENY_OTHERS)
    return who is not Who.ANONYMOUS or names not in by_name


def _pairs() -> Iterator[tuple[Who, Target]]:
    """Sessions of federated users may call no STS, and STS and KMS ask for a signature."""
    for who, target in product(Who, Target):
        unsigned = who is Who.ANONYMOUS and target in (Target.ROLE, Target.KEY)
        federated = who in (Who.FEDERATED, Who.FEDERATED_ROOT) and target is Target.ROLE
        if not unsigned and not federated:
            yield who, target


def _decided(situation: Situation) -> str:
    """What the engine says, from real policies."""
    target, who = situation.target, situation.who
    action, resource = _TARGETS[target]
    account = ACCOUNT if situation.same_account else OTHER
    request = Request(_PRINCIPALS[who], action, resource.format(account), resource_account=account)
    policies = Policies(
        identity=_own(PolicyKind.IDENTITY, target, situation.identity) or (),
        resource=_shared(who, target, situation.resource),
        boundaries=_own(PolicyKind.BOUNDARY, target, situation.boundary),
        session=_own(PolicyKind.SESSION, target, situation.session),
        scps=[_own(PolicyKind.SCP, target, level) or () for level in situation.scps],
        rcps=[_rcp(level) for level in situation.rcps],
    )
    return authorize(request, policies).outcome


@cache
def _own(kind: PolicyKind, target: Target, says: Says) -> tuple[NamedPolicy, ...] | None:
    action = _TARGETS[target][0]
    statements = {
        Says.ALLOW: [allow(action)],
        Says.SILENT: [allow("ec2:RunInstances"), deny("ec2:RunInstances")],
        Says.DENY: [allow(action), deny(action)],
    }
    if says is Says.ABSENT:
        return None
    return (NamedPolicy(says.value, parse(policy(*statements[says]), kind)),)


@cache
def _rcp(says: Says) -> tuple[NamedPolicy, ...]:
    """RCPs can only deny: a silent one denies something else."""
    if says is Says.ABSENT:
        return ()
    action = {Says.DENY: "*", Says.SILENT: "s3:DeleteObject"}[says]
    actions = ["s3:*", "sts:*", "kms:*"] if action == "*" else [action]
    statement = {"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": "*"}
    return (NamedPolicy(says.value, parse(policy(statement), PolicyKind.RCP)),)


@cache
def _shared(who: Who, target: Target, names: Names) -> NamedPolicy | None:
    """The resource's policy."""
    if names is Names.ABSENT:
        return None
    kind = PolicyKind.TRUST if target is Target.ROLE else PolicyKind.RESOURCE
    rest = {} if target is Target.ROLE else {"Resource": "*"}
    statements = [
        {**each, "Action": _TARGETS[target][0], **rest} for each in _shared_by(who, names)
    ]
    if names is Names.SILENT:
        statements = [{**each, "Action": "sts:TagSession"} for each in statements]
    return NamedPolicy(names.value, parse(policy(*statements), kind))


def _shared_by(who: Who, names: Names) -> list[dict]:
    caller, entity, account = _CALLERS.get(who, "*"), _ENTITIES.get(who, "*"), aws(ROOT)
    others = [*caller.get("AWS", []), *entity.get("AWS", []), ROOT] if caller != "*" else []
    statements = {
        Names.SILENT: [grant("*"), refuse("*")],
        Names.OTHER: [grant(_OTHERS), refuse(_OTHERS)],
        Names.ACCOUNT: [grant(account)],
        Names.ENTITY: [grant(entity)],
        Names.CALLER: [grant(caller)],
        Names.EVERYONE: [grant("*")],
        Names.EVERYONE_OF_AWS: [grant(aws("*"))],
        Names.BOTH: [grant(account), grant(caller)],
        Names.DENY_EVERYONE: [grant(caller), refuse("*")],
        Names.DENY_ACCOUNT: [grant(caller), refuse(account)],
        Names.DENY_OTHERS: [grant(caller), all_but(*others)],
    }
    if who is Who.SERVICE:
        statements[Names.DENY_OTHERS][1] = {"Effect": "Deny", "NotPrincipal": caller}
    return statements[names]


def _compare(situations):
    """How many were compared; the first that differs is shown whole, with how many do."""
    differ = [
        (situation, read(situation), found)
        for situation in situations
        if (found := _decided(situation)) != read(situation)
    ]
    by_pages = Counter((wanted, found) for _, wanted, found in differ)
    assert not differ, f"{len(differ)} differ, {dict(by_pages)}; the first: {differ[0]}"


@pytest.mark.parametrize(("who", "target"), list(_pairs()))
def test_the_engine_decides_as_the_pages_read(who, target):
    """Every combination without an organization, and some of those with one."""
    whole = list(_situations(who, target))
    alone = [each for each in whole if not each.scps and not each.rcps]
    chosen = random.Random(f"{who}{target}").sample(whole, min(600, len(whole)))
    _compare([*alone, *chosen])


@pytest.mark.soak
@pytest.mark.parametrize(("who", "target"), list(_pairs()))
def test_the_engine_decides_as_the_pages_read_throughout(who, target):
    _compare(_situations(who, target))


def test_the_plain_reading_tells_all_decisions_apart():
    """A reading that always said the same would agree with an engine that does."""
    outcomes = Counter(read(each) for each in _situations(Who.SESSION, Target.KEY))
    assert len(outcomes) == 3
    assert min(outcomes.values()) > 100
