"""The resource types in ``types.yaml``, with their handlers.

AWS CloudFormation User Guide, "AWS resource and property types reference", "Name type" and
"Physical ID"; "Update requires" of a property says whether its update replaces the resource.
"""

import re
import secrets
import string
import uuid
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Protocol

import msgspec

from stslab.sandbox.cloudformation.resources import iam, s3
from stslab.sandbox.cloudformation.resources.properties import FILE, members
from stslab.sandbox.cloudformation.resources.work import BadProperties, Work
from stslab.sandbox.cloudformation.template.template import Properties


class Handler(Protocol):
    """Creates, updates and deletes the resources of one type, by calls in the caller's name."""

    # Sets the attributes, and ``work.physical_id`` if AWS chooses the name.
    def create(self, work: Work) -> None: ...

    def update(self, work: Work, old: Properties) -> None: ...

    # Ignores what does not exist, and deletes what ``create`` made before it failed.
    def delete(self, work: Work) -> None: ...


_HANDLERS: Mapping[str, Handler] = {
    "AWS::CDK::Metadata": iam.Connection(lambda _: (), lambda _: str(uuid.uuid4())),
    "AWS::IAM::AccessKey": iam.AccessKey(),
    "AWS::IAM::Group": iam.Group(),
    "AWS::IAM::GroupPolicy": iam.INLINE_POLICY,
    "AWS::IAM::InstanceProfile": iam.InstanceProfile(),
    "AWS::IAM::ManagedPolicy": iam.ManagedPolicy(),
    "AWS::IAM::OIDCProvider": iam.OidcProvider(),
    "AWS::IAM::Policy": iam.INLINE_POLICY,
    "AWS::IAM::Role": iam.Role(),
    "AWS::IAM::RolePolicy": iam.INLINE_POLICY,
    "AWS::IAM::User": iam.User(),
    "AWS::IAM::UserPolicy": iam.INLINE_POLICY,
    "AWS::IAM::UserToGroupAddition": iam.MEMBERSHIP,
    "AWS::S3::Bucket": s3.Bucket(),
    "AWS::S3::BucketPolicy": s3.BucketPolicy(),
}
SUFFIX_LENGTH = 12


class ResourceType(msgspec.Struct, frozen=True, kw_only=True):
    """One type; ``types.yaml`` explains its members. One of ``any_of`` must be given."""

    name: str
    properties: Mapping[str, str]
    unsupported: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    acknowledged: bool = False
    name_property: str = ""
    identifier: tuple[str, ...] = ()
    names: str = ""
    name_limit: int = 64
    tagged: bool = False
    any_of: tuple[str, ...] = ()

    @property
    def handler(self) -> Handler:
        return _HANDLERS[self.name]

    def marked(self, word: str) -> frozenset[str]:
        """The properties with a word in ``types.yaml``: ``required`` or ``replaces``."""
        return frozenset(name for name, words in self.properties.items() if word in words.split())

    def new_name(self, stack: str, logical_id: str, given: Properties) -> str:
        """The custom name, or one of ``name_limit`` characters: ``stack-LogicalId-Kx81mYqP0aZb``.

        If it would be longer, its first two parts have the same room, the stack's rounded up.
        """
        if custom := given.get(self.name_property):
            return str(custom)
        if self.identifier:
            return "|".join(str(given[name]) for name in self.identifier)
        mixed = string.ascii_letters + string.digits
        suffix = "".join(secrets.choice(mixed) for _ in range(SUFFIX_LENGTH))
        room = self.name_limit - SUFFIX_LENGTH - len("--")
        logical = logical_id[: max(room // 2, room - len(stack))]
        name = f"{stack[: room - len(logical)]}-{logical}-{suffix}" if self.names else ""
        return name.lower() if self.names == "lower" else name


def fitted(kind: ResourceType, logical_id: str, properties: Properties) -> Properties:
    """The properties, converted to their kinds ("3600" to 3600). Raises BadProperties."""
    if unsupported := [name for name in properties if name in kind.unsupported]:
        which = f"Property {unsupported[0]} of {kind.name}"
        raise BadProperties(f"{which} is not supported by the embedded account")
    problems: list[str] = []
    result = members(kind.properties, properties, "#", problems)
    if problems:
        failed = f"Properties validation failed for resource {logical_id} with message:"
        raise BadProperties(f"{failed}\n[{', '.join(problems)}]")
    if kind.any_of and not any(result.get(name) for name in kind.any_of):
        raise BadProperties(f"At least one of [{','.join(kind.any_of)}] must be non-empty.")
    return result


TYPES: Mapping[str, ResourceType] = {
    name: msgspec.convert({"name": name, **row}, ResourceType) for name, row in FILE.types.items()
}
_OTHERS = re.compile(r"Custom::[\w@-]+|Alexa::ASK::Skill")


def exists(name: str) -> bool:
    """Whether AWS has the type. AWS::Serverless needs a transform, and is missing."""
    return name in _published() or _OTHERS.fullmatch(name) is not None


@cache
def _published() -> frozenset[str]:
    """The types in ``types.txt``, where each line is of a service: Lambda Alias Function..."""
    lines = Path(__file__).with_name("types.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(f"AWS::{of}::{name}" for of, *names in map(str.split, lines) for name in names)
