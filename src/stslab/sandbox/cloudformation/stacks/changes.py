"""What an update would change: for change sets, and to find that there is nothing to do.

AWS CloudFormation User Guide, "Updating stacks using change sets" and "Update behaviors of
stack resources".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stslab.sandbox.cloudformation.resources.kinds import fitted
from stslab.sandbox.cloudformation.resources.types import TYPES
from stslab.sandbox.cloudformation.resources.work import Unfit
from stslab.sandbox.cloudformation.template.blueprint import Blueprint, lookup_in
from stslab.sandbox.cloudformation.template.functions import UNKNOWN
from stslab.sandbox.cloudformation.template.parameters import MASK
from stslab.sandbox.cloudformation.template.references import Reference, references
from stslab.sandbox.state.stacks import Stack, StackResource

NOT_THERE = frozenset({"CREATE_FAILED", "CREATE_PENDING", "DELETE_COMPLETE", "DELETE_SKIPPED"})
Change = dict[str, Any]


@dataclass(frozen=True)
class Changes:
    """The changes of an update: ``listed`` as DescribeChangeSet has them, and of outputs."""

    listed: tuple[Change, ...]
    of_outputs: bool

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.listed and not self.of_outputs


def is_there(resource: StackResource | None) -> bool:
    """Whether a stack has this resource, physically."""
    return resource is not None and resource.status not in NOT_THERE


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The properties that differ, in the new template's order, then those that are gone."""
    names = list(new) + [name for name in old if name not in new]
    return [name for name in names if old.get(name, _ABSENT) != new.get(name, _ABSENT)]


_ABSENT = object()


def compare(
    stack: Stack,
    resources: Mapping[str, StackResource],
    wanted: Blueprint,
    current: Blueprint | None,
) -> Changes:
    """What it takes to make the stack what ``wanted`` says; ``current`` is what it is now."""
    comparison = _Comparison(stack, resources, wanted, current)
    changes = [comparison.change(name) for wave in wanted.graph.waves() for name in wave]
    gone = [r for r in resources.values() if is_there(r) and r.logical_id not in wanted.active]
    secrets = current.secrets if current else frozenset()
    removals = [_removal(resource, secrets) for resource in gone]
    outputs = tuple(wanted.outputs(comparison.lookup))
    listed = (*(change for change in changes if change), *removals)
    return Changes(listed, outputs != stack.outputs)


class _Comparison:
    def __init__(
        self,
        stack: Stack,
        resources: Mapping[str, StackResource],
        wanted: Blueprint,
        current: Blueprint | None,
    ) -> None:
        self.stack = stack
        self.resources = resources
        self.wanted = wanted
        self.current = current
        self.unsettled: set[str] = set()
        self._known = lookup_in(resources)

    def lookup(self, reference: Reference) -> Any:
        """What a resource's reference gives, as far as it is known before the update."""
        name = reference.name
        if name in self.unsettled or not is_there(self.resources.get(name)):
            return UNKNOWN
        return self._known(reference)

    def change(self, logical_id: str) -> Change:
        """The change of one resource, {} if it stays as it is."""
        properties = self.wanted.properties(logical_id, self.lookup)
        resource = self.resources.get(logical_id)
        if resource is None or not is_there(resource):
            self.unsettled.add(logical_id)
            kind = self.wanted.declared(logical_id).type
            return _change("Add", logical_id, kind, AfterContext=_context(self._shown(logical_id)))
        properties = _fitted(resource.type, logical_id, properties)
        names = changed(resource.properties, properties)
        details = [
            detail for name in names if name != "Tags" for detail in self._details(resource, name)
        ]
        scope = ["Properties"] if details else []
        extra = self._other_details(resource, properties)
        scope += [detail["Target"]["Attribute"] for detail in extra]
        if not scope:
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
            Scope=scope,
            Details=details + extra,
            BeforeContext=_context(hidden(resource.properties, self._secrets())),
            AfterContext=_context(self._shown(logical_id)),
            **policy,
        )

    def _secrets(self) -> frozenset[str]:
        old = self.current.secrets if self.current else frozenset()
        return old | self.wanted.secrets

    def _shown(self, logical_id: str) -> dict[str, Any]:
        return self.wanted.properties(logical_id, self.lookup, masked=True)

    def _details(self, resource: StackResource, name: str) -> list[dict[str, Any]]:
        """Why one property changes."""
        kind = TYPES.get(resource.type)
        recreation = "Always" if kind and name in kind.replacing else "Never"
        target = {"Attribute": "Properties", "Name": name, "RequiresRecreation": recreation}
        static = {"Target": target, "Evaluation": "Static"}
        causes = [
            {**static, "CausingEntity": ref.text, "ChangeSource": source}
            for ref in references(self.wanted.declared(resource.logical_id).properties.get(name))
            if (source := self._source(ref))
        ]
        by_parameter = any(cause["ChangeSource"] == "ParameterReference" for cause in causes)
        if causes and not by_parameter and not self._rewritten(resource.logical_id, name):
            return causes
        direct = {**static, "ChangeSource": "DirectModification"}
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

    def _other_details(
        self, resource: StackResource, properties: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Changes of tags, metadata and policies, which are not properties' own."""
        declared = self.wanted.declared(resource.logical_id)
        kind = TYPES.get(resource.type)
        tags = self.wanted.tags(resource.logical_id, properties)
        metadata = self.wanted.metadata(resource.logical_id, self.lookup)
        differing = {
            "Tags": kind is not None and kind.tagged and tags != resource.tags,
            "Metadata": metadata != resource.metadata,
            "DeletionPolicy": declared.deletion_policy != resource.deletion_policy,
        }
        return [
            {
                "Target": {"Attribute": attribute, "RequiresRecreation": "Never"},
                "Evaluation": "Static",
                "ChangeSource": "DirectModification",
            }
            for attribute, differs in differing.items()
            if differs
        ]


def _fitted(type_name: str, logical_id: str, properties: dict[str, Any]) -> dict[str, Any]:
    kind = TYPES.get(type_name)
    try:
        return fitted(kind, logical_id, properties) if kind else properties
    except Unfit:
        return properties  # which differs from what is there; the update says what is wrong


def _replacement(details: list[dict[str, Any]]) -> str:
    always = [d for d in details if d["Target"]["RequiresRecreation"] == "Always"]
    if not always:
        return "False"
    settled = [d for d in always if not d["ChangeSource"].startswith("Resource")]
    return "True" if settled else "Conditional"


def _removal(resource: StackResource, secrets: frozenset[str]) -> Change:
    retained = resource.deletion_policy != "Delete"
    return _change(
        "Remove",
        resource.logical_id,
        resource.type,
        PhysicalResourceId=resource.physical_id,
        PolicyAction="Retain" if retained else "Delete",
        BeforeContext=_context(hidden(resource.properties, secrets)),
    )


def hidden(value: Any, secrets: frozenset[str]) -> Any:
    """A value with each text that is a secret masked."""
    if isinstance(value, Mapping):
        return {key: hidden(child, secrets) for key, child in value.items()}
    if isinstance(value, list):
        return [hidden(item, secrets) for item in value]
    return MASK if isinstance(value, str) and value in secrets else value


def _context(properties: Mapping[str, Any]) -> str:
    return json.dumps({"Properties": properties}, default=str)


def _change(action: str, logical_id: str, type_name: str, **members: Any) -> Change:
    named = {"Action": action, "LogicalResourceId": logical_id, "ResourceType": type_name}
    return {
        "Type": "Resource",
        "ResourceChange": {**named, "Scope": [], "Details": [], **members},
    }
