"""Requests that botocore signed are accepted, and come through unchanged."""

import hashlib
from dataclasses import replace
from urllib.parse import quote

import pytest
from botocore.auth import HmacV1Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.sandbox.signing.signed import (
    HOST,
    REGION,
    SECRET,
    SIGNERS,
    TOKEN,
    authenticator,
    over_the_wire,
    signed,
    with_header,
    with_target,
)

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.signing.v2 import sub_resources

PATHS = [
    "/",
    "/bucket",
    "/bucket/key",
    "/bucket/a%20b/%C3%BC%2B%252F%28x%29~",
    "/bucket//double//slash/",
    "/bucket/./dots/../kept",
    "/bucket/key?versionId=abc",
    "/bucket?acl",
    "/bucket?list-type=2&prefix=a%2Fb%20c&delimiter=%2F",
    "/bucket/key?uploadId=x%2Fy&partNumber=2",
    "/bucket/key?response-content-type=text%2Fplain%3B%20charset%3Dutf-8",
]


@pytest.mark.parametrize("token", [None, TOKEN], ids=["long-term", "session"])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("how", [how for how in SIGNERS if how.startswith("s3")])
def test_s3(how, path, token):
    key = "ASIASESSION7EXAMPLE" if token else "AKIAIOSFODNN7EXAMPLE"
    found = authenticator().authenticate(signed(how, path=path, key=key, token=token))
    assert found.caller.access_key_id == key
    assert (found.service, found.region) == ("s3", "" if "v2" in how else "us-east-1")
    assert found.request.path == path.partition("?")[0]
    assert found.auth_type == ("REST-QUERY-STRING" if "presigned" in how else "REST-HEADER")
    assert found.version == ("AWS" if "v2" in how else "AWS4-HMAC-SHA256")


@pytest.mark.parametrize("path", ["/", "//", "///", "/./", "/a/..", "//a//", "/a/../b/"])
@pytest.mark.parametrize("service", ["sts", "iam", "cloudformation"])
@pytest.mark.parametrize("token", [None, TOKEN], ids=["long-term", "session"])
def test_query_services(service, token, path):
    """The path that is signed is normalised: "Create a signed AWS API request"."""
    key = "ASIASESSION7EXAMPLE" if token else "AKIAIOSFODNN7EXAMPLE"
    form = b"Action=ListUsers&Version=2010-05-08&PathPrefix=%2Fa%20b%2B"
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    request = signed(
        "query-header",
        method="POST",
        path=path,
        body=form,
        headers=headers,
        service=service,
        key=key,
        token=token,
    )
    found = authenticator().authenticate(request)
    assert (found.service, found.caller.access_key_id) == (service, key)
    assert found.request.body == form


def test_the_header_of_the_date_need_not_be_signed_since_the_date_is():
    """So GDAL assumes roles (``SignedHeaders=host``)."""
    request = AWSRequest("GET", f"http://{HOST}/?Action=GetCallerIdentity&Version=2011-06-15")
    signer = SigV4Auth(Credentials("AKIAIOSFODNN7EXAMPLE", SECRET), "sts", REGION)
    signer.headers_to_sign = lambda _: HTTPHeaders.from_dict({"host": HOST})
    signer.add_auth(request)
    sent = over_the_wire(request)
    assert "SignedHeaders=host, " in sent.header("authorization")
    assert authenticator().authenticate(sent).caller.access_key_id == "AKIAIOSFODNN7EXAMPLE"
    last = sent.header("x-amz-date")
    another = with_header(sent, "X-Amz-Date", last[:-2] + ("1Z" if last[-2] == "0" else "0Z"))
    with pytest.raises(ApiFault) as refused:
        authenticator().authenticate(another)
    assert refused.value.code == "SignatureDoesNotMatch"


def test_a_presigned_query_request_is_one_without_its_signature():
    request = signed("query-presigned", path="/?Action=GetCallerIdentity&Version=2011-06-15")
    found = authenticator().authenticate(request)
    assert found.request.query == (("Action", "GetCallerIdentity"), ("Version", "2011-06-15"))


@pytest.mark.parametrize("how", ["s3-header", "s3-v2-header"])
def test_credentials_do_not_come_through(how):
    request = signed(how, path="/b/k", key="ASIASESSION7EXAMPLE", token=TOKEN)
    found = authenticator().authenticate(request)
    assert TOKEN in str(request.headers)
    assert TOKEN not in str(found.request.headers)
    assert TOKEN not in repr(request)
    assert not found.request.has_header("Authorization")


@pytest.mark.parametrize("how", ["s3-presigned", "s3-v2-presigned"])
def test_presigned_headers_are_headers(how):
    headers = {"x-amz-storage-class": "STANDARD_IA", "x-amz-meta-colour": "deep blue"}
    request = signed(how, method="PUT", path="/b/k", headers=headers).without(headers.keys())
    if how == "s3-presigned":
        # botocore signs these as headers; the JavaScript SDK (v3) puts them into the query.
        query = "x-amz-storage-class=STANDARD_IA&x-amz-meta-colour=deep%20blue"
        request = signed(how, method="PUT", path=f"/b/k?{query}")
    found = authenticator().authenticate(request)
    read = {name: found.request.header(name).encode("latin-1").decode() for name in headers}
    assert read == headers
    assert found.request.query == ()


@pytest.mark.parametrize("sent", [True, False])
def test_a_signed_header_may_be_in_the_url_only(sent):
    """The JavaScript SDK (v2) signs the header, and puts it into the query too.

    S3's answers from public threads: aws/aws-sdk-js-v3#5414 (both are taken).
    """
    path = "/b/k?x-amz-acl=private"
    request = signed("s3-presigned", method="PUT", path=path, headers={"x-amz-acl": "private"})
    found = authenticator().authenticate(request if sent else request.without({"x-amz-acl"}))
    assert (found.request.header("x-amz-acl"), found.request.query) == ("private", ())
    without = signed("s3-presigned", method="PUT", path="/b/k", headers={"x-amz-acl": "private"})
    with pytest.raises(ApiFault, match="SignatureDoesNotMatch"):
        authenticator().authenticate(without.without({"x-amz-acl"}))


def test_a_signed_header_that_a_url_does_not_replace_must_be_sent():
    """Encryption in a URL is ignored: if it could stand for the header, nothing would ask for it."""
    name = "x-amz-server-side-encryption"
    path = f"/b/k?{name}=AES256"
    request = signed("s3-presigned", method="PUT", path=path, headers={name: "AES256"})
    assert authenticator().authenticate(request).request.header(name) == "AES256"
    with pytest.raises(ApiFault, match="SignatureDoesNotMatch"):
        authenticator().authenticate(request.without({name}))


def test_what_counts_as_a_header_only_is_signed_in_a_url_of_version_2():
    """S3's answers from public threads: boto/boto3#1070 (ACL), aws/aws-sdk-js#1313 (tags)."""
    given = {
        "x-amz-acl": "public-read",
        "x-amz-server-side-encryption": "AES256",
        "x-amz-tagging": "a=b",
    }
    request = signed("s3-v2-presigned", method="PUT", path="/b/k", headers=given)
    found = authenticator().authenticate(request).request
    assert {name: found.header(name) for name in given} == given
    found = authenticator().authenticate(request.without(given.keys())).request
    assert not any(found.has_header(name) for name in given)
    assert found.query == ()


def test_a_condition_in_a_presigned_url_is_a_header():
    """AWS's answers in localstack/localstack: test_pre_signed_url_if_none_match, ..._if_match."""
    path = "/b/k?If-None-Match=%2A"
    found = authenticator().authenticate(signed("s3-presigned", method="PUT", path=path)).request
    assert (found.header("If-None-Match"), found.query) == ("*", ())


@pytest.mark.parametrize(("sent", "passes"), [('"old"', True), ('"new"', False), ("", False)])
def test_a_header_that_is_not_signed_does_not_replace_a_condition_in_a_url(sent, passes):
    request = signed("s3-presigned", method="PUT", path="/b/k?If-Match=%22old%22")
    request = replace(request, headers=(*request.headers, ("if-match", sent)))
    if passes:
        assert authenticator().authenticate(request).request.header("If-Match") == sent
        return
    with pytest.raises(ApiFault, match="AccessDenied") as refused:
        authenticator().authenticate(request)
    assert refused.value.extra["HeadersNotSigned"] == "if-match"


@pytest.mark.parametrize("how", ["s3-v2-header", "s3-v2-presigned"])
@pytest.mark.parametrize("value", ["two  blanks", "a\ttab"])
def test_blanks_within_a_value_are_signed_as_they_are_with_version_2(how, value):
    """As "Signing and authenticating REST requests" (S3), and as boto3 signs."""
    request = signed(how, method="PUT", path="/b/k", headers={"x-amz-meta-a": value})
    assert authenticator().authenticate(request).request.header("x-amz-meta-a") == value
    with pytest.raises(ApiFault, match="SignatureDoesNotMatch"):
        authenticator().authenticate(with_header(request, "x-amz-meta-a", " ".join(value.split())))


def test_a_line_break_in_a_url_of_version_2_does_not_begin_another_header():
    """As "Signing and authenticating REST requests" (S3): a line break is signed as a blank."""
    headers = {"x-amz-meta-a": "1", "x-amz-meta-b": "2"}
    request = signed("s3-v2-presigned", method="PUT", path="/b/k", headers=headers)
    kept = [pair for pair in request.query if not pair[0].startswith("x-amz-meta-")]
    query = (*kept, ("x-amz-meta-a", "1\nx-amz-meta-b:2"))
    with pytest.raises(ApiFault, match="SignatureDoesNotMatch"):
        authenticator().authenticate(replace(request.without(headers.keys()), query=query))


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT", "POST"])
def test_the_hash_of_another_body_is_refused_where_the_operation_has_a_body(method):
    """S3's answers as measured on September 29, 2026 (brekkylab/backlot, routers/s3.py)."""
    request = replace(signed("s3-header", method=method, path="/b/k", body=b"hello"), body=b"")
    if method not in ("PUT", "POST"):
        assert authenticator().authenticate(request).request.method == method
        return
    with pytest.raises(ApiFault, match="XAmzContentSHA256Mismatch"):
        authenticator().authenticate(request)


def test_a_checksum_and_encryption_in_a_url_are_ignored():
    """The JavaScript SDK presigns the checksum of an empty body; S3 lets every body pass.

    Encryption must be in headers: "S3 requires server-side encryption headers to be signed in
    headers" (README of the SDK's s3-request-presigner).
    """
    query = (
        "x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32"
        "&x-amz-server-side-encryption=AES256"
    )
    request = replace(signed("s3-presigned", method="PUT", path=f"/b/k?{query}"), body=b"hello")
    found = authenticator().authenticate(request).request
    assert not found.has_header("x-amz-checksum-crc32")
    assert not found.has_header("x-amz-sdk-checksum-algorithm")
    assert not found.has_header("x-amz-server-side-encryption")


def test_a_payload_hash_is_verified():
    request = signed("s3-header", method="PUT", path="/b/k", body=b"hello")
    assert request.header("x-amz-content-sha256") == hashlib.sha256(b"hello").hexdigest()
    assert authenticator().authenticate(request).request.body == b"hello"


def test_the_age_of_a_signature():
    from datetime import timedelta

    age = authenticator(timedelta(seconds=40)).authenticate(signed("s3-presigned", path="/b/k")).age
    assert timedelta(seconds=39) < age < timedelta(seconds=60)


_text = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), min_size=1, max_size=20
)


# What selects an operation must be signed here, also where botocore's Signature Version 2 is older.
_YOUNGER = sub_resources() - set(HmacV1Auth.QSAOfInterest)


def _is_free(name):
    reserved = {"Signature", "Expires", "content-md5", "content-type", *_YOUNGER}
    return not name.lower().startswith("x-amz-") and name not in reserved


@settings(max_examples=300, deadline=None)
@given(
    how=st.sampled_from([how for how in SIGNERS if how.startswith("s3")]),
    key=_text,
    query=st.dictionaries(_text.filter(_is_free), _text, max_size=3),
)
@example(how="s3-v2-header", key="0", query={"response-": "0"})
def test_any_key_and_any_query_of_s3(how, key, query):
    path = "/bucket/" + quote(key, safe="/-_.~")
    if query:
        path += "?" + "&".join(
            f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in query.items()
        )
    found = authenticator().authenticate(signed(how, path=path))
    assert found.caller.kind == "IAMUser"


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"x-amz-meta-[a-z0-9]{1,10}", fullmatch=True),
        st.from_regex(r"[!-~]([ -~\xa1-\xff]{0,30}[!-~])?", fullmatch=True),
        max_size=4,
    )
)
def test_any_header_of_s3(headers):
    found = authenticator().authenticate(
        signed("s3-header", method="PUT", path="/b/k", headers=headers)
    )
    read = {name: found.request.header(name).encode("latin-1").decode() for name in headers}
    assert read == headers


@pytest.mark.parametrize("how", ["s3-header", "query-header"])
def test_a_parameter_is_signed_whatever_its_name(how):
    path = "/?Action=GetCallerIdentity&X-Amz-Signature=0"
    request = signed(how, path=path)
    assert authenticator().authenticate(request).caller.kind == "IAMUser"
    with pytest.raises(ApiFault, match="SignatureDoesNotMatch"):
        authenticator().authenticate(with_target(request, "/", request.raw_query + "1"))


def test_an_unknown_service_is_verified_too():
    wrong = signed("query-header", service="dynamodb", secret="not it")
    with pytest.raises(ApiFault, match="SignatureDoesNotMatch"):
        authenticator().authenticate(wrong)
    assert (
        authenticator().authenticate(signed("query-header", service="dynamodb")).service
        == "dynamodb"
    )


def test_the_helper_signs():
    assert AWSRequest("GET", "http://x/").method == "GET"
    assert signed("s3-header").header("authorization").startswith("AWS4-HMAC-SHA256 Credential=")
