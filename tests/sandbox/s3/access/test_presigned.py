"""Conditions on how a request was signed."""

import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError
from tests.sandbox.cases import Account


def _denying(s3, name: str, action: str, condition: dict[str, dict[str, str]]) -> dict[str, str]:
    """The address of an object in a new bucket whose policy denies the action on a condition."""
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"hello")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": f"arn:aws:s3:::{name}/k",
        "Condition": condition,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    s3.put_bucket_policy(Bucket=name, Policy=policy)
    return {"Bucket": name, "Key": "k"}


def test_only_a_presigned_url_has_an_age(account: Account, fresh: str) -> None:
    """S3 API Reference, "Amazon S3 Signature Version 4 Authentication Specific Policy Keys"."""
    s3 = account.client("s3", "admin", version="s3v4")
    condition = {"Null": {"s3:signatureAge": "true"}}
    where = _denying(s3, f"age-{fresh}", "s3:GetObject", condition)
    with pytest.raises(ClientError, match="explicit deny"):
        s3.get_object(**where)
    with urlopen(s3.generate_presigned_url("get_object", Params=where)) as answer:
        assert answer.read() == b"hello"


def test_an_upload_by_a_presigned_url_has_an_unsigned_payload(account: Account, fresh: str) -> None:
    """S3 User Guide, "AWS Signature Version 4 (SigV4) authentication-specific policy keys".

    A policy that denies unsigned payloads denies "uploads that are using presigned URLs".
    """
    s3 = account.client("s3", "admin", version="s3v4")
    condition = {"StringEquals": {"s3:x-amz-content-sha256": "UNSIGNED-PAYLOAD"}}
    where = _denying(s3, f"unsigned-{fresh}", "s3:PutObject", condition)
    s3.put_object(**where, Body=b"signed")
    url = s3.generate_presigned_url("put_object", Params=where)
    with pytest.raises(HTTPError, match="403"):
        urlopen(Request(url, data=b"unsigned", method="PUT"))
    assert s3.get_object(**where)["Body"].read() == b"signed"


def test_a_url_of_version_2_has_no_age(account: Account, fresh: str) -> None:
    """The page on Version 4's keys; a URL of Version 2 says when it ends, not when it was signed."""
    s3 = account.client("s3", "admin", version="s3")
    condition = {"Null": {"s3:signatureAge": "true"}}
    where = _denying(s3, f"ageless-{fresh}", "s3:GetObject", condition)
    with pytest.raises(HTTPError, match="403"):
        urlopen(s3.generate_presigned_url("get_object", Params=where))
