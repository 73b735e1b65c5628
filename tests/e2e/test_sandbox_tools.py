"""The log, why, the clock, accounts as files, and who the aws CLI may be: real processes."""

import base64
import json
import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest
from tests.e2e.machine import Done, Machine, interrupt

from stslab.sandbox.federation.oidc.issuers import OWN_ISSUER

pytestmark = pytest.mark.slow
LEARNER, PARTNER = "111122223333", "444455556666"
BOB = f"arn:aws:iam::{LEARNER}:user/bob"
KEY = "aws iam create-access-key --user-name bob --query 'AccessKey.[AccessKeyId,SecretAccessKey]' --output text"


def bob(machine: Machine) -> tuple[str, str]:
    """A user without permissions, and its key."""
    made = machine.sh(f"aws iam create-user --user-name bob >/dev/null && {KEY}")
    assert made.code == 0, made.err
    key, secret = made.out.split()
    machine.transcript.clear()  # where the secret is
    return key, secret


def as_(machine: Machine, keys: tuple[str, ...], command: str) -> Done:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    given = " ".join(f"{name}={value}" for name, value in zip(names, keys, strict=False))
    return machine.sh(f"env -u AWS_PROFILE {given} {command}")


def last_event(machine: Machine) -> dict:
    return json.loads(machine.stslab("sandbox", "log", "--json", "--limit", "1").out)


def why(machine: Machine, *arguments: str) -> dict:
    return json.loads(machine.stslab("why", *arguments, "--json").out)


def test_a_refusal_is_in_the_log_and_explained(machine):
    keys = bob(machine)
    assert "AccessDenied" in as_(machine, keys, "aws iam list-users").err
    said = machine.stslab("sandbox", "log", "--denied")
    assert "user/bob" in said.out
    assert "iam:ListUsers" in said.out
    assert "no identity-based policy allows the iam:ListUsers action" in " ".join(said.out.split())
    (event,) = map(
        json.loads, machine.stslab("sandbox", "log", "--denied", "--json").out.splitlines()
    )
    assert event["errorCode"] == "AccessDenied"
    assert event["userIdentity"]["arn"] == BOB
    told = why(machine)
    assert told["request"]["requestID"] == event["requestID"]
    assert told == why(machine, event["requestID"]) == why(machine, event["requestID"][:8])
    shown = machine.stslab("why")
    assert shown.code == 0
    for part in (
        BOB,
        "iam:ListUsers",
        "What to change if this caller should be allowed",
        "put-user-policy --user-name bob",
    ):
        assert part in shown.out
    # AWS says the reason, and so does the tree; once more would be once too often.
    assert " ".join(shown.out.split()).count("no identity-based policy allows the iam:List") == 2
    assert max(map(len, shown.out.splitlines())) <= 200
    assert keys[1] not in "".join(machine.transcript)
    assert not [one for one in machine.secrets() if one in "".join(machine.transcript)]


def test_who_was_not_believed_is_explained(machine):
    key, secret = bob(machine)
    as_(machine, (key, "wrong/wrong/wrong"), "aws iam list-users")
    told = why(machine)
    assert told["request"]["errorCode"] == "SignatureDoesNotMatch"
    assert told["request"]["userIdentity"] == {"type": "Unknown", "accessKeyId": key}
    assert "a secret that does not belong" in told["why"]
    parts = "Credentials.[AccessKeyId,SecretAccessKey,SessionToken]"
    ask = f"aws sts get-session-token --query '{parts}' --output text"
    own = tuple(as_(machine, (key, secret), ask).out.split())
    machine.transcript.clear()
    as_(machine, own, "aws iam list-users")
    assert why(machine)["why"].startswith("The session is valid, but may not call IAM")
    as_(machine, own, f"aws sts get-access-key-info --access-key-id {key}")
    assert why(machine)["why"].startswith("Sessions of GetSessionToken and GetFederationToken may")
    as_(machine, own[:2], "aws iam list-users")
    assert "Its session token is missing or wrong" in why(machine)["why"]
    as_(machine, ("AKIAIOSFODNN7EXAMPLE", secret), "aws s3 ls")
    assert "no access key with this id" in why(machine)["why"]
    machine.sh(f"aws iam update-access-key --user-name bob --access-key-id {key} --status Inactive")
    as_(machine, (key, secret), "aws iam list-users")
    said = why(machine)["why"]
    assert said.startswith(f"The access key of {BOB} is Inactive. ")
    assert "by user/admin (iam:UpdateAccessKey, request " in said
    as_(machine, (), "aws iam list-users --no-sign-request")
    assert "--no-sign-request" in json.dumps(why(machine)["changes"])
    assert secret not in "".join(machine.transcript)


def test_sessions_expire_by_the_clock(machine):
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": LEARNER},
                "Action": "sts:AssumeRole",
            },
        }
    )
    machine.sh(f"aws iam create-role --role-name lab --assume-role-policy-document '{trust}'")
    given = machine.asks_aws(
        "sts",
        "assume-role",
        "--role-arn",
        f"arn:aws:iam::{LEARNER}:role/lab",
        "--role-session-name",
        "ss",
    )["Credentials"]
    machine.transcript.clear()
    keys = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    ask = "aws sts get-caller-identity"
    assert as_(machine, keys, ask).code == 0
    moved = machine.stslab("sandbox", "clock", "+2h")
    assert "2 h ahead of the real time" in moved.out
    assert "ExpiredToken" in as_(machine, keys, ask).err
    told = why(machine)
    assert "have expired by the embedded account's clock" in told["why"]
    assert machine.aws("iam", "list-users").code == 0  # signatures are judged by the real time
    assert "1 h ahead" in machine.stslab("sandbox", "clock", "-60m").out
    assert "the real time)" in machine.stslab("sandbox", "clock", "real").out
    assert as_(machine, keys, ask).code == 0
    assert "2030-01-31T12:00:0" in machine.stslab("sandbox", "clock", "2030-01-31T12:00:00Z").out
    for one in (given["SecretAccessKey"], given["SessionToken"]):
        assert one not in "".join(machine.transcript)


@pytest.mark.parametrize("move", ["2", "+2y", "-", "yesterday", "+99999999d", "2030-13-01"])
def test_what_does_not_move_the_clock(machine, move):
    said = machine.stslab("sandbox", "clock", move)
    assert (said.code, said.out) == (2, "")
    assert "is not a move of the clock" in said.err


def test_the_clock_does_not_go_everywhere(machine):
    assert "ten years" in machine.stslab("sandbox", "clock", "+5000d").err


def test_the_log_is_followed_until_it_is_interrupted(machine):
    machine.stslab("sandbox", "start")
    following = machine.start("sandbox", "log", "--follow", "--json")
    machine.aws("iam", "list-groups")
    assert following.stdout is not None
    line = following.stdout.readline()
    assert json.loads(line)["eventName"] == "ListGroups"
    assert interrupt(following, signal.SIGINT).code == 0


def test_a_reader_that_stops_ends_it_without_a_word(machine):
    machine.aws("iam", "list-groups")
    command = " ".join(map(str, machine.command("sandbox", "log", "--follow", "--json")))
    following = subprocess.Popen(
        ["sh", "-c", f"{command} | head -1"],
        env=machine.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while following.poll() is None and time.monotonic() < deadline:
        machine.aws("iam", "list-groups")
    out, err = following.communicate(timeout=30)
    assert len(out.splitlines()) == 1
    assert err == ""


def test_the_log_outlives_the_sandbox_and_hides_nothing_in_the_terminal(machine):
    keys = bob(machine)
    as_(machine, keys, r"""aws s3api get-object --bucket b-b --key "$(printf '\033[31mred')" out""")
    machine.sh("aws s3 mb s3://b-b")
    machine.sh(r"""aws s3api put-object --bucket b-b --key "$(printf '\033[31mred')" """)
    as_(machine, keys, r"""aws s3api get-object --bucket b-b --key "$(printf '\033[31mred')" out""")
    machine.stop()
    said = machine.stslab("sandbox", "log", "--denied")
    assert "is not running" in said.err
    assert "b-b" in said.out
    shown = machine.stslab("why")
    assert "\x1b" not in said.out + shown.out
    assert r"\x1b[31mred" in shown.out


def test_before_anything_was_asked(machine):
    assert machine.stslab("sandbox", "log").code == 0
    assert "nothing" in machine.stslab("why").err
    assert machine.stslab("why", "--json").out == "null\n"
    unknown = machine.stslab("why", "abcdef")
    assert (unknown.code, "no request" in unknown.err) == (2, True)
    assert machine.stslab("sandbox", "log", "--since", "noon").code == 2
    assert machine.stslab("sandbox", "log", "--since", "10m", "-n", "3").code == 0


def test_an_account_goes_to_another_machine(machine, tmp_path):
    keys = bob(machine)
    machine.sh("aws s3 mb s3://b-b && echo hello | aws s3 cp - s3://b-b/a.txt")
    file = tmp_path / "account.stslab"
    exported = machine.stslab("sandbox", "export", str(file))
    assert exported.code == 0, exported.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert machine.stslab("sandbox", "export", str(file)).code == 2
    assert machine.stslab("sandbox", "export", str(file), "--force").code == 0
    (tmp_path / "other").mkdir()
    other = Machine(tmp_path / "other")
    try:
        other.stslab("sandbox", "start")
        refused = other.stslab("sandbox", "import", str(file))
        assert refused.code == 2
        assert "--yes" in refused.err
        before = json.loads(other.stslab("sandbox", "status", "--json").out)["instance"]
        assert other.stslab("sandbox", "import", str(file), "--yes").code == 0
        after = json.loads(other.stslab("sandbox", "status", "--json").out)["instance"]
        ours = json.loads(machine.stslab("sandbox", "status", "--json").out)["instance"]
        assert len({before, after, ours}) == 3
        assert as_(other, keys, "aws sts get-caller-identity").code == 0
        assert other.sh("aws s3 cp s3://b-b/a.txt -").out == "hello\n"
        assert not list(other.state.glob("sandbox/.import-*"))
    finally:
        other.stop()


def test_an_account_that_can_not_be_opened_leaves_the_one_before(machine, tmp_path):
    machine.sh("aws iam create-user --user-name ann")
    bad = tmp_path / "bad"
    bad.write_bytes(b"SQLite format 3\0" + bytes(5000))
    said = machine.stslab("sandbox", "import", str(bad), "--yes")
    assert said.code == 1
    assert "Traceback" not in said.said
    assert machine.aws("iam", "get-user", "--user-name", "ann").code == 0
    assert machine.stslab("sandbox", "import", str(tmp_path / "none"), "--yes").code == 2
    os.mkfifo(tmp_path / "pipe")
    pipe = machine.stslab("sandbox", "import", str(tmp_path / "pipe"), "--yes")
    assert (pipe.code, "it is not a regular file" in pipe.said) == (1, True)


def test_the_aws_cli_may_be_anyone(machine):
    for name, arn in {
        "admin": f"arn:aws:iam::{LEARNER}:user/admin",
        "root": f"arn:aws:iam::{LEARNER}:root",
        "partner": f"arn:aws:iam::{PARTNER}:user/admin",
        "partner-root": f"arn:aws:iam::{PARTNER}:root",
    }.items():
        script = f"""
        eval "$({" ".join(machine.command("env", "--shell", "sh", "--as", name))})"
        aws sts get-caller-identity --query Arn --output text
        """
        assert machine.sh(script).out.strip() == arn
    for file in machine.state.glob("profiles/sandbox/*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not (Path(machine.root) / ".aws").exists()
    nobody = machine.stslab("env", "--as", "sts")
    assert (nobody.code, nobody.out) == (2, "")
    assert "partner-root" in nobody.err
    assert not [one for one in machine.secrets() if one in "".join(machine.transcript)]


def test_a_token_gets_a_session(machine):
    issuer = "https://oidc.example.test"
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {
                    "Federated": f"arn:aws:iam::{LEARNER}:oidc-provider/oidc.example.test"
                },
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {"oidc.example.test:sub": "me"}},
            },
        }
    )
    machine.sh(
        f"aws iam create-open-id-connect-provider --url {issuer} --client-id-list app; "
        f"aws iam create-role --role-name web --assume-role-policy-document '{trust}'"
    )
    role = f"arn:aws:iam::{LEARNER}:role/web"
    wanted = ("--aud", "app", "--issuer", issuer, "--claim", "groups=a", "--claim", "groups=b")
    for subject, works in (("me", True), ("you", False)):
        token = machine.stslab("sandbox", "token", "--sub", subject, *wanted).out.strip()
        machine.transcript.clear()
        done = machine.sh(
            f"aws sts assume-role-with-web-identity --role-arn {role} --role-session-name ss"
            f" --web-identity-token {token} --query AssumedRoleUser.Arn"
        )
        assert (done.code == 0) is works, done.err
        provider = f"arn:aws:iam::{LEARNER}:oidc-provider/oidc.example.test"
        assert last_event(machine)["userIdentity"] == {
            "type": "WebIdentityUser",
            "principalId": f"{provider}:app:{subject}",
            "userName": subject,
            "identityProvider": provider,
        }
    assert f"{subject} (web identity)" in machine.stslab("sandbox", "log").out
    told = why(machine)
    assert told["changes"][0]["layer"] == "role trust policy"
    assert "oidc.example.test:sub" in told["changes"][0]["options"][0]["what"]
    assert token not in machine.stslab("sandbox", "log", "--json").out
    assert machine.stslab("sandbox", "token", "--sub", "a", "--aud", "b", "--claim", "c").code == 2
    assert OWN_ISSUER in machine.stslab("sandbox", "token", "--help").out


def test_a_token_carries_session_tags(machine):
    tags = ("--tag", "Team=red", "--tag", "Cost=7", "--transitive", "Team")
    token = machine.stslab("sandbox", "token", "--sub", "a", "--aud", "b", *tags).out.strip()
    body = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims["https://aws.amazon.com/tags"] == {
        "principal_tags": {"Team": ["red"], "Cost": ["7"]},
        "transitive_tag_keys": ["Team"],
    }


def test_a_reset_without_a_terminal_wants_to_be_told(machine):
    before = machine.stslab("sandbox", "status", "--json").out
    done = machine.stslab("sandbox", "reset")
    assert done.code == 2
    assert "stslab sandbox reset --yes" in done.err
    assert machine.stslab("sandbox", "status", "--json").out == before


@pytest.mark.soak
def test_an_assertion_gets_a_session(machine):
    provider, role = (
        f"arn:aws:iam::{LEARNER}:saml-provider/corp",
        f"arn:aws:iam::{LEARNER}:role/web",
    )
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
        "Condition": {"StringEquals": {"saml:edupersonaffiliation": "staff"}},
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
    made = machine.sh(
        "stslab sandbox saml metadata > metadata.xml && aws iam create-saml-provider --name corp"
        " --saml-metadata-document file://metadata.xml &&"
        f" aws iam create-role --role-name web --assume-role-policy-document '{trust}'"
    )
    assert made.code == 0, made.err
    assert f"{provider}" in made.out
    for affiliation, works in (("staff", True), ("student", False)):
        asked = ("--role", "web", "--provider", provider, "--name", "ana")
        more = (
            "--attribute",
            f"eduPersonAffiliation={affiliation}",
            "--attribute",
            "PrincipalTag:A=b",
        )
        assertion = machine.stslab("sandbox", "saml", "assertion", *asked, *more).out.strip()
        machine.transcript.clear()
        done = machine.sh(
            f"aws sts assume-role-with-saml --role-arn {role} --principal-arn {provider}"
            f" --saml-assertion {assertion} --query AssumedRoleUser.Arn"
        )
        assert (done.code == 0) is works, done.err
        identity = last_event(machine)["userIdentity"]
        assert (identity["type"], identity["userName"]) == ("SAMLUser", "ana")
        assert identity["principalId"] == f"{identity['identityProvider']}:ana"
    assert "ana (SAML)" in machine.stslab("sandbox", "log").out
    told = why(machine)
    assert told["changes"][0]["layer"] == "role trust policy"
    assert "saml:eduPersonAffiliation".lower() in told["changes"][0]["options"][0]["what"].lower()
    assert assertion not in machine.stslab("sandbox", "log", "--json").out
    wrong = ("--role", "web", "--provider", "corp", "--name", "ana", "--attribute", "c")
    assert machine.stslab("sandbox", "saml", "assertion", *wrong).code == 2


def test_codes_enable_a_device(machine):
    machine.sh(
        "aws iam create-virtual-mfa-device --virtual-mfa-device-name phone"
        " --outfile seed --bootstrap-method Base32StringSeed"
    )
    codes = machine.stslab("sandbox", "mfa", "phone").out.split()
    assert [len(code) for code in codes] == [6, 6]
    done = machine.sh(
        f"aws iam enable-mfa-device --user-name admin"
        f" --serial-number arn:aws:iam::{LEARNER}:mfa/phone"
        f" --authentication-code1 {codes[0]} --authentication-code2 {codes[1]}"
    )
    assert done.code == 0, done.err
    unknown = machine.stslab("sandbox", "mfa", "none")
    assert (unknown.code, f"These exist: arn:aws:iam::{LEARNER}:mfa/phone" in unknown.err) == (
        1,
        True,
    )
    assert "running                  yes\n" in machine.stslab("sandbox", "status").out
