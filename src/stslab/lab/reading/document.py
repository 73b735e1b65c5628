"""YAML to nodes that know their place: safe, bounded, and by the rules of YAML 1.2.

Only text, numbers, true, false and null, lists and mappings come out of it, so that a lab
can't run code. There are no anchors, and hence no bombs; depth and size have limits.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from stslab.lab.reading.expressions import LEAVE_OUT, NO_TEXT, UNFIT
from stslab.lab.reading.problems import Problem
from stslab.structures import safe_loader

Event = Any
"""One of yaml's events, each of which has other attributes."""
Report = Callable[[Problem], None]

LARGEST_FILE = 1024 * 1024
DEEPEST = 40

_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


class Unreadable(Exception):  # noqa: N818 - it says what the text is
    """The text can't be made into nodes at all; ``problem`` says where and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(eq=False, slots=True)
class Source:
    """A file's name and text."""

    name: str
    text: str
    lines: list[str] = field(init=False, repr=False)
    _starts: list[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        ends = list(_LINE_END.finditer(self.text))
        self._starts = [0, *(end.end() for end in ends)]
        self.lines = _LINE_END.split(self.text)

    def problem(self, index: int, message: str, fix: str) -> Problem:
        line, column = self.place(index)
        return Problem(self.name, line, column, message, fix, self.lines[line - 1])

    def place(self, index: int) -> tuple[int, int]:
        """The line and column of a character, both counted from 1."""
        index = max(0, min(index, len(self.text)))
        line = self.line_of(index) - 1
        return line + 1, min(index - self._starts[line], len(self.lines[line])) + 1

    def line_of(self, index: int) -> int:
        return bisect_right(self._starts, index)  # counted from 1


@dataclass(eq=False, slots=True)
class Node:
    """A value in a file, and where it stands there (``start`` and ``end`` of its text).

    ``value`` is a scalar's value, a list of nodes, or a mapping's nodes by key, whose own
    nodes are in ``keys``. ``inside`` is the file that an included text came from.
    """

    source: Source
    start: int
    end: int
    value: Any
    keys: dict[str, "Node"] = field(default_factory=dict)
    include: bool = False
    inside: Source | None = None

    def problem(self, message: str, fix: str) -> Problem:
        return self.source.problem(self.start, message, fix)

    def problem_at(self, offset: int, message: str, fix: str) -> Problem:
        """A problem with this text at its character ``offset``."""
        if self.inside:
            return self.inside.problem(offset, message, fix)
        return self.source.problem(_written_at(self, offset), message, fix)

    def problem_within(self, message: str, fix: str) -> Problem:
        """A problem with this text, at the place where the JSON in it breaks, if it does."""
        text = self.value if isinstance(self.value, str) else ""
        try:
            json.loads(text if text.lstrip().startswith("{") else "{}")
        except json.JSONDecodeError as broken:
            return self.problem_at(broken.pos, message, fix)
        except RecursionError:
            pass
        return self.problem(message, fix)

    def get(self, key: str) -> "Node | None":
        return self.value.get(key) if isinstance(self.value, dict) else None

    def at(self, place: Iterable[str | int]) -> "Node":
        """The node that a place leads to; the only item of a list may stand without it."""
        node = self
        for part in place:
            found = node.get(part) if isinstance(part, str) else (node.items or [node])[part]
            node = found or node
        return node

    def holding(self, problems: Sequence[Problem]) -> Iterator["Node"]:
        """The nodes with one of the problems in them, from this one on downwards."""
        parts = self.value.values() if isinstance(self.value, dict) else self.items
        held = [one for part in (*self.keys.values(), *parts) for one in part.holding(problems)]
        begin, end = self.source.place(self.start), self.source.place(self.end)
        yield from held
        if held or any(
            begin <= (one.line, one.column) <= end
            if one.file == self.source.name
            else self.inside and self.inside.name == one.file
            for one in problems
        ):
            yield self

    @property
    def items(self) -> list["Node"]:
        return self.value if isinstance(self.value, list) else []

    @property
    def line(self) -> int:
        return self.source.line_of(self.start)

    def texts(self) -> Iterator["Node"]:
        if isinstance(self.value, str):
            yield self
            return
        for part in self.value.values() if isinstance(self.value, dict) else self.items:
            yield from part.texts()

    def plain(self) -> Any:
        """The value with all nodes in it, as plain lists, mappings and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def decoded(name: str, raw: bytes) -> Source:
    """The text of a file."""
    if len(raw) > LARGEST_FILE:
        large, fix = "This file is larger than 1 MiB.", "Split the lab into several."
        raise Unreadable(Problem(name, 1, 1, large, fix))
    try:
        return Source(name, raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = Source(name, raw[: error.start].decode("utf-8", "replace"))
        problem = before.problem(error.start, "This is not UTF-8.", "Save the file as UTF-8.")
        raise Unreadable(problem) from None


def nodes(source: Source, report: Report) -> Node:
    """The document in ``source``, with every problem of its YAML reported."""
    events = _events(source)
    root: Node | None = None
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            if root is not None:
                message = "A second document begins here; a file holds one lab."
                fix = "Put it into a file of its own."
                report(source.problem(getattr(event.start_mark, "index", 0), message, fix))
                break
            root = _Builder(source, report, events).build(next(events), 0)
    if root is None:
        raise Unreadable(source.problem(0, "This file is empty.", _BEGIN))
    return root


_BEGIN = "Begin with `stslab: 1`, `id`, `title` and `stages`; see docs/authors.md."


def _events(source: Source) -> Iterator[Event]:
    try:
        yield from yaml.parse(source.text, Loader=safe_loader())
    except yaml.MarkedYAMLError as error:
        at = getattr(error.problem_mark or error.context_mark, "index", 0)
        what = error.problem or error.context or "it can't be read"
        problem = source.problem(at, f"This is no YAML: {what}.", _yaml_fix(what))
        raise Unreadable(problem) from None
    except yaml.YAMLError as error:
        at = getattr(error, "position", 0)
        what = getattr(error, "reason", "it can't be read")
        problem = source.problem(at, f"This is no YAML: {what}.", "Leave the character out.")
        raise Unreadable(problem) from None


_FIXES = {
    "cannot start any token": "Indent with spaces, not tabs; quote text that begins with a sign.",
    "mapping values are not allowed": "Quote text that holds a colon and a space.",
    "could not find expected ':'": "Write `key: value`, and indent what belongs to it.",
    "did not find expected key": "Check the indentation; quote text that goes on after a quote.",
    "tab character": "Write spaces in its place.",
    "unexpected end of stream": "Close the quote.",
    "did not find expected ',' or ']'": "Close the [ with ].",
    "did not find expected ',' or '}'": "Close the { with }; quote ${{ … }} between braces.",
}


def _yaml_fix(problem: str) -> str:
    found = (fix for part, fix in _FIXES.items() if part in problem)
    return next(found, "Check the indentation and the quotes here and in the line before.")


@dataclass(slots=True)
class _Builder:
    """Makes nodes of the parser's events."""

    source: Source
    report: Report
    events: Iterator[Event]

    def build(self, event: Event, depth: int) -> Node:
        start = event.start_mark.index
        if depth > DEEPEST:
            raise Unreadable(
                self.source.problem(start, "This is nested too deep.", "Make it flatter.")
            )
        node = Node(self.source, start, event.end_mark.index, None)
        if isinstance(event, yaml.AliasEvent):
            self.report(self.source.problem(start, "Labs have no YAML aliases.", _VARS))
            return node
        if event.anchor:
            self.report(self.source.problem(start, "Labs have no YAML anchors.", _VARS))
        self._refuse_tag(event)
        if isinstance(event, yaml.ScalarEvent):
            node.value = _scalar(event)
            node.include = event.tag == _INCLUDE
            unfit = UNFIT.search(event.value)
            if unfit:
                self.report(node.problem_at(unfit.start(), NO_TEXT, LEAVE_OUT))
        elif isinstance(event, yaml.SequenceStartEvent):
            node.value = self._list(depth)
        else:
            node.value = self._mapping(node, depth)
        return node

    def _refuse_tag(self, event: Event) -> None:
        if event.tag in {None, "!"} or (
            event.tag == _INCLUDE and isinstance(event, yaml.ScalarEvent)
        ):
            return
        shown = event.tag.replace("tag:yaml.org,2002:", "!!")[:60]
        message = f"Labs have no YAML tag {shown}; the one that there is: !include path."
        fix = "Leave the tag out; write text in quotes."
        self.report(self.source.problem(event.start_mark.index, message, fix))

    def _list(self, depth: int) -> list[Node]:
        listed = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            listed.append(self.build(event, depth + 1))
        return listed

    def _mapping(self, node: Node, depth: int) -> dict[str, Node]:
        values: dict[str, Node] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self.build(event, depth + 1)
            value = self.build(next(self.events), depth + 1)
            if self._is_good_key(key, node):
                node.keys[key.value] = key
                values[key.value] = value
        return values

    def _is_good_key(self, key: Node, mapping: Node) -> bool:
        if not isinstance(key.value, str):
            self.report(key.problem("A key must be text.", "Put it in quotes."))
            return False
        first = mapping.keys.get(key.value)
        if first:
            message = f"The key {key.value} stands here twice; first in line {first.line}."
            self.report(key.problem(message, "Leave one of them."))
        return not first


_INCLUDE = "!include"
_VARS = "Put what is used again into `vars`, and refer to it with ${{ name }}."


def _scalar(event: Event) -> Any:
    """A scalar's value by YAML 1.2's core schema: dates, yes and no are text there.

    Numbers that would lose their leading zeros (account ids), or are too long, are text too.
    """
    text: str = event.value
    if not event.implicit[0] or event.tag:
        return text
    for pattern, make in _CORE:
        if pattern.fullmatch(text):
            return make(text)
    return text


_CORE: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (re.compile(r"|~|null|Null|NULL"), lambda _: None),
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(r"[-+]?(0|[1-9][0-9]{0,17})"), int),
    (re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\.[0-9]{1,17}"), float),
)


def _written_at(node: Node, offset: int) -> int:
    """Where in its file the character ``offset`` of a scalar's text was written.

    Both are walked side by side: what YAML takes away (indentation, quotes, escapes, line
    breaks) is skipped in the file.
    """
    if not isinstance(node.value, str):
        return node.start
    raw = node.source.text[node.start : node.end]
    at = raw.find("\n") + 1 if raw[:1] in {"|", ">"} else 0
    for char in node.value[: offset + 1]:
        if char.isspace():
            continue
        found = raw.find(char, at)
        if found < 0:
            break
        at = found + 1
    return node.start + max(0, at - 1)
