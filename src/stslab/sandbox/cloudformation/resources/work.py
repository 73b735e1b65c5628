"""The work on one resource that a handler has to do, and its tools for that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partialmethod

from stslab.sandbox.api.model import Answer, ApiFault, tag_list
from stslab.sandbox.cloudformation.template.template import Properties, Value, as_text
from stslab.sandbox.state.state import State
from stslab.structures import mapped, text_or_json

_SYSTEM = "aws:cloudformation:"
Call = Callable[[str, str, Properties], Answer]
"""Makes a call (service, operation, parameters) in the name of the stack's caller or role."""
ABSENT = frozenset(
    {"InvalidInput", "NoSuchBucket", "NoSuchBucketPolicy", "NoSuchEntity", "ValidationError"}
)
"""The errors of deletions if the thing does not exist, or can't exist with its name."""


class BadProperties(Exception):  # noqa: N818 - it describes the template, not a fault here
    """The type does not accept the properties. The message is the event's reason."""


def document(value: object) -> str:
    """A policy as a service gets it: CloudFormation turns each number and boolean into a text."""
    return text_or_json(mapped(value, as_text, of=object))


class Refused(ApiFault):
    """An error of another service."""

    def __init__(self, service: str, fault: ApiFault) -> None:
        super().__init__(fault.code, fault.message, fault.status)
        self.service = service


@dataclass
class Work:
    """The input of a handler, and its output: ``physical_id`` and ``attributes``."""

    call: Call = field(repr=False)
    state: State
    physical_id: str
    properties: Properties = field(repr=False)
    region: str
    tags: Mapping[str, str] = field(default_factory=dict)  # the stack's too
    old_tags: Mapping[str, str] = field(default_factory=dict)
    attributes: dict[str, Value] = field(default_factory=dict, repr=False)
    succeeded: list[str] = field(default_factory=list)  # operations

    def get(self, name: str, default: Value = None) -> Value:
        return self.properties.get(name, default)

    def quietly(self, service: str, operation: str, *codes: str, **params: Value) -> Answer:
        """Call; the answer is empty if the error has one of the codes, by default of ABSENT."""
        try:
            return self._make(service, operation, **params)
        except ApiFault as fault:
            if fault.code not in (codes or ABSENT):
                raise
        return {}

    def _make(self, service: str, operation: str, **params: Value) -> Answer:
        """Call without the parameters that are None. Raises Refused."""
        given = {name: value for name, value in params.items() if value is not None}
        try:
            output = self.call(service, operation, given)
        except ApiFault as fault:
            raise Refused(service, fault) from None
        self.succeeded.append(operation)
        return output

    iam = partialmethod(_make, "iam")
    s3 = partialmethod(_make, "s3")

    def tagged(self, operation: str, **params: Value) -> Answer:
        return self.iam(operation, **params, Tags=tag_list(self.tags) or None)

    def retag(self, service: str, kind: str, **named: str) -> None:
        """Change the tags, but for CloudFormation's own, which are there from the creation on.

        The removed ones go first: there may be no room, and a new one may differ only in case.
        """
        new, old = self.tags, self.old_tags
        changed = {key: value for key, value in new.items() if old.get(key) != value}
        if removed := sorted(old.keys() - new.keys()):
            self._make(service, f"Untag{kind}", **named, TagKeys=removed)
        if tags := tag_list({k: v for k, v in changed.items() if not k.startswith(_SYSTEM)}):
            self._make(service, f"Tag{kind}", **named, Tags=tags)
