"""CloudFormation with a saved account. Tests can intercept its calls to other services.

Everything is real except that a test can refuse actions, and run a hook before and after each call
that CloudFormation makes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from tests.sandbox.direct import Direct, has_ended

from stslab.sandbox.api.model import (
    Answer,
    ApiFault,
    ApiRequest,
    Caller,
    HttpRequest,
)
from stslab.sandbox.cloudformation import lookups
from stslab.sandbox.cloudformation.service import CloudFormation
from stslab.sandbox.cloudformation.stacks.engine import Engine
from stslab.sandbox.pipeline import accounts
from stslab.sandbox.state.buckets import Bucket
from stslab.sandbox.state.stacks import Stack, StackResource
from stslab.sandbox.state.state import State
from stslab.sandbox.state.store import Store
from stslab.vocabulary import LEARNER, REGION

NOWHERE = HttpRequest("POST", "/", (), "", (), b"")
PATIENCE = 20
Hook = Callable[[str, Mapping[str, Any]], None]


class Harness:
    """One account. ``before`` and ``after`` are called with each call, and may raise or block."""

    def __init__(self, path: Path) -> None:
        self.refused: set[str] = set()
        self.made: list[tuple[str, str, bool]] = []
        self.before: Hook = lambda _operation, _params: None
        self.after: Hook = lambda _operation, _params: None
        self._path = path
        self._open()
        self.key_id = self._direct.keys["admin"][0]
        self.caller, self.root = self._caller("admin"), self._caller("root")

    def _open(self) -> None:
        self._store = Store(self._path)
        self.state = State(self._store.load(), self._store)
        if not self.state.snapshot.settings.instance:
            with self.state.transaction() as tx:
                for record in accounts.new():
                    tx.put(record)
        self._direct = Direct(self.state)
        self._direct.stop()  # the service with the hooks replaces its service
        engine = Engine(self.state, self._internal, self._direct.inside.keys, 0.0)
        self.service = CloudFormation(self.state, self._internal, engine)

    def _caller(self, who: str) -> Caller:
        found = self._direct.inside.keys(self._direct.keys[who][0])
        assert found is not None
        return found.caller

    def close(self) -> None:
        self.before = lambda _operation, _params: None
        self.service.engine.stop()
        self._store.close()

    def reopen(self) -> None:
        """Open the saved account again, as another process would."""
        self._store.close()
        self._open()
        self.service.engine.resume()

    # The calls of the service

    def _internal(
        self,
        caller: Caller,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        here: bool = False,
    ) -> Answer:
        self.before(operation, params)
        self.made.append((caller.access_key_id, operation, here))
        if f"{service}:{operation}" in self.refused:
            raise _denied(f"{service}:{operation}")
        if "Tags" in params and "iam:Tag" in self.refused:
            raise _denied("iam:TagRole")
        answer = self._direct.inside.pipeline.internal(
            caller, service, operation, params, here=here
        )
        self.after(operation, params)
        return answer

    # Actions for tests

    def client(self, service: str) -> Any:
        return self._direct.client(service)

    def call(self, operation: str, **params: Any) -> Answer:
        now = self.state.now()
        request = ApiRequest(
            "cloudformation", operation, params, NOWHERE, self.caller, LEARNER, REGION, "r", now
        )
        if operation in self.service.reads:
            return self.service.reads[operation](self.state.snapshot, request)
        with self.state.transaction() as tx:
            return self.service.writes[operation](tx, request) or {}

    def refusal(self, operation: str, **params: Any) -> ApiFault:
        try:
            self.call(operation, **params)
        except ApiFault as fault:
            return fault
        raise AssertionError(f"{operation} was accepted")

    def settle(self, name_or_id: str) -> str:
        """Wait for the work on a stack to end; returns its status."""
        stack_id = self.stack(name_or_id).stack_id
        assert has_ended(self.service.engine, stack_id, PATIENCE)
        return self.stack(stack_id).status

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

    def advance(self, by: timedelta) -> None:
        """Move the account's clock."""
        with self.state.transaction() as tx:
            offset = tx.settings.clock_offset + by.total_seconds()
            tx.put(replace(tx.settings, clock_offset=offset))

    # State for tests

    @property
    def stacks(self) -> list[Stack]:
        return lookups.stacks(self.state.snapshot, LEARNER, REGION)

    def stack(self, name_or_id: str) -> Stack:
        found = lookups.find(self.state.snapshot, LEARNER, REGION, name_or_id)
        assert found is not None, name_or_id
        return found

    def resources(self, name_or_id: str = "demo") -> dict[str, StackResource]:
        return lookups.resources(self.state.snapshot, self.stack(name_or_id))

    def resource(self, logical_id: str, name_or_id: str = "demo") -> StackResource:
        return self.resources(name_or_id)[logical_id]

    def physical(self, logical_id: str, name_or_id: str = "demo") -> str:
        return self.resource(logical_id, name_or_id).physical_id

    def shown(self, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.call("DescribeStacks", StackName=name)["Stacks"][0]
        return found

    def outputs(self, name: str = "demo") -> dict[str, str]:
        return {o["OutputKey"]: o["OutputValue"] for o in self.shown(name).get("Outputs", ())}

    def history(self, name_or_id: str) -> list[str]:
        """``Role CREATE_FAILED why``, oldest first."""
        return [
            " ".join(filter(None, (event.logical_id, event.status, event.reason)))
            for event in lookups.events(self.state.snapshot, self.stack(name_or_id))
        ]

    def bucket_exists(self, name: str) -> bool:
        return self.state.snapshot.get(Bucket, "", name) is not None

    def roles(self) -> list[str]:
        """The names of all roles but the service-linked ones, which every account has."""
        roles = self.client("iam").list_roles()["Roles"]
        return [r["RoleName"] for r in roles if not r["Path"].startswith("/aws-service-role/")]

    def buckets(self) -> list[str]:
        return [bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]]

    def wait_until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "it never came true"
            time.sleep(0.005)


def _denied(action: str) -> ApiFault:
    message = (
        f"User: arn:aws:iam::{LEARNER}:user/admin is not authorized to perform: {action} "
        f"because no identity-based policy allows the {action} action"
    )
    return ApiFault("AccessDenied", message, 403)
