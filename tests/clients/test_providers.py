"""Each way to get credentials, with boto3 and with both versions of the aws command."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tests import programs
from tests.clients.providers import BOTO3, WAYS, Providers
from tests.sandbox.cases import Account

VERSIONS = [pytest.param(1, id="aws1"), pytest.param(2, id="aws2", marks=pytest.mark.needs("aws2"))]


@pytest.fixture
def providers(account: Account, tmp_path: Path, fresh: str) -> Providers:
    return Providers.made(account, tmp_path, fresh)


def command(version: int) -> tuple[str, ...]:
    return (sys.executable, "-m", "awscli") if version == 1 else (str(programs.find("aws2")),)


@pytest.mark.slow
def test_boto3(providers: Providers) -> None:
    for way in WAYS:
        assert providers.run(*BOTO3, profile=way).strip().endswith(providers.ways[way])


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_the_aws_command(providers: Providers, version: int) -> None:
    for way in WAYS:
        who = providers.run(*command(version), "sts", "get-caller-identity", profile=way)
        assert json.loads(who)["Arn"].endswith(providers.ways[way])


@pytest.mark.slow
@pytest.mark.needs("aws2")
def test_credentials_that_the_aws_command_exports(providers: Providers) -> None:
    """What its second version prints is what ``credential_process`` reads, of a session too."""
    printed = providers.run(*command(2), "configure", "export-credentials", profile="plain")
    (providers.home / "key.json").write_text(printed)
    assert json.loads(printed)["SessionToken"]
    for program in (BOTO3, (*command(1), "sts", "get-caller-identity")):
        assert providers.ways["plain"] in providers.run(*program, profile="process")
