"""One piece of work on one resource, as its handler sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from stslab.sandbox.api.model import ApiFault

Call = Callable[[str, str, Mapping[str, Any]], Mapping[str, Any]]
"""Makes a call (service, operation, parameters) in the name of whoever owns the stack's work."""

GONE = frozenset({"NoSuchEntity", "NoSuchBucket", "NoSuchBucketPolicy"})
SYSTEM = "aws:"
REFUSED = frozenset({"AccessDenied", "UnauthorizedOperation", "UnauthorizedTaggingOperation"})


class Ground(Protocol):
    """What CloudFormation knows and does as a part of AWS, without its caller's permissions."""

    def bucket_exists(self, name: str) -> bool:
        """Whether any account has a bucket of this name."""
        ...

    def tag(self, kind: str, name: str, tags: Mapping[str, str]) -> None:
        """Set the system tags (``aws:…``) of a role, user, OIDC provider or bucket."""
        ...


@dataclass
class Work:
    """What a handler needs to know, and where it leaves what it found out.

    ``tags`` are the resource's own, the stack's, and those that CloudFormation adds.
    ``ground`` is what CloudFormation may do that its callers may not. ``note`` puts a line
    into the stack's events. ``succeeded`` lists the calls that did.
    """

    call: Call
    ground: Ground
    type: str
    logical_id: str
    physical_id: str
    properties: Mapping[str, Any] = field(repr=False)
    region: str = "us-east-1"
    account: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    old_tags: Mapping[str, str] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict, repr=False)
    note: Callable[[str], None] = lambda _reason: None
    succeeded: list[str] = field(default_factory=list)

    def get(self, name: str, default: Any = None) -> Any:
        """A property's value, or ``default`` where it is not given."""
        return self.properties.get(name, default)

    def iam(self, operation: str, **params: Any) -> Mapping[str, Any]:
        """Call IAM, leaving out parameters that are None."""
        return self.call("iam", operation, _given(params))

    def s3(self, operation: str, **params: Any) -> Mapping[str, Any]:
        """Call S3, leaving out parameters that are None."""
        return self.call("s3", operation, _given(params))

    def quietly(self, service: str, operation: str, **params: Any) -> None:
        """Call, not minding that what is meant is gone already."""
        try:
            self.call(service, operation, _given(params))
        except ApiFault as fault:
            if fault.code not in GONE:
                raise

    @property
    def own_tags(self) -> dict[str, str]:
        """The tags that are the caller's to set."""
        return _own(self.tags)

    @property
    def old_own_tags(self) -> dict[str, str]:
        """Those that were set so far."""
        return _own(self.old_tags)

    def tag_system(self, kind: str, name: str) -> None:
        """Set the tags that only CloudFormation itself can set."""
        system = {key: value for key, value in self.tags.items() if key.startswith(SYSTEM)}
        self.ground.tag(kind, name, system)

    def tagged(self, operation: str, **params: Any) -> Mapping[str, Any]:
        """Call an operation of IAM with the tags; without them where the caller may not tag.

        That is what CloudFormation does with IAM resources, saying so in an event.
        """
        tags = [{"Key": key, "Value": value} for key, value in self.own_tags.items()]
        try:
            return self.iam(operation, **params, Tags=tags or None)
        except ApiFault as fault:
            if not tags or fault.code not in REFUSED or ":Tag" not in fault.message:
                raise
        self.note(f"Did not have IAM permissions to process tags on {self.type} resource.")
        return self.iam(operation, **params)


def _own(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if not key.startswith(SYSTEM)}


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
