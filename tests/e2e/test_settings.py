"""Settings of the whole account, on the embedded account: what was there before is put back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.machine import Machine

from stslab.aws.account import Boto3Account
from stslab.aws.catalogue import BotocoreCatalogue
from stslab.aws.command import aws_command
from stslab.aws.profiles import ProfileFiles
from stslab.aws.target import Target
from stslab.lab import loader
from stslab.runner.calls.calls import Calls
from stslab.runner.events import CleanupFinished, Event
from stslab.runner.journal.records import Concluded, EntryState, Result
from stslab.runner.journal.store import Journal
from stslab.runner.ports import Credentials, TargetInfo
from stslab.runner.run.run import Runner
from stslab.runner.undo.cleanup import Cleanup
from stslab.sandbox.server import client

pytestmark = pytest.mark.slow

LAB = """
stslab: 1
id: settings
title: Settings
stages:
  - id: one
    title: One
    intro: I
    steps:
      - {title: An alias, call: iam.CreateAccountAlias, with: {AccountAlias: new-alias}}
      - {title: A policy, call: iam.UpdateAccountPasswordPolicy, with: {MinimumPasswordLength: 20, RequireSymbols: true}}
      - {title: Another policy, call: iam.UpdateAccountPasswordPolicy, with: {MinimumPasswordLength: 8, MaxPasswordAge: 9}}
      - {title: No policy, call: iam.DeleteAccountPasswordPolicy}
      - title: A role for a service
        call: iam.CreateServiceLinkedRole
        with: {AWSServiceName: autoscaling.amazonaws.com, CustomSuffix: lab}
        save: {linked: Role.RoleName}
        undo: {call: iam.DeleteServiceLinkedRole, with: {RoleName: "${{ linked }}"}}
"""
POLICY = {"MinimumPasswordLength": 10, "RequireNumbers": True, "PasswordReusePrevention": 3}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    made = Machine(tmp_path_factory.mktemp("account"))
    made.stslab("env", "--shell", "sh")
    yield made
    made.stop()


@pytest.fixture
def opened(account: Machine, tmp_path: Path) -> tuple[Boto3Account, ProfileFiles]:
    url, key, secret = account.reach()
    info = TargetInfo("sandbox", "sandbox", "111122223333", "us-east-1", instance="one", pace=0.05)
    target = Target(info, url, Credentials(key, secret))
    profiles = target.profiles(tmp_path / "profiles")
    return Boto3Account(target, profiles), profiles


@pytest.fixture(params=["set before", "not set before"])
def before(account: Machine, request: Any) -> Iterator[bool]:
    iam = account._client("iam")
    if request.param == "set before":
        iam.create_account_alias(AccountAlias="old-alias")
        iam.update_account_password_policy(**POLICY)
        yield True
        iam.delete_account_alias(AccountAlias="old-alias")
        iam.delete_account_password_policy()
    else:
        yield False


@pytest.mark.parametrize("lost", [False, True])
def test_what_was_there_before_is_put_back(
    before: bool,
    account: Machine,
    opened: tuple[Boto3Account, ProfileFiles],
    tmp_path: Path,
    lost: bool,
):
    """Also where it is not known whether the calls were made."""
    path = tmp_path / "settings.yaml"
    path.write_text(LAB, encoding="utf-8")
    folder = account.state / "sandbox"
    client.control(folder, "POST", "mark")
    events = list[Event]()
    ports = (*opened, events.append)
    with Journal(tmp_path / "journal.sqlite") as journal:
        loaded = loader.load(path, catalogue=BotocoreCatalogue())
        runner = Runner(loaded, Calls(*ports), journal, describe=aws_command)
        runner.start_or_resume()
        run = runner.run
        runner.run_stage("one")
        assert client.control(folder, "GET", "changed")["changed"]
        for entry in journal.past(run.id).entries()[:-1] if lost else ():
            journal.write(run.id, Concluded(entry.seq, Result(EntryState.LOST)))
        if before and lost:  # one of them was not
            account._client("iam").create_account_alias(AccountAlias="old-alias")
        Cleanup(journal, Calls(*ports), describe=aws_command).run(run.id)
    (finished,) = (event for event in events if isinstance(event, CleanupFinished))
    assert "password policy of the account" in finished.removed
    assert client.control(folder, "GET", "changed")["changed"] == []
