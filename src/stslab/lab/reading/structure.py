"""Turns nodes into the model's parts, value by value: a bad value does not hide other problems."""

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect
from msgspec.structs import replace

from stslab.lab.model import Action, Cell, Check, Fault, LabFile, Part, Stage, Step
from stslab.lab.reading.document import Node, Report
from stslab.lab.reading.expressions import OPEN
from stslab.lab.reading.problems import did_you_mean, shortened
from stslab.structures import beside

P = TypeVar("P", bound=Part)

# Values in place of those that a broken part lacks, so that the rest of it can be checked.
UNKNOWN_CALL = "unknown.Unknown"
_STAND_INS: dict[type[Part], dict[str, object]] = {
    Step: {"title": "?", "call": UNKNOWN_CALL},
    Check: {"says": "?"},
    Stage: {"id": "unknown", "title": "?", "intro": "?"},
    LabFile: {"stslab": 1, "id": "unknown", "title": "?"},
    Cell: {"says": "?", "as": (), "call": UNKNOWN_CALL},
    Fault: {"id": "unknown", "title": "?", "after": "unknown", "change": (), "fix": ()},
    Action: {"call": UNKNOWN_CALL},
}
_NAMES = {"LabFile": "lab", "Action": "call", "Uses": "declaration", "ProfileSettings": "profile"}
_LISTS = frozenset({"stages", "steps", "checkpoint"})
_SENTENCES = frozenset({"title", "why", "says", "because", "task"})
_PROSE = _SENTENCES | {"summary", "intro", "explain", "ask", "hints", "remember"}
_KEYS = re.compile(r"^(\w+)(?: \((.+?)\))?: (.+(?:\n +.+)*)", re.MULTILINE)
_UNREAD = object()  # In place of a value that can't be read, which has been reported


class Draft(msgspec.Struct, Generic[P]):
    """A part, its node, and its keys that were bad or missing."""

    part: P
    node: Node
    spoiled: frozenset[str]

    def unclear(self, key: str) -> bool:
        """Whether the key, or a similar one, was bad or missing."""
        return bool(get_close_matches(key, self.spoiled, cutoff=0.75))


class StageDraft(Draft[Stage]):
    steps: list[Draft[Step]]
    checks: list[Draft[Check]]


class LabDraft(Draft[LabFile]):
    """A lab's parts, before they are checked together."""

    stages: list[StageDraft]

    @property
    def steps(self) -> list[Draft[Step]]:
        return [step for stage in self.stages for step in stage.steps]

    @property
    def checks(self) -> list[Draft[Check]]:
        return [check for stage in self.stages for check in stage.checks]


def draft(root: Node, report: Report) -> LabDraft:
    """The parts of the document ``root``. Problems with their form are reported."""
    stages = [_stage(node, report) for node in _listed(root, "stages", report)]
    parts = tuple(one.part for one in stages)
    found = root.get("stages")
    if not parts and (found.value == [] if found else isinstance(root.value, dict)):
        fix = "Add `stages:` with at least one."
        report((found or root).problem("This lab has no stages.", fix))
    # The model needs a stage; that it is missing has been reported.
    given = {"stages": parts or (Stage(id="none", title="?", intro="?"),)}
    return LabDraft(*_read(LabFile, root, report, given), stages)


def _stage(node: Node, report: Report) -> StageDraft:
    steps = [Draft(*_read(Step, one, report)) for one in _listed(node, "steps", report)]
    checks = [Draft(*_read(Check, one, report)) for one in _listed(node, "checkpoint", report)]
    given = {
        "steps": tuple(one.part for one in steps),
        "checkpoint": tuple(one.part for one in checks),
    }
    part, _, spoiled = _read(Stage, node, report, given)
    cleans = part.cleanup or "cleanup" in spoiled  # as the author of `cleanup: yes` meant it
    return StageDraft(replace(part, cleanup=cleans), node, spoiled, steps, checks)


def _listed(node: Node, key: str, report: Report) -> Sequence[Node]:
    found = node.get(key)
    if found and not (found.value is None or isinstance(found.value, list)):
        report(found.problem(f"`{key}` must be a list.", "Begin each of its items with `- `."))
    return node.listed(key)


def _read(
    model: type[P], node: Node, report: Report, given: Mapping[str, object] = {}
) -> tuple[P, Node, frozenset[str]]:
    """A part of this model, as in a draft; some of its values are ``given`` already."""
    values, spoiled = _Reader(report).values(model, node, given.keys())
    return _filled(model, node, {**_STAND_INS[model], **values, **given}), node, frozenset(spoiled)


def _filled(model: type[P], node: Node, values: Mapping[str, object]) -> P:
    names = {one.encode_name: one.name for one in fields(model)}
    return model(**{names[key]: value for key, value in values.items()}, line=node.line)


@cache
def fields(model: type[Part]) -> tuple[inspect.Field, ...]:
    info: Any = inspect.type_info(model)
    return tuple(one for one in info.fields if one.name not in {"line", "path", "sha256"})


@cache
def key_texts(model: type[Part]) -> Mapping[str, tuple[str, str]]:
    """For each key of a part, its meaning and when it is needed, from keys.txt."""
    text = Path(__file__).parent.with_name("keys.txt").read_text(encoding="utf-8")
    section = text.partition(f"\n[{model.__name__}]\n")[2].partition("\n[")[0]
    return {key: (" ".join(says.split()), when) for key, when, says in _KEYS.findall(section)}


def _name(model: type[Part]) -> str:
    return _NAMES.get(model.__name__, model.__name__.lower())


def plain_type(found: inspect.Type) -> tuple[inspect.Type, Mapping[str, Any]]:
    """A type without metadata and None, and its short forms in a file; see the module ``model``."""
    extra: dict[str, Any] = {}
    while isinstance(found, inspect.Metadata | inspect.UnionType):
        if isinstance(found, inspect.Metadata):
            extra |= found.extra or {}
            found = found.type
        else:
            found = next(one for one in found.types if not isinstance(one, inspect.NoneType))
    return found, extra


class _Reader:
    """Reads values of the model's types from nodes. Unreadable items are left out of lists."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._bad_ones = 0

    def values(
        self, model: type[Part], node: Node, given: Collection[str] = ()
    ) -> tuple[dict[str, object], set[str]]:
        """The values of a part's keys, as far as readable, and the keys that are bad or missing."""
        known = {one.encode_name: one for one in fields(model)}
        if not isinstance(node.value, dict):
            message = f"A {_name(model)} must be written as `key: value` lines."
            self._bad(node, message, _keys_of(model))
            return {}, set(known)
        values: dict[str, object] = {}
        spoiled: set[str] = set()
        for key, value in node.value.items():
            before = self._bad_ones
            if key not in known:
                message = f"A {_name(model)} has no key `{key}`."
                near = did_you_mean(key, known.keys() - node.value.keys())
                fix = f"{near} {_keys_of(model)}" if near.startswith("Did") else _keys_of(model)
                self._bad(node.keys[key], message, fix)
            elif value.value is None or key not in _LISTS:
                values[key] = self._value(known[key].type, value, key)
                self._prose(key, value)
                if key in _SENTENCES and isinstance(value.value, str):  # however it was broken
                    values[key] = " ".join(value.value.split())
            unlisted = key in _LISTS and not isinstance(value.value, list)
            spoiled |= {key} if unlisted or self._bad_ones > before else set()
        values = {key: value for key, value in values.items() if value is not _UNREAD}
        required = {key for key, one in known.items() if one.required}
        if model.ONE_OF and not any(key in node.value for key in model.ONE_OF):
            required.add(model.ONE_OF[0])
        lacking = required - node.value.keys() - set(given)
        for key in sorted(lacking):
            add = f"Add `{key}:` {key_texts(model)[key][0]}"
            self._bad(node, f"This {_name(model)} lacks `{key}`.", add)
        return values, spoiled | lacking

    def _prose(self, key: str, node: Node) -> None:
        for text in node.texts() if key in _PROSE else ():
            if (at := text.value.find(OPEN)) >= 0:
                message = f"`{key}` is text for people: expressions in it are not resolved."
                self._report(text.problem_at(at, message, _IN_WORDS))

    def _value(self, found: inspect.Type, node: Node, key: str) -> object:
        kind, extra = plain_type(found)
        if node.value is None or (node.value == [] and getattr(kind, "min_length", 0)):
            return self._bad(node, *_empty(key))
        if "read" in extra:
            try:
                return extra["read"](node.plain())
            except ValueError as error:
                return self._bad(node, _wont_do(node.plain(), key), str(error))
        if node.value == extra.get("none", ...):
            return ()
        if isinstance(kind, inspect.VarTupleType):
            return self._tuple(kind.item_type, node, key, one=bool(extra.get("one")))
        return self._item(kind, node, key)

    def _item(self, kind: inspect.Type, node: Node, key: str) -> object:
        if isinstance(kind, inspect.StructType):
            return self._part(kind.cls, node, key)
        if isinstance(kind, inspect.DictType):
            return self._mapping(kind, node, key)
        if isinstance(kind, inspect.AnyType):
            return node.plain()
        if say := _leaf(kind, node, key):
            return self._bad(node, *say)
        return kind.cls(node.value) if isinstance(kind, inspect.EnumType) else node.value

    def _tuple(self, item: inspect.Type, node: Node, key: str, *, one: bool) -> object:
        if not isinstance(node.value, list) and not one:
            return self._bad(node, *_is("a list", "Begin each of its items with `- `.", node, key))
        items = node.value if isinstance(node.value, list) else [node]
        tried = [(each, self._value(item, each, key)) for each in items]
        items[:] = [each for each, value in tried if value is not _UNREAD]
        return tuple(value for _, value in tried if value is not _UNREAD)

    def _part(self, model: Any, node: Node, key: str) -> object:
        if model.SHORT and isinstance(node.value, str):
            short = next(one for one in fields(model) if one.encode_name == model.SHORT)
            value = self._value(short.type, node, key)
            return value if value is _UNREAD else model(**{short.name: value})
        if not isinstance(node.value, dict):
            return self._bad(node, *_is("a mapping", _AS_KEYS, node, key))
        values, spoiled = self.values(model, node)
        stand_ins = _STAND_INS.get(model)
        unread = spoiled and stand_ins is None
        return _UNREAD if unread else _filled(model, node, {**(stand_ins or {}), **values})

    def _mapping(self, found: inspect.DictType, node: Node, key: str) -> object:
        if not isinstance(node.value, dict):
            return self._bad(node, *_is("a mapping", _AS_KEYS, node, key))
        free = isinstance(found.value_type, inspect.AnyType) and key != "vars"
        named: dict[str, object] = {}
        for name, value in node.value.items():
            if say := _text(plain_type(found.key_type)[0], node.keys[name], key):
                self._bad(node.keys[name], *say)
                continue
            read = value.plain() if free else self._value(found.value_type, value, name)
            named |= {} if read is _UNREAD else {name: read}
        return named

    def _bad(self, node: Node, message: str, fix: str) -> object:
        self._report(node.problem(message, fix))
        self._bad_ones += 1
        return _UNREAD


Saying = tuple[str, str]
_IN_WORDS = "Say it in words, with the name of a variable of `env`; a step can `show` values."
_AS_KEYS = "Write it as indented `key: value` lines."


def _keys_of(model: type[Part]) -> str:
    return f"A {_name(model)} has: {', '.join(sorted(one.encode_name for one in fields(model)))}."


def _empty(key: str) -> Saying:
    return f"`{key}` is empty.", "Fill it in, or leave it out."


def _wont_do(value: object, key: str) -> str:
    return f"{shortened(value)} is not valid for `{key}`."


def _is(what: str, fix: str, node: Node, key: str) -> Saying:
    return f"`{key}` must be {what}, not {shortened(node.plain())}.", fix


def _leaf(kind: Any, node: Node, key: str) -> Saying | None:
    """What is wrong with a value that must be text, true or false, or one of several words."""
    if isinstance(kind, inspect.StrType):
        return _text(kind, node, key)
    if isinstance(kind, inspect.BoolType):
        wrong = _is("true or false", "Write true or false, without quotes.", node, key)
        return None if isinstance(node.value, bool) else wrong
    words = [one.value for one in kind.cls] if isinstance(kind, inspect.EnumType) else kind.values
    if any(node.value == one and type(node.value) is type(one) for one in words):
        return None
    if key == "stslab":
        return f"This is format {shortened(node.plain())}.", "This stslab reads `stslab: 1`."
    return _wont_do(node.plain(), key), did_you_mean(str(node.plain()), words)


def _text(kind: inspect.Type, node: Node, key: str) -> Saying | None:
    if not isinstance(node.value, str):
        return _is("text", "Write text; put it in quotes.", node, key)
    if isinstance(kind, inspect.StrType):
        if kind.min_length and not node.value:
            return _empty(key)
        if kind.pattern and not re.search(kind.pattern, node.value):
            fixes: dict[str, str] = beside(__file__, "fixes.yaml")["keys"]
            return _wont_do(node.value, key), fixes.get(key, fixes["else"])
    return None
