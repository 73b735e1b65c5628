"""Checks properties by ``types.yaml``, and converts them to the parameters of a service's call."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import UnionType

import msgspec

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.resources.work import Refused
from stslab.sandbox.cloudformation.template.functions import Unknown
from stslab.sandbox.cloudformation.template.template import Properties, Value, as_text
from stslab.structures import beside


class _Refusal(msgspec.Struct, frozen=True):
    says: str
    having: frozenset[str] = frozenset()
    lacking: frozenset[str] = frozenset()


class _Setting(msgspec.Struct, frozen=True):
    put: str
    param: str = ""
    delete: str = ""
    default: Value = None
    fresh: Value = None


class _File(msgspec.Struct, frozen=True):
    types: Mapping[str, Mapping[str, object]]
    parts: Mapping[str, Mapping[str, str]]
    refused: Mapping[str, list[_Refusal]]
    patterns: Mapping[str, str]
    settings: Mapping[str, _Setting]


FILE = msgspec.convert(beside(__file__, "types.yaml"), _File)
PARTS = FILE.parts
_FAILED = "failed validation constraint for keyword [{}]".format


def members(
    declared: Mapping[str, str], given: Properties, path: str, problems: list[str]
) -> Properties:
    """The ``given`` members converted to their declared kinds. Errors go to ``problems``."""
    for name, words in declared.items():
        if "required" in words.split() and name not in given:
            problems.append(f"{path}: required key [{name}] not found")
    result: dict[str, Value] = {}
    for name, value in given.items():
        at = f"{path}/{name}"
        if name in declared:
            result[name] = _fit(declared[name].split()[0], value, at, problems)
            problems += [f"{at}: {each}" for each in _misfits(declared[name], result[name])]
        else:
            problems.append(f"{path}: extraneous key [{name}] is not permitted")
    return result


def _misfits(words: str, value: Value) -> Iterator[str]:
    """What is wrong with a value of the right kind, by the words that follow its kind."""
    limits = dict(re.findall(r" (most|least)=(\d+)", words))
    if isinstance(value, list):
        known = [item for item in value if not isinstance(item, Unknown)]
        if " unique" in words and any(item in known[:i] for i, item in enumerate(known)):
            yield "array items are not unique"
        if len(value) > int(limits.get("most", len(value))):
            yield f"expected maximum item count: {limits['most']}, found: {len(value)}"
    elif isinstance(value, int) and value < int(limits.get("least", value)):
        yield _FAILED("minimum")
    elif " one" in words and isinstance(value, dict) and len(value) != 1:
        yield "0 subschemas matched instead of one"


def _fit(kind: str, value: object, path: str, problems: list[str]) -> Value:
    """The value converted to a kind; or unchanged, with an error in ``problems``."""
    if isinstance(value, Unknown):
        return value
    item = kind.removesuffix("[]")
    form = "list" if item != kind else "object" if kind in PARTS else kind
    wanted, types, convert = _KINDS.get(form, _KINDS["text"])
    result: Value = None
    with suppress(ValueError, KeyError):
        result = convert(value) if isinstance(value, types) else None
    if result is None:
        found = _SCHEMA_NAMES.get(type(value), "JSONObject")
        problems.append(f"{path}: expected type: {wanted}, found: {found}")
        return value
    if form == "list":
        return [_fit(item, each, f"{path}/{index}", problems) for index, each in enumerate(result)]
    if form == "object":
        return members(PARTS[kind], result, path, problems)
    word, _, bounds = kind.partition("(")
    if "|" in kind and result not in kind.split("|"):
        problems.append(f"{path}: {_FAILED('enum')}")
    if bounds:
        least, most = map(int, bounds[:-1].split("-"))
        if not least <= len(result) <= most:
            bound = f"minLength: {least}" if len(result) < least else f"maxLength: {most}"
            problems.append(f"{path}: expected {bound}, actual: {len(result)}")
    if word in FILE.patterns and not re.search(FILE.patterns[word], result, re.ASCII):
        problems.append(f"{path}: {_FAILED('pattern')}")
    return result


def _number(value: int | str) -> int:
    number = int(value)
    if isinstance(value, bool) or abs(number) >= 2**63 or "_" in str(value):
        raise ValueError(value)
    return number


_FLAGS = {"true": True, "false": False}
_SCHEMA_NAMES = {bool: "Boolean", int: "Integer", float: "Number", str: "String", list: "JSONArray"}
_KINDS: Mapping[str, tuple[str, type | UnionType, Callable[[Value], Value]]] = {
    "text": ("String", str | int | float, as_text),
    "number": ("Integer", int | str, _number),
    "flag": ("Boolean", object, lambda value: _FLAGS[as_text(value).lower()]),
    "list": ("JSONArray", list, list),
    "json": ("JSONObject", dict | str, lambda value: value),
    "object": ("JSONObject", dict, lambda value: value),
}
"""For each kind of property: its name in a schema, the types of a value, and its conversion."""


def renamed(part: str, given: Properties) -> Properties:
    """An object as a service's call takes it, with its members at the places in ``as``."""
    for rule in FILE.refused.get(part, ()):
        if given.keys() >= rule.having and given.keys().isdisjoint(rule.lacking):
            raise Refused("s3", ApiFault("CfnInvalidRequest", rule.says))
    result: dict[str, Value] = {}
    for name, value in given.items():
        kind, *words = PARTS[part][name].split()
        *path, last = (words[words.index("as") + 1] if "as" in words else name).split(".")
        item, new = kind.removesuffix("[]"), value
        if item in PARTS:
            new = [renamed(item, each) for each in value] if kind != item else renamed(item, value)
        inner = result
        for step in path:
            inner = inner.setdefault(step, {})
        inner[last.removesuffix("[]")] = [new] if last.endswith("[]") else new
    return result
