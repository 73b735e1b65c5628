"""A small AWS account in memory, for the lab's calls, with AWS's error codes."""

import itertools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from stslab.kinds.template import resources

ACCOUNT = "111122223333"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Refused(Exception):  # noqa: N818 - it says what AWS did
    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def no_entity(what: str) -> Refused:
    return Refused("NoSuchEntity", f"The {what} cannot be found.", 404)


def trust_in(template: str | None, given: dict[str, str]) -> Any:
    """The trust policy of the template's role."""
    pseudo = {"AccountId": ACCOUNT, "Partition": "aws"}
    found = resources(template, given, pseudo) if template else ()
    return next((one.properties.get("AssumeRolePolicyDocument") for one in found
                 if one.type == "AWS::IAM::Role"), None)  # fmt: skip


@dataclass
class World:
    """The account's state; it outlives the processes that call it."""

    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    roles: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)  # access key id -> user
    sessions: dict[str, str] = field(default_factory=dict)  # access key id -> role
    ended: set[str] = field(default_factory=set)  # sessions whose hour is over
    stacks: dict[str, dict[str, Any]] = field(default_factory=dict)
    buckets: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # key -> versions
    tags: dict[str, list[dict[str, str]]] = field(default_factory=dict)  # of buckets
    fail_stacks: int = 0
    delete_fails: int = 0
    queues: set[str] = field(default_factory=set)
    secrets: list[str] = field(default_factory=list)
    counter: Any = field(default_factory=lambda: itertools.count(1))
    log: list[str] = field(default_factory=list)

    def number(self) -> str:
        return f"{next(self.counter):016d}"

    def everything(self) -> dict[str, list[str]]:
        """The whole state, for comparison."""
        return {
            "users": sorted(self.users),
            "keys": sorted(self.keys.values()),
            "roles": sorted(self.roles),
            "stacks": sorted(self.stacks),
            "buckets": sorted(self.buckets),
            "objects": sorted(key for bucket in self.buckets.values() for key in bucket),
            "policies": sorted(name for user in self.users.values() for name in user["policies"]),
        }

    # IAM

    def user(self, name: str) -> dict[str, Any]:
        if name not in self.users:
            raise no_entity(f"user with name {name}")
        return self.users[name]

    def iam_create_user(self, UserName, Tags=()):  # noqa: N803 - AWS's names, here and below
        if UserName in self.users:
            raise Refused("EntityAlreadyExists", f"User with name {UserName} already exists.", 409)
        self.users[UserName] = {
            "policies": {}, "groups": [], "tags": list(Tags), "attached": [], "id": self.number(),
        }  # fmt: skip
        return self.iam_get_user(UserName)

    def iam_get_user(self, UserName):  # noqa: N803
        tags = self.user(UserName)["tags"]
        arn = f"arn:aws:iam::{ACCOUNT}:user/{UserName}"
        unique, made = self.users[UserName]["id"], self.users[UserName].get("made", LONG_AGO)
        user = {"UserName": UserName, "UserId": unique, "Arn": arn, "Tags": tags}
        return {"User": {**user, "Path": "/", "CreateDate": made}}

    def iam_delete_user(self, UserName):  # noqa: N803
        user = self.user(UserName)
        if user["policies"] or user["attached"] or user["groups"] or UserName in self.keys.values():
            raise Refused("DeleteConflict", "Cannot delete entity, must remove all first.", 409)
        del self.users[UserName]
        return {}

    def iam_list_users(self):
        return {
            "Users": [{"UserName": n, "CreateDate": "2026-01-01T00:00:00Z"} for n in self.users],
            "IsTruncated": False,
        }

    def iam_list_user_tags(self, UserName):  # noqa: N803
        return {"Tags": self.user(UserName)["tags"]}

    def iam_create_access_key(self, UserName):  # noqa: N803
        self.user(UserName)
        key, secret = f"AKIA{self.number()}", f"SECRET{self.number()}{self.number()}"
        self.keys[key] = UserName
        self.secrets.append(secret)
        return {
            "AccessKey": {
                "UserName": UserName,
                "AccessKeyId": key,
                "SecretAccessKey": secret,
                "Status": "Active",
            }
        }

    def iam_list_access_keys(self, UserName):  # noqa: N803
        self.user(UserName)
        mine = [key for key, user in self.keys.items() if user == UserName]
        return {"AccessKeyMetadata": [{"AccessKeyId": key} for key in mine], "IsTruncated": False}

    def iam_delete_access_key(self, UserName, AccessKeyId):  # noqa: N803
        self.user(UserName)
        if self.keys.get(AccessKeyId) != UserName:
            raise no_entity(f"Access Key with id {AccessKeyId}")
        del self.keys[AccessKeyId]
        return {}

    def iam_put_user_policy(self, UserName, PolicyName, PolicyDocument):  # noqa: N803
        self.user(UserName)["policies"][PolicyName] = json.loads(PolicyDocument)
        return {}

    def iam_get_user_policy(self, UserName, PolicyName):  # noqa: N803
        policies = self.user(UserName)["policies"]
        if PolicyName not in policies:
            raise no_entity(f"user policy with name {PolicyName}")
        return {
            "UserName": UserName,
            "PolicyName": PolicyName,
            "PolicyDocument": policies[PolicyName],
        }

    def iam_list_user_policies(self, UserName):  # noqa: N803
        return {"PolicyNames": list(self.user(UserName)["policies"]), "IsTruncated": False}

    def iam_delete_user_policy(self, UserName, PolicyName):  # noqa: N803
        if self.user(UserName)["policies"].pop(PolicyName, None) is None:
            raise no_entity(f"user policy with name {PolicyName}")
        return {}

    def iam_list_attached_user_policies(self, UserName):  # noqa: N803
        attached = self.user(UserName)["attached"]
        return {"AttachedPolicies": [{"PolicyArn": arn} for arn in attached]}

    def iam_detach_user_policy(self, UserName, PolicyArn):  # noqa: N803
        self.user(UserName)["attached"].remove(PolicyArn)
        return {}

    def iam_list_groups_for_user(self, UserName):  # noqa: N803
        return {"Groups": [{"GroupName": name} for name in self.user(UserName)["groups"]]}

    def iam_remove_user_from_group(self, UserName, GroupName):  # noqa: N803
        self.user(UserName)["groups"].remove(GroupName)
        return {}

    def iam_get_role(self, RoleName):  # noqa: N803
        if RoleName not in self.roles:
            raise no_entity(f"role with name {RoleName}")
        role = self.roles[RoleName]
        told = {"RoleName": RoleName, "RoleId": role["id"], "Tags": role["tags"]}
        return {
            "Role": {
                **told,
                "MaxSessionDuration": 3600,
                "AssumeRolePolicyDocument": role.get("trust"),
            }
        }

    def iam_simulate_principal_policy(self, PolicySourceArn, ActionNames, ResourceArns=("*",)):  # noqa: N803
        """Decide by the principal's statements only."""
        allowed = {
            (action, resource)
            for statement in self.statements(PolicySourceArn)
            for action in statement["Action"]
            for resource in statement["Resource"]
        }
        decided = [
            (action, [_decided((action, one) in allowed) for one in ResourceArns])
            for action in ActionNames
        ]
        return {
            "EvaluationResults": [
                {
                    "EvalActionName": action,
                    "EvalDecision": _decided({*each} == {"allowed"}),
                    "ResourceSpecificResults": [{"EvalResourceDecision": one} for one in each],
                }
                for action, each in decided
            ]
        }

    def statements(self, arn: str) -> list[dict[str, list[str]]]:
        kind, name = arn.rpartition(":")[2].split("/", 1)
        if kind == "user":
            found = [
                one
                for document in self.user(name)["policies"].values()
                for one in (json.loads(document) if isinstance(document, str) else document)[
                    "Statement"
                ]
            ]
            return [
                {
                    key: [one[key]] if isinstance(one[key], str) else one[key]
                    for key in ("Action", "Resource")
                }
                for one in found
            ]
        bucket = f"arn:aws:s3:::{self.roles[name]['bucket']}"
        return [
            {"Action": ["s3:ListBucket"], "Resource": [bucket]},
            {"Action": ["s3:GetObject", "s3:PutObject"], "Resource": [f"{bucket}/hello.txt"]},
        ]

    def iam_list_roles(self):
        return {"Roles": [{"RoleName": name} for name in self.roles], "IsTruncated": False}

    def iam_list_role_tags(self, RoleName):  # noqa: N803
        return {"Tags": self.iam_get_role(RoleName)["Role"]["Tags"]}

    def iam_list_role_policies(self, RoleName):  # noqa: N803
        self.iam_get_role(RoleName)
        return {"PolicyNames": list(self.roles[RoleName]["policies"])}

    def iam_delete_role_policy(self, RoleName, PolicyName):  # noqa: N803
        self.roles[RoleName]["policies"].remove(PolicyName)
        return {}

    def iam_delete_role(self, RoleName):  # noqa: N803
        if self.roles[RoleName]["policies"]:
            raise Refused("DeleteConflict", "Cannot delete entity, must delete policies first.")
        del self.roles[RoleName]
        return {}

    # A service whose kinds the runner does not know

    def sqs_create_queue(self, QueueName):  # noqa: N803
        self.queues.add(QueueName)
        return {"QueueUrl": f"https://queues/{QueueName}"}

    def sqs_delete_queue(self, QueueUrl):  # noqa: N803
        self.queues.discard(QueueUrl.rpartition("/")[2])
        return {}

    # STS

    def sts_get_caller_identity(self, caller):
        return {"Account": ACCOUNT, "Arn": caller}

    def sts_assume_role(self, caller, RoleArn, RoleSessionName):  # noqa: N803
        user = caller.rpartition("/")[2]
        if not self.users.get(user, {"policies": {}})["policies"]:
            raise Refused("AccessDenied", f"User: {caller} is not authorized to assume it", 403)
        key, token = f"ASIA{self.number()}", f"TOKEN{self.number()}{self.number()}"
        role = RoleArn.rpartition("/")[2]
        self.sessions[key] = f"{role}/{RoleSessionName}"
        self.secrets += [token, f"SECRET{token}"]
        return {
            "Credentials": {
                "AccessKeyId": key,
                "SecretAccessKey": f"SECRET{token}",
                "SessionToken": token,
                "Expiration": "2030-01-01T00:00:00Z",
            },
            "AssumedRoleUser": {"Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.sessions[key]}"},
        }

    # S3

    def bucket(self, name: str) -> dict[str, list[str]]:
        if name not in self.buckets:
            raise Refused("NoSuchBucket", "The specified bucket does not exist", 404)
        return self.buckets[name]

    def s3_list_buckets(self):
        return {"Buckets": [{"Name": name} for name in self.buckets]}

    def s3_head_bucket(self, Bucket):  # noqa: N803
        if Bucket not in self.buckets:
            raise Refused("404", "Not Found", 404)
        return {}

    def s3_get_bucket_tagging(self, Bucket):  # noqa: N803
        self.bucket(Bucket)
        if not self.tags.get(Bucket):
            raise Refused("NoSuchTagSet", "The TagSet does not exist", 404)
        return {"TagSet": self.tags[Bucket]}

    def s3_head_object(self, Bucket, Key):  # noqa: N803
        if Key not in self.buckets.get(Bucket, {}):
            raise Refused("404", "Not Found", 404)
        return {}

    def s3_get_public_access_block(self, Bucket):  # noqa: N803
        self.bucket(Bucket)
        names = [
            "BlockPublicAcls",
            "IgnorePublicAcls",
            "BlockPublicPolicy",
            "RestrictPublicBuckets",
        ]
        return {"PublicAccessBlockConfiguration": dict.fromkeys(names, True)}

    def s3_get_object(self, Bucket, Key):  # noqa: N803
        self.s3_head_object(Bucket, Key)
        return {"Body": self.bucket(Bucket)[Key][-1]}

    def s3_create_bucket(self, Bucket):  # noqa: N803
        self.buckets.setdefault(Bucket, {})
        return {"Location": f"/{Bucket}"}

    def s3_put_object(self, Bucket, Key, Body="", **_):  # noqa: N803
        self.bucket(Bucket).setdefault(Key, []).append(Body)
        return {"ETag": '"e"'}

    def s3_delete_object(self, Bucket, Key, **_):  # noqa: N803
        self.bucket(Bucket).pop(Key, None)
        return {}

    def s3_list_objects_v2(self, Bucket):  # noqa: N803
        return {"Contents": [{"Key": key} for key in self.bucket(Bucket)]}

    def s3_list_object_versions(self, Bucket, **_):  # noqa: N803
        every = [
            {"Key": key, "VersionId": str(number)}
            for key, versions in self.bucket(Bucket).items()
            for number in range(len(versions))
        ]
        return {"Versions": every[:2], "IsTruncated": len(every) > 2}

    def s3_delete_objects(self, Bucket, Delete):  # noqa: N803
        bucket = self.bucket(Bucket)
        if not all(one["Key"].isprintable() for one in Delete["Objects"]):
            raise Refused("MalformedXML", "The XML you provided was not well-formed", 400)
        for one in Delete["Objects"]:
            bucket[one["Key"]].pop()
            if not bucket[one["Key"]]:
                del bucket[one["Key"]]
        return {}

    def s3_list_multipart_uploads(self, Bucket):  # noqa: N803
        self.bucket(Bucket)
        return {}

    def s3_delete_bucket(self, Bucket):  # noqa: N803
        if self.bucket(Bucket):
            raise Refused("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
        del self.buckets[Bucket]
        return {}

    # CloudFormation

    def stack(self, name: str) -> dict[str, Any]:
        for stack in self.stacks.values():
            if name in (stack["StackName"], stack["StackId"]):
                return stack
        raise Refused("ValidationError", f"Stack with id {name} does not exist")

    def cloudformation_create_stack(self, StackName, Parameters, Tags=(), **more):  # noqa: N803
        if StackName in self.stacks:
            raise Refused("AlreadyExistsException", f"Stack [{StackName}] already exists")
        given = {one["ParameterKey"]: one["ParameterValue"] for one in Parameters}
        role = f"{StackName}-StsRole-{self.number()[-6:]}"
        failing, self.fail_stacks = self.fail_stacks > 0, max(0, self.fail_stacks - 1)
        stack = {
            "StackName": StackName,
            "StackId": f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/{StackName}/{self.number()}",
            "Tags": list(Tags),
            "Parameters": list(Parameters),
            "StackStatus": "ROLLBACK_COMPLETE" if failing else "CREATE_COMPLETE",
            "role": role,
            "bucket": given["BucketName"],
            "events": [],
        }
        self.stacks[StackName] = stack
        self.event(stack, StackName, "CREATE_IN_PROGRESS")
        if failing:
            self.event(
                stack, StackName, "CREATE_FAILED", "Validation failed. Call DescribeEvents to ..."
            )
        else:
            self.roles[role] = {
                "tags": list(Tags), "policies": [], "id": self.number(),
                "bucket": given["BucketName"], "trust": trust_in(more.get("TemplateBody"), given),
            }  # fmt: skip
            self.buckets[given["BucketName"]] = {}
            self.tags[given["BucketName"]] = list(Tags)
        self.event(stack, StackName, stack["StackStatus"])
        return {"StackId": stack["StackId"]}

    def event(self, stack: dict[str, Any], resource: str, status: str, reason: str = "") -> None:
        stack["events"].insert(
            0,
            {
                "EventId": self.number(),
                "StackId": stack["StackId"],
                "LogicalResourceId": resource,
                "ResourceType": "AWS::CloudFormation::Stack",
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
                "Timestamp": "2026-01-01T00:00:00Z",
            },
        )

    def cloudformation_describe_stacks(self, StackName=""):  # noqa: N803
        found = [self.stack(StackName)] if StackName else list(self.stacks.values())
        outputs = [
            [
                {
                    "OutputKey": "RoleArn",
                    "OutputValue": f"arn:aws:iam::{ACCOUNT}:role/{one['role']}",
                },
                {"OutputKey": "RoleName", "OutputValue": one["role"]},
                {"OutputKey": "BucketName", "OutputValue": one["bucket"]},
            ]
            for one in found
        ]
        return {"Stacks": [{**one, "Outputs": o} for one, o in zip(found, outputs, strict=True)]}

    def cloudformation_describe_stack_events(self, StackName):  # noqa: N803
        return {"StackEvents": list(self.stack(StackName)["events"])}

    def cloudformation_describe_events(self, StackName, Filters):  # noqa: ARG002, N803
        bucket = self.stack(StackName)["bucket"]
        error = {
            "EventType": "VALIDATION_ERROR",
            "LogicalResourceId": "Bucket",
            "ResourceType": "AWS::S3::Bucket",
            "Timestamp": "2026-01-01T00:00:00Z",
            "ValidationStatusReason": f"{bucket} already exists",
        }
        return {"OperationEvents": [{"EventType": "STACK_EVENT"}, error]}

    def cloudformation_describe_stack_resources(self, StackName):  # noqa: N803
        stack = self.stack(StackName)
        return {
            "StackResources": [
                {
                    "LogicalResourceId": logical,
                    "ResourceType": kind,
                    "PhysicalResourceId": name,
                    "ResourceStatus": "x",
                }
                for logical, kind, name in (
                    ("StsRole", "AWS::IAM::Role", stack["role"]),
                    ("Bucket", "AWS::S3::Bucket", stack.get("listed", stack["bucket"])),
                    ("Topic", "AWS::SNS::Topic", "unknown-kind"),
                )
            ]
        }

    def cloudformation_delete_stack(self, StackName):  # noqa: N803
        found = self.stacks.get(StackName)
        if not found:
            return {}
        role, bucket = self.roles.get(found["role"]), self.buckets.get(found["bucket"])
        if bucket or (role and role["policies"]) or self.delete_fails:
            self.delete_fails = max(0, self.delete_fails - 1)
            found["StackStatus"] = "DELETE_FAILED"
            self.event(found, "Bucket", "DELETE_FAILED", "the bucket is not empty")
            return {}
        self.roles.pop(found["role"], None)
        self.buckets.pop(found["bucket"], None)
        del self.stacks[StackName]
        return {}


def _decided(allowed: bool) -> str:
    return "allowed" if allowed else "implicitDeny"


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def operation(world: World, service: str, name: str) -> Callable[..., Mapping[str, Any]] | None:
    return getattr(world, f"{service}_{snake(name)}", None)
