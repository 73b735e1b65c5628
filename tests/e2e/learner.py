"""A learner's machine beside an account that is not its own: what stands for real AWS."""

import configparser
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.machine import Done, Machine

ACCOUNT = "111122223333"
REGION = "eu-central-1"
CONSENT = ("--target", "aws", "--yes", "--account", ACCOUNT)


@dataclass
class Learner(Machine):
    """A home with an ``~/.aws`` of its own; ``cloud`` is another machine's embedded account."""

    cloud: Machine | None = None

    @property
    def environ(self) -> dict[str, str]:
        url, _, _ = self._reached()
        known = Machine.environ.fget(self)  # type: ignore[attr-defined]
        return {**known, "AWS_ENDPOINT_URL": url, "AWS_EC2_METADATA_DISABLED": "true"}

    def sign_in(self, key: str = "", secret: str = "", token: str = "") -> None:
        """Write the learner's own ``~/.aws``: by default with the account's administrator."""
        _, own_key, own_secret = self._reached()
        lines = [
            f"aws_access_key_id = {key or own_key}",
            f"aws_secret_access_key = {secret or own_secret}",
        ]
        lines += [f"aws_session_token = {token}"] if token else []
        self.write("credentials", "\n".join(["[default]", *lines, ""]))
        self.write("config", f"[default]\nregion = {REGION}\n")

    def write(self, name: str, text: str) -> None:
        folder = self.root / ".aws"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)

    def own_files(self) -> dict[str, str]:
        """Everything in ``~/.aws``, as hashes."""
        files = sorted((self.root / ".aws").rglob("*"))
        return {
            str(one): hashlib.sha256(one.read_bytes()).hexdigest() for one in files if one.is_file()
        }

    def on_aws(self, command: str, *arguments: str, **environ: str) -> Done:
        """A command on the real account, agreed to by its flags."""
        return self.stslab(command, *CONSENT, *arguments, **environ)

    def client(self, service: str) -> Any:
        """A client of the account's administrator."""
        assert self.cloud is not None
        return self.cloud._client(service)

    def names(self) -> dict[str, set[str]]:
        """All users, roles, groups, buckets and stacks of the account."""
        iam, s3 = self.client("iam"), self.client("s3")
        stacks = self.stacks()
        return {
            "users": {one["UserName"] for one in iam.list_users()["Users"]},
            "roles": {one["RoleName"] for one in iam.list_roles()["Roles"]},
            "groups": {one["GroupName"] for one in iam.list_groups()["Groups"]},
            "buckets": {one["Name"] for one in s3.list_buckets()["Buckets"]},
            "stacks": {one["StackName"] for one in stacks.describe_stacks()["Stacks"]},
        }

    def stacks(self) -> Any:
        """CloudFormation, in the learner's region."""
        import botocore.session

        url, key, secret = self._reached()
        nobody = {"profile": (None, None, None, None)}
        return botocore.session.Session(session_vars=nobody).create_client(
            "cloudformation",
            region_name=REGION,
            endpoint_url=url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )

    def _reached(self) -> tuple[str, str, str]:
        assert self.cloud is not None
        if not hasattr(self, "_known"):
            self.cloud.stslab("env", "--shell", "sh")
            self._known = self.cloud.reach()
        return self._known


def settings(path: Path) -> configparser.RawConfigParser:
    read = configparser.RawConfigParser()
    read.read(path)
    return read


def a_learner(root: Path, cloud: Machine) -> Learner:
    root.mkdir(parents=True)
    made = Learner(root, cloud=cloud)
    made.sign_in()
    return made
