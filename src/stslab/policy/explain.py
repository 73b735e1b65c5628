"""Decisions for people: what was decided, and what each policy contributed, as a tree of lines.

The tree is told from what :meth:`Decision.as_dict` gives, so a decision that was logged is
explained as well as one that was just made.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from stslab.policy.decision import Decision
from stslab.policy.vocabulary import Outcome

_WORDS: Final[Mapping[str, str]] = {
    Outcome.ALLOWED: "allows",
    Outcome.EXPLICITLY_DENIED: "denies",
    Outcome.IMPLICITLY_DENIED: "does not allow",
}
_VERDICTS: Final[Mapping[str, str]] = {
    Outcome.ALLOWED: "Allowed",
    Outcome.EXPLICITLY_DENIED: "Explicitly denied",
    Outcome.IMPLICITLY_DENIED: "Implicitly denied",
}
MARKS: Final[Mapping[bool | None, str]] = {True: "✔", False: "✘", None: "·"}
"""What stands before a line: it helped to allow, it refuses, or it neither did nor does."""

_Said = Mapping[str, Any]


@dataclass(slots=True)
class Node:
    """A line of the tree; ``good`` is True where it allows, False where it refuses."""

    text: str
    good: bool | None = None
    children: "list[Node]" = field(default_factory=list)


def tree(decision: Decision) -> Node:
    return retold(decision.as_dict())


def retold(said: Mapping[str, Any]) -> Node:
    verdict, allowed = said["decision"], said["decision"] == Outcome.ALLOWED
    root = Node(f"{_VERDICTS[verdict]}: {said['reason']}", good=allowed)
    root.children = [_layer(each) for each in said["layers"]]
    return root


def lines(decision: Decision, marks: Mapping[bool | None, str] = MARKS) -> list[str]:
    """The tree as plain text, one line each, indented by two spaces a level."""
    return list(node_lines(tree(decision), marks))


def node_lines(node: Node, marks: Mapping[bool | None, str] = MARKS) -> Iterator[str]:
    """A tree as plain text, one line each, indented by two spaces a level."""
    yield from _lines(node, 0, marks)


def _lines(node: Node, depth: int, marks: Mapping[bool | None, str]) -> Iterator[str]:
    yield f"{'  ' * depth}{marks[node.good]} {node.text}"
    for child in node.children:
        yield from _lines(child, depth + 1, marks)


def _layer(said: _Said) -> Node:
    allows = said["decision"] == Outcome.ALLOWED
    good = False if said["blocks"] else (True if allows else None)
    level = f", level {said['level']}" if "level" in said else ""
    note = f" ({said['note'].rstrip('.')})" if "note" in said else ""
    kind = said["layer"][0].upper() + said["layer"][1:]
    if not said["policies"] and not note:
        return Node(f"{kind}{level}: there is none", good)
    found = Node(f"{kind}{level}: {_WORDS[said['decision']]}{note}", good)
    found.children = [_policy(each) for each in said["policies"]]
    return found


def _policy(said: _Said) -> Node:
    return Node(said["policy"], children=[_statement(each) for each in said["statements"]])


def _statement(said: _Said) -> Node:
    label = f"{said['statement']} ({said['effect']})"
    if said["matches"]:
        return Node(f"{label} applies", good=said["effect"] == "Allow")
    differs = said["mismatch"]
    if "conditions" in differs:
        found = Node(f"{label} does not apply, by its Condition:")
        found.children = [_test(each) for each in differs["conditions"]]
        return found
    return Node(
        f"{label} does not apply: its {differs['element']} is {_texts(_names(differs['wanted']))}, "
        f"and the request has {differs['found']}{_as_written(differs['wanted'])}"
    )


def _as_written(wanted: Any) -> str:
    """Why a policy variable stands there as it was written, if one does.

    IAM User Guide, "IAM policy elements: Variables and tags".
    """
    names = _names(wanted)
    if not any("${" in each for each in ([names] if isinstance(names, str) else names)):
        return ""
    return " (a variable stays as it is without a value, or unless the Version is 2012-10-17)"


def _names(wanted: Any) -> str | Sequence[str]:
    """What an element wants; of a Principal, the names of whatever type."""
    if not isinstance(wanted, Mapping):
        return wanted  # type: ignore[no-any-return]
    each = [[names] if isinstance(names, str) else names for names in wanted.values()]
    return [name for names in each for name in names]


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


_SHOWN: Final = 4
