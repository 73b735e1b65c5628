"""Who makes a request, and what of the request's context follows from that."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from stslab.errors import PolicyError
from stslab.policy import arn as arns


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


_ACCOUNTLESS: Final = frozenset(
    {PrincipalKind.SERVICE, PrincipalKind.PROVIDER, PrincipalKind.ANONYMOUS}
)
_SERVICE_LINKED_PATH: Final = "role/aws-service-role/"
_SESSION_PARTS: Final = 3  # assumed-role/ROLE/SESSION


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
        object.__setattr__(self, "context", derived_context(self))
        object.__setattr__(self, "member", self.kind not in _ACCOUNTLESS)
        object.__setattr__(self, "unlimited", _is_unlimited(self))

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
        kind, account, name, role = _read(arn)
        issuer = issuer or role
        linked = service_linked or f":{_SERVICE_LINKED_PATH}" in (issuer or arn)
        return cls(kind, arn, account, name, issuer, user_id, canonical_id, linked)

    @classmethod
    def anonymous(cls) -> Self:
        """Who sends an unsigned request."""
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


def _is_unlimited(principal: Principal) -> bool:
    federated = principal.kind is PrincipalKind.FEDERATED_USER
    by_root = federated and principal.issuer.endswith(":root")
    return by_root or principal.kind is PrincipalKind.ROOT


def _read(text: str) -> tuple[PrincipalKind, str, str, str]:
    """Kind, account, name and issuing role of the principal with this ARN."""
    arn = arns.split(text)
    if arn and not arn.region and arns.ACCOUNT.fullmatch(arn.account):
        if arn.service == "iam":
            return _read_iam(text, arn)
        if arn.service == "sts":
            return _read_sts(text, arn)
    raise _unreadable(text)


def _read_iam(text: str, arn: arns.Arn) -> tuple[PrincipalKind, str, str, str]:
    if arn.resource == "root":
        return PrincipalKind.ROOT, arn.account, "", ""
    kind, _, path = arn.resource.partition("/")
    name = path.rpartition("/")[2]
    if name and kind == "user":
        return PrincipalKind.USER, arn.account, name, ""
    if name and kind == "role":
        return PrincipalKind.ROLE, arn.account, name, ""
    raise _unreadable(text)


def _read_sts(text: str, arn: arns.Arn) -> tuple[PrincipalKind, str, str, str]:
    parts = arn.resource.split("/")
    if parts[0] == "assumed-role" and len(parts) == _SESSION_PARTS and all(parts):
        role = f"arn:{arn.partition}:iam::{arn.account}:role/{parts[1]}"
        return PrincipalKind.SESSION, arn.account, parts[1], role
    if parts[0] == "federated-user" and len(parts) > 1 and parts[1]:
        return PrincipalKind.FEDERATED_USER, arn.account, parts[1], ""
    raise _unreadable(text)


def _unreadable(text: str) -> PolicyError:
    return PolicyError(
        f"{text!r} is not the ARN of a principal.",
        "Give a user, role, assumed-role session, federated user or account root, "
        "such as arn:aws:iam::111122223333:user/alice.",
    )


def derived_context(principal: Principal) -> Mapping[str, str]:
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
    }
    context.update(_particular(principal))
    return {key: value for key, value in context.items() if value}


def _particular(principal: Principal) -> Mapping[str, str]:
    """What the kind of the principal adds, or with an empty text takes away."""
    service = dict.fromkeys(("aws:principaltype", "aws:principalarn"), "")
    particular = {
        PrincipalKind.USER: {"aws:username": principal.name},
        PrincipalKind.ROLE: {"aws:principaltype": PrincipalKind.SESSION.value},
        PrincipalKind.SESSION: {"aws:principalarn": principal.issuer},
        PrincipalKind.FEDERATED_USER: {
            "aws:userid": principal.user_id or f"{principal.account}:{principal.name}"
        },
        PrincipalKind.ROOT: {"aws:userid": principal.account},
        PrincipalKind.SERVICE: {
            **service,
            "aws:principalisawsservice": "true",
            "aws:principalservicename": principal.arn,
        },
        PrincipalKind.PROVIDER: service,
        PrincipalKind.ANONYMOUS: {
            "aws:principalaccount": "anonymous",
            "aws:userid": "anonymous",
            "aws:principalarn": "",
            "aws:principalisawsservice": "",
        },
    }
    return particular[principal.kind]
