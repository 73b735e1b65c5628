"""Decisions for people: what was decided, and what each policy contributed, as a tree of lines.

The tree is told from what :meth:`Decision.as_dict` gives, so a decision that was logged is
explained as well as one that was just made.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from stslab.vocabulary import Outcome

_SAID: Final[Mapping[str, tuple[str, str]]] = {
    Outcome.ALLOWED: ("Allowed", "allows"),
    Outcome.EXPLICITLY_DENIED: ("Explicitly denied", "denies"),
    Outcome.IMPLICITLY_DENIED: ("Implicitly denied", "does not allow"),
}
"""Each outcome as a verdict, and what a policy does then."""
MARKS: Final[Mapping[bool | None, str]] = {True: "✔", False: "✘", None: "·"}
"""What stands before a line: it helped to allow, it refuses, or it neither did nor does."""

_Said = Mapping[str, Any]
_SHOWN: Final = 4


@dataclass(slots=True)
class Node:
    """A line of the tree; ``good`` is True where it allows, False where it refuses."""

    text: str
    good: bool | None = None
    children: "list[Node]" = field(default_factory=list)


def retold(said: _Said) -> Node:
    """The explanation of a decision from what :meth:`Decision.as_dict` gave."""
    layers = [_layer(each) for each in said["layers"]]
    verdict, _ = _SAID[said["decision"]]
    good = said["decision"] == Outcome.ALLOWED
    return Node(f"{verdict}: {said['reason']}", good, layers)


def node_lines(
    node: Node, marks: Mapping[bool | None, str] = MARKS, depth: int = 0
) -> Iterator[str]:
    """A tree as plain text, one line each, indented by two spaces a level."""
    yield f"{'  ' * depth}{marks[node.good]} {node.text}"
    for child in node.children:
        yield from node_lines(child, marks, depth + 1)


def _layer(said: _Said) -> Node:
    allows = said["decision"] == Outcome.ALLOWED
    good = False if said["blocks"] else (True if allows else None)
    level = f", level {said['level']}" if "level" in said else ""
    note = f" ({said['note'].rstrip('.')})" if "note" in said else ""
    kind = said["layer"][0].upper() + said["layer"][1:]
    if not said["policies"] and not note:
        return Node(f"{kind}{level}: there is none", good)
    policies = [
        Node(each["policy"], children=[_statement(one) for one in each["statements"]])
        for each in said["policies"]
    ]
    _, does = _SAID[said["decision"]]
    return Node(f"{kind}{level}: {does}{note}", good, policies)


def _statement(said: _Said) -> Node:
    label = f"{said['statement']} ({said['effect']})"
    if said["matches"]:
        return Node(f"{label} applies", good=said["effect"] == "Allow")
    differs = said["mismatch"]
    if "conditions" in differs:
        tests = [_test(each) for each in differs["conditions"]]
        return Node(f"{label} does not apply, by its Condition:", children=tests)
    names = _names(differs["wanted"])
    # IAM User Guide, "IAM policy elements: Variables and tags".
    literal = " (a variable stays as it is without a value, or unless the Version is 2012-10-17)"
    return Node(
        f"{label} does not apply: its {differs['element']} is {_texts(names)}, and the request "
        f"has {differs['found']}{literal if any('${' in each for each in names) else ''}"
    )


def _names(wanted: Any) -> list[str]:
    """What an element wants; of a Principal, the names of whatever type."""
    if isinstance(wanted, Mapping):
        return [name for names in wanted.values() for name in _names(names)]
    return [wanted] if isinstance(wanted, str) else list(wanted)


def _test(test: _Said) -> Node:
    found = "is not in the request" if test["found"] is None else f"is {_texts(test['found'])}"
    verb = "holds" if test["holds"] else "does not hold"
    text = f"{test['key']} {found}: {test['operator']} {_texts(test['wanted'])} {verb}"
    return Node(text, good=None if test["holds"] else False)


def _texts(value: str | Sequence[str]) -> str:
    """The texts, in quotation marks where they would be unclear without, at most four."""
    texts = [value] if isinstance(value, str) else list(value)
    shown = [each if each and " " not in each else f'"{each}"' for each in texts[:_SHOWN]]
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return " or ".join(shown) + more if shown else "nothing"
