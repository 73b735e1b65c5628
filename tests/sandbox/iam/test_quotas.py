import json

import pytest
from botocore.exceptions import ClientError
from tests.sandbox.direct import Direct

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
