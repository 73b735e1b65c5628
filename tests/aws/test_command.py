"""The shown command makes the same call: checked with the aws CLI's own parser."""

import shlex
from typing import Any

import pytest

from stslab.aws import embedded
from stslab.aws.catalogue import BotocoreCatalogue
from stslab.aws.command import aws_command, describer
from stslab.aws.profiles import ProfileFiles
from stslab.lab import listing, loader
from stslab.runner.events import CheckStarted, StepStarted
from stslab.runner.ports import Call, Credentials, TargetInfo
from stslab.runner.run.plan import dry_run, plan


def calls_of_the_labs() -> list[tuple[Call, str]]:
    """Each distinct call of the bundled labs, with its command."""

    commands: dict[str, Call] = {}
    other = {"partner": "444455556666"}
    target = TargetInfo("sandbox", "sandbox", "111122223333", "us-east-1", accounts=other)
    for header in listing.headers():
        told: list[object] = []
        loaded = loader.load(header.path, catalogue=BotocoreCatalogue())
        dry_run(loaded, target, told.append, plan(loaded))
        describe = describer(loaded)
        for one in told:
            call = one.call if isinstance(one, StepStarted | CheckStarted) else None
            if call and call.service != embedded.SERVICE:
                commands[describe(call)] = call
    return [(call, command) for command, call in commands.items()]


@pytest.fixture(scope="module")
def parsed(tmp_path_factory):
    """Parse a command with the CLI's own parser: (parameters, global options)."""
    from awscli.clidriver import create_clidriver

    files = ProfileFiles(tmp_path_factory.mktemp("profiles"), "us-east-1", "http://127.0.0.1:1")
    made = {call.identity for call, _ in calls_of_the_labs()}
    for name in made:
        files.save(name, Credentials("AKIA", "SECRET0123456789"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_CONFIG_FILE", str(files.config_file))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(files.credentials_file))
        driver = create_clidriver()
        assert "sts" in driver.session.full_config["profiles"]  # read now, and kept
    got: dict[str, Any] = {}

    def capture(call_parameters, parsed_globals, **_):
        got.update(params=call_parameters, options=parsed_globals)
        return 0

    driver.session.register("calling-command.*", capture)

    def parse(command: str):
        words = shlex.split(command)
        assert words[0] in {"aws", "env"}
        own = words[words.index("aws") + 1 :]  # "env" sets variables for this call alone
        assert driver.main(own) == 0, command
        return got["params"], got["options"]

    return parse


def test_the_cli_parses_every_shown_command_of_the_labs(parsed):
    calls = calls_of_the_labs()
    assert len(calls) > 20
    for call, command in calls:
        wanted = dict(call.params)
        body = wanted.pop("Body", None)
        params, options = parsed(command)
        if body is not None:
            with params.pop("Body") as file:
                assert file.read().decode() == body
        params.pop("outfile", None)
        assert params == wanted, command
        if not command.startswith("env "):
            assert options.profile == call.identity


AWKWARD = [
    ("iam", "CreateUser", {"UserName": 'it\'s "me" $(x) `y` *'}),
    ("iam", "CreateUser", {"UserName": "-dashed"}),
    ("iam", "CreateUser", {"UserName": "file:///etc/passwd", "Path": "/x/"}),
    ("iam", "PutUserPolicy", {"UserName": "u", "PolicyName": "p", "PolicyDocument": "fileb:///x"}),
    ("iam", "TagUser", {"UserName": "u", "Tags": [{"Key": "a b", "Value": "c,d=e"}]}),
    ("iam", "TagUser", {"UserName": "u", "Tags": [{"Key": "a", "Value": ""}]}),
    ("iam", "UntagUser", {"UserName": "u", "TagKeys": ["a", "b c", "-d"]}),
    ("iam", "UntagUser", {"UserName": "u", "TagKeys": ["[x]"]}),
    ("iam", "UntagUser", {"UserName": "u", "TagKeys": ["file:///nowhere"]}),
    ("iam", "CreateUser", {"UserName": "http://127.0.0.1:9/x"}),
    (
        "iam",
        "CreateOpenIDConnectProvider",
        {"Url": "https://127.0.0.1:9/x", "ClientIDList": ["https://127.0.0.1:9/x"]},
    ),
    ("iam", "ListPolicies", {"OnlyAttached": True, "PathPrefix": "/a/"}),
    ("iam", "ListPolicies", {"OnlyAttached": False}),
    ("iam", "PutUserPolicy", {"UserName": "u", "PolicyName": "p", "PolicyDocument": '{\n "a": 1}'}),
    ("iam", "CreateVirtualMFADevice", {"VirtualMFADeviceName": "m", "Path": "/x/"}),
    (
        "iam",
        "EnableMFADevice",
        {
            "UserName": "u",
            "SerialNumber": "s",
            "AuthenticationCode1": "123456",
            "AuthenticationCode2": "654321",
        },
    ),
    (
        "s3",
        "PutBucketVersioning",
        {"Bucket": "b", "VersioningConfiguration": {"Status": "Enabled"}},
    ),
    ("s3", "DeleteObjects", {"Bucket": "b", "Delete": {"Objects": [{"Key": "k"}], "Quiet": True}}),
    ("s3", "GetObject", {"Bucket": "b", "Key": "k"}),
    ("s3", "PutObject", {"Bucket": "b", "Key": "k", "Metadata": {"a": "b c"}}),
    (
        "sts",
        "AssumeRole",
        {
            "RoleArn": "arn:aws:iam::111122223333:role/r",
            "RoleSessionName": "s",
            "DurationSeconds": 900,
            "Tags": [{"Key": "k", "Value": "v"}],
            "TransitiveTagKeys": ["k"],
            "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
        },
    ),
]


@pytest.mark.parametrize(("service", "operation", "params"), AWKWARD)
def test_awkward_values_reach_the_call_unchanged(parsed, service, operation, params):
    command = aws_command(Call("sts", service, operation, params))
    got, options = parsed(command)
    extras = {"outfile", "bootstrap_method"}
    assert {name: value for name, value in got.items() if name not in extras} == params, command
    assert options.profile == "sts"


def test_a_value_that_looks_like_a_file_is_not_read_from_one():
    body = {"Bucket": "b", "Key": "k", "Body": "file:///etc/passwd"}
    assert "--body k " in aws_command(Call("sts", "s3", "PutObject", body))


@pytest.mark.parametrize("sub", ["&&", "a'&&'/x"])
def test_a_token_for_any_subject_is_one_command(sub):
    params = {"Claims": {"sub": sub, "aud": "b"}}
    command = aws_command(Call("admin", "embedded", "GetToken", params))
    lexed = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexed.whitespace_split = True
    assert list(lexed) == ["stslab", "sandbox", "token", "--sub", sub, "--aud", "b"]


def test_anonymous_calls_are_not_signed():
    call = Call("anonymous", "s3", "GetObject", {"Bucket": "b", "Key": "a b"})
    expected = "aws s3api get-object --bucket b --key 'a b' /dev/stdout --no-sign-request"
    assert aws_command(call) == expected
