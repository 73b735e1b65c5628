"""Requests of all four services over HTTP, whatever they ask: no answer says that ours failed.

Callers of every kind send what the service models allow, and what they don't; some requests are
changed on the way, before or after they are signed. It goes on for ``STSLAB_SOAK_SECONDS`` (a
minute by default). Now and then the account starts again, and must be what it was.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from tests.sandbox.cases import Account, Keys
from tests.soak.test_random_calls import POLICIES, Caller

pytestmark = pytest.mark.soak
SECONDS = float(os.environ.get("STSLAB_SOAK_SECONDS", "60"))
SEED = int(os.environ.get("STSLAB_SOAK_SEED", "1"))
AGAIN = 4000  # requests until the account starts again
BUCKETS = ("bucket-a", "bucket-b", "bucket-c")
KEYS = ("a", "b/c", "b/", "é ü", "a" * 1025, "..", "%2e", "a?b=c&d")
STACKS = ("stack-a", "stack-b")
ROLE = """
Parameters: {Path: {Type: String, Default: /}}
Conditions: {Deep: !Not [!Equals [!Ref Path, /]]}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      Path: !Ref Path
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: {Effect: Allow, Principal: {AWS: !Ref AWS::AccountId}, Action: sts:AssumeRole}
  Bucket: {Type: AWS::S3::Bucket, Condition: Deep, DeletionPolicy: Retain}
Outputs: {Arn: {Value: !GetAtt Role.Arn, Export: {Name: !Sub "${AWS::StackName}-arn"}}}
"""
TEMPLATES = (
    ROLE,
    ROLE.replace("IAM::Role", "IAM::Nope"),
    "Resources: {A: {Type: AWS::S3::Bucket}, B: {Type: AWS::IAM::User, DependsOn: A}}",
    "Resources: {A: {Type: AWS::S3::Bucket, Properties: {BucketName: !ImportValue stack-a-arn}}}",
    "Resources: {A: &a [*a]}",
    "{" * 300,
    "",
)
GIVEN: dict[str, tuple[str, ...]] = {
    "Bucket": BUCKETS,
    "Key": KEYS,
    "CopySource": tuple(f"{bucket}/{key}" for bucket in BUCKETS for key in KEYS),
    "StackName": STACKS,
    "ChangeSetName": ("change-a", "change-b"),
    "TemplateBody": TEMPLATES,
    "RoleArn": tuple(f"arn:aws:iam::111122223333:role/{name}" for name in "abc"),
    "RoleSessionName": ("one", "two", "x" * 65, "a b"),
}
SERVICES = ("iam", "sts", "s3", "cloudformation")
OFTEN = {
    "s3": ("CreateBucket", "PutObject", "GetObject", "CopyObject", "ListObjectsV2", "HeadObject"),
    "cloudformation": ("CreateStack", "UpdateStack", "DescribeStacks", "CreateChangeSet"),
    "sts": ("AssumeRole", "GetSessionToken", "GetCallerIdentity"),
}
LONG = {"GetObjectTorrent", "WriteGetObjectResponse", "SelectObjectContent", "CreateSession"}


class Sender(Caller):
    """Makes up requests, and changes some of them on their way."""

    optional = 0.3

    def structure(self, shape: Any, depth: int) -> dict[str, Any]:
        if depth == 0:
            self.optional = self.random.choice((0.0, 0.03, 0.1, 0.3))
        return {
            name: self.value(member, name, depth + 1)
            for name, member in shape.members.items()
            if self.random.random()
            < (0.98 if name in shape.required_members else self.optional + 0.2 * (depth > 0))
        }

    def text(self, name: str, allowed: list[str] | None) -> str:
        given = GIVEN.get(name)
        if given and self.random.random() < 0.95:
            return self.random.choice(given)
        return super().text(name, allowed)

    def value(self, shape: Any, name: str = "", depth: int = 0) -> Any:
        if name == "Policy" and self.random.random() < 0.3:
            return (
                POLICIES[1]
                .replace("sts:AssumeRole", "s3:*")
                .replace(
                    '"Action"',
                    f'"Resource": "arn:aws:s3:::{self.random.choice(BUCKETS)}", "Action"',
                )
            )
        if shape.type_name == "blob":
            return self.random.randbytes(self.random.choice((0, 1, 100, 70_000)))
        if shape.type_name == "timestamp":
            return self.random.choice((0, 1_700_000_000, 4_000_000_000))
        if shape.type_name == "map":
            return {"a": "b", "é": "ü"} if self.random.random() < 0.3 else {}
        return super().value(shape, name, depth)

    def change(self, request: Any, **_: Any) -> None:
        """Now and then: another method, a query, a header, a body that is not what was meant."""
        choose = self.random.choice
        if self.random.random() < 0.92:
            return
        match self.random.randrange(6):
            case 0:
                request.method = choose(
                    ("GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS")
                )
            case 1:
                mark = "&" if "?" in request.url else "?"
                words = ("acl", "uploads", "versionId=x", "policy", "max-keys=-1", "partNumber=0")
                request.url += f"{mark}{choose(words)}"
            case 2:
                names = ("Range", "If-Match", "x-amz-acl", "x-amz-copy-source", "Content-MD5")
                request.headers[choose(names)] = choose(("", "x", "bytes=9-1", '"', "a" * 9000))
            case 3 if isinstance(request.data, dict) and request.data:
                request.data[choose([*request.data])] = choose(("", "\x00", "[", "1" * 40, "ü"))
            case 4 if isinstance(request.data, dict):
                request.data[choose(("Action", "Version", "Tags.member.x.Key"))] = "Nope"
            case 5:
                request.data = choose((b"", b"<", b"<a/>", b"{}", b"\xff\xfe", b"Action=&&=%"))


def test_no_request_makes_the_account_fail(
    tmp_path: Path, table: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    account = Account.start(tmp_path / "sandbox")
    request.addfinalizer(account.stop)
    sender, told, bad = Sender(SEED), Counter[str](), list[str]()
    clients = _clients(account, sender)
    end, sent = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        service = sender.random.choice(SERVICES)
        client = sender.random.choice(clients[service])
        pool = OFTEN.get(service, ()) if sender.random.random() < 0.4 else ()
        operation = sender.random.choice(pool or _operations(client))
        code, status, answer = _asked(client, operation, sender)
        told[f"{status}"] += 1
        sent += 1
        if status >= 500 and code != "NotImplemented":
            bad.append(f"{status} {code}: {service}.{operation}")
        if "Credentials" in answer and len(clients["s3"]) < 9:
            keys = Keys.of(answer["Credentials"])
            for name in SERVICES:
                clients[name].append(_client(account, name, keys, sender))
        if sent % AGAIN == 0:
            assert account.control("GET", "saved")["differences"] == []
            account.stop()
            account = Account.start(tmp_path / "sandbox")
            clients = _clients(account, sender)
    assert account.control("GET", "saved")["differences"] == []
    assert not bad, Counter(bad)
    assert told["200"] > sent / 10, told
    table(f"{sent} requests in {SECONDS:.0f} s (seed {SEED}): {dict(told.most_common())}")


def _clients(account: Account, sender: Sender) -> dict[str, list[Any]]:
    who = ("admin", "admin", "root", "root", "partner", "anonymous")
    return {
        service: [_client(account, service, one, sender) for one in who] for service in SERVICES
    }


def _client(account: Account, service: str, who: str | Keys, sender: Sender) -> Any:
    made = account.client(service, who)
    made.meta.events.register_first("request-created", sender.change)
    return made


def _operations(client: Any) -> list[str]:
    model = client.meta.service_model
    return sorted(set(model.operation_names) - LONG)


def _asked(client: Any, operation: str, sender: Sender) -> tuple[str, int, Any]:
    """The code of the error, if it is one; the HTTP status; the answer."""
    shape = client.meta.service_model.operation_model(operation).input_shape
    params = {} if shape is None else sender.structure(shape, 0)
    if operation == "UpdateUser" and params.get("UserName") == "admin":
        params["UserName"] = "a"  # an account whose administrator has another name gives no keys
    try:
        answer = client._make_api_call(operation, params)
    except ClientError as refused:
        met = refused.response["ResponseMetadata"]
        return refused.response.get("Error", {}).get("Code", ""), int(met["HTTPStatusCode"]), {}
    except (ResponseParserError, ParseError) as error:  # of another method's or query's answer
        return str(error), 200, {}
    except (BotoCoreError, ValueError, TypeError, AttributeError, KeyError) as error:
        return type(error).__name__, 0, {}  # the client itself can't send it
    return "", int(answer["ResponseMetadata"]["HTTPStatusCode"]), answer
