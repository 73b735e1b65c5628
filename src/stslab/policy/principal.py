"""Who makes a request, and what of the request's context follows from that."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from stslab.errors import PolicyError


class PrincipalKind(StrEnum):
    """The kinds of principals; the values are those of ``aws:PrincipalType`` where it has one."""

    USER = "User"
    ROLE = "Role"
    SESSION = "AssumedRole"
    FEDERATED_USER = "FederatedUser"
    ROOT = "Account"
    SERVICE = "Service"
    PROVIDER = "FederatedProvider"
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
"""The ARNs of principals that have one: the account, and the name if there is one."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request ("AWS JSON policy elements: Principal").

    ``arn`` names it in messages: an ARN, a service's or a provider's host, or ``anonymous``.
    ``issuer`` is the ARN of the role that a session assumed, or of the user that asked for
    a federated session. ``user_id`` is what ``aws:userid`` holds: ``AIDA…`` for a user,
    ``AROA…:session`` for a session. ``canonical_id`` is the account's canonical user id.
    ``member``: it belongs to an AWS account, which has policies for it. ``unlimited``: it has
    full access to its account, as the root user, and who that federates.
    """

    kind: PrincipalKind
    arn: str
    account: str = ""
    name: str = ""
    issuer: str = ""
    user_id: str = ""
    canonical_id: str = ""
    service_linked: bool = False
    context: Mapping[str, str] = field(init=False, repr=False, compare=False)
    member: bool = field(init=False, repr=False, compare=False)
    unlimited: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """What follows is told once: principals are asked for it with every request."""
        object.__setattr__(self, "context", _derived(self))
        object.__setattr__(self, "member", self.kind not in _ACCOUNTLESS)
        by_root = self.kind is PrincipalKind.FEDERATED_USER and self.issuer.endswith(":root")
        object.__setattr__(self, "unlimited", by_root or self.kind is PrincipalKind.ROOT)

    @classmethod
    def from_arn(
        cls,
        arn: str,
        *,
        user_id: str = "",
        service_linked: bool = False,
        issuer: str = "",
        canonical_id: str = "",
    ) -> Self:
        """The user, role, session, federated user or root user that ``arn`` names.

        For ``arn:aws:sts::A:assumed-role/R/S`` the issuer is ``arn:aws:iam::A:role/R`` unless
        ``issuer`` says otherwise (a role's path is not in its sessions' ARNs).

        Raises:
            PolicyError: ``arn`` names no principal.
        """
        for form, kind in _FORMS:
            if found := form.fullmatch(arn):
                account, name = (*found.groups(), "")[:2]
                if kind is PrincipalKind.SESSION and not issuer:
                    partition = arn.split(":", 2)[1]
                    issuer = f"arn:{partition}:iam::{account}:role/{name}"
                linked = service_linked or ":role/aws-service-role/" in (issuer or arn)
                return cls(kind, arn, account, name, issuer, user_id, canonical_id, linked)
        raise PolicyError(
            f"{arn!r} is not the ARN of a principal.",
            "Give a user, role, assumed-role session, federated user or account root, "
            "such as arn:aws:iam::111122223333:user/alice.",
        )

    @classmethod
    def anonymous(cls) -> Self:
        return cls(PrincipalKind.ANONYMOUS, "anonymous")

    @classmethod
    def service(cls, host: str) -> Self:
        """An AWS service, such as ``cloudformation.amazonaws.com``."""
        return cls(PrincipalKind.SERVICE, host)

    @classmethod
    def federated(cls, provider: str, account: str = "") -> Self:
        """Whoever an identity provider vouches for, asking to assume a role.

        ``provider`` is the provider's ARN, or a host such as ``accounts.google.com``;
        ``account`` is the account that holds it.
        """
        return cls(PrincipalKind.PROVIDER, provider, account)


def _derived(principal: Principal) -> Mapping[str, str]:
    """The condition keys that follow from the principal, by lower-case name.

    "AWS global condition context keys" says which requests have which; "IAM policy elements:
    Variables and tags", table "Principal key values", says what they hold.
    """
    context = {
        "aws:principaltype": principal.kind.value,
        "aws:principalaccount": principal.account,
        "aws:principalarn": principal.arn,
        "aws:principalisawsservice": "false",
        "aws:userid": principal.user_id,
        **_PARTICULAR[principal.kind](principal),
    }
    return {key: value for key, value in context.items() if value}


_NAMELESS: Final = {"aws:principaltype": "", "aws:principalarn": ""}
_PARTICULAR: Final[Mapping[PrincipalKind, Callable[[Principal], Mapping[str, str]]]] = {
    PrincipalKind.USER: lambda it: {"aws:username": it.name},
    PrincipalKind.ROLE: lambda _: {"aws:principaltype": PrincipalKind.SESSION.value},
    PrincipalKind.SESSION: lambda it: {"aws:principalarn": it.issuer},
    PrincipalKind.FEDERATED_USER: lambda it: {
        "aws:userid": it.user_id or f"{it.account}:{it.name}"
    },
    PrincipalKind.ROOT: lambda it: {"aws:userid": it.account},
    PrincipalKind.SERVICE: lambda it: {
        **_NAMELESS,
        "aws:principalisawsservice": "true",
        "aws:principalservicename": it.arn,
    },
    PrincipalKind.PROVIDER: lambda _: _NAMELESS,
    PrincipalKind.ANONYMOUS: lambda _: {
        "aws:principalaccount": "anonymous",
        "aws:userid": "anonymous",
        "aws:principalarn": "",
        "aws:principalisawsservice": "",
    },
}
"""What the kind of the principal adds, or with an empty text takes away."""
