"""Finds what an update would change, for change sets and to refuse empty updates.

AWS CloudFormation User Guide, "Updating stacks using change sets" and "Update behaviors of
stack resources".
"""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from stslab.sandbox.cloudformation import lookups
from stslab.sandbox.cloudformation.resources.properties import members
from stslab.sandbox.cloudformation.resources.types import TYPES, fitted
from stslab.sandbox.cloudformation.resources.work import BadProperties, Properties
from stslab.sandbox.cloudformation.template.blueprint import Blueprint, lookup_in
from stslab.sandbox.cloudformation.template.functions import UNKNOWN
from stslab.sandbox.cloudformation.template.references import Reference, references
from stslab.sandbox.cloudformation.template.template import Value
from stslab.sandbox.state.buckets import Bucket
from stslab.sandbox.state.identities import Group, InstanceProfile, Role, User
from stslab.sandbox.state.snapshot import Record, View
from stslab.sandbox.state.stacks import Stack, StackResource

NOT_THERE = frozenset({"CREATE_FAILED", "CREATE_PENDING", "DELETE_COMPLETE", "DELETE_SKIPPED"})
_ABSENT = object()


@dataclass(frozen=True)
class Changes:
    """The changes of an update: ``listed`` for DescribeChangeSet, and whether outputs change."""

    listed: tuple[Properties, ...]
    of_outputs: bool

    @property
    def empty(self) -> bool:
        return not self.listed and not self.of_outputs


def is_there(resource: StackResource | None) -> bool:
    return resource is not None and resource.status not in NOT_THERE


def changed(old: Properties, new: Properties) -> list[str]:
    """The names of properties that differ: new ones in order, then removed ones."""
    names = list(new) + [name for name in old if name not in new]
    return [name for name in names if old.get(name, _ABSENT) != new.get(name, _ABSENT)]


def compare(
    stack: Stack,
    resources: Mapping[str, StackResource],
    wanted: Blueprint,
    current: Blueprint | None,
) -> Changes:
    """The changes from the ``current`` blueprint of a stack (None if it has none) to ``wanted``."""
    comparison = _Comparison(stack, resources, wanted, current)
    changes = [comparison.change(name) for wave in wanted.graph.waves() for name in wave]
    removed = [r for r in resources.values() if is_there(r) and r.logical_id not in wanted.active]
    removals = map(_removal, removed)
    outputs = tuple(wanted.outputs(comparison.lookup))
    listed = (*(change for change in changes if change), *removals)
    return Changes(listed, outputs != stack.outputs)


@dataclass
class _Comparison:
    """``unsettled`` are the resources that will be created or replaced."""

    stack: Stack
    resources: Mapping[str, StackResource]
    wanted: Blueprint
    current: Blueprint | None
    unsettled: set[str] = field(default_factory=set)

    def lookup(self, reference: Reference) -> Value:
        """The value of a reference, or UNKNOWN if it is known only after the update."""
        name = reference.name
        if name in self.unsettled or not is_there(self.resources.get(name)):
            return UNKNOWN
        return lookup_in(self.resources)(reference)

    def change(self, logical_id: str) -> Properties:
        resource = self.resources.get(logical_id)
        if resource is None or not is_there(resource):
            self.unsettled.add(logical_id)
            return _change("Add", logical_id, self.wanted.declared(logical_id).type)
        properties = self.wanted.properties(logical_id, self.lookup)
        if kind := TYPES.get(resource.type):
            with suppress(BadProperties):  # the update will fail with this error
                properties = fitted(kind, logical_id, properties)
        names = [name for name in changed(resource.properties, properties) if name != "Tags"]
        details = [detail for name in names for detail in self._details(resource, name)]
        others = self._other_attributes(resource, properties)
        if not details and not others:
            return {}
        replacement = _replacement(details)
        policy = {}
        if replacement != "False":
            self.unsettled.add(logical_id)
        if replacement == "True":
            kept = self.wanted.declared(logical_id).update_replace_policy != "Delete"
            policy = {"PolicyAction": "ReplaceAndRetain" if kept else "ReplaceAndDelete"}
        return _change(
            "Modify",
            logical_id,
            resource.type,
            PhysicalResourceId=resource.physical_id,
            Replacement=replacement,
            Scope=(["Properties"] if details else []) + others,
            Details=details + [_direct({"Attribute": name}) for name in others],
            **policy,
        )

    def _details(self, resource: StackResource, name: str) -> list[Properties]:
        """The causes of a property's change."""
        kind = TYPES.get(resource.type)
        recreation = "Always" if kind and name in kind.marked("replaces") else "Never"
        direct = _direct({"Attribute": "Properties", "Name": name}, recreation)
        causes: list[Properties] = [
            {**direct, "CausingEntity": ref.text, "ChangeSource": source}
            for ref in references(self.wanted.declared(resource.logical_id).properties.get(name))
            if (source := self._source(ref))
        ]
        by_parameter = any(cause["ChangeSource"] == "ParameterReference" for cause in causes)
        if causes and not by_parameter and not self._rewritten(resource.logical_id, name):
            return causes
        return [*causes, {**direct, "Evaluation": "Dynamic"} if by_parameter else direct]

    def _source(self, reference: Reference) -> str:
        parameters, name = self.wanted.config.parameters, reference.name
        if name in parameters:
            old = self.stack.config.parameters.get(name)
            return "ParameterReference" if old != parameters[name] else ""
        if name in self.unsettled:
            return "ResourceAttribute" if reference.getter else "ResourceReference"
        return ""

    def _rewritten(self, logical_id: str, name: str) -> bool:
        if self.current is None or logical_id not in self.current.template.resources:
            return True
        old = self.current.declared(logical_id).properties.get(name)
        return bool(old != self.wanted.declared(logical_id).properties.get(name))

    def _other_attributes(self, resource: StackResource, properties: Properties) -> list[str]:
        declared = self.wanted.declared(resource.logical_id)
        kind = TYPES.get(resource.type)
        tags = self.wanted.tags(resource.logical_id, properties)
        metadata = self.wanted.metadata(resource.logical_id, self.lookup)
        differing = {
            "Tags": kind is not None and kind.tagged and tags != resource.tags,
            "Metadata": metadata != resource.metadata,
            "DeletionPolicy": declared.deletion_policy != resource.deletion_policy,
            "UpdateReplacePolicy": declared.update_replace_policy != resource.update_replace_policy,
        }
        return [attribute for attribute, differs in differing.items() if differs]


def _direct(target: Mapping[str, str], recreation: str = "Never") -> Properties:
    return {
        "Target": {**target, "RequiresRecreation": recreation},
        "Evaluation": "Static",
        "ChangeSource": "DirectModification",
    }


def _replacement(details: list[Properties]) -> str:
    always = [d for d in details if d["Target"]["RequiresRecreation"] == "Always"]
    if not always:
        return "False"
    settled = any(not d["ChangeSource"].startswith("Resource") for d in always)
    return "True" if settled else "Conditional"


def _removal(resource: StackResource) -> Properties:
    return _change(
        "Remove",
        resource.logical_id,
        resource.type,
        PhysicalResourceId=resource.physical_id,
        PolicyAction="Retain" if resource.deletion_policy != "Delete" else "Delete",
    )


def _change(action: str, logical_id: str, type_name: str, **members: Value) -> Properties:
    named = {"Action": action, "LogicalResourceId": logical_id, "ResourceType": type_name}
    return {"Type": "Resource", "ResourceChange": {**named, "Scope": [], "Details": [], **members}}


VALIDATIONS = {
    "NAME_CONFLICT_VALIDATION": "AWS::EarlyValidation::ResourceExistenceCheck",
    "PROPERTY_VALIDATION": "AWS::EarlyValidation::PropertyValidation",
}
EXISTS = "Resource of type '{type}' with identifier '{name}' already exists."
NAMED: Mapping[str, type[Record]] = {
    "AWS::S3::Bucket": Bucket,
    **{f"AWS::IAM::{kind.__name__}": kind for kind in (Group, InstanceProfile, Role, User)},
}


def validation_errors(view: View, stack: Stack, wanted: Blueprint) -> Iterator[Mapping[str, str]]:
    """Wrong properties, and names that exist (User Guide, "Validate stack deployments")."""
    there = lookups.resources(view, stack).items()
    present = {name: resource.properties for name, resource in there if is_there(resource)}
    for declared in map(wanted.declared, wanted.active):
        name, kind = declared.logical_id, TYPES.get(declared.type)
        if kind is None:
            continue
        problems: list[str] = []
        resolved = wanted.properties(name, lambda _reference: UNKNOWN)
        known = {key: value for key, value in resolved.items() if key not in kind.unsupported}
        properties = members(kind.properties, known, "#", problems)
        for reason in problems:
            place = f"{name}/Properties{reason.partition(':')[0].removeprefix('#')}"
            yield _error("PROPERTY_VALIDATION", kind.name, place, reason)
        given, record = str(properties.get(kind.name_property, "")), NAMED.get(kind.name)
        kept = present.get(name, {}).get(kind.name_property) == given
        account = "" if record is Bucket else stack.account
        if record and not kept and view.get(record, account, given.lower()):
            taken = EXISTS.format(type=kind.name, name=given)
            yield _error("NAME_CONFLICT_VALIDATION", kind.name, name, taken)


def _error(validation: str, kind: str, place: str, reason: str) -> Mapping[str, str]:
    return {
        "EventId": str(uuid.uuid4()),
        "LogicalResourceId": place.partition("/")[0],
        "ResourceType": kind,
        "ValidationName": validation,
        "ValidationPath": f"/Resources/{place}",
        "ValidationStatusReason": reason,
    }
