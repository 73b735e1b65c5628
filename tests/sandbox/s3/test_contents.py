"""Contents of objects are read and hashed outside transactions, which would block other writes."""

import json
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from tests.sandbox.s3.alone import ACCOUNT, Alone

from stslab.sandbox.api.model import HttpRequest
from stslab.sandbox.state.buckets import NULL, Bucket, Upload
from stslab.sandbox.state.snapshot import Snapshot
from stslab.sandbox.state.state import State

SMALLEST = 5 * 1024 * 1024


class Watched(State):
    """A state that refuses to read a body during a transaction."""

    def blob(self, name: str) -> bytes:
        with self.transaction(wait=False):
            return super().blob(name)


def test_a_body_without_a_checksum_gets_one_while_the_parameters_are_read() -> None:
    """S3 API Reference, "PutObject". Content-MD5 is not such a checksum."""
    s3 = Alone(Watched(Snapshot.of([ACCOUNT])))
    s3.client.create_bucket(Bucket="shop")
    headers = (("Content-Length", "9"), ("Content-MD5", "JfnnlDI7RTiF9RgfG2JNCw=="))
    sent = HttpRequest("PUT", "/shop/key", (), "", headers, b"123456789")
    made = dict(s3.handle(sent).headers)
    assert made["x-amz-checksum-crc64nvme"] == "rosUhgp5mIg="
    assert made["x-amz-checksum-type"] == "FULL_OBJECT"
    found = s3.client.head_object(Bucket="shop", Key="key", ChecksumMode="ENABLED")
    assert found["ChecksumCRC64NVME"] == "rosUhgp5mIg="


@pytest.mark.parametrize(
    ("argument", "root", "namespace"),
    [
        ("location", "LocationConstraint", "http://s3.amazonaws.com/doc/2006-03-01/"),
        ("versioning", "VersioningConfiguration", "http://s3.amazonaws.com/doc/2006-03-01/"),
        ("logging", "BucketLoggingStatus", "http://doc.s3.amazonaws.com/2006-03-01"),
    ],
)
def test_an_answer_without_content_is_one_tag(argument: str, root: str, namespace: str) -> None:
    """S3 API Reference, "GetBucketVersioning"; localstack/localstack, which is run on S3:
    test_response_structure_get_bucket_location. S3 User Guide, "Enabling Amazon S3 server access
    logging", and jchristn/S3Server, version 8: logs have a namespace of their own.
    """
    s3 = Alone(Watched(Snapshot.of([ACCOUNT])))
    s3.client.create_bucket(Bucket="shop")
    sent = HttpRequest("GET", "/shop", ((argument, ""),), argument, (), b"")
    assert s3.handle(sent).body.decode().endswith(f'\n<{root} xmlns="{namespace}"/>')
    assert s3.client.get_bucket_logging(Bucket="shop").get("LoggingEnabled") is None


def test_metadata_that_is_not_ascii_is_safe_for_mail() -> None:
    """S3 User Guide, "Working with object metadata", whose example this is."""
    s3 = Alone(Watched(Snapshot.of([ACCOUNT])))
    s3.client.create_bucket(Bucket="shop")
    sent = "ÄMÄZÕÑ S3".encode().decode("latin-1")  # as a header's bytes are read
    headers = (("Content-Length", "0"), ("x-amz-meta-nonascii", sent), ("x-amz-meta-ascii", "S3"))
    s3.handle(HttpRequest("PUT", "/shop/key", (), "", headers, b""))
    found = s3.client.head_object(Bucket="shop", Key="key")["Metadata"]
    assert found == {"nonascii": "=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?=", "ascii": "S3"}


def test_an_encryption_that_was_stored_without_what_it_blocks_is_replaced() -> None:
    usual = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    older = Bucket(
        name="shop",
        owner=ACCOUNT.account,
        region="us-east-1",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        settings={"Encryption": json.dumps(usual)},
    )
    s3 = Alone(State(Snapshot.of([ACCOUNT, older])))
    s3.client.put_bucket_encryption(Bucket="shop", ServerSideEncryptionConfiguration=usual)
    found = s3.client.get_bucket_encryption(Bucket="shop")["ServerSideEncryptionConfiguration"]
    assert found["Rules"][0]["BlockedEncryptionTypes"] == {"EncryptionType": ["SSE-C"]}


def test_no_body_is_read_during_a_transaction() -> None:
    client = Alone(Watched(Snapshot.of([ACCOUNT]))).client
    client.create_bucket(Bucket="shop")
    where = {"Bucket": "shop", "Key": "large"}
    begun = client.create_multipart_upload(
        **where, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT"
    )
    upload = {**where, "UploadId": begun["UploadId"]}
    first = client.upload_part(**upload, PartNumber=1, Body=b"a" * SMALLEST)
    second = client.upload_part(**upload, PartNumber=2, Body=b"b")
    parts = [{"PartNumber": n, "ETag": p["ETag"]} for n, p in ((1, first), (2, second))]
    made = client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert made["ChecksumType"] == "FULL_OBJECT"
    # AWS's answer in localstack/localstack: test_complete_multipart_parts_checksum_full_object.
    part = client.get_object(**where, PartNumber=2, ChecksumMode="ENABLED")
    assert (part["Body"].read(), "ChecksumCRC32" in part, "ChecksumType" in part) == (
        b"b",
        False,
        False,
    )
    copied = client.copy_object(Bucket="shop", Key="copy", CopySource=where)["CopyObjectResult"]
    assert copied["ChecksumCRC32"] == made["ChecksumCRC32"]
    begun = client.create_multipart_upload(Bucket="shop", Key="piece")
    upload = {"Bucket": "shop", "Key": "piece", "UploadId": begun["UploadId"]}
    part = client.upload_part_copy(
        **upload, PartNumber=1, CopySource=where, CopySourceRange=f"bytes={SMALLEST}-{SMALLEST}"
    )["CopyPartResult"]
    assert part["ETag"] == second["ETag"]
    assert client.get_object(Bucket="shop", Key="copy")["Body"].read() == b"a" * SMALLEST + b"b"


def test_an_upload_of_an_older_account_has_the_version_of_its_completion() -> None:
    """Such an upload was saved without a version, which does not make it the one named ``null``."""
    s3 = Alone()
    client, where = s3.client, {"Bucket": "shop", "Key": "key"}
    client.create_bucket(Bucket="shop")
    client.put_object(**where, Body=b"null")
    enabled = {"Status": "Enabled"}
    client.put_bucket_versioning(Bucket="shop", VersioningConfiguration=enabled)
    begun = client.create_multipart_upload(**where)
    upload = {**where, "UploadId": begun["UploadId"]}
    part = {"PartNumber": 1, "ETag": client.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]}
    with s3.state.transaction() as tx:
        (saved,) = tx.everywhere(Upload)
        tx.put(replace(saved, draft=replace(saved.draft, version_id=NULL), current=None))
    made = client.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})
    assert made["VersionId"] not in (None, NULL, begun["VersionId"])
    versions = client.list_object_versions(Bucket="shop")["Versions"]
    assert [one["VersionId"] for one in versions] == [made["VersionId"], NULL]


def test_a_range_that_is_a_part_has_its_composite_checksum() -> None:
    """S3 User Guide, "Checking object integrity in Amazon S3"; radkawar/stackd's records of S3."""
    client = Alone(State(Snapshot.of([ACCOUNT]))).client
    client.create_bucket(Bucket="shop")
    where = {"Bucket": "shop", "Key": "large"}
    begun = client.create_multipart_upload(**where, ChecksumAlgorithm="CRC32")
    upload = {**where, "UploadId": begun["UploadId"]}
    bodies = enumerate([b"a" * SMALLEST, b"b" * 9], start=1)
    made = [
        {"PartNumber": n, **client.upload_part(**upload, PartNumber=n, Body=body)}
        for n, body in bodies
    ]
    sums = [part["ChecksumCRC32"] for part in made]
    names = ("PartNumber", "ETag", "ChecksumCRC32")
    parts = [{name: part[name] for name in names} for part in made]
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    ends = [(0, SMALLEST - 1), (SMALLEST, SMALLEST + 8), (SMALLEST, SMALLEST + 7), (1, SMALLEST)]
    for (first, last), expected in zip(ends, [*sums, None, None], strict=True):
        asked = {**where, "Range": f"bytes={first}-{last}", "ChecksumMode": "ENABLED"}
        found = client.get_object(**asked)
        assert len(found["Body"].read()) == last - first + 1
        assert found.get("ChecksumCRC32") == expected
        assert found.get("ChecksumType") == ("COMPOSITE" if expected else None)
        assert client.head_object(**asked).get("ChecksumCRC32") == expected
        assert "PartsCount" not in found


def test_a_copy_is_of_its_source_as_the_transaction_finds_it() -> None:
    class Changing(State):
        """The source is replaced while its content is read."""

        def blob(self, name: str) -> bytes:
            body = super().blob(name)
            if body == b"old":
                client.put_object(**where, Body=b"new")
            return body

    client = Alone(Changing(Snapshot.of([ACCOUNT]))).client
    client.create_bucket(Bucket="shop")
    where = {"Bucket": "shop", "Key": "source"}
    client.put_object(**where, Body=b"old")
    client.copy_object(Bucket="shop", Key="copy", CopySource=where, ChecksumAlgorithm="SHA1")
    assert client.get_object(Bucket="shop", Key="copy")["Body"].read() == b"new"
