"""The table of types against the schemas that AWS publishes, as cfn-lint has them."""

from __future__ import annotations

from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from stslab.sandbox.cloudformation.resources import KNOWN_ELSEWHERE, TYPES

# AWS's schema calls Description replacing and its page does too; Id is read-only there.
RETURNED = {"AWS::IAM::AccessKey": {"Id"}}


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", name).schema
    return found


def named(pointers: list[str] | None) -> set[str]:
    parts = [pointer.removeprefix("/properties/") for pointer in pointers or ()]
    return {part for part in parts if "/" not in part}


@pytest.mark.parametrize("name", sorted(TYPES))
def test_as_aws_publishes_it(name: str) -> None:
    published, ours = schema(name), TYPES[name]
    read_only = named(published.get("readOnlyProperties"))
    assert set(ours.properties) == set(published["properties"]) - read_only
    required = {key for key, each in ours.properties.items() if each.required}
    assert required == set(published.get("required") or ())
    supported = {key for key, each in ours.properties.items() if each.supported}
    assert ours.replacing == named(published.get("createOnlyProperties")) & supported
    assert ours.attributes == read_only - RETURNED.get(name, set())


def test_what_is_known_elsewhere_is_all_that_there_is() -> None:
    regions = PROVIDER_SCHEMA_MANAGER.get_resource_types("us-east-1")
    published = {name for name in regions if name.startswith(("AWS::IAM::", "AWS::S3::"))}
    assert published == set(TYPES) | KNOWN_ELSEWHERE
