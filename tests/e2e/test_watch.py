"""A second terminal beside a run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.e2e.machine import Machine, interrupt
from tests.e2e.screen import Open

pytestmark = pytest.mark.slow
READ = "AmazonS3ReadOnlyAccess"


def test_requests_gates_tasks_and_identities(opened: Open, machine: Machine) -> None:
    watch = opened("watch", lines=40)
    watch.wait("The embedded account is not running. Waiting for it to start.")
    assert machine.stslab("run", "--yes", "--to", "create-user").code == 0
    task = "The stack $STACK of sts-role.yaml is complete, with UserName=$STS_USER and"
    watch.wait(f"  ○ {task}\n    BucketName=$BUCKET.\n")
    assert machine.stslab("run", "--yes", "--to", "deploy-role").code == 0
    text = watch.wait("Let the user assume that role")
    assert "assume-role   3/6" in text
    assert "sts may assume the role, and no other role." in text
    text = watch.wait("○ sts may assume the role, and no other role.", "profiles:   admin   sts")
    assert "must hold" not in text  # what a task is about is no error before it is done
    user = machine.asks_aws("iam", "list-users")["Users"][-1]["UserName"]
    wide = ("iam", "attach-user-policy", "--policy-arn", f"arn:aws:iam::aws:policy/{READ}")
    assert machine.aws(*wide, "--user-name", user).code == 0
    watch.wait("✘ More is allowed than the stage asks for: sts may list all buckets.")
    assert machine.aws("iam", "detach-user-policy", *wide[2:], "--user-name", user).code == 0
    assert machine.aws("s3", "ls", profile="sts").code != 0
    watch.wait("s3:ListBuckets", "signature ✔ → identity policy ✘ (decided)", "stslab why")
    assert machine.stslab("run", "--yes", "--to", "assume-role").code == 0
    watch.wait("See what the session may do", "profiles:   assumed (5", "min")
    machine.stop()
    watch.wait("The embedded account is not running.")
    watch.key("\x03")
    assert watch.ended() == 0
    assert "Traceback" not in watch.text


def test_a_fault_is_followed(opened: Open, machine: Machine) -> None:
    broken = opened("break", "--fault", "d-88b1")
    broken.wait("A colleague reports", "admin $")
    watch = opened("watch", lines=40)
    watch.wait(
        "stslab break   5/6  Find the fault, and fix it",
        "This should be true, and is not: assumed may put an object.",
    )
    broken.enter("solve")
    broken.wait("All is as it should be.")
    watch.wait("✔ Since this morning")
    assert "This should be true, and is not" not in watch.text


def test_planting_a_fault_is_not_followed(opened: Open) -> None:
    watch, everything = opened("watch", lines=90), opened("watch", "--all", lines=400)
    broken = opened("break", "--fault", "cant-read")
    broken.wait("A colleague reports", "admin $")
    everything.wait("s3:PutBucketPolicy")
    broken.enter("aws s3api delete-bucket-policy --bucket $BUCKET")
    watch.wait("s3:DeleteBucketPolicy")
    assert "s3:PutBucketPolicy" not in watch.text
    assert "from cloudformation" not in watch.text  # which made the set-up for stslab


def test_what_programs_read(machine: Machine) -> None:
    assert machine.stslab("sandbox", "start").code == 0
    process = machine.start("watch", "--json")
    assert process.stdout
    try:
        lines: list[dict[str, Any]] = [json.loads(process.stdout.readline())]
        assert lines[0] == {"event": "account", "running": True}
        assert machine.stslab("run", "--yes", "--to", "attach-policy").code == 0
        secrets = machine.secrets()
        while (lines[-1].get("run") or {}).get("stage") != "assume-role":
            lines.append(json.loads(process.stdout.readline()))
    finally:
        done = interrupt(process)
    assert done.code == 0
    last = lines[-1]
    assert [one["name"] for one in last["identities"]] == ["admin", "sts"]
    assert last["identities"][1] == {"name": "sts", "ends": "", "seconds": None}
    assert {"text", "done"} == {*last["run"]["tasks"][0]}
    refused = next(one for one in lines if one.get("code") == "AccessDenied")
    assert refused["gates"][-1] == {
        "gate": "identity policy", "says": "does not allow", "decided": True,
    }  # fmt: skip
    assert {one["event"] for one in lines} == {"account", "request", "status"}
    assert secrets
    assert not any(secret in json.dumps(lines) for secret in secrets)
