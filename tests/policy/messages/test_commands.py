"""The printed commands are valid: the aws command has each operation and each option."""

import re
import shlex
from functools import cache

import botocore.session
import pytest
from botocore import xform_name
from tests.policy.messages.test_messages import MESSAGES, commands
from tests.policy.messages.test_messages import read as known

from stslab.policy.messages import Message, advise
from stslab.policy.messages.advice import facts
from stslab.policy.messages.reading import OtherGate
from stslab.vocabulary import Gate

ACCOUNT = "111122223333"
USER = f"arn:aws:iam::{ACCOUNT}:user/team/ana"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/app/session"
RESOURCES = [
    "arn:aws:s3:::shop/a b/c.txt",
    "arn:aws:s3:::shop",
    f"arn:aws:iam::{ACCOUNT}:role/path/deploy",
    f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:pay",
    f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:db-AbCdEf",
    f"arn:aws:sns:eu-west-1:{ACCOUNT}:topic",
    f"arn:aws:sqs:eu-west-1:{ACCOUNT}:queue",
    f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/team/app",
    f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/orders",
    f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/orders/index/by-date",
    f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/orders/stream/2024-01-01T00:00:00.000",
    f"arn:aws:elasticfilesystem:eu-west-1:{ACCOUNT}:file-system/fs-0123456789abcdef0",
    f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/default",
    f"arn:aws:execute-api:eu-west-1:{ACCOUNT}:a1b2c3d4e5/prod/GET/",
    f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/clicks/consumer/app:1700000000",
    f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/app",
    f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:pay:PROD",
    f"arn:aws:lambda:eu-west-1:{ACCOUNT}:layer:libs:3",
    f"arn:aws:s3:eu-west-1:{ACCOUNT}:accesspoint/ap/object/a/b",
    f"arn:aws:s3express:eu-west-1:{ACCOUNT}:bucket/b--euw1-az1--x-s3",
    f"arn:aws:s3tables:eu-west-1:{ACCOUNT}:bucket/lake/table/t",
    f"arn:aws:s3vectors:eu-west-1:{ACCOUNT}:bucket/v/index/i",
    f"arn:aws:sns:eu-west-1:{ACCOUNT}:topic:6b0e71bd-7e97-4d97-80ce-4a0994e55286",
]
# A refused signature has no policy: it is one of the errors that are known by themselves.
DECIDING = [None, *(gate for gate in Gate if gate is not Gate.SIGNATURE), *OtherGate]
# Commands of the aws CLI that are not an API's operations.
ITS_OWN = {"configure list", "configure get", "sso login"}


@cache
def options(service: str, operation: str) -> frozenset[str]:
    """The options of an operation, from the service's model."""
    model = botocore.session.get_session().get_service_model(service.removesuffix("api"))
    names = {xform_name(name, "-"): name for name in model.operation_names}
    shape = model.operation_model(names[operation]).input_shape
    members = shape.members if shape else {}
    return frozenset({f"--{xform_name(name, '-')}" for name in members}) | {
        "--output",
        "--query",
        "--region",
        "--max-results",
    }


def check(command: str) -> None:
    inner = re.findall(r"\$\(((?!cat )[^()]*)\)", command)
    for one in [*inner, re.sub(r"\$\([^()]*\)", "X", command)]:
        words = shlex.split(one)
        if words in (["date", "-u"], ["grep", "-h", r"^\[", "~/.aws/config", "~/.aws/credentials"]):
            continue
        assert words[0] == "aws"
        if " ".join(words[1:3]) in ITS_OWN:
            continue
        known = options(words[1], words[2])
        assert {word for word in words[3:] if word.startswith("--")} <= known, one


@pytest.mark.parametrize("message", MESSAGES)
def test_commands_for_real_messages(message):
    for command in commands(known(message)):
        check(command)


@pytest.mark.parametrize("gate", DECIDING)
@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize("caller", [USER, SESSION])
def test_commands_for_every_gate(gate, resource, caller):
    for action in ("s3:GetObject", "sts:AssumeRole", "sts:AssumeRoleWithSAML"):
        for explicit in (True, False):
            message = Message(caller, action, resource, gate, explicit, operation="Call")
            for command in commands(message):
                check(command)


def test_each_resource_with_a_policy_of_its_own_has_a_command():
    without = [each for each in RESOURCES if not facts(Message(resource=each))["resource_policy"]]
    assert without == [f"arn:aws:iam::{ACCOUNT}:role/path/deploy"]


def test_no_command_is_about_a_thing_without_a_policy():
    """Backups of DynamoDB, rules of EventBridge and apps of SNS have none."""
    for rest in ("dynamodb:{}:table/t/backup/1", "events:{}:rule/r", "sns:{}:app/GCM/a"):
        resource = f"arn:aws:{rest.format(f'eu-west-1:{ACCOUNT}')}"
        assert not facts(Message(resource=resource))["resource_policy"], resource


@pytest.mark.parametrize("gate", DECIDING)
@pytest.mark.parametrize("action", ["s3:GetObject", "sts:AssumeRole", "sts:TagSession"])
def test_no_allow_is_advised_against_a_deny(gate, action):
    """ "Policy evaluation logic": an explicit deny overrides any allow."""
    message = Message(USER, action, f"arn:aws:iam::{ACCOUNT}:role/deploy", gate, explicit=True)
    said = " ".join(step.what for step in advise(message).steps)
    assert not re.search(r"\b[Aa]llows?\b", said.replace("No Allow changes a Deny", "")), said


def test_names_are_those_of_the_message():
    def told(**parts):
        return " | ".join(commands(Message(**parts)))

    role = f"arn:aws:iam::{ACCOUNT}:role/path/deploy"
    trust = told(caller=USER, action="sts:AssumeRole", resource=role, gate=Gate.TRUST)
    assert "--role-name deploy " in trust
    assert "--user-name ana" in told(caller=USER, gate=Gate.IDENTITY)
    assert "--role-name app" in told(caller=SESSION, gate=Gate.IDENTITY)
    assert "--bucket shop " in told(resource=RESOURCES[0], gate=Gate.RESOURCE)
    assert "--region eu-west-1" in told(resource=RESOURCES[3], gate=Gate.RESOURCE)


@pytest.mark.parametrize("name", ["a;b", "$(id)", "`id`", "a b", "", "x" * 129, "***"])
def test_an_invalid_name_makes_no_command(name):
    message = Message(f"arn:aws:iam::{ACCOUNT}:user/{name}", gate=Gate.IDENTITY)
    assert commands(message) == ["aws sts get-caller-identity"]


def test_another_account_is_mentioned():
    role = "arn:aws:iam::444455556666:role/deploy"
    message = Message(USER, "sts:AssumeRole", role, Gate.TRUST, explicit=False)
    assert "in account 444455556666" in " ".join(step.what for step in advise(message).steps)
    same = Message(USER, "sts:AssumeRole", role.replace("444455556666", ACCOUNT), Gate.TRUST)
    assert "in account" not in " ".join(step.what for step in advise(same).steps)
