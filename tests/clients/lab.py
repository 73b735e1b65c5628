"""The lab's own calls, and what they must answer, for clients that are not stslab's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.sandbox.cases import Account, Keys

ROOT = Path(__file__).parents[2]
TEMPLATE = (ROOT / "templates" / "sts-role.yaml").read_text()
POLICY = (ROOT / "policy.json").read_text()
WAITED = {"Delay": 1, "MaxAttempts": 60}


def policy_for(role_arn: str) -> str:
    """policy.json for this role."""
    return POLICY.replace("${{ role_arn }}", role_arn)


def refused(code: str, call: Callable[..., Any], **params: Any) -> None:
    """The call must fail with this code."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    assert caught.value.response["Error"]["Code"] == code, caught.value


class BotoLab:
    """The whole lab with boto3, and all undone again."""

    def __init__(self, account: Account, name: str) -> None:
        self.account = account
        self.user, self.stack = f"user-{name}", f"stack-{name}"
        self.bucket = f"bucket-{name}"
        self.admin = {s: account.client(s, "admin") for s in ("iam", "cloudformation", "s3")}

    def run(self) -> None:
        iam, stacks = self.admin["iam"], self.admin["cloudformation"]
        iam.create_user(UserName=self.user)
        key = iam.create_access_key(UserName=self.user)["AccessKey"]
        sts = self.account.client("sts", Keys.of(key))
        assert sts.get_caller_identity()["Arn"].endswith(f":user/{self.user}")
        role_arn = self._deploy(stacks)
        asked = {"RoleArn": role_arn, "RoleSessionName": "lab-session"}
        refused("AccessDenied", sts.assume_role, **asked)
        iam.put_user_policy(UserName=self.user, PolicyName="p", PolicyDocument=policy_for(role_arn))
        session = Keys.of(sts.assume_role(**asked)["Credentials"])
        self._use(session, Keys.of(key))
        self._take_back(iam, stacks, key["AccessKeyId"])
        refused("InvalidClientTokenId", sts.get_caller_identity)

    def _deploy(self, stacks: Any) -> str:
        stacks.create_stack(
            StackName=self.stack,
            TemplateBody=TEMPLATE,
            Parameters=[
                {"ParameterKey": "UserName", "ParameterValue": self.user},
                {"ParameterKey": "BucketName", "ParameterValue": self.bucket},
            ],
            Capabilities=["CAPABILITY_IAM"],
        )
        stacks.get_waiter("stack_create_complete").wait(StackName=self.stack, WaiterConfig=WAITED)
        outputs = stacks.describe_stacks(StackName=self.stack)["Stacks"][0]["Outputs"]
        return str(next(one["OutputValue"] for one in outputs if one["OutputKey"] == "RoleArn"))

    def _use(self, session: Keys, key: Keys) -> None:
        s3 = self.account.client("s3", session)
        body = json.dumps({"by": self.user}).encode()
        s3.put_object(Bucket=self.bucket, Key="hello.txt", Body=body)
        assert s3.get_object(Bucket=self.bucket, Key="hello.txt")["Body"].read() == body
        listed = s3.list_objects_v2(Bucket=self.bucket)["Contents"]
        assert [one["Key"] for one in listed] == ["hello.txt"]
        refused("AccessDenied", s3.list_buckets)
        refused("AccessDenied", s3.delete_bucket, Bucket=self.bucket)
        refused("AccessDenied", self.account.client("iam", session).list_users)
        refused("AccessDenied", self.account.client("s3", key).list_objects_v2, Bucket=self.bucket)

    def _take_back(self, iam: Any, stacks: Any, key_id: str) -> None:
        self.admin["s3"].delete_object(Bucket=self.bucket, Key="hello.txt")
        iam.delete_user_policy(UserName=self.user, PolicyName="p")
        stacks.delete_stack(StackName=self.stack)
        stacks.get_waiter("stack_delete_complete").wait(StackName=self.stack, WaiterConfig=WAITED)
        iam.delete_access_key(UserName=self.user, AccessKeyId=key_id)
        iam.delete_user(UserName=self.user)
        refused("NoSuchEntity", iam.get_user, UserName=self.user)
        refused("404", self.admin["s3"].head_bucket, Bucket=self.bucket)
