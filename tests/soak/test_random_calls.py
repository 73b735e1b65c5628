"""Calls of IAM and STS one after another on one account, whatever they ask: each is answered.

An answer can be written, nothing fails inside, and what was changed is saved. It goes on for
``STSLAB_SOAK_SECONDS`` (a minute by default) with each seed.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from stslab.sandbox.api import operations, serialize
from stslab.sandbox.api.model import ApiFault, HttpRequest
from stslab.sandbox.pipeline import accounts
from stslab.sandbox.pipeline.authorization import caller_of
from stslab.sandbox.server.embedded import assemble
from stslab.sandbox.state.identities import User
from stslab.sandbox.state.snapshot import Account, Snapshot
from stslab.sandbox.state.state import State
from stslab.sandbox.state.store import Store
from stslab.vocabulary import LEARNER

pytestmark = pytest.mark.soak
SECONDS = float(os.environ.get("STSLAB_SOAK_SECONDS", "60"))
POLICIES = (
    '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}',
    json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{LEARNER}:root"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
    ),
)
ARNS = tuple(
    f"arn:aws:iam::{LEARNER}:{rest}"
    for rest in (
        *("user/a", "role/a", "group/a", "policy/a", "mfa/a", "saml-provider/a"),
        "oidc-provider/idp.example.com",
    )
)
TEXTS = (
    *("a", "b", "c", "admin", "", "é", "\x00", "a" * 200, "/", "/a/", "v1", "v2", "123456"),
    *("0" * 40, "Active", "Inactive", "Pass-word1!", "https://idp.example.com"),
    *("sts.amazonaws.com", "autoscaling.amazonaws.com", "iam:ListUsers", "s3:GetObject"),
    *("{}", "[]", '{"Statement": 1}', "arn:aws:iam::aws:policy/ReadOnlyAccess"),
    *(ARNS + POLICIES),
)
NUMBERS = (-1, 0, 1, 900, 3600, 43200, 10**12)
_HTTP = HttpRequest("POST", "/", (), "", (), b"")


class Caller:
    """Makes up the parameters of calls, from names that come again and again."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.keys: list[str] = []

    def value(self, shape: Any, name: str = "", depth: int = 0) -> Any:
        choose, kind = self.random.choice, shape.type_name
        if kind == "structure":
            return {} if depth > 5 else self.structure(shape, depth)
        if kind == "list":
            size = self.random.randint(0, 3)
            return [self.value(shape.member, name, depth + 1) for _ in range(size)]
        if kind == "string":
            return self.text(name, getattr(shape, "enum", None))
        return choose({"boolean": (True, False), "map": ({},)}.get(kind, NUMBERS))

    def text(self, name: str, allowed: list[str] | None) -> str:
        choices = POLICIES if "Policy" in name and self.random.random() < 0.5 else TEXTS
        if allowed and self.random.random() < 0.9:
            choices = tuple(allowed)
        elif name == "AccessKeyId" and self.keys:
            choices = tuple(self.keys)
        elif name.endswith("Name") and self.random.random() < 0.8:
            choices = ("a", "b", "c")
        return self.random.choice(choices)

    def structure(self, shape: Any, depth: int) -> dict[str, Any]:
        return {
            name: self.value(member, name, depth + 1)
            for name, member in shape.members.items()
            if self.random.random() < (0.97 if name in shape.required_members else 0.3)
        }


@pytest.mark.parametrize("seed", range(3))
def test_every_call_is_answered_whatever_came_before(
    seed: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    store = Store(tmp_path / "account.db")
    request.addfinalizer(store.close)
    state = State(Snapshot(), store)
    with state.transaction() as tx:
        for record in accounts.new():
            tx.put(record)
    inside, asking, codes = assemble(state), Caller(seed), Counter[str]()
    account = state.snapshot.get(Account, LEARNER, "")
    assert account is not None
    iam = inside.services["iam"]
    names = [("iam", name) for name in sorted({*iam.reads, *iam.writes})]
    names += [("sts", name) for name in sorted(operations.names("sts"))]
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        service, operation = asking.random.choice(names)
        shape = operations.operation(service, operation).input_shape
        params = {} if shape is None else asking.structure(shape, 0)
        admin = state.snapshot.get(User, LEARNER, "admin")
        by_admin = admin is not None and asking.random.random() < 0.5
        caller = caller_of(admin if by_admin and admin else account)
        try:
            answer = inside.pipeline.internal(caller, service, operation, params)
        except ApiFault as refused:
            fault = refused
            codes[fault.code] += 1
        else:
            codes["answered"] += 1
            written = serialize.result(service, operation, answer, "id", _HTTP).body
            assert not re.search(rb"\bNone\b", written)  # within a token it is chance
            if operation == "CreateAccessKey":
                asking.keys = [*asking.keys[-8:], answer["AccessKey"]["AccessKeyId"]]
            continue
        assert fault.status < 500, (operation, params)
    assert codes["answered"] > len(names), codes
    assert not state.unsaved()
