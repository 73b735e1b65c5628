"""Calls of IAM and STS with random parameters: none fails with an internal error.

The store has what they changed.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.iam.service import IamService
from stslab.sandbox.pipeline import accounts
from stslab.sandbox.pipeline.authorization import PolicyJudge, caller_of
from stslab.sandbox.server.embedded import Inside, assemble
from stslab.sandbox.state.snapshot import Account, Snapshot
from stslab.sandbox.state.state import State
from stslab.sandbox.state.store import Store
from stslab.vocabulary import LEARNER

ADMIN = "arn:aws:iam::111122223333:user/admin"
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
)
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": ADMIN}, "Action": "sts:AssumeRole"}],
    }
)
SEEDS = [
    "a",
    "admin",
    "/",
    "/a/",
    "v1",
    "123456",
    "AKIAIOSFODNN7EXAMPLE",
    "https://idp.example.com",
    "Active",
    "sts.amazonaws.com",
    ADMIN,
    "arn:aws:iam::111122223333:role/a",
    "arn:aws:iam::111122223333:policy/a",
    "arn:aws:iam::aws:policy/ReadOnlyAccess",
    "arn:aws:iam::111122223333:mfa/a",
    "arn:aws:iam::111122223333:oidc-provider/idp.example.com",
    "arn:aws:iam::111122223333:saml-provider/a",
    POLICY,
    TRUST,
    "{}",
    "iam:ListUsers",
    "a.b.c",
]
TEXTS = st.sampled_from(SEEDS) | st.text(max_size=8)
IAM = IamService(PolicyJudge())
NAMES = [("iam", name) for name in sorted({*IAM.reads, *IAM.writes})] + [
    ("sts", name) for name in sorted(operations.names("sts"))
]


def values(shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    kind = shape.type_name
    if kind == "structure":
        return structures(shape, depth)
    if kind == "list":
        return st.lists(values(shape.member, depth + 1), max_size=3)
    if kind in {"integer", "long"}:
        return st.integers(min_value=-1, max_value=50000)
    if kind == "boolean":
        return st.booleans()
    return st.sampled_from(list(shape.enum)) if getattr(shape, "enum", None) else TEXTS


def structures(shape: Any, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    if depth > 4:
        return st.just({})
    required = {name: values(shape.members[name], depth + 1) for name in shape.required_members}
    optional = {
        name: values(member, depth + 1)
        for name, member in shape.members.items()
        if name not in required
    }
    return st.fixed_dictionaries(required, optional=optional)


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    store = Store(tmp_path_factory.mktemp("account") / "account.db")
    state = State(Snapshot(), store)
    with state.transaction() as tx:
        for record in accounts.new():
            tx.put(record)
    made = assemble(state)
    for operation, params in (
        ("CreateUser", {"UserName": "a"}),
        ("CreateGroup", {"GroupName": "a"}),
        ("CreateRole", {"RoleName": "a", "AssumeRolePolicyDocument": TRUST}),
        ("CreatePolicy", {"PolicyName": "a", "PolicyDocument": POLICY}),
        ("CreateInstanceProfile", {"InstanceProfileName": "a"}),
        ("CreateVirtualMFADevice", {"VirtualMFADeviceName": "a"}),
        ("CreateOpenIDConnectProvider", {"Url": "https://idp.example.com", "ClientIDList": ["a"]}),
    ):
        call(made, "iam", operation, params)
    yield made
    store.close()


def call(inside: Inside, service: str, operation: str, params: dict[str, Any]) -> None:
    """Call as the root user, which random calls can't delete."""
    account = inside.state.snapshot.get(Account, LEARNER, "")
    assert account is not None
    inside.pipeline.internal(caller_of(account), service, operation, params)


@pytest.mark.parametrize(("service", "operation"), NAMES, ids=str)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_call_is_answered(
    inside: Inside, service: str, operation: str, data: st.DataObject
) -> None:
    shape = operations.operation(service, operation).input_shape
    params = data.draw(structures(shape)) if shape is not None else {}
    status = 200
    try:
        call(inside, service, operation, params)
    except ApiFault as fault:
        status = fault.status
    assert status < 500
    assert not inside.state.unsaved()
