"""The examples that AWS prints, with the signatures that AWS prints.

"Examples: Signature Calculations in AWS Signature Version 4", "Signature Calculations for the
Authorization Header: Transferring Payload in Multiple Chunks" (also "Including Trailing
Headers"), "Authenticating Requests: Using Query Parameters" (S3 API Reference), and "Signing
and authenticating REST requests" (S3 User Guide).
"""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.sandbox.signing.signed import SECRET, authenticator, read, records, signed

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.signing.signature import Authenticator

KEY = "AKIAIOSFODNN7EXAMPLE"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
V4_NOW = datetime(2013, 5, 24, tzinfo=UTC)


def _at(now: datetime) -> Authenticator:
    return Authenticator(records(now).get, lambda: now, lambda: now)


def _authorization(names: str, signature: str) -> str:
    return (
        f"Authorization: AWS4-HMAC-SHA256 Credential={KEY}/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={names},Signature={signature}\r\n"
    )


def _sent(
    first: str, headers: str, body: bytes = b"", host: str = "examplebucket.s3.amazonaws.com"
) -> bytes:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{first} HTTP/1.1\r\nHost: {host}\r\n{headers}{length}\r\n".encode("latin-1") + body


BASIC = "host;x-amz-content-sha256;x-amz-date"
STAMPED = f"x-amz-content-sha256: {EMPTY}\r\nx-amz-date: 20130524T000000Z\r\n"
HELLO = b"Welcome to Amazon S3."
HEADER_EXAMPLES = {
    "GET Object": _sent(
        "GET /test.txt",
        _authorization(
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        )
        + "Range: bytes=0-9\r\n"
        + STAMPED,
    ),
    "PUT Object": _sent(
        "PUT /test%24file.text",
        "Date: Fri, 24 May 2013 00:00:00 GMT\r\n"
        + _authorization(
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        )
        + "x-amz-date: 20130524T000000Z\r\nx-amz-storage-class: REDUCED_REDUNDANCY\r\n"
        "x-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\r\n",
        HELLO,
    ),
    "GET Bucket Lifecycle": _sent(
        "GET /?lifecycle",
        _authorization(BASIC, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
        + STAMPED,
    ),
    "GET Bucket (List Objects)": _sent(
        "GET /?max-keys=2&prefix=J",
        _authorization(BASIC, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
        + STAMPED,
    ),
    "a presigned GET Object": _sent(
        f"GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={KEY}%2F20130524"
        "%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
        "&X-Amz-SignedHeaders=host&X-Amz-Signature="
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
        "",
    ),
}


@pytest.mark.parametrize("name", HEADER_EXAMPLES)
def test_version_4(name):
    found = _at(V4_NOW).authenticate(read(HEADER_EXAMPLES[name]))
    assert found.caller.access_key_id == KEY
    assert found.request.body in (b"", HELLO)


CONTENT = b"a" * 66560
CHUNKED = (
    "x-amz-date: 20130524T000000Z\r\nx-amz-storage-class: REDUCED_REDUNDANCY\r\n"
    "Content-Encoding: aws-chunked\r\nx-amz-decoded-content-length: 66560\r\n"
)


def _chunks(signatures: list[str]) -> bytes:
    pieces = (CONTENT[:65536], CONTENT[65536:], b"")
    lines = [
        f"{len(piece):x};chunk-signature={signature}\r\n".encode() + piece + b"\r\n"
        for piece, signature in zip(pieces, signatures, strict=True)
    ]
    return b"".join(lines)


def _chunked() -> bytes:
    body = _chunks(
        [
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ]
    )
    headers = CHUNKED + "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\n"
    names = (
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
        "x-amz-decoded-content-length;x-amz-storage-class"
    )
    signature = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    return _sent(
        "PUT /examplebucket/chunkObject.txt",
        headers + _authorization(names, signature),
        body,
        "s3.amazonaws.com",
    )


def _with_trailer() -> bytes:
    chunks = _chunks(
        [
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        ]
    )
    body = (
        chunks.removesuffix(b"\r\n")
        + b"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:"
        + b"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    )
    headers = (
        CHUNKED
        + "x-amz-trailer: x-amz-checksum-crc32c\r\n"
        + "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER\r\n"
    )
    names = (
        "content-encoding;host;x-amz-content-sha256;x-amz-date;"
        "x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer"
    )
    signature = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    return _sent(
        "PUT /examplebucket/chunkObject.txt",
        headers + _authorization(names, signature),
        body,
        "s3.amazonaws.com",
    )


def test_chunks():
    found = _at(V4_NOW).authenticate(read(_chunked())).request
    assert found.body == CONTENT
    assert found.header("content-length") == "66560"
    for gone in ("content-encoding", "x-amz-decoded-content-length", "x-amz-content-sha256"):
        assert not found.has_header(gone)


def test_chunks_with_a_trailer():
    found = _at(V4_NOW).authenticate(read(_with_trailer())).request
    assert found.body == CONTENT
    assert found.header("x-amz-checksum-crc32c") == "sOO8/Q=="
    assert not found.has_header("x-amz-trailer")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"chunk-signature=005562", b"chunk-signature=005563", "SignatureDoesNotMatch"),
        (b"chunk-signature=b6c6ea", b"chunk-signature=b6c6eb", "SignatureDoesNotMatch"),
        (b"aaaa\r\n400;", b"aaab\r\n400;", "SignatureDoesNotMatch"),
        (b"\r\n400;chunk", b"\r\n4000;chunk", "SignatureDoesNotMatch"),
        # Extensions: openstack/swift, test/s3api/test_input_errors.py, a public suite run on S3.
        (b"\r\n400;chunk", b"\r\n400;extra=param;chunk", "SignatureDoesNotMatch"),
        (b"\r\n400;chunk-signature=0055627c", b"\r\n400;x=0055627c", "IncompleteBody"),
        (b"\r\n\r\n", b"\r\n\r\nmore", "IncompleteBody"),
        (b"aaaa\r\n400;", b"aaaaXX400;", "IncompleteBody"),
    ],
)
def test_broken_chunks(old, new, code):
    request = read(_chunked())
    broken = new.join(request.body.rsplit(old, 1))
    assert broken != request.body
    with pytest.raises(ApiFault) as caught:
        _at(V4_NOW).authenticate(replace(request, body=broken))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("body", "code", "extra"),
    [
        # "Only the last chunk ...": S3's answers in aws/aws-sdk-js-v3#6859, versity/versitygw#1665.
        (b"5\r\nhello\r\n1\r\n!", "InvalidChunkSizeError", {"Chunk": 2, "BadChunkSize": 5}),
        # S3's answer in versity/versitygw#1684.
        (
            b"5\r\nhello",
            "IncompleteBody",
            {"NumberBytesExpected": "6", "NumberBytesProvided": 5},
        ),
    ],
)
def test_unsigned_chunks_of_the_wrong_size(body, code, extra):
    headers = {"x-amz-decoded-content-length": "6", "x-amz-trailer": ""}
    sent = body + b"\r\n0\r\n\r\n"
    request = signed("s3-header", method="PUT", path="/b/k", body=sent, headers=headers)
    with pytest.raises(ApiFault) as caught:
        authenticator().authenticate(request)
    assert (caught.value.code, caught.value.extra) == (code, extra)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"sOO8/Q==", b"sOO8/A==", "SignatureDoesNotMatch"),
        (b"d81f82", b"d81f83", "SignatureDoesNotMatch"),
        (b"x-amz-checksum-crc32c:", b"x-amz-checksum-crc32:", "SignatureDoesNotMatch"),
        (b"x-amz-checksum-crc32c:sOO8/Q==\r\n", b"", "SignatureDoesNotMatch"),
        # S3's answer without a signature: openstack/swift, test/s3api/test_input_errors.py.
        (b"\r\nx-amz-trailer-signature:", b"\r\nx-amz-trailer-signatur:", "IncompleteBody"),
        (
            b"sOO8/Q==\r\n",
            b"sOO8/Q==\r\nx-amz-checksum-crc32c:sOO8/Q==\r\n",
            "SignatureDoesNotMatch",
        ),
        (b"x-amz-checksum-crc32c:", b"x amz:", "MalformedTrailerError"),
    ],
)
def test_broken_trailers(old, new, code):
    request = read(_with_trailer())
    broken = new.join(request.body.rsplit(old, 1))
    assert broken != request.body
    with pytest.raises(ApiFault) as caught:
        _at(V4_NOW).authenticate(replace(request, body=broken))
    assert caught.value.code == code


_CHUNK = b"5\r\nhello\r\n0\r\n"
_CRC = b"x-amz-checksum-crc32: NhCmhg==\r\n"
_WRONG_CRC = b"x-amz-checksum-crc32: AAAAAA==\r\n"


@pytest.mark.parametrize(
    ("end", "trailers"),
    [
        (b"", ""),
        (b"\r\n", ""),
        (_CRC, "x-amz-checksum-crc32"),
        (_CRC, "x-amz-checksum-crc32,,"),
        (_CRC + b"\r\nbonus: trailer\r\n", "x-amz-checksum-crc32"),
        (_CRC + b"\r\n\xff\xde\xad", "x-amz-checksum-crc32"),
        (_WRONG_CRC + _CRC, "x-amz-checksum-crc32"),
    ],
)
def test_unsigned_chunks(end, trailers):
    """S3 takes them: openstack/swift, test/s3api/test_input_errors.py, which runs on S3."""
    headers = {"Content-Encoding": "foo, aws-chunked, bar", "x-amz-decoded-content-length": "5"}
    headers["x-amz-trailer"] = trailers
    body = _CHUNK + end
    request = signed("s3-header", method="PUT", path="/b/k", body=body, headers=headers)
    found = authenticator().authenticate(request).request
    assert found.body == b"hello"
    assert found.header("content-encoding") == "foo, bar"
    assert found.header("x-amz-checksum-crc32") == ("NhCmhg==" if trailers else "")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("gzip", "gzip"),
        ("aws-chunked", ""),
        ("aws-chunked,gzip", "gzip"),
        ("aws-chunked, gzip", "gzip"),
        ("gzip, aws-chunked", "gzip"),
        ("gzip,aws-chunked,br", "gzip,br"),
        ("gzip, aws-chunked, br", "gzip, br"),
    ],
)
def test_the_encoding_of_chunks_is_not_the_content_s(sent: str, kept: str) -> None:
    """justincormack/argmin, test_signed_chunked_put_strips_aws_chunked_content_encoding_variants."""
    headers = {"Content-Encoding": sent, "x-amz-decoded-content-length": "5", "x-amz-trailer": ""}
    request = signed("s3-header", method="PUT", path="/b/k", body=_CHUNK, headers=headers)
    assert authenticator().authenticate(request).request.header("content-encoding") == kept


@pytest.mark.parametrize("encoding", ["xaws-chunked", "gzip, aws-chunked-x"])
def test_an_encoding_is_that_of_chunks_by_its_whole_name(encoding: str) -> None:
    headers = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD", "Content-Encoding": encoding}
    request = signed("s3-presigned", method="PUT", path="/b/k", headers=headers)
    assert authenticator().authenticate(request).request.header("content-encoding") == encoding


def test_unsigned_chunks_of_nobody():
    """S3's answer: versity/versitygw's suite, PublicBucket_signed_streaming_payload."""
    mode = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    body = _CHUNK + _CRC
    sent = (
        f"PUT /b/k HTTP/1.1\r\nHost: 127.0.0.1:4566\r\nx-amz-content-sha256: {mode}\r\n"
        "x-amz-decoded-content-length: 5\r\nx-amz-trailer: x-amz-checksum-crc32\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    found = authenticator().authenticate(read(sent.encode() + body))
    assert (found.caller.kind, found.request.body) == ("Anonymous", b"hello")
    signed_mode = sent.replace(mode, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    with pytest.raises(
        ApiFault, match="Please use UNSIGNED-PAYLOAD or STREAMING-UNSIGNED"
    ) as caught:
        authenticator().authenticate(read(signed_mode.encode() + body))
    assert (caught.value.code, caught.value.status) == ("InvalidRequest", 400)


def test_signed_chunks_with_blanks():
    """S3 takes them: openstack/swift, test/s3api/test_input_errors.py, which runs on S3."""
    request = read(_chunked())
    body = request.body.replace(b";chunk-signature=", b" ; chunk-signature = ")
    assert _at(V4_NOW).authenticate(replace(request, body=body)).request.body == CONTENT


@pytest.mark.parametrize(
    ("made", "old", "new", "first"),
    [
        (_chunked, b"=0055", b"=0056", "AWS4-HMAC-SHA256-PAYLOAD"),
        (_chunked, b"=ad80c730", b"=invalid", "AWS4-HMAC-SHA256-PAYLOAD"),
        (_with_trailer, b"d81f82", b"d81f83", "AWS4-HMAC-SHA256-TRAILER"),
    ],
)
def test_a_chunk_that_is_refused_shows_what_was_to_sign(made, old, new, first):
    """S3's answers: openstack/swift, test/s3api/test_input_errors.py, which runs on S3."""
    request = read(made())
    with pytest.raises(ApiFault) as caught:
        _at(V4_NOW).authenticate(replace(request, body=request.body.replace(old, new)))
    assert caught.value.code == "SignatureDoesNotMatch"
    shown = caught.value.extra
    assert str(shown["StringToSign"]).startswith(
        f"{first}\n20130524T000000Z\n20130524/us-east-1/s3/"
    )
    assert str(shown["CanonicalRequest"]).startswith("PUT\n/examplebucket/chunkObject.txt\n")
    assert shown["AWSAccessKeyId"] == KEY
    assert new.strip(b"=").decode() in str(shown["SignatureProvided"])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("how", ["s3-header", "s3-presigned", "s3-v2-header", "s3-v2-presigned"])
def test_a_read_has_no_content_to_verify(how, method):
    """S3 takes it: openstack/swift, test/s3api/test_input_errors.py, which runs on S3."""
    wrong = {"Content-MD5": "XUFAKrxLKna5cZ2REBfFkg=="}
    request = signed(how, method=method, path="/b/k", headers=wrong)
    assert authenticator().authenticate(request).caller.kind == "IAMUser"


V2_EXAMPLES = {
    "object GET": (
        "GET /photos/puppy.jpg",
        "Date: Tue, 27 Mar 2007 19:36:42 +0000\r\n",
        "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
        datetime(2007, 3, 27, 19, 36, 42, tzinfo=UTC),
    ),
    "object PUT": (
        "PUT /photos/puppy.jpg",
        "Content-Type: image/jpeg\r\nDate: Tue, 27 Mar 2007 21:15:45 +0000\r\n",
        "iqRzw+ileNPu1fhspnRs8nOjjIA=",
        datetime(2007, 3, 27, 21, 15, 45, tzinfo=UTC),
    ),
    "list": (
        "GET /?prefix=photos&max-keys=50&marker=puppy",
        "User-Agent: Mozilla/5.0\r\nDate: Tue, 27 Mar 2007 19:42:41 +0000\r\n",
        "m0WP8eCtspQl5Ahe6L1SozdX9YA=",
        datetime(2007, 3, 27, 19, 42, 41, tzinfo=UTC),
    ),
    "fetch": (
        "GET /?acl",
        "Date: Tue, 27 Mar 2007 19:44:46 +0000\r\n",
        "82ZHiFIjc+WbcwFKGUVEQspPn+0=",
        datetime(2007, 3, 27, 19, 44, 46, tzinfo=UTC),
    ),
    "fetch, as AWS's SDK for Ruby sends it": (
        "GET /?acl=",
        "Date: Tue, 27 Mar 2007 19:44:46 +0000\r\n",
        "82ZHiFIjc+WbcwFKGUVEQspPn+0=",
        datetime(2007, 3, 27, 19, 44, 46, tzinfo=UTC),
    ),
}


@pytest.mark.parametrize("name", V2_EXAMPLES)
@pytest.mark.parametrize(
    "endpoint",
    ["", "s3.", "s3.us-west-1.", "s3-us-west-1.", "s3.dualstack.us-west-1.", "S3.US-West-1."],
)
def test_version_2(name, endpoint):
    """Virtual hosting of buckets; Using Amazon S3 dual-stack endpoints (S3 User Guide)."""
    first, headers, signature, now = V2_EXAMPLES[name]
    sent = _sent(
        first,
        f"{headers}Authorization: AWS {KEY}:{signature}\r\n",
        host=f"awsexamplebucket1.{endpoint}localhost:4566",
    )
    assert _at(now).authenticate(read(sent)).version == "AWS"


def test_the_secret_of_the_examples():
    assert SECRET == "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
