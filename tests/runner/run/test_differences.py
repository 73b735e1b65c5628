"""Differences between a call's parameters and the account."""

import json

import pytest

from stslab.kinds.harmless import resources_of
from stslab.kinds.own import Own
from stslab.kinds.table import EFFECTS
from stslab.runner.journal.records import Thing
from stslab.runner.run.inspection import _filled, differences


def revoking(before: str) -> dict[str, object]:
    late = {"DateLessThan": {"aws:TokenIssueTime": before}}
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": late}
    return {"Version": "2012-10-17", "Statement": [deny]}


@pytest.mark.parametrize(
    ("there", "same"),
    [
        ("2030-01-01T12:00:01Z", True),
        ("2030-01-01T12:07:59Z", True),
        ("2030-01-01T11:07:59Z", False),
        ("2029-01-01T12:00:01Z", False),
    ],
)
def test_times_within_ten_minutes_are_equal_in_policies(there: str, same: bool) -> None:
    params = {"PolicyDocument": json.dumps(revoking("2030-01-01T12:05:30Z"))}
    found = [
        *differences(EFFECTS["iam.PutRolePolicy"], params, {"PolicyDocument": revoking(there)})
    ]
    assert (not found) is same
    if found:
        assert there in found[0].found[0]


def test_missing_items_are_differences() -> None:
    params = {"PolicyDocument": json.dumps(revoking("2030-01-01T12:05:30Z"))}
    (found,) = differences(EFFECTS["iam.PutRolePolicy"], params, {})
    assert found.found == ("nothing",)


def test_a_ref_to_a_resource_of_a_stack_is_known_and_an_attribute_is_not() -> None:
    properties = {
        "Description": {"Fn::Sub": "né reads ${Store}"},
        "Path": {"Fn::GetAtt": ["Store", "Arn"]},
        "RoleName": {"Ref": "Nowhere"},
        "Tags": [{"Key": "bucket", "Value": {"Ref": "Store"}}],
    }
    role = {"Type": "AWS::IAM::Role", "Properties": properties}
    body = json.dumps({"Resources": {"Store": {"Type": "AWS::S3::Bucket"}, "Role": role}})
    every = resources_of({"TemplateBody": body}, Own("run00001", "111122223333", "aws"))
    (found,) = [each.properties for each in every if each.logical == "Role"]
    assert _filled(found, {"Store": Thing("s3.bucket", {"Bucket": "mine"})}) == {
        "Description": "né reads mine",
        "Tags": [{"Key": "bucket", "Value": "mine"}],
    }
