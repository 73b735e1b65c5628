"""AWS's operations and the constraints on their parameters, from botocore's service models."""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import parse_qsl

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from stslab.sandbox.api import faults
from stslab.sandbox.api.model import Params, place
from stslab.structures import beside

Shape = Any  # a shape of botocore, which is untyped
SERVICES = ("iam", "sts", "s3", "cloudformation")
_UNWRITTEN: Mapping[str, Any] = beside(__file__, "unwritten.yaml")


@functools.cache
def model(service: str) -> ServiceModel:
    loaded = Loader().load_service_model(service, "service-2")
    for shape, members in _UNWRITTEN.get(service, {}).items():
        for name, traits in members.items():
            of = loaded["shapes"][shape]
            of.get("members", of)[name].update(traits)
    return ServiceModel(loaded, service)


@functools.cache
def names(service: str) -> frozenset[str]:
    """The names of all operations in AWS's model of the service."""
    return frozenset(model(service).operation_names)


@functools.cache
def operation(service: str, name: str) -> OperationModel:
    """The model of one operation, which must be one of the service's."""
    return model(service).operation_model(name)


def uri(operation: OperationModel) -> tuple[str, dict[str, str]]:
    """An operation's path with placeholders, and the parameters that select it (``?policy``)."""
    path, _, query = str(operation.http["requestUri"]).partition("?")
    return path, dict(parse_qsl(query, keep_blank_values=True))


_CONSTRAINT = "failed to satisfy constraint: Member must"
_ALLOWED = re.compile(rf"(?<={_CONSTRAINT} satisfy enum value set): .*")
_TEXT = r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*", "[\t\n\n -~\u00a1-\u00ff]*"
"""A description's pattern in the model, and as IAM's XML is read: without a carriage return."""
_SPACES = " \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"  # no tabs, no line breaks


def check(service: str, name: str, params: Params) -> None:
    """Raise ValidationError, with the first problems as in AWS, if ``params`` break constraints."""
    shape = operation(service, name).input_shape
    if shape is None:
        return
    if service == "iam":
        _check_names(shape, params)
    found = _problems(shape, params, "")
    if service == "sts":  # names the pattern of a value before its length
        of_each = groupby(found, key=lambda problem: problem[1].partition(_CONSTRAINT)[0])
        found = (one for _, group in of_each for one in sorted(group, reverse=True))
    problems = [  # IAM repeats neither the value nor those that are allowed
        "Value " + (_ALLOWED.sub("", rule) if service == "iam" else f"{value} {rule}")
        for value, rule in found
    ][:10]  # AWS tells no more
    if problems:
        plural = "s" if len(problems) > 1 else ""
        message = f"{len(problems)} validation error{plural} detected: {'; '.join(problems)}"
        raise faults.invalid(message.replace(*_TEXT))


_OF_IAM: Mapping[str, str] = beside(__file__, "iam_names.yaml")
"""IAM's messages for a bad name, path or policy, which are checked first."""


def _check_names(shape: Shape, params: Params) -> None:
    for name, member in shape.members.items():
        pattern, value = member.metadata.get("pattern", ""), params.get(name)
        if value is not None and pattern in _OF_IAM and not _compiled(pattern).fullmatch(value):
            lower = name[:1].lower() + name[1:]
            rule = _OF_IAM.get(name, _OF_IAM[pattern])
            raise faults.invalid(f"The specified value for {lower} is invalid. It must {rule}")


def _problems(shape: Shape, value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Values, as messages show them, and the constraint that each breaks."""
    if shape.type_name == "structure":
        for name, lower in _ordered(tuple(shape.members)):
            inner = f"{path}.{lower}" if path else lower
            if value.get(name) is not None:
                yield from _problems(shape.members[name], value[name], inner)
            elif name in shape.required_members:
                yield "null", f"at '{inner}' {_CONSTRAINT} not be null"
    elif shape.type_name in ("list", "string", "integer"):
        told = _listed(value, shape.member.name) if shape.type_name == "list" else value
        shown = "***" if shape.metadata.get("sensitive") else told
        for rule, holds in _rules(shape, value):
            if not holds:
                yield f"'{shown}'", f"at '{path}' {_CONSTRAINT} {rule}"
    if shape.type_name == "list" and shape.member.type_name != "string":
        for number, item in enumerate(value, start=1):
            yield from _problems(shape.member, item, f"{path}.{number}.member")


@functools.cache
def _ordered(members: tuple[str, ...]) -> list[tuple[str, str]]:
    """Members and their names in messages, in AWS's order: by these names in a HashMap of Java."""
    named = [(name, name[:1].lower() + name[1:]) for name in members]
    return sorted(named, key=lambda member: place(member[1]))


def _rules(shape: Shape, value: Any) -> Iterator[tuple[str, bool]]:
    """The constraints of a shape, and whether the value satisfies each; one for a list's texts."""
    known = shape.metadata
    size, what = (value, "value") if shape.type_name == "integer" else (len(value), "length")
    if "max" in known:
        yield f"have {what} less than or equal to {known['max']}", size <= known["max"]
    if "min" in known:
        yield f"have {what} greater than or equal to {known['min']}", size >= known["min"]
    if pattern := known.get("pattern"):
        matches = _compiled(pattern).fullmatch(value) is not None
        yield f"satisfy regular expression pattern: {pattern}", matches
    if allowed := known.get("enum"):
        yield f"satisfy enum value set: {_listed(allowed)}", value in allowed
    if shape.type_name == "list" and shape.member.type_name == "string":
        rules = [f"Member must {rule}" for rule, _ in _rules(shape.member, "")]
        rules += ["Member must not be null"] if shape.name == "tagKeyListType" else []
        each = all(holds for text in value for _, holds in _rules(shape.member, text))
        yield f"satisfy constraint: {_listed(rules)}", each


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    r"""AWS's patterns are Java's: ``\w`` is ASCII, and ``\p{L}`` is any letter of Unicode."""
    if "\\p{" not in pattern:
        return re.compile(pattern, re.ASCII)
    python = pattern.replace("\\p{L}", r"\w").replace("\\p{Z}", _SPACES).replace("\\p{N}", r"\d")
    return re.compile(python)


def _listed(values: Sequence[object], kind: str = "") -> str:
    shown = [
        f"{kind}({', '.join(f'{name[:1].lower()}{name[1:]}={one}' for name, one in value.items())})"
        if isinstance(value, dict)
        else str(value)
        for value in values
    ]
    return f"[{', '.join(shown)}]"
