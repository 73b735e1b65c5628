"""The documented behaviour of CloudFormation, with boto3 over HTTP."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
from tests.sandbox import cases

from stslab.lab.references import resolve

PATIENCE = 20


class _StackRun(cases._Run):
    """Also has a step `{settled: stack-name, status: CREATE_COMPLETE}`, which waits for a stack."""

    def _step(self, step: Mapping[str, Any]) -> None:
        if "settled" in step:
            self._settled(step)
        else:
            super()._step(step)

    def _settled(self, step: Mapping[str, Any]) -> None:
        name = resolve(step["settled"], self._scope)
        client = self._account.client("cloudformation", "admin", step.get("region"))
        end = time.monotonic() + PATIENCE
        while True:
            stack = client.describe_stacks(StackName=name)["Stacks"][0]
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                break
            assert time.monotonic() < end, stack["StackStatus"]
            time.sleep(0.02)
        assert stack["StackStatus"] == step["status"], stack.get("StackStatusReason")


@pytest.mark.parametrize(
    "case", [*cases.load("cloudformation.yaml"), *cases.load("cloudformation_templates.yaml")]
)
def test_as_documented(account: cases.Account, case: cases.Case) -> None:
    _StackRun(account).all(case)
