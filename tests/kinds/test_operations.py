"""Which calls change something; only other calls may be repeated, or begun early."""

import pytest

from stslab.kinds.operations import changes


@pytest.mark.parametrize(
    ("call", "changing"),
    [
        ("iam.GetUser", False),
        ("iam.SimulatePrincipalPolicy", False),
        ("s3.ListObjectVersions", False),
        ("s3.HeadBucket", False),
        ("cloudformation.DescribeStacks", False),
        ("cloudformation.ValidateTemplate", False),
        ("sts.DecodeAuthorizationMessage", False),
        ("dynamodb.BatchGetItem", False),
        ("embedded.GetClock", False),
        ("embedded.GetToken", False),
        ("embedded.MoveClock", True),
        ("iam.DeleteUser", True),
        ("iam.PutUserPolicy", True),
        ("sts.AssumeRole", True),
        ("kms.GenerateDataKey", True),
        ("sqs.ReceiveMessage", True),
        ("unheard.Unheard", True),
    ],
)
def test_what_changes_something(call, changing):
    assert changes(call) is changing
