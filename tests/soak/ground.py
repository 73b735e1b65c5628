"""A learner's machine with its own sandbox, in whose account there are others' things too."""

import json
import os
import re
import secrets
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from stslab.resources import bundled
from stslab.sandbox.server import client

OTHERS = [{"Key": "stslab:run", "Value": "u0000000"}]
SERVICES = ("iam", "s3", "cloudformation", "sts")
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
        },
    }
)
ALLOW = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
)
ROOT = Path(__file__).parents[2]
_KEPT = ("PATH", "LANG", "TMPDIR", "PYTHONPATH")
_VOLATILE = re.compile(r"LastUsed")


@dataclass(frozen=True)
class Ended:
    """A process that has ended: its exit code, or minus the signal that ended it."""

    code: int
    said: str
    story: tuple[tuple[str, ...], ...] = ()

    @property
    def last(self) -> tuple[str, ...]:
        """Where it was: stage, before or after, kind, what."""
        return self.story[-1] if self.story else ("outside", "", "", "")


class Ground:
    """Commands are processes of their own; what is in the account is asked with boto3."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.haste = 1
        self.home = folder / "state"
        self.sandbox = self.home / "sandbox"
        self.endpoint = client.ensure(self.sandbox)
        self._zygote = self._started()
        key = client.control(self.sandbox, "POST", "admin-key")
        session = boto3.Session(
            aws_access_key_id=key["access_key_id"],
            aws_secret_access_key=key["secret_access_key"],
            region_name="us-east-1",
        )
        config = Config(retries={"mode": "standard", "total_max_attempts": 5})
        self.iam, self.s3, self.stacks, self.sts = (
            session.client(name, endpoint_url=self.endpoint.url, config=config) for name in SERVICES
        )
        self._furnish()

    def close(self) -> None:
        assert self._zygote.stdin is not None
        self._zygote.stdin.close()
        self._zygote.wait(timeout=30)
        assert self._zygote.stdout is not None
        self._zygote.stdout.close()
        client.stop(self.sandbox)

    # Commands

    def stslab(self, *arguments: str, at: int = 0, number: int = signal.SIGKILL) -> Ended:
        """Run a command to its end; ``at``: until the at-th moment, where it gets a signal."""
        out, story = self.folder / "out.txt", self.folder / "story.txt"
        story.unlink(missing_ok=True)
        wanted = {
            "arguments": arguments,
            "environ": self._environ(),
            "out": str(out),
            "points": {"story": str(story), "at": at, "signal": int(number), "haste": self.haste},
        }
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(json.dumps(wanted) + "\n")
        self._zygote.stdin.flush()
        code = int(self._zygote.stdout.readline())
        told = story.read_text().splitlines() if story.exists() else []
        lines = tuple(tuple(line.split("\t")) for line in told)
        said = out.read_text(errors="replace")
        assert "bug in stslab" not in said, said
        assert "Traceback" not in said, said
        return Ended(code, said, lines)

    def stslab_anew(self, *arguments: str) -> Ended:
        """Run a command in a process that shares nothing with any other."""
        done = subprocess.run(
            [sys.executable, "-m", "stslab", *arguments],
            env=self._environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
            check=False,
        )
        assert "Traceback" not in done.stdout, done.stdout
        return Ended(done.returncode, done.stdout)

    def rehearse(self, spec: str | None, faults: list[Mapping[str, Any]] | None = None) -> None:
        body: dict[str, Any] = {"spec": spec}
        if faults is not None:
            body["faults"] = faults
        client.control(self.sandbox, "POST", "rehearse", body)

    def struck(self) -> dict[str, int]:
        """How many faults of each kind the rehearsal has had."""
        told: dict[str, int] = client.control(self.sandbox, "GET", "rehearse")["struck"]
        return told

    def runs(self) -> list[tuple[str, str]]:
        """Every run's id and state, the newest first."""
        path = self.home / "journal.sqlite"
        if not path.exists():
            return []
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return database.execute(
                "SELECT run, (SELECT json_extract(body, '$.state') FROM records WHERE run = begun.run"
                " AND kind IN ('begun', 'marked') ORDER BY number DESC LIMIT 1)"
                " FROM records begun WHERE kind = 'begun' ORDER BY seq DESC"
            ).fetchall()
        except sqlite3.OperationalError:  # killed before it had tables
            return []
        finally:
            database.close()

    def profiles(self) -> set[str]:
        """The names of the profiles in stslab's own files."""
        found: set[str] = set()
        for path in self.home.glob("profiles/*/credentials"):
            found |= set(re.findall(r"^\[(.+)\]$", path.read_text(), re.MULTILINE))
        return found

    # The account

    def everything(self) -> dict[str, str]:
        """All that is in the account, each thing with what it consists of."""
        return {**self._identities(), **self._buckets(), **self._stacks()}

    def decoy(self, run: str) -> str:
        """Another's user whose name is nearly that of a run; remove it with ``remove_decoy``."""
        name = f"sts-test-user-{run}-{secrets.token_hex(2)}"
        self.iam.create_user(UserName=name, Tags=OTHERS)
        return name

    def remove_decoy(self, name: str) -> None:
        self.iam.delete_user(UserName=name)

    def _identities(self) -> dict[str, str]:
        found: dict[str, str] = {}
        lists = {
            "UserDetailList": "UserName", "RoleDetailList": "RoleName",
            "GroupDetailList": "GroupName", "Policies": "Arn",
        }  # fmt: skip
        pages = self.iam.get_paginator("get_account_authorization_details").paginate(
            Filter=["User", "Role", "Group", "LocalManagedPolicy"]
        )
        for page in pages:
            for kind, name in lists.items():
                for detail in page.get(kind, []):
                    found[f"{kind} {detail[name]}"] = _text(detail)
        for key in [key for key in found if key.startswith("UserDetailList ")]:
            user = key.partition(" ")[2]
            keys = self.iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
            found |= {f"key {one['AccessKeyId']}": _text(one) for one in keys}
        return found

    def _buckets(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for bucket in self.s3.list_buckets()["Buckets"]:
            name = bucket["Name"]
            found[f"bucket {name}"] = name
            versions = self.s3.list_object_versions(Bucket=name)
            uploads = self.s3.list_multipart_uploads(Bucket=name).get("Uploads", [])
            for one in (*versions.get("Versions", []), *versions.get("DeleteMarkers", [])):
                found[f"object {name}/{one['Key']} {one['VersionId']}"] = str(one.get("ETag"))
            found |= {f"upload {name}/{one['Key']}": one["UploadId"] for one in uploads}
        return found

    def _stacks(self) -> dict[str, str]:
        pages = self.stacks.get_paginator("describe_stacks").paginate()
        listed = [stack for page in pages for stack in page["Stacks"]]
        return {f"stack {one['StackName']}": one["StackStatus"] for one in listed}

    def _furnish(self) -> None:
        """Put others' things beside: of nearly the same names, with another run's tag."""
        self.iam.create_user(UserName="sts-test-user-u0000000", Tags=OTHERS)
        self.iam.create_access_key(UserName="sts-test-user-u0000000")
        self.iam.put_user_policy(
            UserName="sts-test-user-u0000000", PolicyName="StsAssumePolicy", PolicyDocument=ALLOW
        )
        self.iam.create_role(
            RoleName="my-sts-stack-StsRole-1", AssumeRolePolicyDocument=TRUST, Tags=OTHERS
        )
        self.iam.create_user(UserName="sts-test-user")
        self.s3.create_bucket(Bucket="sts-example")
        self.stacks.create_stack(
            StackName="my-sts-stack-u0000000",
            TemplateBody=(bundled() / "templates" / "sts-role.yaml").read_text(),
            Parameters=[
                {"ParameterKey": "UserName", "ParameterValue": "sts-test-user-u0000000"},
                {"ParameterKey": "BucketName", "ParameterValue": "sts-example-u0000000"},
            ],
            Capabilities=["CAPABILITY_IAM"],
            Tags=OTHERS,
        )
        waiter = self.stacks.get_waiter("stack_create_complete")
        waiter.wait(StackName="my-sts-stack-u0000000", WaiterConfig={"Delay": 1})
        self.s3.put_object(Bucket="sts-example-u0000000", Key="hello.txt", Body=b"mine")

    def _environ(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {**kept, "HOME": str(self.folder), "STSLAB_HOME": str(self.home), "COLUMNS": "200"}

    def _started(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.soak.zygote"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What is no longer as it was."""
    return [
        f"{'left' if name not in before else 'gone' if name not in after else 'changed'}: {name}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def _text(thing: Any) -> str:
    plain = {name: value for name, value in thing.items() if not _VOLATILE.search(name)}
    return json.dumps(plain, default=str, sort_keys=True)
