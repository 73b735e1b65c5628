"""URLs, presigned for a region or not signed at all, and with a plus for a space in the path.

``s3.yaml`` has requests with headers.
"""

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.sandbox.cases import Account


def client(account: Account, region: str, version: str) -> Any:
    """The admin's client that signs with ``version``, with the bucket in the path."""
    keys = account.keys["admin"]
    return account.boto_session.client(
        "s3",
        region_name=region,
        endpoint_url=account.endpoint.url,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        config=Config(signature_version=version, s3={"addressing_style": "path"}),
    )


def test_a_presigned_url_for_another_region_is_refused(account: Account, fresh: str) -> None:
    s3 = account.client("s3", "admin", "eu-west-1")
    where = {"Bucket": f"far-{fresh}", "Key": "k"}
    constraint = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket=where["Bucket"], CreateBucketConfiguration=constraint)
    s3.put_object(**where, Body=b"hello")

    def link(region: str) -> str:
        return str(
            client(account, region, "s3v4").generate_presigned_url("get_object", Params=where)
        )

    with urlopen(link("eu-west-1")) as answer:
        assert answer.read() == b"hello"
    with pytest.raises(HTTPError) as caught:
        urlopen(link("us-east-1"))
    body = caught.value.read().decode()
    caught.value.close()
    assert caught.value.code == 400
    assert "<Code>AuthorizationQueryParametersError</Code>" in body
    assert "the region 'us-east-1' is wrong; expecting 'eu-west-1'" in body
    assert caught.value.headers["x-amz-bucket-region"] == "eu-west-1"


@pytest.mark.parametrize(
    ("region", "code"), [("eu-west-1", ""), ("eu-central-1", "InvalidRequest")]
)
def test_signature_version_2_is_for_the_oldest_regions(
    account: Account, fresh: str, region: str, code: str
) -> None:
    """S3 User Guide, "Signing and authenticating REST requests"; botocore's own test has the words.

    (tests/integration/test_s3.py, test_region_redirect_sigv2_to_sigv4_raises_error)
    """
    bucket = f"old-{fresh}"
    constraint = {"LocationConstraint": region}
    account.client("s3", "admin", region).create_bucket(
        Bucket=bucket, CreateBucketConfiguration=constraint
    )
    old = client(account, region, "s3")
    if not code:
        assert old.list_objects(Bucket=bucket)["Name"] == bucket
        return
    with pytest.raises(ClientError, match="Please use AWS4-HMAC-SHA256") as refused:
        old.list_objects(Bucket=bucket)
    assert refused.value.response["Error"]["Code"] == code


def test_a_public_bucket_is_public_in_a_newer_region(account: Account, fresh: str) -> None:
    """S3 User Guide, "Making requests using the REST API": who signs nothing names no region."""
    s3, bucket = account.client("s3", "admin", "eu-central-1"), f"open-{fresh}"
    s3.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    s3.delete_public_access_block(Bucket=bucket)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    statement["Resource"] = f"arn:aws:s3:::{bucket}/*"
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": statement}))
    with urlopen(f"{account.endpoint.url}/{bucket}/k") as answer:
        assert answer.read() == b"hello"
    with pytest.raises(HTTPError, match="403"):
        urlopen(f"{account.endpoint.url}/{bucket}")


def test_a_plus_in_a_path_is_a_space(account: Account, fresh: str) -> None:
    """Also for the signature: AdRoll/goamz#259 and aws/aws-sdk-ruby#654 have S3's answers."""
    s3 = account.client("s3", "admin")
    where = {"Bucket": f"plus-{fresh}", "Key": "a b"}
    s3.create_bucket(Bucket=where["Bucket"])
    s3.put_object(**where, Body=b"space")
    s3.put_object(**where | {"Key": "a+b"}, Body=b"plus")
    link = client(account, "us-east-1", "s3v4").generate_presigned_url("get_object", Params=where)
    with urlopen(link.replace("a%20b", "a+b")) as answer:
        assert answer.read() == b"space"
