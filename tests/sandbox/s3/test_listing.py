"""The pages of a list together have each key or prefix once, in order."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sandbox.s3.alone import Alone

from stslab.sandbox.api import pages

_many = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
_names = st.sets(st.text("ab/é ", min_size=1, max_size=5), max_size=8)
_asked = st.fixed_dictionaries(
    {},
    optional={"Prefix": st.text("ab/", max_size=2), "Delimiter": st.sampled_from(["/", "a", "b/"])},
)
_most = st.integers(1, 4)


@pytest.fixture(scope="module")
def s3() -> Alone:
    return Alone()


def filled(s3: Alone, names: set[str]) -> Any:
    """A client of S3 with one bucket that has only these keys, and no uploads."""
    client = s3.client
    client.create_bucket(Bucket="one")
    client.put_bucket_versioning(Bucket="one", VersioningConfiguration={"Status": "Suspended"})
    for version in client.list_object_versions(Bucket="one").get("Versions", []):
        client.delete_object(Bucket="one", Key=version["Key"], VersionId=version["VersionId"])
    for upload in client.list_multipart_uploads(Bucket="one").get("Uploads", []):
        client.abort_multipart_upload(Bucket="one", Key=upload["Key"], UploadId=upload["UploadId"])
    for name in names:
        client.put_object(Bucket="one", Key=name, Body=name.encode())
    return client


def expected(names: set[str], asked: dict[str, str]) -> list[str]:
    """The keys and prefixes that a list should have, in order."""
    prefix, delimiter = asked.get("Prefix", ""), asked.get("Delimiter", "")
    found = set()
    for name in names:
        if name.startswith(prefix):
            rest = name[len(prefix) :]
            cut = rest.find(delimiter) if delimiter else -1
            found.add(prefix + rest[: cut + len(delimiter)] if cut >= 0 else name)
    return sorted(found)


def names_in(page: dict[str, Any], of: str = "Contents") -> Iterator[str]:
    """The keys and prefixes of a page."""
    found = [one["Key"] for one in page.get(of, [])]
    yield from sorted([*found, *(one["Prefix"] for one in page.get("CommonPrefixes", []))])


@_many
@given(_names, _asked, _most)
@pytest.mark.parametrize(
    "what",
    [
        ("list_objects_v2", "Contents"),
        ("list_objects", "Contents"),
        ("list_object_versions", "Versions"),
    ],
)
def test_objects_are_listed_in_pages(
    s3: Alone, what: tuple[str, str], names: set[str], asked: dict[str, str], most: int
) -> None:
    operation, member = what
    client = filled(s3, names)
    pages = client.get_paginator(operation).paginate(
        Bucket="one", PaginationConfig={"PageSize": most}, **asked
    )
    listed = [list(names_in(page, member)) for page in pages]
    assert [name for page in listed for name in page] == expected(names, asked)
    assert all(len(page) == most for page in listed[:-1])


@_many
@given(_names, st.integers(1, 3), _most)
def test_versions_of_each_key_are_listed_from_the_newest(
    s3: Alone, names: set[str], times: int, most: int
) -> None:
    client = filled(s3, set())
    client.put_bucket_versioning(Bucket="one", VersioningConfiguration={"Status": "Enabled"})
    made = {
        name: [
            client.put_object(Bucket="one", Key=name, Body=b"")["VersionId"] for _ in range(times)
        ]
        for name in names
    }
    pages = client.get_paginator("list_object_versions").paginate(
        Bucket="one", PaginationConfig={"PageSize": most}
    )
    listed = [(one["Key"], one["VersionId"]) for page in pages for one in page.get("Versions", [])]
    assert listed == [(name, one) for name in sorted(names) for one in reversed(made[name])]


@_many
@given(_names, _asked, _most)
def test_uploads_are_listed_in_pages(
    s3: Alone, names: set[str], asked: dict[str, str], most: int
) -> None:
    client = filled(s3, set())
    for left in client.list_multipart_uploads(Bucket="one").get("Uploads", []):
        client.abort_multipart_upload(Bucket="one", Key=left["Key"], UploadId=left["UploadId"])
    begun = {
        (name, client.create_multipart_upload(Bucket="one", Key=name)["UploadId"])
        for name in names
        for _ in range(2)
    }
    pages = list(
        client.get_paginator("list_multipart_uploads").paginate(
            Bucket="one", PaginationConfig={"PageSize": most}, **asked
        )
    )
    uploads = [(one["Key"], one["UploadId"]) for page in pages for one in page.get("Uploads", [])]
    prefixes = [one["Prefix"] for page in pages for one in page.get("CommonPrefixes", [])]
    keys = [name for name, _ in uploads]
    assert len(set(uploads)) == len(uploads)
    assert set(uploads) == {one for one in begun if one[0] in keys}
    assert keys == sorted(keys)
    assert sorted([*set(keys), *prefixes]) == expected(names, asked)


@pytest.mark.parametrize("given_token", ["nonsense", "", "AAAA", "AAAAAGE="])
def test_an_invalid_continuation_token_is_refused(s3: Alone, given_token: str) -> None:
    client = filled(s3, {"a"})
    with pytest.raises(client.exceptions.ClientError, match="continuation token"):
        client.list_objects_v2(Bucket="one", ContinuationToken=given_token)


def test_lists_are_last(s3: Alone) -> None:
    """The AWS SDK for Java (v1) reads a page from its start, and needs the bucket's name first."""
    client, seen = filled(s3, {"a"}), []
    client.meta.events.register("after-call.s3", lambda **said: seen.append(said["http_response"]))
    client.list_objects(Bucket="one")
    client.list_buckets()
    objects, buckets = (answer.content for answer in seen)
    assert objects.index(b"<Name>") < objects.index(b"<Contents>")
    assert buckets.index(b"<Owner>") < buckets.index(b"<Buckets>")


_STATED = {
    "list_objects": (
        "Name Prefix Marker NextMarker MaxKeys Delimiter IsTruncated"
        " Contents Key LastModified ETag Size Owner ID StorageClass"
    ),
    "list_objects_v2": (
        "Name Prefix NextContinuationToken KeyCount MaxKeys Delimiter IsTruncated"
        " Contents Key LastModified ETag Size StorageClass"
    ),
    "list_object_versions": (
        "Name Prefix KeyMarker VersionIdMarker NextKeyMarker NextVersionIdMarker MaxKeys Delimiter"
        " IsTruncated Version Key VersionId IsLatest LastModified ETag Size Owner ID StorageClass"
    ),
    "list_multipart_uploads": (
        "Bucket KeyMarker UploadIdMarker NextKeyMarker NextUploadIdMarker Delimiter Prefix"
        " MaxUploads IsTruncated Upload Key UploadId Initiator ID Owner ID StorageClass Initiated"
    ),
    "list_parts": (
        "Bucket Key UploadId Initiator ID Owner ID StorageClass PartNumberMarker"
        " NextPartNumberMarker MaxParts IsTruncated Part PartNumber LastModified ETag Size"
    ),
}
"""S3's order: its user guide ("Organizing objects using prefixes"), and the answers of S3 that the
tests of boto/botocore, apache/jclouds and (versions) justincormack/argmin have. cl-zs3, in Debian,
reads a list in this order only.
"""


@pytest.mark.parametrize("operation", _STATED)
def test_a_list_has_the_order_of_s3(s3: Alone, operation: str) -> None:
    client, seen = filled(s3, {"aa", "ab"}), []
    begun = [client.create_multipart_upload(Bucket="one", Key=key) for key in ("aa", "ab")]
    upload = {name: begun[0][name] for name in ("Bucket", "Key", "UploadId")}
    for number in (1, 2):
        client.upload_part(**upload, PartNumber=number, Body=b"part")
    client.meta.events.register("after-call.s3", lambda **said: seen.append(said["http_response"]))
    listed = {"Bucket": "one", "Prefix": "a", "Delimiter": "/"}
    if operation == "list_parts":
        client.list_parts(**upload, MaxParts=1)
    elif operation == "list_multipart_uploads":
        client.list_multipart_uploads(**listed, MaxUploads=1)
    else:
        getattr(client, operation)(**listed, MaxKeys=1)
    root = ET.fromstring(seen[-1].content)  # noqa: S314 - the sandbox's own answer
    names = [one.tag.partition("}")[2] for one in root.iter()][1:]
    others = {"ChecksumAlgorithm", "ChecksumType", "DisplayName", "EncodingType"}
    assert [name for name in names if name not in others] == _STATED[operation].split()


def test_settings_have_the_order_of_s3(s3: Alone) -> None:
    """GetBucketLifecycleConfiguration (Sample Response), and aws/aws-sdk-net#3580.

    Of the list, S3's answer as measured on September 29, 2026 (brekkylab/backlot, test_s3.py).
    """
    client, seen = filled(s3, set()), []
    moves = [{"Days": 30, "StorageClass": "GLACIER"}]
    rule = {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "b"}, "Transitions": moves}
    rule |= {"Expiration": {"Days": 90}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}
    client.put_bucket_lifecycle_configuration(
        Bucket="one", LifecycleConfiguration={"Rules": [rule]}
    )
    client.meta.events.register("after-call.s3", lambda **said: seen.append(said["http_response"]))
    client.get_bucket_lifecycle_configuration(Bucket="one")
    client.list_bucket_inventory_configurations(Bucket="one", ContinuationToken="")
    client.delete_bucket_lifecycle(Bucket="one")
    roots = [ET.fromstring(one.content) for one in seen[:2]]  # noqa: S314 - the sandbox's own
    (told,), listed = roots
    assert [one.tag.partition("}")[2] for one in told] == (
        "ID Filter Status Transition Expiration NoncurrentVersionExpiration".split()
    )
    assert [one.tag.partition("}")[2] for one in listed] == ["IsTruncated", "ContinuationToken"]


def test_the_quotation_marks_of_etags_are_references(s3: Alone) -> None:
    """S3 API Reference, "ListObjectsV2", Sample Response."""
    client, seen = filled(s3, {"a"}), []
    client.meta.events.register("after-call.s3", lambda **said: seen.append(said["http_response"]))
    etag = client.list_objects_v2(Bucket="one")["Contents"][0]["ETag"]
    assert f"<ETag>&quot;{etag[1:-1]}&quot;</ETag>" in seen[-1].content.decode()


def test_the_quotation_marks_of_errors_are_as_they_are(s3: Alone) -> None:
    """AWS's SDK for Java 1 (S3ErrorResponseHandler) loses what is before a reference, and shows
    whole messages of S3 (cloud-custodian/cloud-custodian, test_dynamodb_export_description_filter).
    """
    client, seen = filled(s3, {"a"}), []
    client.meta.events.register("after-call.s3", lambda **said: seen.append(said["http_response"]))
    with pytest.raises(ClientError):
        client.get_object(Bucket="one", Key='"&quot;')
    assert '<Key>"&amp;quot;</Key>' in seen[-1].content.decode()


def test_delete_markers_are_between_the_versions(s3: Alone) -> None:
    """By key, the newest first, as AWS's answers have it (dyus/meeseeks-s3, docs_reports)."""
    client, seen = filled(s3, {"a", "b"}), []
    client.put_bucket_versioning(Bucket="one", VersioningConfiguration={"Status": "Enabled"})
    client.delete_object(Bucket="one", Key="a")
    client.put_object(Bucket="one", Key="b", Body=b"again")
    client.meta.events.register("after-call.s3", lambda **said: seen.append(said["http_response"]))
    client.list_object_versions(Bucket="one")
    found = re.findall(r"<(Version|DeleteMarker)>.*?<Key>(.)<", seen[-1].content.decode())
    assert found == [("DeleteMarker", "a"), ("Version", "a"), ("Version", "b"), ("Version", "b")]
    for key in "ab":
        versions = client.list_object_versions(Bucket="one", Prefix=key)
        for one in [*versions["Versions"], *versions.get("DeleteMarkers", ())]:
            client.delete_object(Bucket="one", Key=key, VersionId=one["VersionId"])


def test_no_id_begins_like_an_option_of_a_command() -> None:
    """AWS's answers in localstack/localstack, test_object_version_id_format."""
    ids = [pages.token(f"{number:014x}abcdef") for number in range(300)]
    assert all(re.fullmatch(r"[A-Za-z0-9._]{32}", one) for one in ids)
    assert [pages.in_token(one)[:14] for one in ids] == [f"{n:014x}" for n in range(300)]
