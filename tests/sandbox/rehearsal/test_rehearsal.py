"""A rehearsing sandbox over HTTP: new things are unknown, deleted ones still count.

The tests move the sandbox's clock instead of sleeping.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError
from tests.sandbox.cases import LEARNER, Account, Keys

from stslab.errors import SandboxError
from stslab.sandbox.server import client as sandbox

SPREAD = 100


def policy(action: str, effect: str = "Allow") -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {"Effect": effect, "Action": action, "Resource": "*"},
        }
    )


def trust(arn: str) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": arn}},
        }
    )


@pytest.fixture
def rehearse(account: Account) -> Iterator[Callable[..., Any]]:
    def begin(spec: str, *faults: dict[str, Any]) -> Any:
        return account.control("POST", "rehearse", {"spec": spec, "faults": list(faults)})

    yield begin
    account.control("POST", "rehearse", {"spec": None})


@pytest.fixture
def iam(account: Account) -> Any:
    return account.client("iam", "admin")


def code_of(call: Callable[[], Any]) -> str:
    """The error's code; empty if the call succeeds."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def spread(account: Account) -> None:
    account.control("POST", "clock", {"seconds": SPREAD + 1})


@pytest.fixture
def user(iam: Any, account: Account, fresh: str) -> Keys:
    iam.create_user(UserName=f"u-{fresh}")
    return Keys.of(iam.create_access_key(UserName=f"u-{fresh}")["AccessKey"])


def test_a_new_key_is_unknown_and_then_known(rehearse, account, iam, fresh):
    rehearse(f"keys={SPREAD}s")
    iam.create_user(UserName=f"u-{fresh}")
    keys = Keys.of(iam.create_access_key(UserName=f"u-{fresh}")["AccessKey"])
    assert code_of(account.client("sts", keys).get_caller_identity) == "InvalidClientTokenId"
    assert code_of(account.client("s3", keys).list_buckets) == "InvalidAccessKeyId"
    assert len(iam.list_access_keys(UserName=f"u-{fresh}")["AccessKeyMetadata"]) == 1
    spread(account)
    assert code_of(account.client("sts", keys).get_caller_identity) == ""


def test_a_deleted_or_inactive_key_still_works(rehearse, account, iam, user, fresh):
    rehearse(f"keys={SPREAD}s")
    ask = account.client("sts", user).get_caller_identity
    iam.update_access_key(UserName=f"u-{fresh}", AccessKeyId=user.access_key_id, Status="Inactive")
    assert code_of(ask) == ""
    iam.delete_access_key(UserName=f"u-{fresh}", AccessKeyId=user.access_key_id)
    assert code_of(ask) == ""
    spread(account)
    assert code_of(ask) == "InvalidClientTokenId"


def test_a_new_user_is_unknown_and_can_not_be_named(rehearse, account, iam, fresh):
    rehearse(f"users={SPREAD}s")
    arn = iam.create_user(UserName=f"u-{fresh}")["User"]["Arn"]
    keys = Keys.of(iam.create_access_key(UserName=f"u-{fresh}")["AccessKey"])
    assert code_of(account.client("sts", keys).get_caller_identity) == "InvalidClientTokenId"

    def name_it() -> Any:
        return iam.create_role(RoleName=f"r-{fresh}", AssumeRolePolicyDocument=trust(arn))

    assert code_of(name_it) == "MalformedPolicyDocument"
    spread(account)
    assert code_of(name_it) == ""


@pytest.mark.parametrize("whose", ["the user's", "the group's", "a managed one"])
def test_older_policies_still_count(rehearse, account, user, fresh, whose):
    iam = account.client("iam", "admin")
    name, group = f"u-{fresh}", f"g-{fresh}"
    iam.create_group(GroupName=group)
    iam.add_user_to_group(UserName=name, GroupName=group)
    managed = iam.create_policy(PolicyName=f"p-{fresh}", PolicyDocument=policy("s3:*"))["Policy"][
        "Arn"
    ]
    put, remove = {
        "the user's": (
            lambda: iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy("s3:*")),
            lambda: iam.delete_user_policy(UserName=name, PolicyName="p"),
        ),
        "the group's": (
            lambda: iam.put_group_policy(GroupName=group, PolicyName="p", PolicyDocument=policy("s3:*")),
            lambda: iam.delete_group_policy(GroupName=group, PolicyName="p"),
        ),
        "a managed one": (
            lambda: iam.attach_user_policy(UserName=name, PolicyArn=managed),
            lambda: iam.detach_user_policy(UserName=name, PolicyArn=managed),
        ),
    }[whose]  # fmt: skip
    ask = account.client("s3", user).list_buckets
    rehearse(f"policies={SPREAD}s")
    for change, before, after in ((put, "AccessDenied", ""), (remove, "", "AccessDenied")):
        change()
        assert code_of(ask) == before
        spread(account)
        assert code_of(ask) == after


def test_older_tags_still_count(rehearse, account, user, fresh):
    """ "Any change ..., including tags used in attribute-based access control (ABAC), takes time to
    become visible": IAM User Guide, "Changes that I make are not always immediately visible"."""
    iam, name = account.client("iam", "admin"), f"u-{fresh}"
    red = {"StringEquals": {"aws:PrincipalTag/team": "red"}}
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": red}
    document = json.dumps({"Version": "2012-10-17", "Statement": allow})
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    ask = account.client("s3", user).list_buckets
    rehearse(f"policies={SPREAD}s")
    for team, before, after in (("red", "AccessDenied", ""), ("blue", "", "AccessDenied")):
        iam.tag_user(UserName=name, Tags=[{"Key": "team", "Value": team}])
        assert code_of(ask) == before
        spread(account)
        assert code_of(ask) == after


def test_changes_become_known_in_their_order(rehearse, account, iam, user, fresh):
    rehearse(f"policies={SPREAD}s")
    put = {"UserName": f"u-{fresh}", "PolicyName": "p"}
    iam.put_user_policy(**put, PolicyDocument=policy("s3:*"))
    account.control("POST", "clock", {"seconds": SPREAD // 2})
    iam.put_user_policy(**put, PolicyDocument=policy("s3:*", "Deny"))
    ask = account.client("s3", user).list_buckets
    assert code_of(ask) == "AccessDenied"
    account.control("POST", "clock", {"seconds": SPREAD // 2 + 1})
    assert code_of(ask) == ""
    account.control("POST", "clock", {"seconds": SPREAD // 2 + 1})
    assert code_of(ask) == "AccessDenied"
    assert account.control("GET", "rehearse")["spreading"] == 0


def test_a_new_role_can_not_be_assumed_and_a_changed_trust_holds_as_before(
    rehearse, account, iam, user, fresh
):
    name, own = f"u-{fresh}", iam.get_user(UserName=f"u-{fresh}")["User"]["Arn"]
    rehearse(f"roles={SPREAD}s")
    role = iam.create_role(RoleName=f"r-{fresh}", AssumeRolePolicyDocument=trust(own))["Role"][
        "Arn"
    ]
    sts = account.client("sts", user)

    def assume() -> Any:
        return sts.assume_role(RoleArn=role, RoleSessionName="me")

    assert code_of(assume) == "AccessDenied"
    spread(account)
    assert code_of(assume) == ""
    iam.update_assume_role_policy(
        RoleName=f"r-{fresh}", PolicyDocument=trust(f"arn:aws:iam::{LEARNER}:root")
    )
    assert code_of(assume) == ""
    spread(account)
    assert code_of(assume) == "AccessDenied"
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy("sts:AssumeRole"))
    assert code_of(assume) == ""
    iam.delete_role(RoleName=f"r-{fresh}")
    assert code_of(assume) == ""
    spread(account)
    assert code_of(assume) == "AccessDenied"


def test_a_session_is_judged_by_the_roles_policies_as_they_are_known(
    rehearse, account, iam, user, fresh
):
    own = iam.get_user(UserName=f"u-{fresh}")["User"]["Arn"]
    role = iam.create_role(RoleName=f"r-{fresh}", AssumeRolePolicyDocument=trust(own))["Role"][
        "Arn"
    ]
    rehearse(f"policies={SPREAD}s")
    iam.put_role_policy(RoleName=f"r-{fresh}", PolicyName="p", PolicyDocument=policy("s3:*"))
    given = account.client("sts", user).assume_role(RoleArn=role, RoleSessionName="me")
    ask = account.client("s3", Keys.of(given["Credentials"])).list_buckets
    assert code_of(ask) == "AccessDenied"
    spread(account)
    assert code_of(ask) == ""


FAULTS = [
    ("throttle", "iam", "Throttling"), ("throttle", "sts", "ThrottlingException"),
    ("throttle", "s3", "SlowDown"), ("throttle", "cloudformation", "Throttling"),
    ("error", "iam", "ServiceUnavailable"), ("error", "s3", "ServiceUnavailable"),
]  # fmt: skip
READS = {
    "iam": "list_users", "sts": "get_caller_identity", "s3": "list_buckets",
    "cloudformation": "describe_stacks",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "service", "code"), FAULTS)
def test_faults_have_the_services_error_codes(rehearse, account, kind, service, code):
    rehearse("seed=1", {"call": f"{service}.*", "kind": kind})
    ask = getattr(account.client(service, "admin"), READS[service])
    assert code_of(ask) == code
    assert code_of(ask) == ""


def test_a_head_request_is_throttled_without_a_body(rehearse, account, fresh):
    s3 = account.client("s3", "admin")
    s3.create_bucket(Bucket=f"b-{fresh}")
    rehearse("seed=1", {"call": "s3.HeadBucket", "kind": "throttle"})
    assert code_of(lambda: s3.head_bucket(Bucket=f"b-{fresh}")) == "503"
    assert code_of(lambda: s3.head_bucket(Bucket=f"b-{fresh}")) == ""


@pytest.mark.parametrize(
    ("kind", "done"),
    [
        ("reset-before", False),
        ("reset-after", True),
        ("error-after", True),
        ("error", False),
        ("throttle", False),
    ],
)
def test_a_call_takes_effect_or_not_as_the_fault_says(rehearse, account, fresh, kind, done):
    iam = account.client("iam", "admin")
    rehearse("seed=1", {"call": "iam.CreateUser", "kind": kind, "at": 2})
    iam.create_user(UserName=f"first-{fresh}")
    with pytest.raises((ClientError, ConnectionClosedError)) as lost:
        iam.create_user(UserName=f"second-{fresh}")
    assert isinstance(lost.value, ConnectionClosedError) == kind.startswith("reset")
    names = {one["UserName"] for one in iam.list_users()["Users"]}
    assert f"first-{fresh}" in names
    assert (f"second-{fresh}" in names) == done
    assert account.control("GET", "rehearse")["struck"] == {kind: 1}


def test_a_thousand_resets_hold_no_worker_and_leave_no_socket(rehearse, account, iam):
    rehearse("seed=3,reset-before=0.5,reset-after=0.3")
    lost = 0
    for _ in range(300):
        try:
            iam.get_user(UserName="admin")
        except BotoCoreError:
            lost += 1
    assert 180 < lost < 290
    rehearse("seed=3")
    iam.get_user(UserName="admin")


TEMPLATE = json.dumps(
    {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}, "Topic": {"Type": "AWS::IAM::Group"}}}
)


def ended(stacks: Any, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        (stack,) = stacks.describe_stacks(StackName=name)["Stacks"]
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            return stack
        time.sleep(0.02)
    raise AssertionError("the stack did not end")


@pytest.mark.parametrize("named", ["Topic", "AWS::IAM::Group", "Group"])
def test_a_stack_fails_and_rolls_back(rehearse, account, fresh, named):
    stacks = account.client("cloudformation", "admin")
    rehearse(f"fail-stacks={named}")
    stack = stacks.create_stack(
        StackName=f"s-{fresh}", TemplateBody=TEMPLATE, Capabilities=["CAPABILITY_IAM"]
    )["StackId"]
    assert ended(stacks, stack)["StackStatus"] == "ROLLBACK_COMPLETE"
    reasons = [
        one.get("ResourceStatusReason", "")
        for one in stacks.describe_stack_events(StackName=stack)["StackEvents"]
    ]
    assert any("Rehearsed" in reason for reason in reasons)
    stacks.delete_stack(StackName=stack)
    assert ended(stacks, stack)["StackStatus"] == "DELETE_COMPLETE"


def test_a_deletion_fails_once(rehearse, account, fresh):
    stacks = account.client("cloudformation", "admin")
    rehearse("fail-deletes=Bucket")
    stack = stacks.create_stack(
        StackName=f"s-{fresh}", TemplateBody=TEMPLATE, Capabilities=["CAPABILITY_IAM"]
    )["StackId"]
    assert ended(stacks, stack)["StackStatus"] == "CREATE_COMPLETE"
    for status in ("DELETE_FAILED", "DELETE_COMPLETE"):
        stacks.delete_stack(StackName=stack)
        assert ended(stacks, stack)["StackStatus"] == status


def test_slow_stacks_take_the_set_time(rehearse, account, fresh):
    stacks = account.client("cloudformation", "admin")
    took = {}
    for spec in ("slow-stacks=1s", "seed=1"):
        rehearse(spec)
        began = time.monotonic()
        stack = stacks.create_stack(
            StackName=f"s-{fresh}", TemplateBody=TEMPLATE, Capabilities=["CAPABILITY_IAM"]
        )["StackId"]
        ended(stacks, stack)
        took[spec] = time.monotonic() - began
        stacks.delete_stack(StackName=stack)
        ended(stacks, stack)
    assert took["slow-stacks=1s"] > 1
    assert took["seed=1"] < took["slow-stacks=1s"]


def rehearsed(account: Account) -> str:
    endpoint = sandbox.find(account.folder)
    assert endpoint
    return endpoint.rehearsing


def test_clients_see_the_rehearsal_and_its_end(rehearse, account):
    assert rehearsed(account) == ""
    rehearse("keys=3s")
    assert rehearsed(account) == "keys=3s"
    assert sandbox.status(account.folder)["rehearsing"] == "keys=3s"
    sandbox.control(account.folder, "POST", "rehearse", {"spec": None})
    assert rehearsed(account) == ""
    assert account.control("GET", "rehearse") == {"spec": None}


@pytest.mark.parametrize(
    "body",
    [
        {"spec": "speed=3"}, {"spec": 3}, {"faults": []}, {"spec": "seed=1", "faults": 3},
        {"spec": "seed=1", "faults": [{}]}, {"spec": "seed=1", "faults": [{"call": "*", "kind": "x"}]},
        {"spec": "seed=1", "faults": [{"call": "*", "kind": "error", "at": 0}]},
        {"spec": "seed=1", "faults": [{"call": "*", "kind": "error", "times": True}]},
    ],
)  # fmt: skip
def test_invalid_settings_are_refused_and_change_nothing(account, body):
    with pytest.raises(SandboxError) as refused:
        account.control("POST", "rehearse", body)
    assert refused.value.message
    assert account.control("GET", "rehearse")["spec"] in (None, "seed=1")
    account.control("POST", "rehearse", {"spec": None})


def test_a_rehearsal_survives_a_restart_but_not_a_reset(tmp_path):
    own = Account.start(tmp_path / "sandbox")
    try:
        sandbox.control(own.folder, "POST", "rehearse", {"spec": "keys=3s"})
        own.stop()
        assert sandbox.ensure(own.folder).rehearsing == "keys=3s"
        assert sandbox.reset(own.folder).rehearsing == ""
    finally:
        own.stop()
