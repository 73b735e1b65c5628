"""The Principal element: whom it names, and how closely ("AWS JSON policy elements: Principal")."""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from functools import partial
from typing import Final

from stslab.policy import arn as arns
from stslab.policy.principal import Principal, PrincipalKind


class Level(IntEnum):
    """How closely an element names the principal of a request; it decides what still limits.

    "Policy evaluation logic", "Resource-based policies": a grant to a user or a session
    itself (or to everyone) is not limited by implicit denies of boundaries and session
    policies; one to a session's role is; one to an account only lets the account decide.
    """

    NONE = 0
    ACCOUNT = 1
    ISSUER = 2
    DIRECT = 3
    EVERYONE = 4

    __hash__ = int.__hash__  # Enum's own is a Python function: too slow for each decision


_EXCEPTED: Final = {
    PrincipalKind.USER: {Level.ACCOUNT, Level.DIRECT},
    PrincipalKind.ROLE: {Level.ACCOUNT, Level.ISSUER},
    PrincipalKind.SESSION: {Level.ACCOUNT, Level.ISSUER, Level.DIRECT},
    PrincipalKind.FEDERATED_USER: {Level.ACCOUNT, Level.DIRECT},
    PrincipalKind.ROOT: {Level.DIRECT},
    PrincipalKind.SERVICE: {Level.DIRECT},
    PrincipalKind.PROVIDER: {Level.DIRECT},
    PrincipalKind.ANONYMOUS: {Level.EVERYONE},
}
"""How a NotPrincipal names those whom it excepts ("AWS JSON policy elements: NotPrincipal")."""

_UNIQUE_ID: Final = re.compile(r"A[A-Z0-9]{11,127}")


class PrincipalElement:
    """``Principal``, or with ``negated`` ``NotPrincipal``.

    ``names`` are (type, name) of each principal; None is everyone, ``"*"``.
    """

    __slots__ = ("name", "names", "negated")

    def __init__(self, name: str, names: Sequence[tuple[str, str]] | None) -> None:
        self.name = name
        self.names = names
        self.negated = name[0] == "N"

    def level(self, principal: Principal) -> Level:
        """How closely the element names ``principal``.

        A NotPrincipal names all but those of whom it has each ARN: the account's and the user's,
        or the account's, the role's and the session's.
        """
        if self.names is None:
            levels = {Level.EVERYONE}
        else:
            levels = {_LEVELS[kind](name, principal) for kind, name in self.names}
        if not self.negated:
            return max(levels, default=Level.NONE)
        excepted = Level.EVERYONE in levels or levels >= _EXCEPTED[principal.kind]
        return Level.NONE if excepted else Level.EVERYONE

    @property
    def public(self) -> bool:
        """Whether it names everyone, anonymous callers included."""
        return self.names is None or ("AWS", "*") in self.names


def _level_of_aws(name: str, principal: Principal) -> Level:
    """``{"AWS": "*"}`` is every AWS identity and every anonymous caller, but no service.

    Unique ids are a user's, a role's (of each of its sessions), or a session's.
    """
    kind = principal.kind
    if kind in _OTHERS:
        return Level.NONE
    if name == "*":
        return Level.EVERYONE
    if not principal.member:
        return Level.NONE
    if name in (principal.arn, principal.user_id):
        return Level.ISSUER if kind is PrincipalKind.ROLE else Level.DIRECT
    if name == principal.account or _is_root(name, principal.account):
        return Level.DIRECT if kind is PrincipalKind.ROOT else Level.ACCOUNT
    issued = name in (principal.issuer, principal.user_id.partition(":")[0])
    return Level.ISSUER if issued or _names_role(name, principal) else Level.NONE


_OTHERS: Final = {PrincipalKind.SERVICE: "Service", PrincipalKind.PROVIDER: "Federated"}


def _is_root(name: str, account: str) -> bool:
    return name.endswith(f"::{account}:root") and arns.split(name) is not None


def _names_role(name: str, principal: Principal) -> bool:
    """A session's ARN has its role's name without the path, which is unique in an account.

    Where the issuer has a path it is known, and a role's ARN with another names no such role
    ("IAM identifiers", "IAM ARNs": role-name-with-path).
    """
    if principal.kind is not PrincipalKind.SESSION or ":role/" not in name:
        return False
    arn = arns.split(name) if principal.issuer.endswith(f":role/{principal.name}") else None
    return (
        arn is not None
        and arn.account == principal.account
        and arn.resource.rpartition("/")[2] == principal.name
    )


def _level_of_canonical(name: str, principal: Principal) -> Level:
    """A canonical user id names an account, as its number does."""
    if name != principal.canonical_id:
        return Level.NONE
    return Level.DIRECT if principal.kind is PrincipalKind.ROOT else Level.ACCOUNT


def _level_of_other(name: str, principal: Principal, type_: str) -> Level:
    """Of a service or a provider, by its host or ARN."""
    named = _OTHERS.get(principal.kind) == type_ and name in {"*", principal.arn}
    return Level.DIRECT if named else Level.NONE


_LEVELS: Final[Mapping[str, Callable[[str, Principal], Level]]] = {
    "AWS": _level_of_aws,
    "Service": partial(_level_of_other, type_="Service"),
    "Federated": partial(_level_of_other, type_="Federated"),
    "CanonicalUser": _level_of_canonical,
}

TYPES: Final = tuple(_LEVELS)
"""The types that a Principal element may have."""

_ENTITY: Final = re.compile(
    r"arn:[a-z-]+:(?:iam::[\w-]+:(?:root|(?:user|role)/[^*?]+)"
    r"|sts::[0-9]{12}:(?:assumed-role/[^*?/]+/[^*?/]+|federated-user/[^*?]+))"
)


def is_aws_principal(name: str) -> bool:
    """Whether ``name`` may stand under ``AWS``: no part of a name may be a wildcard."""
    return bool(
        name == "*"
        or arns.ACCOUNT.fullmatch(name)
        or _ENTITY.fullmatch(name)
        or _UNIQUE_ID.fullmatch(name)
    )
