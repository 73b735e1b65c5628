"""What allows a call that should be refused, and what removes it."""

import pytest

from stslab.runner.journal.records import Entry, EntryState, Intent
from stslab.runner.ports import Call
from stslab.runner.run.allowing import decided_by, foreign, removal, simulated, told
from stslab.vocabulary import Gate


def policy(name: str, *statements: tuple[str, bool]) -> dict[str, object]:
    read = [
        {"statement": f"statement {at}", "effect": effect, "matches": matches}
        for at, (effect, matches) in enumerate(statements, 1)
    ]
    return {"policy": name, "statements": read}


def test_the_policies_that_give_and_not_those_that_only_limit() -> None:
    gates = [
        (Gate.SCP, [policy("FullAccess", ("Allow", True))]),
        (Gate.TRUST, [policy("trust", ("Allow", True))]),
        (
            Gate.IDENTITY,
            [policy("a", ("Allow", False), ("Deny", True)), policy("b", ("Allow", True))],
        ),
    ]
    assert decided_by(gates) == (("b", "statement 1"),)
    assert decided_by(gates[:2]) == (("trust", "statement 1"),)
    assert decided_by(gates[:1]) == ()


def row(decision: str, *policies: str) -> dict[str, object]:
    start = {"Line": 1, "Column": 38}
    return {
        "EvalDecision": decision,
        "MatchedStatements": [{"SourcePolicyId": one, "StartPosition": start} for one in policies],
    }


def test_the_policies_of_a_simulated_call() -> None:
    asked = {"PolicySourceArn": "arn:aws:iam::111122223333:user/team/ana_b"}
    rows = [row("allowed", "user_ana_b_my_own", "Managed"), row("explicitDeny", "user_ana_b_no")]
    assert simulated(asked, {"EvaluationResults": rows}) == (
        ("inline policy my_own of user ana_b", "its statement at line 1, column 38"),
        ("policy Managed", "its statement at line 1, column 38"),
    )
    assert simulated({}, {"Users": []}) == ()


def test_the_sentence() -> None:
    assert told((("a", "one"), ("b", "two"))) == "What allows it: a (one); b (two)."
    assert told(()) == ""


def test_what_a_call_of_the_run_names_is_not_foreign() -> None:
    params = {"PolicyName": "Mine", "TemplateBody": "PolicyName: Bucket-1\nx: example"}
    intent = Intent("s", 0, "t", "admin", "iam", "PutUserPolicy", params, None, ())
    entry = Entry(1, intent, None, (), started="", state=EntryState.DONE)
    names = ("Mine", "Bucket-1", "Bucket", "exam", "mine")
    allowing = tuple((f"inline policy {name} of user ana", "s") for name in names)
    assert [one.split()[2] for one, _ in foreign(allowing, [entry])] == ["Bucket", "exam", "mine"]
    assert foreign((("trust policy of role r", "s"),), []) == ()


@pytest.mark.parametrize(
    ("operation", "params", "own"),
    [
        ("PutBucketPolicy", {"Bucket": "b", "Policy": "{}"}, True),
        ("PutBucketPolicy", {"Bucket": "other", "Policy": "{}"}, False),
        ("CreateBucket", {"Bucket": "b"}, False),
        ("CreateStack", {"TemplateBody": "Type: AWS::S3::BucketPolicy"}, True),
        ("CreateStack", {"TemplateBody": "Type: AWS::S3::Bucket"}, False),
    ],
)
def test_a_bucket_policy_is_foreign_if_the_run_put_none(
    operation: str, params: dict[str, str], own: bool
) -> None:
    intent = Intent("s", 0, "t", "admin", "s3", operation, params, None, ())
    entry = Entry(1, intent, None, (), started="", state=EntryState.DONE)
    allowing = (("bucket policy of b", "statement 1"),)
    assert foreign(allowing, [entry]) == (() if own else allowing)


@pytest.mark.parametrize(
    ("policy", "operation", "params"),
    [
        ("inline policy x of user ana", "DeleteUserPolicy", {"UserName": "ana", "PolicyName": "x"}),
        ("inline policy x of group g", "DeleteGroupPolicy", {"GroupName": "g", "PolicyName": "x"}),
        ("managed policy arn:x of role r", "DetachRolePolicy",
         {"RoleName": "r", "PolicyArn": "arn:x"}),
    ],
)  # fmt: skip
def test_the_call_that_removes_it(policy: str, operation: str, params: dict[str, str]) -> None:
    assert removal(policy, "partner") == Call("partner", "iam", operation, params)


def test_the_call_that_removes_a_bucket_policy() -> None:
    call = Call("admin", "s3", "DeleteBucketPolicy", {"Bucket": "b"})
    assert removal("bucket policy of b", "admin") == call


def test_no_call_removes_a_trust_policy() -> None:
    assert removal("trust policy of role r", "admin") is None
