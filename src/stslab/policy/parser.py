"""From a policy's text, or its JSON object, to a compiled :class:`Policy`."""

import json
import marshal
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from stslab.errors import MalformedPolicy
from stslab.policy.conditions import compile_conditions
from stslab.policy.document import LATEST, LEGACY, Policy
from stslab.policy.glob import Glob, glob
from stslab.policy.grammar import SYNTAX, Checked, check_policy
from stslab.policy.matching import PrincipalElement
from stslab.policy.statement import Element, Statement
from stslab.policy.vocabulary import PolicyKind

_INVALID_JSON: Final = "This policy contains invalid Json"
_WITHOUT_SHARED: Final = 2  # the last marshal version whose bytes depend on values alone
_CACHED: Final = 4096
_cache: dict[tuple[PolicyKind, bytes], Policy] = {}


def parse(source: str | Mapping[str, Any], kind: PolicyKind) -> Policy:
    """Read a policy that is used as ``kind``.

    Policies are read once: the same text, or an equal object, gives the same Policy. The
    object must not be changed afterwards.

    Raises:
        MalformedPolicy: IAM would refuse the policy; the message is IAM's, the hint says where.
    """
    if isinstance(source, str):
        return _parse_text(source, kind)
    try:
        key = kind, marshal.dumps(source, _WITHOUT_SHARED)
    except ValueError:
        return _parse_document(source, kind)
    found = _cache.get(key)
    if found is None:
        if len(_cache) >= _CACHED:
            _cache.clear()
        found = _cache[key] = _parse_document(source, kind)
    return found


@lru_cache(maxsize=1024)
def _parse_text(text: str, kind: PolicyKind) -> Policy:
    return _parse_document(load(text), kind)


def load(text: str) -> Any:
    """The JSON value in ``text``.

    Raises:
        MalformedPolicy: it is no JSON, or an object in it has a key twice.
    """
    try:
        return json.loads(text, object_pairs_hook=without_twins)
    except ValueError as error:
        raise MalformedPolicy(_INVALID_JSON, str(error)) from error
    except RecursionError as error:
        raise MalformedPolicy(_INVALID_JSON, "It is nested too deeply.") from error


def without_twins(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; "Policy grammar notes": no element may be in it twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twin = next(key for key in keys if keys.count(key) > 1)
        raise MalformedPolicy(SYNTAX, f"The element {twin!r} is there twice.")
    return found


def _parse_document(document: Any, kind: PolicyKind) -> Policy:
    checked = check_policy(document, kind)
    variables = document.get("Version", LEGACY) == LATEST
    statements = [
        _compile(index, each, kind, variables=variables) for index, each in enumerate(checked)
    ]
    return Policy(kind, document, statements)


def _compile(index: int, checked: Checked, kind: PolicyKind, *, variables: bool) -> Statement:
    resource = principal = None
    if checked.resources is not None:
        globs = [glob(each, variables=variables, arn=True) for each in checked.resources]
        resource = Element(checked.resource_name, checked.resources, globs)
    if checked.principals is not None and kind is not PolicyKind.RCP:
        principal = PrincipalElement(checked.principal_name, checked.principals)
    return Statement(
        index,
        checked.source,
        Element(checked.action_name, checked.actions, [_action(each) for each in checked.actions]),
        resource,
        principal,
        compile_conditions(checked.condition, variables=variables) if checked.condition else (),
    )


def _action(pattern: str) -> Glob:
    """Actions are compared in lower case ("IAM JSON policy elements: Action")."""
    return glob(pattern.lower(), variables=False)
