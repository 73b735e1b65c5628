"""The whole lab with real processes: alone, in steps, and beside the aws CLI."""

import json
import re

import pytest
from tests.e2e.machine import PROVED, Machine

pytestmark = pytest.mark.slow

STAGES = ["create-user", "deploy-role", "attach-policy", "assume-role", "verify-access", "cleanup"]


def test_a_run_that_asks_nothing_proves_everything_and_leaves_nothing(machine: Machine):
    done = machine.stslab("run", "--yes")
    assert done.code == 0, done.said
    assert done.err == ""
    assert PROVED in done.out
    assert done.out.count("denied, as it should be: AccessDenied") >= 7
    assert "✘" not in done.out
    assert "\x1b" not in done.out
    (run,) = machine.runs()
    assert run["state"] == "finished"
    assert run["run"] in done.out
    listed = machine.sh(
        "aws iam list-users && aws iam list-roles && aws s3 ls && aws cloudformation list-stacks"
        " --stack-status-filter CREATE_COMPLETE DELETE_FAILED ROLLBACK_COMPLETE"
    )
    assert listed.code == 0, listed.said
    assert '"UserName": "admin"' in listed.out
    assert run["run"] not in listed.out
    assert machine.leftovers(run["run"]) == []
    assert "admin" in machine.profiles()
    assert not machine.profiles() & {"sts", "assumed"}


def test_without_a_terminal_nothing_is_asked_on_the_embedded_account(used: Machine):
    done = used.stslab("run")
    assert done.code == 0, done.said
    assert used.runs()[0]["state"] == "finished"


@pytest.mark.soak
def test_stopping_before_cleanup_leaves_a_lab_to_look_at(machine: Machine):
    done = machine.stslab("run", "--yes", "--to", "verify-access")
    assert done.code == 0, done.said
    assert 'eval "$(stslab env)"' in done.out
    assert "stslab cleanup" in done.out
    (run,) = machine.runs()
    bucket = f"sts-example-{run['run']}"
    assert f"aws s3 ls s3://{bucket} --profile assumed" in done.out

    refused = machine.aws("s3", "ls", f"s3://{bucket}", profile="sts")
    assert refused.code != 0
    assert (
        "An error occurred (AccessDenied) when calling the ListObjectsV2 operation" in refused.err
    )
    allowed = machine.aws("s3", "ls", f"s3://{bucket}", profile="assumed")
    assert allowed.code == 0, allowed.err
    assert "hello.txt" in allowed.out
    assumed = machine.asks_aws("sts", "get-caller-identity", profile="assumed")
    assert assumed["Arn"].endswith("/sts-example-s3")
    assert len(machine.leftovers(run["run"])) == 4

    planned = machine.stslab("cleanup", "--dry-run")
    assert planned.code == 0
    assert "aws iam delete-user" in planned.out
    assert len(machine.leftovers(run["run"])) == 4

    cleaned = machine.stslab("cleanup")
    assert cleaned.code == 0, cleaned.said
    assert f"Nothing of run {run['run']} is left" in cleaned.out
    assert machine.leftovers(run["run"]) == []
    assert machine.runs()[0]["state"] == "cleaned"
    assert machine.aws("sts", "get-caller-identity", profile="sts").code != 0


def test_one_stage_at_a_time(machine: Machine):
    early = machine.stslab("step", "assume-role")
    assert early.code == 1
    assert "create-user, deploy-role, attach-policy" in " ".join(early.err.split())
    assert "--with-needed" in early.err
    assert machine.stslab("step", "create-user").code == 0
    assert machine.stslab("step", "assume-role", "--with-needed").code == 0
    assert [one["stage"] for one in machine.runs()[0]["stages"]] == STAGES[:4]
    assert len(machine.runs()) == 1
    checked = machine.stslab("check", "attach-policy")
    assert checked.code == 0, checked.said
    last = machine.stslab("check")
    assert last.code == 0, last.said
    assert "The assumed profile is that session of that role" in last.out
    # One claim of the earlier stages was true only until the policy was there.
    every = machine.stslab("check", "--all")
    assert every.code == 0, every.said
    assert "The user may not assume the role yet" in every.out
    assert "stage attach-policy has changed that since" in " ".join(every.out.split())
    assert "✘" not in every.out
    assert machine.stslab("cleanup", "--all").code == 0
    assert "nothing to clean up" in machine.stslab("cleanup").out


def test_check_without_a_run(machine: Machine):
    done = machine.stslab("check")
    assert done.code == 2
    assert "stslab run" in done.err


def test_events_as_json_lines_and_people_on_stderr(machine: Machine):
    done = machine.stslab("run", "--json", "--yes")
    assert done.code == 0, done.said
    events = [json.loads(line) for line in done.out.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "run_finished"
    assert [one["stage"] for one in events if one["event"] == "stage_started"] == STAGES
    assert all(one["held"] for one in events if one["event"] == "check_finished")
    assert events[-1]["outcome"] == "done"


def test_no_secret_is_ever_said_or_kept_outside_the_profile_files(machine: Machine):
    machine.stslab("run", "--yes", "--to", "verify-access")
    secrets = machine.secrets()
    assert len(secrets) >= 4
    machine.stslab("check")
    machine.stslab("run", "--json", "--yes", "--from", "verify-access", "--to", "verify-access")
    machine.stslab("status", "--json")
    machine.stslab("sandbox", "status", "--json")
    machine.stslab("env")
    machine.stslab("cleanup", "--dry-run")
    machine.stslab("cleanup")
    token = (machine.state / "sandbox" / "control.token").read_text().strip()
    machine.stop()
    told = "".join(machine.transcript)
    for secret in {*secrets, token}:
        assert secret not in told
    own = {machine.state / "sandbox" / "control.token"}
    for file in machine.state.rglob("*"):
        if file.is_file() and file not in own and file.name != "credentials":
            content = file.read_bytes()
            if not _is_account_state(machine, file):
                assert not [one for one in {*secrets, token} if one.encode() in content], file


def _is_account_state(machine: Machine, file) -> bool:
    """The embedded account itself has to know its keys' secrets, as AWS does."""
    inside = file.is_relative_to(machine.state / "sandbox")
    return inside and file.suffix != ".log" and file.name != "server.json"


def test_the_state_folder_is_for_its_owner_alone(machine: Machine):
    machine.stslab("run", "--yes", "--to", "create-user")
    assert machine.state.stat().st_mode & 0o077 == 0
    for path in machine.state.rglob("*"):
        if path.name == "credentials" or path.name.startswith("journal"):
            assert path.stat().st_mode & 0o077 == 0, path


def test_env_makes_the_aws_cli_work_and_unset_takes_it_back(used: Machine):
    said = used.stslab("env", "--shell", "sh").out
    assert "AWS_CONFIG_FILE" in said
    fish = used.stslab("env", "--shell", "fish").out
    assert re.search(r"^set -gx AWS_CONFIG_FILE '", fish, re.MULTILINE)
    assert used.stslab("env", "--unset", "--shell", "sh").out.startswith("unset STSLAB_SANDBOX\n")
    unset = used.stslab("env", "--unset", "--shell", "sh", STSLAB_OWN_AWS="").out
    for name in re.findall(r"^export (\w+)=", said, re.MULTILINE):
        assert f"unset {name}" in unset
    identity = used.asks_aws("sts", "get-caller-identity")
    assert identity["Arn"].endswith(":user/admin")
    assert not (used.root / ".aws").exists()
