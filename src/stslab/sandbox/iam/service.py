"""The whole Identity and Access Management service, as two tables of operations."""

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


class IamService:
    """IAM. ``judge`` knows which of the principals in trust policies there are by now."""

    def __init__(self, judge: Judge) -> None:
        self.reads: Reads = {
            **access_keys.READS,
            **account_wide.READS,
            **credential_report.READS,
            **instance_profiles.READS,
            **managed_policies.READS,
            **mfa.READS,
            **oidc_providers.READS,
            **passwords.READS,
            **permissions.READS,
            **roles.READS,
            **saml_providers.READS,
            **simulation.READS,
            **tagging.READS,
            **users.READS,
        }
        self.writes: Writes = {
            **access_keys.WRITES,
            **account_wide.WRITES,
            **boundaries.WRITES,
            **credential_report.WRITES,
            **instance_profiles.WRITES,
            **managed_policies.WRITES,
            **mfa.WRITES,
            **oidc_providers.WRITES,
            **passwords.WRITES,
            **permissions.WRITES,
            **roles.writes(judge),
            **saml_providers.WRITES,
            **tagging.WRITES,
            **users.WRITES,
        }

    def needs(self, view: View, request: ApiRequest) -> Needs:
        """The action on what the request names; see :func:`needs.of`."""
        return needs.of(view, request)
