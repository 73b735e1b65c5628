"""The whole Identity and Access Management service, as two tables of operations."""

from typing import Any

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.api.need import Needs
from stslab.sandbox.api.services import Judge, Reads, Writes
from stslab.sandbox.iam import account_wide, credential_report, needs, tagging
from stslab.sandbox.iam.identities import (
    access_keys,
    boundaries,
    instance_profiles,
    oidc_providers,
    passwords,
    roles,
    saml_providers,
    users,
)
from stslab.sandbox.iam.mfa import operations as mfa
from stslab.sandbox.iam.policies import managed_policies, permissions, simulation
from stslab.sandbox.state.snapshot import View

_MODULES = (
    access_keys,
    account_wide,
    boundaries,
    credential_report,
    instance_profiles,
    managed_policies,
    mfa,
    oidc_providers,
    passwords,
    permissions,
    roles,
    saml_providers,
    simulation,
    tagging,
    users,
)


class IamService:
    """IAM. ``judge`` knows which of the principals in trust policies there are by now."""

    def __init__(self, judge: Judge) -> None:
        self.reads: Reads = _all("READS")
        self.writes: Writes = {**_all("WRITES"), **roles.writes(judge)}

    def needs(self, view: View, request: ApiRequest) -> Needs:
        """The action on what the request names; see :func:`needs.of`."""
        return needs.of(view, request)


def _all(table: str) -> dict[str, Any]:
    """The operations in this table of each module that has one."""
    return {
        name: handler for module in _MODULES for name, handler in getattr(module, table, {}).items()
    }
