"""The log: CloudTrail's words, the decisions, no secrets, and a bound on everything."""

from __future__ import annotations

import html
import json
import stat
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.exceptions import ClientError
from tests.sandbox.direct import Direct

from stslab.redaction import HIDDEN
from stslab.sandbox.api.model import HttpRequest
from stslab.sandbox.pipeline import log
from stslab.sandbox.pipeline.log import DecisionLog


def test_a_denied_call_is_logged_with_its_decision(direct: Direct) -> None:
    arn = direct.user("ann")
    with pytest.raises(ClientError) as refused:
        direct.client("iam", "ann").list_users()
    event = direct.log.events(denied=True)[-1]
    assert event["eventVersion"].startswith("1.")
    assert event["eventType"] == "AwsApiCall"
    assert event["eventName"] == "ListUsers"
    assert event["eventSource"] == "iam.amazonaws.com"
    assert event["userIdentity"]["arn"] == arn
    assert event["userIdentity"]["type"] == "IAMUser"
    assert event["sourceIPAddress"] == "127.0.0.1"
    assert event["errorCode"] == "AccessDenied"
    assert event["errorMessage"] == refused.value.response["Error"]["Message"]
    assert event["requestID"] == refused.value.response["ResponseMetadata"]["RequestId"]
    assert event["decisions"][0]["decision"] == "ImplicitlyDenied"
    assert event["decisions"][0]["refused"] == {"gates": ["identity policy"], "keys": []}
    assert json.loads(json.dumps(event)) == event


def test_events_are_logged_one_after_another(direct: Direct) -> None:
    iam, log = direct.client("iam"), direct.log
    before = len(log.events())
    first = iam.get_user()["ResponseMetadata"]["RequestId"]
    iam.list_groups()
    one, other = log.events()[before:]
    assert (one["requestID"], one["eventName"]) == (first, "GetUser")
    assert other["eventName"] == "ListGroups"
    assert one["eventID"] != other["eventID"]
    assert log.events(denied=True) == []


def test_an_unsigned_request_is_logged(direct: Direct) -> None:
    direct.keys["eve"] = ("AKIAEVEEVEEVEEVEEVE1", "wrong", None)
    with pytest.raises(ClientError):
        direct.client("iam", "eve").list_users()
    event = direct.log.events()[-1]
    assert event["errorCode"] == "InvalidClientTokenId"
    assert event["eventName"] == "ListUsers"
    assert event["userIdentity"] == {"type": "Unknown", "accessKeyId": "AKIAEVEEVEEVEEVEEVE1"}
    assert direct.log.events(denied=True) == [event]


@pytest.mark.parametrize("service", ["s3", "iam"])
def test_a_signed_request_without_an_operation_is_logged_with_its_caller(
    direct: Direct, service: str
) -> None:
    client = direct.client(service)

    def change(request: AWSPreparedRequest | AWSRequest, **_: object) -> None:
        request.url += "%FF"

    client.meta.events.register("before-sign", change)
    with pytest.raises(ClientError):
        client.list_buckets() if service == "s3" else client.list_users()
    event = direct.log.events()[-1]
    assert event["errorCode"] == ("InvalidURI" if service == "s3" else "InvalidAction")
    assert event["userIdentity"]["userName"] == "admin"


@pytest.mark.parametrize(("whose", "type_"), [("root", "Root"), ("admin", "IAMUser")])
def test_the_keys_of_a_session_token_are_of_the_same_identity(
    direct: Direct, whose: str, type_: str
) -> None:
    given = direct.client("sts", whose).get_session_token()["Credentials"]
    keys = given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
    direct.keys["session"] = keys
    direct.client("sts", "session").get_caller_identity()
    identity = direct.log.events()[-1]["userIdentity"]
    assert (identity["type"], identity["accessKeyId"]) == (type_, keys[0])


def test_a_refusal_without_a_body_has_its_code_in_the_log(direct: Direct) -> None:
    with pytest.raises(ClientError) as refused:
        direct.client("s3").head_bucket(Bucket="there-is-none")
    assert refused.value.response["Error"]["Code"] == "404"
    assert direct.log.events()[-1]["errorCode"] == "NoSuchBucket"


def test_that_an_objects_tags_may_not_be_counted_is_no_denial(direct: Direct) -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    direct.user("ann", json.dumps({"Version": "2012-10-17", "Statement": statement}))
    s3 = direct.client("s3")
    s3.create_bucket(Bucket="tagged")
    s3.put_object(Bucket="tagged", Key="k", Body=b"x", Tagging="a=b")
    direct.client("s3", "ann").get_object(Bucket="tagged", Key="k")
    (decision,) = direct.log.events()[-1]["decisions"]
    assert (decision["action"], decision["decision"]) == ("s3:GetObject", "Allowed")


def test_a_parameter_is_logged_as_it_was_sent(direct: Direct) -> None:
    sent = {"ServerSideEncryption": "aws:kms", "SSEKMSEncryptionContext": "eyJ0ZWFtIjoiYmx1ZSJ9"}
    direct.client("s3").create_bucket(Bucket="kept")
    direct.client("s3").put_object(Bucket="kept", Key="k", Body=b"x", **sent)
    logged = direct.log.events()[-1]["requestParameters"]
    assert {name: logged[name] for name in sent} == sent


def test_no_secret_is_in_the_file(tmp_path: Path) -> None:
    kept = DecisionLog(tmp_path)
    direct = Direct(log=kept)
    direct.user("ann")
    direct.client("iam").create_login_profile(UserName="ann", Password="Hush-Hush-123!")
    direct.client("sts", "ann").get_session_token()
    kept.close()
    file = tmp_path / "decisions.jsonl"
    text = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "CreateLoginProfile" in text
    assert "Hush-Hush-123!" not in text
    for _, secret, _ in direct.keys.values():
        assert secret not in text
    direct.stop()


SECRET = "IQoJb3/reed+beef=="  # with letters that no id in hexadecimal has
V4 = f"https://h/kept/k?a=b&X-Amz-Signature={SECRET}&X-Amz-Security-Token={SECRET}&x=1"
V2 = f"https://h/kept/k?AWSAccessKeyId=AKIAEVE&Signature={SECRET}&x-amz-security-token={SECRET}"
QUERY = f"https://h/?Action=ListUsers&SecurityToken={SECRET}&Signature={SECRET}"
SIGNIN = f"https://h/federation?Action=login&SigninToken={SECRET}"
STS = f"https://h/?Action=AssumeRoleWithWebIdentity&WebIdentityToken={SECRET}&id_token={SECRET}"
V4_FORM = {"key": "k", "x-amz-signature": SECRET, "x-amz-security-token": SECRET, "policy": "e30="}
V2_FORM = {"key": "k", "signature": SECRET, "x-amz-security-token": SECRET}
SIGNED = ("AWS4-HMAC-SHA256 Credential=AKIAEVE/d/r/s3/aws4_request", "SignedHeaders=host")
# As Go and PHP write it:
IN_JSON = str.maketrans({"&": r"\u0026", "=": r"\u003d", "+": r"\u002b", "/": r"\/"})
ESCAPES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "twice escaped": lambda text: quote(quote(text)),
    "three times escaped": lambda text: quote(quote(quote(text))),
    "in XML": html.escape,
    "in XML, escaped": lambda text: quote(html.escape(text)),
    "in XML by numbers": lambda text: text.replace("&", "&#38;"),
    "with semicolons": lambda text: text.replace("&", ";"),
    "in JSON": json.dumps,
    "in JSON, escaped": lambda text: text.translate(IN_JSON),
    "in JSON in JSON, escaped": lambda text: json.dumps([text.translate(IN_JSON)]),
}
SHOWN = [
    *(escape(text) for escape in ESCAPES.values() for text in (V4, V2, QUERY, SIGNIN, STS)),
    *(write(form) for write in (str, json.dumps) for form in (V4_FORM, V2_FORM)),
    *(json.dumps(json.dumps(form, indent=1)) for form in (V4_FORM, V2_FORM)),
    *(between.join((*SIGNED, f"Signature={SECRET}")) for between in (",", ", ")),
    f"x-amz-security-token: {SECRET}",
    f"x-amz-s3session-token:{SECRET}",
]


def test_no_signature_that_a_client_shows_is_in_the_file(tmp_path: Path) -> None:
    kept = DecisionLog(tmp_path)
    direct = Direct(log=kept)
    direct.client("s3").create_bucket(Bucket="kept")
    sent = {"Content-Length": "0", "Host": "127.0.0.1", "x-amz-meta-x-amz-signature": SECRET}
    for text in SHOWN:
        head = tuple({"Referer": text, "User-Agent": text, **sent}.items())
        direct.handle(HttpRequest("PUT", f"/kept/{quote(text)}", (), "", head, b""))
        with pytest.raises(ClientError):
            direct.client("s3").copy_object(Bucket="kept", Key="k", CopySource=f"kept/k?{text}")
        with pytest.raises(ClientError):
            direct.client("iam").create_policy(PolicyName="p", PolicyDocument=text)
        with pytest.raises(ClientError):
            direct.client("cloudformation").create_stack(StackName="s", TemplateURL=text)
    kept.close()
    events = [json.loads(line) for line in (tmp_path / "decisions.jsonl").read_text().splitlines()]
    assert len(events) == 1 + 4 * len(SHOWN)
    shown = [each for each in events if "reed" in str(each)]
    assert shown == []
    direct.stop()


@pytest.mark.parametrize(
    "key",
    ["k?page_token=5", "k?token=5&next-token=6", "design-signature=a", "signature=a/b", "a;b=c"],
)
def test_a_key_that_only_looks_like_a_signature_is_in_the_file(tmp_path: Path, key: str) -> None:
    kept = DecisionLog(tmp_path)
    direct = Direct(log=kept)
    direct.client("s3").create_bucket(Bucket="kept")
    direct.client("s3").put_object(Bucket="kept", Key=key, Body=b"")
    kept.close()
    event = json.loads((tmp_path / "decisions.jsonl").read_text().splitlines()[-1])
    assert event["requestParameters"]["Key"] == key
    assert event["decisions"][0]["resource"] == f"arn:aws:s3:::kept/{key}"
    direct.stop()


@pytest.mark.parametrize(("sent", "logged"), [(10, 10), (30, 1)])
def test_of_lists_in_large_parameters_only_the_first_is_logged(
    direct: Direct, sent: int, logged: int
) -> None:
    entry = {"ContextKeyName": "aws:x", "ContextKeyType": "string"}
    direct.user("ann")
    with pytest.raises(ClientError, match="AccessDenied"):
        direct.client("iam", "ann").simulate_custom_policy(
            PolicyInputList=['{"Version": "2012-10-17", "Statement": []}'],
            ActionNames=["s3:GetObject"],
            ContextEntries=[{**entry, "ContextKeyValues": ["'" * 4000]} for _ in range(sent)],
        )
    event = direct.log.events()[-1]
    assert event["eventName"] == "SimulateCustomPolicy"
    assert len(event["requestParameters"]["ContextEntries"]) == logged
    assert event["requestParameters"]["ActionNames"] == ["s3:GetObject"]


@pytest.mark.parametrize("secret", ["wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI/K7 MDENG", "wJalr=XU"])
@pytest.mark.parametrize(
    ("service", "call"), [("sts", "get_caller_identity"), ("s3", "list_buckets")]
)
def test_a_secret_in_the_place_of_the_key_is_not_logged(
    direct: Direct, secret: str, service: str, call: str
) -> None:
    direct.keys["eve"] = (secret, "AKIAEVEEVEEVEEVEEVE1", None)
    with pytest.raises(ClientError):
        getattr(direct.client(service, "eve"), call)()
    assert "wJalr" not in json.dumps(direct.log.events()[-1])


def test_a_secret_in_the_place_of_the_algorithm_is_not_logged(direct: Direct) -> None:
    form = "application/x-www-form-urlencoded"
    sent = {"Host": "h", "Authorization": "wJalrXUtnFEMI/K7MDENG", "Content-Type": form}
    asked = HttpRequest("POST", "/", (), "", tuple(sent.items()), b"Action=GetCallerIdentity")
    said = direct.handle(asked).body
    assert b"Unsupported AWS 'algorithm': 'wJalrXUtnFEMI/K7MDENG'." in said
    event = direct.log.events()[-1]
    assert event["errorCode"] == "IncompleteSignature"
    assert "wJalr" not in json.dumps(event)


def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MAX_FILE", 4000)
    kept = DecisionLog(tmp_path)
    direct = Direct(log=kept)
    for _ in range(12):
        direct.client("iam").get_user()
    kept.close()
    sizes = [file.stat().st_size for file in tmp_path.iterdir()]
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "decisions.jsonl",
        "decisions.jsonl.1",
    ]
    assert max(sizes) <= 4000
    direct.stop()


def test_what_is_hidden(direct: Direct) -> None:
    given = {
        "Bucket": "there-is-none",
        "Key": "key",
        "SSECustomerAlgorithm": "AES256",
        "SSECustomerKey": "k" * 32,
        "Tagging": "a=b",
        "Body": b"12345",
    }
    with pytest.raises(ClientError):
        direct.client("s3").put_object(**given)
    with pytest.raises(ClientError):
        direct.client("iam").create_login_profile(UserName="ann", Password="Hush-Hush-123!")
    with pytest.raises(ClientError):
        direct.client("iam").create_policy(PolicyName="p", PolicyDocument="x" * 5000)
    with pytest.raises(ClientError):
        direct.client("sts", "nobody").assume_role_with_web_identity(
            RoleArn="arn:aws:iam::111122223333:role/r",
            RoleSessionName="s",
            WebIdentityToken="t" * 9,
        )
    put, login, policy, web = [one["requestParameters"] for one in direct.log.events()[-4:]]
    assert (put["Key"], put["Tagging"]) == ("key", "a=b")
    hidden = {"SSECustomerKey": put, "Password": login, "WebIdentityToken": web}
    assert [told[name] for name, told in hidden.items()] == [HIDDEN] * 3
    assert login["UserName"] == "ann"
    assert 4096 < len(policy["PolicyDocument"]) < 4200
    assert log._short({"Body": b"12345"}, 1) == {"Body": "(5 bytes)"}
