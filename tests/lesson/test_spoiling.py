"""Common mistakes in a policy, one at a time."""

from typing import Any

import pytest

from stslab.lesson.faults import spoilt

ACCOUNT, OTHER = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/teams/data/reader"
TRUST = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"sts:ExternalId": "x"}},
}
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("another account", {"Resource": ROLE}, {"Resource": ROLE.replace(ACCOUNT, OTHER)}),
    ("a path left out", {"Resource": ROLE}, {"Resource": f"arn:aws:iam::{ACCOUNT}:role/reader"}),
    ("without /*", {"Resource": "arn:aws:s3:::shop/*"}, {"Resource": "arn:aws:s3:::shop"}),
    ("/* too much", {"Resource": "arn:aws:s3:::shop"}, {"Resource": "arn:aws:s3:::shop/*"}),
    ("an s too many", {"Action": "s3:ListBucket"}, {"Action": "s3:ListBuckets"}),
    (
        "one of several",
        {"Action": ["s3:GetObject", "s3:ListBuckets"]},
        {"Action": ["s3:GetObject", "s3:ListBucket"]},
    ),
    ("another principal type", TRUST, {**TRUST, "Principal": {"Service": "ec2.amazonaws.com"}}),
    ("another key", TRUST, {**TRUST, "Condition": {"StringEquals": {"aws:SourceArn": "x"}}}),
    (
        "presence in place of a value",
        {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}},
        {"Condition": {"Null": {"aws:MultiFactorAuthPresent": "true"}}},
    ),
    (
        "another operator",
        TRUST,
        {**TRUST, "Condition": {"StringNotEquals": {"sts:ExternalId": "x"}}},
    ),
]


@pytest.mark.parametrize(("old", "new"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_each_mistake_changes_one_thing(old: dict[str, Any], new: dict[str, Any]) -> None:
    statement = {"Sid": "A", "Effect": "Allow", "Action": "s3:*", **old}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    found = list(spoilt(document, ACCOUNT))
    wanted = {"Version": "2012-10-17", "Statement": [{**statement, **new}]}
    assert wanted in [one for _, one in found]
    assert len({name for name, _ in found}) == len(found)
    assert document not in [one for _, one in found]


def test_a_deny_is_added_to_the_statements() -> None:
    document = {"Version": "2012-10-17", "Statement": TRUST}
    named = dict(spoilt(document, ACCOUNT))
    denied = next(one for name, one in named.items() if name.endswith("deny"))
    assert denied["Statement"][0] == TRUST
    assert {**denied["Statement"][1], "Sid": ""} == {
        "Sid": "", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole",
    }  # fmt: skip


def test_no_mistake_in_a_deny_and_none_twice() -> None:
    document = {"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    assert list(spoilt(document, ACCOUNT)) == []
