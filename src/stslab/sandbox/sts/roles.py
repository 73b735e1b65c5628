"""The role that is to be assumed: found by its ARN, trusted or not, for how long."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stslab.policy import NamedPolicy, PolicyKind
from stslab.sandbox.iam.policies import trust
from stslab.sandbox.pipeline import gather
from stslab.sandbox.saved.account import World
from stslab.sandbox.sts import faults

_ROLE_ARN = re.compile(
    r"arn:aws:iam::(\d{12}):role(/(?:[\x21-\x7e]*/)?)([\w+=,.@-]{1,64})", re.ASCII
)
_DEFAULT_SECONDS = 3600
_CHAINED_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Target:
    """A role's ARN taken apart; ``role`` is moto's, or None where there is no such role."""

    arn: str
    account: str
    name: str
    role: Any

    def trust_policy(self, world: World) -> NamedPolicy | None:
        """The role's trust policy as it is known, in which a deleted principal is nobody."""
        now = self.present_trust(world)
        return now if world.replica is None else world.replica.trust(self.arn, now)

    def present_trust(self, world: World) -> NamedPolicy | None:
        """The role's trust policy as it is, whether or not that has spread."""
        if self.role is None:
            return None
        text = trust.shown(self.role.assume_role_policy_document, world)
        return gather.named(f"trust policy of role {self.role.name}", text, PolicyKind.TRUST)

    def tag_context(self, transitive: Mapping[str, str]) -> dict[str, str]:
        """aws:ResourceTag of the role; a transitive session tag stands before the role's own."""
        if self.role is None:
            return {}
        overriding = {key.lower(): value for key, value in transitive.items()}
        return {
            f"{kind}:ResourceTag/{tag['Key']}": overriding.get(tag["Key"].lower(), tag["Value"])
            for tag in self.role.tags
            for kind in ("aws", "iam")
        }


def find(world: World, arn: str) -> Target:
    """The role that ``arn`` names, whether it exists or not.

    Raises:
        ApiFault: ValidationError: no role's ARN has this form.
    """
    match = _ROLE_ARN.fullmatch(arn)
    if match is None:
        raise faults.invalid(f"{arn} is invalid")
    account, _, name = match.groups()
    role = None
    if account in world.accounts:
        roles = world.account(account).iam.roles.values()
        role = next((one for one in list(roles) if one.arn == arn), None)
    if world.replica is not None:
        role = world.replica.role(arn, role)
    return Target(arn, account, name, role)


def duration(params: Mapping[str, Any], role: Any, *, chained: bool) -> int:
    """The seconds that the session lasts.

    IAM User Guide, "Using IAM roles": the role's maximum, and one hour in a chain of roles.

    Raises:
        ApiFault: ValidationError: longer than the role, or a chain, allows.
    """
    asked = int(params.get("DurationSeconds", _DEFAULT_SECONDS))
    if asked > int(role.max_session_duration or _DEFAULT_SECONDS):
        raise faults.invalid(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    if chained and asked > _CHAINED_SECONDS:
        raise faults.invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining."
        )
    return asked
