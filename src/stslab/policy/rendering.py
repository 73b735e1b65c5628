"""Decisions as plain structures, and as JSON text."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

from stslab.policy.documents.statement import Mismatch, Statement
from stslab.policy.reading import Layer, Question, Reading

_ascii: Final = json.JSONEncoder(separators=(",", ":")).encode


def text(value: object) -> str:
    """A JSON value as text, in one line of ASCII."""
    try:
        written = _encoder()(value)
    except (UnicodeEncodeError, OverflowError):  # a surrogate without its pair; a very long number
        return _ascii(value)
    return written.decode() if written.isascii() else _ascii(value)


@cache
def _encoder() -> Callable[[object], bytes]:
    """The one that takes a fifth of the time of Python's own."""
    import msgspec

    return msgspec.json.Encoder().encode


def layers_as_dicts(layers: Sequence[Layer], question: Question) -> list[dict[str, Any]]:
    """The layers as JSON has them; docs/policy.md has their shape."""
    return [_layer(layer, question) for layer in layers]


def _layer(layer: Layer, question: Question) -> dict[str, Any]:
    told: dict[str, Any] = {"layer": layer.kind}
    if layer.level:
        told["level"] = layer.level
    told["decision"], told["blocks"] = layer.outcome, layer.blocks
    if layer.note:
        told["note"] = layer.note
    told["policies"] = [_reading(reading, question) for reading in layer.readings]
    return told


def _reading(reading: Reading, question: Question) -> dict[str, Any]:
    name, policy = reading.policy
    mismatches = reading.mismatches
    return {
        "policy": name,
        "statements": [
            _statement(statement, mismatches.get(statement.index, Mismatch.ACTION), question)
            for statement in policy.statements
        ],
    }


def _statement(statement: Statement, mismatch: Mismatch, question: Question) -> dict[str, Any]:
    told = {
        "statement": statement.label,
        "effect": statement.effect,
        "matches": not mismatch,
    }
    if mismatch:
        told["mismatch"] = _MISMATCHES[mismatch](statement, question)
    return told


def _action(statement: Statement, question: Question) -> dict[str, Any]:
    name = statement.action.name
    return {
        "element": name,
        "wanted": statement.source[name],
        "found": question.request.action,
    }


def _resource(statement: Statement, question: Question) -> dict[str, Any]:
    element = statement.resource
    if element is None:
        return {}
    wanted = element.shown(question.context.single) if element.variables else element.patterns
    return {"element": element.name, "wanted": wanted, "found": question.request.resource}


def _principal(statement: Statement, question: Question) -> dict[str, Any]:
    element = statement.principal
    if element is None:
        return {}
    return {
        "element": element.name,
        "wanted": statement.source[element.name],
        "found": question.request.principal.arn,
    }


def _condition(statement: Statement, question: Question) -> dict[str, Any]:
    context = question.context
    return {
        "element": "Condition",
        "conditions": [condition.explain(context) for condition in statement.conditions],
    }


_MISMATCHES: Final = {
    Mismatch.ACTION: _action,
    Mismatch.RESOURCE: _resource,
    Mismatch.PRINCIPAL: _principal,
    Mismatch.CONDITION: _condition,
}
