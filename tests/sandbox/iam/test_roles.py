import json

from tests.sandbox.direct import Direct

from stslab.sandbox.state.identities import Role

SERVICE = "autoscaling.amazonaws.com"


def test_trust_policies_are_kept_without_white_space(direct: Direct) -> None:
    """cloud-custodian/cloud-custodian, tests/data/placebo/test_account_config: AWS's answer."""
    iam = direct.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(document, indent=2))
    linked = iam.create_service_linked_role(AWSServiceName=SERVICE)["Role"]["RoleName"]
    for name in ("r", linked):
        role = direct.record(Role, name.lower())
        assert role
        assert role.trust == json.dumps(document, separators=(",", ":"))
