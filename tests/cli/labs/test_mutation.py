"""Which mutants of a lab its checks and cells notice, played in an account inside the process."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stslab import resources
from stslab.aws.catalogue import BotocoreCatalogue
from stslab.cli.inside import InsideAccount
from stslab.cli.labs.mutation import idle_checks, idle_waits, mutated, play, wrong_cells
from stslab.lab.loader import load
from stslab.lab.model import Lab
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
def account() -> InsideAccount:
    return InsideAccount()


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


def test_a_lab_that_is_right_fails_nothing(account: InsideAccount):
    played = play(loaded(resources.labs_folder() / "steps.yaml"), account)
    assert (played.failed, played.cells, played.stopped, played.left) == (set(), {}, {}, ())


def test_what_a_lab_does_not_notice(written: Callable[..., Path]):
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
def test_what_is_allowed_already_is_no_mutant(
    actions: str, more: list[str], written: Callable[..., Path]
):
    own = '"Resource": "arn:aws:iam::${{ account }}:user/${{ user }}"'
    path = written(('"iam:GetUser"', actions), (own, '"Resource": "*"'))
    found = [one for one in mutants(loaded(path), lambda _: frozenset()) if one.kind == "action"]
    told = [one.what.partition("PolicyDocument ")[2] for one in found]
    assert [one for one in told if " without " not in one] == more


def test_what_could_notice_it_names_the_resource(written: Callable[..., Path]):
    found = mutants(loaded(written()), lambda _: frozenset())
    assert (
        "a check that iam:DeleteUser is refused on arn:aws:iam::${{ account }}:user/${{ user }}"
        in {one.could for one in found}
    )


def test_one_cell_more_notices_one_mutant_more(written: Callable[..., Path]):
    cell = """access:
  delete: {says: delete itself, as: dev, call: iam.DeleteUser, with: {UserName: "${{ user }}"}}
"""
    found = mutated(written(("access:\n", cell)), 0, 1)
    assert len(found.unnoticed) == 4  # of six
    assert "iam:DeleteUser" not in str(found.unnoticed)


def test_a_check_that_nothing_fails_is_idle(written: Callable[..., Path]):
    path = written(('call: iam.GetUser, with: {UserName: "${{ user }}"}}', "call: iam.ListUsers}"))
    found = mutated(path, 0, 1)
    assert [one.what for one in idle_checks(loaded(path), found.failed)] == [
        "A user can be looked up"
    ]


def test_a_wrong_cell_is_found(written: Callable[..., Path], account: InsideAccount):
    played = play(loaded(written(("dev may read", "dev may not read"))), account)
    assert played.cells == {("allow", "read", "dev"): "allowed"}


def test_a_within_that_waits_for_nothing(written: Callable[..., Path], account: InsideAccount):
    path = written(("because: No policy allows it.", "because: None.\n        within: 60s"))
    line = 1 + path.read_text().splitlines().index("      - says: It may not list users")
    assert [one.line for one in idle_waits(loaded(path), account)] == [line]


def test_cells_that_are_not_as_the_stages_say(written: Callable[..., Path]):
    assert wrong_cells(loaded(written())) == {}
    other = written(("dev may read", "dev may not read"))
    assert wrong_cells(loaded(other)) == {("allow", "read", "dev"): "allowed"}
