"""What a request names, found in a view of the account, or NoSuchEntity in AWS's words."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.iam import aws_policies, faults
from stslab.sandbox.state.identities import Group, InstanceProfile, MfaDevice, Role, User
from stslab.sandbox.state.policies import ManagedPolicy, PolicyVersion
from stslab.sandbox.state.providers import OidcProvider, SamlProvider
from stslab.sandbox.state.record import Record
from stslab.sandbox.state.settings import Account
from stslab.sandbox.state.snapshot import View

R = TypeVar("R", bound=Record)
_POLICY_ARN = re.compile(r"arn:aws:iam::(\d{12}|aws):policy/[\x21-\x7e]+")


def _last(arn: str) -> str:
    return arn.rsplit("/", 1)[-1].lower()


@dataclass(frozen=True, slots=True)
class _Named:
    """How requests name a kind of record: which parameter has which of its members.

    ``key`` makes the record's key of that. Names differ by more than case, and yet a request
    must have the right case. ``lack`` is what IAM says where there is none.
    """

    parameter: str
    lack: str
    member: str = "name"
    key: Callable[[str], str] = str.lower


_KINDS: Mapping[type[Record], _Named] = {
    User: _Named("UserName", "The user with name {} cannot be found."),
    Group: _Named("GroupName", "The group with name {} cannot be found."),
    Role: _Named("RoleName", "The role with name {} cannot be found."),
    InstanceProfile: _Named("InstanceProfileName", "Instance Profile {} cannot be found."),
    ManagedPolicy: _Named("PolicyArn", "Policy {} was not found.", "arn", _last),
    OidcProvider: _Named(
        "OpenIDConnectProviderArn",
        "OpenIDConnect Provider not found for arn {}",
        "arn",
        lambda arn: arn.partition(":oidc-provider/")[2],
    ),
    SamlProvider: _Named("SAMLProviderArn", "Manifest not found for arn {}", "arn", _last),
    MfaDevice: _Named(
        "SerialNumber", "VirtualMFADevice with serial number {} doesn't exist.", "arn"
    ),
}


def find(view: View, kind: type[R], account: str, identifier: str) -> R | None:
    """The record that a request calls so, by its name, ARN or serial number; or None.

    AWS's own policies are found in every account.
    """
    row = _KINDS[kind]
    found: Record | None = view.get(kind, account, row.key(identifier))
    if kind is ManagedPolicy:
        found = aws_policies.find(identifier) or found
    same = found is not None and getattr(found, row.member) == identifier
    return cast("R", found) if same else None


def named(view: View, kind: type[R], request: ApiRequest) -> R:
    """The record that the request names.

    Raises:
        ApiFault: NoSuchEntity.
    """
    return existing(view, kind, request.account, request.params[_KINDS[kind].parameter])


def existing(view: View, kind: type[R], account: str, identifier: str) -> R:
    """What :func:`find` finds.

    Raises:
        ApiFault: NoSuchEntity.
    """
    found = find(view, kind, account, identifier)
    if found is None:
        raise faults.no_such(_KINDS[kind].lack.format(identifier))
    return found


def own_user(view: View, request: ApiRequest) -> User:
    """The user that the request names, or else the one who makes it.

    Raises:
        ApiFault: there is no such user, or the caller is none and names none.
    """
    name = request.params.get("UserName") or request.caller.user_name
    if not name:
        raise faults.invalid("Must specify userName when calling with non-User credentials")
    return existing(view, User, request.account, name)


def groups_of(view: View, user: User) -> list[Group]:
    """The groups that the user is in, by name."""
    found = (view.get(Group, user.account, key) for key in sorted(user.groups))
    return [group for group in found if group is not None]


def users_in(view: View, group: Group) -> Iterator[User]:
    """The users that are in the group, in no order."""
    return (user for user in view.all(User, group.account) if group.key in user.groups)


def policy(view: View, request: ApiRequest) -> ManagedPolicy:
    """The managed policy that the request names, AWS's or the account's own."""
    checked_arn(request.params["PolicyArn"])
    return named(view, ManagedPolicy, request)


def own_policy(view: View, request: ApiRequest) -> ManagedPolicy:
    """The customer managed policy that the request names, to be changed."""
    found = policy(view, request)
    if is_aws_managed(found):
        raise faults.invalid_input(f"Policy {found.arn} is owned by AWS and cannot be changed.")
    return found


def version(managed: ManagedPolicy, version_id: str) -> PolicyVersion:
    """The version of a managed policy."""
    for found in managed.versions:
        if found.version_id == version_id:
            return found
    raise faults.no_such(
        f"Policy {managed.arn} version {version_id} does not exist or is not attachable."
    )


def managed_text(view: View, account: str, arn: str) -> str | None:
    """The text of a managed policy's default version, or None where there is no such policy."""
    found = find(view, ManagedPolicy, account, arn)
    return None if found is None else found.document


def checked_arn(arn: str) -> str:
    """``arn`` if it is formed like a managed policy's."""
    if not _POLICY_ARN.fullmatch(arn):
        raise faults.invalid_input(f"ARN {arn} is not valid.")
    return arn


def is_aws_managed(managed: ManagedPolicy) -> bool:
    """Whether AWS keeps the policy, the same in every account."""
    return managed.account == aws_policies.OWNER


def account(view: View, account_id: str) -> Account:
    """The record of an account that there is.

    Raises:
        KeyError: there is no such account.
    """
    found = view.get(Account, account_id, "")
    if found is None:
        raise KeyError(account_id)
    return found
