"""The list of a lab's calls: every call and undo, every thing, and the notes."""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests import yaml_files

from stslab.lab.effects import lab_calls, summary
from stslab.lab.model import Lab
from stslab.render.terminal.lab import enforced

ROWS = yaml_files.read(Path(__file__).parents[1] / "cases" / "harmless" / "notes.yaml")
HEAD = """
stslab: 1
id: some
title: Some
uses: {roles: ["arn:aws:iam::${{ account }}:role/ci"], accounts: ["444455556666", "*"]}
services: [sqs]
stages:
  - id: one
    title: One
    intro: I
    steps:
      - title: A user
        call: iam.CreateUser
        with: {UserName: "u-${{ run.id }}", Tags: [{Key: "stslab:run", Value: "${{ run.id }}"}]}
        undo: [{call: iam.DeleteUserPolicy, with: {UserName: "u-${{ run.id }}", PolicyName: p}}, iam.DeleteUser]
      - title: A bucket
        call: s3.CreateBucket
        with: {Bucket: "b-${{ run.id }}", CreateBucketConfiguration: {Tags: [{Key: "stslab:run", Value: "${{ run.id }}"}]}}
        undo: s3.DeleteBucket
"""


def told(load_text: Callable[[str], Lab], step: str):
    return summary(lab_calls(load_text(HEAD + step)))


def test_every_call_and_undo_call_is_listed(load_text: Callable[[str], Lab]):
    listed = list(lab_calls(load_text(HEAD)))
    assert [(one.when, one.call) for one in listed] == [
        ("step", "iam.CreateUser"),
        ("undo", "iam.DeleteUserPolicy"),
        ("undo", "iam.DeleteUser"),
        ("step", "s3.CreateBucket"),
        ("undo", "s3.DeleteBucket"),
    ]
    changed = {one.thing: (one.calls, one.undo) for one in summary(listed).changed}
    assert changed == {
        "IAM user u-<run>": (("iam.CreateUser",), ("iam.DeleteUser",)),
        "inline policy p of user u-<run>": ((), ("iam.DeleteUserPolicy",)),
        "S3 bucket b-<run>": (("s3.CreateBucket",), ("s3.DeleteBucket",)),
    }


def test_further_calls_of_cleanup_are_listed(load_text: Callable[[str], Lab]):
    assert {"iam.DeleteAccessKey", "iam.DetachUserPolicy", "s3.DeleteObjects"} <= set(
        told(load_text, "").cleanup
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.get("note", "nothing"))
def test_notes_for_the_learner(load_text: Callable[[str], Lab], row: dict[str, str]):
    steps = [
        {"title": "T", **one, **({} if "save" in one or "undo" in one else {"undo": "none"})}
        for one in yaml.safe_load(row["steps"])
    ]
    written = textwrap.indent(yaml.safe_dump(steps, sort_keys=False), " " * 6)
    assert told(load_text, written).notes == ((row["note"],) if "note" in row else ())


def test_a_call_to_another_service_is_listed(load_text: Callable[[str], Lab]):
    step = "      - {title: T, call: sqs.CreateQueue, with: {QueueName: q}, save: {url: QueueUrl}, undo: {call: sqs.DeleteQueue, with: {QueueUrl: '${{ url }}'}}}\n"
    listed = told(load_text, step)
    assert [(one.thing, one.calls, one.undo) for one in listed.changed if "sqs" in one.thing] == [
        ("something of sqs: QueueName q", ("sqs.CreateQueue",), ()),
        ("something of sqs: QueueUrl <url>", (), ("sqs.DeleteQueue",)),
    ]
    assert "stslab can't tell what calls of sqs change." in enforced(listed)
    assert enforced(told(load_text, "")).startswith("Nothing else is touched: each call is checked")
