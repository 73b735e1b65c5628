"""Calls of IAM and STS with whatever parameters: each is answered, none fails inside."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.iam.service import OPERATIONS
from stslab.sandbox.pipeline.keys import root_caller, user_caller
from stslab.sandbox.saved.account import LEARNER, World
from stslab.sandbox.server.assembly import Inside, assemble

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
NAMES = [("iam", name) for name in sorted(OPERATIONS)] + [
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
def inside() -> Inside:
    world = World.new()
    made = assemble(world)
    admin = user_caller(world.account(LEARNER).iam.users["admin"])
    for operation, params in (
        ("CreateUser", {"UserName": "a"}),
        ("CreateGroup", {"GroupName": "a"}),
        ("CreateRole", {"RoleName": "a", "AssumeRolePolicyDocument": TRUST}),
        ("CreatePolicy", {"PolicyName": "a", "PolicyDocument": POLICY}),
        ("CreateInstanceProfile", {"InstanceProfileName": "a"}),
        ("CreateVirtualMFADevice", {"VirtualMFADeviceName": "a"}),
        ("CreateOpenIDConnectProvider", {"Url": "https://idp.example.com", "ClientIDList": ["a"]}),
    ):
        made.gate.internal(admin, "iam", operation, params)
    return made


@pytest.mark.parametrize(("service", "operation"), NAMES, ids=str)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_call_is_answered(
    inside: Inside, service: str, operation: str, data: st.DataObject
) -> None:
    shape = operations.operation(service, operation).input_shape
    params = data.draw(structures(shape)) if shape is not None else {}
    # The root user stays, whatever becomes of the users.
    caller = root_caller(inside.world.account(LEARNER))
    status = 200
    try:
        inside.gate.internal(caller, service, operation, params)
    except ApiFault as fault:
        status = fault.status
    assert status < 500
