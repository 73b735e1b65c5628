"""Any change to a signed request is refused, and nothing but ApiFault is raised."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.sandbox.signing.signed import SIGNERS, authenticator, signed, with_target

from stslab.sandbox.api.http import parse_query
from stslab.sandbox.api.model import ApiFault, HttpRequest
from stslab.sandbox.signing.signature import addressed_service

MATERIAL: dict[str, dict[str, Any]] = {
    "query-header": {"method": "POST", "path": "/?a=b%20c", "body": b"Action=ListUsers&x=y"},
    "query-presigned": {"path": "/?Action=GetCallerIdentity&Version=2011-06-15"},
    "s3-header": {
        "method": "PUT",
        "path": "/bucket/a%20key?partNumber=1&uploadId=xyz",
        "body": b"content",
        "headers": {"x-amz-acl": "private", "x-amz-meta-a": "b  c"},
    },
    "s3-presigned": {
        "path": "/bucket/a%20key?versionId=abc",
        "headers": {"x-amz-request-payer": "requester"},
    },
    "s3-v2-header": {
        "method": "PUT",
        "path": "/bucket/a%20key?acl",
        "headers": {"x-amz-acl": "private"},
    },
    "s3-v2-presigned": {"path": "/bucket/a%20key?versionId=abc"},
}
# Time stands still: the originals are signed once, and must not expire while tests run.
VERIFIER = authenticator(at=datetime.now(UTC))
ORIGINALS = {how: signed(how, **given) for how, given in MATERIAL.items()}
# What a signature leaves out: AWS documents the headers that it covers. A signature itself may
# be spelled in capitals, as S3 takes it.
UNSIGNED_HEADERS = {"content-length", "user-agent", "expect", "accept-encoding"}


def test_the_originals_are_good():
    for how, request in ORIGINALS.items():
        assert VERIFIER.authenticate(request).caller.kind == "IAMUser", how


def _outcome(request: HttpRequest) -> ApiFault | str:
    """The refusal, or the caller. Any other exception is a defect."""
    try:
        return VERIFIER.authenticate(request).caller.kind
    except ApiFault as fault:
        return fault


def _refused(request: HttpRequest) -> None:
    """The request is refused or anonymous: without its credentials it is an unsigned one."""
    outcome = _outcome(request)
    assert isinstance(outcome, ApiFault) or outcome == "Anonymous"


_how = st.sampled_from(list(SIGNERS))
_position = st.integers(0, 10_000)
_character = st.characters(min_codepoint=33, max_codepoint=126)


def _changed(text: str, position: int, character: str) -> str:
    place = position % (len(text) + 1)
    return text[:place] + character + text[place + 1 :]


@settings(max_examples=400, deadline=None)
@given(_how, _position, _character)
def test_another_path(how, position, character):
    request = ORIGINALS[how]
    path = "/" + _changed(request.path[1:], position, character).replace("?", "x").replace("#", "y")
    assume(path != request.path)
    from urllib.parse import unquote

    assume(unquote(path) != unquote(request.path))
    if "v2" not in how and not how.startswith("s3"):
        import posixpath

        assume(posixpath.normpath(path) not in ("/", "//"))
    _refused(replace(request, path=path))


@settings(max_examples=600, deadline=None)
@given(_how, _position, _character)
def test_another_query(how, position, character):
    request = ORIGINALS[how]
    raw = _changed(request.raw_query, position, character)
    try:
        pairs = parse_query(raw)
    except ApiFault:
        return
    assume(sorted(pairs) != sorted(request.query))
    upper = [(n, v.lower() if n == "X-Amz-Signature" else v) for n, v in pairs]
    assume(sorted(upper) != sorted(request.query))
    if "v2" in how:
        signed_names = {"acl", "versionId", "AWSAccessKeyId", "Expires", "Signature"}
        assume(
            {p for p in pairs if p[0] in signed_names}
            != {p for p in request.query if p[0] in signed_names}
        )
    _refused(replace(request, raw_query=raw, query=pairs))


@settings(max_examples=300, deadline=None)
@given(_how, st.text(min_size=1, max_size=8), st.text(max_size=8))
def test_one_more_parameter(how, name, value):
    request = ORIGINALS[how]
    from urllib.parse import urlencode

    try:
        more = urlencode([(name, value)])
    except UnicodeEncodeError:
        return
    assume(
        "v2" not in how
        or name in {"acl", "policy", "tagging", "versionId"}
        or name.startswith("x-amz-")
    )
    raw = f"{request.raw_query}&{more}" if request.raw_query else more
    _refused(with_target(request, request.path, raw))


@settings(max_examples=600, deadline=None)
@given(_how, _position, _position, _character)
def test_another_header(how, which, position, character):
    request = ORIGINALS[how]
    name, value = request.headers[which % len(request.headers)]
    assume(name.lower() not in UNSIGNED_HEADERS)
    assume("v2" not in how or name.lower() != "host")
    assume(not (how == "s3-v2-presigned" and name == "Date"))
    new = _changed(value, position, character)
    assume(" ".join(new.split()) != " ".join(value.split()))
    if name.lower() == "authorization":
        assume(new.replace(",", " ").split() != value.replace(",", " ").split())
        assume(_signature_lowered(new) != value)
        assume(how != "s3-header" or _signed_headers(new) != _signed_headers(value))
    headers = tuple((n, new if n == name else v) for n, v in request.headers)
    _refused(replace(request, headers=headers))


def _signature_lowered(authorization: str) -> str:
    before, name, signature = authorization.partition("Signature=")
    return before + name + signature.lower()


def _signed_headers(authorization: str) -> tuple[str, frozenset[str], str]:
    """The header around the names of signed headers, which S3 takes in any order and case."""
    before, _, after = authorization.partition("SignedHeaders=")
    names, _, signature = after.partition(",")
    return before, frozenset(names.lower().split(";")), signature


@settings(max_examples=200, deadline=None)
@given(
    _how,
    st.sampled_from(["x-amz-acl", "x-amz-copy-source", "x-amz-grant-read", "x-amz-tagging"]),
    st.sampled_from(["private", "/b/k"]),
)
def test_one_more_header(how, name, value):
    request = ORIGINALS[how]
    assume(not request.has_header(name) or request.header(name) != value or "v2" in how)
    _refused(replace(request, headers=(*request.headers, (name, value))))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["query-header", "s3-header"]), st.binary(max_size=30))
def test_another_body(how, body):
    request = ORIGINALS[how]
    assume(body != request.body)
    _refused(replace(request, body=body))


@settings(max_examples=200, deadline=None)
@given(_how, st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]))
def test_another_method(how, method):
    request = ORIGINALS[how]
    assume(method != request.method)
    _refused(replace(request, method=method))


@settings(max_examples=300, deadline=None)
@given(_how, st.data())
def test_one_header_less(how, data):
    request = ORIGINALS[how]
    names = {n for n, _ in request.headers if n.lower() not in UNSIGNED_HEADERS}
    gone = data.draw(st.sampled_from(sorted(names)))
    assume("v2" not in how or gone.lower() not in {"host", "date"})
    left = replace(request, headers=tuple(p for p in request.headers if p[0] != gone))
    _refused(left)


_word = st.sampled_from(
    ["AWS4-HMAC-SHA256", "AWS", " ", "Credential=", "AKIAIOSFODNN7EXAMPLE", "/", "20130524", "us-east-1",
     "s3", "sts", "aws4_request", ",", "SignedHeaders=", "host", ";", "Signature=", "00", "=", ":", "é", "\xff"]
)  # fmt: skip
_words = st.lists(_word, max_size=24).map("".join)
_name = st.sampled_from(
    ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
     "X-Amz-Signature", "X-Amz-Security-Token", "AWSAccessKeyId", "Signature", "Expires", "Action"]
)  # fmt: skip
_value = st.one_of(
    _words,
    st.text(max_size=10),
    st.sampled_from(
        ["AWS4-HMAC-SHA256", "99991231T235959Z", "00010101T000000Z", "60", "9" * 18, "-1",
         "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"]
    ),
)  # fmt: skip
_header = st.sampled_from(
    ["Authorization", "x-amz-date", "Date", "x-amz-content-sha256", "x-amz-security-token", "Host",
     "x-amz-decoded-content-length", "x-amz-trailer", "Content-MD5", "x-amz-checksum-crc32", "Content-Type"]
)  # fmt: skip
_latin = st.text(st.characters(max_codepoint=255), max_size=20)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "PUT"]),
    st.sampled_from(["/", "/b", "/b/k", "/%00"]),
    st.lists(st.tuples(_name, _value), max_size=7),
    st.lists(
        st.tuples(
            _header,
            st.one_of(
                _words.map(lambda t: t.encode("latin-1", "ignore").decode("latin-1")),
                _latin,
                _value,
            ),
        ),
        max_size=6,
    ),
    st.binary(max_size=20),
)
def test_malformed_requests_get_aws_s_errors(method, path, query, headers, body):
    request = HttpRequest(method, path, tuple(query), "", tuple(headers), body)
    assert addressed_service(request)
    outcome = _outcome(request)
    if isinstance(outcome, ApiFault):
        assert outcome.status in {400, 403, 411, 501}
        assert outcome.message
    else:
        assert outcome == "Anonymous"
