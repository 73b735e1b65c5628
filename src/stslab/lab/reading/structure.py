"""Nodes to the model's parts, each by itself: one bad part does not hide what else is wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from stslab.lab.model import Check, LabFile, Page, Part, Profile, Stage, Step, Undo, Wait
from stslab.lab.reading.document import Node, Report
from stslab.lab.reading.expressions import OPEN
from stslab.lab.reading.problems import Problem, did_you_mean, shortened

P = TypeVar("P", bound=Part)

# Stands in for what a broken part lacks, so that the rest of it can be checked.
UNKNOWN_CALL = "unknown.Unknown"
_STAND_INS: dict[type[Part], dict[str, Any]] = {
    Step: {"title": "?", "call": UNKNOWN_CALL},
    Check: {"says": "?"},
    Stage: {"id": "unknown", "title": "?", "intro": "?"},
    LabFile: {"stslab": 1, "id": "unknown", "title": "?"},
}
_NAMES: dict[type[Part], str] = {
    Step: "step",
    Check: "check",
    Stage: "stage",
    LabFile: "lab",
    Undo: "undo",
    Wait: "wait",
    Profile: "profile",
    Page: "page",
}
_NESTED: dict[str, type[Part]] = {"undo": Undo, "wait": Wait, "profile": Profile, "pages": Page}
_LISTS = frozenset({"stages", "steps", "checkpoint"})
_PROSE = frozenset({"title", "summary", "intro", "explain", "why", "says", "because"})
_INTERNAL = frozenset({"line", "path", "sha256"})


@dataclass(slots=True)
class Draft(Generic[P]):
    """A part, the node it was made of, and the keys of it that were bad or missing."""

    part: P
    node: Node
    spoiled: frozenset[str]


@dataclass(slots=True)
class StageDraft:
    """A stage with the drafts of its steps and checks."""

    stage: Draft[Stage]
    steps: list[Draft[Step]] = field(default_factory=list)
    checks: list[Draft[Check]] = field(default_factory=list)


@dataclass(slots=True)
class LabDraft:
    """A lab's parts, before they are known to make sense together."""

    lab: Draft[LabFile]
    stages: list[StageDraft]


def draft(root: Node, report: Report) -> LabDraft:
    """The parts that the document ``root`` holds; what is wrong with each is reported."""
    stages = [_stage(node, report) for node in _listed(root, "stages", report)]
    parts = tuple(one.stage.part for one in stages)
    found = root.get("stages")
    if not parts and (found.value == [] if found else isinstance(root.value, dict)):
        report(
            (found or root).problem("This lab has no stages.", "Add `stages:` with at least one.")
        )
    # The model wants a stage; the problem of having none has been reported.
    given = {"stages": parts or (Stage(id="none", title="?", intro="?"),)}
    return LabDraft(_made(LabFile, root, report, given), stages)


def _stage(node: Node, report: Report) -> StageDraft:
    steps = [_made(Step, one, report, {"line": one.line}) for one in _listed(node, "steps", report)]
    checks = [
        _made(Check, one, report, {"line": one.line}) for one in _listed(node, "checkpoint", report)
    ]
    given = {
        "steps": tuple(one.part for one in steps),
        "checkpoint": tuple(one.part for one in checks),
        "line": node.line,
    }
    return StageDraft(_made(Stage, node, report, given), steps, checks)


def _listed(node: Node, key: str, report: Report) -> Sequence[Node]:
    found = node.get(key)
    if found is None or found.value is None or isinstance(found.value, list):
        return found.items if found else ()
    report(found.problem(f"`{key}` is a list.", "Begin each of its items with `- `."))
    return ()


def _made(model: type[P], node: Node, report: Report, given: Mapping[str, Any]) -> Draft[P]:
    """A part of this model: from the node's keys, and from what is ``given`` as made before."""
    values = {**_own_values(model, node, report), **given}
    _refuse_expressions(node, report)
    empty = {key for key in node.keys if node.value[key].value is None}
    spoiled = set(empty) if isinstance(node.value, dict) else set(_keys(model))
    try:
        part = model.model_validate(values)
    except ValidationError as errors:
        for error in errors.errors(include_url=False, include_context=False):
            key = str(error["loc"][0])
            told = error["type"] == "missing" and key in empty
            if not told:
                report(_problem(model, node, error))
            spoiled.add(key)
        kept = {key: value for key, value in values.items() if key not in spoiled}
        part = model.model_validate({**_STAND_INS[model], **kept, **given})
    return Draft(part, node, frozenset(spoiled))


def _own_values(model: type[Part], node: Node, report: Report) -> dict[str, Any]:
    """The plain values of the keys that the model has; the others are reported."""
    name = _NAMES[model]
    if not isinstance(node.value, dict):
        report(node.problem(f"A {name} is written as `key: value` lines.", _keys_of(model)))
        return dict(_STAND_INS[model])
    values = {}
    for key, value in node.value.items():
        if key not in _keys(model):
            message = f"A {name} has no key `{key}`."
            report(
                node.keys[key].problem(message, did_you_mean(key, _keys(model), _keys_of(model)))
            )
        elif value.value is None:
            report(value.problem(f"`{key}` is empty.", "Fill it in, or leave it out."))
        elif key not in _LISTS:
            values[key] = value.plain()
    return values


def _refuse_expressions(node: Node, report: Report) -> None:
    for key in _PROSE & node.keys.keys():
        text = node.value[key]
        at = text.value.find(OPEN) if isinstance(text.value, str) else -1
        if at >= 0:
            message = f"`{key}` is for people: nothing is filled in there."
            report(text.problem_at(at, message, "Say it in words; `show` shows values."))


@cache
def _keys(model: type[Part]) -> frozenset[str]:
    """The keys that a file may have in such a part."""
    fields = model.model_fields.items()
    return frozenset(one.alias or name for name, one in fields) - _INTERNAL


def _keys_of(model: type[Part]) -> str:
    return f"A {_NAMES[model]} has: {', '.join(sorted(_keys(model)))}."


def _problem(model: type[Part], node: Node, error: Mapping[str, Any]) -> Problem:
    """Pydantic's error as a problem, at the place that its ``loc`` leads to."""
    loc, kind = error["loc"], error["type"]
    at, key = node, ""
    for part in loc:
        key = part if isinstance(part, str) and part != "[key]" else key
        model = _NESTED.get(key, model) if part != loc[-1] else model
        at = _inside(at, part, want_key=loc[-1] == "[key]" or kind == "extra_forbidden") or at
    if error["input"] is None and kind != "extra_forbidden":
        return at.problem(f"`{key}` is empty.", "Fill it in, or leave it out.")
    say, mend = _SAYINGS.get(kind, _other)(model, key, error)
    return at.problem(say, mend)


def _inside(node: Node, part: str | int, *, want_key: bool) -> Node | None:
    if isinstance(part, int):
        return node.items[part] if part < len(node.items) else None
    found = node.get(part)
    is_leaf = found is not None and not isinstance(found.value, dict | list)
    return node.keys.get(part) if want_key and is_leaf else found


Saying = tuple[str, str]


def _missing(model: type[Part], key: str, _: Mapping[str, Any]) -> Saying:
    described = next(
        (one.description for name, one in model.model_fields.items() if (one.alias or name) == key),
        None,
    )
    return f"This {_NAMES[model]} lacks `{key}`.", f"Add `{key}:` {described or ''}".strip()


def _unknown(model: type[Part], key: str, _: Mapping[str, Any]) -> Saying:
    return (
        f"A {_NAMES[model]} has no key `{key}`.",
        did_you_mean(key, _keys(model), _keys_of(model)),
    )


def _pattern(_: type[Part], key: str, error: Mapping[str, Any]) -> Saying:
    mend = _PATTERN_MENDS.get(key, "Use letters, digits and _, beginning with a letter.")
    return f"{shortened(error['input'])} won't do for `{key}`.", mend


def _literal(_: type[Part], key: str, error: Mapping[str, Any]) -> Saying:
    if key == "stslab":
        return f"This is format {shortened(error['input'])}.", "This stslab reads `stslab: 1`."
    return f"{shortened(error['input'])} won't do for `{key}`.", f"Write {error['msg']}."


def _own_words(_: type[Part], key: str, error: Mapping[str, Any]) -> Saying:
    words = error["msg"].removeprefix("Value error, ")
    return f"{shortened(error['input'])} won't do for `{key}`.", f"{words[:1].upper()}{words[1:]}."


def _other(_: type[Part], key: str, error: Mapping[str, Any]) -> Saying:
    return f"`{key}`: {error['msg']}.", "See docs/authors.md."


def _kind(what: str, mend: str) -> Callable[[type[Part], str, Mapping[str, Any]], Saying]:
    return lambda _, key, error: (f"`{key}` is {what}, not {shortened(error['input'])}.", mend)


_AS_KEYS = "Write it as indented `key: value` lines."
_SAYINGS: dict[str, Callable[[type[Part], str, Mapping[str, Any]], Saying]] = {
    "bool_type": _kind("true or false", "Write true or false, without quotes."),
    "dict_type": _kind("a mapping", _AS_KEYS),
    "extra_forbidden": _unknown,
    "literal_error": _literal,
    "mapping_type": _kind("a mapping", _AS_KEYS),
    "missing": _missing,
    "model_type": _kind("a mapping", _AS_KEYS),
    "string_pattern_mismatch": _pattern,
    "string_too_short": lambda _, key, __: (
        f"`{key}` is empty.",
        "Fill it in, or leave it out.",
    ),
    "string_type": _kind("text", "Write text; put it in quotes."),
    "tuple_type": _kind("a list", "Begin each of its items with `- `."),
    "value_error": _own_words,
}
_PATTERN_MENDS = {
    "call": "Write service.Operation, as in iam.CreateUser.",
    "id": "Use small letters, digits and -, beginning with a letter.",
    "undo": "Write service.Operation, as in iam.DeleteUser, or none.",
    "url": "Name a page of https://docs.aws.amazon.com/.",
    "fails": "Write the error code that AWS answers, as in AccessDenied.",
}
