"""The whole Identity and Access Management service, as two tables of operations."""

from typing import Any

from stslab.sandbox.api.services import Judge, NeedsOf, Reads, Writes
from stslab.sandbox.iam import (
    account,
    credentials,
    managed_policies,
    mfa,
    needs,
    permissions,
    providers,
    roles,
    simulation,
    tagging,
    users,
)

_MODULES = (
    account,
    credentials,
    managed_policies,
    mfa,
    permissions,
    providers,
    roles,
    simulation,
    tagging,
    users,
)


class IamService:
    """IAM. ``judge`` knows which of the principals in trust policies there are by now."""

    def __init__(self, judge: Judge) -> None:
        self.reads: Reads = _all("READS")
        self.writes: Writes = {**_all("WRITES"), **roles.writes(judge)}
        self.needs: NeedsOf = needs.of


def _all(table: str) -> dict[str, Any]:
    """The operations in this table of each module that has one."""
    return {
        name: handler for module in _MODULES for name, handler in getattr(module, table, {}).items()
    }
