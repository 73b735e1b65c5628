"""What a resource type is, and how resolved properties are checked against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from stslab.sandbox.cloudformation.resources.work import Unfit, Work, type_name, unfit
from stslab.sandbox.cloudformation.template.functions import as_text

Properties = Mapping[str, Any]


class Handler(Protocol):
    """Makes, changes and deletes the resources of one type, by calls in the caller's name."""

    def create(self, work: Work) -> None:
        """Make the resource; sets ``work.physical_id`` where AWS gives the name, and attributes.

        Raises:
            ApiFault: a call was refused; what was made so far is deleted with the resource.
        """
        ...

    def update(self, work: Work, old: Properties) -> None:
        """Change the resource from ``old`` properties to ``work.properties``."""
        ...

    def delete(self, work: Work) -> None:
        """Delete the resource; nothing is wrong if it is gone already."""
        ...


@dataclass(frozen=True)
class Property:
    """One property. ``kind`` is text, number, flag, list, texts, object, or json (also text)."""

    kind: str
    required: bool = False
    replaces: bool = False
    allowed: tuple[str, ...] = ()
    supported: bool = True


@dataclass(frozen=True)
class ResourceType:
    """One type, as "AWS resource and property types reference" describes it.

    ``name_property`` names the resource and needs CAPABILITY_NAMED_IAM where
    ``acknowledged``; ``make_name`` makes a name where none is given. ``attributes`` are what
    ``Fn::GetAtt`` takes. One of ``any_of`` must be given.
    """

    name: str
    properties: Mapping[str, Property]
    handler: Handler
    attributes: frozenset[str] = frozenset()
    acknowledged: bool = False
    name_property: str = ""
    name_limit: int = 64
    make_name: Callable[[str, str, int], str] | None = None
    tagged: bool = False
    any_of: tuple[str, ...] = ()

    @property
    def replacing(self) -> frozenset[str]:
        """The properties whose update requires replacement."""
        return frozenset(name for name, each in self.properties.items() if each.replaces)


def fitted(kind: ResourceType, logical_id: str, properties: Properties) -> dict[str, Any]:
    """The properties with scalars as their type has them ("3600" becomes 3600).

    Raises:
        Unfit: with all problems, in the words of CloudFormation's property validation.
    """
    problems = [
        f"#: required key [{name}] not found"
        for name, each in kind.properties.items()
        if each.required and name not in properties
    ]
    result: dict[str, Any] = {}
    for name, value in properties.items():
        declared = kind.properties.get(name)
        if declared is None:
            problems.append(f"#: extraneous key [{name}] is not permitted")
        elif not declared.supported:
            raise Unfit(f"Property {name} of {kind.name} is not supported by the sandbox")
        else:
            result[name] = _fit(name, value, declared, problems)
    if kind.any_of and not any(result.get(name) for name in kind.any_of):
        problems.append(f"#: at least one of [{', '.join(kind.any_of)}] must be specified")
    if problems:
        raise unfit(logical_id, problems)
    return result


def _fit(name: str, value: object, declared: Property, problems: list[str]) -> Any:
    wanted, fit_to = _KINDS[declared.kind]
    try:
        fit = fit_to(value)
    except (TypeError, ValueError, KeyError):
        problems.append(f"#/{name}: expected type: {wanted}, found: {type_name(value)}")
        return value
    if declared.allowed and fit not in declared.allowed:
        problems.append(f"#/{name}: {fit} is not a valid enum value")
    return fit


def _text(value: object) -> str:
    if not isinstance(value, str | int | float):
        raise TypeError
    return as_text(value)


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    number = int(value)
    if abs(number) > _LARGEST:
        raise ValueError
    return number


def _flag(value: object) -> bool:
    return {"true": True, "false": False}[as_text(value).lower()]


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _texts(value: object) -> list[str]:
    return [_text(item) for item in _list(value)]


def _json(value: object) -> Any:
    if not isinstance(value, dict | str):
        raise TypeError
    return value


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value


_LARGEST = 2**63 - 1
_KINDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "text": ("String", _text),
    "number": ("Integer", _number),
    "flag": ("Boolean", _flag),
    "list": ("JSONArray", _list),
    "texts": ("JSONArray", _texts),
    "json": ("JSONObject", _json),
    "object": ("JSONObject", _object),
}
"""How a schema calls each kind of property, and what makes a value fit it."""
