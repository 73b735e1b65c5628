"""What is in properties, as ``types.yaml`` says: how it is checked, and what a service calls it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from stslab.sandbox.cloudformation.resources.work import Properties
from stslab.sandbox.cloudformation.template.functions import as_text
from stslab.sandbox.cloudformation.template.template import Value


class _File(msgspec.Struct, frozen=True):
    types: Mapping[str, Mapping[str, object]]
    parts: Mapping[str, Mapping[str, str]]
    unsupported: frozenset[str]
    services: str


FILE = msgspec.yaml.decode(Path(__file__).with_name("types.yaml").read_bytes(), type=_File)
PARTS = FILE.parts


def members(
    declared: Mapping[str, str], given: Properties, path: str, problems: list[str]
) -> Properties:
    """What is ``given``, each value as ``declared``; what does not fit is added to ``problems``."""
    for name, words in declared.items():
        if "required" in words.split() and name not in given:
            problems.append(f"{path}: required key [{name}] not found")
    result: dict[str, Value] = {}
    for name, value in given.items():
        if name in declared:
            result[name] = _fit(declared[name].split()[0], value, f"{path}/{name}", problems)
        else:
            problems.append(f"{path}: extraneous key [{name}] is not permitted")
    return result


def _fit(kind: str, value: object, path: str, problems: list[str]) -> Value:
    """The value as one of a kind; or as it is, with a problem more."""
    wanted, fit_to = _KINDS[_form(kind)]
    try:
        fit = fit_to(value)
    except (TypeError, ValueError, KeyError):
        found = _SCHEMA_NAMES.get(type(value), "JSONObject")
        problems.append(f"{path}: expected type: {wanted}, found: {found}")
        return value
    if kind.endswith("[]"):
        of = kind.removesuffix("[]")
        return [_fit(of, one, f"{path}/{index}", problems) for index, one in enumerate(fit)]
    if kind in PARTS:
        return members(PARTS[kind], fit, path, problems)
    if "|" in kind and fit not in kind.split("|"):
        problems.append(f"{path}: {fit} is not a valid enum value")
    return fit


def _form(kind: str) -> str:
    if kind.endswith("[]"):
        return "list"
    if kind in PARTS:
        return "object"
    return "text" if "|" in kind else kind


def _of(*types: type) -> Callable[[object], Value]:
    """What gives a value of one of these types back as it is."""

    def check(value: object) -> Value:
        if not isinstance(value, types):
            raise TypeError
        return value

    return check


def _text(value: object) -> str:
    return as_text(_of(str, int, float)(value))


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    number = int(value)
    if abs(number) > _LARGEST:
        raise ValueError
    return number


_LARGEST = 2**63 - 1
_SCHEMA_NAMES = {bool: "Boolean", int: "Integer", float: "Number", str: "String", list: "JSONArray"}
_KINDS: Mapping[str, tuple[str, Callable[[object], Value]]] = {
    "text": ("String", _text),
    "number": ("Integer", _number),
    "flag": ("Boolean", lambda value: {"true": True, "false": False}[as_text(value).lower()]),
    "list": ("JSONArray", _of(list)),
    "json": ("JSONObject", _of(dict, str)),
    "object": ("JSONObject", _of(dict)),
}
"""How a schema calls each kind of property, and what makes a value fit it."""


def renamed(part: str, given: Properties) -> Properties:
    """An object as a call takes it: its members at the places that ``as`` names."""
    result: dict[str, Value] = {}
    for name, value in given.items():
        kind, *words = PARTS[part][name].split()
        *path, last = (words[words.index("as") + 1] if "as" in words else name).split(".")
        each = kind.removesuffix("[]")
        made = value
        if each in PARTS:
            made = [renamed(each, one) for one in value] if kind != each else renamed(each, value)
        inner = result
        for step in path:
            inner = inner.setdefault(step, {})
        inner[last.removesuffix("[]")] = [made] if last.endswith("[]") else made
    return result
