"""Calls over real connections return answers, refusals and lost answers as values."""

import socket
from typing import Any

import pytest
from botocore.session import Session
from tests.aws.endpoint import STACKS, USER, error

from stslab.aws.account import UNREACHABLE, Boto3Account, failure, no_credentials, plain
from stslab.aws.target import Target
from stslab.errors import CredentialsError, RunError
from stslab.runner.ports import Answer, Call, Credentials, Lost, Refusal, TargetInfo


def get_user(account, identity="admin"):
    return account.call(Call(identity, "iam", "GetUser", {"UserName": "u"}))


def test_an_answer_is_plain_values(endpoint, account):
    endpoint.then(200, USER)
    outcome = get_user(account)
    assert isinstance(outcome, Answer)
    assert outcome.data["User"]["CreateDate"] == "2026-01-02T03:04:05Z"
    assert outcome.request_id == "req-1"
    assert "ResponseMetadata" not in outcome.data


@pytest.mark.parametrize(
    ("status", "code", "transient"),
    [
        (403, "AccessDenied", False),
        (404, "NoSuchEntity", False),
        (409, "DeleteConflict", False),
        (400, "Throttling", True),
        (400, "RequestLimitExceeded", True),
        (500, "ServiceFailure", True),
        (503, "ServiceUnavailable", True),
        (501, "NotImplemented", False),
    ],
)
def test_an_error_of_awss_is_a_refusal(endpoint, account, status, code, transient):
    endpoint.then(status, error(code))
    assert get_user(account) == Refusal(code, "said AWS", status, "req-2", transient)
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize("how", ["reset", "hang"])
@pytest.mark.parametrize("operation", ["CreateUser", "GetUser"])
def test_a_missing_answer_is_lost_and_the_call_is_not_repeated(endpoint, account, how, operation):
    endpoint.then(how)
    outcome = account.call(Call("admin", "iam", operation, {"UserName": "u"}))
    assert isinstance(outcome, Lost)
    assert "answer" in outcome.text
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize("body", [b"<html>login to the hotel's network</html", b"<html/>"])
def test_an_unreadable_answer_is_lost(endpoint, account, body):
    endpoint.then(200, body)
    assert isinstance(get_user(account), Lost)


def test_an_unreachable_endpoint_is_a_refusal(profiles):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        info = TargetInfo("sandbox", "sandbox", "1", "us-east-1")
        outcome = get_user(Boto3Account(Target(info, url), profiles))
    assert outcome == Refusal(UNREACHABLE, f"Could not connect to {url}/.") or (
        isinstance(outcome, Refusal) and not outcome.transient and url in outcome.message
    )


def test_wrong_parameters_are_a_refusal(account):
    outcome = account.call(Call("admin", "iam", "GetUser", {"Nothing": 1}))
    assert isinstance(outcome, Refusal)
    assert outcome.code == "ParamValidation"


def test_an_unknown_operation(account):
    assert isinstance(account.call(Call("admin", "iam", "MakeCoffee", {})), Refusal)


def test_an_unknown_identity(account):
    with pytest.raises(CredentialsError, match="no profile sts") as caught:
        get_user(account, "sts")
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId"])
def test_ended_credentials_of_admin_stop_the_run(endpoint, account, profiles, code):
    profiles.save("sts", Credentials("AKIASTS", "STSSECRET0123456789"))
    endpoint.then(403, error(code)).then(403, error(code))
    assert get_user(account, "sts").code == code
    with pytest.raises(CredentialsError, match=code):
        get_user(account)


def test_each_identity_signs_with_its_own_keys_and_new_ones_at_once(endpoint, account, profiles):
    profiles.save("sts", Credentials("AKIAFIRST", "STSSECRET0123456789"))
    for _ in range(3):
        endpoint.then(200, USER)
    get_user(account)
    get_user(account, "sts")
    profiles.save("sts", Credentials("ASIASECOND", "STSSECRET0123456789", "TOKEN0123456789"))
    get_user(account, "sts")
    signed = [headers["Authorization"].split("Credential=")[1][:10] for headers in endpoint.headers]
    assert signed == ["AKIAADMIN0", "AKIAFIRST/", "ASIASECOND"]
    assert endpoint.headers[2]["X-Amz-Security-Token"] == "TOKEN0123456789"


def test_anonymous_signs_nothing(endpoint, account):
    endpoint.then(404, error("NoSuchBucket"))
    account.call(Call("anonymous", "s3", "ListObjectsV2", {"Bucket": "b"}))
    assert "Authorization" not in endpoint.headers[0]


def test_buckets_are_addressed_by_path(endpoint, account):
    endpoint.then(200)
    account.call(Call("admin", "s3", "HeadBucket", {"Bucket": "my-bucket"}))
    assert endpoint.asked[0][:2] == ("HEAD", "/my-bucket")


def test_a_body_is_read_as_text(endpoint, account):
    endpoint.then(200, "Grüße".encode())
    outcome = account.call(Call("admin", "s3", "GetObject", {"Bucket": "b", "Key": "k"}))
    assert outcome.data["Body"] == "Grüße"


@pytest.mark.parametrize(
    "name",
    [how[1] for how in Session.SESSION_VARIABLES.values() if str(how[1]).startswith("AWS_")]
    + ["AWS_S3_US_EAST_1_REGIONAL_ENDPOINT"],
)
def test_no_setting_of_the_learners_stops_a_call(endpoint, account, monkeypatch, name):
    monkeypatch.setenv(name, "bogus")
    endpoint.then(200, USER).then(200, b"")
    assert isinstance(get_user(account), Answer)
    listed = account.call(Call("admin", "s3", "HeadBucket", {"Bucket": "b"}))
    assert isinstance(listed, Answer)


def test_the_environment_redirects_no_call(endpoint, account, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_PROFILE", "nothere")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ENVSECRET")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    endpoint.then(200, USER)
    assert isinstance(get_user(account), Answer)
    assert "AKIAADMIN" in endpoint.headers[0]["Authorization"]


@pytest.mark.parametrize(
    ("waiter", "answer", "state"),
    [
        ("stack_create_complete", (200, STACKS % b"CREATE_IN_PROGRESS"), "retry"),
        ("stack_create_complete", (200, STACKS % b"CREATE_COMPLETE"), "success"),
        ("stack_create_complete", (200, STACKS % b"ROLLBACK_COMPLETE"), "failure"),
        ("stack_delete_complete", (400, error("ValidationError", "does not exist")), "success"),
        ("stack_delete_complete", (200, STACKS % b"DELETE_FAILED"), "failure"),
        ("stack_delete_complete", (403, error("AccessDenied")), "failure"),
        ("stack_delete_complete", (400, error("Throttling")), "retry"),
        ("stack_delete_complete", ("reset", b""), "retry"),
    ],
)
def test_a_waiter_probes_once(endpoint, account, waiter, answer, state):
    endpoint.then(*answer)
    wait = Call("admin", "cloudformation", waiter, {"StackName": "s"})
    assert account.probe(wait)[0] == state
    assert len(endpoint.asked) == 1


def test_how_a_waiter_polls(account):
    pace = account.waiter_pace("cloudformation", "stack_create_complete")
    assert pace == (30.0, 120)
    with pytest.raises(RunError, match="no waiter coffee_ready"):
        account.waiter_pace("iam", "coffee_ready")


def test_a_real_account_uses_the_learners_own_credentials(
    endpoint, profiles, monkeypatch, tmp_path
):
    profiles.remove("admin")
    info = TargetInfo("aws", "aws", "111122223333", "us-east-1")
    account = Boto3Account(Target(info, endpoint.url, own={"admin": ""}), profiles)
    with pytest.raises(CredentialsError, match="No AWS credentials"):
        get_user(account)
    own = tmp_path / "their-home" / ".aws"
    own.mkdir(parents=True)
    (own / "credentials").write_text(
        "[work]\naws_access_key_id = AKIAWORK\naws_secret_access_key = WORKSECRET\n"
    )
    endpoint.then(200, USER)
    account = Boto3Account(Target(info, endpoint.url, own={"admin": "work"}), profiles)
    assert isinstance(get_user(account), Answer)
    assert "AKIAWORK" in endpoint.headers[0]["Authorization"]
    with pytest.raises(CredentialsError, match="nothere"):
        get_user(Boto3Account(Target(info, endpoint.url, own={"admin": "nothere"}), profiles))


def errors_of_botocores() -> list[Exception]:
    from botocore import exceptions as boto

    kinds: list[Any] = [kind for kind in vars(boto).values() if isinstance(kind, type)]
    made = []
    for kind in (kind for kind in kinds if issubclass(kind, boto.BotoCoreError)):
        one = kind.__new__(kind)
        one.args, one.kwargs = ("said botocore",), {}
        made.append(one)
    return made


@pytest.mark.parametrize("error", errors_of_botocores(), ids=lambda one: type(one).__name__)
def test_every_botocore_error_is_a_value_or_about_credentials(error):
    try:
        outcome = failure(error, local=False)
    except CredentialsError:
        outcome = Refusal("credentials", "")
    assert isinstance(outcome, Refusal | Lost)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SSOTokenLoadError", "aws sso login"),
        ("UnauthorizedSSOTokenError", "aws sso login"),
        ("NoCredentialsError", "aws configure"),
        ("ProfileNotFound", "~/.aws/config"),
        ("CredentialRetrievalError", "aws configure export-credentials"),
    ],
)
def test_messages_about_missing_credentials(name, words):
    from botocore import exceptions as boto

    one = Exception.__new__(getattr(boto, name))
    one.args = ("said botocore",)
    assert words in no_credentials(one).hint


def test_bytes_and_naive_dates_become_plain():
    from datetime import datetime

    assert plain(b"a") == "a"
    assert plain(datetime(2026, 1, 2)) == "2026-01-02T00:00:00Z"  # noqa: DTZ001 - it is the case
