"""Stacks in a saved account, with the pipeline, the store and the engine."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.sandbox.cloudformation.templates import ROLE_AND_BUCKET
from tests.sandbox.direct import Direct, has_ended

from stslab.sandbox.pipeline import accounts
from stslab.sandbox.state.state import State
from stslab.sandbox.state.store import Store


class Process(Direct):
    """One process with a saved account."""

    def __init__(self, path: Path) -> None:
        self.store = Store(path)
        state = State(self.store.load(), self.store)
        if not state.snapshot.settings.instance:
            with state.transaction() as tx:
                for record in accounts.new():
                    tx.put(record)
        super().__init__(state)

    def create(self) -> str:
        made = self.client("cloudformation").create_stack(
            StackName="kept", TemplateBody=ROLE_AND_BUCKET, Capabilities=["CAPABILITY_IAM"]
        )
        return str(made["StackId"])

    def stack(self, name: str) -> Any:
        return self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]

    def settle(self, stack_id: str) -> str:
        has_ended(self.inside.engine, stack_id, 20)
        return str(self.stack(stack_id)["StackStatus"])

    def fill(self) -> None:
        for number in range(200):
            self.client("iam").create_user(UserName=f"user-{number}", Path=f"/{'x' * 500}/")

    def end(self) -> None:
        self.stop()
        self.state.close()
        self.store.close()


def test_a_stack_and_its_resources_are_there_in_the_next_process(tmp_path: Path) -> None:
    first = Process(tmp_path / "account")
    stack_id = first.create()
    assert first.settle(stack_id) == "CREATE_COMPLETE"
    first.end()
    second = Process(tmp_path / "account")
    stack = second.stack("kept")
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert second.client("iam").get_role(RoleName=outputs["RoleArn"].rpartition("/")[2])["Role"]
    tags = second.client("s3").get_bucket_tagging(Bucket=outputs["BucketName"])["TagSet"]
    assert {"Key": "aws:cloudformation:stack-id", "Value": stack_id} in tags
    second.client("cloudformation").delete_stack(StackName="kept")
    assert second.settle(stack_id) == "DELETE_COMPLETE"
    assert second.client("s3").list_buckets().get("Buckets", []) == []
    second.end()


def test_the_next_process_continues_the_work_on_a_stack(tmp_path: Path) -> None:
    first = Process(tmp_path / "account")
    first.inside.engine.pace = lambda: 30
    stack_id = first.create()
    first.end()
    second = Process(tmp_path / "account")
    second.inside.engine.resume()
    assert second.settle(stack_id) == "CREATE_COMPLETE"
    second.end()


def test_permissions_are_checked_on_the_stacks_arn(direct: Direct) -> None:
    client = direct.client("cloudformation")
    made = client.create_stack(
        StackName="kept", TemplateBody="Resources: {G: {Type: AWS::S3::Bucket}}"
    )
    has_ended(direct.inside.engine, made["StackId"], 20)
    client.describe_stacks(StackName="kept")
    decisions = direct.log.events()[-1]["decisions"]
    assert [decision["resource"] for decision in decisions] == [made["StackId"]]


def test_a_full_disk_is_named_and_the_work_goes_on_once_there_is_room(tmp_path: Path) -> None:
    process = Process(tmp_path / "account")
    limit = process.store._db.execute
    paused, engine = threading.Event(), process.inside.engine

    def pace() -> float:
        paused.set()
        return 0.3

    engine.pace = pace
    stack_id = process.create()
    assert paused.wait(20)
    pages = limit("PRAGMA page_count").fetchone()[0]
    limit(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(ClientError, match="its disk is full") as refused:
        process.fill()
    answer = refused.value.response
    assert answer["Error"]["Code"] == "InsufficientStorage"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 507
    assert answer["ResponseMetadata"]["RetryAttempts"] == 0
    assert not has_ended(engine, stack_id, 1)
    assert process.stack(stack_id)["StackStatus"] == "CREATE_IN_PROGRESS"
    limit(f"PRAGMA max_page_count = {pages * 100}")
    assert process.settle(stack_id) == "CREATE_COMPLETE"
    assert not process.state.unsaved()
    process.end()
