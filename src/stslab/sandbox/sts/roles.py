"""The role that is to be assumed: found by its ARN, trusted or not, for how long."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stslab.policy import NamedPolicy, PolicyKind
from stslab.sandbox.api import policies, principals
from stslab.sandbox.state.identities import Role
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.sts import faults

_ROLE_ARN = re.compile(
    r"arn:aws:iam::(\d{12}):role(/(?:[\x21-\x7e]*/)?)([\w+=,.@-]{1,64})", re.ASCII
)
_DEFAULT_SECONDS = 3600
_CHAINED_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Target:
    """A role's ARN taken apart; ``role`` and ``trust`` are None where there is no such role.

    In its trust policy a deleted principal is nobody.
    """

    arn: str
    account: str
    name: str
    role: Role | None
    trust: NamedPolicy | None

    def tag_context(self, transitive: Mapping[str, str]) -> dict[str, str]:
        """aws:ResourceTag of the role; a transitive session tag stands before the role's own."""
        if self.role is None:
            return {}
        overriding = {key.lower(): value for key, value in transitive.items()}
        return {
            f"{kind}:ResourceTag/{key}": overriding.get(key.lower(), value)
            for key, value in self.role.tags.items()
            for kind in ("aws", "iam")
        }


def find(view: View, arn: str) -> Target:
    """The role that ``arn`` names, whether it exists or not.

    Raises:
        ApiFault: ValidationError: no role's ARN has this form.
    """
    match = _ROLE_ARN.fullmatch(arn)
    if match is None:
        raise faults.invalid(f"{arn} is invalid")
    account, _, name = match.groups()
    role = view.get(Role, account, name.lower())
    if role is None or role.arn != arn:
        return Target(arn, account, name, None, None)
    text = principals.shown(role.trust, view)
    trust = policies.named(f"trust policy of role {name}", text, PolicyKind.TRUST)
    return Target(arn, account, name, role, trust)


def duration(params: Mapping[str, Any], role: Role, *, chained: bool) -> int:
    """The seconds that the session lasts.

    IAM User Guide, "Using IAM roles": the role's maximum, and one hour in a chain of roles.

    Raises:
        ApiFault: ValidationError: longer than the role, or a chain, allows.
    """
    asked = int(params.get("DurationSeconds", _DEFAULT_SECONDS))
    if asked > role.max_session:
        raise faults.invalid(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    if chained and asked > _CHAINED_SECONDS:
        raise faults.invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining."
        )
    return asked
