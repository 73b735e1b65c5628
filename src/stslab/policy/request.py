"""A request: its principal, action and resource, and the values of its condition keys."""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Final, Self

import msgspec

from stslab.errors import PolicyError
from stslab.policy.patterns import ARN_SEPARATORS
from stslab.structures import beside, said

Value = str | tuple[str, ...]  # the value of a condition key; a tuple if it is multivalued
ACCOUNT: Final = re.compile(r"[0-9]{12}")
_OWNED: Final = re.compile(r"arn:[^:]*:[^:]*:[^:]*:([0-9]{12}):")


class Arn(msgspec.Struct, frozen=True):
    """``arn:partition:service:region:account:resource``."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @property
    def is_role(self) -> bool:
        return self.service == "iam" and self.resource.startswith("role/")


def split_arn(text: str) -> Arn | None:
    parts = text.split(":", ARN_SEPARATORS)
    if len(parts) != ARN_SEPARATORS + 1 or parts[0] != "arn":
        return None
    return Arn(*parts[1:])


def account_of(resource: str) -> str | None:
    """The account in a resource's ARN; None if it has none, as an S3 bucket's."""
    found = _OWNED.match(resource)
    return found[1] if found else None


class PrincipalKind(StrEnum):
    """The kinds of principals, with the values of ``aws:PrincipalType`` where AWS has one."""

    USER = "User"
    ROLE = "Role"
    SESSION = "AssumedRole"
    FEDERATED_USER = "FederatedUser"
    ROOT = "Account"
    SERVICE = "Service"
    PROVIDER = "FederatedProvider"  # whose user asks to assume a role
    ANONYMOUS = "Anonymous"


_ACCOUNTLESS: Final = (PrincipalKind.SERVICE, PrincipalKind.PROVIDER, PrincipalKind.ANONYMOUS)
_FORMS: Final = tuple(
    (re.compile(f"arn:[^:]*:{form}", re.DOTALL), kind)
    for form, kind in {
        r"iam::(\d{12}):root": PrincipalKind.ROOT,
        r"iam::(\d{12}):user/(?:.*/)?([^/]+)": PrincipalKind.USER,
        r"iam::(\d{12}):role/(?:.*/)?([^/]+)": PrincipalKind.ROLE,
        r"sts::(\d{12}):assumed-role/([^/]+)/[^/]+": PrincipalKind.SESSION,
        r"sts::(\d{12}):federated-user/([^/]+).*": PrincipalKind.FEDERATED_USER,
    }.items()
)
"""The forms of principals' ARNs; groups: the account, and the name if there is one."""


class Principal(msgspec.Struct, frozen=True, dict=True):
    """The caller of a request ("AWS JSON policy elements: Principal")."""

    kind: PrincipalKind
    arn: str  # or a service's host, an identity provider's ARN or host, or ``anonymous``
    account: str = ""
    name: str = ""
    issuer: str = ""  # the ARN of a session's role, or of the user that federated it
    user_id: str = ""  # ``aws:userid``: ``AIDA…`` of a user, ``AROA…:session`` of a session
    service_linked: bool = False

    @classmethod
    def from_arn(
        cls, arn: str, *, user_id: str = "", service_linked: bool = False, issuer: str = ""
    ) -> Self:
        """The user, role, session, federated user or root user that ``arn`` names.

        A session's issuer is its role without a path, unless given. PolicyError: not a principal's.
        """
        for form, kind in _FORMS:
            if found := form.fullmatch(arn):
                account, name = (*found.groups(), "")[:2]
                if kind is PrincipalKind.SESSION and not issuer:
                    partition = arn.split(":", 2)[1]
                    issuer = f"arn:{partition}:iam::{account}:role/{name}"
                linked = service_linked or ":role/aws-service-role/" in (issuer or arn)
                return cls(kind, arn, account, name, issuer, user_id, service_linked=linked)
        raise PolicyError(*said(beside(__file__, "refused.yaml"), "principal", arn=arn))

    @cached_property
    def member(self) -> bool:
        """Whether an account has policies for it."""
        return self.kind not in _ACCOUNTLESS

    @cached_property
    def keys(self) -> Mapping[str, Value]:
        """The condition keys that follow from the principal.

        "AWS global condition context keys" says which requests have which; their values are in
        "IAM policy elements: Variables and tags", table "Principal key values".
        """
        keys = {
            "aws:PrincipalType": self.kind.value,
            "aws:PrincipalAccount": self.account,
            "aws:PrincipalArn": self.arn,
            "aws:PrincipalIsAWSService": "false",
            "aws:userid": self.user_id,
            **_PARTICULAR[self.kind](self),
        }
        return {key: value for key, value in keys.items() if value}

    @cached_property
    def lower_keys(self) -> Mapping[str, Value]:
        return {key.lower(): value for key, value in self.keys.items()}


# aws:FederatedProvider is of OpenID Connect only, and of a user pool of Amazon Cognito its host.
_NOT_ISSUER: Final = re.compile(r".*:(?:saml-provider/.*|oidc-provider/(?=cognito-idp\.))")
_UNSIGNED: Final = {"aws:PrincipalArn": "", "aws:PrincipalIsAWSService": ""}
_PARTICULAR: Final[Mapping[PrincipalKind, Callable[[Principal], Mapping[str, Value]]]] = {
    PrincipalKind.USER: lambda it: {"aws:username": it.name},
    PrincipalKind.ROLE: lambda _: {"aws:PrincipalType": PrincipalKind.SESSION.value},
    PrincipalKind.SESSION: lambda it: {"aws:PrincipalArn": it.issuer},
    PrincipalKind.FEDERATED_USER: lambda it: {
        "aws:userid": it.user_id or f"{it.account}:{it.name}"
    },
    PrincipalKind.ROOT: lambda it: {"aws:userid": it.account},
    PrincipalKind.SERVICE: lambda it: {  # the type by a public record of S3's decisions
        "aws:PrincipalType": PrincipalKind.SESSION.value,
        "aws:PrincipalArn": "",
        "aws:PrincipalIsAWSService": "true",
        "aws:PrincipalServiceName": it.arn,
        "aws:PrincipalServiceNamesList": (it.arn,),
    },
    PrincipalKind.PROVIDER: lambda it: {  # by public records of AWS's answers
        **_UNSIGNED,
        "aws:PrincipalType": PrincipalKind.USER.value,
        "aws:userid": it.arn,
        "aws:FederatedProvider": _NOT_ISSUER.sub("", it.arn),
    },
    PrincipalKind.ANONYMOUS: lambda it: {
        **_UNSIGNED,
        "aws:PrincipalAccount": it.arn,
        "aws:userid": it.arn,
    },
}
"""Keys that depend on the principal's kind; an empty text removes the key."""

_NOTHING: Final[Mapping[str, Value]] = MappingProxyType({})


class Request(msgspec.Struct, frozen=True):
    """The question to decide: may ``principal`` do ``action`` to ``resource``?"""

    principal: Principal
    action: str
    resource: str  # an ARN, or ``*`` for an action without a resource
    context: Mapping[str, str | Sequence[str]] = _NOTHING  # derived keys may be left out
    resource_account: str | None = None  # default: the account in its ARN, else the principal's

    @property
    def owner(self) -> str:
        if self.resource_account is not None:
            return self.resource_account
        return account_of(self.resource) or self.principal.account


def values_in(value: Value) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


class Context(msgspec.Struct, eq=False):
    """The values of a request's condition keys, by name in any case.

    "IAM JSON policy elements: Condition": key names, also those of tags, are not case-sensitive.
    Of tags that differ only in case, one counts for a name, as public records of AWS show.
    """

    _request: Request
    _values: Mapping[str, Value] | None = None

    def get(self, key: str) -> Value | None:
        """The value of ``key`` (in lower case); None if it has none."""
        values = self._values
        if values is None:
            values = self._values = self._read()
        value = values.get(key)
        return None if value == () else value

    def _read(self) -> Mapping[str, Value]:
        """All values by lower-case name; given ones win over derived ones."""
        request = self._request
        lower: dict[str, Value] = {}
        for key, value in sorted(request.context.items()):
            lower[key.lower()] = value if isinstance(value, str) else tuple(value)
        return {**request.principal.lower_keys, "aws:resourceaccount": request.owner or (), **lower}
