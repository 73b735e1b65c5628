"""Parses a template in JSON or YAML, and checks the structure of its sections.

AWS CloudFormation User Guide, "AWS CloudFormation template formats", "Template anatomy" and
"Intrinsic function reference".
"""

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast

import msgspec
import yaml

from stslab.sandbox.api.faults import invalid, require
from stslab.structures import beside, read_templates

Value = Any  # any value of JSON, in a template or as an evaluated property
Properties = Mapping[str, Value]

BODY_LIMIT = 51_200  # bytes of a ``TemplateBody`` ("AWS CloudFormation quotas")
NESTING_LIMIT = 100
_PLAIN = (1e-3, 1e7)  # between these, Java's Double.toString writes no exponent
UNSUPPORTED = "Template format error: unsupported structure."
_LAST_COMMA = re.compile(r'("(?:[^"\\]|\\.)*+"?|[\[{,]\s*,)|,(?=\s*[}\]])', re.DOTALL)


class _Loader(yaml.SafeLoader):
    """YAML as CloudFormation reads it: dates and ``<<`` are text, and aliases are refused."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases, as CloudFormation does, and a number of base 60 that takes minutes."""
        require(not self.check_event(yaml.events.AliasEvent), ANATOMY["alias"])
        node = super().compose_node(parent, index)
        digits = node.value.count(":") if node and node.tag.endswith(":int") else 0
        require(digits < LONGEST["number of base 60"], UNSUPPORTED)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Value, Value]:
        for key, _ in node.value:
            if key.tag.endswith(":bool"):  # such as the name Yes
                key.tag = "tag:yaml.org,2002:str"
            elif key.tag.startswith("!"):  # a function: a key that is true, which no other is
                key.tag, key.value = "tag:yaml.org,2002:bool", "true"
        return super().construct_mapping(node, deep)


read_templates(_Loader, "bool", "int", "float", "null")


def read(text: str) -> dict[str, Value]:
    """A template's data, with functions in their long forms. Raises ValidationError."""
    parse = _parse_json if text.lstrip().startswith("{") else _parse_yaml
    try:
        data = _plain(parse(text), "", 0)
    except (RecursionError, ValueError):  # ValueError: a very long hexadecimal number
        raise invalid(UNSUPPORTED) from None
    require(isinstance(data, dict), UNSUPPORTED)
    return cast("dict[str, Value]", data)


def check_size(text: str) -> None:
    require(len(text.encode()) <= BODY_LIMIT, ANATOMY["too large"].format(text, BODY_LIMIT))


def _parse_json(text: str) -> Value:
    """JSON, where the last of several may have a comma, and texts line breaks; or else YAML."""
    strict = _LAST_COMMA.sub(lambda match: match[1] or " ", text)
    try:
        return json.loads(strict, strict=False, parse_constant=int)  # refuses NaN and Infinity
    except json.JSONDecodeError as error:
        column = error.colno + (error.pos < len(text))  # AWS names the place after the character
        place = f" (line {error.lineno}, column {column})"
    except ValueError:  # a number with more digits than Python converts, or a constant
        place = ""
    return _parse_yaml(text, f"JSON not well-formed.{place}")


def _parse_yaml(text: str, refusal: str = "") -> Value:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with other tags
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, ArithmeticError, LookupError):
        place = ""
    raise invalid(f"Template format error: {refusal or f'YAML not well-formed.{place}'}")


def _plain(value: object, path: str, depth: int) -> Value:
    """The value as data that JSON can represent, within limits."""
    require(depth < NESTING_LIMIT, UNSUPPORTED)
    if isinstance(value, dict):
        return {
            _text(key, path): _plain(one, f"{path}/{key}", depth + 1) for key, one in value.items()
        }
    if isinstance(value, list):
        return [_plain(child, f"{path}/{index}", depth + 1) for index, child in enumerate(value)]
    if value is None and depth:
        told = re.sub("^(/Resources/[^/]+)/Properties/", r"\1/Type/", path)  # so AWS says it
        raise invalid(f"[{told}] 'null' values are not allowed in templates")
    if isinstance(value, int):
        return value if abs(value) < 2**63 else str(value)  # as text, since it is too large
    if isinstance(value, float):
        require(math.isfinite(value), UNSUPPORTED)
        return value
    return _text(value)


def _text(value: Value, of: str = "") -> str:
    try:
        value.encode()
    except (AttributeError, UnicodeEncodeError):  # a date with an explicit tag; a lone surrogate
        kind = "a map" if value is True else f"numeric [{as_text(value)}]"
        keys = f"Template format error: [{of}] map keys must be strings; received {kind} instead"
        raise invalid(keys if of and isinstance(value, int | float) else UNSUPPORTED) from None
    return str(value)


def as_text(value: object) -> str:
    """A scalar as text; booleans are ``true`` and ``false``, and numbers as Java writes them."""
    if isinstance(value, float) and value and not _PLAIN[0] <= abs(value) < _PLAIN[1]:
        digits, _, power = f"{Decimal(repr(value)).normalize():E}".partition("E")
        return f"{digits}{'' if '.' in digits else '.0'}E{int(power)}"
    return str(value).lower() if isinstance(value, bool) else str(value)


VERSION = "2010-09-09"  # the only one, which a template need not name
ANATOMY: Mapping[str, Any] = beside(__file__, "anatomy.yaml")
_NUMBER = re.compile(ANATOMY["number"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, "+-.0123456789")
LONGEST: Mapping[str, int] = ANATOMY["longest"]
SAYS: Mapping[str, str] = ANATOMY["format errors"]


class Declared(msgspec.Struct, frozen=True):
    """One resource as the template declares it, with unevaluated functions."""

    logical_id: str
    type: str
    properties: Mapping[str, Value]
    depends_on: tuple[str, ...] = ()
    condition: str | None = None
    metadata: Value = None
    deletion_policy: str = "Delete"
    update_replace_policy: str = "Delete"
    description: str = ""
    policies: tuple[Value, ...] = ()  # CreationPolicy and UpdatePolicy, which have no effect
    refusal: str = ""  # of empty properties that are no object, which saved stacks may have


class Template(msgspec.Struct, frozen=True):
    """A template whose sections have a valid structure."""

    resources: Mapping[str, Declared]
    parameters: Mapping[str, Mapping[str, Value]] = {}
    conditions: Mapping[str, Value] = {}
    mappings: Mapping[str, Value] = {}
    outputs: Mapping[str, Mapping[str, Value]] = {}
    description: str = ""
    metadata: Value = None


@lru_cache(maxsize=64)
def parse(text: str) -> Template:
    """Parse a template and check its structure, but not its references. Raises ValidationError."""
    data = read(text)
    _check_sections(data)
    resources = _section(data, "Resources")
    well_formed(resources, "At least one Resources member must be defined.")
    return Template(
        resources={name: _declared(name, body) for name, body in resources.items()},
        parameters=_section(data, "Parameters"),
        conditions=_section(data, "Conditions"),
        mappings=_mappings(_section(data, "Mappings")),
        outputs=_outputs(_section(data, "Outputs")),
        description=data.get("Description", ""),
        metadata=data.get("Metadata"),
    )


def well_formed(holds: object, message: str) -> None:
    require(holds, f"Template format error: {message}")


def _check_sections(data: Mapping[str, Value]) -> None:
    unknown = sorted(str(name) for name in data if name not in ANATOMY["sections"])
    require(not unknown, f"Invalid template property or properties [{', '.join(unknown)}]")
    for name in ANATOMY["unsupported sections"]:
        well_formed(not data.get(name), f"{name} is not supported by the embedded account")
    version = str(data.get("AWSTemplateFormatVersion", VERSION))
    well_formed(version == VERSION, SAYS["no version"].format(version))
    description = data.get("Description", "")
    well_formed(isinstance(description, str), "Description must be a string.")
    fits = len(description.encode()) <= LONGEST["description"]
    well_formed(fits, SAYS["long description"].format(LONGEST["description"]))


def _section(data: Mapping[str, Value], name: str) -> dict[str, Value]:
    section: dict[str, Value] = data.get(name, {})
    well_formed(isinstance(section, dict), f"Any {name} member must be an object.")
    _check_count(name, section)
    return section


def _check_count(name: str, members: Mapping[str, Value]) -> None:
    count, limit = len(members), ANATOMY["most"].get(name, len(members))
    well_formed(count <= limit, SAYS["too many"].format(name.lower(), count, limit))


def check_name(noun: str, name: str) -> None:
    shown = f"Outputs name '{name}'" if noun == "Output" else f"{noun} name {name}"
    well_formed(re.fullmatch(r"[A-Za-z0-9]+", name), f"{shown} is non alphanumeric.")
    limit = LONGEST["name"]
    well_formed(len(name) <= limit, f"{shown} is longer than {limit} characters.")


def _declared(name: str, body: Value) -> Declared:
    check_name("Resource", name)
    place = f"[/Resources/{name}]"
    well_formed(isinstance(body, dict), f"{place} resource definition is malformed")
    well_formed("Type" in body, f"{place} Every Resources object must contain a Type member.")
    well_formed(isinstance(body["Type"], str), f"{place} Every Type member must be a string.")
    for key in body:
        require(key in ANATOMY["resource"], f"Invalid template resource property '{key}'")
    properties = body.get("Properties", {})
    require(not properties or isinstance(properties, dict), ANATOMY["no object"].format(name))
    _text_of(body, "Condition")
    given = body.get("DependsOn", [])
    needed = [given] if isinstance(given, str) else given
    well_formed(isinstance(needed, list), "DependsOn must be a string or list of strings.")
    fits = all(isinstance(item, str) for item in needed)
    well_formed(fits, "Every DependsOn value must be a string.")
    return Declared(
        logical_id=name,
        type=body["Type"],
        properties=properties or {},
        depends_on=tuple(needed),
        condition=body.get("Condition"),
        metadata=body.get("Metadata"),
        deletion_policy=_policy(body, "DeletionPolicy", name),
        update_replace_policy=_policy(body, "UpdateReplacePolicy", name),
        description=_text_of(body, "Description"),
        policies=tuple(body[key] for key in ("CreationPolicy", "UpdatePolicy") if key in body),
        refusal="" if isinstance(properties, dict) else ANATOMY["no object"].format(name),
    )


def _text_of(body: Mapping[str, Value], key: str, default: str = "") -> str:
    value = body.get(key, default)
    well_formed(isinstance(value, str), f"Every {key} member must be a string.")
    return str(value)


def _policy(body: Mapping[str, Value], key: str, name: str) -> str:
    kind = _text_of(body, key, "Delete")
    well_formed(kind in ANATOMY["policies"][key], f"Unrecognized {key} {kind} for resource {name}")
    return kind


def _mappings(section: dict[str, Value]) -> dict[str, Value]:
    for name, rows in section.items():
        check_name("Mapping", name)
        well_formed(isinstance(rows, dict), f"Every Mappings member {name} must be a map")
        for key, row in rows.items():
            well_formed(re.fullmatch(r"[A-Za-z0-9.-]+", key), SAYS["element"].format(key))
            well_formed(isinstance(row, dict), f"Every Mappings member {key} must be a map")
            _check_count("Mapping attributes", row)
            for attribute, value in row.items():
                fits = attribute.isalnum() and attribute.isascii()
                well_formed(fits, SAYS["attribute"].format(attribute))
                fits = isinstance(value, str | int | float | list)
                well_formed(fits, "Every Mappings attribute must be a String or a List.")
    return section


def _outputs(section: dict[str, Value]) -> dict[str, Value]:
    for name, body in section.items():
        check_name("Output", name)
        members = body if isinstance(body, dict) else {}
        unknown = ", ".join(key for key in members if key not in ANATOMY["output"])
        well_formed(not unknown, f"Invalid outputs property : [{unknown}]")
        well_formed("Value" in members, "Every Outputs member must contain a Value object")
        _text_of(body, "Condition")
        _text_of(body, "Description")
        if (export := body.get("Export")) is not None:
            well_formed(isinstance(export, dict), SAYS["export"].format(name))
            well_formed("Name" in export, "Every Export member must contain a Name object")
            if isinstance(export["Name"], str):
                check_export_name(name, export["Name"])
    return section


def check_export_name(output: str, name: str) -> None:
    well_formed(re.fullmatch(r"[A-Za-z0-9:-]+", name), SAYS["export name"].format(output))
    limit = LONGEST["export name"]
    well_formed(len(name) <= limit, SAYS["long export name"].format(output, limit))
