"""Which policies are public: the examples of the S3 User Guide, and similar ones.

"Blocking public access to your Amazon S3 storage", section 'The meaning of "public"'; what the page
leaves open is in public recordings of S3 (radkawar/stackd, public_policy_replay.json, 2026).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from stslab.sandbox.s3.access.policies import policy_is_public

ROLE = {"AWS": "arn:aws:iam::111122223333:role/app"}
VPC = {"StringEquals": {"aws:SourceVpc": "vpc-91237329"}}
IF_EXISTS = {"StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}}
ACCOUNT = "arn:aws:iam::111122223333"
KMS = "arn:aws:kms:us-east-1:111122223333"
KMS_KEY = "s3:x-amz-server-side-encryption-aws-kms-key-id"
ROWS: list[tuple[str, Any, Any, bool]] = [
    ("everyone", "*", None, True),
    ("everyone by AWS", {"AWS": "*"}, None, True),
    ("everyone in a list", {"AWS": ["111122223333", "*"]}, None, True),
    ("a web identity provider", {"Federated": "graph.facebook.com"}, None, True),
    ("a role", ROLE, None, False),
    ("a service", {"Service": "cloudtrail.amazonaws.com"}, None, False),
    ("everyone in a VPC", "*", VPC, False),
    ("everyone in any VPC", "*", {"StringLike": {"aws:SourceVpc": "vpc-*"}}, True),
    ("everyone of an organization", "*", {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, False),
    ("everyone by a variable", "*", {"StringEquals": {"aws:userid": "${aws:userid}"}}, True),
    ("a fixed range", "*", {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, False),
    ("half of the world", "*", {"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}}, True),
    ("a private range", "*", {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
    ("all but an address", "*", {"NotIpAddress": {"aws:SourceIp": "203.0.113.1/32"}}, True),
    ("a key that fixes nothing", "*", {"StringEquals": {"s3:prefix": "a"}}, True),
    ("any VPC in a text", "*", {"StringEquals": {"aws:SourceVpc": "vpc-*"}}, False),
    ("an account's roles", "*", {"ArnLike": {"aws:PrincipalArn": f"{ACCOUNT}:role/*"}}, False),
    ("roles by a variable", "*", {"ArnLike": {"aws:PrincipalArn": f"{ACCOUNT}:role/${{x}}"}}, True),
    (
        "roles of all accounts",
        "*",
        {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/a"}},
        True,
    ),
    ("a role's sessions", "*", {"StringLike": {"aws:userid": "AROAEXAMPLEUNIQUEID:*"}}, False),
    ("an organization's services", "*", {"StringEquals": {"aws:SourceOrgID": "o-1"}}, False),
    ("any of the VPCs", "*", {"ForAnyValue:StringEquals": {"aws:SourceVpc": "vpc-1"}}, False),
    ("all of no VPCs", "*", {"ForAllValues:StringEquals": {"aws:SourceVpc": "vpc-1"}}, True),
    ("a VPC that must be there", "*", {**IF_EXISTS, "Null": {"aws:SourceVpc": "false"}}, False),
    ("a private range of IPv6", "*", {"IpAddress": {"aws:SourceIp": "fc00::/7"}}, True),
    ("only if there is one", "*", IF_EXISTS, True),
    ("a key of KMS", "*", {"StringEquals": {KMS_KEY: f"{KMS}:key/1"}}, True),
]


@pytest.mark.parametrize(
    ("name", "principal", "condition", "public"), ROWS, ids=[row[0] for row in ROWS]
)
def test_whether_a_grant_is_public(name: str, principal: Any, condition: Any, public: bool) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": principal,
        "Action": "s3:GetObject",
        "Resource": "*",
    }
    if condition:
        statement["Condition"] = condition
    for listed in (statement, [statement]):
        policy = json.dumps({"Version": "2012-10-17", "Statement": listed})
        assert policy_is_public(policy) is public


def test_a_denial_to_everyone_is_not_public() -> None:
    statement = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    assert not policy_is_public(json.dumps({"Statement": statement}))


@pytest.mark.parametrize(
    ("denied", "public"),
    [
        ({}, False),
        ({"Action": "s3:Get*"}, False),
        ({"Action": "s3:PutObject"}, True),
        ({"Resource": "arn:aws:s3:::b/other"}, True),
        ({"Principal": ROLE}, True),
        ({"Condition": {"StringNotEquals": {"aws:SourceAccount": "111122223333"}}}, False),
        ({"Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}, False),
        ({"Condition": {"StringNotEquals": {"aws:SourceVpc": "${x}"}}}, True),
        ({"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}, True),
        ({"Condition": {"StringNotEquals": {"aws:SourceVpc": "a", "aws:SourceVpce": "b"}}}, True),
    ],
)
def test_a_grant_that_a_denial_takes_back(denied: dict[str, Any], public: bool) -> None:
    grant = {"Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    statements = [{**grant, "Effect": "Allow"}, {**grant, "Effect": "Deny", **denied}]
    assert policy_is_public(json.dumps({"Statement": statements})) is public
