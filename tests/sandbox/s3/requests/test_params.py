"""The members of a request's input, from its path, query, headers and body."""

from dataclasses import replace

import pytest
from tests.sandbox.s3.alone import Alone

from stslab.sandbox.api.model import ApiFault, HttpRequest
from stslab.sandbox.s3.requests import params
from stslab.sandbox.s3.requests.address import Address


def test_a_body_is_hashed_while_the_parameters_are_read() -> None:
    sent = HttpRequest("PUT", "/bucket/key", (), "", (("Content-Length", "5"),), b"hello")
    content = params.parse("PutObject", sent, Address("bucket", "key"))["Body"]
    assert {"name", "etag"} <= vars(content).keys()
    assert content.etag == "5d41402abc4b2a76b9719d911017c592"
    assert str(content) == "(5 bytes)"
    assert "hello" not in repr(content)


def test_headers_of_one_name_are_joined() -> None:
    """S3 User Guide, "Working with object metadata": "into a comma-delimited list"."""
    headers = (
        ("X-Amz-Object-Attributes", "ETag"),
        ("x-amz-object-attributes", "ObjectSize, Checksum"),
    )
    sent = HttpRequest("GET", "/bucket/key", (("attributes", ""),), "", headers, b"")
    read = params.parse("GetObjectAttributes", sent, Address("bucket", "key"))
    assert read["ObjectAttributes"] == ["ETag", "ObjectSize", "Checksum"]
    twice = (("Content-Length", "0"), ("x-amz-meta-a", "1"), ("X-Amz-Meta-A", "2"))
    sent = HttpRequest("PUT", "/bucket/key", (), "", twice, b"")
    assert params.parse("PutObject", sent, Address("bucket", "key"))["Metadata"] == {"a": "1,2"}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("DeleteObjects", b"<Delete><Object><Key>a</Key></Object></Delete>"),
        ("PutBucketCors", b"<CORSConfiguration></CORSConfiguration>"),
        ("PutBucketLifecycleConfiguration", b"<LifecycleConfiguration></LifecycleConfiguration>"),
        ("PutBucketTagging", b"<Tagging></Tagging>"),
    ],
)
def test_a_digest_is_needed(operation: str, body: bytes) -> None:
    """S3 API Reference: the Content-MD5 header or a checksum is required."""
    for header in ("Content-MD5", "x-amz-checksum-crc32", "x-amz-trailer"):
        sent = HttpRequest("PUT", "/bucket", (), "", ((header, "any"),), body)
        assert params.parse(operation, sent, Address("bucket", ""))
    with pytest.raises(ApiFault, match="request: Content-MD5") as refused:
        params.parse(operation, replace(sent, headers=()), Address("bucket", ""))
    assert refused.value.code == "InvalidRequest"


@pytest.mark.parametrize(
    ("operation", "most"), [("PutBucketCors", 64 * 1024), ("PutBucketWebsite", 128 * 1024)]
)
def test_a_setting_has_a_longest_document(operation: str, most: int) -> None:
    """S3 API Reference, "PutBucketCors" and "PutBucketWebsite"; S3's error for what is longer."""
    sent = HttpRequest("PUT", "/bucket", (), "", (("Content-MD5", "any"),), b"<a/>".ljust(most))
    assert params.parse(operation, sent, Address("bucket", ""))
    with pytest.raises(ApiFault, match="Your request was too big") as refused:
        params.parse(operation, replace(sent, body=sent.body + b" "), Address("bucket", ""))
    assert refused.value.code == "MaxMessageLengthExceeded"
    assert refused.value.extra["MaxMessageLengthBytes"] == most


def test_a_checksum_that_is_not_computed_is_refused_with_the_header_that_asks_for_it() -> None:
    named = (("x-amz-sdk-checksum-algorithm", "XXHASH64"),)
    answer = Alone().handle(HttpRequest("PUT", "/bucket", (("acl", ""),), "acl", named, b""))
    assert (answer.status, answer.body.count(b"<Header>x-amz-sdk-checksum-")) == (501, 1)
