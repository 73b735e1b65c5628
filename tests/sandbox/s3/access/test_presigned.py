"""Conditions on how a request was signed."""

import json
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError
from tests.sandbox.cases import Account


@pytest.mark.parametrize(
    ("key", "absent"),
    [
        pytest.param("s3:signatureAge", "true", id="only a presigned URL has an age"),
        pytest.param("s3:x-amz-content-sha256", "false", id="only a header is the payload's hash"),
    ],
)
def test_the_keys_of_a_presigned_url_are_not_those_of_a_header(
    account: Account, fresh: str, key: str, absent: str
) -> None:
    """S3 API Reference, "Amazon S3 Signature Version 4 Authentication Specific Policy Keys"."""
    s3 = account.client("s3", "admin", version="s3v4")
    where = {"Bucket": f"age-{fresh}", "Key": "k"}
    s3.create_bucket(Bucket=where["Bucket"])
    s3.put_object(**where, Body=b"hello")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{where['Bucket']}/k",
        "Condition": {"Null": {key: absent}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    s3.put_bucket_policy(Bucket=where["Bucket"], Policy=policy)
    with pytest.raises(ClientError, match="explicit deny"):
        s3.get_object(**where)
    with urlopen(s3.generate_presigned_url("get_object", Params=where)) as answer:
        assert answer.read() == b"hello"
