"""S3 answers random requests with a result or an error of S3, never with an internal error."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sandbox.s3.alone import Alone

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import HttpRequest

_VERSION = "v" * 32
_text = st.text(st.characters(blacklist_categories=["Cs"]), max_size=8)
_odd = st.one_of(
    _text,
    st.sampled_from(
        ["", "0", "1", "-1", "99999999999999999999", "null", "*", "bkt/a", "bkt/b?versionId=null", "bytes=0-5",
         "bytes=9-1", "bytes=-0", "bytes=1-", '"abc"', "true", "a=b&c=d", "a=b&a=c", "url", "/", "a", "AES256",
         "aws:kms", "private", "public-read", "COPY", "REPLACE", "ENABLED", "CRC32", "SHA256", "CRC64NVME", "XXHASH3",
         "FULL_OBJECT", "COMPOSITE", 'id="x"', 'uri="http://acs.amazonaws.com/groups/global/AllUsers"', "GLACIER",
         "STANDARD_IA", "ETag,ObjectParts", "ETag,x", "Wed, 21 Oct 2015 07:28:00 GMT", "2015-10-21", "9", _VERSION]
    ),
)  # fmt: skip
_mostly = st.integers(0, 3)
_key = st.sampled_from(["a", "b", "dir/c", "none", "ünï", "a b"])
_body = st.one_of(st.just(b""), st.binary(max_size=20), st.just(b"{}"), st.just(b"<a/>"))


def shapes(shape: Any, depth: int = 0) -> st.SearchStrategy[str]:
    """XML elements of the model, with valid and invalid content."""
    if shape.type_name == "structure" and depth < 5:
        members = [
            st.one_of(st.just(""), _named(member, member.serialization.get("name", name), depth))
            for name, member in shape.members.items()
        ]
        return st.tuples(*members).map("".join)
    if shape.type_name == "string" and shape.enum:
        return st.sampled_from([*shape.enum, "x"])
    if shape.type_name in ("integer", "long"):
        return st.sampled_from(["1", "2", "-1", "x", "99999999999999999999", ""])
    return st.sampled_from(["", "a", "true", "null", "2030-01-01T00:00:00Z", "x" * 300])


def _named(shape: Any, name: str, depth: int) -> st.SearchStrategy[str]:
    if shape.type_name != "list":
        return shapes(shape, depth + 1).map(lambda inner: f"<{name}>{inner}</{name}>")
    flat = shape.serialization.get("flattened")
    inner_name = name if flat else shape.member.serialization.get("name", "member")
    items = st.lists(
        shapes(shape.member, depth + 1).map(lambda one: f"<{inner_name}>{one}</{inner_name}>"),
        max_size=3,
    ).map("".join)
    return items if flat else items.map(lambda inner: f"<{name}>{inner}</{name}>")


@st.composite
def requests(draw: st.DrawFn, name: str, known: Mapping[str, list[str]]) -> HttpRequest:
    """A request for this operation with random arguments, headers and body.

    ``known`` has valid values for parameters.
    """
    model = operations.operation("s3", name)
    shape: Any = model.input_shape
    query, headers = [*operations.uri(model)[1].items()], [("Host", "127.0.0.1:4566")]
    for member_name, member in shape.members.items() if shape else ():
        place, wire_name = member.serialization.get("location"), member.serialization.get("name")
        needed = member_name in shape.required_members
        if place in ("querystring", "header") and (needed or draw(st.integers(0, 7)) == 0):
            value = draw(st.sampled_from(known.get(member_name, ["1"])) if draw(_mostly) else _odd)
            if place == "querystring":
                query.append((wire_name, value))
            else:
                headers.append((wire_name, value.encode().decode("latin-1")))
    if draw(st.booleans()):
        headers.append(("x-amz-meta-a", draw(_text).encode().decode("latin-1")))
    body = draw(_body)
    payload = shape.members.get(shape.serialization.get("payload", "")) if shape else None
    if payload is not None and payload.type_name == "structure" and draw(st.integers(0, 3)):
        root = payload.serialization["name"]
        body = f"<{root}>{draw(shapes(payload))}</{root}>".encode()
    path = operations.uri(model)[0].replace("{Bucket}", "bkt")
    path = path.replace("{Key+}", quote(draw(_key)))
    raw = urlencode(query, quote_via=quote)
    if draw(_mostly):
        headers.append(("Content-Length", str(len(body))))
    return HttpRequest(model.http["method"], path, tuple(query), raw, tuple(headers), body)


class Furnished(Alone):
    """S3 with a bucket that has versions, objects in all states, and an unfinished upload."""

    def __init__(self) -> None:
        super().__init__()
        s3 = self.client
        s3.create_bucket(Bucket="bkt")
        s3.put_object(Bucket="bkt", Key="b", Body=b"unversioned")
        s3.put_bucket_versioning(Bucket="bkt", VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket="bkt", Key="a", Body=b"content", Tagging="a=b", Metadata={"m": "n"})
        s3.put_object(Bucket="bkt", Key="dir/c", Body=b"", StorageClass="GLACIER")
        s3.delete_object(Bucket="bkt", Key="b")
        s3.delete_public_access_block(Bucket="bkt")
        s3.put_bucket_ownership_controls(
            Bucket="bkt", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
        )
        upload = s3.create_multipart_upload(Bucket="bkt", Key="a", ChecksumAlgorithm="CRC32")
        upload_id = upload["UploadId"]
        for number in (1, 2):
            s3.upload_part(
                Bucket="bkt", Key="a", UploadId=upload_id, PartNumber=number, Body=b"part"
            )
        listed = s3.list_object_versions(Bucket="bkt")
        versions = [*listed["Versions"], *listed["DeleteMarkers"]]
        ids = [one["VersionId"] for one in versions]
        self.known = {
            "CopySource": ["bkt/a", "bkt/b?versionId=null", "bkt/none", "/bkt/dir/c", "none/a"],
            "UploadId": [upload_id],
            "VersionId": ids,
            "VersionIdMarker": ids,
            "KeyMarker": ["a", "b", "dir/"],
            "Delimiter": ["/", "a"],
            "Prefix": ["", "dir", "a"],
            "PartNumber": ["1", "2", "3"],
            "ObjectAttributes": ["ETag,ObjectParts,Checksum,ObjectSize,StorageClass"],
            "Range": ["bytes=0-1", "bytes=2-", "bytes=-1"],
            "MetadataDirective": ["COPY", "REPLACE"],
            "TaggingDirective": ["COPY", "REPLACE"],
            "Tagging": ["a=b"],
            "StorageClass": ["STANDARD_IA"],
            "ServerSideEncryption": ["AES256", "aws:kms"],
            "ACL": ["private", "public-read"],
            "ChecksumAlgorithm": ["CRC32", "SHA256", "CRC64NVME"],
        }
        self.furnished = self.state.snapshot


@pytest.fixture(scope="module")
def s3() -> Furnished:
    return Furnished()


_SERVICE = Alone().service
_NAMES = sorted(operations.names("s3") & {*_SERVICE.reads, *_SERVICE.writes})


@pytest.mark.parametrize("name", [name for name in _NAMES if name != "DeleteObjects"])
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_random_request_is_answered(s3: Furnished, name: str, data: st.DataObject) -> None:
    request = data.draw(requests(name, s3.known))
    with s3.state.transaction() as tx:
        for difference in tx.snapshot.differences(s3.furnished):
            if difference.after is not None:
                tx.put(difference.after)
            elif difference.before is not None:
                tx.delete(difference.before)
    response = s3.handle(request)
    assert response.status in {200, 204, 206, 304, 400, 403, 404, 405, 409, 411, 412, 416, 501}
    if response.body and ("Content-Type", "application/xml") in response.headers:
        ET.fromstring(response.body)  # noqa: S314 - the sandbox's own answer


def test_a_part_without_a_number_is_refused(s3: Furnished) -> None:
    query = ("uploadId", s3.known["UploadId"][0]), ("partNumber", "")
    checksum = ("x-amz-checksum-crc32", "AAAAAA==")
    headers = ("Host", "127.0.0.1:4566"), ("Content-Length", "0"), checksum
    response = s3.handle(HttpRequest("PUT", "/bkt/a", query, urlencode(query), headers, b""))
    assert response.status == 400
    assert b"Part number must be an integer between 1 and 10000" in response.body


def test_events_that_are_named_very_often_are_compared_once(s3: Furnished) -> None:
    events = ["s3:ObjectCreated:Put", "s3:ObjectCreated:Post"] * 1000
    filters = ({"Key": {"FilterRules": [{"Name": "prefix", "Value": one}]}} for one in "ab")
    arn = "arn:aws:lambda:us-east-1:111122223333:function:f"
    rows = [{"LambdaFunctionArn": arn, "Events": events, "Filter": one} for one in filters]
    begun = time.process_time()
    s3.client.put_bucket_notification_configuration(
        Bucket="bkt", NotificationConfiguration={"LambdaFunctionConfigurations": rows}
    )
    assert time.process_time() - begun < 2
