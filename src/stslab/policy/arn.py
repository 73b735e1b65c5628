"""The parts of an Amazon Resource Name ("Amazon Resource Names (ARNs)")."""

import re
from typing import Final, NamedTuple

ACCOUNT: Final = re.compile(r"[0-9]{12}")
_COLONS: Final = 5


class Arn(NamedTuple):
    """``arn:partition:service:region:account:resource``."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @property
    def is_role(self) -> bool:
        """Whether it is a role's, which has one resource-based policy: its trust policy."""
        return self.service == "iam" and self.resource.startswith("role/")


def split(text: str) -> Arn | None:
    parts = text.split(":", _COLONS)
    if len(parts) != _COLONS + 1 or parts[0] != "arn":
        return None
    return Arn(*parts[1:])


def account_of(resource: str) -> str | None:
    """The account that a resource's ARN names; an S3 bucket's names none."""
    arn = split(resource)
    return arn.account if arn and ACCOUNT.fullmatch(arn.account) else None
