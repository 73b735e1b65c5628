"""The engine agrees with a plain reading of AWS's pages, for all combinations of layers."""

import random
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import product

import pytest
from msgspec.structs import replace
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
from tests.policy.plain_reading import (
    Caller,
    Names,
    Said,
    Says,
    Situation,
    Target,
    Who,
    hear,
    read,
)

from stslab.policy import (
    NamedPolicy,
    Policies,
    PolicyKind,
    Principal,
    PrincipalKind,
    Request,
    authorize,
    parse,
)

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
    Who.SERVICE: Principal(PrincipalKind.SERVICE, _HOST),
    Who.ANONYMOUS: Principal(PrincipalKind.ANONYMOUS, "anonymous"),
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
    """All possible situations for these; without policies that AWS does not let be attached."""
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


def _decided(situation: Situation, principal=None, shared=None) -> str:
    """The engine's decision, with real policies."""
    target, who = situation.target, situation.who
    if isinstance(situation.resource, Names):
        shared = _shared(who, target, situation.resource)
    action, resource = _TARGETS[target]
    account = ACCOUNT if situation.same_account else OTHER
    asks = principal or _PRINCIPALS[who]
    request = Request(asks, action, resource.format(account), resource_account=account)
    policies = Policies(
        identity=_own(PolicyKind.IDENTITY, target, situation.identity) or (),
        resource=shared,
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
    for each in statements if target is Target.ROLE else ():
        if each.get("Principal") == "*":  # IAM refuses it in a trust policy
            each["Principal"] = {"AWS": "*", "Service": _HOST}
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


_IDS = {Who.USER: "AIDACKCEVSQ6C2EXAMPLE", Who.SESSION: "AROADBQP57FF2AEXAMPLE"}
_NAMED = {  # each caller by every name that it has
    Who.USER: Caller(frozenset((ACCOUNT, ROOT)), own=frozenset((ALICE, _IDS[Who.USER]))),
    Who.ROLE: Caller(frozenset((ACCOUNT, ROOT)), own=frozenset((ROLE, _IDS[Who.SESSION]))),
    Who.SESSION: Caller(
        frozenset((ACCOUNT, ROOT)), frozenset((ROLE, _IDS[Who.SESSION])), frozenset((SESSION,))
    ),
    Who.FEDERATED: Caller(frozenset((ACCOUNT, ROOT)), frozenset((ALICE,)), frozenset((FEDERATED,))),
    Who.FEDERATED_ROOT: Caller(frozenset((ACCOUNT, ROOT)), own=frozenset((FEDERATED,))),
    Who.ROOT: Caller(own=frozenset((ACCOUNT, ROOT))),
    Who.SERVICE: Caller(own=frozenset((_HOST,))),
    Who.ANONYMOUS: Caller(),
    Who.LINKED: Caller(
        frozenset((ACCOUNT, ROOT)), frozenset((_LINKED_ROLE,)), frozenset((_LINKED_SESSION,))
    ),
}
_HOSTS = (_HOST, "lambda.amazonaws.com")
_NAMES = sorted(
    {*_OTHERS["AWS"], *_HOSTS, "*", "AIDACKCEVSQ6C2OTHER01"}.union(
        *(each.account | each.behind | each.own for each in _NAMED.values())
    )
)
_KNOWN_BY_ID = {
    **_PRINCIPALS,
    Who.USER: replace(_PRINCIPALS[Who.USER], user_id=_IDS[Who.USER]),
    Who.ROLE: replace(_PRINCIPALS[Who.ROLE], user_id=_IDS[Who.SESSION]),
    Who.SESSION: replace(_PRINCIPALS[Who.SESSION], user_id=f"{_IDS[Who.SESSION]}:night"),
}


def _made_up(chosen: random.Random, who: Who, target: Target) -> tuple[Situation, list[Said]]:
    """A situation whose resource's policy names anybody, in any form."""
    own = _NAMED[who]
    near = [*own.account, *own.behind, *own.own] or ["*"]
    said = []
    for _ in range(chosen.randint(0, 3)):
        denies = chosen.random() < 0.4
        negated = denies and target is not Target.ROLE and chosen.random() < 0.7
        names = chosen.sample(near, chosen.randint(0, len(near)))
        names += chosen.sample(_NAMES, chosen.randint(0 if names else 1, 2))
        said.append(Said(denies, negated, frozenset(names)))
    boundary = Says.ABSENT if who in _NO_BOUNDARY else chosen.choice(list(Says))
    levels = [chosen.choice(list(Says)) for _ in range(chosen.randint(0, 4))]
    scps = [chosen.choice([Says.ALLOW, Says.ALLOW, Says.ALLOW, each]) for each in levels]
    rcps = [chosen.choice(_RCPS)[:1] for _ in range(chosen.randint(0, 3))]
    situation = Situation(
        who,
        chosen.random() < 0.6,
        target,
        Says.ABSENT if who in _NO_IDENTITY else chosen.choice([Says.ALLOW, *Says]),
        boundary,
        Says.ABSENT if who in _NO_SESSION_POLICY else chosen.choice([Says.ALLOW, *Says]),
        hear(said, who, own, bounded=boundary is not Says.ABSENT),
        tuple(scps),
        tuple(one for each in rcps for one in each),
    )
    return situation, said


def _written(said: Said, target: Target) -> dict:
    hosts, names = said.names.intersection(_HOSTS), said.names.difference(_HOSTS)
    principal = {"AWS": sorted(names), "Service": sorted(hosts)}
    return {
        "Effect": "Deny" if said.denies else "Allow",
        "NotPrincipal" if said.negated else "Principal": {
            kind: each for kind, each in principal.items() if each
        },
        "Action": _TARGETS[target][0],
        **({} if target is Target.ROLE else {"Resource": "*"}),
    }


def _compare_made_up(seed: str, number: int) -> Counter:
    chosen = random.Random(seed)
    pairs = list(_pairs())
    outcomes: Counter = Counter()
    for _ in range(number):
        who, target = chosen.choice(pairs)
        situation, said = _made_up(chosen, who, target)
        statements = [_written(each, target) for each in said]
        kind = PolicyKind.TRUST if target is Target.ROLE else PolicyKind.RESOURCE
        shared = NamedPolicy("r", parse(policy(*statements), kind)) if said else None
        wanted, found = read(situation), _decided(situation, _KNOWN_BY_ID[who], shared)
        assert found == wanted, (situation, statements)
        outcomes[wanted, any(each.negated for each in said)] += 1
    return outcomes


def test_random_resource_policies_are_decided_as_documented():
    """Root, NotPrincipal, levels of SCPs and RCPs, unique ids, services, sessions by name."""
    outcomes = _compare_made_up("quick", 3000)
    assert len(outcomes) == 6
    assert min(outcomes.values()) > 30


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(8))
def test_many_random_resource_policies_are_decided_as_documented(seed):
    assert len(_compare_made_up(f"soak {seed}", 60_000)) == 6


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
def test_the_engine_decides_as_documented(who, target):
    """Every combination without an organization, and some of those with one."""
    whole = list(_situations(who, target))
    alone = [each for each in whole if not each.scps and not each.rcps]
    chosen = random.Random(f"{who}{target}").sample(whole, min(600, len(whole)))
    _compare([*alone, *chosen])


@pytest.mark.soak
@pytest.mark.parametrize(("who", "target"), list(_pairs()))
def test_the_engine_decides_everything_as_documented(who, target):
    _compare(_situations(who, target))


def test_the_plain_reading_can_give_every_decision():
    """Otherwise a reading with one answer would agree with an engine with one answer."""
    outcomes = Counter(read(each) for each in _situations(Who.SESSION, Target.KEY))
    assert len(outcomes) == 3
    assert min(outcomes.values()) > 100
