"""Decisions as JSON text, which is what most of them end as.

What does not depend on the request is made once a statement and kept with it: writing a
decision costs far less than making a structure of it and serializing that.
"""

import json
from collections.abc import Sequence
from typing import Final

from stslab.policy.reading import Layer, Question, Reading
from stslab.policy.statement import Mismatch, Statement

text: Final = json.JSONEncoder().encode
"""A JSON value as text."""


def layers_as_json(layers: Sequence[Layer], question: Question) -> str:
    """A list of layers; docs/policy.md has its shape."""
    return f"[{', '.join([_layer(layer, question) for layer in layers])}]"


def _layer(layer: Layer, question: Question) -> str:
    level = f', "level": {layer.level}' if layer.level else ""
    note = f', "note": {text(layer.note)}' if layer.note else ""
    policies = ", ".join([_reading(reading, question) for reading in layer.readings])
    return (
        f'{{"layer": "{layer.kind}"{level}, "decision": "{layer.outcome}", '
        f'"blocks": {"true" if layer.blocks else "false"}{note}, "policies": [{policies}]}}'
    )


def _reading(reading: Reading, question: Question) -> str:
    mismatches = reading.mismatches
    statements = ", ".join(
        [
            _WRITERS[mismatches.get(statement.index, Mismatch.ACTION)](statement, question)
            for statement in reading.policy.document.statements
        ]
    )
    return f'{{"policy": {text(reading.policy.name)}, "statements": [{statements}]}}'


def _opening(statement: Statement, matches: str) -> str:
    return (
        f'{{"statement": {text(statement.label)}, "effect": "{statement.effect}", '
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
        f'"wanted": {text(wanted)}, "found": '
    )
    statement.written[mismatch] = found
    return found


def _action(statement: Statement, question: Question) -> str:
    name = statement.action.name
    kept = statement.written.get(Mismatch.ACTION) or _differing(
        statement, Mismatch.ACTION, name, statement.source[name]
    )
    return f"{kept}{text(question.request.action)}}}}}"


def _resource(statement: Statement, question: Question) -> str:
    element = statement.resource
    kept = statement.written.get(Mismatch.RESOURCE)
    if element is not None and (kept is None or element.variables):
        wanted = element.shown(question.context.single)
        kept = _differing(statement, Mismatch.RESOURCE, element.name, wanted)
    return f"{kept}{text(question.request.resource)}}}}}"


def _principal(statement: Statement, question: Question) -> str:
    kept = statement.written.get(Mismatch.PRINCIPAL)
    if kept is None and statement.principal is not None:
        name = statement.principal.name
        kept = _differing(statement, Mismatch.PRINCIPAL, name, statement.source[name])
    return f"{kept}{text(question.request.principal.arn)}}}}}"


def _condition(statement: Statement, question: Question) -> str:
    conditions = [each.explain(question.context) for each in statement.conditions]
    return (
        f'{_opening(statement, "false")}, "mismatch": {{"element": "Condition", '
        f'"conditions": {text(conditions)}}}}}'
    )


_WRITERS: Final = {
    Mismatch.NONE: _matching,
    Mismatch.ACTION: _action,
    Mismatch.RESOURCE: _resource,
    Mismatch.PRINCIPAL: _principal,
    Mismatch.CONDITION: _condition,
}
