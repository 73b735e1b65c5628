"""Reads which principals a policy document lets in, and whether its rights are wide. Pure.

It is careful: an ambiguous document is unreadable, and a statement that is not a Deny counts as an
Allow (IAM User Guide, "IAM JSON policy elements reference").
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from stslab.kinds.template import UNKNOWN
from stslab.structures import texts

EVERYONE = "*"
# What a template's function makes may be a wildcard too, if it is unknown.
_ANY = rf"[*?{UNKNOWN}]"
_WHOLE = re.compile(rf"[^:]*{_ANY}[^:]*(:.*)?|[^:]+:{_ANY}+")
_EVERYTHING = re.compile(
    rf"[^:]*{_ANY}[^:]*(:.*)?|arn:([^:]*:){{0,3}}[^:]*{_ANY}"
    rf"|arn:([^:]*:){{4}}[*?/:{UNKNOWN}]+|arn:[^:]*:iam:[^:]*:[^:]*:[a-z-]+/{_ANY}+"
)
WIDE_POLICIES = re.compile(r"(AdministratorAccess.*|PowerUserAccess|.*FullAccess|.*Administrator)")
"""The names of AWS managed policies with wide rights."""


class UnreadablePolicy(ValueError):  # noqa: N818 - it says what the document is
    """The text is not a policy document, or is ambiguous."""


class LetIn(NamedTuple):
    """One principal that a statement allows."""

    form: str  # its key: ``AWS``, ``Service``
    name: str
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]  # operator, key (lower case), values


def let_in(document: object) -> Iterator[LetIn]:
    """The principals that a trust or bucket policy lets in. Raises UnreadablePolicy."""
    for statement in _allowing(document):
        conditions = tuple(_conditions(statement.get("condition")))
        if "notprincipal" in statement:
            yield LetIn("AWS", EVERYONE, conditions)
        for form, name in _principals(statement.get("principal")):
            yield LetIn(form, name, conditions)


def is_wide(document: object) -> bool:
    """Whether a policy allows a whole service, or more, on every resource."""
    try:
        return any(map(_is_wide, _allowing(document)))
    except UnreadablePolicy:
        return any(UNKNOWN in one for one in texts(document))


def _is_wide(statement: Mapping[str, object]) -> bool:
    if not any(_EVERYTHING.fullmatch(one) for one in _texts(statement.get("resource", EVERYONE))):
        return False
    actions = _texts(statement.get("action", []))
    return "notaction" in statement or any(_WHOLE.fullmatch(one.lower()) for one in actions)


def _allowing(document: object) -> Iterator[Mapping[str, object]]:
    """The statements that are not a Deny, with their keys in lower case."""
    if isinstance(document, str):
        try:
            document = json.loads(document, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise UnreadablePolicy(str(error)) from None
    statements = _small(document).get("statement", [])
    for one in statements if isinstance(statements, list) else [statements]:
        statement = _small(one)
        if str(statement.get("effect")).lower() != "deny":
            yield statement


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise UnreadablePolicy("it has a key twice")
    return members


def _small(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise UnreadablePolicy("it is not a policy")
    return _once([(str(key).lower(), part) for key, part in value.items()])


def _principals(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for form, names in value.items():
            yield from ((str(form), name) for name in _texts(names))
    elif value is not None:
        yield from (("AWS", name) for name in _texts(value))


def _conditions(value: object) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for operator, keys in value.items() if isinstance(value, Mapping) else ():
        for key, values in keys.items() if isinstance(keys, Mapping) else ():
            yield str(operator).lower(), str(key).lower(), tuple(_texts(values))


def _texts(value: object) -> list[str]:
    return [str(one) for one in (value if isinstance(value, list | tuple) else [value])]
