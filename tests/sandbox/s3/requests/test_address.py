"""What S3 answers to requests for which it has no operation, and no SDK sends."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from stslab.sandbox.api.http import parse_query
from stslab.sandbox.api.model import ApiFault, HttpRequest
from stslab.sandbox.s3.requests.address import Address, address, operation
from stslab.sandbox.signing.signature import addressed_service

FORM = "multipart/form-data; boundary=b"


@pytest.mark.parametrize(
    ("content_type", "code", "status", "tells"),
    [
        (FORM, "NotImplemented", 501, {}),
        (FORM.title(), "NotImplemented", 501, {}),
        (
            "application/xml",
            "PreconditionFailed",
            412,
            {"Condition": "Bucket POST must be of the enclosure-type multipart/form-data"},
        ),
    ],
)
def test_a_post_to_a_bucket_is_a_form(
    content_type: str, code: str, status: int, tells: Mapping[str, str]
) -> None:
    """S3's answers as measured on September 23, 2026 (brekkylab/backlot, routers/s3.py)."""
    sent = HttpRequest("POST", "/bucket", (), "", (("Content-Type", content_type),), b"")
    with pytest.raises(ApiFault) as refused:
        operation(sent, Address("bucket"))
    assert (refused.value.code, refused.value.status, refused.value.extra) == (code, status, tells)


def test_a_form_that_deletes_is_no_upload() -> None:
    sent = HttpRequest(
        "POST", "/bucket", (("delete", ""),), "delete", (("Content-Type", FORM),), b""
    )
    assert operation(sent, Address("bucket")) == "DeleteObjects"


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("bucket.localhost:4566", "bucket"),
        ("bucket.s3.localhost:4566", "bucket"),
        ("my.bucket.s3.us-west-2.localhost", "my.bucket"),
        ("my.bucket.s3-us-west-2.localhost", "my.bucket"),
        ("s3-logs.s3.dualstack.us-west-2.localhost", "s3-logs"),
        ("Bucket.localhost", "bucket"),
        ("s3-logs.localhost", "s3-logs"),
        ("localhost", ""),
        ("s3.localhost", ""),
        ("s3.us-west-2.localhost", ""),
        ("s3.dualstack.us-west-2.localhost", ""),
        ("127.0.0.1:4566", ""),
    ],
)
def test_the_host_names_a_bucket(host: str, bucket: str) -> None:
    """Virtual hosting of buckets; Using Amazon S3 dual-stack endpoints (S3 User Guide)."""
    form = (("Host", host), ("Content-Type", "application/x-www-form-urlencoded"))
    sent = HttpRequest("POST", "/", (("delete", ""),), "delete", form, b"")
    assert address(sent) == Address(bucket)
    # What is sent to a bucket is for S3, whatever its body is said to be.
    assert addressed_service(sent) == ("s3" if bucket else "sts")


@pytest.mark.parametrize("path", ["/bucket/%ff", "/bucket/B%e9la", "/%ff/key"])
def test_a_path_is_utf_8(path: str) -> None:
    """Error responses (InvalidURI); AWS's answer for a file's name in Latin-1 (larrabee/s3sync#45)."""
    with pytest.raises(ApiFault, match="Couldn't parse the specified URI") as refused:
        address(HttpRequest("PUT", path, (), "", (("Host", "s3.localhost"),), b""))
    assert (refused.value.code, refused.value.status) == ("InvalidURI", 400)


@pytest.mark.parametrize("where", [Address(), Address("bucket"), Address("bucket", "key")])
@pytest.mark.parametrize("method", ["TRACE", "LINK", "PROPFIND"])
def test_an_unknown_method_makes_no_request(method: str, where: Address) -> None:
    """S3's answers as measured in September 2026 (brekkylab/backlot, backlot/errors/s3.py)."""
    http = HttpRequest(method, f"/{where.bucket}/{where.key}", (), "", (), b"")
    with pytest.raises(ApiFault, match="An error occurred when parsing the HTTP") as refused:
        operation(http, where)
    assert (refused.value.code, refused.value.status) == ("BadRequest", 400)


@pytest.mark.parametrize("method", ["DELETE", "HEAD", "PATCH", "POST", "PUT"])
@pytest.mark.parametrize("query", ["", "acl=", "delete=", "versioning=", "website=x"])
def test_the_service_has_one_method(method: str, query: str) -> None:
    """S3's answers as measured on September 23, 2026 (brekkylab/backlot, routers/s3.py)."""
    http = HttpRequest(method, "/", parse_query(query), query, (), b"")
    with pytest.raises(ApiFault, match="not allowed against this resource") as refused:
        operation(http, Address())
    assert refused.value.extra == {"Method": method, "ResourceType": "SERVICE"}
    assert (refused.value.status, refused.value.headers) == (405, (("Allow", "GET"),))


def test_a_bucket_has_five_methods() -> None:
    """S3's answers as measured on September 23, 2026 (brekkylab/backlot, routers/s3.py)."""
    with pytest.raises(ApiFault, match="not allowed against this resource") as refused:
        operation(HttpRequest("PATCH", "/bucket", (), "", (), b""), Address("bucket"))
    assert refused.value.headers == (("Allow", "HEAD, DELETE, POST, GET, PUT"),)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_only_buckets_have_logs(method: str) -> None:
    """S3 API Reference, "Error responses": the list of error codes."""
    http = HttpRequest(method, "/bucket/key", (("logging", ""),), "logging", (), b"")
    with pytest.raises(ApiFault, match="There is no such thing") as refused:
        operation(http, Address("bucket", "key"))
    assert (refused.value.code, refused.value.status) == ("NoLoggingStatusForKey", 400)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_only_keys_have_uploads(method: str) -> None:
    """S3's answers as measured on September 29, 2026 (brekkylab/backlot, routers/s3.py)."""
    sent = HttpRequest(method, "/bucket", (("uploadId", "x"),), "uploadId=x", (), b"")
    with pytest.raises(ApiFault, match="A key must be specified") as refused:
        operation(sent, Address("bucket"))
    assert (refused.value.code, refused.value.status) == ("InvalidRequest", 400)


@pytest.mark.parametrize(("method", "argument"), [("PUT", "acl"), ("POST", "restore")])
def test_a_bucket_is_looked_for_before_a_version(method: str, argument: str) -> None:
    query = ((argument, ""), ("versionId", "x"))
    sent = HttpRequest(method, "/bucket", query, f"{argument}&versionId=x", (), b"")
    for there, code in ((True, "InvalidArgument"), (False, "NoSuchBucket")):
        with pytest.raises(ApiFault, match=code):
            operation(sent, Address("bucket"), {"bucket": there}.get)
