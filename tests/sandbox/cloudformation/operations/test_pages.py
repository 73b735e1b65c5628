"""Lists in pages."""

from __future__ import annotations

from tests.sandbox.cloudformation.harness import Harness
from tests.sandbox.cloudformation.templates import BUCKET


def many(number: int) -> str:
    groups = "".join(f"  G{index}: {{Type: AWS::IAM::Group}}\n" for index in range(number))
    return f"Resources:\n{groups}"


def test_a_page_has_a_hundred_events(lab: Harness) -> None:
    lab.deploy(many(40))
    first = lab.call("DescribeStackEvents", StackName="demo")
    assert len(first["StackEvents"]) == 100
    rest = lab.call("DescribeStackEvents", StackName="demo", NextToken=first["NextToken"])
    assert rest["NextToken"] is None
    everything = first["StackEvents"] + rest["StackEvents"]
    assert len({event["EventId"] for event in everything}) == len(everything) == 122


def test_a_page_of_events_goes_on_where_the_last_one_ended(lab: Harness) -> None:
    lab.deploy(many(40))
    whole = lab.call("DescribeStackEvents", StackName="demo")
    operations = lab.call("DescribeEvents", StackName="demo")
    lab.update(many(41))
    rest = lab.call("DescribeStackEvents", StackName="demo", NextToken=whole["NextToken"])
    assert [event["LogicalResourceId"] for event in rest["StackEvents"]][-1] == "demo"
    seen = {event["EventId"] for event in whole["StackEvents"]}
    assert len(rest["StackEvents"]) == 22
    assert not seen.intersection(event["EventId"] for event in rest["StackEvents"])
    rest = lab.call("DescribeEvents", StackName="demo", NextToken=operations["NextToken"])
    seen = {event["EventId"] for event in operations["OperationEvents"]}
    assert not seen.intersection(event["EventId"] for event in rest["OperationEvents"])


def test_a_page_has_a_hundred_resources(lab: Harness) -> None:
    lab.deploy(many(103))
    first = lab.call("ListStackResources", StackName="demo")
    rest = lab.call("ListStackResources", StackName="demo", NextToken=first["NextToken"])
    assert len(first["StackResourceSummaries"]) + len(rest["StackResourceSummaries"]) == 103
    assert len(lab.call("DescribeStackResources", StackName="demo")["StackResources"]) == 100


def test_an_invalid_token_is_refused(lab: Harness) -> None:
    lab.deploy(BUCKET)
    for token in ("%", "bm90LWEtbnVtYmVy"):
        refused = lab.refusal("DescribeStackEvents", StackName="demo", NextToken=token)
        assert refused.message == "Invalid NextToken"
