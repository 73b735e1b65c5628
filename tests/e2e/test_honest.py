"""A run tells no more than it proved, wherever it is told: report, summary and status."""

import json
from contextlib import closing
from typing import Any

import pytest
from tests.e2e.machine import CLAIMS, LAB, PROVED, Machine
from tests.e2e.screen import Terminal

from stslab.resources import bundled

pytestmark = pytest.mark.slow

STAGES = [stage.id for stage in LAB.stages]


def report(machine: Machine) -> dict[str, Any]:
    done = machine.stslab("report", "--json")
    assert done.code == 0, done.said
    told: dict[str, Any] = json.loads(done.out)
    return told


def status(machine: Machine) -> dict[str, Any]:
    run: dict[str, Any] = json.loads(machine.stslab("status", "--json").out)[0]
    return run


def test_five_skips_and_a_cleanup(machine: Machine):
    """Of a learner who does the first stage, leaves five out, and cleans up by the stage's name."""
    assert machine.stslab("step", "create-user").code == 0
    cleaned = machine.stslab("step", "cleanup", "--yes")
    assert cleaned.code == 0, cleaned.said
    told = report(machine)
    proved = len(LAB.stages[0].checkpoint) + 4
    assert (len(told["claims"]), told["proved"]) == (CLAIMS, proved)
    assert told["skipped"] == STAGES[1:5]
    good = [one["says"] for one in told["claims"] if one["verdict"] in ("allowed", "denied")]
    assert good[-4:] == [
        "The user is gone",
        "Its access key is gone",
        "The old key no longer opens anything",
        "The profiles are out of stslab's files",
    ]
    assert told["asked_nobody"] == ["cleanup"]
    said = f"{proved} of {CLAIMS} claims proved"
    page = machine.stslab("report", "--markdown").out
    assert said in page
    assert f"skipped: {', '.join(STAGES[1:5])}" in page
    assert "nobody was asked (--yes, or no terminal): cleanup" in page
    assert "unsupervised" in page
    shown = " ".join(machine.stslab("report").out.split())
    assert said in shown
    assert f"skipped: {', '.join(STAGES[1:5])}" in shown
    assert said in cleaned.out
    assert "The role is gone  never made" in cleaned.out
    assert f"skipped: {', '.join(STAGES[1:5])}" in cleaned.out
    assert "nobody was asked (--yes, or no terminal): cleanup" in cleaned.out
    stands = status(machine)
    assert (stands["claims"], stands["proved"], stands["skipped"]) == (
        CLAIMS,
        proved,
        STAGES[1:5],
    )
    assert said in machine.stslab("status").out
    assert f"skipped: {', '.join(STAGES[1:5])}" in " ".join(machine.stslab("status").out.split())


def test_five_skips_at_the_prompt(machine: Machine):
    """Of a learner who does the first stage at the prompt, and answers `skip` to all others."""
    with closing(Terminal(machine, "run")) as terminal:
        for expected, key in (
            ("Enter begins", ""),
            ("aws iam create-user", ""),
            ("aws iam create-access-key", ""),
            ("question 1 of", "1"),
            ("✔ You said so.", ""),
            ("question 2 of", "1"),
            ("You said: Allowed", ""),
        ):
            terminal.wait(expected)
            terminal.enter(key) if not key else terminal.key(key)
        for stage in LAB.stages[1:]:
            terminal.wait(stage.title)
            terminal.enter("skip")
        assert terminal.ended() == 5
    told = report(machine)
    assert told["skipped"] == STAGES[1:]
    assert told["proved"] == len(LAB.stages[0].checkpoint)
    assert len(told["remaining"]) == 2
    assert machine.stslab("step", "cleanup", "--yes").code == 0
    told = report(machine)
    assert told["skipped"] == STAGES[1:5]
    assert told["proved"] == len(LAB.stages[0].checkpoint) + 4
    assert [(one["right"], one["of"]) for one in told["predictions"]] == [(1, 1), (0, 1)]


@pytest.mark.soak
def test_checking_writes_nothing_into_the_record(machine: Machine):
    assert machine.stslab("run", "--yes", "--to", "assume-role").code == 0
    before = report(machine)
    assert machine.stslab("check", "--all").code == 0
    assert machine.stslab("check", "create-user").code == 0
    assert report(machine) == before
    done = machine.stslab("run", "--yes")
    assert done.code == 0, done.said
    assert PROVED in done.out
    assert report(machine)["proved"] == status(machine)["proved"] == CLAIMS


def test_what_was_broken_by_hand_is_red_in_a_check(machine: Machine):
    machine.stslab("run", "--yes", "--to", "attach-policy")
    (run,) = machine.runs()
    user = f"sts-test-user-{run['run']}"
    machine.aws("iam", "attach-user-policy", "--user-name", user,
                "--policy-arn", "arn:aws:iam::aws:policy/AdministratorAccess")  # fmt: skip
    done = machine.stslab("check", "--all")
    assert done.code == 3
    assert "✘ It may not list your buckets" in done.out


@pytest.mark.soak
def test_checking_after_the_end_tells_what_cleanup_has_changed(machine: Machine):
    assert machine.stslab("run", "--yes").code == 0
    done = machine.stslab("check", "--all")
    assert done.code == 0, done.said
    assert "Continuing" not in done.out  # nothing goes on
    assert "stage cleanup has changed that since" in " ".join(done.out.split())
    assert "✔ The user is gone" in done.out
    assert "✘" not in done.out
    assert machine.stslab("check").code == 0


@pytest.mark.soak
def test_a_report_of_a_lab_that_was_made_easier_on_the_way(machine: Machine):
    """A check that fails is replaced in the file by one that holds; an include changes too."""
    path = machine.lab(("ends_with(Arn, ':user/${{ user }}')", "Arn == 'somebody else'"))
    failed = machine.stslab("run", path, "--yes", "--to", "create-user")
    assert failed.code == 3
    began = report(machine)["run"]["sha256"]
    (machine.root / "copy" / "lab" / "steps.yaml").write_text(
        (machine.root / "copy" / "lab" / "steps.yaml")
        .read_text()
        .replace("Arn == 'somebody else'", "Account == Account")
    )
    again = machine.stslab("run", path, "--yes", "--to", "create-user")
    assert again.code == 0
    assert "changed since this run began" in " ".join(again.out.split())
    told = report(machine)
    assert told["run"]["sha256"] == began
    assert told["lab_changed"] == ["create-user"]
    assert told["proved"] == len(LAB.stages[0].checkpoint) - 1
    first = told["claims"][0]
    assert (first["verdict"], first["call"]) == ("changed", "sts.GetCallerIdentity")
    attempts = told["stages"][0]["attempts"]
    assert [one["outcome"] for one in attempts] == ["did not hold", "done"]
    assert len({one["lab"] for one in attempts}) == 2
    page = machine.stslab("report", "--markdown").out
    assert "with another lab than the run began with: create-user" in page
    assert "attempt 1" in page
    assert "begun more than once: create-user" in page
    assert "begun more than once: create-user" in again.out
    template = machine.root / "copy" / "templates" / "sts-role.yaml"
    template.write_text(template.read_text() + "# other\n")
    machine.stslab("run", path, "--yes", "--to", "deploy-role")
    last = report(machine)["stages"][1]["attempts"][-1]["lab"]
    assert last not in {one["lab"] for one in attempts}


def test_what_an_object_holds_is_in_no_journal_and_no_report(machine: Machine):
    assert machine.stslab("run", "--yes", "--to", "verify-access").code == 0
    held = (bundled() / "lab" / "hello.txt").read_text().strip()
    kept = b"".join(file.read_bytes() for file in machine.state.glob("journal.sqlite*"))
    assert b"hello.txt" in kept
    assert held.encode() not in kept
    assert held not in machine.stslab("report", "--json").out
    assert machine.stslab("cleanup").code == 0


def test_a_report_can_be_verified_as_far_as_that_goes(machine: Machine):
    machine.stslab("run", "--yes", "--to", "create-user")
    file = machine.root / "report.json"
    file.write_text(machine.stslab("report", "--json").out)
    done = machine.stslab("report", "verify", str(file))
    assert done.code == 0, done.said
    assert "records is whole" in done.out
    assert "What can't be known" in done.out
    told = json.loads(file.read_text())
    told["proved"] = CLAIMS
    file.write_text(json.dumps(told))
    done = machine.stslab("report", "verify", str(file))
    assert done.code == 3
    assert "The report does not agree with its records about: proved" in " ".join(done.out.split())
    told["records"][2]["body"] = "{}"
    file.write_text(json.dumps(told))
    assert machine.stslab("report", "verify", str(file)).code == 3
    file.write_text(machine.stslab("report", "--markdown").out)
    done = machine.stslab("report", "verify", str(file))
    assert done.code == 2
    assert "not a report in JSON" in done.err
    assert machine.stslab("report", "verify", str(machine.root / "none")).code == 2
    assert "report verify" in machine.stslab("report", "--help").out
    assert "--markdown" in machine.stslab("report", "--help").out
