"""Labs that would harm what they did not make, on a stand-in for a real account: none of them can.

Each row of tests/cases/harmless/labs.yaml is refused by `stslab lint`, or before the first call
that would do harm; with the lint left out, before that call as well. What others have in the
account is compared thing by thing, after the run and after the cleanup.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e.learner import ACCOUNT, Learner, a_learner
from tests.e2e.machine import Machine
from tests.unjudged import unjudged

from stslab import lab
from stslab.aws.catalogue import BotocoreCatalogue
from stslab.aws.target import Opened, Target
from stslab.errors import InvalidLab, StslabError
from stslab.runner.calls.calls import Calls
from stslab.runner.clock import SystemClock
from stslab.runner.journal.store import Journal
from stslab.runner.ports import Credentials, TargetInfo
from stslab.runner.run.run import Runner
from stslab.runner.undo.cleanup import Cleanup
from stslab.runner.undo.inventory import differences, inventory

pytestmark = pytest.mark.slow

ROWS = yaml.safe_load(
    (Path(__file__).parents[1] / "cases" / "harmless" / "labs.yaml").read_text(encoding="utf-8")
)
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
        "with": {"RoleName": f"r-{RUN}", "AssumeRolePolicyDocument": TRUST, "Tags": TAGS},
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
    stage = {"id": "one", "title": "One", "intro": "I"}
    stage |= {"steps": steps} if steps else {}
    stage |= {"checkpoint": checks} if checks else {}
    whole = {"stslab": 1, "id": "hostile", "title": "Hostile", **kept, "stages": [stage]}
    path.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
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
def opened(cloud: Machine, tmp_path: Path) -> Opened:
    """The account as a run has it that takes it for a real one."""
    url, key, secret = cloud.reach()
    info = TargetInfo("aws", "aws", ACCOUNT, "us-east-1", pace=0.05)
    return Target(info, url, Credentials(key, secret)).open(tmp_path / "profiles")


@pytest.fixture
def all_there(cloud: Machine, opened: Opened) -> Callable[[], dict[str, str]]:
    """Everything in the account, the settings of its buckets too."""
    s3 = cloud._client("s3")
    settings = ("versioning", "acl", "logging", "encryption", "ownership_controls")

    def look() -> dict[str, str]:
        found = dict(
            inventory(Calls(opened.account, opened.profiles, lambda _: None, SystemClock()))
        )
        for name in settings:
            said = getattr(s3, f"get_bucket_{name}")(Bucket="victim-bucket-1")
            said.pop("ResponseMetadata")
            found[f"{name} of victim-bucket-1"] = str(said)
        return found

    return look


def begin(runner: Runner) -> None:
    runner.start_or_resume()
    runner.run_stage("one")


@pytest.mark.parametrize("row", [pytest.param(row, id=row["case"]) for row in ROWS])
def test_it_does_no_harm(row, tmp_path: Path, opened: Opened, all_there):
    path = written(row, tmp_path / "hostile.yaml")
    if row.get("lint") == "passes":
        lab.load(path, catalogue=BotocoreCatalogue())
    else:
        with pytest.raises(InvalidLab) as invalid:
            lab.load(path, catalogue=BotocoreCatalogue())
        assert all(problem.line > 1 for problem in invalid.value.problems)
    if "says" not in row:
        return
    before = all_there()
    with Journal(tmp_path / "journal.sqlite") as journal:
        runner = Runner(unjudged(path), opened.account, opened.profiles, journal, lambda _: None)
        with pytest.raises(StslabError) as refused:
            begin(runner)
        assert row["says"] in refused.value.message
        assert refused.value.exit_code == (4 if "services" in row else 2)
        for run in journal.runs():
            Cleanup(journal, opened.account, opened.profiles, lambda _: None).run(run.id)
    assert differences(before, all_there()) == ()


def test_there_are_many():
    assert len(ROWS) > 55
    assert sum(row.get("lint") == "passes" for row in ROWS) > 8


@pytest.fixture
def learner(tmp_path: Path, cloud: Machine) -> Learner:
    return a_learner(tmp_path / "learner", cloud)


@pytest.mark.parametrize(
    ("case", "code", "said"),
    [
        ("an undo that deletes somebody's bucket", 2, "S3 bucket victim-bucket-1"),
        ("a name that is read while the lab runs", 2, "Nothing was sent"),
        ("fifty large machines, declared and not allowed", 4, "--allow-service ec2"),
        ("the alias of the account", 2, "embedded account only"),
    ],
)
def test_on_the_command_line(learner: Learner, all_there, case: str, code: int, said: str):
    row = next(row for row in ROWS if row["case"] == case)
    path = written(row, learner.root / "hostile.yaml")
    before = all_there()
    done = learner.on_aws("run", str(path))
    assert done.code == code, done.said
    assert said in " ".join(done.said.split())
    assert "Traceback" not in done.said
    assert learner.on_aws("cleanup").code == 0
    assert differences(before, all_there()) == ()
