"""A loaded lab is frozen, and has the derived values that its file leaves out."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stslab.lab import loader
from stslab.lab.model import Lab

HEAD = "stslab: 1\nid: some\ntitle: Some\n"


TAGS = "Tags: [{Key: 'stslab:run', Value: '${{ run.id }}'}]"


def step(load: Callable[[str], Lab], text: str) -> Any:
    indented = text.replace("\n", "\n        ")
    return (
        load(
            HEAD + "stages:\n  - id: a\n    title: A\n    intro: I\n    steps:\n      - " + indented
        )
        .stages[0]
        .steps[0]
    )


def test_an_undo_takes_its_parameters_from_the_step(load_text: Callable[[str], Lab]):
    made = step(
        load_text,
        "title: T\ncall: iam.CreateGroup\n"
        "with: {GroupName: '${{ run.id }}', Path: '/a/'}\n"
        "undo: iam.DeleteGroup",
    )
    (undo,) = made.undo
    assert (undo.service, undo.operation) == ("iam", "DeleteGroup")
    assert undo.params == {"GroupName": "${{ run.id }}"}
    assert undo.identity == "admin"


def test_an_undo_with_its_own_parameters(load_text: Callable[[str], Lab]):
    made = step(
        load_text,
        f"title: T\ncall: iam.CreateUser\nwith: {{UserName: 'u-${{{{ run.id }}}}', {TAGS}}}\nundo:\n"
        "  - {call: iam.DeleteUserPolicy, with: {UserName: 'u-${{ run.id }}', PolicyName: p}, as: admin}\n"
        "  - iam.DeleteUser",
    )
    assert [undo.params for undo in made.undo] == [
        {"UserName": "u-${{ run.id }}", "PolicyName": "p"},
        {"UserName": "u-${{ run.id }}"},
    ]


def test_a_sentence_is_one_line_however_it_is_written(load_text: Callable[[str], Lab]):
    made = step(
        load_text,
        "title: |\n  A title\n  in two lines\ncall: iam.ListUsers\nwhy: |\n  So\n  it is.",
    )
    assert (made.title, made.why) == ("A title in two lines", "So it is.")


def test_nothing_to_undo(load_text: Callable[[str], Lab]):
    none = step(load_text, "{title: T, call: iam.GenerateCredentialReport, undo: none}")
    reads = step(load_text, "{title: T, call: iam.GetUser}")
    assert none.undo == ()
    assert reads.undo is None


def test_a_wait_takes_its_parameters_from_the_call(load_text: Callable[[str], Lab]):
    made = step(
        load_text,
        "title: T\ncall: cloudformation.CreateStack\n"
        f"with: {{StackName: 's-${{{{ run.id }}}}', TemplateBody: 'Resources: {{}}', {TAGS}}}\n"
        "wait: stack_create_complete\n"
        "undo: {call: cloudformation.DeleteStack, wait: stack_delete_complete}",
    )
    name = {"StackName": "s-${{ run.id }}"}
    assert (made.wait.waiter, made.wait.params) == ("stack_create_complete", name)
    assert made.undo[0].wait.params == name


def test_a_wait_with_its_own_parameters(load_text: Callable[[str], Lab]):
    made = step(
        load_text,
        "{title: T, call: iam.ListPolicies, wait: {waiter: policy_exists, with: {PolicyArn: '${{ account }}'}}}",
    )
    assert made.wait.params == {"PolicyArn": "${{ account }}"}


@pytest.mark.parametrize(
    ("written", "seconds"), [("60s", 60), ("2m", 120), ("1m30s", 90), ("0.5s", 0.5), ("60m", 3600)]
)
def test_times_are_seconds(written: str, seconds: float, load_text: Callable[[str], Lab]):
    assert step(load_text, f"{{title: T, call: iam.GetUser, within: {written}}}").within == seconds


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("2012-10-17", "2012-10-17"),
        ("012345678901", "012345678901"),
        ("111122223333", 111122223333),
        ("1e3", "1e3"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("0x1F", "0x1F"),
        ("-5", -5),
        ("1.5", 1.5),
        (".inf", ".inf"),
        ("9" * 5000, "9" * 5000),
        ("True", True),
        ("false", False),
        ("~", None),
        ("'~'", "~"),
        ("'5'", "5"),
        ("! 5", "5"),
        ("=", "="),
        ("<<", "<<"),
    ],
)
def test_plain_values_are_those_of_yaml_1_2(
    written: str, value: Any, load_text: Callable[[str], Lab]
):
    made = load_text(
        HEAD + f"vars: {{a: [{written}]}}\n"
        "stages: [{id: a, title: A, intro: I, checkpoint: [{says: S, call: sts.GetCallerIdentity}]}]\n"
    )
    assert made.vars == {"a": [value]}
    assert type(made.vars["a"][0]) is type(value)


def test_a_lab_knows_its_file(load_text: Callable[[str], Lab], tmp_path: Path):
    text = (
        HEAD
        + "# é\nstages:\n  - id: a\n    title: A\n    intro: I\n    steps:\n      - {title: T, call: iam.GetUser}\n"
    )
    made = load_text(text)
    assert made.path == tmp_path / "some.yaml"
    assert made.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert made.stages[0].line == 6
    assert made.stages[0].steps[0].line == 10
    assert made.stage("a") is made.stages[0]
    assert made.stage("b") is None


def test_a_lab_is_frozen(load_text: Callable[[str], Lab]):
    made = load_text(
        HEAD + "stages: [{id: a, title: A, intro: I, steps: [{title: T, call: iam.GetUser}]}]\n"
    )
    for part in (made, made.stages[0], made.stages[0].steps[0]):
        with pytest.raises(AttributeError):
            setattr(part, "title", "other")  # noqa: B010 - mypy knows that it is frozen


def test_without_a_catalogue_only_what_the_file_says_is_known(tmp_path: Path):
    path = tmp_path / "some.yaml"
    path.write_text(
        HEAD + "services: [no]\nstages: [{id: a, title: A, intro: I, steps:\n"
        "[{title: T, call: no.Such, with: {A: 1}, undo: no.Other, wait: some, save: {b: Any.Thing}}]}]\n",
        encoding="utf-8",
    )
    made = loader.load(path, catalogue=None).stages[0].steps[0]
    assert made.undo is not None
    assert made.undo[0].params is None
    assert made.undo[0].identity == "admin"
