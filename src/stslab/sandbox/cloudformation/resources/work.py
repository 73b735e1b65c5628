"""One piece of work on one resource, as its handler sees it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partialmethod
from typing import TypeVar

from msgspec.structs import replace

from stslab.sandbox.api.model import Answer, ApiFault
from stslab.sandbox.cloudformation.template.template import Value
from stslab.sandbox.state.buckets import Bucket
from stslab.sandbox.state.identities import OidcProvider, Role, User
from stslab.sandbox.state.state import State

Properties = Mapping[str, Value]
Call = Callable[[str, str, Properties], Answer]
"""Makes a call (service, operation, parameters) in the name of who owns the stack's work."""
Tagged = TypeVar("Tagged", Role, User, OidcProvider, Bucket)

ABSENT = frozenset(
    {"InvalidInput", "NoSuchBucket", "NoSuchBucketPolicy", "NoSuchEntity", "ValidationError"}
)
"""The answers to who deletes what is not there, or can't be, having a name that nothing has."""
SYSTEM = "aws:"
REFUSED = frozenset({"AccessDenied", "UnauthorizedOperation", "UnauthorizedTaggingOperation"})


class Unfit(Exception):  # noqa: N818 - what the properties are, not what went wrong in here
    """The properties are not what the type takes; the message is the event's reason."""


def document(value: object) -> str:
    """A policy document as text: CloudFormation turns YAML and JSON into JSON."""
    return value if isinstance(value, str) else json.dumps(value)


class Refused(ApiFault):
    """What another service answered to a call."""

    def __init__(self, service: str, fault: ApiFault) -> None:
        super().__init__(fault.code, fault.message, fault.status)
        self.service = service


@dataclass
class Work:
    """What a handler needs to know, and where it leaves what it found out.

    ``tags`` are the resource's own, the stack's, and those that CloudFormation adds.
    ``note`` puts a line into the stack's events. ``succeeded`` lists the calls that did.
    """

    call: Call = field(repr=False)
    state: State
    type_name: str
    logical_id: str
    physical_id: str
    properties: Properties = field(repr=False)
    region: str
    account: str
    tags: Mapping[str, str] = field(default_factory=dict)
    old_tags: Mapping[str, str] = field(default_factory=dict)
    attributes: dict[str, Value] = field(default_factory=dict, repr=False)
    note: Callable[[str], None] = lambda _reason: None
    succeeded: list[str] = field(default_factory=list)

    def get(self, name: str, default: Value = None) -> Value:
        return self.properties.get(name, default)

    def quietly(self, service: str, operation: str, **params: Value) -> None:
        """Call, not minding that what is meant is gone, or never was."""
        try:
            self._make(service, operation, **params)
        except ApiFault as fault:
            if fault.code not in ABSENT:
                raise

    def _make(self, service: str, operation: str, **params: Value) -> Answer:
        """Call, leaving out parameters that are None."""
        given = {name: value for name, value in params.items() if value is not None}
        try:
            output = self.call(service, operation, given)
        except ApiFault as fault:
            raise Refused(service, fault) from None
        self.succeeded.append(operation)
        return output

    iam = partialmethod(_make, "iam")
    s3 = partialmethod(_make, "s3")

    def tag_system(self, kind: type[Tagged], key: str) -> None:
        """Add the tags that only CloudFormation itself can set, to the record of this key."""
        account = "" if kind is Bucket else self.account
        system = {name: value for name, value in self.tags.items() if name.startswith(SYSTEM)}
        with self.state.transaction() as tx:
            found = tx.get(kind, account, key)
            if found is not None:
                tx.put(replace(found, tags={**found.tags, **system}))

    def tagged(self, operation: str, **params: Value) -> Answer:
        """Call an operation of IAM with the tags; without them where the caller may not tag.

        That is what CloudFormation does with IAM resources, saying so in an event.
        """
        tags = [{"Key": key, "Value": value} for key, value in own(self.tags).items()]
        try:
            return self.iam(operation, **params, Tags=tags or None)
        except ApiFault as fault:
            if not tags or fault.code not in REFUSED or ":Tag" not in fault.message:
                raise
        self.note(f"Did not have IAM permissions to process tags on {self.type_name} resource.")
        return self.iam(operation, **params)


def own(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that are the caller's to set."""
    return {key: value for key, value in tags.items() if not key.startswith(SYSTEM)}
