"""The intrinsic functions, evaluated.

AWS CloudFormation User Guide, "Intrinsic function reference" and "Condition functions".
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from stslab.sandbox.cloudformation.faults import invalid
from stslab.sandbox.cloudformation.template.references import (
    SUB_VARIABLE,
    Reference,
    function_of,
    getatt_parts,
    if_parts,
    sub_parts,
    sub_reference,
)

CIDR_BLOCKS = 256
ONE = 1
TWO = 2
TEN = 10


class _NoValue:
    """What ``AWS::NoValue`` is; a property of this value is left out."""

    def __repr__(self) -> str:
        return "AWS::NoValue"


NO_VALUE: Final = _NoValue()


class Unknown(str):
    """A value that is known only once a resource has been made."""

    __slots__ = ()


UNKNOWN: Final = Unknown("{{changeSet:KNOWN_AFTER_APPLY}}")
"""How DescribeChangeSet shows such a value; whatever is made of it is as unknown."""


class _Unlisted(list[str]):
    """The parts of an unknown text: as many as are asked for, each unknown."""

    def __init__(self) -> None:
        super().__init__([UNKNOWN])


@dataclass
class Scope:
    """What names mean while values are evaluated.

    ``names`` holds parameters and pseudo parameters, ``resource`` answers for resources,
    ``imports`` for ``Fn::ImportValue`` (and raises where there is no such export).
    """

    names: Mapping[str, Any]
    mappings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    resource: Callable[[Reference], Any] | None = None
    imports: Callable[[str], str] | None = None
    decided: dict[str, bool] = field(default_factory=dict)

    def holds(self, condition: str) -> bool:
        """Whether a named condition is true."""
        if condition not in self.decided:
            if condition not in self.conditions:
                raise invalid(
                    f"Template error: unresolved condition dependency {condition} in Fn::If"
                )
            self.decided[condition] = False  # what a condition that refers to itself would see
            self.decided[condition] = decide(self.conditions[condition], self)
        return self.decided[condition]

    def value_of(self, reference: Reference) -> Any:
        """What a reference stands for."""
        if not reference.getter and reference.name in self.names:
            return self.names[reference.name]
        if self.resource is None:
            raise invalid(
                f"Template format error: Unresolved dependencies [{reference.name}]. "
                "Cannot reference resources in the Conditions block of the template"
            )
        return self.resource(reference)


def evaluate(value: object, scope: Scope) -> Any:
    """A value with its functions resolved; raises ``ValidationError`` if they can't be."""
    function = function_of(value)
    if function:
        name, argument = function
        known = FUNCTIONS.get(name)
        if known is None:
            raise unsupported_function(name)
        return known(argument, scope)
    if isinstance(value, dict):
        pairs = ((key, evaluate(child, scope)) for key, child in value.items())
        return {key: child for key, child in pairs if child is not NO_VALUE}
    if isinstance(value, list):
        return [item for item in (evaluate(c, scope) for c in value) if item is not NO_VALUE]
    return value


def unsupported_function(name: str) -> Exception:
    """The answer to an ``Fn::`` that there is not, or that needs a transform."""
    return invalid(
        f"Template format error: Encountered unsupported function: {name} Supported functions "
        f"are: [{', '.join(sorted(FUNCTIONS.keys() | DECIDERS.keys()))}]"
    )


def as_text(value: object) -> str:
    """A scalar as CloudFormation writes it: booleans are ``true`` and ``false``."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float)


def _ref(argument: object, scope: Scope) -> Any:
    if not isinstance(argument, str):
        raise invalid("Template format error: All Ref values must be strings.")
    return scope.value_of(Reference(argument))


def _getatt(argument: object, scope: Scope) -> Any:
    name, attribute = getatt_parts(argument)
    return scope.value_of(Reference(name, str(evaluate(attribute, scope)), getter=True))


def _sub(argument: object, scope: Scope) -> str:
    text, variables = sub_parts(argument)
    values = {name: evaluate(value, scope) for name, value in variables.items()}

    def replacement(name: str) -> str:
        value = values[name] if name in values else scope.value_of(sub_reference(name))
        if not _is_scalar(value):
            raise invalid(
                f"Template error: variable {name} in Fn::Sub expression does not resolve to a "
                "string"
            )
        return as_text(value)

    filled = SUB_VARIABLE.sub(lambda found: replacement(found.group(1)), text)
    return UNKNOWN if UNKNOWN in filled else filled.replace("${!", "${")


def _join(argument: object, scope: Scope) -> str:
    values = evaluate(argument, scope)
    valid = isinstance(values, list) and len(values) == TWO and isinstance(values[0], str)
    if not valid or not isinstance(values[1], list) or not all(map(_is_scalar, values[1])):
        raise invalid(
            "Template error: every Fn::Join object requires two parameters, (1) a string delimiter "
            "and (2) a list of strings to be joined or a function that returns a list of strings "
            "(such as Fn::GetAZs) to be joined."
        )
    joined = str(values[0]).join(as_text(item) for item in values[1])
    return UNKNOWN if UNKNOWN in joined else joined


def _split(argument: object, scope: Scope) -> list[str]:
    values = evaluate(argument, scope)
    valid = isinstance(values, list) and len(values) == TWO and values[0]
    if not valid or not all(isinstance(item, str) for item in values):
        raise invalid(
            "Template error: every Fn::Split object requires two parameters, (1) a string "
            "delimiter and (2) a string to be split or a function that returns a string to be "
            "split."
        )
    return _Unlisted() if isinstance(values[1], Unknown) else str(values[1]).split(values[0])


def _select(argument: object, scope: Scope) -> Any:
    values = evaluate(argument, scope)
    valid = isinstance(values, list) and len(values) == TWO and isinstance(values[1], list)
    if not valid or not re.fullmatch(r"[0-9]{1,9}", as_text(values[0])):
        raise invalid(
            "Template error: Fn::Select requires a list argument with two elements: "
            "an integer index and a list"
        )
    if isinstance(values[1], _Unlisted):
        return UNKNOWN
    index = int(values[0])
    if index >= len(values[1]):
        raise invalid(
            f"Template error: Fn::Select cannot select nonexistent value at index {index}"
        )
    return values[1][index]


def _find_in_map(argument: object, scope: Scope) -> Any:
    keys = evaluate(argument, scope)
    if not isinstance(keys, list) or len(keys) < len(("map", "first", "second")):
        raise invalid(
            "Template error: every Fn::FindInMap object requires three parameters, the map name, "
            "map key and the attribute for return value"
        )
    name, first, second = (as_text(key) for key in keys[:3])
    if name not in scope.mappings:
        raise invalid(
            f"Template error: Mapping named '{name}' is not present in the 'Mappings' section of "
            "template."
        )
    row = scope.mappings[name].get(first, {})
    if second not in row:
        raise invalid(f"Template error: Unable to get mapping for {name}::{first}::{second}")
    return row[second]


def _base64(argument: object, scope: Scope) -> str:
    text = evaluate(argument, scope)
    if not isinstance(text, str):
        raise invalid("Template error: every Fn::Base64 object must have a String-typed value.")
    if isinstance(text, Unknown):
        return UNKNOWN
    return base64.b64encode(text.encode()).decode()


def _import_value(argument: object, scope: Scope) -> str:
    name = evaluate(argument, scope)
    if not isinstance(name, str) or scope.imports is None:
        raise invalid(
            "Template error: the attribute in Fn::ImportValue must not depend on any resources, "
            "imported values, or Fn::GetAZs"
        )
    return scope.imports(name)


def _get_azs(argument: object, scope: Scope) -> list[str]:
    region = evaluate(argument, scope) or scope.names["AWS::Region"]
    return [f"{region}{zone}" for zone in "abcdef"]


def _cidr(argument: object, scope: Scope) -> list[str]:
    values = evaluate(argument, scope)
    try:
        block, count, bits = (*map(as_text, values), "8")[:3]
        network = ipaddress.ip_network(block)
        blocks = network.subnets(new_prefix=network.max_prefixlen - int(bits))
        return [str(next(blocks)) for _ in range(min(int(count), CIDR_BLOCKS))]
    except (TypeError, ValueError, StopIteration, RuntimeError):
        raise invalid(
            "Template error: Fn::Cidr requires an IP block, a count and CIDR bits"
        ) from None


def _if(argument: object, scope: Scope) -> Any:
    condition, when_true, when_false = if_parts(argument)
    return evaluate(when_true if scope.holds(condition) else when_false, scope)


FUNCTIONS: dict[str, Callable[[Any, Scope], Any]] = {
    "Ref": _ref,
    "Fn::GetAtt": _getatt,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Split": _split,
    "Fn::Select": _select,
    "Fn::FindInMap": _find_in_map,
    "Fn::Base64": _base64,
    "Fn::ImportValue": _import_value,
    "Fn::GetAZs": _get_azs,
    "Fn::Cidr": _cidr,
    "Fn::If": _if,
}


def decide(value: object, scope: Scope) -> bool:
    """Whether a condition of the ``Conditions`` section holds."""
    if isinstance(value, dict) and len(value) == ONE:
        name, argument = next(iter(value.items()))
        if name in DECIDERS:
            return DECIDERS[name](argument, scope)
    raise invalid(
        "Template format error: Every Conditions member must be one of Fn::And, Fn::Equals, "
        "Fn::Not, Fn::Or or Condition"
    )


def _equals(argument: object, scope: Scope) -> bool:
    if not isinstance(argument, list) or len(argument) != TWO:
        raise invalid(
            "Template error: every Fn::Equals object requires a list of 2 string parameters."
        )
    left, right = (evaluate(side, scope) for side in argument)
    if _is_scalar(left) and _is_scalar(right):
        return as_text(left) == as_text(right)
    return bool(left == right)


def _parts(name: str, argument: object, scope: Scope) -> list[bool]:
    if not isinstance(argument, list) or not TWO <= len(argument) <= TEN:
        raise invalid(
            f"Template error: every {name} object requires a list of at least 2 and at most 10 "
            "boolean parameters."
        )
    return [decide(part, scope) for part in argument]


def _and(argument: object, scope: Scope) -> bool:
    return all(_parts("Fn::And", argument, scope))


def _or(argument: object, scope: Scope) -> bool:
    return any(_parts("Fn::Or", argument, scope))


def _not(argument: object, scope: Scope) -> bool:
    if not isinstance(argument, list) or len(argument) != ONE:
        raise invalid("Template error: every Fn::Not object requires one boolean parameter.")
    return not decide(argument[0], scope)


def _condition(argument: object, scope: Scope) -> bool:
    if not isinstance(argument, str) or argument not in scope.conditions:
        raise invalid(
            f"Template format error: Unresolved condition dependency {argument} in the Conditions "
            "block of the template"
        )
    return scope.holds(argument)


DECIDERS: dict[str, Callable[[Any, Scope], bool]] = {
    "Fn::Equals": _equals,
    "Fn::And": _and,
    "Fn::Or": _or,
    "Fn::Not": _not,
    "Condition": _condition,
}
