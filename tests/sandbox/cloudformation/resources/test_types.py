"""The table of types agrees with the schemas that AWS publishes, which cfn-lint has."""

from __future__ import annotations

from typing import Any

import pytest

from stslab.sandbox.cloudformation.resources.properties import PARTS
from stslab.sandbox.cloudformation.resources.types import (
    TYPES,
    exists,
)

UNSUPPORTED = {
    *(
        f"AWS::IAM::{name}"
        for name in ("SAMLProvider", "ServerCertificate", "ServiceLinkedRole", "VirtualMFADevice")
    ),
    *(
        f"AWS::S3::{name}"
        for name in (
            "AccessGrant",
            "AccessGrantsInstance",
            "AccessGrantsLocation",
            "AccessPoint",
            "MultiRegionAccessPoint",
            "MultiRegionAccessPointPolicy",
            "StorageLens",
            "StorageLensGroup",
        )
    ),
}


def schemas() -> Any:
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # not in every worker: it is slow

    return PROVIDER_SCHEMA_MANAGER


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = schemas().get_resource_schema("us-east-1", name).schema
    return found


def named(pointers: list[str] | None) -> set[str]:
    parts = [pointer.removeprefix("/properties/") for pointer in pointers or ()]
    return {part for part in parts if "/" not in part}


@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_type_is_as_aws_publishes_it(name: str) -> None:
    published, ours = schema(name), TYPES[name]
    read_only = named(published.get("readOnlyProperties"))
    assert {*ours.properties, *ours.unsupported} == set(published["properties"]) - read_only
    assert ours.marked("required") == set(published.get("required") or ())
    replacing = named(published.get("createOnlyProperties"))
    assert ours.marked("replaces") == replacing & ours.properties.keys()
    lists = published["properties"].items()
    unique = {member for member, its in lists if its.get("uniqueItems")}
    assert ours.marked("unique") == unique or not name.startswith("AWS::IAM::")
    assert ours.attributes == read_only


def check_kind(published: dict[str, Any], words: str, definitions: dict[str, Any]) -> None:
    """Check a property and all that it contains."""
    while "$ref" in published:
        published = definitions[published["$ref"].rpartition("/")[2]]
    kind = words.split(maxsplit=1)[0]
    if kind.endswith("[]"):
        assert published["type"] == "array"
        check_kind(published["items"], kind.removesuffix("[]"), definitions)
    elif kind in PARTS:
        required = {name for name, its in PARTS[kind].items() if "required" in its.split()}
        assert required == set(published.get("required") or ())
        inside: dict[str, Any] = {}
        for schema_part in (published, *published.get("oneOf", ())):
            inside |= schema_part.get("properties", {})
        assert PARTS[kind].keys() == inside.keys()
        for name, its in PARTS[kind].items():
            check_kind(inside[name], its, definitions)
    else:
        assert published.get("type") != "array"
        assert set(published.get("enum") or [kind]) == set(kind.split("|"))


@pytest.mark.parametrize("name", sorted(TYPES))
def test_the_values_of_properties_are_as_aws_publishes_them(name: str) -> None:
    published = schema(name)
    for member, words in TYPES[name].properties.items():
        if (name, member) != ("AWS::IAM::AccessKey", "Status"):  # its page lists the values
            check_kind(published["properties"][member], words, published.get("definitions", {}))


def published() -> set[str]:
    from cfnlint.helpers import REGIONS

    return {name for region in REGIONS for name in schemas().get_resource_types(region)}


def test_all_types_of_iam_and_s3_have_a_handler_or_are_named() -> None:
    prefixes = ("AWS::CDK::", "AWS::IAM::", "AWS::S3::")
    assert {name for name in published() if name.startswith(prefixes)} == set(TYPES) | UNSUPPORTED


def test_a_type_exists_if_aws_has_it() -> None:
    missing = {name for name in published() if not exists(name)}
    assert {name.rpartition("::")[0] for name in missing} == {"AWS::Serverless", "AMZN::SDC"}
    for name in (
        "AWS::Nope::Nope",
        "AWS::S3::Buckets",
        "AWS::Lambda",
        "AWS::Lambda::Functions",
        "AWS::Lambda::Function::X",
        "Nope",
        "AWS::lambda::Function",
    ):
        assert not exists(name)
    assert exists("Custom::Thing")
