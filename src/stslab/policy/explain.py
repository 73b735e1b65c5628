"""Decisions for people: what was decided, and what each policy contributed, as a tree of lines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from stslab.policy.decision import Decision
from stslab.policy.reading import Layer, Question, Reading
from stslab.policy.statement import Mismatch, Statement
from stslab.policy.vocabulary import Outcome

_WORDS: Final = {
    Outcome.ALLOWED: "allows",
    Outcome.EXPLICITLY_DENIED: "denies",
    Outcome.IMPLICITLY_DENIED: "does not allow",
}
_VERDICTS: Final = {
    Outcome.ALLOWED: "Allowed",
    Outcome.EXPLICITLY_DENIED: "Explicitly denied",
    Outcome.IMPLICITLY_DENIED: "Implicitly denied",
}
MARKS: Final[Mapping[bool | None, str]] = {True: "✔", False: "✘", None: "·"}
"""What stands before a line: it helped to allow, it refuses, or it neither did nor does."""


@dataclass(slots=True)
class Node:
    """A line of the tree; ``good`` is True where it allows, False where it refuses."""

    text: str
    good: bool | None = None
    children: "list[Node]" = field(default_factory=list)


def tree(decision: Decision) -> Node:
    """The whole explanation."""
    verdict = _VERDICTS[decision.outcome]
    root = Node(f"{verdict}: {decision.reason}", good=decision.allowed)
    root.children = [_layer(layer, decision.question) for layer in decision.layers]
    return root


def lines(decision: Decision, marks: Mapping[bool | None, str] = MARKS) -> list[str]:
    """The tree as plain text, one line each, indented by two spaces a level."""
    return list(_lines(tree(decision), 0, marks))


def _lines(node: Node, depth: int, marks: Mapping[bool | None, str]) -> Iterator[str]:
    yield f"{'  ' * depth}{marks[node.good]} {node.text}"
    for child in node.children:
        yield from _lines(child, depth + 1, marks)


def _layer(layer: Layer, question: Question) -> Node:
    good = False if layer.blocks else (True if layer.allows else None)
    level = f", level {layer.level}" if layer.level else ""
    note = f" ({layer.note.rstrip('.')})" if layer.note else ""
    says = _WORDS[layer.outcome]
    if not layer.readings and not note:
        return Node(f"{_capital(layer.kind)}{level}: there is none", good)
    found = Node(f"{_capital(layer.kind)}{level}: {says}{note}", good)
    found.children = [_reading(each, question) for each in layer.readings]
    return found


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _reading(reading: Reading, question: Question) -> Node:
    found = Node(reading.policy.name)
    statements = reading.policy.document.statements
    found.children = [_statement(each, reading.mismatch(each), question) for each in statements]
    return found


def _statement(statement: Statement, mismatch: Mismatch, question: Question) -> Node:
    label = f"{statement.label} ({statement.effect})"
    if not mismatch:
        return Node(f"{label} applies", good=statement.allows)
    if mismatch is Mismatch.CONDITION:
        found = Node(f"{label} does not apply, by its Condition:")
        found.children = [_test(each.explain(question.context)) for each in statement.conditions]
        return found
    element, wanted, value = _MISMATCHES[mismatch](statement, question)
    return Node(
        f"{label} does not apply: its {element} is {_texts(wanted)}, and the request has {value}"
    )


_Compared = tuple[str, str | Sequence[str], str]


def _action(statement: Statement, question: Question) -> _Compared:
    name = statement.action.name
    return name, statement.source[name], question.request.action


def _resource(statement: Statement, question: Question) -> _Compared:
    element = statement.resource
    wanted = element.shown(question.context.single) if element else []
    return element.name if element else "Resource", wanted, question.request.resource


def _principal(statement: Statement, question: Question) -> _Compared:
    principal = statement.principal
    wanted = [each for _, each in (principal.names if principal and principal.names else ())]
    name = principal.name if principal else "Principal"
    return name, wanted or "*", question.request.principal.arn


def _test(test: dict[str, Any]) -> Node:
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
_MISMATCHES: Final = {
    Mismatch.ACTION: _action,
    Mismatch.RESOURCE: _resource,
    Mismatch.PRINCIPAL: _principal,
}
