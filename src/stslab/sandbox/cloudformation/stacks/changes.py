"""Finds what an update would change, for change sets and to refuse empty updates.

AWS CloudFormation User Guide, "Updating stacks using change sets" and "Update behaviors of
stack resources".
"""

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress

import msgspec

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation import lookups
from stslab.sandbox.cloudformation.resources.properties import members
from stslab.sandbox.cloudformation.resources.types import TYPES, fitted
from stslab.sandbox.cloudformation.resources.work import BadProperties
from stslab.sandbox.cloudformation.template.blueprint import Blueprint, value_in, waves
from stslab.sandbox.cloudformation.template.functions import UNKNOWN, Reference, references
from stslab.sandbox.cloudformation.template.template import Declared, Properties, Value
from stslab.sandbox.state.buckets import Bucket
from stslab.sandbox.state.identities import Group, InstanceProfile, Role, User
from stslab.sandbox.state.snapshot import Record, View
from stslab.sandbox.state.stacks import StackResource
from stslab.structures import beside

NOT_THERE = frozenset({"CREATE_FAILED", "CREATE_PENDING", "DELETE_COMPLETE", "DELETE_SKIPPED"})
_ABSENT = object()


def is_there(resource: StackResource | None) -> bool:
    return resource is not None and resource.status not in NOT_THERE


def changed(old: Properties, new: Properties) -> list[str]:
    """The names of properties that differ: new ones in order, then removed ones."""
    names = list(new) + [name for name in old if name not in new]
    return [name for name in names if old.get(name, _ABSENT) != new.get(name, _ABSENT)]


def compare(
    view: View, wanted: Blueprint, current: Blueprint | None
) -> tuple[tuple[Properties, ...], bool]:
    """The changes of resources from ``current`` to ``wanted``; whether there is any change."""
    resources = lookups.resources(view, wanted.stack)
    comparison = _Comparison(resources, wanted, current)
    listed = [one for wave in waves(wanted.needs) for n in wave if (one := comparison.change(n))]
    removed = [r for r in resources.values() if is_there(r) and r.logical_id not in wanted.active]
    for resource in removed:
        physical_id, kept = resource.physical_id, resource.deletion_policy != "Delete"
        policy = {"PhysicalResourceId": physical_id, "PolicyAction": "Retain" if kept else "Delete"}
        listed.append(_change("Remove", resource, **policy))
    outputs = sorted(wanted.outputs(comparison.lookup), key=str)  # their order is no change
    before = sorted(wanted.stack.outputs, key=str)
    # As in AWS, sorted, and a BucketPolicy is before its Bucket.
    listed.sort(key=lambda change: change["ResourceChange"]["LogicalResourceId"] + "_")
    described = current and current.template.description != wanted.template.description
    return tuple(listed), bool(listed or described) or outputs != before


class _Comparison(msgspec.Struct):
    """``fates`` tell of resources that will change whether they are replaced; new ones are."""

    resources: Mapping[str, StackResource]
    wanted: Blueprint
    current: Blueprint | None
    fates: dict[str, str] = {}

    def lookup(self, reference: Reference) -> Value:
        """The value of a reference, or UNKNOWN if it is known only after the update."""
        if not self._open(reference) and is_there(self.resources.get(reference.name)):
            with suppress(ApiFault):  # the update will fail with this error
                return value_in(self.resources, reference)
        return UNKNOWN

    def _open(self, reference: Reference) -> bool:
        """Any attribute of a resource that changes may change, its id if it is replaced."""
        fate = self.fates.get(reference.name, "")
        return bool(fate) and (reference.attribute is not None or fate != "False")

    def change(self, logical_id: str) -> Properties:
        resource, declared = self.resources.get(logical_id), self.wanted.declared(logical_id)
        if resource is None or not is_there(resource):
            self.fates[logical_id] = "True"
            return _change("Add", declared)
        properties = self.wanted.properties(logical_id, self.lookup)
        kind = TYPES[resource.type]
        with suppress(BadProperties):  # the update will fail with this error
            properties = fitted(kind, logical_id, properties)
        names = changed(resource.properties, properties)
        replacing = kind.marked("replaces")
        targets = [{"Attribute": each} for each in self._other_attributes(resource, properties)]
        targets += [{"Attribute": "Properties", "Name": name} for name in names]
        if not targets:
            return {}
        details = [
            {**detail, "Target": {**target, "RequiresRecreation": recreation}}
            for target in targets
            for recreation in ["Always" if target.get("Name") in replacing else "Never"]
            for detail in self._details(logical_id, target)
        ]
        # CFN API Reference, ResourceChange, "Replacement"
        always = [d for d in details if d["Target"]["RequiresRecreation"] == "Always"]
        surely = any(detail["Evaluation"] == "Static" for detail in always)
        replacement = "True" if surely else "Conditional" if always else "False"
        if names:
            self.fates[logical_id] = replacement
        kept = declared.update_replace_policy == "Retain"
        policy = {"PolicyAction": "ReplaceAndRetain" if kept else "ReplaceAndDelete"}
        return _change(
            "Modify",
            resource,
            PhysicalResourceId=resource.physical_id,
            Replacement=replacement,
            Scope=sorted({target["Attribute"] for target in targets}),
            Details=sorted(details, key=lambda detail: detail["Evaluation"] == "Dynamic"),
            **(policy if replacement == "True" else {}),
        )

    def _details(self, logical_id: str, target: Mapping[str, str]) -> list[Properties]:
        direct = {"Evaluation": "Static", "ChangeSource": "DirectModification"}
        new = _written(self.wanted, logical_id, target)
        causes: list[Properties] = [
            {**direct, **cause, "CausingEntity": reference.text}
            for reference in dict.fromkeys(references(new))
            if (cause := self._cause(reference))
        ]
        by_parameter = any(cause["ChangeSource"] == "ParameterReference" for cause in causes)
        if causes and not by_parameter and new == _written(self.current, logical_id, target):
            return causes
        return [*causes, {**direct, "Evaluation": "Dynamic"} if by_parameter else direct]

    def _cause(self, reference: Reference) -> Mapping[str, str]:
        parameters, name = self.wanted.config.parameters, reference.name
        if name in parameters:
            differs = self.wanted.stack.config.parameters.get(name) != parameters[name]
            return {"ChangeSource": "ParameterReference"} if differs else {}
        if not self._open(reference):
            return {}
        source = "ResourceReference" if reference.attribute is None else "ResourceAttribute"
        certain = self.fates[name] == "True"
        return {"ChangeSource": source, "Evaluation": "Static" if certain else "Dynamic"}

    def _other_attributes(self, resource: StackResource, properties: Properties) -> list[str]:
        """The attributes that differ. ``Tags`` are those of the stack."""
        declared = self.wanted.declared(resource.logical_id)
        tagged = TYPES[resource.type].tagged
        tags = self.wanted.tags(resource.logical_id, properties)
        metadata = self.wanted.metadata(resource.logical_id, self.lookup)
        retagged = self.wanted.config.tags != self.wanted.stack.config.tags
        differing = {
            "Tags": retagged and tagged and tags != resource.tags,
            "Metadata": metadata != resource.metadata,
            "DeletionPolicy": declared.deletion_policy != resource.deletion_policy,
            "UpdateReplacePolicy": declared.update_replace_policy != resource.update_replace_policy,
        }
        return [attribute for attribute, differs in differing.items() if differs]


def _written(blueprint: Blueprint | None, logical_id: str, target: Mapping[str, str]) -> Value:
    """The property or the metadata as the template has it."""
    if blueprint is None or logical_id not in blueprint.template.resources:
        return _ABSENT
    declared = blueprint.declared(logical_id)
    if target["Attribute"] == "Properties":
        return declared.properties.get(target["Name"])
    return declared.metadata if target["Attribute"] == "Metadata" else None


def _change(action: str, what: Declared | StackResource, **members: Value) -> Properties:
    named = {"Action": action, "LogicalResourceId": what.logical_id, "ResourceType": what.type}
    return {"Type": "Resource", "ResourceChange": {**named, "Scope": [], "Details": [], **members}}


_SAYS = beside(__file__, "errors.yaml")
VALIDATIONS: Mapping[str, str] = _SAYS["validations"]
NAMED: Mapping[str, type[Record]] = {
    "AWS::S3::Bucket": Bucket,
    **{f"AWS::IAM::{kind.__name__}": kind for kind in (Group, InstanceProfile, Role, User)},
}
"""The types whose names are looked up before anything is made, and their records."""


def validation_errors(view: View, wanted: Blueprint) -> Iterator[Mapping[str, str]]:
    """Wrong properties, and names that exist (User Guide, "Validate stack deployments")."""
    there = lookups.resources(view, wanted.stack).items()
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
            # A resource that fails says it otherwise.
            told = re.sub(r"^#: required key (\[.+\])", r"Required property \1", reason)
            yield _error("PROPERTY_VALIDATION", kind.name, place, told)
        given, record = str(properties.get(kind.name_property, "")), NAMED.get(kind.name)
        kept = present.get(name, {}).get(kind.name_property) == given
        at = ("", given) if record is Bucket else (wanted.stack.account, given.lower())
        if record and not kept and view.get(record, *at):
            taken = _SAYS["exists"].format(type=kind.name, name=given)
            yield _error("NAME_CONFLICT_VALIDATION", kind.name, name, taken)


def _error(validation: str, kind: str, place: str, reason: str) -> Mapping[str, str]:
    path, of = f"/Resources/{place}", place.partition("/")[0]
    named = {"EventId": str(uuid.uuid4()), "LogicalResourceId": of, "ResourceType": kind}
    told = {"ValidationName": validation, "ValidationPath": path, "ValidationStatusReason": reason}
    return {**_SAYS["validation error"], **named, **told}
