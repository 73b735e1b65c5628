"""The tasks of a lab: solved by hand, or reported if they can't be."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.labs.test_mutation import LAB

from stslab import resources
from stslab.aws.catalogue import BotocoreCatalogue
from stslab.cli.labs.testing import faults, tasks
from stslab.lab.loader import load
from stslab.lab.model import Lab

TASK = """\
        task: Let it look itself up.
        hints: [Which call?]
"""
POLICY = "        undo: iam.DeleteUserPolicy\n"
Loaded = Callable[[Path], Lab]


@pytest.fixture
def loaded() -> Loaded:
    catalogue = BotocoreCatalogue()
    return lambda path: load(path, catalogue=catalogue)


def written(folder: Path, *changes: tuple[str, str]) -> Path:
    text = LAB
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "small.yaml"
    path.write_text(text)
    return path


@pytest.mark.slow
def test_each_task_of_the_bundled_labs_is_solved_by_its_own_command(loaded: Loaded):
    for path in resources.labs_folder().glob("*.yaml"):
        assert [one for one in tasks(loaded(path)) if one.why] == []


def test_a_lab_without_tasks_is_not_run(tmp_path: Path, loaded: Loaded):
    assert tasks(loaded(written(tmp_path))) == ()


READS = 'call: iam.GetUser, with: {UserName: "${{ user }}"}}'


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ([(POLICY, TASK + POLICY)], ""),
        ([(POLICY, TASK.partition("        hints")[0] + POLICY)], "it has no hint except the command"),
        (
            [(POLICY, TASK + POLICY), ("call: iam.PutUserPolicy", "as: dev\n        call: iam.PutUserPolicy")],
            "its command is refused: AccessDenied",
        ),
        (
            [(POLICY, TASK + POLICY), ("call: iam.ListUsers\n        fails", f"{READS[:-1]}\n        fails".replace(", with", "\n        with"))],
            "all tasks are done, but this does not hold",
        ),
        (
            [(POLICY, TASK + POLICY), ("[dev may read]", '["dev may not read (identity policy)"]')],
            "it counts as done before anybody did anything",
        ),
    ],
)  # fmt: skip
def test_tasks_that_can_and_can_not_be_solved(
    changes: list[tuple[str, str]], why: str, tmp_path: Path, loaded: Loaded
):
    found = tasks(loaded(written(tmp_path, *changes)))
    assert [one.why for one in found if one.why] == ([why] if why else [])


def test_a_task_that_is_done_from_the_start(tmp_path: Path, loaded: Loaded):
    twice = LAB[LAB.index("      - title: Put a policy on it") : LAB.index(POLICY)]
    again = twice.replace("Put a policy", "Put it again") + TASK + POLICY
    found = tasks(loaded(written(tmp_path, (POLICY, POLICY + again))))
    assert [one.why for one in found] == ["it counts as done before anybody did anything"]


VERSION = """\
  - id: more
    title: Let it do more
    intro: A new version of its policy.
    changes: [dev may list]
    steps:
      - title: Make a policy
        call: iam.CreatePolicy
        with:
          PolicyName: ${{ policy }}
          Tags: [{Key: "stslab:run", Value: "${{ run.id }}"}]
          PolicyDocument: |
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
             "Action": "iam:GetUser", "Resource": "arn:aws:iam::${{ account }}:user/${{ user }}"}]}
        save: {arn: Policy.Arn}
        undo: {call: iam.DeletePolicy, with: {PolicyArn: "${{ arn }}"}}
      - title: Attach it
        call: iam.AttachUserPolicy
        with: {UserName: "${{ user }}", PolicyArn: "${{ arn }}"}
        undo: iam.DetachUserPolicy
      - title: Make a version
        call: iam.CreatePolicyVersion
        with:
          PolicyArn: ${{ arn }}
          SetAsDefault: true
          PolicyDocument: |
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
             "Action": "iam:ListUsers", "Resource": "*"}]}
        save: {version: PolicyVersion.VersionId}
        undo:
          - {call: iam.SetDefaultPolicyVersion, with: {PolicyArn: "${{ arn }}", VersionId: v1}}
          - {call: iam.DeletePolicyVersion, with: {PolicyArn: "${{ arn }}", VersionId: "${{ version }}"}}
        task: It may list users.
        hints: [Which policy does it have?]
"""


def test_a_task_counts_by_the_cells_of_its_stage_after_the_stages_before(
    tmp_path: Path, loaded: Loaded
):
    row = "  list: {says: list users, as: dev, call: iam.ListUsers}\nstages:"
    name = '"small-${{ run.id }}"'
    lab = written(
        tmp_path,
        ("stages:", row),
        (f"user: {name}", f"user: {name}, policy: {name}"),
        ("  - id: cleanup", f"{VERSION}  - id: cleanup"),
    )
    assert [one.why for one in tasks(loaded(lab))] == [""]


def fault_lab(folder: Path, *changes: tuple[str, str]) -> Path:
    text = (Path(__file__).parents[2] / "cases" / "labs" / "fault.yaml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "fault.yaml"
    path.write_text(text)
    return path


OWN = '"${{ user_arn }}"}}'


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("title: A set-up", "title: A set-up"), ""),
        (("${{ user_arn }}s", "${{ user_arn }}"), "it changes no cell of the access table"),
        (
            (
                f"{OWN}\n            }}]}}\n    hints",
                f"{OWN[:-3]}x{OWN[-3:]}\n            }}]}}\n    hints",
            ),
            "its fix does not restore every cell",
        ),
        (("    hints: [Which gate", "    # hints: [Which gate"), "it has no hint"),
    ],
)
def test_faults_that_can_and_can_not_be_fixed(
    change: tuple[str, str], why: str, tmp_path: Path, loaded: Loaded
):
    (found,) = faults(loaded(fault_lab(tmp_path, change)))
    assert found.title == "I can't get in any more, and I changed nothing"
    assert found.why.startswith(why)
    assert bool(found.why) == bool(why)
