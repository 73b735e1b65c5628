"""Stacks in a world that is saved: the gate, the memory and the engine together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.sandbox.cloudformation.templates import ROLE_AND_BUCKET
from tests.sandbox.direct import KeptLog

from stslab.sandbox.pipeline.keys import user_caller
from stslab.sandbox.saved.account import LEARNER, World
from stslab.sandbox.saved.persistence.memory import Memory
from stslab.sandbox.server.assembly import Inside, assemble


class Process:
    """One life of a sandbox whose account is in a file."""

    def __init__(self, path: Path) -> None:
        self.memory = Memory(path)
        self.world: World = self.memory.open()
        self.log = KeptLog()
        self.inside: Inside = assemble(self.world, log=self.log, saved=self.memory.save)
        iam = self.world.account(LEARNER).iam
        key = next(k for k in iam.access_keys.values() if k.user_name == "admin")
        self.admin = user_caller(iam.users["admin"], key.access_key_id)

    def call(self, service: str, operation: str, **params: Any) -> Any:
        return self.world.call(self.admin, service, operation, params)

    def settle(self, stack_id: str) -> str:
        self.inside.cloudformation.engine.wait(stack_id, 20)
        found = self.call("cloudformation", "DescribeStacks", StackName=stack_id)
        return str(found["Stacks"][0]["StackStatus"])

    def end(self) -> None:
        self.inside.cloudformation.stop()
        self.memory.close()


def create(process: Process) -> str:
    made = process.call(
        "cloudformation",
        "CreateStack",
        StackName="kept",
        TemplateBody=ROLE_AND_BUCKET,
        Capabilities=["CAPABILITY_IAM"],
    )
    return str(made["StackId"])


def test_a_stack_and_what_it_made_are_there_in_the_next_life(tmp_path: Path) -> None:
    first = Process(tmp_path / "account")
    stack_id = create(first)
    assert first.settle(stack_id) == "CREATE_COMPLETE"
    first.end()
    second = Process(tmp_path / "account")
    stack = second.call("cloudformation", "DescribeStacks", StackName="kept")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    arn = next(o["OutputValue"] for o in stack["Outputs"] if o["OutputKey"] == "RoleArn")
    role = second.call("iam", "GetRole", RoleName=arn.rpartition("/")[2])["Role"]
    tags = {tag["Key"]: tag["Value"] for tag in role["Tags"]}
    assert tags["aws:cloudformation:stack-id"] == stack_id
    second.call("cloudformation", "DeleteStack", StackName="kept")
    assert second.settle(stack_id) == "DELETE_COMPLETE"
    assert second.call("s3", "ListBuckets").get("Buckets", []) == []
    second.end()


def test_a_stack_in_the_middle_goes_on_in_the_next_life(tmp_path: Path) -> None:
    first = Process(tmp_path / "account")
    first.inside.cloudformation.engine.step_seconds = 30
    stack_id = create(first)
    first.end()
    second = Process(tmp_path / "account")
    second.inside.cloudformation.resume()
    assert second.settle(stack_id) == "CREATE_COMPLETE"
    second.end()


def test_permissions_name_the_stack_by_its_arn(tmp_path: Path) -> None:
    process = Process(tmp_path / "account")
    stack_id = create(process)
    process.settle(stack_id)
    process.call("cloudformation", "DescribeStacks", StackName="kept")
    asked = process.log.events()[-1]["decisions"]
    assert [one["resource"] for one in asked] == [stack_id]
    process.end()
