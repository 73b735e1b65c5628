"""What is still there is said to be there, and nothing else is; in each account that was used."""

import json

import pytest
from tests.e2e.machine import Machine, flat

pytestmark = pytest.mark.slow

HEAD = """\
stslab: 1
id: small
title: A small lab
vars: {user: "small-${{ run.id }}"}
stages:
  - id: create
    title: Create a user
    intro: A user.
    steps:
      - title: Create it
        call: iam.CreateUser
        with: {UserName: "${{ user }}", Tags: [{Key: "stslab:run", Value: "${{ run.id }}"}]}
        undo: iam.DeleteUser
"""
DEVICE = """\
      - title: Make an MFA device
        call: iam.CreateVirtualMFADevice
        with:
          VirtualMFADeviceName: "mfa-${{ run.id }}"
          Tags: [{Key: "stslab:run", Value: "${{ run.id }}"}]
        undo:
          call: iam.DeleteVirtualMFADevice
          with: {SerialNumber: "arn:${{ partition }}:iam::${{ account }}:mfa/mfa-${{ run.id }}"}
"""
CHECK = """\
    checkpoint:
      - {says: It is there, call: iam.GetUser, with: {UserName: "${{ user }}"}}
"""
SECOND = """\
  - id: look
    title: Look at it
    intro: The user.
    checkpoint:
      - {says: It is still there, call: iam.GetUser, with: {UserName: "${{ user }}"}}
"""


def lab(machine: Machine, text: str) -> str:
    path = machine.root / "small.yaml"
    path.write_text(text)
    return str(path)


def test_a_whole_run_of_a_lab_without_a_cleanup_stage_is_not_done(machine: Machine):
    path = lab(machine, HEAD + CHECK + SECOND)
    done = machine.stslab("run", path, "--yes")
    assert done.code == 5, done.said
    assert "2 of 2 claims proved" in done.out
    (run,) = machine.runs()
    user = f"IAM user small-{run['run']}"
    assert f"Still in the account: 1 thing · {user}" in flat(done.out)
    assert f"the account still has 1 thing of run {run['run']}." in flat(done.err)
    assert "stslab cleanup" in done.err
    assert "Go on" not in done.said
    assert machine.leftovers(run["run"]) == [f"small-{run['run']}"]
    assert machine.stslab("run", path, "--yes").code == 5  # it stays so until it is cleaned up
    assert machine.stslab("cleanup").code == 0
    assert machine.leftovers(run["run"]) == []


def test_a_run_that_was_to_stop_has_stopped_and_says_what_is_there(machine: Machine):
    path = lab(machine, HEAD + CHECK + SECOND)
    done = machine.stslab("run", path, "--yes", "--to", "create", "--json")
    assert done.code == 0, done.said
    (run,) = machine.runs()
    finished = json.loads(done.out.splitlines()[-1])
    user = f"small-{run['run']}"
    assert finished["left"] == [
        [f"IAM user {user}", f"aws iam delete-user --user-name {user} --profile admin"]
    ]
    said = flat(machine.stslab("run", path, "--yes", "--to", "create").out)
    assert f"Still in the account: 1 thing · IAM user {user}" in said
    assert "Go on" in said
    machine.stslab("cleanup")


def test_a_device_that_the_learner_enabled_is_deactivated_first(machine: Machine):
    path = lab(machine, HEAD + DEVICE + CHECK)
    machine.stslab("run", path, "--yes")
    (run,) = machine.runs()
    name = f"mfa-{run['run']}"
    serial = f"arn:aws:iam::111122223333:mfa/{name}"
    first, second = machine.stslab("sandbox", "mfa", name).out.split()
    enabled = machine.aws(
        "iam", "enable-mfa-device", "--user-name", f"small-{run['run']}", "--serial-number", serial,
        "--authentication-code1", first, "--authentication-code2", second,
    )  # fmt: skip
    assert enabled.code == 0, enabled.said
    cleaned = machine.stslab("cleanup", "--json")
    assert cleaned.code == 0, cleaned.said
    events = [json.loads(line) for line in cleaned.out.splitlines()]
    assert not [one for one in events if one["event"] == "waiting"]
    undone = {one["thing"]: one["outcome"] for one in events if one["event"] == "undo_finished"}
    assert undone[f"virtual MFA device {serial}"] == "undone"
    assert machine.asks_aws("iam", "list-virtual-mfa-devices")["VirtualMFADevices"] == []


@pytest.mark.soak
def test_what_was_made_in_the_second_account_is_found_there(machine: Machine):
    path = lab(machine, HEAD + CHECK)
    machine.stslab("run", path, "--yes")
    (run,) = machine.runs()
    role = f"customer-{run['run']}"
    trust = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "111122223333"}}]}'
    made = machine.aws("iam", "create-role", "--role-name", role,
                       "--assume-role-policy-document", trust, profile="partner")  # fmt: skip
    assert made.code == 0, made.said
    cleaned = machine.stslab("cleanup")
    assert cleaned.code == 5, cleaned.said
    command = f"aws iam delete-role --role-name {role} --profile partner"
    assert f"IAM role {role} (profile partner)" in cleaned.out
    assert command in cleaned.out
    assert machine.leftovers(run["run"]) == []
    assert machine.sh(command).code == 0
    again = machine.stslab("cleanup")
    assert again.code == 0, again.said
    assert "Nothing of run" in again.out


def test_what_a_lab_leaves_in_a_test_is_told_without_a_command(machine: Machine):
    """The account of a test is gone with it: nothing is advised that would be run there."""
    path = lab(machine, HEAD + STACK + CHECK)
    done = machine.stslab("test", path)
    assert done.code == 5, done.said
    assert "CloudFormation stack small-" in done.out
    assert "update-termination-protection" not in done.said
    assert "{'" not in done.said


STACK = """\
      - title: A stack that is protected
        call: cloudformation.CreateStack
        with:
          StackName: ${{ user }}
          TemplateBody: '{"Resources": {"G": {"Type": "AWS::IAM::Group"}}}'
          Capabilities: [CAPABILITY_IAM]
          EnableTerminationProtection: true
          Tags: [{Key: "stslab:run", Value: "${{ run.id }}"}]
        wait: stack_create_complete
        undo: cloudformation.DeleteStack
"""
