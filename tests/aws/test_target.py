"""Targets, and the guard of real accounts."""

import pytest
from tests.aws.conftest import ADMIN
from tests.aws.endpoint import error

from stslab import resources
from stslab.aws import environment, guard, target
from stslab.aws.catalogue import BotocoreCatalogue
from stslab.aws.clients import own_clients
from stslab.aws.guard import says_production
from stslab.errors import CredentialsError, RunError, UsageError
from stslab.lab import loader
from stslab.runner.ports import TargetInfo

CALLER = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>{arn}</Arn><UserId>A</UserId><Account>111122223333</Account>
</GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>
</GetCallerIdentityResponse>"""
ME = "arn:aws-us-gov:iam::111122223333:user/me"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("sandbox", "sandbox"), ("aws", "aws"), ("http://127.0.0.1:5000", "endpoint")],
)
def test_kinds_of_targets(name, kind):
    assert target.kind_of(name) == kind


@pytest.mark.parametrize(
    "name",
    ["moon", "", "ftp://host", "http://", "https://:80", "http://[::1", "http://host:0",
     "http://host:99999", "http://host:x", "http://me:secret@host", "http://a b", "http://host/\x1b[31m"],
)  # fmt: skip
def test_an_unknown_target(name):
    with pytest.raises(UsageError, match="no target"):
        target.kind_of(name)


def test_the_sandbox_has_its_admin(tmp_path):
    info = TargetInfo("sandbox", "sandbox", "111122223333", "us-east-1")
    made = target.Target(info, "http://127.0.0.1:1", ADMIN)
    profiles = made.profiles(tmp_path / "p")
    assert profiles.get("admin") == ADMIN
    assert ADMIN.secret_access_key not in repr(made) + repr(profiles)


def test_a_real_account_keeps_no_credentials_of_the_learners(tmp_path):
    info = TargetInfo("aws", "aws", "111122223333", "us-east-1")
    made = target.Target(info, own={"admin": "work"})
    profiles = made.profiles(tmp_path / "p")
    assert profiles.names() == ()
    profiles.prepare()
    assert "export-credentials --format process --profile work" in (
        profiles.config_file.read_text()
    )


def test_the_profile_admin_is_who_the_guard_saw(tmp_path, monkeypatch):
    """Also where variables say who the learner is, and with the variables of `stslab env`."""
    for name in (*environment.SET, environment.OWN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_PROFILE", "my sandbox")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/elsewhere/config")
    info = TargetInfo("aws", "aws", "111122223333", "us-east-1")
    files = target.Target(info, own={"admin": "", "partner": "the other"}).profiles(tmp_path / "p")
    variables = environment.variables(files, "us-east-1")
    written = files.config_file.read_text()
    runs = "AWS_CONFIG_FILE=/elsewhere/config 'AWS_PROFILE=my sandbox' aws configure export-credent"
    assert written.count(runs) == 3
    assert "--format process --profile 'the other'\n" in written
    for name, value in environment.applied(variables).items():
        monkeypatch.setenv(name, value)
    again = target.Target(info, own={"admin": "", "partner": "the other"}).profiles(tmp_path / "p")
    again.prepare()
    assert files.config_file.read_text() == written


def test_a_variable_adds_no_line_to_the_profiles(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_CONFIG_FILE", "/x\ncredential_process = evil")
    info = TargetInfo("aws", "aws", "111122223333", "us-east-1")
    with pytest.raises(CredentialsError, match="characters it can't have"):
        target.Target(info, own={"admin": ""}).profiles(tmp_path / "p")


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b"<a/>", b"", b"<!DOCTYPE a [<!ENTITY b 'c'>]>"]
)
def test_an_answer_that_is_not_awss(endpoint, signed_in, body):
    clients = own_clients(url=endpoint.url)
    endpoint.then(200, body)
    with pytest.raises(RunError, match="could not ask AWS who you are"):
        guard.identify(clients)
    endpoint.then(200, body)
    assert guard.alias(clients) is None
    endpoint.then(200, body)
    assert guard.reach(clients)[1]


def test_the_name_of_an_endpoint_fits_a_folder():
    assert target.name_of("https://aws.example.test:4566/x") == "https-aws.example.test-4566-x"
    assert target.name_of("http://localhost:1") == "http-localhost-1"
    assert target.name_of("http://sandbox") != target.name_of("sandbox")  # else profiles are shared


@pytest.fixture
def signed_in(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAME")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "MYSECRET0123456789")


def test_the_guard_identifies_the_learner(endpoint, signed_in, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    endpoint.then(200, CALLER.format(arn=ME).encode())
    made, identity = guard.real_target(url=endpoint.url, account="111122223333")
    assert (identity.account, identity.arn) == ("111122223333", ME)
    assert (made.info.account, made.info.region) == ("111122223333", "eu-west-1")
    assert (made.info.partition, made.info.eventually_consistent) == ("aws-us-gov", False)


def test_the_guard_refuses_another_account(endpoint, signed_in):
    endpoint.then(200, CALLER.format(arn=ME).encode())
    with pytest.raises(CredentialsError, match="not for 999999999999") as caught:
        guard.real_target(url=endpoint.url, account="999999999999")
    assert caught.value.exit_code == 4


def test_the_guard_refuses_root_except_on_local_endpoints(endpoint, signed_in):
    clients = own_clients(url=endpoint.url)
    root = guard.Learner("111122223333", "arn:aws:iam::111122223333:root", clients)
    with pytest.raises(CredentialsError, match="root user") as caught:
        guard.require(root)
    assert caught.value.exit_code == 4
    endpoint.then(200, CALLER.format(arn=root.arn).encode())
    made, _ = guard.real_target(url=endpoint.url)
    assert made.info.caller == root.arn


def test_the_target_aws_follows_the_learners_endpoint_url(endpoint, signed_in, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint.url)
    endpoint.then(200, CALLER.format(arn=ME).encode())
    made, _ = guard.real_target()
    assert (made.info.kind, made.endpoint_url) == ("aws", endpoint.url)
    assert made.info.instance == endpoint.url
    assert made.info.eventually_consistent
    # Root is refused there, though the endpoint is on this machine: the target says AWS.
    endpoint.then(200, CALLER.format(arn="arn:aws:iam::111122223333:root").encode())
    with pytest.raises(CredentialsError, match="root user"):
        guard.real_target()


@pytest.mark.parametrize(
    "case",
    [
        (b"111122223333 12", "'12' is not an account id"),
        (b"deny_accounts = []", "'deny_accounts' is not an account id"),
        (b"\xff", "can't be read"),
    ],
)
def test_an_unreadable_deny_list_stops_before_any_call(
    endpoint, signed_in, monkeypatch, tmp_path, case
):
    text, words = case
    (tmp_path / "stslab").mkdir()
    (tmp_path / "stslab" / "denied-accounts").write_bytes(text)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(UsageError, match=words):
        guard.real_target(url=endpoint.url)
    assert endpoint.asked == []


@pytest.mark.parametrize(
    ("alias", "production"),
    [
        ("acme-prod", True),
        ("prod1", True),
        ("production-eu", True),
        ("acme-prd-1", True),
        ("live", True),
        ("acme-product-dev", False),
        ("sandbox-7", False),
        ("deliverance", False),
        ("", False),
    ],
)
def test_aliases_of_production_accounts(alias, production):
    assert says_production(alias) == production


def test_credentials_that_ended(endpoint, signed_in):
    endpoint.then(403, error("ExpiredToken", "The security token is expired"))
    with pytest.raises(CredentialsError, match="ExpiredToken"):
        guard.identify(own_clients(url=endpoint.url))


def test_no_credentials(endpoint):
    with pytest.raises(CredentialsError, match="No AWS credentials"):
        guard.identify(own_clients(url=endpoint.url))


def test_an_unknown_profile(endpoint):
    with pytest.raises(CredentialsError, match="nothere"):
        guard.real_target("nothere", url=endpoint.url)


def test_no_network(signed_in):
    clients = own_clients(url="http://127.0.0.1:1")
    with pytest.raises(RunError, match="could not ask AWS who you are"):
        guard.identify(clients)


def test_what_the_lab_needs_of_an_account():
    lab = loader.load(resources.labs_folder() / "steps.yaml", catalogue=BotocoreCatalogue())
    info = TargetInfo("aws", "aws", "111122223333", "eu-west-1", partition="aws-us-gov")
    found = guard.footprint(lab, info)
    users = [
        one for one in found.needed if one.startswith("arn:aws-us-gov:iam::111122223333:user/")
    ]
    assert {"iam:CreateUser", "iam:DeleteUser"} <= {*found.needed[users[0]]}
    assert "<" not in "".join(found.needed)  # the simulator takes no placeholders
    stacks = "arn:aws-us-gov:cloudformation:eu-west-1:111122223333:stack/"
    assert any(one.startswith(stacks) for one in found.needed)
    assert "iam:CreateRole" in found.needed["*"]  # by the stack, under a name that is not known yet
    assert found.counts["iam.user"] == found.counts["cloudformation.stack"] == 1
