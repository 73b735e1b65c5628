"""Profiles for each way in which clients get their credentials, and the caller that each must be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.sandbox.cases import Account, Keys

AFTER_TWO_CODES = 90


@dataclass
class Providers:
    """A home with profiles: ``ways`` are their names and what ends the caller's ARN."""

    account: Account
    home: Path
    fresh: str
    ways: dict[str, str] = field(default_factory=dict)
    serial: str = ""

    @classmethod
    def made(cls, account: Account, home: Path, fresh: str) -> Providers:
        found = cls(account, home, fresh)
        key = found._user()
        for name in ("plain", "careful", "web"):
            found.ways[name] = f":assumed-role/{name}-{fresh}/me"
        plain = found._role("plain", {"AWS": "111122223333"}, "sts:AssumeRole")
        careful = found._role(
            "careful",
            {"AWS": "111122223333"},
            "sts:AssumeRole",
            {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
        )
        web = found._web()
        found.ways |= {"process": f":user/of-{fresh}", "chained": found.ways["plain"]}
        printed = {
            "Version": 1,
            "AccessKeyId": key.access_key_id,
            "SecretAccessKey": key.secret_access_key,
        }
        (home / "key.json").write_text(json.dumps(printed))
        common = "role_session_name = me\n"
        (home / "credentials").write_text(
            f"[user]\naws_access_key_id = {key.access_key_id}\n"
            f"aws_secret_access_key = {key.secret_access_key}\n"
        )
        (home / "config").write_text(
            f"[profile plain]\nrole_arn = {plain}\nsource_profile = user\n{common}"
            f"[profile careful]\nrole_arn = {careful}\nsource_profile = user\n{common}"
            f"mfa_serial = {found.serial}\n"
            f"[profile process]\ncredential_process = cat {home}/key.json\n"
            f"[profile chained]\nrole_arn = {plain}\nsource_profile = process\n{common}"
            f"[profile web]\nrole_arn = {web}\nweb_identity_token_file = {home}/token\n{common}"
        )
        return found

    def environment(self, profile: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.home / "credentials"),
            "AWS_CONFIG_FILE": str(self.home / "config"),
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.account.endpoint.url,
            "AWS_PROFILE": profile,
        }

    def code(self) -> str:
        """A code of the user's MFA device that was not used yet."""
        self.account.control("POST", "clock", {"seconds": AFTER_TWO_CODES})
        shown = self.account.control("GET", f"mfa/code?serial={self.serial}")
        return str(shown["codes"][0])

    def run(self, *command: str, profile: str) -> str:
        """What a command prints; a code of the MFA device stands on its standard input."""
        done = subprocess.run(
            command,
            env=self.environment(profile),
            cwd=self.home,
            input=f"{self.code()}\n" if profile == "careful" else "",
            capture_output=True,
            text=True,
            timeout=120,
            start_new_session=True,  # without a terminal, a prompt reads standard input
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _user(self) -> Keys:
        iam, name = self.account.client("iam", "admin"), f"of-{self.fresh}"
        iam.create_user(UserName=name)
        allow = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
        device = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
        self.serial = device["SerialNumber"]
        first, second, *_ = self.account.control("GET", f"mfa/code?serial={self.serial}")["codes"]
        iam.enable_mfa_device(
            UserName=name,
            SerialNumber=self.serial,
            AuthenticationCode1=first,
            AuthenticationCode2=second,
        )
        return Keys.of(iam.create_access_key(UserName=name)["AccessKey"])

    def _role(
        self, name: str, principal: dict[str, str], action: str, condition: object = None
    ) -> str:
        statement = {"Effect": "Allow", "Principal": principal, "Action": action}
        if condition:
            statement = {**statement, "Condition": condition}  # type: ignore[dict-item]
        trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
        iam = self.account.client("iam", "admin")
        made = iam.create_role(RoleName=f"{name}-{self.fresh}", AssumeRolePolicyDocument=trust)
        return str(made["Role"]["Arn"])

    def _web(self) -> str:
        issuer = f"https://ways-{self.fresh}.example.com"
        iam = self.account.client("iam", "admin")
        made = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=["app"])
        asked = {"issuer": issuer, "claims": {"sub": "me", "aud": "app"}}
        token = self.account.control("POST", "oidc/token", asked)["token"]
        (self.home / "token").write_text(f"{token}\n")
        host = issuer.removeprefix("https://")
        condition = {"StringEquals": {f"{host}:aud": "app", f"{host}:sub": "me"}}
        provider = {"Federated": made["OpenIDConnectProviderArn"]}
        return self._role("web", provider, "sts:AssumeRoleWithWebIdentity", condition)


WAYS = ("plain", "careful", "process", "chained", "web")
BOTO3 = (
    sys.executable,
    "-c",
    "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])",
)
