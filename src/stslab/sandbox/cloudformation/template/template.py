"""A template as data: its sections, checked for their structure.

AWS CloudFormation User Guide, "Template anatomy".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from stslab.sandbox.cloudformation.faults import invalid, require
from stslab.sandbox.cloudformation.template.source import Value, read

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
    properties: Mapping[str, Value]
    depends_on: tuple[str, ...] = ()
    condition: str = ""
    metadata: Value = None
    deletion_policy: str = "Delete"
    update_replace_policy: str = "Delete"
    description: str = ""


@dataclass(frozen=True)
class Template:
    """A template whose sections have the structure that they should have."""

    resources: Mapping[str, Declared]
    parameters: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    conditions: Mapping[str, Value] = field(default_factory=dict)
    mappings: Mapping[str, Value] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    description: str = ""
    metadata: Value = None
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


def _format(holds: object, message: str) -> None:
    require(holds, f"Template format error: {message}")


def _check_sections(data: Mapping[str, Value]) -> None:
    unknown = sorted(str(name) for name in data if name not in SECTIONS)
    require(not unknown, f"Invalid template property or properties [{', '.join(unknown)}]")
    for name in UNSUPPORTED_SECTIONS:
        _format(not data.get(name), f"{name} is not supported by the sandbox")
    version = str(data.get("AWSTemplateFormatVersion", VERSION))
    refusal = f"{version} is not a supported value for AWSTemplateFormatVersion."
    _format(version == VERSION, refusal)


def _section(data: Mapping[str, Value], name: str) -> dict[str, Value]:
    section: dict[str, Value] = data.get(name) or {}
    _format(isinstance(section, dict), f"{name} section must be an object.")
    count, limit = len(section), MOST.get(name)
    _format(
        limit is None or count <= limit,
        f"Number of {name.lower()}, {count}, is greater than maximum allowed, {limit}",
    )
    return section


def _check_name(noun: str, name: str) -> None:
    _format(re.fullmatch(r"[A-Za-z0-9]+", name), f"{noun} name {name} is non alphanumeric.")


def _named(section: dict[str, Value], noun: str) -> dict[str, Value]:
    for name, body in section.items():
        _check_name(noun, name)
        _format(isinstance(body, dict), f"Any {noun}s member must be an object.")
    return section


def _declared(name: str, body: Value) -> Declared:
    _named({name: body}, "Resource")
    _format(
        isinstance(body.get("Type"), str),
        f"[/Resources/{name}] Every Resources object must contain a Type member.",
    )
    for key in body:
        require(key in RESOURCE_KEYS, f"Invalid template resource property '{key}'")
    properties = body.get("Properties") or {}
    refusal = f"[/Resources/{name}/Properties] 'Properties' must be an object"
    require(isinstance(properties, dict), refusal)
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


def _text(body: Mapping[str, Value], key: str, name: str) -> str:
    value = body.get(key, "")
    _format(isinstance(value, str), f"[/Resources/{name}/{key}] {key} must be a string.")
    return str(value)


def _depends_on(name: str, value: Value) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    fits = isinstance(names, list) and all(isinstance(item, str) for item in names)
    _format(fits, f"DependsOn must be a string or list of strings. ({name})")
    return tuple(names)


def _policy(body: Mapping[str, Value], key: str, name: str) -> str:
    value = body.get(key, "Delete")
    refusal = f"Template error: {key} of resource {name} must be one of [{', '.join(POLICIES)}]"
    require(value in POLICIES, refusal)
    return str(value)


def _mappings(section: dict[str, Value]) -> dict[str, Value]:
    for name, rows in section.items():
        fits = isinstance(rows, dict) and all(isinstance(row, dict) for row in rows.values())
        _format(fits, f"Every Mappings member {name} must be a map")
        for value in (value for row in rows.values() for value in row.values()):
            fits = isinstance(value, str | int | float | list)
            _format(fits, "Every Mappings attribute must be a String or a List.")
    return section


def _outputs(section: dict[str, Value]) -> dict[str, Value]:
    for name, body in section.items():
        _check_name("Output", name)
        fits = isinstance(body, dict) and "Value" in body
        _format(fits, "Every Outputs member must contain a Value object")
        for key in ("Condition", "Description"):
            fits = isinstance(body.get(key, ""), str)
            _format(fits, f"Every {key} member must be a string.")
        fits = "Export" not in body or "Name" in (body["Export"] or ())
        _format(fits, "Every Export member must contain a Name object")
    return section


def _description(data: Mapping[str, Value]) -> str:
    value = data.get("Description", "")
    _format(isinstance(value, str), "Description must be a string.")
    fits = len(value) <= DESCRIPTION_LIMIT
    _format(fits, f"'Description' length is greater than {DESCRIPTION_LIMIT}.")
    return str(value)
