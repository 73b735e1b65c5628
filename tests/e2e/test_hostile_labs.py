"""Labs that would harm what they did not make, on a stand-in for a real account: none of them can.

Each row of tests/cases/harmless/labs.yaml is refused by `stslab lint`, or before the first call
that would do harm; with the lint left out, before that call as well. What others have in the
account is compared thing by thing, after the run and after the cleanup.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore import xform_name
from tests import yaml_files
from tests.e2e.learner import ACCOUNT, Learner, a_learner
from tests.e2e.machine import Machine
from tests.e2e.screen import Terminal
from tests.unjudged import unjudged

from stslab.aws.account import Boto3Account
from stslab.aws.catalogue import BotocoreCatalogue
from stslab.aws.command import aws_command
from stslab.aws.profiles import ProfileFiles
from stslab.aws.target import Target
from stslab.errors import InvalidLab, StslabError, UndoIncomplete
from stslab.lab import loader
from stslab.lab.reading.problems import Problem
from stslab.runner.calls.calls import Calls
from stslab.runner.journal.records import EntryState
from stslab.runner.journal.store import Journal
from stslab.runner.ports import Credentials, TargetInfo
from stslab.runner.run.run import Runner
from stslab.runner.undo.cleanup import Cleanup
from stslab.sandbox.server import client

pytestmark = pytest.mark.slow

ROWS = yaml_files.read(Path(__file__).parents[1] / "cases" / "harmless" / "labs.yaml")
RUN = "${{ run.id }}"
TAGS = [{"Key": "stslab:run", "Value": RUN}]
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "sts:AssumeRole",
        },
    }
)
OWN_TRUST = TRUST.replace(ACCOUNT, "${{ account }}")
READ = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
    }
)
GIVEN: dict[str, dict[str, Any]] = {
    "user": {
        "call": "iam.CreateUser",
        "with": {"UserName": f"u-{RUN}", "Tags": TAGS},
        "undo": "iam.DeleteUser",
    },
    "group": {
        "call": "iam.CreateGroup",
        "with": {"GroupName": f"g-{RUN}"},
        "undo": "iam.DeleteGroup",
    },
    "role": {
        "call": "iam.CreateRole",
        "with": {"RoleName": f"r-{RUN}", "AssumeRolePolicyDocument": OWN_TRUST, "Tags": TAGS},
        "undo": "iam.DeleteRole",
    },
    "policy": {
        "call": "iam.CreatePolicy",
        "with": {"PolicyName": f"p-{RUN}", "PolicyDocument": READ, "Tags": TAGS},
        "undo": {
            "call": "iam.DeletePolicy",
            "with": {"PolicyArn": f"arn:aws:iam::${{{{ account }}}}:policy/p-{RUN}"},
        },
    },
    "bucket": {
        "call": "s3.CreateBucket",
        "with": {"Bucket": f"b-{RUN}", "CreateBucketConfiguration": {"Tags": TAGS}},
        "undo": "s3.DeleteBucket",
    },
}


def step(row: dict[str, Any]) -> dict[str, Any]:
    if "stack" not in row:
        return {"title": "T", **row}
    given = row.get("parameters", {})
    declared = {name: {"Type": "String"} for name in given}
    return {
        "title": "T",
        "call": "cloudformation.CreateStack",
        "with": {
            "StackName": f"s-{RUN}",
            "TemplateBody": json.dumps({"Parameters": declared, "Resources": row["stack"]}),
            "Parameters": [
                {"ParameterKey": name, "ParameterValue": value} for name, value in given.items()
            ],
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
            "Tags": TAGS,
            **row.get("with", {}),
        },
        "wait": "stack_create_complete",
        "undo": "cloudformation.DeleteStack",
    }


def written(row: dict[str, Any], path: Path) -> Path:
    given = [GIVEN[name] for name in row.get("given", [])]
    checks = [{"says": "S", "because": "B", **one} for one in row.get("checks", [])]
    steps = [step(one) for one in [*given, *row.get("steps", [])]]
    kept = {key: row[key] for key in ("vars", "uses", "services", "faults") if key in row}
    stage: dict[str, Any] = {"id": "one", "title": "One", "intro": "I"}
    stage |= {"steps": steps} if steps else {}
    stage |= {"checkpoint": checks} if checks else {}
    whole = {"stslab": 1, "id": "hostile", "title": "Hostile", "stages": [stage]}
    plain = json.loads(json.dumps(whole | kept))  # a lab has no anchors
    path.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    made = Machine(tmp_path_factory.mktemp("cloud"))
    made.stslab("env", "--shell", "sh")
    furnish(made)
    yield made
    made.stop()


def furnish(cloud: Machine) -> None:
    """Make what others have in the account."""
    iam, s3, stacks = (cloud._client(name) for name in ("iam", "s3", "cloudformation"))
    iam.create_group(GroupName="victims")
    iam.create_user(UserName="victim", Tags=[{"Key": "team", "Value": "pay"}])
    iam.add_user_to_group(GroupName="victims", UserName="victim")
    iam.create_access_key(UserName="victim")
    iam.put_user_policy(UserName="victim", PolicyName="p", PolicyDocument=READ)
    iam.attach_user_policy(UserName="victim", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.create_role(RoleName="prod-role", AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(RoleName="prod-role", PolicyName="p", PolicyDocument=READ)
    arn = iam.create_policy(PolicyName="theirs", PolicyDocument=READ)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=READ, SetAsDefault=True)
    for bucket in ("victim-bucket-1", "drop-bucket"):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(
        Bucket="victim-bucket-1", VersioningConfiguration={"Status": "Enabled"}
    )
    s3.put_object(Bucket="victim-bucket-1", Key="payroll", Body=b"secret")
    body = json.dumps({"Resources": {"G": {"Type": "AWS::IAM::Group"}}})
    stacks.create_stack(
        StackName="victim-stack",
        TemplateBody=body,
        Capabilities=["CAPABILITY_IAM"],
        EnableTerminationProtection=True,
    )
    stacks.get_waiter("stack_create_complete").wait(
        StackName="victim-stack", WaiterConfig={"Delay": 1}
    )


@pytest.fixture
def opened(cloud: Machine, tmp_path: Path) -> tuple[Boto3Account, ProfileFiles]:
    """The account as a run has it that takes it for a real one."""
    url, key, secret = cloud.reach()
    info = TargetInfo("aws", "aws", ACCOUNT, "us-east-1", pace=0.05)
    target = Target(info, url, Credentials(key, secret))
    profiles = target.profiles(tmp_path / "profiles")
    return Boto3Account(target, profiles), profiles


@pytest.fixture
def changed(cloud: Machine) -> Callable[[], list[str]]:
    """What in the account is not as it was when the test began, a sentence each."""
    folder = cloud.state / "sandbox"
    client.control(folder, "POST", "mark")
    return lambda: client.control(folder, "GET", "changed")["changed"]


def begin(runner: Runner) -> None:
    runner.start_or_resume()
    runner.run_stage("one")


@pytest.mark.parametrize("row", [pytest.param(row, id=row["case"]) for row in ROWS])
def test_it_does_no_harm(row, tmp_path: Path, opened: tuple[Boto3Account, ProfileFiles], changed):
    path = written(row, tmp_path / "hostile.yaml")
    if row.get("lint") == "passes":
        loader.load(path, catalogue=BotocoreCatalogue())
    else:
        with pytest.raises(InvalidLab) as invalid:
            loader.load(path, catalogue=BotocoreCatalogue())
        assert all(isinstance(one, Problem) and one.line > 1 for one in invalid.value.problems)
    if "says" not in row:
        return
    with Journal(tmp_path / "journal.sqlite") as journal:
        runner = Runner(
            unjudged(path),
            Calls(*opened, lambda _: None),
            journal,
            describe=aws_command,
        )
        with pytest.raises(StslabError) as refused:
            begin(runner)
        assert row["says"] in refused.value.message
        assert refused.value.exit_code == (4 if "services" in row else 2)
        for run in journal.runs():
            calls = Calls(*opened, lambda _: None)
            Cleanup(journal, calls, describe=aws_command).run(run.id)
    assert changed() == []


def test_there_are_many():
    assert len(ROWS) > 80
    assert sum(row.get("lint") == "passes" for row in ROWS) > 8


GIVEN |= {
    "profile": {
        "call": "iam.CreateInstanceProfile",
        "with": {"InstanceProfileName": f"i-{RUN}", "Tags": TAGS},
        "undo": "iam.DeleteInstanceProfile",
    },
    "device": {
        "call": "iam.CreateVirtualMFADevice",
        "with": {"VirtualMFADeviceName": f"m-{RUN}", "Tags": TAGS},
        "save": {"serial": "VirtualMFADevice.SerialNumber"},
        "undo": {"call": "iam.DeleteVirtualMFADevice", "with": {"SerialNumber": "${{ serial }}"}},
    },
    "provider": {
        "call": "iam.CreateOpenIDConnectProvider",
        "with": {
            "Url": "https://token.actions.githubusercontent.com",
            "ThumbprintList": ["6938fd4d98bab03faadb97b34396831e3780aea1"],
            "Tags": TAGS,
        },
        "save": {"arn": "OpenIDConnectProviderArn"},
        "undo": {
            "call": "iam.DeleteOpenIDConnectProvider",
            "with": {"OpenIDConnectProviderArn": "${{ arn }}"},
        },
    },
    "stack": step({"stack": {"G": {"Type": "AWS::IAM::Group"}}}),
}


def wait_until_gone(client: Any, kind: str, named: Mapping[str, Any]) -> None:
    """Stacks alone are deleted in the background."""
    if kind == "stack":
        client.get_waiter("stack_delete_complete").wait(**named, WaiterConfig={"Delay": 1})


@pytest.mark.parametrize("kind", GIVEN)
def test_a_replacement_made_by_somebody_else_is_left_alone(
    kind: str, tmp_path: Path, opened: tuple[Boto3Account, ProfileFiles], cloud: Machine
):
    """Ours was deleted by hand; another of its name, with another run's tag, is there now."""
    path = written({"given": [kind]}, tmp_path / "lab.yaml")
    with Journal(tmp_path / "journal.sqlite") as journal:
        runner = Runner(
            loader.load(path, catalogue=BotocoreCatalogue()),
            Calls(*opened, lambda _: None),
            journal,
            describe=aws_command,
        )
        begin(runner)
        (run,) = journal.runs()
        (entry,) = journal.past(run.id).entries()
        (undo,) = entry.undo
        client = cloud._client(undo.service)
        remove = getattr(client, xform_name(undo.operation))
        remove(**undo.params)
        time.sleep(1.1)  # a time of creation has whole seconds
        wait_until_gone(client, kind, undo.params)
        theirs = json.loads(json.dumps(entry.intent.params).replace(f'"{run.id}"', '"others00"'))
        getattr(client, xform_name(entry.intent.operation))(**theirs)
        if kind == "bucket":
            tags = [{"Key": "stslab:run", "Value": "others00"}]
            client.put_bucket_tagging(Bucket=theirs["Bucket"], Tagging={"TagSet": tags})
        with contextlib.suppress(UndoIncomplete):  # a sweep tells what has the run's id
            calls = Calls(*opened, lambda _: None)
            Cleanup(journal, calls, describe=aws_command).run(run.id)
        assert [one.state for one in journal.past(run.id).entries()] == [EntryState.NOT_OURS]
    remove(**undo.params)  # it is there: this does not fail
    wait_until_gone(client, kind, undo.params)  # the next test compares what is there


@pytest.fixture
def learner(tmp_path: Path, cloud: Machine) -> Learner:
    return a_learner(tmp_path / "learner", cloud)


def test_a_service_that_is_not_known_is_allowed_by_its_name(learner: Learner, changed):
    queue = {
        "call": "sqs.CreateQueue",
        "with": {"QueueName": f"q-{RUN}"},
        "save": {"url": "QueueUrl"},
        "undo": {"call": "sqs.DeleteQueue", "with": {"QueueUrl": "${{ url }}"}},
    }
    lab = {"services": ["sns", "sqs"], "steps": [{"call": "iam.ListUsers"}, queue]}
    path = written(lab, learner.root / "other.yaml")
    for answers, said in (
        (["sns", "yes"], "The lab uses sqs, and you did not allow that. Nothing was made."),
        (["sns", "sqs", "no"], "That is not the account's id. Nothing was made."),
    ):
        with contextlib.closing(
            Terminal(learner, "run", str(path), "--target", "aws", lines=50)
        ) as terminal:
            screen = terminal.wait("The lab uses sns")
            assert "something of sqs: QueueUrl <url>" in screen
            assert "stslab can't tell what calls of sqs change." in " ".join(screen.split())
            for answer, asked in zip(
                answers, ("sns", "sqs", "Type the account's id"), strict=False
            ):
                terminal.wait(asked)
                terminal.enter(answer)
            assert terminal.ended() == 4
            assert said in " ".join(terminal.text.split())
    assert learner.runs() == []
    assert changed() == []


@pytest.mark.parametrize(
    ("case", "code", "said"),
    [
        ("an undo that deletes somebody's bucket", 2, "S3 bucket victim-bucket-1"),
        ("a name that is read while the lab runs", 2, "Nothing was sent"),
        ("fifty large machines, declared and not allowed", 4, "--allow-service ec2"),
        ("the alias of the account", 2, "embedded account only"),
    ],
)
def test_on_the_command_line(learner: Learner, changed, case: str, code: int, said: str):
    row = next(row for row in ROWS if row["case"] == case)
    path = written(row, learner.root / "hostile.yaml")
    done = learner.on_aws("run", str(path))
    assert done.code == code, done.said
    assert said in " ".join(done.said.split())
    assert "Traceback" not in done.said
    assert learner.on_aws("cleanup").code == 0
    assert changed() == []
