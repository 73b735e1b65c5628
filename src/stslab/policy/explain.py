"""Explains a decision as a tree of lines, from :meth:`Decision.as_dict`: it may be logged."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from stslab.structures import listed, texts
from stslab.vocabulary import Outcome

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    Outcome.ALLOWED: ("Allowed", "allows"),
    Outcome.EXPLICITLY_DENIED: ("Explicitly denied", "denies"),
    Outcome.IMPLICITLY_DENIED: ("Implicitly denied", "does not allow"),
}
"""For each outcome, the verdict and the verb of a policy."""
MARKS: Final[Mapping[bool | None, str]] = {True: "✔", False: "✘", None: "·"}
"""The mark before a line: it allows, it refuses, or neither."""

# IAM User Guide, "IAM policy elements: Variables and tags", "AWS JSON policy elements: Principal".
_NOTES: Final[Mapping[str, str]] = {
    r"(?s).*\$\{": " (a variable is literal text if it has no value, or Version is not 2012-10-17)",
    r"A(IDA|ROA)[A-Z0-9]{12,}\Z": " (AWS shows an id in place of the ARN of one that was deleted)",
}
"""What to say of such a text in a policy."""

_Part = Mapping[str, Any]
_SHOWN: Final = 4


class Node(msgspec.Struct):
    """A line of the tree; ``good`` is True if it allows, False if it refuses, else None."""

    text: str
    good: bool | None = None
    children: "list[Node]" = []


def retold(decision: _Part) -> Node:
    layers = [_layer(each) for each in decision["layers"]]
    verdict, _ = WORDS[decision["decision"]]
    said = f"{verdict}: {decision['reason']}".replace(": with an explicit deny", "", 1)
    return Node(said, decision["decision"] == Outcome.ALLOWED, layers)


def node_lines(node: Node, marks: Mapping[bool | None, str], depth: int = 0) -> Iterator[str]:
    """The lines of a tree as plain text, indented by two spaces per level."""
    yield f"{'  ' * depth}{marks[node.good]} {node.text}"
    for child in node.children:
        yield from node_lines(child, marks, depth + 1)


def _layer(layer: _Part) -> Node:
    good = False if layer["blocks"] else (True if layer["decision"] == Outcome.ALLOWED else None)
    level = f", level {layer['level']}" if "level" in layer else ""
    note = f" ({layer['note'].rstrip('.')})" if "note" in layer else ""
    kind = layer["layer"][0].upper() + layer["layer"][1:]
    if not layer["policies"] and not note:
        return Node(f"{kind}{level}: none", good)
    policies = [
        Node(each["policy"], children=[_statement(one) for one in each["statements"]])
        for each in layer["policies"]
    ]
    _, verb = WORDS[layer["decision"]]
    return Node(f"{kind}{level}: {verb}{note}", good, policies)


def _statement(statement: _Part) -> Node:
    label = f"{statement['statement']} ({statement['effect']})"
    if statement["matches"]:
        lacking = [_test(each) for each in statement.get("lacking", ())]
        return Node(f"{label} applies", statement["effect"] == "Allow", lacking)
    differs = statement["mismatch"]
    if "conditions" in differs:
        tests = [_test(each) for each in differs["conditions"]]
        return Node(f"{label} does not apply, because of its Condition:", children=tests)
    names = list(texts(differs["wanted"]))  # of a Principal those of all types
    notes = (_NOTES[key] for key in _NOTES if any(re.match(key, each) for each in names))
    return Node(
        f"{label} does not apply: its {differs['element']} is {_texts(names)}, and the request "
        f"has {differs['found']}{next(notes, '')}"
    )


def _test(test: _Part) -> Node:
    found = "is not in the request" if test["found"] is None else f"is {_texts(test['found'])}"
    verb = "holds" if test["holds"] else "does not hold"
    text = f"{test['key']} {found}: {test['operator']} {_texts(test['wanted'])} {verb}"
    return Node(text, good=None if test["holds"] else False)


def _texts(value: str | Sequence[str]) -> str:
    """The texts, four at most, in quotation marks if they have spaces or are empty."""
    every = listed(value)
    shown = [each if each and " " not in each else f'"{each}"' for each in every[:_SHOWN]]
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return " or ".join(shown) + more if shown else "nothing"
