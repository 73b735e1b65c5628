"""Rows of actions.yaml: which actions on what a call needs; and that every action exists."""

from __future__ import annotations

import pytest
from tests.sandbox.direct import Direct
from tests.sandbox.furnished import decisions_of, rows

from stslab.sandbox.api import operations, reference
from stslab.sandbox.s3.requests import actions


@pytest.mark.parametrize("row", rows("actions.yaml"), ids=lambda row: row["call"])
def test_a_call_needs_just_these_actions(deciding: Direct, row) -> None:
    assert row["source"]
    asked = [f"{one['action']} {one['resource']}" for one in decisions_of(deciding, row)]
    assert asked == row["needs"]


def test_every_action_that_is_asked_for_exists() -> None:
    further = [
        action
        for table in (actions._FURTHER_BUCKET, actions._FURTHER_OBJECT)
        for *_, action in table
    ]
    asked = [*actions.BUCKET.values(), *further]
    asked += [action for pair in actions.OBJECT.values() for form in pair for action in form]
    for action in asked:
        service, name = action.split(":")
        assert name in reference.actions(service), action


@pytest.mark.parametrize("service", ["iam", "cloudformation"])
def test_operations_without_an_action_of_their_name_are_few_and_known(service: str) -> None:
    unknown = operations.names(service) - reference.actions(service).keys()
    assert unknown <= {
        "AcquireRole",
        "UpdateDelegationRequest",
        "UpdateOpenIDConnectProvider",
        "RemoveAlias",
        "SetAlias",
    }
