import json

import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace
from tests.sandbox.direct import Direct

from stslab.sandbox.state.identities import MfaDevice
from stslab.vocabulary import LEARNER

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)


def test_only_service_linked_roles_exceed_the_quota_of_roles(direct: Direct) -> None:
    """IAM User Guide, "Using service-linked roles"."""
    iam = direct.client("iam")
    there_are = iam.get_account_summary()["SummaryMap"]["Roles"]
    for number in range(there_are, 1000):
        iam.create_role(RoleName=f"r-{number}", AssumeRolePolicyDocument=TRUST)
    iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
    assert iam.get_account_summary()["SummaryMap"]["Roles"] == 1001
    with pytest.raises(ClientError, match="Cannot exceed quota for RolesPerAccount: 1000"):
        iam.create_role(RoleName="one-more", AssumeRolePolicyDocument=TRUST)


def test_there_are_as_many_virtual_mfa_devices_as_users(direct: Direct) -> None:
    """IAM User Guide, "IAM and AWS STS quotas" (virtual MFA devices, assigned or unassigned)."""
    iam = direct.client("iam")
    iam.create_virtual_mfa_device(VirtualMFADeviceName="one")
    with direct.state.transaction() as tx:
        (one,) = tx.all(MfaDevice, LEARNER)
        for number in range(1, iam.get_account_summary()["SummaryMap"]["UsersQuota"]):
            tx.put(replace(one, serial=f"{one.serial}-{number}"))
    with pytest.raises(ClientError, match="VirtualMFADevicesPerAccount: 5000"):
        iam.create_virtual_mfa_device(VirtualMFADeviceName="one-more")


def test_the_summary_has_the_same_order_in_each_process(direct: Direct) -> None:
    summary = direct.client("iam", "admin").get_account_summary()["SummaryMap"]
    kinds = ["Groups", "InstanceProfiles", "Policies", "Roles", "Users"]
    assert [name for name in summary if name in kinds] == kinds
