"""The intrinsic functions and the condition functions: finds, checks and evaluates them.

AWS CloudFormation User Guide, "Intrinsic function reference" and "Condition functions".
"""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from types import UnionType
from typing import Final

import msgspec

from stslab.sandbox.api.faults import invalid, require
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.template import template
from stslab.sandbox.cloudformation.template.template import ANATOMY, SAYS, Value, well_formed
from stslab.structures import beside

SUB_VARIABLE = re.compile(r"\$\{(?!\s*!)([^{}]*)\}")
# CloudFormation's errors for wrong arguments of a function.
_TAKES: Mapping[str, str] = beside(__file__, "takes.yaml")
Holds = Callable[[str], bool]  # whether the condition with a name holds
_LONGEST = 262_144
"""The maximum length of a text, longer than any property; nested functions could exceed it."""


class Reference(msgspec.Struct, frozen=True):
    """A ``Ref`` (no attribute) or an ``Fn::GetAtt`` of ``name``."""

    name: str
    attribute: str | None = None

    @property
    def text(self) -> str:
        """``Role`` or ``Role.Arn``, as a CausingEntity of DescribeChangeSet has it."""
        return self.name if self.attribute is None else f"{self.name}.{self.attribute}"


def function_of(value: object) -> tuple[str, Value] | None:
    """The name and argument of an intrinsic function; None if the value is something else."""
    if isinstance(value, dict) and len(value) == 1:
        name, argument = next(iter(value.items()))
        if isinstance(name, str) and (name == "Ref" or name.startswith(("Fn::", "fn::"))):
            return name, argument
    return None


def references(value: Value, holds: Holds | None = None) -> Iterator[Reference]:
    """All references in a value; with ``holds``, without those of branches that are not used."""
    function = function_of(value)
    if function and function[0] in REFERRERS:
        yield from REFERRERS[function[0]](function[1], holds)
        return
    children = value.values() if isinstance(value, dict) else value
    for child in children if isinstance(value, dict | list) else ():
        yield from references(child, holds)


def _in_getatt(argument: object, holds: Holds | None) -> Iterator[Reference]:
    name, attribute = getatt_parts(argument)
    yield Reference(name, attribute if isinstance(attribute, str) else "")
    yield from references(attribute, holds)


def _in_sub(argument: object, holds: Holds | None) -> Iterator[Reference]:
    text, variables = sub_parts(argument)
    for name in SUB_VARIABLE.findall(text):
        if name not in variables:
            yield Reference(*name.split(".", 1))
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
    check_form(isinstance(argument, str), "Ref")
    return str(argument)


def getatt_parts(argument: object) -> tuple[str, Value]:
    parts: Value = argument.split(".", 1) if isinstance(argument, str) else argument
    valid = _counts(2, 2)(parts) and isinstance(parts[0], str) and parts[0] and parts[1]
    check_form(valid, "Fn::GetAtt" if parts is argument else "Fn::GetAtt of one text")
    return parts[0], parts[1]


def sub_parts(argument: object) -> tuple[str, dict[str, Value]]:
    parts: Value = [argument, {}] if isinstance(argument, str) else argument
    valid = _counts(2, 2)(parts) and isinstance(parts[0], str) and isinstance(parts[1], dict)
    check_form(valid, "Fn::Sub")
    check_form(all(_is(_SCALAR, value) for value in parts[1].values()), "the values of Fn::Sub")
    text = SUB_VARIABLE.sub(lambda match: f"${{{match[1].strip()}}}", parts[0])
    names = SUB_VARIABLE.findall(text)
    check_form(all(re.fullmatch(r"[A-Za-z0-9_.:]+", name) for name in names), "${} in Fn::Sub")
    return text, parts[1]


def if_parts(argument: object) -> tuple[str, Value, Value]:
    parts: Value = argument
    check_form(_counts(3, 3)(parts), "Fn::If")
    condition, when_true, when_false = parts
    check_form(isinstance(condition, str), "the condition of Fn::If")
    return condition, when_true, when_false


NO_VALUE: Final = object()  # the value of ``AWS::NoValue``: a property with it is left out


class NotText(msgspec.Struct, frozen=True):
    """An attribute that is a number or a boolean. Unlike a literal, it can't stand for a text."""

    value: int


class Unknown(str):
    """A value that is known only after a resource was created."""

    __slots__ = ()


UNKNOWN: Final = Unknown("{{changeSet:KNOWN_AFTER_APPLY}}")
"""An unknown value, as DescribeChangeSet shows it. A text that contains it is unknown too."""


class _UnknownParts(list[str]):
    """The parts of an unknown text. Every index of it is UNKNOWN."""


class Scope(msgspec.Struct):
    """The meaning of names while values are evaluated."""

    names: Mapping[str, Value]  # parameters and pseudo parameters
    mappings: Mapping[str, Value] = {}
    conditions: Mapping[str, Value] = {}
    resource: Callable[[Reference], Value] = lambda _reference: UNKNOWN
    imports: Callable[[str], str] = lambda _name: ""  # the value of an export
    decided: dict[str, bool] = {}

    def holds(self, condition: str) -> bool:
        if condition not in self.decided:
            require(condition in self.conditions, ANATOMY["no condition"].format(condition))
            self.decided[condition] = decide(self.conditions[condition], self)
        return self.decided[condition]

    def value_of(self, reference: Reference) -> Value:
        named = reference.attribute is None and reference.name in self.names
        return self.names[reference.name] if named else self.resource(reference)


def evaluate(value: object, scope: Scope) -> Value:
    """A value with its functions evaluated. Raises ValidationError."""
    function = function_of(value)
    if function:
        name, argument = function
        if name not in FUNCTIONS:
            require(name not in DECIDERS, f"Template error: {name} cannot be partially collapsed")
            raise unsupported_function(name)
        if name in FITS:
            argument = evaluate(argument, scope)
            check_form(FITS[name](argument), name)
        return FUNCTIONS[name](argument, scope)
    if isinstance(value, dict):
        pairs = ((key, evaluate(child, scope)) for key, child in value.items())
        return {key: child for key, child in pairs if child is not NO_VALUE}
    if isinstance(value, list):
        return [item for item in (evaluate(c, scope) for c in value) if item is not NO_VALUE]
    return value


def unsupported_function(name: str) -> ApiFault:
    """The error for an unknown ``Fn::``, or for one that only AWS has."""
    says: str = ANATOMY["missing functions"].get(name, ANATOMY["no function"])
    return invalid(says.format(name))


def _bounded(length: int) -> None:
    require(length <= _LONGEST, f"Template error: a text is longer than {_LONGEST} characters.")


def _is(kinds: type | UnionType, value: object) -> bool:
    """Whether it is one of these kinds, or a function: ``Fn::Split`` in place of a list only."""
    function = function_of(value)
    return (kinds is list or function[0] != "Fn::Split") if function else isinstance(value, kinds)


def may_be(value: object, *functions: str) -> bool:
    """Whether it is one of these functions, the only ones that are supported in its place."""
    return (function_of(value) or ("",))[0] in functions


def _delimited(value: Value, kind: type) -> bool:
    return _counts(2, 2)(value) and isinstance(value[0], str) and _is(kind, value[1])


def _counts(least: int, most: int) -> Callable[[Value], bool]:
    return lambda value: isinstance(value, list) and least <= len(value) <= most


_SCALAR = str | int | float
_LOOKUPS = ("Ref", "Fn::FindInMap")
_LISTS = (*_LOOKUPS, "Fn::Cidr", "Fn::GetAtt", "Fn::GetAZs", "Fn::If", "Fn::Split")
FITS: Mapping[str, Callable[[Value], object]] = {
    "Fn::Join": lambda value: (
        _delimited(value, list) and all(_is(_SCALAR, item) for item in value[1])
    ),
    "Fn::Split": lambda value: _delimited(value, str) and value[0],
    "Fn::Select": lambda value: (
        _counts(2, 2)(value)
        and (isinstance(value[1], list) or may_be(value[1], *_LISTS))
        and (may_be(value[0], *_LOOKUPS) or re.fullmatch("[0-9]{1,9}", template.as_text(value[0])))
    ),
    "Fn::FindInMap": lambda value: (
        _counts(3, 4)(value)
        and all(not function_of(v) or may_be(v, *_LOOKUPS) for v in value[:3])
        and all(isinstance(v, dict) and v.keys() <= {"DefaultValue"} for v in value[3:])
    ),
    **dict.fromkeys(("Fn::Base64", "Fn::ImportValue"), lambda value: _is(str, value)),
    "Fn::Equals": lambda value: _counts(2, 2)(value) and all(_is(_SCALAR, v) for v in value),
    **dict.fromkeys(("Fn::And", "Fn::Or"), _counts(2, 10)),
    "Fn::Not": _counts(1, 1),
}
"""Whether the argument of a function, in which others stand for anything, has the right form.

It is evaluated before the function.
"""


def _getatt(argument: object, scope: Scope) -> Value:
    name, attribute = getatt_parts(argument)
    return scope.value_of(Reference(name, str(evaluate(attribute, scope))))


def _sub(argument: object, scope: Scope) -> str:
    text, variables = sub_parts(argument)
    values = {name: evaluate(value, scope) for name, value in variables.items()}
    check_form(all(isinstance(v, _SCALAR) for v in values.values()), "the values of Fn::Sub")
    names = SUB_VARIABLE.findall(text)
    for name in names:
        if name not in values:
            values[name] = scope.value_of(Reference(*name.split(".", 1)))
        require(isinstance(values[name], _SCALAR), ANATOMY["no string"].format(name))
    _bounded(sum(len(template.as_text(values[name])) for name in names))
    filled = SUB_VARIABLE.sub(lambda match: template.as_text(values[match[1]]), text)
    return UNKNOWN if UNKNOWN in filled else re.sub(r"\$\{\s*!", "${", filled)


def _join(argument: Value, _scope: Scope) -> str:
    delimiter, items = argument
    texts = [template.as_text(item) for item in items]
    _bounded(sum(map(len, texts)) + len(delimiter) * len(texts))
    joined = delimiter.join(texts)
    return UNKNOWN if UNKNOWN in joined else joined


def _split(argument: Value, _scope: Scope) -> list[str]:
    delimiter, text = argument
    return _UnknownParts([UNKNOWN]) if isinstance(text, Unknown) else str(text).split(delimiter)


def _select(argument: Value, _scope: Scope) -> Value:
    index, items = argument
    if isinstance(items, _UnknownParts):
        return UNKNOWN
    require(int(index) < len(items), ANATOMY["no item"].format(index))
    return items[int(index)]


def _find_in_map(arguments: Value, scope: Scope) -> Value:
    name, first, second = map(template.as_text, arguments[:3])
    require(name in scope.mappings, ANATOMY["no mapping"].format(name))
    row = scope.mappings[name].get(first, {})
    if second not in row and arguments[3:]:
        return arguments[3].get("DefaultValue", NO_VALUE)
    require(second in row, f"Template error: Unable to get mapping for {name}::{first}::{second}")
    return row[second]


def _base64(text: str, _scope: Scope) -> str:
    _bounded(len(text))
    return UNKNOWN if isinstance(text, Unknown) else base64.b64encode(text.encode()).decode()


def _if(argument: object, scope: Scope) -> Value:
    condition, when_true, when_false = if_parts(argument)
    return evaluate(when_true if scope.holds(condition) else when_false, scope)


FUNCTIONS: dict[str, Callable[[Value, Scope], Value]] = {
    "Ref": lambda argument, scope: scope.value_of(Reference(ref_name(argument))),
    "Fn::GetAtt": _getatt,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Split": _split,
    "Fn::Select": _select,
    "Fn::FindInMap": _find_in_map,
    "Fn::Base64": _base64,
    "Fn::ImportValue": lambda name, scope: scope.imports(name),
    "Fn::If": _if,
}


def decider(value: object, conditions: Mapping[str, Value]) -> tuple[str, Value]:
    """The name and the argument of a condition function. Raises ValidationError."""
    pairs = list(value.items()) if isinstance(value, dict) else []
    name, argument = pairs[0] if len(pairs) == 1 else ("", None)
    well_formed(name in DECIDERS, SAYS["not boolean"])
    if name == "Condition":
        well_formed(isinstance(argument, str), "Every Condition member must be a string.")
        well_formed(argument in conditions, SAYS["unknown condition"].format(argument))
    return name, argument


def conditions_in(value: object, conditions: Mapping[str, Value]) -> Iterator[str]:
    name, argument = decider(value, conditions)
    if name == "Condition":
        yield argument
    elif name != "Fn::Equals":
        for part in argument:
            yield from conditions_in(part, conditions)


def decide(value: object, scope: Scope) -> bool:
    name, argument = decider(value, scope.conditions)
    return DECIDERS[name](argument, scope)


def _equals(argument: Value, scope: Scope) -> bool:
    sides = [evaluate(side, scope) for side in argument]
    check_form(FITS["Fn::Equals"](sides), "Fn::Equals")
    return template.as_text(sides[0]) == template.as_text(sides[1])


DECIDERS: dict[str, Callable[[Value, Scope], bool]] = {
    "Fn::Equals": _equals,
    "Fn::And": lambda parts, scope: all([decide(part, scope) for part in parts]),  # noqa: C419
    "Fn::Or": lambda parts, scope: any([decide(part, scope) for part in parts]),  # noqa: C419
    "Fn::Not": lambda parts, scope: not decide(parts[0], scope),
    "Condition": lambda name, scope: scope.holds(name),
}
