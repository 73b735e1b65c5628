import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace
from tests.sandbox.direct import Direct

from stslab.sandbox.state.buckets import Bucket


def test_an_account_has_at_most_10_000_buckets(direct: Direct) -> None:
    """S3 User Guide, "General purpose bucket quotas"."""
    s3 = direct.client("s3", "admin")
    s3.create_bucket(Bucket="one")
    with direct.state.transaction() as tx:
        (one,) = (each for each in tx.all(Bucket, "") if each.name == "one")
        for number in range(10_000 - len(s3.list_buckets()["Buckets"])):
            tx.put(replace(one, name=f"b-{number}"))
    with pytest.raises(ClientError, match="TooManyBuckets"):
        s3.create_bucket(Bucket="one-more")
    s3.create_bucket(Bucket="one")
    s3.delete_bucket(Bucket="one")
    s3.create_bucket(Bucket="one-more")
