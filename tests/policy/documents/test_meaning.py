"""Policies that mean the same in other forms, and the differences of those that don't."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policy import strategies as made
from tests.policy.cases import ACCOUNT, ALICE, BUCKET, ROOT, allow, aws, deny, grant, policy

from stslab.policy import NamedPolicy, Policies, PolicyKind, Request, authorize, parse
from stslab.policy.documents.document import differing

IDENTITY, TRUST = PolicyKind.IDENTITY, PolicyKind.TRUST
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
GET, PUT = allow("s3:GetObject", BUCKET), allow("s3:PutObject", BUCKET)
BOTH = allow(["s3:PutObject", "s3:GetObject"], BUCKET)
VARIABLE = allow("s3:GetObject", "arn:aws:s3:::shop/${aws:username}")


def assuming(principal: Any, **elements: Any) -> dict[str, Any]:
    return grant(principal, "sts:AssumeRole", **elements)


# Source: IAM User Guide, "IAM JSON policy elements reference" and "Grammar of the IAM JSON policy
# language": a list of one is its item, Action has no case, ids and order mean nothing; a
# principal's account is its number or the ARN of its root user ("AWS JSON policy elements:
# Principal").
SAME = [
    ([GET], [{**GET, "Sid": "Get"}]),
    ([GET], [allow(["s3:getobject"], [BUCKET])]),
    ([GET, PUT], [BOTH]),
    ([GET, PUT], [PUT, GET]),
    ([{**GET, "Condition": MFA}], [{**GET, "Condition": {"bool": {"AWS:multifactorauthpresent": ["true"]}}}]),
    ([allow("s3:GetObject", [BUCKET, ALICE])], [GET, allow("s3:GetObject", ALICE)]),
]  # fmt: skip
SAME_TRUST = [
    ([assuming(aws(ROOT))], [assuming(aws(ACCOUNT), Sid="TheAccount")]),
    ([assuming(aws(ALICE, ROOT))], [assuming(aws(ROOT)), assuming(aws(ALICE))]),
]
OTHER = [
    ([GET], [PUT]),
    ([GET], [deny("s3:GetObject", BUCKET)]),
    ([GET], [allow("s3:GetObject", "*")]),
    ([GET], [{**GET, "Condition": MFA}]),
    (
        [{"Effect": "Deny", "NotAction": ["s3:GetObject", "s3:PutObject"], "Resource": "*"}],
        [
            {"Effect": "Deny", "NotAction": "s3:GetObject", "Resource": "*"},
            {"Effect": "Deny", "NotAction": "s3:PutObject", "Resource": "*"},
        ],
    ),
]


def differ(one: Any, other: Any, kind: PolicyKind) -> Any:
    return differing(parse(one, kind), parse(other, kind))


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_form_makes_no_difference(one: Any, other: Any) -> None:
    assert differ(policy(*one), policy(*other), IDENTITY) == ((), ())


@pytest.mark.parametrize(("one", "other"), SAME_TRUST)
def test_nor_does_it_in_a_trust_policy(one: Any, other: Any) -> None:
    assert differ(policy(*one), policy(*other), TRUST) == ((), ())


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_different_meanings_differ_on_both_sides(one: Any, other: Any) -> None:
    assert differ(policy(*one), policy(*other), IDENTITY) == (tuple(one), tuple(other))


def test_only_the_differing_statements_are_returned() -> None:
    assert differ(policy(GET, PUT), policy(GET), IDENTITY) == ((PUT,), ())


def test_in_the_older_version_a_variable_is_its_text() -> None:
    old = {**policy(VARIABLE), "Version": "2008-10-17"}
    assert differ(policy(VARIABLE), old, IDENTITY) != ((), ())


@given(made.documents(), made.documents(), made.requests)
def test_policies_that_decide_differently_differ(one: Any, other: Any, request: Request) -> None:
    if decided(one, request) != decided(other, request):
        assert differ(one, other, IDENTITY) != ((), ())


@given(made.documents(), st.randoms(use_true_random=False))
def test_split_and_shuffled_it_means_the_same(document: Any, shuffling: Any) -> None:
    split = [
        {**one, "Action": [action]}
        for one in document["Statement"]
        for action in (one["Action"] if isinstance(one["Action"], list) else [one["Action"]])
    ]
    shuffling.shuffle(split)
    assert differ(document, policy(*split), IDENTITY) == ((), ())


def decided(document: Any, request: Request) -> Any:
    named = NamedPolicy("p", parse(document, IDENTITY))
    return authorize(request, Policies(identity=[named])).outcome
