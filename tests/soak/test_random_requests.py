"""Requests of all four services over HTTP, whatever they ask: no answer says that ours failed.

Callers of every kind send what the service models allow, and what they don't; some requests are
changed on the way, before or after they are signed. Policies have odd values where they may. It
goes on for ``STSLAB_SOAK_SECONDS`` (a minute by default). Now and then the account starts again, and
must be what it was; what it refused can be explained.
"""

from __future__ import annotations

import io
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from tests.sandbox.cases import Account, Keys
from tests.soak.test_random_calls import ARNS, POLICIES, Caller

from stslab.policy.conditions import OPERATORS
from stslab.render.terminal.paper import paper_on
from stslab.render.why import show
from stslab.sandbox.pipeline.log_file import newest_first
from stslab.sandbox.why.explanation import explain

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
ODD = (
    *("", " a", "a\nb", "\t", "\r", "\x01", "\x85", "\ufffd", "\u202e", "\U0001f600", "\ud800"),
    *("${", "${*}", "${$}", "${aws:username}", "${aws:username, 'x'}", "${a{b}", "%2e", "\\", '"'),
    *("*", "?", "<&>", ",", ":", "a" * 600, "e\u0301", "1" * 40, "1e3", "-0", "NaN", "1e999999"),
    *("2020", "2020-01-01T00:00:00+0100", "2020-01-01T24:00Z", "99999999999999", "127.000.0.1/8"),
    *("127.0.0.1/255.0.0.0", "::/0", "::ffff:127.0.0.1/96", "fe80::1%eth0", "arn:aws:iam::*:root"),
    *("arn:*", "arn:aws-cn:s3:::a", "111122223333", "AIDAAAAAAAAAAAAAAAAAA", "YQ=", "TRUE", "null"),
)
CONDITION_KEYS = (
    *("aws:SourceIp", "aws:PrincipalArn", "aws:userid", "aws:CurrentTime", "aws:SecureTransport"),
    *("aws:PrincipalTag/a", "s3:prefix", "s3:max-keys", "s3:ExistingObjectTag/a"),
)
DOCUMENTS = ("Policy", "PolicyDocument", "PolicyInputList")  # how the names of policies end
SERVICES = ("iam", "sts", "s3", "cloudformation")
OFTEN = {
    "s3": ("CreateBucket", "PutObject", "GetObject", "CopyObject", "ListObjectsV2", "HeadObject"),
    "cloudformation": ("CreateStack", "UpdateStack", "DescribeStacks", "CreateChangeSet"),
    "sts": ("AssumeRole", "GetSessionToken", "GetCallerIdentity"),
}
LONG = {"GetObjectTorrent", "WriteGetObjectResponse", "SelectObjectContent"}


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
        if self.random.random() < 0.03:
            return self.random.choice(ODD)
        given = GIVEN.get(name)
        if given and self.random.random() < 0.95:
            return self.random.choice(given)
        return super().text(name, allowed)

    def policy(self, name: str) -> str:
        """A policy for this parameter that may be valid, with some odd values."""
        choose = self.random.choice

        def odd(usual: str, chance: float = 0.1) -> str:
            return choose(ODD) if self.random.random() < chance else usual

        values = [odd(choose(ARNS), 0.8) for _ in range(choose((1, 2)))]
        tests = {choose([*OPERATORS]): {odd(choose(CONDITION_KEYS), 0.05): values}}
        bucket, trust = choose(BUCKETS), name.startswith("Assume")
        statement: dict[str, Any] = {"Effect": choose(("Allow", "Deny")), "Condition": tests}
        statement["Sid"] = odd("a")
        statement["Action"] = "sts:AssumeRole" if trust else odd(choose(("*", "s3:GetObject")))
        if not trust:
            statement["Resource"] = odd(f"arn:aws:s3:::{bucket}/{odd('*', 0.3)}", 0.05)
        if trust or (name.endswith("Policy") and self.random.random() < 0.7):
            statement["Principal"] = {"AWS": odd(choose(("*", *ARNS)))}
        return json.dumps({"Version": "2012-10-17", "Id": odd("a"), "Statement": [statement]})

    def value(self, shape: Any, name: str = "", depth: int = 0) -> Any:
        if shape.type_name == "string" and name.endswith(DOCUMENTS) and self.random.random() < 0.5:
            return self.policy(name)
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
        if status >= 500 and code not in ("NotImplemented", "501"):  # an answer to HEAD has no code
            bad.append(f"{status} {code}: {service}.{operation}")
        if "Credentials" in answer and len(clients["s3"]) < 9:
            keys = Keys.of(answer["Credentials"])
            for name in SERVICES:
                clients[name].append(_client(account, name, keys, sender))
        if sent % AGAIN == 0:
            assert account.control("GET", "saved")["differences"] == []
            _explain(account)
            account.stop()
            account = Account.start(tmp_path / "sandbox")
            clients = _clients(account, sender)
    assert account.control("GET", "saved")["differences"] == []
    _explain(account)
    assert not bad, Counter(bad)
    assert told["200"] > sent / 10, told
    table(f"{sent} requests in {SECONDS:.0f} s (seed {SEED}): {dict(told.most_common())}")


def _explain(account: Account) -> None:
    """As ``stslab why`` explains what was refused last."""
    for event in islice(newest_first(account.folder), 1000):
        file = io.TextIOWrapper(io.BytesIO(), "utf-8")
        show(paper_on(file), explain(event))
        file.flush()


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
