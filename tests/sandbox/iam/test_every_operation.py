"""Every operation of IAM and STS, called without parameters, answers as AWS might."""

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from tests.sandbox.cases import Account

from stslab.sandbox.api import operations
from stslab.sandbox.iam.service import IamService
from stslab.sandbox.pipeline.authorization import PolicyJudge

IAM = IamService(PolicyJudge())
OPERATIONS = sorted({*IAM.reads, *IAM.writes})
NOT_ON_THE_GLOBAL_ENDPOINT = "GetScopedCredentials"
MISSING_PARAMETER = {"ValidationError", "InvalidInput"}
NOT_FOUND = {"NoSuchEntity", "ReportNotPresent"}
SWITCHED_OFF = "GetOutboundWebIdentityFederationInfo"


def has_required_parameters(service: str, operation: str) -> bool:
    shape = operations.operation(service, operation).input_shape
    return shape is not None and bool(shape.required_members)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("identity", ["admin", "root"])
def test_iam_without_parameters(account: Account, operation: str, identity: str) -> None:
    if operation == "CreateLoginProfile":
        identity = "root"  # the administrator's own profile would be created
    call = getattr(account.client("iam", identity), xform_name(operation))
    if has_required_parameters("iam", operation):
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] in MISSING_PARAMETER
        return
    try:
        assert call()["ResponseMetadata"]["HTTPStatusCode"] == 200
    except ClientError as refused:
        code = refused.response["Error"]["Code"]
        if operation == SWITCHED_OFF:
            assert code == "FeatureDisabled"
            return
        assert code in MISSING_PARAMETER | NOT_FOUND | {"LimitExceeded"}
    assert operation != SWITCHED_OFF


@pytest.mark.parametrize("operation", sorted(operations.names("sts")))
def test_sts_without_parameters(account: Account, operation: str) -> None:
    call = getattr(account.client("sts", "admin"), xform_name(operation))
    if operation == NOT_ON_THE_GLOBAL_ENDPOINT:
        with pytest.raises(ClientError, match="InvalidAction"):
            call()
    elif has_required_parameters("sts", operation):
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] in MISSING_PARAMETER | {"InvalidAction"}
    else:
        assert call()["ResponseMetadata"]["HTTPStatusCode"] == 200
