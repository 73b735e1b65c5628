"""The limit for the work of one simulation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.sandbox.direct import Direct

LARGEST = 131_072


def policy(size: int) -> str:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": statement})
    return text.ljust(size)


def call(policies: list[str], actions: int, resources: int, **more: Any) -> dict[str, Any]:
    return {
        "PolicyInputList": policies,
        "ActionNames": [f"s3:Action{number}" for number in range(actions)],
        "ResourceArns": [f"arn:aws:s3:::bucket-{number}" for number in range(resources)],
        **more,
    }


def context(values: int, length: int) -> list[dict[str, Any]]:
    listed = ["v" * length] * values
    key = {"ContextKeyName": "aws:TagKeys", "ContextKeyType": "stringList"}
    return [{**key, "ContextKeyValues": listed}]


@pytest.mark.parametrize(
    "params",
    [
        call([policy(100)], 101, 100),
        call([policy(LARGEST)] * 8, 5, 4),
        call([policy(2000)], 10, 10, ContextEntries=context(1000, 1)),
        call([policy(2000)], 10, 10, ContextEntries=context(1, 10_000)),
    ],
    ids=["questions", "policies", "values", "long values"],
)
def test_a_simulation_that_would_take_too_long_is_refused(
    direct: Direct, params: dict[str, Any]
) -> None:
    with pytest.raises(ClientError, match="The simulation is too large") as refused:
        direct.client("iam").simulate_custom_policy(**params)
    assert refused.value.response["Error"]["Code"] == "InvalidInput"


@pytest.mark.parametrize(
    "params",
    [
        call([policy(100)], 100, 100),
        call([policy(LARGEST)], 10, 10),
        call([policy(6144)] * 20, 10, 10),
    ],
    ids=["questions", "a large policy", "many policies"],
)
def test_the_policies_that_a_role_can_have_are_simulated(
    direct: Direct, params: dict[str, Any]
) -> None:
    answer = direct.client("iam").simulate_custom_policy(**params)
    assert {one["EvalDecision"] for one in answer["EvaluationResults"]} == {"allowed"}


def test_the_characters_of_a_long_policy_are_too_many_policies(direct: Direct) -> None:
    """The AWS CLI makes a list of them from ``file://``; AWS takes 2000, as runbooks tell."""
    with pytest.raises(ClientError, match="length less than or equal to 2000") as refused:
        direct.client("iam").simulate_custom_policy(**call(list(policy(2001)), 1, 1))
    assert refused.value.response["Error"]["Code"] == "ValidationError"
