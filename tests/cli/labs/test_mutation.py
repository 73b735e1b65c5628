"""The mutants of a lab, run in an account inside the process, and what notices them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from stslab import resources
from stslab.aws.catalogue import BotocoreCatalogue
from stslab.cli.in_memory import InMemoryAccount
from stslab.cli.labs.mutation import idle_checks, mutated, play, waits
from stslab.lab.loader import load
from stslab.lab.model import Lab, ProfileSettings
from stslab.lesson.mutants import mutants

LAB = """\
stslab: 1
id: small
title: A small lab
vars: {user: "small-${{ run.id }}"}
access:
  read: {says: look itself up, as: dev, call: iam.GetUser, with: {UserName: "${{ user }}"}}
stages:
  - id: create
    title: Create a user
    intro: A user.
    steps:
      - title: Create it
        call: iam.CreateUser
        with: {UserName: "${{ user }}", Tags: [{Key: "stslab:run", Value: "${{ run.id }}"}]}
        undo: iam.DeleteUser
      - title: Give it a key
        call: iam.CreateAccessKey
        with: {UserName: "${{ user }}"}
        profile: {name: dev, from: AccessKey}
        undo:
          call: iam.DeleteAccessKey
          with: {UserName: "${{ user }}", AccessKeyId: "${{ profiles.dev.access_key_id }}"}
    checkpoint:
      - {says: It is there, as: dev, call: sts.GetCallerIdentity, within: 60s}
  - id: allow
    title: Let it read
    intro: A policy.
    changes: [dev may read]
    steps:
      - title: Put a policy on it
        call: iam.PutUserPolicy
        with:
          UserName: ${{ user }}
          PolicyName: read
          PolicyDocument: |
            {"Version": "2012-10-17", "Statement": [{"Sid": "Itself", "Effect": "Allow",
             "Action": "iam:GetUser", "Resource": "arn:aws:iam::${{ account }}:user/${{ user }}"}]}
        undo: iam.DeleteUserPolicy
    checkpoint:
      - {says: A user can be looked up, call: iam.GetUser, with: {UserName: "${{ user }}"}}
      - says: It may not list users
        as: dev
        call: iam.ListUsers
        fails: AccessDenied
        by: identity policy
        because: No policy allows it.
  - id: cleanup
    title: Clean up
    intro: All goes.
    cleanup: true
    checkpoint:
      - says: The user is gone
        call: iam.GetUser
        with: {UserName: "${{ user }}"}
        fails: NoSuchEntity
        because: It was deleted.
      - {says: The profile is gone, profiles_gone: [dev]}
"""


POWERS = ["and iam:Get*", "and iam:Create*", "and iam:Put*"]


@pytest.fixture(scope="module")
def account() -> InMemoryAccount:
    return InMemoryAccount()


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(*changes: tuple[str, str]) -> Path:
        text = LAB
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "small.yaml"
        path.write_text(text)
        return path

    return write


def loaded(path: Path) -> Lab:
    return load(path, catalogue=BotocoreCatalogue())


def test_a_correct_lab_has_no_failures(account: InMemoryAccount):
    played = play(loaded(resources.labs_folder() / "steps.yaml"), account)
    assert (played.failed, played.cells, played.stopped, played.left) == (set(), {}, {}, ())


def test_mutants_that_a_lab_does_not_notice(written: Callable[..., Path]):
    found = mutated(written(), 0, 1)
    assert found.mutants > 10
    assert [(one.rule, one.what.partition(": ")[2]) for one in found.unnoticed] == [
        ("unnoticed-action", "PolicyDocument Itself and iam:*"),
        ("unnoticed-action", "PolicyDocument Itself and iam:DeleteUser"),
        ("unnoticed-resource", "PolicyDocument Itself on arn:aws:iam::${{ account }}:*"),
        ("unnoticed-action", "PolicyDocument and iam:Get*"),
        ("unnoticed-action", "PolicyDocument and iam:Create*"),
        ("unnoticed-action", "PolicyDocument and iam:Put*"),
    ]
    assert [one.what for one in idle_checks(loaded(written()), found.failed)] == []


@pytest.mark.parametrize(
    ("actions", "more"),
    [
        ('"iam:GetUser"', ["Itself and iam:*", "Itself and iam:DeleteUser", *POWERS]),
        ('"iam:Get*"', ["Itself and iam:*", "Itself and iam:Delete*", *POWERS[1:]]),
        ('"IAM:*"', []),  # each of them is in it
        ('"*"', []),
        ('["iam:Get*", "iam:DeleteUser"]', ["Itself and iam:*", "Itself and iam:Delete*", *POWERS[1:]]),
    ],
)  # fmt: skip
def test_an_allowed_action_makes_no_mutant(
    actions: str, more: list[str], written: Callable[..., Path]
):
    own = '"Resource": "arn:aws:iam::${{ account }}:user/${{ user }}"'
    path = written(('"iam:GetUser"', actions), (own, '"Resource": "*"'))
    found = [one for one in mutants(loaded(path), lambda _: frozenset()) if one.kind == "action"]
    told = [one.what.partition("PolicyDocument ")[2] for one in found]
    assert [one for one in told if " without " not in one] == more


def test_the_missing_check_names_the_resource(written: Callable[..., Path]):
    found = mutants(loaded(written()), lambda _: frozenset())
    assert (
        "a check that iam:DeleteUser is refused on arn:aws:iam::${{ account }}:user/${{ user }}"
        in {one.could for one in found}
    )


def test_the_order_is_the_same_in_each_process(written: Callable[..., Path]):
    """Several processes run a share each; a set's order is not the same in all."""
    settings = ("duration_seconds", "external_id", "role_session_name", "mfa_serial")
    profile = replace(ProfileSettings(), **dict.fromkeys(settings, "900"))
    lab = replace(loaded(written()), profiles={"auditor": profile})
    found = [one for one in mutants(lab, lambda _: frozenset()) if "auditor" in one.what]
    assert [one.detail for one in found] == [key for key in profile.values if key in settings]
    assert found[0].could == f"a check as auditor of what {found[0].detail} affects"


def test_one_cell_more_notices_one_mutant_more(written: Callable[..., Path]):
    cell = """access:
  delete: {says: delete itself, as: dev, call: iam.DeleteUser, with: {UserName: "${{ user }}"}}
"""
    found = mutated(written(("access:\n", cell)), 0, 1)
    assert len(found.unnoticed) == 4  # of six
    assert "iam:DeleteUser" not in str(found.unnoticed)


def test_a_check_that_no_mutant_fails_is_idle(written: Callable[..., Path]):
    path = written(('call: iam.GetUser, with: {UserName: "${{ user }}"}}', "call: iam.ListUsers}"))
    found = mutated(path, 0, 1)
    assert [one.what for one in idle_checks(loaded(path), found.failed)] == [
        "A user can be looked up"
    ]


def test_a_wrong_cell_is_found(written: Callable[..., Path], account: InMemoryAccount):
    played = play(loaded(written(("dev may read", "dev may not read"))), account)
    assert played.cells == {("allow", "read", "dev"): "allowed"}


def test_a_needless_within(written: Callable[..., Path], account: InMemoryAccount):
    path = written(("because: No policy allows it.", "because: None.\n        within: 60s"))
    assert told(path, account) == [("idle-within", "It may not list users")]


@pytest.mark.parametrize(
    ("within", "lacking"),
    [
        (", within: 60s", []),  # what comes after it needs none
        ("", [("lacks-within", "It reads itself")]),  # and is not told as well
    ],
)
def test_a_missing_within_for_a_new_policy(
    within: str,
    lacking: list[tuple[str, str]],
    written: Callable[..., Path],
    account: InMemoryAccount,
):
    reads = f"      - {{says: It reads itself, as: dev, call: iam.GetUser{within}}}\n"
    again = "      - {says: It reads itself again, as: dev, call: iam.GetUser, with: {}}\n"
    at = "      - {says: A user can be looked up"
    assert told(written((at, reads + again + at)), account) == lacking


def test_a_missing_within_for_a_deleted_policy(
    written: Callable[..., Path], account: InMemoryAccount
):
    """The old policy still allows the call that should be refused; its effect is reverted."""
    step = """    steps:
      - title: Take the policy off it
        call: iam.DeleteUserPolicy
        with: {UserName: "${{ user }}", PolicyName: read}
        undo: none
    checkpoint:
      - says: It reads itself no more
        as: dev
        call: iam.GetUser
        fails: AccessDenied
        by: identity policy
        because: The policy is gone.
"""
    stage = f"  - id: forbid\n    title: Forbid it\n    intro: No policy.\n{step}"
    path = written(("  - id: cleanup\n", f"{stage}  - id: cleanup\n"))
    assert told(path, account) == [("lacks-within", "It reads itself no more")]


def test_a_lab_that_moves_the_clock_needs_no_within(
    written: Callable[..., Path], account: InMemoryAccount
):
    clock = "    steps:\n      - {title: Wait, clock: +1m}\n      - title: Put"
    reads = "      - {says: It reads itself, as: dev, call: iam.GetUser}\n"
    at = "      - {says: A user can be looked up"
    path = written(("    steps:\n      - title: Put", clock), (at, reads + at))
    assert told(path, account) == []


def told(path: Path, account: InMemoryAccount) -> list[tuple[str, str]]:
    """The rule of each note about a `within`, and the check that it is about."""
    lab = loaded(path)
    says = {check.line: check.says for stage in lab.stages for check in stage.checkpoint}
    return [(one.rule, says[one.line]) for one in waits(lab, account)]


def test_cells_that_are_not_as_the_stages_say(written: Callable[..., Path]):
    assert play(loaded(written()), InMemoryAccount()).cells == {}
    other = written(("dev may read", "dev may not read"))
    assert play(loaded(other), InMemoryAccount()).cells == {("allow", "read", "dev"): "allowed"}
