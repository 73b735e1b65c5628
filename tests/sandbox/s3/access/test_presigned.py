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


def test_only_a_header_is_the_payload_hash(account: Account, fresh: str) -> None:
    """The same page: "Deny uploads with unsigned payloads that use the Authorization header".

    The key "doesn't support the x-amz-content-sha256 header as a query string parameter".
    """
    s3 = account.client("s3", "admin", version="s3v4")
    condition = {"StringEquals": {"s3:x-amz-content-sha256": "UNSIGNED-PAYLOAD"}}
    where = _denying(s3, f"unsigned-{fresh}", "s3:PutObject", condition)
    s3.put_object(**where, Body=b"signed")
    url = s3.generate_presigned_url("put_object", Params=where)
    urlopen(Request(url, data=b"unsigned", method="PUT"))
    assert s3.get_object(**where)["Body"].read() == b"unsigned"
    header = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    with pytest.raises(HTTPError, match="403"):
        urlopen(Request(url, data=b"again", method="PUT", headers=header))


def test_a_url_of_version_2_has_the_age_0(account: Account, fresh: str) -> None:
    """The same page: "In Signature Version 2, this value is always set to 0"."""
    s3 = account.client("s3", "admin", version="s3")
    condition = {"NumericNotEquals": {"s3:signatureAge": "0"}}
    where = _denying(s3, f"ageless-{fresh}", "s3:GetObject", condition)
    with urlopen(s3.generate_presigned_url("get_object", Params=where)) as answer:
        assert answer.read() == b"hello"
