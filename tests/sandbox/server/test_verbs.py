"""The verb `would` gives the answer that the real call gets, and leaves no trace."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.sandbox.direct import Direct

from stslab.errors import SandboxError
from stslab.redaction import fingerprint
from stslab.sandbox.server import verbs
from stslab.sandbox.server.control import ControlRequest

TRUST = {  # as it is stored: with a list of statements
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": "sts:AssumeRole",
        }
    ],
}
ALLOW = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"},
}
ROLE = "arn:aws:iam::111122223333:role/r"
ASSUME = ("sts", "AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "try"})


@pytest.fixture
def account() -> Direct:
    made = Direct()
    iam = made.client("iam")
    iam.create_user(UserName="ana")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
    made.client("s3").create_bucket(Bucket="shop")
    return made


@pytest.fixture
def ana(account: Direct) -> str:
    key = account.client("iam").create_access_key(UserName="ana")["AccessKey"]
    return str(key["AccessKeyId"])


def would(account: Direct, *calls: tuple[str, str, str, dict[str, Any]]) -> Any:
    names = ("key", "service", "operation", "params")
    body = {"calls": [dict(zip(names, call, strict=True)) for call in calls]}
    return json.loads(json.dumps(verbs.would(account.inside, ControlRequest("POST", {}, body))))


def test_both_sides_are_checked_and_the_refusing_one_is_named(account: Direct, ana: str) -> None:
    told = would(account, (ana, *ASSUME))
    assert (told["allowed"], told["by"]) == (False, ["identity policy"])
    assert [(one["gate"], one["says"], one["decided"]) for one in told["gates"]] == [
        ("trust policy", "allows", False),
        ("identity policy", "does not allow", True),
    ]
    assert TRUST in told["documents"].values()


def test_the_callers_tags_are_told(account: Direct, ana: str) -> None:
    assert would(account, (ana, *ASSUME))["tags"] == {}
    account.client("iam").tag_user(UserName="ana", Tags=[{"Key": "team", "Value": "blue"}])
    told = would(account, (ana, *ASSUME))
    assert (told["tags"], told["issued"]) == ({"team": "blue"}, "")
    session = account.client("sts").get_session_token()["Credentials"]
    told = would(account, (session["AccessKeyId"], *ASSUME))
    assert told["issued"].endswith("Z")


def test_a_hypothetical_change_counts_on_the_fork(account: Direct, ana: str) -> None:
    before = account.state.snapshot
    put = {"UserName": "ana", "PolicyName": "p", "PolicyDocument": json.dumps(ALLOW)}
    told = would(account, (account.keys["admin"][0], "iam", "PutUserPolicy", put), (ana, *ASSUME))
    assert (told["allowed"], told["by"]) == (True, [])
    assert list(before.differences(account.state.snapshot)) == []
    assert would(account, (ana, *ASSUME))["allowed"] is False


def test_would_makes_nothing_and_logs_nothing(account: Direct) -> None:
    before, logged = account.state.snapshot, len(account.log.kept)
    told = would(
        account,
        (account.keys["admin"][0], "s3", "PutObject", {"Bucket": "shop", "Key": "a", "Body": "b"}),
    )
    assert told["allowed"] is True
    told = would(account, (account.keys["admin"][0], "s3", "DeleteBucket", {"Bucket": "shop"}))
    assert told["allowed"] is True
    stack = {"StackName": "s", "TemplateBody": "Resources: {B: {Type: AWS::S3::Bucket}}"}
    admin = account.keys["admin"][0]
    assert would(account, (admin, "cloudformation", "CreateStack", stack))["allowed"] is True
    copy = {"Bucket": "shop", "Key": "b", "CopySource": "shop/a"}
    put = (admin, "s3", "PutObject", {"Bucket": "shop", "Key": "a", "Body": "b"})
    assert would(account, put, (admin, "s3", "CopyObject", copy))["allowed"] is True
    assert account.state.snapshot is before
    assert len(account.log.kept) == logged


def test_a_missing_thing_is_not_a_missing_permission(account: Direct) -> None:
    get = {"Bucket": "shop", "Key": "nothing"}
    assert would(account, (account.keys["admin"][0], "s3", "GetObject", get))["allowed"] is True
    assert (
        would(account, (account.keys["admin"][0], "iam", "GetUser", {"UserName": "no"}))["allowed"]
        is True
    )


def test_a_key_that_is_unknown_or_inactive_is_refused_by_its_signature(
    account: Direct, ana: str
) -> None:
    assert would(account, ("AKIANOBODY", *ASSUME))["by"] == ["signature"]
    account.client("iam").update_access_key(UserName="ana", AccessKeyId=ana, Status="Inactive")
    assert would(account, (ana, *ASSUME))["by"] == ["signature"]


def test_a_session_that_the_service_never_accepts_is_refused_whatever_policies_say(
    account: Direct,
) -> None:
    account.user("ben")
    session = account.client("sts", "ben").get_session_token()["Credentials"]
    told = would(account, (session["AccessKeyId"], "iam", "ListUsers", {}))
    assert (told["allowed"], told["by"]) == (False, ["signature"])
    assert [(one["gate"], one["says"]) for one in told["gates"]] == [
        ("identity policy", "does not allow")
    ]


@pytest.mark.parametrize(
    ("secret", "token", "by"),
    [("", "", []), ("another", "", ["signature"]), ("", "a token", ["signature"])],
)
def test_a_wrong_secret_is_refused(account: Direct, secret: str, token: str, by: list[str]) -> None:
    key, own, *_ = account.keys["admin"]
    call = {"key": key, "service": "iam", "operation": "GetUser", "params": {"UserName": "ana"}}
    body = {"calls": [{**call, "proof": fingerprint(secret or own, token)}]}
    told = json.loads(json.dumps(verbs.would(account.inside, ControlRequest("POST", {}, body))))
    assert (told["allowed"], told["by"]) == (not by, by)
    assert [one["gate"] for one in told["gates"]] == ["identity policy"]


def test_a_rule_of_the_service_is_reported_beside_the_policies_decision(account: Direct) -> None:
    service, operation, params = ASSUME
    asked = {**params, "DurationSeconds": 43200}
    told = would(account, (account.keys["admin"][0], service, operation, asked))
    assert (told["allowed"], told["fault"]) == (True, "ValidationError")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "missing required field `calls`"),
        ({"calls": []}, "`$.calls`"),
        ({"calls": [1] * 51}, "`$.calls`"),
        ({"calls": [1]}, "`$.calls[0]`"),
        (
            {"calls": [{"key": "a", "service": "ec2", "operation": "X", "params": {}}]},
            "no service 'ec2'",
        ),
    ],
)
def test_an_invalid_call_is_refused(account: Direct, body: dict[str, Any], says: str) -> None:
    with pytest.raises(SandboxError, match=re.escape(says)):
        verbs.would(account.inside, ControlRequest("POST", {}, body))


def test_an_unsupported_operation_is_answered(account: Direct) -> None:
    told = would(
        account, (account.keys["admin"][0], "s3", "SelectObjectContent", {"Bucket": "shop"})
    )
    assert told["allowed"] in (True, None)


def test_hypothetical_calls_have_this_machines_address(account: Direct, ana: str) -> None:
    away: dict[str, Any] = {
        "Effect": "Deny",
        "Action": "sts:AssumeRole",
        "Resource": "*",
        "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.1/32"}},
    }
    both = {**ALLOW, "Statement": [ALLOW["Statement"], away]}
    put = {"UserName": "ana", "PolicyName": "p", "PolicyDocument": json.dumps(both)}
    told = would(account, (account.keys["admin"][0], "iam", "PutUserPolicy", put), (ana, *ASSUME))
    assert (told["allowed"], told["keys"]) == (False, ["aws:SourceIp"])


def test_end_session_ends_a_session(account: Direct) -> None:
    sts = account.client("sts")
    key = sts.get_session_token()["Credentials"]["AccessKeyId"]
    ends = verbs.of(cast("Any", SimpleNamespace(inside=account.inside)))["end-session"]
    ends(ControlRequest("POST", {}, {"key": key}))
    assert would(account, (key, "s3", "ListBuckets", {}))["by"] == ["signature"]
    with pytest.raises(SandboxError, match="no session with the key 'ASIANONE'"):
        ends(ControlRequest("POST", {}, {"key": "ASIANONE"}))
