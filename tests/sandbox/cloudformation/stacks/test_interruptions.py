"""Work on stacks that is seen while it goes on, redirected, or left by a sandbox going down."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from tests.sandbox.cloudformation.harness import Harness
from tests.sandbox.cloudformation.templates import BUCKET, ROLE, ROLE_AND_BUCKET

from stslab.sandbox.cloudformation.service import CloudFormation
from stslab.sandbox.cloudformation.stacks.engine import Surroundings
from stslab.sandbox.cloudformation.stacks.state import Stacks
from stslab.sandbox.saved.persistence import pickles

IAM = ["CAPABILITY_NAMED_IAM"]


class Gate:
    """Holds back the first call of an operation until it is opened."""

    def __init__(self, lab: Harness, operation: str) -> None:
        self.reached, self._open = threading.Event(), threading.Event()
        self._operation = operation
        lab.before = self._hold

    def _hold(self, operation: str, _params: Mapping[str, Any]) -> None:
        if operation == self._operation and not self.reached.is_set():
            self.reached.set()
            assert self._open.wait(20)

    def open(self) -> None:
        self._open.set()


class Crash(BaseException):
    """The process dies: nothing after this happens."""


def crash_at(lab: Harness, operation: str, *, after: bool = False) -> Callable[[], None]:
    """Let the process die before, or just after, a call that it makes; returns the burial."""
    original = lab.service.engine.around.call
    done: list[str] = []

    def call(caller: Any, service: str, name: str, params: Any, via: Any = ()) -> Any:
        if name == operation and not done:
            done.append(name)
            if after:
                original(caller, service, name, params, via)
            raise Crash
        return original(caller, service, name, params, via)

    lab.service.engine.around.call = call
    hook, threading.excepthook = threading.excepthook, lambda _args: None

    def buried() -> None:
        threading.excepthook = hook

    return buried


def reborn(lab: Harness) -> None:
    """The sandbox again, from what was saved of its stacks."""
    rows = pickles.loads(pickles.dumps(dict(lab.stacks.rows), lambda _: None), lambda _: None)
    stacks = Stacks()
    stacks.rows.update(rows)
    lab.stacks = stacks
    lab.service = CloudFormation(
        stacks,
        Surroundings(lab._internal, lab, lambda _account: lab, lab._now, lab.lock, lab._saved),
        0.0,
    )
    lab.service.resume()


def test_the_work_is_seen_while_it_goes_on(lab: Harness) -> None:
    gate = Gate(lab, "CreateRole")
    lab.call("CreateStack", StackName="demo", TemplateBody=ROLE_AND_BUCKET, Capabilities=IAM)
    assert gate.reached.wait(20)
    assert lab.shown("demo")["StackStatus"] == "CREATE_IN_PROGRESS"
    resources = lab.call("ListStackResources", StackName="demo")["StackResourceSummaries"]
    statuses = {r["LogicalResourceId"]: r["ResourceStatus"] for r in resources}
    assert statuses == {"Bucket": "CREATE_COMPLETE", "Role": "CREATE_IN_PROGRESS"}
    busy = lab.refusal("UpdateStack", StackName="demo", TemplateBody=BUCKET)
    assert busy.message.endswith("is in CREATE_IN_PROGRESS state and can not be updated.")
    gate.open()
    assert lab.settle("demo") == "CREATE_COMPLETE"


def test_a_creation_can_be_deleted_while_it_goes_on(lab: Harness) -> None:
    gate = Gate(lab, "CreateRole")
    made = lab.call("CreateStack", StackName="demo", TemplateBody=ROLE_AND_BUCKET, Capabilities=IAM)
    assert gate.reached.wait(20)
    lab.call("DeleteStack", StackName="demo")
    assert lab.shown("demo")["StackStatus"] == "DELETE_IN_PROGRESS"
    gate.open()
    assert lab.settle(made["StackId"]) == "DELETE_COMPLETE"
    assert lab.client("iam").list_roles()["Roles"] == []
    assert lab.client("s3").list_buckets()["Buckets"] == []


def test_an_update_can_be_cancelled(lab: Harness) -> None:
    lab.deploy(ROLE)
    gate = Gate(lab, "CreateBucket")
    grown = ROLE.replace("Outputs:", "  Bucket: {Type: AWS::S3::Bucket}\nOutputs:")
    lab.call("UpdateStack", StackName="demo", TemplateBody=grown, Capabilities=IAM)
    assert gate.reached.wait(20)
    assert "cannot be deleted while in status UPDATE_IN_PROGRESS" in (
        lab.refusal("DeleteStack", StackName="demo").message
    )
    lab.call("CancelUpdateStack", StackName="demo")
    gate.open()
    assert lab.settle("demo") == "UPDATE_ROLLBACK_COMPLETE"
    assert lab.client("s3").list_buckets()["Buckets"] == []
    assert "demo UPDATE_ROLLBACK_IN_PROGRESS User Initiated" in lab.history("demo")


def test_stopping_leaves_a_stack_that_resuming_completes(lab: Harness) -> None:
    lab.service.engine.step_seconds = 30
    lab.call("CreateStack", StackName="demo", TemplateBody=ROLE_AND_BUCKET, Capabilities=IAM)
    lab.service.stop()
    assert lab.stack("demo").status == "CREATE_IN_PROGRESS"
    reborn(lab)
    assert lab.settle("demo") == "CREATE_COMPLETE"
    assert lab.outputs()["BucketName"] == "data-123456789012-one"


def test_a_death_before_and_after_a_call_is_survived(lab: Harness) -> None:
    for number, after in enumerate((False, True)):
        name = f"demo{number}"
        buried = crash_at(lab, "CreateRole", after=after)
        lab.call("CreateStack", StackName=name, TemplateBody=ROLE, Capabilities=IAM)
        lab.wait_until(lambda name=name: not lab.service.engine.works_on(lab.stack(name)))
        buried()
        assert lab.stack(name).status == "CREATE_IN_PROGRESS"
        reborn(lab)
        assert lab.settle(name) == "CREATE_COMPLETE"
    roles = [role["RoleName"] for role in lab.client("iam").list_roles()["Roles"]]
    assert sorted(roles) == sorted([lab.physical("Role", "demo0"), lab.physical("Role", "demo1")])


def test_a_death_in_an_update_is_survived(lab: Harness) -> None:
    lab.deploy(ROLE_AND_BUCKET)
    buried = crash_at(lab, "CreateBucket", after=True)
    lab.call(
        "UpdateStack",
        StackName="demo",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Suffix", "ParameterValue": "two"}],
        Capabilities=IAM,
    )
    lab.wait_until(lambda: not lab.service.engine.works_on(lab.stack("demo")))
    buried()
    reborn(lab)
    assert lab.settle("demo") == "UPDATE_COMPLETE"
    assert [b["Name"] for b in lab.client("s3").list_buckets()["Buckets"]] == [
        "data-123456789012-two"
    ]


def test_a_death_in_a_deletion_is_survived(lab: Harness) -> None:
    stack_id = lab.deploy(ROLE_AND_BUCKET)
    buried = crash_at(lab, "DeleteRole", after=True)
    lab.call("DeleteStack", StackName="demo")
    lab.wait_until(lambda: not lab.service.engine.works_on(lab.stack(stack_id)))
    buried()
    reborn(lab)
    assert lab.settle(stack_id) == "DELETE_COMPLETE"


def test_who_is_gone_when_the_work_goes_on_can_do_nothing(lab: Harness) -> None:
    lab.service.engine.step_seconds = 30
    lab.call("CreateStack", StackName="demo", TemplateBody=BUCKET)
    lab.service.stop()
    lab.known_keys.clear()
    reborn(lab)
    assert lab.settle("demo") == "ROLLBACK_COMPLETE"
    assert any(
        "security token included in the request is invalid" in e for e in lab.history("demo")
    )


def test_many_stacks_at_a_time(lab: Harness) -> None:
    names = [f"s{number}" for number in range(16)]
    for name in names:
        lab.call("CreateStack", StackName=name, TemplateBody=BUCKET)
    assert {lab.settle(name) for name in names} == {"CREATE_COMPLETE"}
    assert len(lab.client("s3").list_buckets()["Buckets"]) == 16
    first = lab.call("DescribeStacks")["Stacks"]
    assert [stack["StackName"] for stack in first] == names[::-1]


def test_whatever_changes_is_saved_once(lab: Harness) -> None:
    lab.deploy(BUCKET)
    assert lab.saves <= 2 * len(lab.history("demo"))
    lab.stacks.rows.take_changed()
    before = lab.saves
    lab.call("UpdateTerminationProtection", StackName="demo", EnableTerminationProtection=True)
    assert lab.saves == before + 1
    assert lab.stacks.rows.take_changed() == {lab.stack("demo").stack_id}
