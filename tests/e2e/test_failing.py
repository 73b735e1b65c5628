"""The lab fails where it should, and is then undone."""

import re
from pathlib import Path

import pytest
from tests.e2e.machine import Machine, flat

pytestmark = pytest.mark.slow

ACCESS_DENIED = (
    "is not authorized to perform: sts:AssumeRole on resource: "
    "arn:aws:iam::111122223333:role/my-sts-stack-"
)


ATTACH = re.compile(
    r"^  - id: attach-policy\n.*?(?=^  - id: assume-role)", re.DOTALL | re.MULTILINE
)
STEPS = re.compile(r"^    steps:\n.*?(?=^    checkpoint:)", re.DOTALL | re.MULTILINE)
LOOKING = """    steps:
      - title: Look at the user
        call: iam.GetUser
        with: {UserName: "${{ user }}"}
"""


def without_policy(machine: Machine, *, checkpoint: bool) -> str:
    """A copy of the lab without the step that puts the policy, with or without what proves it."""
    lab = Path(machine.lab())
    text = lab.read_text()
    (stage,) = ATTACH.findall(text)
    instead = STEPS.sub(lambda _: LOOKING, stage) if checkpoint else ""
    assert instead != stage
    lab.write_text(text.replace(stage, instead))
    return str(lab)


def _place(machine: Machine, text: str, which: int = 0) -> str:
    """Where a text ends a line of the lab's file: the file and the line."""
    lab = machine.root / "copy" / "lab" / "steps.yaml"
    lines = [at for at, line in enumerate(lab.read_text().split("\n"), 1) if line.endswith(text)]
    return f"{lab}:{lines[which]}\n"


def test_without_the_policy_the_checkpoint_does_not_hold(machine: Machine):
    done = machine.stslab("run", "--yes", without_policy(machine, checkpoint=True))
    assert done.code == 3
    assert "✘ The user's policies allow it to assume the role" in done.out
    assert "implicitDeny" in done.out
    assert "stslab cleanup" in flat(done.err)
    place = _place(machine, "says: The user's policies allow it to assume the role").strip()
    assert place in flat(done.err)
    _cleans_up(machine)


@pytest.mark.soak
def test_without_the_policy_and_its_checkpoint_aws_refuses(machine: Machine):
    done = machine.stslab("run", "--yes", without_policy(machine, checkpoint=False))
    assert done.code == 1
    assert "AssumeRole failed: AccessDenied" in done.out
    assert ACCESS_DENIED in flat(done.out)
    assert _place(machine, "title: Assume the role", 1) in done.err
    _cleans_up(machine)


@pytest.mark.soak
def test_a_trust_in_somebody_else_refuses_for_another_reason(machine: Machine):
    done = machine.stslab("run", "--yes", machine.lab(("user/${UserName}", "user/somebody-else")))
    assert done.code == 3
    assert "✘ The user may not assume the role yet" in done.out
    assert ACCESS_DENIED in flat(done.out)
    assert "where identity policy should refuse" in flat(done.out)
    _cleans_up(machine)


def test_a_template_that_cloudformation_refuses(machine: Machine):
    done = machine.stslab("run", "--yes", machine.lab(("{1,61}", "{1,6}")))
    assert done.code == 1
    assert "CreateStack failed" in done.out
    assert "steps.yaml:" in done.err
    _cleans_up(machine)


def _cleans_up(machine: Machine) -> None:
    run = machine.runs()[0]["run"]
    cleaned = machine.stslab("cleanup")
    assert cleaned.code == 0, cleaned.said
    assert machine.leftovers(run) == []
