"""Parses YAML 1.2, without anchors, into nodes with their places in the file, with limits."""

import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import msgspec
import yaml

from stslab import resources
from stslab.lab.reading.expressions import LEAVE_OUT, NO_TEXT, UNFIT
from stslab.lab.reading.problems import Problem, did_you_mean
from stslab.structures import beside, safe_loader

Event = Any  # One of yaml's events, each of which has other attributes
Report = Callable[[Problem], None]

LARGEST_FILE = 1024 * 1024
DEEPEST = 40

_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_ODD_BLANK = re.compile("(?:^[ -]*|:)([\u00a0\u2000-\u200b\u202f\u3000\ufeff])", re.MULTILINE)
_NO_SPACE = "This blank is not a space: YAML takes it for a letter."
_BEGIN = "Begin with `stslab: 1`, `id`, `title` and `stages`; see docs/authors.md."
_VARS = "Put repeated values into `vars`, and refer to them with ${{ name }}."


class Unreadable(Exception):  # noqa: N818 - it says what the text is
    """The text can't be parsed at all; ``problem`` says where and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Source:
    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._lines = _LINE_END.split(text)
        self._starts = [0, *(end.end() for end in _LINE_END.finditer(text))]

    def problem(self, index: int, message: str, fix: str) -> Problem:
        line, column = self.place(index)
        return Problem(self.name, line, column, message, fix, self._lines[line - 1])

    def place(self, index: int) -> tuple[int, int]:
        """The line and column of a character, both counted from 1."""
        index = max(0, min(index, len(self.text)))
        line = bisect_right(self._starts, index)
        return line, min(index - self._starts[line - 1], len(self._lines[line - 1])) + 1


class Node(msgspec.Struct, eq=False):
    """A value in a file, with its place (``start`` and ``end`` of its text)."""

    source: Source
    start: int
    end: int
    value: Any  # a scalar, a list of nodes, or a mapping's nodes by key
    keys: dict[str, "Node"] = {}  # of a mapping
    include: bool = False
    inside: Source | None = None  # the file that an included text came from

    def problem(self, message: str, fix: str) -> Problem:
        return self.source.problem(self.start, message, fix)

    def problem_at(self, offset: int, message: str, fix: str) -> Problem:
        if self.inside:
            return self.inside.problem(offset, message, fix)
        return self.source.problem(_written_at(self, offset), message, fix)

    def problem_within(self, message: str, fix: str) -> Problem:
        """A problem with this text; if it is invalid JSON, at the place of the error."""
        text = self.value if isinstance(self.value, str) else ""
        try:
            json.loads(text if text.lstrip().startswith("{") else "{}")
        except json.JSONDecodeError as broken:
            return self.problem_at(broken.pos, message, fix)
        except RecursionError:
            pass
        return self.problem(message, fix)

    def problem_about(self, word: str, message: str, fix: str) -> Problem | None:
        """A problem at this word of the first text that has it, if there is one."""
        for text in self.texts() if word else ():
            found = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text.value)
            if found:
                return text.problem_at(found.start(), message, fix)
        return None

    def get(self, key: str) -> "Node | None":
        return self.value.get(key) if isinstance(self.value, dict) else None

    def listed(self, key: str) -> list["Node"]:
        """The items of a key's list; empty if there is no such list."""
        found = self.get(key)
        return found.items if found else []

    def at(self, place: Iterable[str | int]) -> "Node":
        """The node at a place; a single item may be written without its list."""
        node = self
        for part in place:
            found = node.get(part) if isinstance(part, str) else (node.items or [node])[part]
            node = found or node
        return node

    def holding(self, problems: Sequence[Problem]) -> Iterator["Node"]:
        """This node and those in it that contain one of the problems."""
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
        return self.source.place(self.start)[0]

    def texts(self) -> Iterator["Node"]:
        if isinstance(self.value, str):
            yield self
            return
        for part in self.value.values() if isinstance(self.value, dict) else self.items:
            yield from part.texts()

    def plain(self) -> Any:
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def decoded(name: str, raw: bytes) -> Source:
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
    """The root node of ``source``. Problems of its YAML are reported."""
    root: Node | None = None
    events = yaml.parse(source.text, Loader=safe_loader())
    builder = _Builder(source, report, events)
    try:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    message = "A second document begins here; a file has one lab."
                    at = getattr(event.start_mark, "index", 0)
                    report(source.problem(at, message, "Put it into another file."))
                    break
                root = builder.build(next(events), 0)
    except yaml.MarkedYAMLError as error:
        raise Unreadable(_not_yaml(source, error, builder.quoted)) from None
    except yaml.YAMLError as error:
        at = getattr(error, "position", 0)
        what = getattr(error, "reason", "it can't be read")
        problem = source.problem(at, f"This is not YAML: {what}.", "Leave the character out.")
        raise Unreadable(problem) from None
    if root is None:
        raise Unreadable(source.problem(0, "This file is empty.", _BEGIN))
    return root


def _not_yaml(source: Source, error: yaml.MarkedYAMLError, quoted: Event) -> Problem:
    """What is wrong, at its cause if that is known; ``quoted`` is the last text in quotes."""
    at = getattr(error.problem_mark or error.context_mark, "index", 0)
    what = error.problem or error.context or "it can't be read"
    line = source.place(at)[0]
    for odd in _ODD_BLANK.finditer(source.text, 0, at + 1):
        if source.place(odd.start(1))[0] > line - 3:  # else it is in a text
            return source.problem(odd.start(1), _NO_SPACE, "Write a space in its place.")
    if "quoted scalar" in (error.context or ""):
        opened = getattr(error.context_mark, "index", at)
        return source.problem(opened, "This quote is not closed.", "Close it.")
    if quoted and quoted.start_mark.line < quoted.end_mark.line:
        ends = f"closes only in line {source.place(quoted.end_mark.index)[0]}"
        message = f"The quote that opens here {ends}, and what follows is not YAML: {what}."
        fix = f"Close it here. If it is meant to be that long, correct line {line}."
        return source.problem(quoted.start_mark.index, message, fix)
    known: dict[str, str] = beside(__file__, "fixes.yaml")["yaml"]
    fix = next((fix for part, fix in known.items() if part in what), _LOOK)
    return source.problem(at, f"This is not YAML: {what}.", fix)


_LOOK = "Check the indentation and the quotes here and in the line before."


class _Builder(msgspec.Struct):
    source: Source
    report: Report
    events: Iterator[Event]
    quoted: Event = None  # the last text in quotes

    def build(self, event: Event, depth: int) -> Node:
        start = event.start_mark.index
        if depth > DEEPEST:
            deep = self.source.problem(start, "This is nested too deep.", "Make it flatter.")
            raise Unreadable(deep)
        node = Node(self.source, start, event.end_mark.index, None)
        if isinstance(event, yaml.AliasEvent):
            self.report(self.source.problem(start, "Labs can't have YAML aliases.", _VARS))
            return node
        if event.anchor:
            self.report(self.source.problem(start, "Labs can't have YAML anchors.", _VARS))
        is_scalar = isinstance(event, yaml.ScalarEvent)
        node.include = is_scalar and event.tag == "!include"
        if event.tag not in {None, "!"} and not node.include:
            shown = event.tag.replace("tag:yaml.org,2002:", "!!")[:60]
            message = f"Labs can't have the YAML tag {shown}, only !include path."
            self.report(node.problem(message, "Leave the tag out; write text in quotes."))
        if is_scalar:
            self.quoted = event if event.style in ("'", '"') else None
            node.value = _scalar(event)
            if unfit := UNFIT.search(event.value):
                self.report(node.problem_at(unfit.start(), NO_TEXT, LEAVE_OUT))
        elif isinstance(event, yaml.SequenceStartEvent):
            inside = takewhile(lambda one: not isinstance(one, yaml.SequenceEndEvent), self.events)
            node.value = [self.build(one, depth + 1) for one in inside]
        else:
            node.value = self._mapping(node, depth)
        return node

    def _mapping(self, node: Node, depth: int) -> dict[str, Node]:
        values: dict[str, Node] = {}
        for event in takewhile(lambda one: not isinstance(one, yaml.MappingEndEvent), self.events):
            key = self.build(event, depth + 1)
            value = self.build(next(self.events), depth + 1)
            if not isinstance(key.value, str):
                self.report(key.problem("A key must be text.", "Put it in quotes."))
            elif odd := _ODD_BLANK.search(key.value):
                self.report(key.problem_at(odd.start(1), _NO_SPACE, "Write a space in its place."))
            elif first := node.keys.get(key.value):
                message = f"The key {key.value} is here twice; first in line {first.line}."
                self.report(key.problem(message, "Leave one of them out."))
            else:
                node.keys[key.value] = key
                values[key.value] = value
        return values


def _scalar(event: Event) -> Any:
    """A scalar's value by YAML 1.2's core schema; dates and account ids (0123...) are text."""
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
    """Where a character of a scalar's text is in its file; what YAML removes is skipped there."""
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


# -- `!include`: the text of a file in the lab's folder, or of a bundled one ----------------------

# A lab may read only these in the folder above `lab/` (its own or the bundled one): the rest of
# that folder may be somebody's home.
_LAYOUT = frozenset({"lab", "policies", "policy.json", "templates"})


class Includes:
    """Reads the files that one lab includes, from the folders that it may read."""

    def __init__(self, lab: Path) -> None:
        self._own, self._written = lab.resolve().parent, lab.parent
        above = [self._own.parent] if self._own.name == "lab" else []
        self._laid_out = [*above, resources.bundled().resolve()]
        self._fix = f"Give a file's path from {self._own}, or a bundled file, such as policy.json."
        self.read: dict[Path, Source] = {}
        self._hashes: list[str] = []

    def hash_with(self, raw: bytes) -> str:
        """The SHA-256 of the lab's file; with includes, that of a line with each file's own."""
        own = hashlib.sha256(raw).hexdigest()
        lines = "".join(f"{line}\n" for line in (own, *self._hashes))
        return hashlib.sha256(lines.encode()).hexdigest() if self._hashes else own

    def put_into(self, node: Node) -> Problem | None:
        """Put the file's text into an ``!include`` node; return the problem, if any."""
        name, node.value = str(node.value), ""
        laid_out = (_within(root, name, _LAYOUT) for root in self._laid_out)
        path = _within(self._own, name) or next(filter(None, laid_out), None)
        if path is None:
            if Path(name).is_absolute() or ".." in Path(name).parts:
                message = f"{name[:80]!r} is outside of the lab's folder: a lab can't include it."
                return node.problem(message, self._fix)
            message = f"There is no file {name[:80]!r} that a lab may include."
            return node.problem(message, did_you_mean(name, self._there(), self._fix))
        if path not in self.read:
            own = path.is_relative_to(self._own)
            shown = self._written / path.relative_to(self._own) if own else name
            try:
                self._read(path, str(shown))
            except (OSError, ValueError, Unreadable) as error:
                reason = getattr(error, "strerror", None) or str(error).rstrip(".")
                return node.problem(f"{name} can't be included: {reason}.", self._fix)
        node.inside = self.read[path]
        node.value = node.inside.text
        return None

    def _read(self, path: Path, shown: str) -> None:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
        source = decoded(shown, raw)
        if UNFIT.search(source.text):
            raise ValueError(NO_TEXT)
        self.read[path] = source
        self._hashes.append(hashlib.sha256(raw).hexdigest())

    def _there(self) -> list[str]:
        """Files that could have been meant: in the lab's folder, and bundled ones."""
        patterns = {self._own: "*", **dict.fromkeys(self._laid_out, "*.json")}
        found = (
            (str(path.relative_to(root)), root)
            for root, pattern in patterns.items()
            for path in islice((*root.glob(pattern), *root.glob("templates/*")), 200)
        )
        return sorted({name for name, root in found if _within(root, name)})


def _within(root: Path, name: str, only: Collection[str] = ()) -> Path | None:
    """The file ``name`` in ``root`` (or in ``only``); None if it is hidden, or outside by a link.

    A lab in a home folder must not read ``.aws`` or ``.ssh``.
    """
    try:
        path = (root / name).resolve(strict=True)
        inside = path.relative_to(root).parts
    except (OSError, ValueError, RuntimeError):
        return None
    hidden = any(part.startswith(".") for part in inside)
    counts = bool(inside) and (not only or inside[0] in only)
    return path if counts and not hidden and path.is_file() else None
