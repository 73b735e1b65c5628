"""Requests of an intruder, which no SDK would send, do not get around the policies.

The user of these tests may do everything in S3, except with the object `secret`.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from collections.abc import Iterator
from hashlib import md5

import pytest
from tests.sandbox.cases import Account, Keys
from tests.sandbox.wire import Said, send

HIDDEN = b"nobody but the administrator"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
REFUSED = {400, 403, 404, 405, 421, 501}


class Intruder:
    """A user, and a bucket with an object that it must not reach."""

    def __init__(self, account: Account) -> None:
        self.account, self.name = account, f"intruder-{secrets.token_hex(3)}"
        self.bucket = self.name
        iam, self.s3 = account.client("iam", "admin"), account.client("s3", "admin")
        iam.create_user(UserName=self.name)
        key = iam.create_access_key(UserName=self.name)["AccessKey"]
        account.keys[self.name] = Keys.of(key)
        statements = [
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {"Effect": "Deny", "Action": "s3:*", "Resource": f"arn:aws:s3:::{self.bucket}/secret"},
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=self.name, PolicyName="p", PolicyDocument=policy)
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_object(Bucket=self.bucket, Key="secret", Body=HIDDEN)
        self.s3.put_object(Bucket=self.bucket, Key="open;a#b?c", Body=b"open")

    def send(self, method: str, target: str, **given: object) -> Said:
        filled = target.replace("{b}", self.bucket)
        return send(self.account, self.name, method, filled, **given)  # type: ignore[arg-type]

    def hidden(self) -> bytes:
        return self.s3.get_object(Bucket=self.bucket, Key="secret")["Body"].read()


@pytest.fixture(scope="module")
def intruder(account: Account) -> Iterator[Intruder]:
    one = Intruder(account)
    yield one
    assert one.hidden() == HIDDEN


SOURCES = [
    "{b}/secret", "/{b}/secret", "//{b}/secret", "{b}/%73ecret", "{b}/secret?", "{b}/secret?x=1",
    "{b}/secret;", "{b}/secret;x=1", "{b}/secret#x", "{b}/secret?versionId=null",
    "{b}/secret?x=1&versionId=null", "{b}/secret?versionId=null&versionId=x", "{b}/secret?versionId=",
    "{b}/secret%3FversionId%3Dnull", "{b}/./secret", "{b}/x/../secret", "{b}//secret",
    "http://host/{b}/secret", "x:{b}/secret", "//host/{b}/secret", "arn:aws:s3:::{b}/secret",
    "{b}/%2573ecret", "{b}/secret%00", "{b}%2Fsecret", "../{b}/secret",
]  # fmt: skip


@pytest.mark.parametrize("source", SOURCES)
def test_no_copy_reads_an_object_that_was_not_authorized(intruder, source):
    header = {"x-amz-copy-source": source.replace("{b}", intruder.bucket)}
    said = intruder.send("PUT", "/{b}/copy", headers=header)
    assert said.status in REFUSED
    part = intruder.send("PUT", "/{b}/part?partNumber=1&uploadId=x", headers=header)
    assert part.status in REFUSED


def test_a_copy_of_an_odd_name_is_of_that_object(intruder):
    for source in ("open;a%23b%3Fc", "open%3Ba%23b%3Fc"):
        header = {"x-amz-copy-source": f"{intruder.bucket}/{source}"}
        assert intruder.send("PUT", "/{b}/odd", headers=header).status == 200
        held = intruder.s3.get_object(Bucket=intruder.bucket, Key="odd")["Body"].read()
        assert held == b"open"


TARGETS = [
    "/{b}/secret", "/{b}/%73ecret", "/{b}%2Fsecret", "/{b}%2fsecret/x", "/{b}/./secret",
    "/{b}/x/../secret", "//{b}/secret", "/{b}//secret", "/{b}/secret?versionId=null",
    "/{b}/secret?versionId=", "/{b}/secret?acl", "/{b}/secret?acl&policy", "/{b}/secret?acl=&acl=",
    "/{b}/secret?uploads&delete", "/{b}/secret?x-id=ListBuckets", "/{b}/secret?torrent",
    "/{b}/secret?attributes", "/{b}/secret?tagging", "/{b}/secret?partNumber=1", "/{b}/secret?Action=GetUser",
    "/{b}/secret?select&select-type=2", "/{b}/secret?uploadId=x", "/{b}/secret/", "/{b}/secret%00",
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_no_other_way_to_write_it_reads_or_changes_it(intruder, target):
    for method in ("GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE"):
        said = intruder.send(method, target)
        assert HIDDEN not in said.body
        if said.status < 300:  # another key altogether: an S3 path is never normalised
            assert target not in ("/{b}/secret", "/{b}/%73ecret")
        else:
            assert said.status in REFUSED


@pytest.mark.parametrize(
    "header",
    ["x-moto-account-id", "Action", "X-Amz-Target", "X-Http-Method-Override", "X-Original-Url",
     "X-Rewrite-Url", "X-Forwarded-Host", "X-Amz-Security-Token-2", "Range", "If-None-Match"],
)  # fmt: skip
def test_no_header_opens_it(intruder, header):
    value = f"/{intruder.bucket}/secret"
    for target in ("/{b}/secret", "/{b}/open%3Ba%23b%3Fc"):
        said = intruder.send("GET", target, headers={header: value})
        assert HIDDEN not in said.body


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<Delete><Object><Key>{}</Key></Object></Delete>"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("key", ["&b;", "plain"])
def test_xml_declares_nothing(intruder, encoding, key):
    body = BOMB.format(key).encode(encoding)
    if encoding == "utf-16":
        body = '<?xml version="1.0" encoding="UTF-16"?>'.encode(encoding) + body[2:]
    digest = b64encode(md5(body, usedforsecurity=False).digest()).decode()
    said = intruder.send("POST", "/{b}?delete", body=body, headers={"Content-MD5": digest})
    assert (said.status, said.code) == (400, "MalformedXML")


def test_headers_that_are_added_after_signing(intruder):
    source = f"{intruder.bucket}/secret"
    copied = intruder.send("PUT", "/{b}/x", unsigned=[("x-amz-copy-source", source)])
    assert copied.code == "AccessDenied"
    signed = {"x-amz-copy-source": f"{intruder.bucket}/open"}
    twice = intruder.send("PUT", "/{b}/x", headers=signed, unsigned=[("x-amz-copy-source", source)])
    assert twice.code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    ("host", "status"),
    [("{b}.localhost:{p}", 403), ("evil.example:{p}", 421), ("127.0.0.1", 421), ("127.0.0.1:1", 421),
     ("{b}.s3.amazonaws.com:{p}", 421), ("127.0.0.1.evil.example:{p}", 421), ("localhost:{p}@evil", 421)],
)  # fmt: skip
def test_the_host_is_this_server_or_a_bucket_of_it(intruder, host, status):
    port = intruder.account.endpoint.port
    named = host.replace("{b}", intruder.bucket).replace("{p}", str(port))
    assert intruder.send("GET", "/secret", host=named).status == status


@pytest.mark.parametrize(
    "path",
    ["/moto-api/reset", "/moto-api/state", "/moto-api/seed?a=1", "/moto-api/reset-auth",
     "/moto-api/config", "/moto-api/recorder/start-recording", "/latest/meta-data/", "/latest/api/token",
     "/_stslab/reset", "/_stslab/status", "/_stslab/stop", "/_stslab/root-key"],
)  # fmt: skip
@pytest.mark.parametrize("identity", ["admin", "root"])
def test_control_paths_are_names_of_buckets(account, identity, path):
    for method in ("GET", "POST", "PUT"):
        assert send(account, identity, method, path).status in REFUSED
    guessed = {"X-Stslab-Control": "guessed"}
    assert send(account, identity, "GET", path, unsigned=[*guessed.items()]).status in REFUSED
    assert account.control("GET", "health")["instance"] == account.endpoint.instance


@pytest.mark.parametrize("service", ["iam", "sts", "cloudformation"])
@pytest.mark.parametrize(
    ("target", "body", "headers"),
    [
        ("/", b"Action=GetCallerIdentity&Action=ListUsers&Version=2011-06-15", FORM),
        ("/?Action=ListUsers&Version=2010-05-08", b"Action=GetUser&Version=2010-05-08", FORM),
        ("/", b"Version=2010-05-08", {**FORM, "Action": "ListUsers"}),
        ("/", b"Action=ListUsers&Version=2010-05-08", {"Content-Type": "multipart/form-data; boundary=x"}),
        ("/", b'{"Action":"ListUsers"}', {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "IAM.ListUsers"}),
        ("/x", b"Action=ListUsers&Version=2010-05-08", FORM),
        ("/", b"Action=ListUsers&Version=2010-05-08&UserName=a&UserName=b", FORM),
        ("/", b"Action=ListUsers%00&Version=2010-05-08", FORM),
        ("/", b"action=ListUsers&version=2010-05-08", FORM),
    ],
)  # fmt: skip
def test_ambiguous_requests_are_refused(account, service, target, body, headers):
    said = send(account, "root", "POST", target, service=service, headers=headers, body=body)
    assert said.status in {400, 404}
    assert said.code not in ("", "InternalFailure")


@pytest.mark.parametrize(
    "service",
    ["ec2", "lambda", "dynamodb", "organizations", "s3express", "sso", "IAM", "s3control"],
)
def test_a_signature_for_another_service_is_refused(account, service):
    body = b"Action=ListUsers&Version=2010-05-08"
    said = send(account, "root", "POST", "/", service=service, headers=FORM, body=body)
    assert said.status in {400, 403}


def test_sessions_do_not_exchange_tokens(account, fresh):
    iam, sts = account.client("iam", "admin"), account.client("sts", "admin")
    trust = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": trust})
    given = []
    for name in (f"one-{fresh}", f"two-{fresh}"):
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        answer = sts.assume_role(RoleArn=role, RoleSessionName="me")
        given.append(Keys.of(answer["Credentials"]))
    one, two = given
    admin = account.keys["admin"]
    swapped = [
        Keys(one.access_key_id, one.secret_access_key, two.session_token),
        Keys(one.access_key_id, two.secret_access_key, two.session_token),
        Keys(one.access_key_id, one.secret_access_key, f"{one.session_token}A"),
        Keys(one.access_key_id, one.secret_access_key),
        Keys(admin.access_key_id, admin.secret_access_key, one.session_token),
        Keys(one.access_key_id.lower(), one.secret_access_key, one.session_token),
    ]
    for number, keys in enumerate(swapped):
        name = f"swapped-{number}"
        account.keys[name] = keys
        for service in ("sts", "iam", "s3", "cloudformation"):
            body = b"" if service == "s3" else b"Action=GetCallerIdentity&Version=2011-06-15"
            headers = {} if service == "s3" else FORM
            said = send(
                account, name, "GET" if service == "s3" else "POST", "/",
                service=service, headers=headers, body=body,
            )  # fmt: skip
            assert said.status in {400, 403}
            assert said.code in {
                "InvalidClientTokenId", "InvalidToken", "InvalidAccessKeyId", "SignatureDoesNotMatch",
            }  # fmt: skip
        del account.keys[name]
