"""AssumeRole with an MFA code that is refused for another reason."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from tests.sandbox.direct import Direct

from stslab.sandbox.iam import mfa
from stslab.sandbox.state.identities import MfaDevice, Session

NOBODY = (
    '{"Version": "2012-10-17", "Statement": '
    '{"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}}'
)


def test_a_refused_call_uses_up_its_mfa_code(direct: Direct) -> None:
    iam = direct.client("iam")
    direct.user("ana")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=NOBODY)["Role"]["Arn"]
    serial = iam.create_virtual_mfa_device(VirtualMFADeviceName="d")["VirtualMFADevice"][
        "SerialNumber"
    ]

    def code(later: int) -> str:
        device = direct.record(MfaDevice, serial)
        assert device is not None
        return mfa.code(device.seed, mfa.step_of(direct.state.now()) + later)

    iam.enable_mfa_device(
        UserName="ana",
        SerialNumber=serial,
        AuthenticationCode1=code(-1),
        AuthenticationCode2=code(0),
    )
    right = code(1)

    def refusal() -> str:
        with pytest.raises(ClientError) as refused:
            direct.client("sts", "ana").assume_role(
                RoleArn=role, RoleSessionName="me", SerialNumber=serial, TokenCode=right
            )
        return str(refused.value.response["Error"]["Message"])

    assert "is not authorized to perform: sts:AssumeRole" in refusal()
    assert "invalid MFA one time pass code" in refusal()
    assert list(direct.state.snapshot.everywhere(Session)) == []
