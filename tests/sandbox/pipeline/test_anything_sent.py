"""Whatever is sent to the whole account, signed or not, is answered as AWS answers: never a 500."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from urllib.parse import quote, urlencode

import jmespath
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sandbox.signing.signed import read, signed

from stslab.sandbox.api.model import ApiResponse, HttpRequest
from stslab.sandbox.pipeline import accounts
from stslab.sandbox.server.embedded import assemble
from stslab.sandbox.state.snapshot import Snapshot
from stslab.sandbox.state.state import State
from stslab.vocabulary import LEARNER

FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


class Signer:
    """The administrator's key, and the account that it opens."""

    def __init__(self) -> None:
        state = State(Snapshot.of(accounts.new()))
        self.inside = assemble(state)
        key = accounts.usable_key(state.snapshot, LEARNER, accounts.ADMINISTRATOR)
        assert key
        self.key = key

    def send(self, how: str, **given) -> ApiResponse:
        request = signed(
            how, key=self.key.access_key_id, secret=self.key.secret_access_key, **given
        )
        return self.inside.pipeline.handle(request)


@pytest.fixture(scope="module")
def admin():
    return Signer()


def _sound(request: str, response: ApiResponse) -> None:
    assert response.status not in {500, 502, 503}, (request, response.body)
    if response.status >= 400 and response.body:
        ET.fromstring(response.body)  # noqa: S314 - the sandbox's own answer


_text = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
_bucket = st.sampled_from(["", "bucket-one", "b", "UPPER", "a..b", "_stslab", "moto-api"])
_key = st.one_of(st.just(""), _text)
_argument = st.sampled_from(
    ["acl", "policy", "tagging", "versions", "uploads", "uploadId", "partNumber", "versionId", "delete",
     "list-type", "prefix", "max-keys", "marker", "location", "cors", "website", "lifecycle", "x-id",
     "encryption", "publicAccessBlock", "select", "restore", "attributes", "torrent", "continuation-token"]
)  # fmt: skip
_arguments = st.lists(st.tuples(_argument, st.one_of(st.just(""), _text)), max_size=3)
_headers = st.dictionaries(
    st.sampled_from(
        ["x-amz-acl", "x-amz-copy-source", "x-amz-copy-source-range", "x-amz-tagging", "Range",
         "Content-Type", "x-amz-meta-a", "If-Match", "x-amz-grant-read", "x-amz-storage-class",
         "x-amz-bucket-object-lock-enabled", "x-amz-object-ownership", "x-amz-server-side-encryption",
         "x-amz-checksum-algorithm", "Content-MD5", "x-amz-expected-bucket-owner", "If-Modified-Since"]
    ),
    st.one_of(
        st.sampled_from(["private", "bucket-one/key", "bytes=0-5", "bytes=9-1", "true", "text/plain", "multipart/form-data"]),
        st.from_regex(r"[!-~]{1,12}", fullmatch=True),
    ),
    max_size=3,
)  # fmt: skip
_body = st.one_of(
    st.just(b""),
    st.binary(max_size=30),
    st.sampled_from(
        [b"<a/>", b"<Delete><Object><Key>k</Key></Object></Delete>", b"{}", b"<!DOCTYPE x>"]
    ),
)
_s3_request = st.fixed_dictionaries(
    {"bucket": _bucket, "key": _key, "arguments": _arguments, "headers": _headers, "body": _body}
)
_slow = [HealthCheck.too_slow]


def _path(asked: dict) -> str:
    key = quote(asked["key"], safe="/-_.~")
    return f"/{asked['bucket']}" + (f"/{key}" if key else "")


@settings(max_examples=150, suppress_health_check=_slow)
@given(st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH"]), _s3_request)
def test_s3(admin, method, asked):
    query = urlencode(asked["arguments"], quote_via=quote)
    target = _path(asked) + (f"?{query}" if query else "")
    response = admin.send(
        "s3-header", method=method, path=target, headers=asked["headers"], body=asked["body"]
    )
    _sound(f"{method} {target} {asked}", response)


_name = st.one_of(
    st.sampled_from(
        ["UserName", "RoleName", "PolicyDocument", "AssumeRolePolicyDocument", "RoleArn", "RoleSessionName",
         "DurationSeconds", "StackName", "TemplateBody", "Tags.member.1.Key", "Tags.member.1.Value",
         "Tags.member.x", "MaxItems", "Marker", "PolicyArn", "Path", "PathPrefix", "Parameters.member.1",
         "Capabilities.member.1", "PolicyArns.member.1.arn", "AccessKeyId", "Status", "Action", "Version"]
    ),
    _text,
)  # fmt: skip
_value = st.one_of(
    _text,
    st.sampled_from(
        ["admin", "arn:aws:iam::111122223333:role/x", "arn:aws:iam::aws:policy/AdministratorAccess", "-1",
         "99999999999999999999", "{}", '{"Version":"2012-10-17","Statement":[]}', "null", "[", "true", "a" * 3000]
    ),
)  # fmt: skip
_actions = st.sampled_from(
    [("iam", "2010-05-08", name) for name in
     ("ListUsers", "GetUser", "CreateUser", "CreateRole", "PutUserPolicy", "CreatePolicy", "TagUser", "ListRoles",
      "UpdateAccessKey", "SimulatePrincipalPolicy", "SimulateCustomPolicy", "CreateOpenIDConnectProvider",
      "UpdateAssumeRolePolicy", "GetPolicyVersion", "AttachUserPolicy", "CreateGroup", "CreateVirtualMFADevice")]
    + [("sts", "2011-06-15", name) for name in
       ("AssumeRole", "GetCallerIdentity", "GetSessionToken", "GetFederationToken", "DecodeAuthorizationMessage",
        "GetAccessKeyInfo", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "Nothing")]
    + [("cloudformation", "2010-05-15", name) for name in
       ("CreateStack", "DescribeStacks", "ValidateTemplate", "CreateChangeSet", "ListStacks", "GetTemplate")]
)  # fmt: skip


@settings(max_examples=150, suppress_health_check=_slow)
@given(_actions, st.lists(st.tuples(_name, _value), max_size=6))
def test_query_services(admin, action, arguments):
    service, version, name = action
    form = urlencode([("Action", name), ("Version", version), *arguments])
    response = admin.send(
        "query-header", method="POST", service=service, headers=FORM, body=form.encode()
    )
    _sound(f"{service} {form}", response)


@settings(max_examples=80, suppress_health_check=_slow)
@given(
    st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    _s3_request,
    st.lists(st.tuples(_name, _value), max_size=3),
)
def test_without_a_signature(admin, method, asked, more):
    query = (*asked["arguments"], *more)
    headers = (("Host", "127.0.0.1:4566"), *FORM.items())
    request = HttpRequest(method, _path(asked), query, "", headers, asked["body"])
    response = admin.inside.pipeline.handle(request)
    _sound(f"{method} {asked} {query}", response)


def test_an_error_is_xml_whatever_it_repeats(admin):
    odd = read(
        b"GET /b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%00%EF%BF%BE%3C&X-Amz-Date=20130524T000000Z"
        b"&X-Amz-Expires=9&X-Amz-SignedHeaders=host&X-Amz-Signature=%08 HTTP/1.1\r\nHost: h\r\n\r\n"
    )
    response = admin.inside.pipeline.handle(odd)
    assert response.status in {400, 403}
    ET.fromstring(response.body)  # noqa: S314 - the sandbox's own answer


@pytest.mark.parametrize(
    ("query", "status", "shown"),
    [
        (
            "/?Action=GetCallerIdentity&Version=2011-06-15",
            200,
            [
                "GetCallerIdentityResponse.GetCallerIdentityResult.Arn",
                "GetCallerIdentityResponse.ResponseMetadata.RequestId",
            ],
        ),
        (
            "/?Action=GetAccessKeyInfo&Version=2011-06-15&AccessKeyId=no",
            400,
            ["Error.Code", "Error.Message", "RequestId"],
        ),
    ],
)
@pytest.mark.parametrize(
    "rest", ["", ";q=0.9", ", text/plain, */*", ", text/xml, application/xml, */*"]
)
def test_who_accepts_json_gets_json(admin, query, status, shown, rest):
    """As public programs read it: kubernetes-sigs/aws-iam-authenticator; with what axios and R's httr
    accept if they are told nothing, Infisical/infisical (login with AWS), cloudyr/aws.iam (http.R)."""
    accepted = {"Accept": f"application/json{rest}"}
    response = admin.send("query-header", path=query, headers=accepted)
    assert (response.status, dict(response.headers)["Content-Type"]) == (status, "application/json")
    document = json.loads(response.body)
    assert all(jmespath.search(path, document) for path in shown)


@pytest.mark.parametrize(
    "accepted", ["*/*", "text/xml", "text/html, application/json", "application/json5"]
)
def test_who_accepts_something_else_gets_xml(admin, accepted):
    response = admin.send("query-header", headers={"Accept": accepted})
    assert dict(response.headers)["Content-Type"] == "text/xml"


def test_an_answer_in_json_has_null_for_what_is_not_there_and_times_in_whole_seconds(admin):
    """n8n-io/n8n, AWS IAM node, getAll.test.ts; elerch/aws-sdk-for-zig (the order, no spaces)."""
    sent = {"path": "/?Action=GetUser&Version=2010-05-08", "service": "iam"}
    response = admin.send("query-header", headers={"Accept": "application/json"}, **sent)
    user = jmespath.search("GetUserResponse.GetUserResult.User", json.loads(response.body))
    absent = ("PasswordLastUsed", "PermissionsBoundary")
    assert [user[name] for name in absent] == [None, None]
    assert user["CreateDate"] == int(user["CreateDate"])
    compact = json.dumps(json.loads(response.body), separators=(",", ":"), sort_keys=True)
    assert response.body.decode() == compact


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ((("Transfer-Encoding", "chunked"),), 501, b"<Header>Transfer-Encoding</Header>"),
        ((), 411, b"<Code>MissingContentLength</Code>"),
    ],
)
def test_an_object_of_unknown_length_is_not_taken(admin, headers, status, code):
    """S3 API Reference, "Error responses"; public issue threads quote the answer to `chunked`."""
    key, secret = admin.key.access_key_id, admin.key.secret_access_key
    sent = signed("s3-header", method="PUT", path="/b/k", body=b"x", key=key, secret=secret)
    kept = tuple(one for one in sent.headers if one[0] != "Content-Length")
    response = admin.inside.pipeline.handle(replace(sent, headers=(*kept, *headers)))
    assert (response.status, code in response.body) == (status, True)


def test_an_unsigned_object_of_unknown_length_is_not_taken(admin):
    """As above. The answer comes before the body is read, since nobody is known."""
    sent = signed("s3-header", method="PUT", path="/b/k", key="", secret="")
    host = (("Host", sent.header("host")),)
    head = replace(sent, headers=(*host, ("Transfer-Encoding", "chunked")))
    refused = admin.inside.pipeline.refuse(head)
    assert refused.status == 501
    assert b"<Header>Transfer-Encoding</Header>" in refused.body
    assert b"EntityTooLarge" in admin.inside.pipeline.refuse(replace(sent, headers=host)).body
