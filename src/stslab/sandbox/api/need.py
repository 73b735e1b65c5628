"""What a request needs: the questions that IAM must answer with yes before it is carried out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from stslab.policy import NamedPolicy
from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.state.identities import Role
from stslab.sandbox.state.snapshot import View

Context = Mapping[str, str | Sequence[str]]
Needs = Sequence["Need"]
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Need:
    """One action on one resource, with the condition keys that this action adds.

    ``resource_policy`` is the resource's own, where it has one; ``resource_account`` owns the
    resource. ``shown`` is how the service's messages call the resource, where that is not its
    ARN: IAM says ``user bob``, S3 puts the ARN in quotes, and an empty text leaves it out.
    """

    action: str
    resource: str
    context: Context = field(default_factory=dict)
    resource_policy: NamedPolicy | None = None
    resource_account: str | None = None
    shown: str | None = None


NeedsOf = Callable[[View, ApiRequest], Needs]


def pass_role(view: View, account: str, role_arn: str, service: str) -> Need:
    """What a caller in ``account`` needs who hands a role to ``service``.

    IAM User Guide, "Granting a user permissions to pass a role to an AWS service".

    Raises:
        ApiFault: AccessDenied: the role is another account's, which nobody can pass.
    """
    if role_arn.split(":")[4:5] != [account]:
        raise ApiFault("AccessDenied", "Cross-account pass role is not allowed.", _FORBIDDEN)
    role = view.get(Role, account, role_arn.rsplit("/", 1)[-1].lower())
    keys: Keys = {"iam:PassedToService": service}
    if role is not None:
        keys |= resource_tags(role.tags, "iam")
        if role.boundary:
            keys["iam:PermissionsBoundary"] = role.boundary
    return Need("iam:PassRole", role_arn, keys, resource_account=account)


Keys = dict[str, str | Sequence[str]]


def iso(moment: datetime) -> str:
    """A time as date condition keys have it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def request_tags(tags: Mapping[str, str]) -> Keys:
    """The keys of tags that a request passes: ``aws:RequestTag/…`` and ``aws:TagKeys``."""
    keys: Keys = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    if tags:
        keys["aws:TagKeys"] = tuple(tags)
    return keys


def resource_tags(tags: Mapping[str, str], service: str = "aws") -> Keys:
    """The keys of a resource's tags: ``aws:ResourceTag/…``, or the service's own as well."""
    keys: Keys = {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
    if service != "aws":
        keys |= {f"{service}:ResourceTag/{key}": value for key, value in tags.items()}
    return keys
