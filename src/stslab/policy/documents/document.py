"""Parses policies, strictly by RFC 8259 (Python accepts more), and compares their meaning."""

import json
import marshal
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product
from typing import Any, Final

import msgspec

from stslab.errors import MalformedPolicy
from stslab.policy.documents.grammar import SYNTAX, read_policy
from stslab.policy.documents.statement import Statement
from stslab.policy.patterns import SHORT, no_value, remembered
from stslab.vocabulary import PolicyKind

_ACTIONS_REMEMBERED: Final = 64
_WITHOUT_SHARED: Final = 2  # the last marshal version whose bytes depend on values alone
_POLICIES: Final = 2048
_LARGEST: Final = 20_480  # characters: bucket policies have no more
_NO_JSON: Final = "This policy contains invalid Json"
_NO_OBJECT: Final = "The policy is not in the valid JSON format."  # of a session
_UTF_16: Final = ("\udcff\udcfe", "\udcfe\udcff")
"""The beginnings of UTF-16 text that was read as UTF-8 with ``surrogateescape``."""


class Policy(msgspec.Struct, eq=False):
    """A valid policy, as :func:`parse` returns it. It never changes."""

    kind: PolicyKind
    document: Mapping[str, Any]  # its JSON object, exactly as given
    statements: Sequence[Statement]
    _about: dict[str, list[Statement]] = msgspec.field(default_factory=dict)

    def about(self, action: str) -> list[Statement]:
        """The statements about ``action`` (lower case), cached for the first few actions."""
        about = self._about.get(action)
        if about is None:
            about = [each for each in self.statements if each.action.applies(action, no_value)]
            if len(action) < SHORT and len(self._about) < _ACTIONS_REMEMBERED:
                self._about[action] = about
        return about

    def text(self) -> str:
        return json.dumps(self.document, ensure_ascii=False)


class NamedPolicy(msgspec.Struct, frozen=True):
    """A policy with its name in messages: "inline policy StsAssumePolicy of user alice"."""

    name: str
    document: Policy


def size(text: str) -> int:
    """A policy's size as IAM counts it: characters without white space."""
    return len("".join(text.split()))


def parse(source: str | Mapping[str, Any], kind: PolicyKind) -> Policy:
    """Read a policy that is used as ``kind``. The same text or an equal object is read once.

    MalformedPolicy: IAM would refuse the policy; the message is IAM's, the hint says where.
    """
    if isinstance(source, str):
        return _parsed(source, kind)
    try:
        value = marshal.dumps(source, _WITHOUT_SHARED)  # type: ignore[arg-type]  # JSON values
    except (TypeError, ValueError) as error:
        raise MalformedPolicy(SYNTAX, "It has values that JSON can't hold.") from error
    return _parsed(value, kind)


@remembered(_POLICIES, _LARGEST)
def _parsed(source: str | bytes, kind: PolicyKind) -> Policy:
    if isinstance(source, str):
        says = SYNTAX if kind in (PolicyKind.IDENTITY, PolicyKind.SESSION) else _NO_JSON
        if kind is PolicyKind.SESSION and not source.lstrip().startswith("{"):
            says = _NO_OBJECT
        document = load(source, says)
    else:
        document = marshal.loads(source)  # noqa: S302  # what was dumped just now
    return Policy(kind, document, read_policy(document, kind))


def load(text: str, problem: str = _NO_JSON) -> Any:
    """The JSON value in a policy's text. MalformedPolicy: it is not JSON, or repeats a key."""
    try:
        return decode(text)
    except (ValueError, RecursionError) as error:
        where = json_problem(text, error)
        raise MalformedPolicy(problem, f"{where[0].upper()}{where[1:]}.") from error


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; "Policy grammar notes": no element may be repeated."""
    members = dict(pairs)
    if len(members) != len(pairs):
        twin = next(a for a, b in pairwise(sorted(key for key, _ in pairs)) if a == b)
        raise MalformedPolicy(SYNTAX, f"The element {twin!r} is there twice.")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


decode: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite
).decode
"""Reads JSON, without NaN, Infinity, and numbers that are too large for a float.

ValueError, RecursionError: see :func:`json_problem`. MalformedPolicy: an object repeats a key.
"""
_TRAILING = re.compile(r",\s*([\]}])")


def json_problem(text: str, error: ValueError | RecursionError) -> str:
    """Why a text can't be decoded, without a full stop."""
    if text.startswith(_UTF_16):
        return "it is UTF-16; save it as UTF-8"
    if not text or text.isspace():
        return "it is empty"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        # Python 3.13 points at the comma, earlier versions at what follows it.
        comma = max(text.rfind(",", 0, error.pos + 1), 0)
        trailing = _TRAILING.match(text, comma)
        if trailing and trailing.end() > error.pos:
            error = json.JSONDecodeError(f"A comma too many before {trailing[1]}", text, comma)
        lines = text.count("\n", 0, len(text) - 1)
        where = f"line {error.lineno}, column {error.colno}" if lines else f"column {error.colno}"
        return f"{error.msg.removesuffix(' at')} at {where}"
    if "integer string" in str(error):
        return "a number has too many digits"
    return str(error)


# -- whether two policies mean the same ------------------------------------------------------------
# A statement with several principals, actions and resources means the same as one statement for
# each combination; the values of a negated element belong together (IAM User Guide, "IAM JSON
# policy elements reference"). Order, ids, and lists of one value make no difference.

Sources = tuple[Mapping[str, Any], ...]
_ROOT: Final = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):root")


def differing(one: Policy, other: Policy) -> tuple[Sources, Sources]:
    """The statements of each policy whose meaning the other lacks; both empty if they agree."""
    return _beyond(one, other), _beyond(other, one)


def _beyond(policy: Policy, other: Policy) -> Sources:
    known = {part for each in other.statements for part in _meaning(each)}
    return tuple(each.source for each in policy.statements if not known.issuperset(_meaning(each)))


def _meaning(statement: Statement) -> Iterator[tuple[object, ...]]:
    """The statement, split into one for each principal, action and resource."""
    resource, principal = statement.resource, statement.principal
    resources = _split(resource.patterns, resource.name) if resource else [None]
    actions = _split(statement.action.patterns, statement.action.name)
    principals: list[object] = [principal and principal.name]
    if principal and principal.names is not None:
        named = [(kind, _ROOT.sub(r"\1", name)) for kind, name in principal.names]
        principals = _split(named, principal.name)
    conditions = frozenset(
        (one.test.written.lower(), one.key.lower(), frozenset(one.values))
        for one in statement.conditions
    )
    for who, action, each in product(principals, actions, resources):
        literal = not statement.variables and "${" in f"{each}{conditions}"
        yield statement.effect, who, action, each, conditions, literal


def _split(values: Sequence[object], name: str) -> list[object]:
    """The values one by one; those of a negated element as one set."""
    if name.startswith("Not"):
        return [(name, frozenset(values))]
    return [(name, one) for one in values]
