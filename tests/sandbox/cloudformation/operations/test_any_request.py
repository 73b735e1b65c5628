"""CloudFormation answers random requests with a result or an error of its own."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sandbox.cloudformation.harness import Harness
from tests.sandbox.cloudformation.templates import BUCKET, ROLE_AND_BUCKET
from tests.sandbox.direct import has_ended

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import ApiFault

WORDS = [
    "demo", "other", "", "Bucket", "first", "a" * 200, "arn:aws:iam::123456789012:role/x",
    "arn:aws:cloudformation:us-east-1:123456789012:changeSet/first/1", "*", "9", "ROLLBACK",
    "CREATE", "UPDATE", "https://b.s3.amazonaws.com/k", "https://[", "%", "CAPABILITY_IAM",
    BUCKET, ROLE_AND_BUCKET, "Suffix", "FORCE_DELETE_STACK",
]  # fmt: skip


def values(shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    if shape.type_name == "structure":
        members = {name: values(member, depth + 1) for name, member in shape.members.items()}
        return st.fixed_dictionaries({}, optional=members)
    if shape.type_name == "list":
        return st.lists(values(shape.member, depth + 1), max_size=2)
    if shape.type_name == "boolean":
        return st.booleans()
    if shape.type_name in {"integer", "long"}:
        return st.integers(-1, 5)
    return st.sampled_from(WORDS + list(shape.metadata.get("enum") or ()))


@st.composite
def requests(draw: st.DrawFn, names: list[str]) -> tuple[str, dict[str, Any]]:
    name = draw(st.sampled_from(names))
    shape = operations.operation("cloudformation", name).input_shape
    params = draw(values(shape)) if shape is not None else {}
    for member in shape.required_members if shape is not None else ():
        params.setdefault(member, draw(values(shape.members[member])))
    if "StackName" in params and draw(st.booleans()):
        params["StackName"] = "demo"
    return name, params


@pytest.mark.usefixtures("lab")
def test_random_requests_get_answers_or_faults(lab: Harness) -> None:
    lab.deploy(ROLE_AND_BUCKET)
    lab.call("CreateChangeSet", StackName="demo", ChangeSetName="first", TemplateBody=BUCKET)
    names = sorted([*lab.service.reads, *lab.service.writes])

    @settings(
        max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(requests(names))
    def ask(request: tuple[str, dict[str, Any]]) -> None:
        name, params = request
        with suppress(ApiFault):  # any other exception fails the test
            lab.call(name, **params)
        for stack in lab.stacks:
            has_ended(lab.service.engine, stack.stack_id, 20)
            assert not any("Internal error" in line for line in lab.history(stack.stack_id))

    ask()
