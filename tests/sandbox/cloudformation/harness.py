"""CloudFormation on an account in memory: moto's IAM and S3, and no gate before them.

Who may call what is a set of refused actions. What the gate adds is tested over HTTP.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore import xform_name
from botocore.exceptions import ClientError
from moto import mock_aws

from stslab.policy import Principal
from stslab.sandbox.api.model import ApiFault, ApiRequest, Caller, HttpRequest, KeyRecord
from stslab.sandbox.cloudformation.service import CloudFormation
from stslab.sandbox.cloudformation.stacks.engine import Surroundings
from stslab.sandbox.cloudformation.stacks.state import Stack, Stacks

ACCOUNT, REGION = "123456789012", "us-east-1"
ALICE = Caller(
    Principal.from_arn(f"arn:aws:iam::{ACCOUNT}:user/alice", user_id="AIDAALICE"),
    ACCOUNT,
    "AKIAALICE",
    "IAMUser",
    "AIDAALICE",
    "alice",
)
NOWHERE = HttpRequest("POST", "/", (), "", (), b"")
PATIENCE = 20


class Harness:
    """One account. ``before`` is called with each internal call, and may raise or block."""

    def __init__(self, step_seconds: float = 0.0, stacks: Stacks | None = None) -> None:
        self.refused: set[str] = set()
        self.made: list[tuple[str, str, str]] = []
        self.before: Callable[[str, Mapping[str, Any]], None] = lambda _operation, _params: None
        self.known_keys = {"AKIAALICE": ALICE}
        self.system_tags: dict[str, Mapping[str, str]] = {}
        self.saves = 0
        self.later = timedelta(0)
        self.stacks = stacks or Stacks()
        self.lock = threading.RLock()
        self.service = CloudFormation(
            self.stacks,
            Surroundings(
                self._internal, self, lambda _account: self, self._now, self.lock, self._saved
            ),
            step_seconds,
        )

    # What the service stands on

    def _internal(
        self,
        caller: Caller,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        via: tuple[str, ...] = (),
    ) -> Mapping[str, Any]:
        self.before(operation, params)
        self.made.append((caller.access_key_id, operation, ",".join(via)))
        if f"{service}:{operation}" in self.refused:
            raise _denied(f"{service}:{operation}")
        if "Tags" in params and "iam:Tag" in self.refused:
            raise _denied("iam:TagRole")
        try:
            answer = getattr(self.client(service), xform_name(operation))(**params)
        except ClientError as error:
            raise ApiFault(
                error.response["Error"]["Code"],
                error.response["Error"]["Message"],
                error.response["ResponseMetadata"]["HTTPStatusCode"],
            ) from None
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    def lookup(self, access_key_id: str) -> KeyRecord | None:
        caller = self.known_keys.get(access_key_id)
        return KeyRecord(access_key_id, "", caller) if caller else None

    def bucket_exists(self, name: str) -> bool:
        return name in {bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]}

    def tag(self, _kind: str, name: str, tags: Mapping[str, str]) -> None:
        self.system_tags[name] = tags

    def _now(self) -> datetime:
        return datetime.now(UTC) + self.later

    def _saved(self) -> None:
        self.saves += 1

    # What tests do with it

    def client(self, service: str) -> Any:
        return _client(service)

    def call(self, operation: str, **params: Any) -> Mapping[str, Any]:
        request = ApiRequest(
            "cloudformation", operation, params, NOWHERE, ALICE, ACCOUNT, REGION, "r", self._now()
        )
        with self.lock:
            return self.service.handlers[operation](request)

    def refusal(self, operation: str, **params: Any) -> ApiFault:
        try:
            self.call(operation, **params)
        except ApiFault as fault:
            return fault
        raise AssertionError(f"{operation} was accepted")

    def settle(self, name_or_id: str) -> str:
        """Wait for the work on a stack to end; returns its status."""
        stack = self.stack(name_or_id)
        self.service.engine.wait(stack.stack_id, PATIENCE)
        assert not self.service.engine.works_on(stack)
        return stack.status

    def deploy(self, template: str, name: str = "demo", **params: Any) -> str:
        """Create a stack and wait; returns its id."""
        params.setdefault("Capabilities", ["CAPABILITY_NAMED_IAM"])
        made = self.call("CreateStack", StackName=name, TemplateBody=template, **params)
        self.settle(made["StackId"])
        return str(made["StackId"])

    def update(self, template: str, name: str = "demo", **params: Any) -> str:
        params.setdefault("Capabilities", ["CAPABILITY_NAMED_IAM"])
        self.call("UpdateStack", StackName=name, TemplateBody=template, **params)
        return self.settle(name)

    def delete(self, name: str, **params: Any) -> str:
        stack_id = self.stack(name).stack_id
        self.call("DeleteStack", StackName=name, **params)
        return self.settle(stack_id)

    def stack(self, name_or_id: str) -> Stack:
        found = self.stacks.find(ACCOUNT, REGION, name_or_id)
        assert found is not None, name_or_id
        return found

    def shown(self, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.call("DescribeStacks", StackName=name)["Stacks"][0]
        return found

    def outputs(self, name: str = "demo") -> dict[str, str]:
        return {o["OutputKey"]: o["OutputValue"] for o in self.shown(name).get("Outputs", ())}

    def history(self, name_or_id: str) -> list[str]:
        """``Role CREATE_FAILED why``, oldest first."""
        return [
            " ".join(filter(None, (event.logical_id, event.status, event.reason)))
            for event in self.stack(name_or_id).events
        ]

    def physical(self, logical_id: str, name: str = "demo") -> str:
        return self.stack(name).resources[logical_id].physical_id

    def wait_until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "it never came true"
            time.sleep(0.005)


@functools.cache
def _client(service: str) -> Any:
    return boto3.client(
        service, region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b"
    )


def _denied(action: str) -> ApiFault:
    message = (
        f"User: arn:aws:iam::{ACCOUNT}:user/alice is not authorized to perform: {action} "
        f"because no identity-based policy allows the {action} action"
    )
    return ApiFault("AccessDenied", message, 403)


@contextmanager
def account(step_seconds: float = 0.0) -> Iterator[Harness]:
    with mock_aws():
        harness = Harness(step_seconds)
        yield harness
        harness.before = lambda _operation, _params: None
        harness.service.stop()
