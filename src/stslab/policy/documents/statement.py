"""A statement: whether it applies to a request, or else which element does not match."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

import msgspec

from stslab.policy.conditions import Condition, Test
from stslab.policy.patterns import Glob, Lookup, glob
from stslab.policy.request import Context, Principal, PrincipalKind, Request, split_arn


class Level(IntEnum):
    """How closely an element names the principal of a request.

    "Policy evaluation logic", "Resource-based policies": implicit denies of boundaries and session
    policies don't limit a grant to a user or a session itself (or to everyone), but do limit one to
    a session's role. A grant to an account only lets the account's policies decide.
    """

    NONE = 0
    ACCOUNT = 1
    ISSUER = 2
    DIRECT = 3
    EVERYONE = 4

    __hash__ = int.__hash__  # Enum's own is a Python function: too slow for each decision


_EXCEPTED: Final = {kind: {Level.DIRECT} for kind in PrincipalKind} | {
    PrincipalKind.USER: {Level.ACCOUNT, Level.DIRECT},
    PrincipalKind.ROLE: {Level.ACCOUNT, Level.ISSUER},
    PrincipalKind.SESSION: {Level.ACCOUNT, Level.ISSUER, Level.DIRECT},
    PrincipalKind.FEDERATED_USER: {Level.ACCOUNT, Level.DIRECT},
    PrincipalKind.ANONYMOUS: {Level.EVERYONE},
}
"""What a NotPrincipal must name to except a principal ("... elements: NotPrincipal")."""


class PrincipalElement:
    """``Principal`` or ``NotPrincipal``; ``names`` has (type, name) of each, None is everyone."""

    __slots__ = ("name", "names", "negated")

    def __init__(self, name: str, names: Sequence[tuple[str, str]] | None) -> None:
        self.name = name
        self.names = names
        self.negated = name[0] == "N"

    def level(self, principal: Principal) -> Level:
        if self.names is None:
            levels = {Level.EVERYONE}
        else:
            levels = {_level(type_, name, principal) for type_, name in self.names}
        if not self.negated:
            return max(levels, default=Level.NONE)
        excepted = Level.EVERYONE in levels or levels >= _EXCEPTED[principal.kind]
        return Level.NONE if excepted else Level.EVERYONE

    @property
    def public(self) -> bool:
        """Whether it names everyone, including anonymous callers."""
        return self.names is None or ("AWS", "*") in self.names


OTHERS: Final = {PrincipalKind.SERVICE: "Service", PrincipalKind.PROVIDER: "Federated"}


def _level(type_: str, name: str, principal: Principal) -> Level:
    """How closely a name of this type names the principal; ``{"AWS": "*"}`` names no service."""
    other = OTHERS.get(principal.kind)
    if type_ == "AWS":
        return Level.NONE if other else _level_of_aws(name, principal)
    return Level.DIRECT if type_ == other and name in {"*", principal.arn} else Level.NONE


def _level_of_aws(name: str, principal: Principal) -> Level:
    """A unique id is a user's, a role's (for all its sessions), or a session's."""
    kind = principal.kind
    if name == "*":
        return Level.EVERYONE
    if not principal.member:
        return Level.NONE
    if name in (principal.arn, principal.user_id):
        return Level.ISSUER if kind is PrincipalKind.ROLE else Level.DIRECT
    root = name.endswith(f"::{principal.account}:root") and split_arn(name) is not None
    if root or name.replace("-", "") == principal.account:
        return Level.DIRECT if kind is PrincipalKind.ROOT else Level.ACCOUNT
    issued = name in (principal.issuer, principal.user_id.partition(":")[0])
    if kind is PrincipalKind.SESSION and principal.issuer.endswith(f":role/{principal.name}"):
        # Its ARN has its role's name without the path ("IAM identifiers", "IAM ARNs").
        role = f"::{principal.account}:role/" in name and name.endswith(f"/{principal.name}")
        issued = issued or role
    return Level.ISSUER if issued else Level.NONE


class Mismatch(IntEnum):
    """The first element of a statement that does not match a request."""

    NONE = 0
    ACTION = 1
    PRINCIPAL = 2
    RESOURCE = 3
    CONDITION = 4

    __hash__ = int.__hash__  # Enum's own is a Python function: too slow for each decision


_APPLIES, _RESOURCE, _CONDITION = Mismatch.NONE, Mismatch.RESOURCE, Mismatch.CONDITION


class Element:
    """``Action`` or ``Resource``, or a negation; texts without inner wildcards are compared."""

    __slots__ = ("_exact", "_globs", "_prefixes", "name", "negated", "patterns", "variables")

    def __init__(self, name: str, patterns: Sequence[str], *, variables: bool, arn: bool) -> None:
        self.name = name
        self.negated = name[0] == "N"
        self.patterns = patterns
        exact: list[str] = []
        prefixes: list[str] = []
        globs: list[Glob] = []
        for pattern in patterns:
            if "?" in pattern or "${" in pattern or "*" in pattern[:-1]:
                globs.append(glob(pattern, variables=variables, arn=arn))
            elif pattern[-1:] == "*":
                prefixes.append(pattern[:-1])
            else:
                exact.append(pattern)
        self._exact = exact
        self._prefixes = tuple(prefixes)
        self._globs = globs
        self.variables = variables and any(pattern.variables for pattern in globs)

    def applies(self, value: str, lookup: Lookup) -> bool:
        """Whether the element matches ``value``; ``lookup`` has the values of variables."""
        if value in self._exact or value.startswith(self._prefixes):
            return not self.negated
        for pattern in self._globs:
            if pattern.matches(value, lookup):
                return not self.negated
        return self.negated

    def shown(self, lookup: Lookup) -> list[str]:
        variables = {pattern.text: pattern.shown(lookup) for pattern in self._globs}
        return [variables.get(pattern, pattern) for pattern in self.patterns]


class Statement(msgspec.Struct, eq=False):
    """A valid statement. Resources and conditions are compiled when first needed."""

    index: int  # its position, from 0
    source: Mapping[str, Any]  # its JSON object
    allows: bool
    action: Element
    resources: tuple[str, Sequence[str]] | None
    principal: PrincipalElement | None
    tests: Sequence[tuple[Test, str, Sequence[str]]]
    variables: bool  # the policy's version supports policy variables
    _resource: Element | None = None
    _conditions: tuple[Condition, ...] | None = None

    @property
    def effect(self) -> str:
        return "Allow" if self.allows else "Deny"

    @property
    def label(self) -> str:
        return self.source.get("Sid") or f"statement {self.index + 1}"

    @property
    def resource(self) -> Element | None:
        if self._resource is None and self.resources is not None:
            self._resource = Element(*self.resources, variables=self.variables, arn=True)
        return self._resource

    @property
    def conditions(self) -> tuple[Condition, ...]:
        if self._conditions is None:
            self._conditions = tuple(
                Condition(*each, variables=self.variables, denies=not self.allows)
                for each in self.tests
            )
        return self._conditions

    def mismatch(self, request: Request, context: Context) -> Mismatch:
        """The element that does not match, of Resource and Condition."""
        resource = self._resource or self.resource
        if resource is not None and not resource.applies(request.resource, context.get):
            return _RESOURCE
        for condition in self._conditions or self.conditions:
            if not condition.holds(context):
                return _CONDITION
        return _APPLIES
