"""What is true of all decisions, whatever the policies."""

import json
import random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.policy import strategies as made

from stslab.policy import NamedPolicy, Policies, PolicyKind, authorize, parse
from stslab.policy.cases import json_text
from stslab.vocabulary import Outcome

SEVERITY = {Outcome.ALLOWED: 0, Outcome.IMPLICITLY_DENIED: 1, Outcome.EXPLICITLY_DENIED: 2}
DENY_ALL = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"},
}


def with_(policies, **changes):
    return replace(policies, **changes)


def restated(policy, document):
    return NamedPolicy(policy.name, parse(document, policy.document.kind))


@given(made.requests, made.policies)
def test_an_explicit_deny_in_any_layer_always_wins(request, policies):
    decision = authorize(request, policies)
    denied = any(layer.denies for layer in decision.layers)
    assert (decision.outcome is Outcome.EXPLICITLY_DENIED) == denied


@given(made.requests, made.policies)
def test_an_identity_denied_everything_may_do_nothing(request, policies):
    policy = NamedPolicy("deny", parse(DENY_ALL, PolicyKind.IDENTITY))
    decision = authorize(request, with_(policies, identity=[*policies.identity, policy]))
    assert decision.outcome is Outcome.EXPLICITLY_DENIED or not request.principal.member


@given(made.requests, made.policies, made.named(PolicyKind.IDENTITY, effects=["Deny"]))
def test_adding_a_deny_never_grants(request, policies, deny):
    before = authorize(request, policies).outcome
    after = authorize(request, with_(policies, identity=[*policies.identity, deny])).outcome
    assert SEVERITY[after] >= SEVERITY[before]


@given(made.requests, made.policies, made.named(PolicyKind.RESOURCE, named=True, effects=["Deny"]))
def test_adding_a_deny_to_the_resource_never_grants(request, policies, deny):
    before = authorize(request, policies).outcome
    own = policies.resource.document.document["Statement"] if policies.resource else []
    document = {
        "Version": "2012-10-17",
        "Statement": [*own, *deny.document.document["Statement"]],
    }
    after = authorize(request, with_(policies, resource=restated(deny, document))).outcome
    assert SEVERITY[after] >= SEVERITY[before]


@given(made.requests, made.policies, made.named(PolicyKind.IDENTITY, effects=["Allow"]))
def test_adding_an_identity_allow_never_removes_access(request, policies, allow):
    before = authorize(request, policies)
    after = authorize(request, with_(policies, identity=[*policies.identity, allow]))
    assert SEVERITY[after.outcome] <= SEVERITY[before.outcome]


@given(made.requests, made.policies, st.randoms(use_true_random=False))
def test_the_order_of_statements_and_policies_never_matters(request, policies, chance):
    def shuffled_policy(policy):
        statements = list(policy.document.document["Statement"])
        chance.shuffle(statements)
        return restated(policy, {"Version": "2012-10-17", "Statement": statements})

    def shuffled(many):
        if many is None:
            return None
        found = [shuffled_policy(policy) for policy in many]
        chance.shuffle(found)
        return found

    other = Policies(
        shuffled(policies.identity),
        policies.resource and shuffled_policy(policies.resource),
        shuffled(policies.boundaries),
        shuffled(policies.session),
        [shuffled(level) for level in policies.scps],
    )
    first, second = authorize(request, policies), authorize(request, other)
    assert (first.outcome, first.reason) == (second.outcome, second.reason)


@given(made.requests, made.policies)
def test_a_limit_never_widens(request, policies):
    limited = authorize(request, policies).outcome
    free = with_(policies, boundaries=None, session=None, scps=())
    assert SEVERITY[authorize(request, free).outcome] <= SEVERITY[limited]


@given(made.requests, made.policies)
def test_without_a_resource_policy_a_boundary_allows_only_what_the_identity_does(request, policies):
    bounded = authorize(request, with_(policies, resource=None))
    alone = authorize(request, Policies(identity=policies.identity))
    assert alone.allowed or not bounded.allowed


@given(made.requests, made.policies)
def test_exactly_the_denials_name_what_blocks(request, policies):
    decision = authorize(request, policies)
    assert any(layer.blocks for layer in decision.layers) != decision.allowed
    assert bool(decision.message) != decision.allowed
    assert decision.reason


@given(made.requests, made.policies)
def test_a_decision_is_plain_json(request, policies):
    decision = authorize(request, policies)
    again = json.loads(json_text(decision.as_dict()))
    assert json.loads(json.dumps(decision.as_dict())) == again
    assert [layer["decision"] for layer in again["layers"]] == [
        layer.outcome for layer in decision.layers
    ]


@given(made.requests, made.policies)
def test_deciding_twice_gives_the_same(request, policies):
    assert authorize(request, policies).as_dict() == authorize(request, policies).as_dict()


@given(made.requests, made.documents())
def test_cached_policies_decide_as_newly_read_ones(request, document):
    fresh = json.loads(json.dumps(document) + " " * random.Random(1).randrange(3))
    kept = NamedPolicy("p", parse(document, PolicyKind.IDENTITY))
    new = NamedPolicy("p", parse(json.dumps(fresh, indent=2), PolicyKind.IDENTITY))
    decisions = [authorize(request, Policies(identity=[each])) for each in (kept, new)]
    assert decisions[0].as_dict() == decisions[1].as_dict()
