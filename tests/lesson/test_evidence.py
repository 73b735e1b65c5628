"""Policies in a few words, and the policies in a call's parameters."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from stslab.lesson.evidence import claims_of, documents_of, evidence, renamed, statement_lines
from stslab.lesson.verdict import GateReading, Verdict
from stslab.runner.ports import Call
from stslab.vocabulary import Gate

TEMPLATE = Path(__file__).parents[2] / "templates" / "sts-role.yaml"


@pytest.mark.parametrize(
    ("statement", "lines"),
    [
        ({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, ["Allow s3:* on *"]),
        (
            {"Effect": "Deny", "NotAction": ["a:B", "c:D"], "NotResource": "x"},
            ["Deny all but a:B, c:D on all but x"],
        ),
        (
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": "4711"}},
            },
            ["Allow sts:AssumeRole to account 111122223333", "if sts:ExternalId = 4711"],
        ),
        (
            {"Effect": "Allow", "Principal": "*", "Action": "x:Y", "Resource": "z"},
            ["Allow x:Y to everyone on z"],
        ),
        (
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "x:Y"},
            ["Allow x:Y to ec2.amazonaws.com"],
        ),
    ],
)
def test_a_statement_in_words(statement: dict[str, object], lines: list[str]) -> None:
    assert list(statement_lines(statement)) == lines


def test_variables_replace_their_values() -> None:
    names = {"RUN": "a1", "ROLE": "arn:aws:iam::111122223333:role/r-a1"}
    found = renamed({"Resource": ["arn:aws:iam::111122223333:role/r-a1", "b-a1"], "n": 1}, names)
    assert found == {"Resource": ["$ROLE", "b-$RUN"], "n": 1}


def test_each_gate_shows_its_policies() -> None:
    document = {"Statement": {"Effect": "Allow", "Action": "x:Y", "Resource": "*"}}
    told = Verdict(
        False,
        (Gate.IDENTITY,),
        gates=(
            GateReading(Gate.TRUST, "allows", decided=False, policies=({"policy": "t"},)),
            GateReading(Gate.IDENTITY, "does not allow", decided=True),
        ),
        documents={"t": document},
    )
    trust, own = evidence(told, "sts", "the role")
    assert trust == ("trust policy of the role", ["Allow x:Y on *"])
    assert own == ("policies of sts", [])


def test_policies_in_a_template() -> None:
    call = Call("admin", "cloudformation", "CreateStack", {"TemplateBody": TEMPLATE.read_text()})
    found = documents_of(call)
    assert list(found) == ["the trust policy of StsRole", "what StsRole may do"]
    (trust,) = found["the trust policy of StsRole"]["Statement"]
    assert trust["Principal"] == {"AWS": "arn:aws:iam::${AWS::AccountId}:root"}
    assert "to this account" in next(statement_lines(trust))


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[1, 2", "Resources: 5", "a: !Sub [", "Resources: {A: 5}", ""),
        "Resources: {A: {Type: AWS::IAM::Role, Properties: {Policies: !Ref Some}}}",
    ],
)
def test_an_invalid_template_has_no_policies(text: str) -> None:
    assert (
        documents_of(Call("admin", "x", "Y", {"TemplateBody": text, "PolicyDocument": "{"})) == {}
    )


def test_a_policy_among_the_parameters() -> None:
    params = {"PolicyDocument": json.dumps({"Statement": []})}
    assert documents_of(Call("a", "iam", "PutUserPolicy", params)) == {
        "the policy": {"Statement": []}
    }


def test_brief_evidence_shows_only_statements_on_the_action() -> None:
    allow = {"Effect": "Allow", "Action": "x:Y", "Resource": "*"}
    other = {"Effect": "Deny", "Action": "x:Z", "Resource": "*"}
    about: dict[str, object] = {"matches": True}
    beside: dict[str, object] = {"matches": False, "mismatch": {"element": "Action"}}
    gates = (
        GateReading(
            Gate.IDENTITY, "allows", False, ({"policy": "p", "statements": [about, beside]},)
        ),
        GateReading(
            Gate.SESSION, "does not allow", False, ({"policy": "s", "statements": [beside]},)
        ),
        GateReading(Gate.BOUNDARY, "does not allow", False),
    )
    told = Verdict(
        True, gates=gates, documents={"p": {"Statement": [allow, other]}, "s": {"Statement": other}}
    )
    found = [lines for _, lines in evidence(told, "night", "it", brief=True)]
    assert found == [["Allow x:Y on *"], ["nothing on this action (see `policies`)"], []]
    assert [len(lines) for _, lines in evidence(told, "night", "it")] == [2, 1, 0]


def test_a_sessions_arn_is_shown_without_the_account() -> None:
    arn = "arn:aws:sts::111122223333:assumed-role/r/night-job"
    statement = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "x:Y"}
    assert list(statement_lines(statement)) == ["Allow x:Y to arn:...:assumed-role/r/night-job"]


def test_a_token_is_shown_by_its_subject_and_audience() -> None:
    said = json.dumps({"sub": "repo:Octo/shop", "aud": "sts.amazonaws.com", "exp": 1}).encode()
    token = f"e30.{base64.urlsafe_b64encode(said).decode().rstrip('=')}.signature"
    for given, lines in (
        (token, ["sub = repo:Octo/shop", "aud = sts.amazonaws.com"]),
        ("no.token.at all", []),
        ("", []),
    ):
        call = Call("x", "sts", "AssumeRoleWithWebIdentity", {"WebIdentityToken": given})
        assert claims_of(call) == lines
