"""Evaluates a CloudFormation template ("Template reference"): its resources. Pure.

A value that only a resource will have is a mark with its logical id; an unknown value is
:data:`UNKNOWN`. For a condition both results are tried: a template is harmless only if both are.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from functools import partial

import msgspec
import yaml

from stslab.structures import Part, parts, read_templates, safe_loader

UNKNOWN = "\ue002"
MARK = re.compile("\ue000([A-Za-z0-9]+)\\.?[A-Za-z0-9.]*\ue001")
_LONGEST, _DEEPEST, _MOST_CONDITIONS = 51_200, 60, 8  # CloudFormation takes no longer body
_LONGEST_TEXT = 262_144  # a limit for the texts that functions make
_SECTIONS = {
    "AWSTemplateFormatVersion", "Conditions", "Description", "Mappings", "Metadata", "Outputs",
    "Parameters", "Resources", "Rules",
}  # fmt: skip
_IN_SUB = re.compile(r"\$\{(!?)([^{}]*)\}")
_NO_VALUE = object()
_SECRET = "SecretAccessKey"  # noqa: S105 - the attribute's name
_UNSEEN = ("Fn::Transform", "Fn::ForEach", "Fn::ImportValue", "<<")


class Unjudgeable(ValueError):  # noqa: N818 - it says what the template is
    """Nobody can tell what a template would do; ``word`` is the part that hides it."""

    def __init__(self, reason: str, word: str = "") -> None:
        super().__init__(reason)
        self.word = word


class Resource(msgspec.Struct, frozen=True):
    """One resource of a template, with evaluated properties."""

    logical: str
    type: str
    properties: Mapping[str, Part]
    stays: bool = False  # it is retained when its stack is deleted, or when it is replaced


def resources(
    text: str, parameters: Mapping[str, str], pseudo: Mapping[str, str]
) -> Iterator[Resource]:
    """Every resource, once for each combination of its conditions' results. Raises Unjudgeable."""
    read = parse(text)
    _refuse_unseen(read)
    declared = _mapping(read.get("Resources"))
    names = _values(read, parameters) | {f"AWS::{name}": one for name, one in pseudo.items()}
    names |= {"AWS::NoValue": _NO_VALUE}
    conditions = _mapping(read.get("Conditions")).keys()
    for logical, resource in declared.items():
        whole = _mapping(resource)
        ifs = (part for path, part in parts(whole) if path[-1:] == ("Fn::If",))
        named = {str(one) for part in ifs if isinstance(part, list) for one in part[:1]}
        deciding = sorted(conditions & named)
        if len(deciding) > _MOST_CONDITIONS:
            raise Unjudgeable(f"{logical} has more than {_MOST_CONDITIONS} conditions", logical)
        for holding in itertools.product((True, False), repeat=len(deciding)):
            ways = dict(zip(deciding, holding, strict=True))
            scope = _Evaluation(names, frozenset(declared), ways)
            properties = _mapping(scope.value(whole.get("Properties", {})))
            policies = ("DeletionPolicy", "UpdateReplacePolicy")
            stays = any(whole.get(one, "Delete") != "Delete" for one in policies)
            yield Resource(logical, str(whole.get("Type")), properties, stays)


def parse(text: str) -> Mapping[str, Part]:
    """The template's data, with functions in their long form."""
    if len(text) > _LONGEST or re.search("[\ue000-\ue002]", text):
        raise Unjudgeable("it is too long, or has reserved characters")
    # JSON is YAML, except for tabs between its tokens.
    plain = text.replace("\t", " ") if text.lstrip().startswith("{") else text
    try:
        _refuse_unbounded(plain)
        return _mapping(yaml.load(plain, Loader=_Loader))  # noqa: S506 - a SafeLoader with more tags
    except Unjudgeable:
        raise
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Unjudgeable("it is neither YAML nor JSON") from None


def _refuse_unbounded(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=safe_loader()):
        if isinstance(event, yaml.AliasEvent):
            raise Unjudgeable("it has YAML aliases")
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.NodeEvent) and depth >= _DEEPEST:
            raise Unjudgeable("it is nested too deep")
        depth += isinstance(event, yaml.CollectionStartEvent)


class _Loader(safe_loader()):  # type: ignore[misc]
    """YAML as CloudFormation reads it: without dates and repeated keys."""

    def construct_mapping(self, node: Part, deep: bool = False) -> dict[Part, Part]:  # noqa: ARG002 - all is read at once
        made = partial(self.construct_object, deep=True)
        pairs = [(made(key), made(value)) for key, value in node.value]
        found = {key: value for key, value in pairs if isinstance(key, str)}
        if len(found) != len(pairs):
            raise Unjudgeable("it has a key twice, or one that is not text")
        return found


read_templates(_Loader, "null")  # numbers stay text: an account's id may begin with a zero


def _refuse_unseen(read: Mapping[str, Part]) -> None:
    """Refuse templates that get content only when they are deployed, or that export a secret."""
    for section in read.keys() - _SECTIONS:
        raise Unjudgeable(f"its section {section} may add something to it", section)
    for path, part in parts(read):
        key = str(path[-1]) if path else ""
        text = part if isinstance(part, str) else ""
        if key.startswith(_UNSEEN) or "{{resolve:" in key + text:
            hidden = text if "{{resolve:" in text else key
            raise Unjudgeable("it adds something from elsewhere", hidden.split("}}")[0][:60])
        if _SECRET in key + text:
            raise Unjudgeable("it would give out a secret key", _SECRET)


def _values(read: Mapping[str, Part], given: Mapping[str, str]) -> dict[str, Part]:
    values: dict[str, Part] = {}
    for name, declared in _mapping(read.get("Parameters")).items():
        kind = str(_mapping(declared).get("Type"))
        value = given.get(name, _mapping(declared).get("Default", UNKNOWN))
        if kind.startswith("AWS::SSM") or "{{resolve:" in str(value):
            value = UNKNOWN
        is_list = kind == "CommaDelimitedList" or kind.startswith("List<")
        values[name] = [one.strip() for one in str(value).split(",")] if is_list else str(value)
    return values


def _mapping(value: Part) -> Mapping[str, Part]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Unjudgeable("a part of it is not valid in CloudFormation")
    return value


class _Evaluation(msgspec.Struct, frozen=True):
    names: Mapping[str, Part]
    resources: frozenset[str]
    ways: Mapping[str, bool]

    def value(self, node: Part) -> Part:
        if isinstance(node, Mapping):
            if len(node) == 1:
                ((name, argument),) = node.items()
                if name == "Ref" or name.startswith("Fn::"):
                    return self.called(name, argument)
            found = {key: self.value(part) for key, part in node.items()}
            return {key: part for key, part in found.items() if part is not _NO_VALUE}
        if isinstance(node, list):
            return [part for part in map(self.value, node) if part is not _NO_VALUE]
        return node

    def called(self, function: str, argument: Part) -> Part:
        try:
            match function:
                case "Ref":
                    return self.named(str(argument))
                case "Fn::GetAtt":
                    parts = argument if isinstance(argument, list) else str(argument).split(".", 1)
                    return self.attribute(str(parts[0]), ".".join(map(self.text, parts[1:])))
                case "Fn::If":
                    name, then, otherwise = argument
                    return self.value(then if self.ways.get(str(name)) else otherwise)
                case "Fn::Join":
                    return self.joined(*argument)
                case "Fn::Sub":
                    return self.put_in(*([argument, {}] if isinstance(argument, str) else argument))
        except (TypeError, ValueError, LookupError, AttributeError):
            pass
        return UNKNOWN

    def text(self, node: Part) -> str:
        value = self.value(node)
        return value if isinstance(value, str) else UNKNOWN

    def named(self, name: str) -> Part:
        return self.names.get(name, f"\ue000{name}\ue001" if name in self.resources else UNKNOWN)

    def attribute(self, logical: str, attribute: str) -> str:
        known = logical in self.resources and re.fullmatch(r"[A-Za-z0-9.]+", attribute)
        return f"\ue000{logical}.{attribute}\ue001" if known else UNKNOWN

    def joined(self, between: Part, listed: Part) -> str:
        parts, comma = self.value(listed), self.text(between)
        texts = [self.text(one) for one in parts] if isinstance(parts, list) else [UNKNOWN]
        _bounded(sum(map(len, texts)) + len(comma) * len(texts))
        return comma.join(texts)

    def put_in(self, text: str, own: Part) -> str:
        """The text of Sub with values put in; ``own`` are further names."""
        values = {name: self.text(value) for name, value in _mapping(own).items()}
        inner = msgspec.structs.replace(self, names={**self.names, **values})

        def put(found: re.Match[str]) -> str:
            if found[1]:
                return f"${{{found[2]}}}"
            name = found[2].strip()
            if name in values or "." not in name:
                value = inner.named(name)
                return value if isinstance(value, str) else UNKNOWN
            return self.attribute(*name.split(".", 1))

        _bounded(sum(len(put(one)) for one in _IN_SUB.finditer(str(text))))
        return _IN_SUB.sub(put, str(text))


def _bounded(length: int) -> None:
    if length > _LONGEST_TEXT:
        raise ValueError("the text is too long")  # its value is unknown then
