"""What keeps files in S3: s3cmd and s3fs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.programs.conftest import Program
from tests.sandbox.cases import Account

pytestmark = pytest.mark.soak
LARGE = 16 * 1024 * 1024 + 1
SCRIPT = """
import os, s3fs
files = s3fs.S3FileSystem(endpoint_url=os.environ["AWS_ENDPOINT_URL"])
large = os.urandom(12 * 1024 * 1024)
files.mkdir("bucket-of-s3fs")
with files.open("bucket-of-s3fs/a/b.txt", "w") as file:
    file.write("hello")
with files.open("bucket-of-s3fs/a/b.txt", "a") as file:
    file.write(" again")
assert files.cat("bucket-of-s3fs/a/b.txt") == b"hello again"
with files.open("bucket-of-s3fs/large", "wb") as file:
    file.write(large)
assert files.cat("bucket-of-s3fs/large") == large
assert files.cat_file("bucket-of-s3fs/large", start=10, end=20) == large[10:20]
files.copy("bucket-of-s3fs/large", "bucket-of-s3fs/copy")
files.mv("bucket-of-s3fs/copy", "bucket-of-s3fs/moved")
assert not files.exists("bucket-of-s3fs/copy")
files.put_tags("bucket-of-s3fs/moved", {"a": "b"})
assert files.get_tags("bucket-of-s3fs/moved") == {"a": "b"}
files.setxattr("bucket-of-s3fs/moved", mine="yes")
assert files.metadata("bucket-of-s3fs/moved") == {"mine": "yes"}
found = [(where, folders, sorted(names)) for where, folders, names in files.walk("bucket-of-s3fs")]
assert found == [
    ("bucket-of-s3fs", ["a"], ["large", "moved"]),
    ("bucket-of-s3fs/a", [], ["b.txt"]),
]
files.rm("bucket-of-s3fs", recursive=True)
assert not files.exists("bucket-of-s3fs")
print("done")
"""


def test_s3fs(program: Callable[..., Program]) -> None:
    assert program("s3fs", "python").run("-c", SCRIPT) == "done\n"


def test_s3cmd(program: Callable[..., Program], account: Account, home: Path) -> None:
    s3cmd, keys = program("s3cmd", "s3cmd"), account.keys["admin"]
    host = account.endpoint.url.removeprefix("http://")
    (home / ".s3cfg").write_text(
        f"[default]\naccess_key = {keys.access_key_id}\nsecret_key = {keys.secret_access_key}\n"
        f"host_base = {host}\nhost_bucket = {host}\nuse_https = False\n"
    )
    content = os.urandom(LARGE)
    (home / "large").write_bytes(content)
    s3cmd.run("mb", "s3://of-s3cmd")
    s3cmd.run("put", "large", "s3://of-s3cmd/large")
    s3cmd.run("get", "s3://of-s3cmd/large", "back")
    assert (home / "back").read_bytes() == content
    assert f"{LARGE}  s3://of-s3cmd/large" in s3cmd.run("ls", "s3://of-s3cmd")
    assert "BlockPublicAcls" in s3cmd.run("info", "s3://of-s3cmd")
    # It copies, and then puts the source's list on the copy, which S3 refuses: lists are disabled.
    refused = s3cmd.run("cp", "s3://of-s3cmd/large", "s3://of-s3cmd/copy", fails=True)
    assert "AccessControlListNotSupported" in refused
    account.client("s3", "admin").put_bucket_ownership_controls(
        Bucket="of-s3cmd",
        OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]},
    )
    s3cmd.run("cp", "s3://of-s3cmd/large", "s3://of-s3cmd/copy")
    s3cmd.run("mv", "s3://of-s3cmd/copy", "s3://of-s3cmd/moved")
    s3cmd.run("settagging", "s3://of-s3cmd", "a=b")
    assert "a:\tb" in s3cmd.run("gettagging", "s3://of-s3cmd")
    (home / "policy.json").write_text(
        '{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", '
        '"Action": "s3:PutObject", "Resource": "arn:aws:s3:::of-s3cmd/closed/*"}}'
    )
    s3cmd.run("setpolicy", "policy.json", "s3://of-s3cmd")
    refused = s3cmd.run("put", "policy.json", "s3://of-s3cmd/closed/one", fails=True)
    assert "explicit deny in a resource-based policy" in refused
    s3cmd.run("del", "--recursive", "--force", "s3://of-s3cmd")
    s3cmd.run("rb", "s3://of-s3cmd")
