"""Decisions as JSON text, which is what most of them end as.

What does not depend on the request is made once a statement and kept with it: writing a
decision costs far less than making a structure of it and serializing that.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Final

from stslab.policy.conditions.conditions import Condition
from stslab.policy.context import Context
from stslab.policy.documents.document import Policy
from stslab.policy.documents.statement import Mismatch, Statement
from stslab.policy.reading import Layer, Question, Reading
from stslab.policy.vocabulary import Outcome, PolicyKind

text: Final = json.JSONEncoder().encode
"""A JSON value as text."""


def layers_as_json(layers: Sequence[Layer], question: Question) -> str:
    """A list of layers; docs/policy.md has its shape."""
    written = []
    for layer in layers:
        opening = _layer(layer.kind, layer.level, layer.outcome, layer.blocks, layer.note)
        policies = [_reading(reading, question) for reading in layer.readings]
        written.append(f"{opening}{', '.join(policies)}]}}")
    return f"[{', '.join(written)}]"


@lru_cache(maxsize=1024)
def _layer(kind: PolicyKind, level: int, outcome: Outcome, blocks: bool, note: str) -> str:
    """What stands before the policies of a layer."""
    numbered = f', "level": {level}' if level else ""
    noted = f', "note": {quoted(note)}' if note else ""
    return (
        f'{{"layer": "{kind}"{numbered}, "decision": "{outcome}", '
        f'"blocks": {"true" if blocks else "false"}{noted}, "policies": ['
    )


def _reading(reading: Reading, question: Question) -> str:
    name, policy = reading.policy
    statements = policy.written.get(question.request.action)
    if statements is None:
        statements = _written_of_others(policy, question)
    mismatches = reading.mismatches
    if mismatches:
        statements = statements.copy()
        for index, mismatch in mismatches.items():
            statements[index] = _WRITERS[mismatch](policy.statements[index], question)
    return f'{{"policy": {quoted(name)}, "statements": [{", ".join(statements)}]}}'


def _written_of_others(policy: Policy, question: Question) -> list[str]:
    """All statements as they are written when they are not about the action."""
    written = [_action(statement, question) for statement in policy.statements]
    policy.remember(question.request.action, written)
    return written


def _opening(statement: Statement, matches: str) -> str:
    return (
        f'{{"statement": {quoted(statement.label)}, "effect": "{statement.effect}", '
        f'"matches": {matches}'
    )


def _matching(statement: Statement, _question: Question) -> str:
    found = statement.written.get(Mismatch.NONE)
    if found is None:
        found = statement.written[Mismatch.NONE] = _opening(statement, "true") + "}"
    return found


def _differing(statement: Statement, mismatch: Mismatch, element: str, wanted: object) -> str:
    """All but the value that was found."""
    found = (
        f'{_opening(statement, "false")}, "mismatch": {{"element": "{element}", '
        f'"wanted": {_written(wanted)}, "found": '
    )
    statement.written[mismatch] = found
    return found


def _written(value: object) -> str:
    """As :data:`text`, which takes several times as long for the usual: a text, or some."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        try:
            return f"[{', '.join(map(quoted, value))}]"
        except TypeError:
            pass
    return text(value)


def _action(statement: Statement, question: Question) -> str:
    name = statement.action.name
    kept = statement.written.get(Mismatch.ACTION) or _differing(
        statement, Mismatch.ACTION, name, statement.source[name]
    )
    return f"{kept}{quoted(question.request.action)}}}}}"


def _resource(statement: Statement, question: Question) -> str:
    kept = statement.written.get(Mismatch.RESOURCE)
    element = statement.resource
    if element is not None and (kept is None or element.variables):
        wanted = element.shown(question.context.single)
        kept = _differing(statement, Mismatch.RESOURCE, element.name, wanted)
    return f"{kept}{quoted(question.request.resource)}}}}}"


def _principal(statement: Statement, question: Question) -> str:
    kept = statement.written.get(Mismatch.PRINCIPAL)
    if kept is None and statement.principal is not None:
        name = statement.principal.name
        kept = _differing(statement, Mismatch.PRINCIPAL, name, statement.source[name])
    return f"{kept}{quoted(question.request.principal.arn)}}}}}"


def _condition(statement: Statement, question: Question) -> str:
    opening = statement.written.get(Mismatch.CONDITION)
    if opening is None:
        opening = statement.written[Mismatch.CONDITION] = (
            f'{_opening(statement, "false")}, "mismatch": {{"element": "Condition", "conditions": ['
        )
    context = question.context
    tests = ", ".join([_test(condition, context) for condition in statement.conditions])
    return f"{opening}{tests}]}}}}"


def _test(condition: Condition, context: Context) -> str:
    """As :meth:`Condition.explain`."""
    found = condition.found(context)
    value = _written(found)
    holds = "true" if condition.holds(context) else "false"
    opening = condition.written
    if not opening or condition.variables:
        opening = condition.written = (
            f'{{"operator": {quoted(condition.test.written)}, "key": {quoted(condition.key)}, '
            f'"wanted": {_written(condition.wanted(context))}, "found": '
        )
    return f'{opening}{value}, "holds": {holds}}}'


_WRITERS: Final = {
    Mismatch.NONE: _matching,
    Mismatch.RESOURCE: _resource,
    Mismatch.PRINCIPAL: _principal,
    Mismatch.CONDITION: _condition,
}
