"""A template as data: its sections, checked for their structure.

AWS CloudFormation User Guide, "Template anatomy".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from stslab.sandbox.cloudformation.faults import invalid
from stslab.sandbox.cloudformation.template.source import is_alphanumeric, read

VERSION = "2010-09-09"
DESCRIPTION_LIMIT = 1024
SECTIONS = frozenset(
    {
        "AWSTemplateFormatVersion", "Conditions", "Description", "Hooks", "Mappings", "Metadata",
        "Outputs", "Parameters", "Resources", "Rules", "Transform",
    }
)  # fmt: skip
UNSUPPORTED_SECTIONS = ("Transform", "Hooks", "Rules")
RESOURCE_KEYS = frozenset(
    {
        "Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy",
        "UpdateReplacePolicy", "UpdatePolicy", "CreationPolicy", "Description", "Version",
    }
)  # fmt: skip
POLICIES = ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot")
MOST = {"Parameters": 200, "Resources": 500, "Outputs": 200, "Mappings": 200}
"""How many members a section may have ("AWS CloudFormation quotas")."""


@dataclass(frozen=True)
class Declared:
    """One resource as the template declares it, intrinsic functions unresolved."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    depends_on: tuple[str, ...] = ()
    condition: str = ""
    metadata: Any = None
    deletion_policy: str = "Delete"
    update_replace_policy: str = "Delete"
    description: str = ""


@dataclass(frozen=True)
class Template:
    """A template whose sections have the structure that they should have."""

    resources: Mapping[str, Declared]
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    mappings: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    description: str = ""
    metadata: Any = None
    version: str = ""


@lru_cache(maxsize=64)
def parse(text: str) -> Template:
    """The template that ``text`` is; a ``ValidationError`` in CloudFormation's words if none.

    Checks structure only: what names what is checked by :mod:`references`.
    """
    data = read(text)
    _check_sections(data)
    resources = _section(data, "Resources")
    if not resources:
        raise invalid("Template format error: At least one Resources member must be defined.")
    return Template(
        resources={name: _declared(name, body) for name, body in resources.items()},
        parameters=_named(_section(data, "Parameters"), "Parameter"),
        conditions=_section(data, "Conditions"),
        mappings=_mappings(_section(data, "Mappings")),
        outputs=_outputs(_section(data, "Outputs")),
        description=_description(data),
        metadata=data.get("Metadata"),
        version=str(data.get("AWSTemplateFormatVersion", "")),
    )


def _check_sections(data: dict[str, Any]) -> None:
    unknown = sorted(str(name) for name in data if name not in SECTIONS)
    if unknown:
        raise invalid(f"Invalid template property or properties [{', '.join(unknown)}]")
    for name in UNSUPPORTED_SECTIONS:
        if data.get(name):
            raise invalid(f"Template format error: {name} is not supported by the sandbox")
    version = data.get("AWSTemplateFormatVersion", VERSION)
    if str(version) != VERSION:
        raise invalid(
            f"Template format error: {version} is not a supported value for "
            "AWSTemplateFormatVersion."
        )


def _section(data: dict[str, Any], name: str) -> dict[str, Any]:
    section = data.get(name) or {}
    if not isinstance(section, dict):
        raise invalid(f"Template format error: {name} section must be an object.")
    limit = MOST.get(name)
    if limit and len(section) > limit:
        raise invalid(
            f"Template format error: Number of {name.lower()}, {len(section)}, is greater than "
            f"maximum allowed, {limit}"
        )
    return section


def _named(section: dict[str, Any], noun: str) -> dict[str, Any]:
    for name, body in section.items():
        if not is_alphanumeric(name):
            raise invalid(f"Template format error: {noun} name {name} is non alphanumeric.")
        if not isinstance(body, dict):
            raise invalid(f"Template format error: Any {noun}s member must be an object.")
    return section


def _declared(name: str, body: Any) -> Declared:
    _named({name: body}, "Resource")
    if not isinstance(body.get("Type"), str):
        raise invalid(
            f"Template format error: [/Resources/{name}] "
            "Every Resources object must contain a Type member."
        )
    for key in body:
        if key not in RESOURCE_KEYS:
            raise invalid(f"Invalid template resource property '{key}'")
    properties = body.get("Properties") or {}
    if not isinstance(properties, dict):
        raise invalid(f"[/Resources/{name}/Properties] 'Properties' must be an object")
    return Declared(
        logical_id=name,
        type=body["Type"],
        properties=properties,
        depends_on=_depends_on(name, body.get("DependsOn", [])),
        condition=_text(body, "Condition", name),
        metadata=body.get("Metadata"),
        deletion_policy=_policy(body, "DeletionPolicy", name),
        update_replace_policy=_policy(body, "UpdateReplacePolicy", name),
        description=_text(body, "Description", name),
    )


def _text(body: dict[str, Any], key: str, name: str) -> str:
    value = body.get(key, "")
    if not isinstance(value, str):
        raise invalid(f"Template format error: [/Resources/{name}/{key}] {key} must be a string.")
    return value


def _depends_on(name: str, value: object) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(item, str) for item in names):
        raise invalid(
            f"Template format error: DependsOn must be a string or list of strings. ({name})"
        )
    return tuple(names)


def _policy(body: dict[str, Any], key: str, name: str) -> str:
    value = body.get(key, "Delete")
    if value not in POLICIES:
        raise invalid(
            f"Template error: {key} of resource {name} must be one of [{', '.join(POLICIES)}]"
        )
    return str(value)


def _mappings(section: dict[str, Any]) -> dict[str, Any]:
    for name, rows in section.items():
        if not isinstance(rows, dict):
            raise invalid(f"Template format error: Every Mappings member {name} must be a map")
        for row in rows.values():
            if not isinstance(row, dict):
                raise invalid(f"Template format error: Every Mappings member {name} must be a map")
            if not all(isinstance(value, str | int | float | list) for value in row.values()):
                raise invalid(
                    "Template format error: Every Mappings attribute must be a String or a List."
                )
    return section


def _outputs(section: dict[str, Any]) -> dict[str, Any]:
    for name, body in section.items():
        if not is_alphanumeric(name):
            raise invalid(f"Template format error: Output name {name} is non alphanumeric.")
        if not isinstance(body, dict) or "Value" not in body:
            raise invalid("Template format error: Every Outputs member must contain a Value object")
        for key in ("Condition", "Description"):
            if not isinstance(body.get(key, ""), str):
                raise invalid(f"Template format error: Every {key} member must be a string.")
        if "Export" in body and "Name" not in (body["Export"] or ()):
            raise invalid("Template format error: Every Export member must contain a Name object")
    return section


def _description(data: dict[str, Any]) -> str:
    value = data.get("Description", "")
    if not isinstance(value, str):
        raise invalid("Template format error: Description must be a string.")
    if len(value) > DESCRIPTION_LIMIT:
        raise invalid(
            f"Template format error: 'Description' length is greater than {DESCRIPTION_LIMIT}."
        )
    return value
