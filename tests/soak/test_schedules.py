"""Random schedules: run, step, kill, interrupt, clean up, meddle, with faults on; nothing is left.

A schedule is a sequence of commands, each a process of its own, and of changes that the learner
makes by hand with boto3. At its end the faults stop, `stslab cleanup --all` runs once, and the
account must be what it was, thing by thing.
"""

import signal
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.soak.ground import ALLOW, Ground, difference

pytestmark = pytest.mark.slow

SHARDS = 2
HASTE = 20  # a claim that can't hold any more is waited for as long as the lab says
SCHEDULES = 250  # for each shard
STAGES = ("create-user", "deploy-role", "attach-policy", "assume-role", "verify-access", "cleanup")
CODES = {0, 1, 2, 3, 5, 130, -signal.SIGKILL}
POINTS = st.integers(1, 280)
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
FAULTS = (
    "throttle=0.1,errors=0.05",
    "errors-after=0.05,reset-before=0.05,reset-after=0.05",
    "keys=0..400ms,users=0..200ms,roles=0..400ms,policies=0..400ms",
    "slow-stacks=200ms,fail-deletes=Bucket",
    "fail-stacks=StsRole",
    "throttle=0.05,errors=0.03,reset-after=0.03,keys=0..200ms,policies=0..200ms,slow-stacks=100ms",
)


class Names:
    """What a run's things are called."""

    def __init__(self, run: str) -> None:
        self.user = f"sts-test-user-{run}"
        self.stack = f"my-sts-stack-{run}"
        self.bucket = f"sts-example-{run}"


Change = Callable[[Ground, Names], Any]
CHANGES: dict[str, Change] = {
    "a second key": lambda on, it: on.iam.create_access_key(UserName=it.user),
    "another policy": lambda on, it: on.iam.put_user_policy(UserName=it.user, PolicyName="mine", PolicyDocument=ALLOW),
    "an attached policy": lambda on, it: on.iam.attach_user_policy(UserName=it.user, PolicyArn=READ_ONLY),
    "a group": lambda on, it: on.iam.add_user_to_group(UserName=it.user, GroupName="mine"),
    "a password": lambda on, it: on.iam.create_login_profile(UserName=it.user, Password="Correct-Horse-9"),
    "an object": lambda on, it: on.s3.put_object(Bucket=it.bucket, Key="mine.txt", Body=b"mine"),
    "versions": lambda on, it: _versions(on, it.bucket),
    "an upload": lambda on, it: on.s3.create_multipart_upload(Bucket=it.bucket, Key="big"),
    "no object": lambda on, it: on.s3.delete_object(Bucket=it.bucket, Key="hello.txt"),
    "no policy": lambda on, it: on.iam.delete_user_policy(UserName=it.user, PolicyName="StsAssumePolicy"),
    "no keys": lambda on, it: _no_keys(on, it.user),
    "a policy of the role": lambda on, it: on.iam.put_role_policy(RoleName=_role(on, it.stack), PolicyName="mine", PolicyDocument=ALLOW),
    "no stack": lambda on, it: on.stacks.delete_stack(StackName=it.stack),
}  # fmt: skip


def _versions(on: Ground, bucket: str) -> None:
    on.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        on.s3.put_object(Bucket=bucket, Key="versioned", Body=body)
    on.s3.delete_object(Bucket=bucket, Key="versioned")


def _no_keys(on: Ground, user: str) -> None:
    """After this, a rehearsal would only be waited for: an unknown key may be a new one."""
    on.rehearse(None)
    for key in on.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
        on.iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])


def _role(on: Ground, stack: str) -> str:
    found = on.stacks.describe_stack_resource(StackName=stack, LogicalResourceId="StsRole")
    return str(found["StackResourceDetail"].get("PhysicalResourceId", "none-yet"))


class Schedule(RuleBasedStateMachine):
    """One learner, and whatever may happen to them."""

    ground: ClassVar[Ground]
    before: ClassVar[dict[str, str]]
    done: ClassVar[Counter[str]]
    keyless = False

    def goes_on(self) -> bool:
        """Whether there is a run that is not ended."""
        return bool(self.ground.runs()) and self.ground.runs()[0][1] in ("active", "undoing")

    def command(self, *arguments: str, at: int = 0, number: int = signal.SIGKILL) -> None:
        self.done[" ".join(arguments[:1])] += 1
        ended = self.ground.stslab(*arguments, at=at, number=number)
        if at and ended.code in (-signal.SIGKILL, 130):
            self.done["killed" if ended.code < 0 else "interrupted"] += 1
        assert ended.code in CODES, f"{arguments}: {ended.code}\n{ended.said}"

    @initialize(number=st.integers(1, 9), fault=st.sampled_from(("", *FAULTS)))
    def faults_from_the_start(self, number: int, fault: str) -> None:
        self.done["schedules"] += 1
        if fault:
            self.ground.rehearse(f"seed={number},{fault}")

    @rule(at=POINTS)
    def run_and_kill(self, at: int) -> None:
        self.command("run", "--yes", "--json", at=at)

    @rule(at=POINTS)
    def run_and_interrupt(self, at: int) -> None:
        self.command("run", "--yes", "--json", at=at, number=signal.SIGINT)

    @rule(stage=st.sampled_from(STAGES[:-1]))
    def run_to(self, stage: str) -> None:
        self.command("run", "--yes", "--json", "--to", stage)

    @rule(stage=st.sampled_from(STAGES))
    def step(self, stage: str) -> None:
        self.command("step", stage, "--with-needed", "--json")

    @precondition(goes_on)
    @rule()
    def check(self) -> None:
        self.command("check", "--json")

    @precondition(goes_on)
    @rule(at=st.integers(1, 120))
    def clean_up_and_kill(self, at: int) -> None:
        self.command("cleanup", "--json", at=at)

    @rule()
    def clean_up(self) -> None:
        self.command("cleanup", "--json")

    @precondition(goes_on)
    @rule(what=st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=4))
    def meddle(self, what: list[str]) -> None:
        it = Names(self.ground.runs()[0][0])
        self.keyless = self.keyless or "no keys" in what
        for name in what:
            try:
                CHANGES[name](self.ground, it)
                self.done["changes by hand"] += 1
            except (ClientError, BotoCoreError):
                self.done["changes by hand that failed"] += 1

    @precondition(lambda self: not self.keyless)
    @rule(number=st.integers(1, 9), fault=st.sampled_from(FAULTS))
    def faults_on(self, number: int, fault: str) -> None:
        self.done["faults on"] += 1
        self.ground.rehearse(f"seed={number},{fault}")

    @rule()
    def faults_off(self) -> None:
        self.ground.rehearse(None)

    def teardown(self) -> None:
        self.ground.rehearse(None)
        runs = self.ground.runs()
        cleaned = self.ground.stslab("cleanup", "--all")
        left = difference(self.before, self.ground.everything())
        type(self).before = self.ground.everything()
        assert left == [], f"{runs[:3]}: {left}\n{cleaned.said}"
        assert cleaned.code == 0, cleaned.said
        assert {state for _, state in self.ground.runs()} <= {"finished", "cleaned"}
        assert self.ground.profiles() <= {"admin", "default"}


def schedules(ground: Ground, number: int, steps: int, seed: int) -> str:
    """Run so many schedules; what they consisted of."""
    names = [group["GroupName"] for group in ground.iam.list_groups()["Groups"]]
    if "mine" not in names:
        ground.iam.create_group(GroupName="mine")
    ground.haste = HASTE
    before = ground.everything()
    members = {"ground": ground, "before": before, "done": Counter()}
    machine: Any = type(f"Schedule{seed}", (Schedule,), members)
    run_state_machine_as_test(
        seeded(seed)(machine),
        settings=settings(
            max_examples=number,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=False,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
    return ", ".join(f"{count} {what}" for what, count in machine.done.most_common())


@pytest.mark.soak
def test_some_schedules(ground: Ground, table):
    table(f"Random schedules: {schedules(ground, 10, 3, 1)}")


@pytest.mark.soak
@pytest.mark.parametrize("shard", range(SHARDS))
def test_many_schedules(ground: Ground, shard: int, table):
    told = schedules(ground, SCHEDULES, 5, 100 + shard)
    table(f"Random schedules, part {shard + 1} of {SHARDS}: {told}")
