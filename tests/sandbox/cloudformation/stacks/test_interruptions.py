"""Work on stacks that is watched, redirected, or interrupted by the end of the process."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from msgspec.structs import replace
from tests.sandbox.cloudformation.harness import Harness
from tests.sandbox.cloudformation.templates import BUCKET, ROLE, ROLE_AND_BUCKET
from tests.sandbox.direct import has_ended

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.state.buckets import Bucket
from stslab.sandbox.state.identities import AccessKey
from stslab.sandbox.state.snapshot import Snapshot
from stslab.sandbox.state.stacks import Stack, StackEvent, StackResource
from stslab.vocabulary import LEARNER

IAM = ["CAPABILITY_NAMED_IAM"]


class Gate:
    """Blocks the first call of an operation until it is opened."""

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
    """The process is killed: nothing happens after this."""


def crash_at(lab: Harness, operation: str, *, after: bool = False) -> Callable[[], None]:
    """Kill the process before or just after a call. Returns a function that restores the hook."""
    done: list[str] = []

    def crash(called: str, _params: Mapping[str, Any]) -> None:
        if called == operation and not done:
            done.append(called)
            raise Crash

    setattr(lab, "after" if after else "before", crash)
    hook, threading.excepthook = threading.excepthook, lambda _args: None

    def restore_hook() -> None:
        threading.excepthook = hook

    return restore_hook


def test_a_creation_is_visible_while_it_is_in_progress(lab: Harness) -> None:
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


def test_a_stack_can_be_deleted_during_its_creation(lab: Harness) -> None:
    gate = Gate(lab, "CreateRole")
    made = lab.call("CreateStack", StackName="demo", TemplateBody=ROLE_AND_BUCKET, Capabilities=IAM)
    assert gate.reached.wait(20)
    lab.call("DeleteStack", StackName="demo")
    assert lab.shown("demo")["StackStatus"] == "DELETE_IN_PROGRESS"
    gate.open()
    assert lab.settle(made["StackId"]) == "DELETE_COMPLETE"
    assert lab.roles() == []
    assert lab.buckets() == []


def test_resuming_completes_a_stack_after_a_stop(lab: Harness) -> None:
    lab.service.engine.pace = lambda: 30
    lab.call("CreateStack", StackName="demo", TemplateBody=ROLE_AND_BUCKET, Capabilities=IAM)
    lab.service.engine.stop()
    assert lab.stack("demo").status == "CREATE_IN_PROGRESS"
    lab.reopen()
    assert lab.settle("demo") == "CREATE_COMPLETE"
    assert lab.outputs()["BucketName"] == "data-111122223333-one"


def wait_until_left(lab: Harness, name: str) -> None:
    lab.wait_until(lambda: has_ended(lab.service.engine, lab.stack(name).stack_id))


def test_a_creation_survives_a_kill_before_and_after_a_call(lab: Harness) -> None:
    for number, after in enumerate((False, True)):
        name = f"demo{number}"
        restore_hook = crash_at(lab, "CreateRole", after=after)
        lab.call("CreateStack", StackName=name, TemplateBody=ROLE, Capabilities=IAM)
        wait_until_left(lab, name)
        restore_hook()
        assert lab.stack(name).status == "CREATE_IN_PROGRESS"
        lab.reopen()
        assert lab.settle(name) == "CREATE_COMPLETE"
    assert sorted(lab.roles()) == sorted(
        [lab.physical("Role", "demo0"), lab.physical("Role", "demo1")]
    )


def test_an_update_survives_a_kill(lab: Harness) -> None:
    lab.deploy(ROLE_AND_BUCKET)
    restore_hook = crash_at(lab, "CreateBucket", after=True)
    lab.call(
        "UpdateStack",
        StackName="demo",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Suffix", "ParameterValue": "two"}],
        Capabilities=IAM,
    )
    lab.wait_until(lambda: has_ended(lab.service.engine, lab.stack("demo").stack_id))
    restore_hook()
    lab.reopen()
    assert lab.settle("demo") == "UPDATE_COMPLETE"
    assert lab.buckets() == ["data-111122223333-two"]


def test_a_deletion_survives_a_kill(lab: Harness) -> None:
    stack_id = lab.deploy(ROLE_AND_BUCKET)
    restore_hook = crash_at(lab, "DeleteRole", after=True)
    lab.call("DeleteStack", StackName="demo")
    lab.wait_until(lambda: has_ended(lab.service.engine, stack_id))
    restore_hook()
    lab.reopen()
    assert lab.settle(stack_id) == "DELETE_COMPLETE"


def test_resumed_work_fails_if_the_callers_key_is_inactive(lab: Harness) -> None:
    lab.service.engine.pace = lambda: 30
    lab.call("CreateStack", StackName="demo", TemplateBody=BUCKET)
    lab.service.engine.stop()
    with lab.state.transaction() as tx:
        key = tx.get(AccessKey, LEARNER, lab.key_id)
        assert key is not None
        tx.put(replace(key, active=False))
    lab.reopen()
    assert lab.settle("demo") == "ROLLBACK_COMPLETE"
    assert any(
        "security token included in the request is invalid" in e for e in lab.history("demo")
    )


def test_many_stacks_at_the_same_time(lab: Harness) -> None:
    names = [f"s{number}" for number in range(16)]
    for name in names:
        lab.call("CreateStack", StackName=name, TemplateBody=BUCKET)
    assert {lab.settle(name) for name in names} == {"CREATE_COMPLETE"}
    assert len(lab.buckets()) == 16
    first = lab.call("DescribeStacks")["Stacks"]
    assert [stack["StackName"] for stack in first] == names[::-1]


def test_each_change_is_one_commit_of_few_records(lab: Harness) -> None:
    lab.deploy(BUCKET)
    changed: list[tuple[Snapshot, Snapshot]] = []
    end = lab.state.watch(lambda before, after: changed.append((before, after)))
    lab.call("UpdateTerminationProtection", StackName="demo", EnableTerminationProtection=True)
    [(before, after)] = changed
    assert [type(each.after) for each in before.differences(after)] == [Stack]
    changed.clear()
    lab.update(BUCKET, Tags=[{"Key": "a", "Value": "1"}])
    end()
    kinds = [{type(each.after) for each in before.differences(after)} for before, after in changed]
    assert {StackEvent, Stack} in kinds
    assert all(kind <= {StackEvent, Stack, StackResource, Bucket} for kind in kinds)


def test_a_deletion_acts_in_the_name_of_its_caller(lab: Harness) -> None:
    gate = Gate(lab, "CreateRole")
    made = lab.call("CreateStack", StackName="demo", TemplateBody=ROLE_AND_BUCKET, Capabilities=IAM)
    assert gate.reached.wait(20)
    creator = lab.caller
    lab.caller = lab.root
    lab.call("DeleteStack", StackName="demo")
    gate.open()
    assert lab.settle(made["StackId"]) == "DELETE_COMPLETE"
    by = {operation: key for key, operation, _here in lab.made}
    assert by["CreateBucket"] == creator.access_key_id
    assert by["DeleteBucket"] == lab.root.access_key_id


@pytest.mark.parametrize("seed", range(3))
def test_random_requests_at_the_same_time_leave_no_stuck_stack_and_no_resource(
    lab: Harness, seed: int
) -> None:
    def ask(number: int) -> None:
        chance = random.Random(f"{seed} {number}")
        for _ in range(25):
            stack: dict[str, Any] = {"StackName": chance.choice(["s1", "s2"])}
            operation = chance.choice(["CreateStack", "UpdateStack", "DeleteStack"])
            if operation in {"CreateStack", "UpdateStack"}:
                stack |= {"TemplateBody": chance.choice([ROLE, BUCKET]), "Capabilities": IAM}
            with suppress(ApiFault):
                lab.call(operation, **stack)

    lab.service.engine.pace = lambda: 0.001
    with ThreadPoolExecutor(4) as clients:
        for done in [clients.submit(ask, number) for number in range(4)]:
            done.result()
    for stack in lab.stacks:
        lab.settle(stack.stack_id)
        assert not any("Internal error" in line for line in lab.history(stack.stack_id))
    for stack in lab.stacks:
        if stack.exists:
            assert lab.delete(stack.name) == "DELETE_COMPLETE"
    assert lab.roles() == lab.buckets() == []
