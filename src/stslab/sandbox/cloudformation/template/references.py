"""Finds the references in a template, and the dependencies between resources.

AWS CloudFormation User Guide, "Ref", "Fn::GetAtt", "Fn::Sub", "DependsOn attribute".
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from stslab.sandbox.api.faults import require
from stslab.sandbox.cloudformation.template.template import Template, Value

PSEUDO_PARAMETERS = frozenset(
    {
        "AWS::AccountId", "AWS::NotificationARNs", "AWS::NoValue", "AWS::Partition",
        "AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix",
    }
)  # fmt: skip
SUB_VARIABLE = re.compile(r"\$\{(?!!)([^{}]*)\}")
IF_PARTS = 3
# CloudFormation's errors for wrong arguments of a function.
_TAKES: Mapping[str, str] = msgspec.yaml.decode(Path(__file__).with_name("takes.yaml").read_bytes())
Holds = Callable[[str], bool]
"""Whether the condition with a name holds."""


class Reference(msgspec.Struct, frozen=True):
    """A ``Ref`` (no attribute) or an ``Fn::GetAtt`` of ``name``."""

    name: str
    attribute: str = ""
    getter: bool = False

    @property
    def text(self) -> str:
        """The reference as a CausingEntity of DescribeChangeSet: ``Role`` or ``Role.Arn``."""
        return f"{self.name}.{self.attribute}" if self.getter else self.name


Needs = Mapping[str, frozenset[str]]
"""The dependencies: for each resource, those that must be created first."""


def waves(needs: Needs) -> list[list[str]]:
    """The resources in the order of creation; those of one wave are created together."""
    left = dict(needs)
    result: list[list[str]] = []
    while left:
        wave = [name for name, needed in left.items() if needed.isdisjoint(left)]
        require(wave, f"Circular dependency between resources: [{', '.join(left)}]")
        result.append(wave)
        for name in wave:
            del left[name]
    return result


def function_of(value: object) -> tuple[str, Value] | None:
    """The name and argument of an intrinsic function; None if the value is something else."""
    if isinstance(value, dict) and len(value) == 1:
        name, argument = next(iter(value.items()))
        if isinstance(name, str) and (name == "Ref" or name.startswith("Fn::")):
            return name, argument
    return None


def children(value: object) -> Iterable[Value]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def references(value: object, holds: Holds | None = None) -> Iterator[Reference]:
    """All references in a value.

    With ``holds``, only the branch of an ``Fn::If`` that is used counts; without it, both do.
    """
    function = function_of(value)
    if function and function[0] in REFERRERS:
        yield from REFERRERS[function[0]](function[1], holds)
        return
    for child in children(value):
        yield from references(child, holds)


def _in_getatt(argument: object, holds: Holds | None) -> Iterator[Reference]:
    name, attribute = getatt_parts(argument)
    yield Reference(name, attribute if isinstance(attribute, str) else "", getter=True)
    yield from references(attribute, holds)


def _in_sub(argument: object, holds: Holds | None) -> Iterator[Reference]:
    text, variables = sub_parts(argument)
    for name in SUB_VARIABLE.findall(text):
        if name not in variables:
            yield sub_reference(name)
    yield from references(list(variables.values()), holds)


def _in_if(argument: object, holds: Holds | None) -> Iterator[Reference]:
    condition, when_true, when_false = if_parts(argument)
    if holds is None:
        yield from references([when_true, when_false])
    else:
        yield from references(when_true if holds(condition) else when_false, holds)


REFERRERS: dict[str, Callable[[Value, Holds | None], Iterator[Reference]]] = {
    "Ref": lambda argument, _holds: iter([Reference(ref_name(argument))]),
    "Fn::GetAtt": _in_getatt,
    "Fn::Sub": _in_sub,
    "Fn::If": _in_if,
}


def check_form(fits: object, function: str) -> None:
    require(fits, f"Template error: {_TAKES[function]}")


def ref_name(argument: object) -> str:
    require(isinstance(argument, str), "Template format error: All Ref values must be strings.")
    return str(argument)


def getatt_parts(argument: object) -> tuple[str, Value]:
    parts: Value = argument.split(".", 1) if isinstance(argument, str) else argument
    valid = isinstance(parts, list) and len(parts) > 1 and isinstance(parts[0], str) and parts[0]
    check_form(valid and parts[1], "Fn::GetAtt")
    if all(isinstance(part, str) for part in parts):
        return parts[0], ".".join(parts[1:])
    return parts[0], parts[1]


def sub_parts(argument: object) -> tuple[str, dict[str, Value]]:
    parts: Value = [argument, {}] if isinstance(argument, str) else argument
    valid = isinstance(parts, list) and len(parts) == len(("text", "variables"))
    check_form(valid and isinstance(parts[0], str) and isinstance(parts[1], dict), "Fn::Sub")
    names = SUB_VARIABLE.findall(parts[0])
    check_form(all(re.fullmatch(r"[A-Za-z0-9_.:]+", name) for name in names), "${} in Fn::Sub")
    return parts[0], parts[1]


def sub_reference(name: str) -> Reference:
    resource, dot, attribute = name.partition(".")
    return Reference(resource, attribute, getter=True) if dot else Reference(name)


def if_parts(argument: object) -> tuple[str, Value, Value]:
    parts: Value = argument
    fits, wanted = isinstance(parts, list) and len(parts) == IF_PARTS, "a list argument with"
    require(fits, f"Template error: Fn::If requires {wanted} three elements")
    condition, when_true, when_false = parts
    named = isinstance(condition, str)
    require(named, f"Template error: Fn::If requires {wanted} the first element being a condition")
    return condition, when_true, when_false


def dependencies(template: Template, active: Iterable[str], holds: Holds | None = None) -> Needs:
    """The dependencies of the active resources, from ``DependsOn`` and from references."""
    names = frozenset(active)
    needs: dict[str, frozenset[str]] = {}
    for name, declared in template.resources.items():
        if name in names:
            found = references([declared.properties, declared.metadata], holds)
            used = {*declared.depends_on, *(reference.name for reference in found)}
            needs[name] = names & used
    return needs


def unresolved(names: Iterable[str], block: str) -> str:
    """CloudFormation's message for references to unknown resources in a block."""
    listed = ", ".join(names)
    return f"Unresolved resource dependencies [{listed}] in the {block} block of the template"
