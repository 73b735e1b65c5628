"""A lab's variables: which there are, and in what order they can be made."""

from collections.abc import Mapping

from stslab.lab.checking.scope import RESERVED, Scope
from stslab.lab.checking.shapes import ANYTHING, Known, shape_of
from stslab.lab.reading import expressions
from stslab.lab.reading.document import Node
from stslab.lab.reading.expressions import BadExpression
from stslab.lab.reading.structure import LabDraft
from stslab.lab.references import roots


def declare(draft: LabDraft, scope: Scope) -> None:
    """Make the lab's variables known, after checking them; note what is known only later."""
    variables = draft.lab.node.get("vars")
    named: Mapping[str, Node] = variables.value if variables and variables.keys else {}
    _note_later(draft, scope)
    for name, node in named.items():
        if name in RESERVED and variables:
            message = f"Every run has a {name} of its own."
            scope.report(variables.keys[name].problem(message, "Give the variable another name."))
        whole = isinstance(node.value, str) and node.value.startswith(expressions.OPEN)
        scope.names.setdefault(name, ANYTHING if whole else _shape(node))
    for node in named.values():
        scope.check_texts(node)
    _refuse_circles(named, scope)
    _refuse_second_saves(draft, scope, named)


def _shape(node: Node) -> Known:
    plain = shape_of(node.plain())
    return plain if isinstance(plain, Known) else ANYTHING


def _note_later(draft: LabDraft, scope: Scope) -> None:
    for stage in draft.stages:
        for step in stage.steps:
            saved = step.node.get("save")
            for name, key in (saved.keys if saved else {}).items():
                scope.later.setdefault(name, key.line)
            profile = step.node.get("profile")
            made = profile.get("name") if profile else None
            if made and isinstance(made.value, str):
                scope.later_profiles.setdefault(made.value, made.line)


def _refuse_second_saves(draft: LabDraft, scope: Scope, named: Mapping[str, Node]) -> None:
    first = {name: node.line for name, node in named.items()}
    for stage in draft.stages:
        for step in stage.steps:
            saved = step.node.get("save")
            for name, key in (saved.keys if saved else {}).items():
                if name in RESERVED:
                    message = f"Every run has a {name} of its own."
                    scope.report(key.problem(message, "Save it under another name."))
                elif name in first:
                    message = f"{name} has a value already, from line {first[name]}."
                    scope.report(key.problem(message, "Save it under another name."))
                first.setdefault(name, key.line)


def _refuse_circles(named: Mapping[str, Node], scope: Scope) -> None:
    """Report a variable of each circle; each is visited once."""
    needs = {name: _needs(node) & named.keys() for name, node in named.items()}
    waiting = {name: len(wanted) for name, wanted in needs.items()}
    wanted_by: dict[str, list[str]] = {name: [] for name in named}
    for name, wanted in needs.items():
        for other in wanted:
            wanted_by[other].append(name)
    ready = [name for name, count in waiting.items() if not count]
    for name in ready:
        for other in wanted_by[name]:
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(
                    other
                )  # the list grows while it is walked: what becomes ready is visited too
    stuck = [name for name in named if waiting[name]]
    if stuck:
        message = f"These variables refer to each other in a circle: {', '.join(stuck)}."
        scope.report(named[stuck[0]].problem(message, "Give one of them a value of its own."))


def _needs(node: Node) -> set[str]:
    wanted: set[str] = set()
    for text in node.texts():
        try:
            holes = expressions.embedded(text.value)
        except BadExpression:
            continue
        wanted |= {name for hole in holes for name in roots(hole.tree)}
    return wanted
