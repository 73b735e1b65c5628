"""Every operation of IAM and STS, asked for with nothing, answers as AWS might."""

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from tests.sandbox.cases import Account

from stslab.sandbox.api import operations
from stslab.sandbox.iam.service import IamService
from stslab.sandbox.pipeline.judge import Judge

IAM = IamService(Judge())
OPERATIONS = sorted({*IAM.reads, *IAM.writes})
NOT_ON_THE_GLOBAL_ENDPOINT = "GetScopedCredentials"
WORDS_FOR_A_LACK = {"ValidationError", "InvalidInput"}
WORDS_FOR_WHAT_IS_NOT_THERE = {"NoSuchEntity", "ReportNotPresent"}


def lacks_something(service: str, operation: str) -> bool:
    shape = operations.operation(service, operation).input_shape
    return shape is not None and bool(shape.required_members)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("identity", ["admin", "root"])
def test_iam_without_parameters(account: Account, operation: str, identity: str) -> None:
    if operation == "CreateLoginProfile":
        identity = "root"  # it would be the administrator's own
    call = getattr(account.client("iam", identity), xform_name(operation))
    if lacks_something("iam", operation):
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] in WORDS_FOR_A_LACK
        return
    try:
        assert call()["ResponseMetadata"]["HTTPStatusCode"] == 200
    except ClientError as refused:
        code = refused.response["Error"]["Code"]
        assert code in WORDS_FOR_A_LACK | WORDS_FOR_WHAT_IS_NOT_THERE | {"LimitExceeded"}


@pytest.mark.parametrize("operation", sorted(operations.names("sts")))
def test_sts_without_parameters(account: Account, operation: str) -> None:
    call = getattr(account.client("sts", "admin"), xform_name(operation))
    if operation == NOT_ON_THE_GLOBAL_ENDPOINT:
        with pytest.raises(ClientError, match="InvalidAction"):
            call()
    elif lacks_something("sts", operation):
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] in WORDS_FOR_A_LACK | {"InvalidAction"}
    else:
        assert call()["ResponseMetadata"]["HTTPStatusCode"] == 200
