"""Random templates are deployed, or refused with an error of CloudFormation."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sandbox.cloudformation.harness import Harness

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.resources.types import TYPES
from stslab.sandbox.cloudformation.template.functions import DECIDERS, FUNCTIONS

NAMES = st.sampled_from(["A", "B", "P", "C", "M", "Arn", "AWS::Region", "AWS::NoValue", "x-1"])
SCALARS = NAMES | st.integers(-1, 3) | st.booleans() | st.sampled_from(["", "${A.Arn}", "1.5", "é"])
CALLS = st.sampled_from([*FUNCTIONS, *DECIDERS, "Fn::Nope"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES, inner, max_size=2)
        | st.dictionaries(CALLS, inner | st.lists(inner, max_size=3), min_size=1, max_size=1)
    ),
    max_leaves=6,
)


@st.composite
def some(draw: st.DrawFn, /, **members: st.SearchStrategy[Any]) -> dict[str, Any]:
    """At most two of the members, since only the first error of a template is found."""
    names = draw(st.lists(st.sampled_from(sorted(members)), max_size=2, unique=True))
    return {name: draw(members[name]) for name in names}


PARAMETER = some(
    Type=st.sampled_from(["Number", "CommaDelimitedList"]) | VALUES,
    Default=VALUES,
    AllowedValues=VALUES,
    AllowedPattern=VALUES,
    MinLength=VALUES,
    MaxValue=VALUES,
    NoEcho=VALUES,
    Description=VALUES,
).map(lambda odd: {"Type": "String", "Default": "1", **odd})
OUTPUT = some(
    Value=VALUES, Condition=VALUES, Export=VALUES | some(Name=VALUES), Description=VALUES
).map(lambda odd: {"Value": "1", **odd})
CONDITION = VALUES | st.dictionaries(
    st.sampled_from(sorted(DECIDERS)), VALUES | st.lists(VALUES, max_size=2), min_size=1, max_size=1
)


PROPER: dict[str, Any] = {
    "text": "x",
    "text[]": ["x"],
    "json": {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"},
    },
}


@st.composite
def resource(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(sorted(TYPES)))
    declared = TYPES[kind].properties
    needed = {name: PROPER[declared[name].split()[0]] for name in TYPES[kind].marked("required")}
    odd = draw(some(**dict.fromkeys(declared, VALUES)))
    properties = {**needed, **odd}
    rest = some(
        Condition=VALUES,
        DependsOn=VALUES,
        Metadata=VALUES,
        DeletionPolicy=st.just("Retain") | VALUES,
        Description=VALUES,
    )
    return {"Type": kind, "Properties": properties, **draw(rest)}


def named(*names: str, each: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(names), each, max_size=2)


TEMPLATES = st.fixed_dictionaries(
    {"Resources": st.dictionaries(st.sampled_from("AB"), resource(), min_size=1)},
    optional={
        "Parameters": named("P", "Q", each=PARAMETER),
        "Conditions": named("C", "D", each=CONDITION),
        "Mappings": named("M", each=VALUES),
        "Outputs": named("O", each=OUTPUT),
        "Metadata": VALUES,
    },
)


def test_any_template_is_deployed_or_refused(lab: Harness) -> None:
    @settings(
        max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(TEMPLATES)
    def deploy(template: dict[str, Any]) -> None:
        text = json.dumps(template)
        for operation in ("ValidateTemplate", "GetTemplateSummary"):
            with suppress(ApiFault):
                lab.call(operation, TemplateBody=text)
        with suppress(ApiFault):  # any other exception fails the test
            stack_id = lab.deploy(text)
            assert not any("Internal error" in line for line in lab.history(stack_id)), template
            lab.delete("demo")

    deploy()
