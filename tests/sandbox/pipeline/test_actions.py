"""Rows of actions.yaml: which actions on what a call needs; and that every action exists."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.sandbox.direct import Direct
from tests.sandbox.furnished import decisions_of, rows

from stslab.policy import catalogue
from stslab.sandbox.api import operations
from stslab.sandbox.pipeline.authorization import PolicyJudge
from stslab.sandbox.s3 import needs
from stslab.sandbox.s3.service import S3Service
from stslab.sandbox.state.snapshot import Snapshot
from stslab.sandbox.state.state import State

_S3 = S3Service(State(Snapshot()), PolicyJudge())
# The service itself, and keys that are decided one by one, have no action of this kind.
OF_S3 = sorted(
    operations.names("s3") & {*_S3.reads, *_S3.writes} - {"ListBuckets", "DeleteObjects"}
)


@pytest.mark.parametrize("row", rows("actions.yaml"), ids=lambda row: row["call"])
def test_a_call_needs_just_these_actions(deciding: Direct, row) -> None:
    assert row["source"]
    asked = [f"{one['action']} {one['resource']}" for one in decisions_of(deciding, row)]
    assert asked == row["needs"]


def _given(shape: Any) -> object:
    return dict.fromkeys(shape.members, "x") if shape.type_name == "structure" else "x"


@pytest.mark.parametrize("version", [None, "null"])
@pytest.mark.parametrize("operation", OF_S3)
def test_every_required_action_exists(operation: str, version: str | None) -> None:
    members = operations.operation("s3", operation).input_shape.members
    params = {name: _given(shape) for name, shape in members.items()} | {"VersionId": version}
    request: Any = SimpleNamespace(operation=operation, params=params)
    asked = needs.actions(request)
    assert asked
    for action in asked:
        assert catalogue.matching_actions(action) == (action,)


@pytest.mark.parametrize("service", ["iam", "cloudformation"])
def test_operations_without_an_action_of_their_name_are_few_and_known(service: str) -> None:
    known = {each.partition(":")[2] for each in catalogue.matching_actions(f"{service}:*")}
    unknown = operations.names(service) - known
    assert unknown <= {
        "AcquireRole",
        "UpdateDelegationRequest",
        "UpdateOpenIDConnectProvider",
        "RemoveAlias",
        "SetAlias",
    }
