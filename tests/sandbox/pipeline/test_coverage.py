"""Each of AWS's operations is either authorized and carried out, or refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, ParamValidationError
from tests.sandbox.direct import Direct

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import ApiFault, HttpRequest
from stslab.sandbox.pipeline import naming
from stslab.sandbox.s3.requests import address
from stslab.sandbox.s3.requests.address import _TABLES

REFUSED = {"UnsupportedOperation", "NotImplemented"}
_EXAMPLES = {
    "Bucket": "lab-bucket",
    "Key": "hello.txt",
    "CopySource": "lab-bucket/hello.txt",
    "UserName": "ann",
    "RoleName": "app",
    "GroupName": "devs",
    "ObjectAttributes": ["ETag"],
}
_SCALARS: dict[str, Any] = {
    "string": "example",
    "integer": 1,
    "long": 1,
    "boolean": True,
    "timestamp": dt.datetime(2030, 1, 1, tzinfo=dt.UTC),
    "blob": b"content",
    "map": {},
    "list": [],
}
# They have no request of their own: an older form, another kind of bucket, a browser's.
NOT_NAMED = frozenset(_TABLES["unnamed"])
# Operations of S3's control API, which only stacks use.
OF_STACKS = {"TagResource", "UntagResource"}


def example(shape: Any, depth: int = 0) -> Any:
    """A value of this shape with all required members."""
    if shape.type_name == "structure":
        return {
            name: _EXAMPLES.get(name) or example(member, depth + 1)
            for name, member in shape.members.items()
            if name in shape.required_members
            or (depth == 0 and name == shape.serialization.get("payload"))
        }
    if shape.type_name == "list" and depth < 4:
        return [example(shape.member, depth + 1)]
    if shape.type_name == "string" and shape.enum:
        return shape.enum[0]
    return _SCALARS.get(shape.type_name, "example")


@pytest.mark.parametrize("service", operations.SERVICES)
def test_an_operation_is_mapped_or_refused(furnished: Direct, service: str) -> None:
    real = furnished.inside.services[service]
    implemented = real.reads.keys() | real.writes.keys()
    assert not real.reads.keys() & real.writes.keys()
    assert implemented <= operations.names(service) | OF_STACKS
    for name in sorted(operations.names(service) - NOT_NAMED):
        code = code_of(furnished, service, name)
        assert furnished.log.events()[-1]["eventName"] == name
        assert code != "InternalFailure", name
        assert code in REFUSED or name in implemented, name


def test_operations_without_a_request_of_their_own_are_refused(direct: Direct) -> None:
    s3 = direct.inside.services["s3"]
    named = {one.name for group in address.candidates().values() for one in group}
    for name in NOT_NAMED:
        assert name not in named
        assert name not in {**s3.reads, **s3.writes}


def code_of(direct: Direct, service: str, name: str) -> str:
    """The error code that the administrator gets; empty if the call succeeds."""
    client = direct.client(service)
    shape = client.meta.service_model.operation_model(name).input_shape
    try:
        getattr(client, xform_name(name))(**(example(shape) if shape else {}))
    except ClientError as error:
        return error.response["Error"]["Code"]
    except ParamValidationError as error:
        pytest.fail(str(error))
    return ""


@pytest.mark.parametrize("service", ["s3control", "organizations", "kms", "lambda", "moto-api"])
def test_other_services_are_refused(service: str) -> None:
    with pytest.raises(ApiFault) as refused:
        naming.name(service, HttpRequest("POST", "/", (), "", (), b"Action=Anything"))
    assert refused.value.code == "UnsupportedOperation"
