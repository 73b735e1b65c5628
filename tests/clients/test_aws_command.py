"""The ordinary aws command, in its first and its second version, does the whole lab."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from tests import programs
from tests.clients.lab import ROOT, policy_for
from tests.sandbox.cases import Account, Keys

MORE_THAN_ONE_PART = 9 * 1024 * 1024


@dataclass
class Command:
    """The aws command in a home of its own, with the keys that it is given as profiles."""

    account: Account
    home: Path
    program: tuple[str, ...]
    refusal: int

    def profile(self, name: str, keys: Keys) -> None:
        lines = [
            f"[{name}]",
            f"aws_access_key_id = {keys.access_key_id}",
            f"aws_secret_access_key = {keys.secret_access_key}",
        ]
        lines += [f"aws_session_token = {keys.session_token}"] if keys.session_token else []
        with (self.home / "credentials").open("a") as file:
            file.write("\n".join(lines) + "\n")

    def __call__(self, *arguments: str, profile: str = "admin") -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.home / "credentials"),
            "AWS_CONFIG_FILE": str(self.home / "config"),
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.account.endpoint.url,
            "AWS_PROFILE": profile,
            "AWS_MAX_ATTEMPTS": "1",
        }
        return subprocess.run(
            [*self.program, *arguments, "--output", "json"],
            env=environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def answer(self, *arguments: str, profile: str = "admin") -> Any:
        done = self(*arguments, profile=profile)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.startswith("{") else done.stdout

    def refused(self, code: str, *arguments: str, profile: str) -> None:
        done = self(*arguments, profile=profile)
        assert done.returncode == self.refusal
        assert f"({code})" in done.stderr, done.stderr


@pytest.fixture(params=["aws1", pytest.param("aws2", marks=pytest.mark.needs("aws2"))])
def aws(account: Account, tmp_path: Path, request: pytest.FixtureRequest) -> Command:
    first = (sys.executable, "-m", "awscli")
    second = (str(programs.find("aws2")),)
    # "Command line return codes" of each version's user guide: what a service's error ends with.
    program, refusal = (first, 255) if request.param == "aws1" else (second, 254)
    command = Command(account, tmp_path, program, refusal)
    command.profile("admin", account.keys["admin"])
    return command


@pytest.mark.soak
def test_the_whole_lab(aws: Command, fresh: str) -> None:
    user, stack, bucket = f"cli-{fresh}", f"cli-lab-{fresh}", f"cli-lab-{fresh}"
    aws.answer("iam", "create-user", "--user-name", user)
    key = aws.answer("iam", "create-access-key", "--user-name", user)["AccessKey"]
    aws.profile("sts", Keys.of(key))
    who = aws.answer("sts", "get-caller-identity", profile="sts")
    assert who["Arn"].endswith(f":user/{user}")
    aws.refused("AccessDenied", "s3api", "list-buckets", profile="sts")
    deployed = (
        *("cloudformation", "create-stack", "--stack-name", stack),
        *("--template-body", f"file://{ROOT}/templates/sts-role.yaml"),
        *("--capabilities", "CAPABILITY_IAM", "--parameters"),
        f"ParameterKey=UserName,ParameterValue={user}",
        f"ParameterKey=BucketName,ParameterValue={bucket}",
    )
    aws.answer(*deployed)
    aws.answer("cloudformation", "wait", "stack-create-complete", "--stack-name", stack)
    found = aws.answer("cloudformation", "describe-stacks", "--stack-name", stack)["Stacks"][0]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}
    assume = ("sts", "assume-role", "--role-arn", outputs["RoleArn"], "--role-session-name", "me")
    aws.refused("AccessDenied", *assume, profile="sts")
    put = ("iam", "put-user-policy", "--user-name", user, "--policy-name", "p")
    aws.answer(*put, "--policy-document", policy_for(outputs["RoleArn"]))
    aws.profile("assumed", Keys.of(aws.answer(*assume, profile="sts")["Credentials"]))
    who = aws.answer("sts", "get-caller-identity", profile="assumed")
    assert who["Arn"].endswith(f":assumed-role/{outputs['RoleName']}/me")
    use_bucket(aws, bucket)
    take_back(aws, user, key["AccessKeyId"], stack)
    aws.refused("InvalidClientTokenId", "sts", "get-caller-identity", profile="sts")
    aws.refused("InvalidClientTokenId", "sts", "get-caller-identity", profile="assumed")


def use_bucket(aws: Command, bucket: str) -> None:
    """Small and large objects, there and back; a link for somebody without credentials."""
    large = bytes(range(256)) * (MORE_THAN_ONE_PART // 256)
    (aws.home / "large").write_bytes(large)
    aws.answer("s3", "cp", "large", f"s3://{bucket}/large", profile="assumed")
    aws.answer("s3", "cp", f"s3://{bucket}/large", "back", profile="assumed")
    assert (aws.home / "back").read_bytes() == large
    held = aws.answer("s3api", "head-object", "--bucket", bucket, "--key", "large")
    assert held["ETag"].endswith('-2"')
    (aws.home / "hello.txt").write_text("hello")
    aws.answer("s3", "cp", "hello.txt", f"s3://{bucket}/hello.txt", profile="assumed")
    assert "hello.txt" in aws.answer("s3", "ls", f"s3://{bucket}/", profile="assumed")
    link = aws.answer("s3", "presign", f"s3://{bucket}/hello.txt", profile="assumed").strip()
    with urlopen(link) as answer:
        assert answer.read() == b"hello"
    with pytest.raises(HTTPError, match="403"):
        urlopen(link.replace("hello.txt", "large"))
    aws.refused("AccessDenied", "s3api", "list-buckets", profile="assumed")
    aws.refused("AccessDenied", "s3api", "delete-bucket", "--bucket", bucket, profile="assumed")
    listing = ("s3api", "list-objects-v2", "--bucket", bucket)
    aws.refused("AccessDenied", *listing, profile="sts")


def take_back(aws: Command, user: str, key_id: str, stack: str) -> None:
    aws.answer("s3", "rm", f"s3://{stack}", "--recursive")
    aws.answer("iam", "delete-user-policy", "--user-name", user, "--policy-name", "p")
    aws.answer("cloudformation", "delete-stack", "--stack-name", stack)
    aws.answer("cloudformation", "wait", "stack-delete-complete", "--stack-name", stack)
    named = ("--user-name", user)
    aws.answer("iam", "delete-access-key", *named, "--access-key-id", key_id)
    aws.answer("iam", "delete-user", *named)


@pytest.mark.slow
def test_a_web_identity(aws: Command, account: Account, fresh: str) -> None:
    """A workflow of a code host takes a role on, with a token file and no key at all."""
    issuer = f"https://token-{fresh}.example.com"
    created = aws.answer(
        "iam", "create-open-id-connect-provider", "--url", issuer, "--client-id-list", "app"
    )
    host = issuer.removeprefix("https://")
    condition = {f"{host}:aud": "app", f"{host}:sub": "repo:team/app"}
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": created["OpenIDConnectProviderArn"]},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": condition},
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
    named = ("--role-name", f"web-{fresh}")
    role = aws.answer("iam", "create-role", *named, "--assume-role-policy-document", trust)["Role"]
    (aws.home / "config").write_text(
        f"[profile web]\nrole_arn = {role['Arn']}\nrole_session_name = job\n"
        f"web_identity_token_file = {aws.home}/token\n"
    )

    def token(subject: str) -> None:
        claims = {"sub": subject, "aud": "app"}
        asked = {"issuer": issuer, "claims": claims}
        (aws.home / "token").write_text(account.control("POST", "oidc/token", asked)["token"])

    token("repo:team/app")
    who = aws.answer("sts", "get-caller-identity", profile="web")
    assert who["Arn"].endswith(f":assumed-role/web-{fresh}/job")
    shutil.rmtree(aws.home / ".aws", ignore_errors=True)  # where the second version keeps sessions
    token("repo:else/app")
    aws.refused("AccessDenied", "sts", "get-caller-identity", profile="web")


def test_a_saml_assertion(aws: Command, account: Account, fresh: str) -> None:
    """A user of a company's directory takes a role on, with an assertion and no key at all."""
    issuer = f"https://saml-{fresh}.example.com"
    described = account.control("POST", "saml/metadata", {"issuer": issuer})
    (aws.home / "metadata.xml").write_text(described["metadata"])
    made = aws.answer(
        "iam", "create-saml-provider", "--name", f"corp-{fresh}",
        "--saml-metadata-document", f"file://{aws.home}/metadata.xml",
    )  # fmt: skip
    provider = made["SAMLProviderArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithSAML",
        "Condition": {"StringEquals": {"saml:sub": "ana"}},
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
    named = ("--role-name", f"saml-{fresh}")
    role = aws.answer("iam", "create-role", *named, "--assume-role-policy-document", trust)["Role"]
    assume = (
        "sts", "assume-role-with-saml", "--role-arn", role["Arn"], "--principal-arn", provider,
        "--saml-assertion", f"file://{aws.home}/response",
    )  # fmt: skip

    def respond(name: str) -> None:
        asked = {"issuer": issuer, "role": role["Arn"], "provider": provider, "session_name": name}
        minted = account.control("POST", "saml/assertion", asked)["assertion"]
        (aws.home / "response").write_text(minted + "\n")

    respond("ana")
    answer = aws.answer(*assume)
    assert answer["Subject"] == "ana"
    aws.profile("web", Keys.of(answer["Credentials"]))
    who = aws.answer("sts", "get-caller-identity", profile="web")
    assert who["Arn"].endswith(f":assumed-role/saml-{fresh}/ana")
    respond("ben")
    aws.refused("AccessDenied", *assume, profile="admin")
    (aws.home / "response").write_text("PHg+")
    aws.refused("InvalidIdentityToken", *assume, profile="admin")
