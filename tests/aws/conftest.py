"""Fixtures: a scripted endpoint, an account on it, and only the tests' AWS settings."""

import os

import pytest
from tests.aws.endpoint import Endpoint, serving

from stslab.aws.account import Boto3Account
from stslab.aws.profiles import ProfileFiles
from stslab.aws.target import Target
from stslab.runner.ports import Credentials, TargetInfo

ADMIN = Credentials("AKIAADMIN00000000000", "ADMINSECRET0123456789")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    """Use an empty home, without AWS settings."""
    # AWS_DATA_PATH is where the aws CLI, once imported, finds its own parser's data.
    names = {name for name in os.environ if name.startswith("AWS_")} - {"AWS_DATA_PATH"}
    for name in names:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "their-home"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def endpoint():
    with serving() as endpoint:
        yield endpoint


@pytest.fixture
def profiles(tmp_path, endpoint) -> ProfileFiles:
    files = ProfileFiles(tmp_path / "profiles", "us-east-1", endpoint.url)
    files.save("admin", ADMIN)
    return files


@pytest.fixture
def account(endpoint: Endpoint, profiles: ProfileFiles) -> Boto3Account:
    info = TargetInfo("sandbox", "sandbox", "111122223333", "us-east-1")
    return Boto3Account(Target(info, endpoint.url), profiles, read_seconds=0.5)
