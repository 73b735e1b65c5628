"""The interface for programs: a line in, a line out, whatever the line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policy.cases import (
    ALICE,
    BUCKET,
    LAB_ROLE,
    allow,
    aws,
    case,
    decide,
    deny,
    grant,
    policy,
)

from stslab.policy.cases import decide_lines


def answers(*lines):
    return [(json.loads(text), readable) for text, readable in decide_lines(lines)]


def test_lines_are_answered_in_order_and_bad_ones_do_not_stop_the_rest():
    lines = [
        json.dumps(case(identity=[allow()], id=1)),
        "{",
        "",
        "[]",
        json.dumps({"id": "x"}),
        json.dumps(case(id=None)),
    ]
    found = answers(*lines)
    assert [readable for _, readable in found] == [True, False, False, False, True]
    assert [answer["id"] for answer, _ in found] == [1, None, None, "x", None]
    assert found[0][0]["decision"] == "Allowed"
    assert found[1][0]["error"].startswith("Line 2 is not JSON")
    assert "missing required field" in found[3][0]["error"]


def test_an_unreadable_case_is_named_by_its_line():
    lines = [json.dumps({"principal": ALICE}), json.dumps({"id": 7, "principal": ALICE}), "["]
    errors = [answer["error"] for answer, _ in answers(*lines)]
    assert errors[0].startswith("Line 1: The case can't be read. Object missing")
    assert errors[1].startswith("Line 2: The case can't be read. ")
    assert errors[2].startswith("Line 3 is not JSON: ")


@pytest.mark.parametrize(("name", "meant"), [("identity_policy", "identity_policies"), ("xyz", "")])
def test_an_unknown_field_has_a_suggestion(name, meant):
    error = decide({**case(), name: []})["error"]
    assert f"unknown field `{name}`." in error
    assert error.endswith(f"Did you mean {meant!r}?" if meant else f"`{name}`.")


def test_the_answer_has_exactly_these_fields():
    assert set(decide(case())) == {"id", "decision", "reason", "layers"}
    (layer,) = decide(case(identity=[allow(Sid="All")]))["layers"]
    assert layer == {
        "layer": "identity-based policy",
        "decision": "Allowed",
        "blocks": False,
        "policies": [
            {
                "policy": "identity-based policy 1",
                "statements": [{"statement": "All", "effect": "Allow", "matches": True}],
            }
        ],
    }


def test_levels_of_an_organization_are_numbered_from_its_root():
    found = decide(case(identity=[allow()], scps=[[allow()], [deny()]]))
    assert [(each["layer"], each.get("level")) for each in found["layers"]] == [
        ("service control policy", 1),
        ("service control policy", 2),
        ("identity-based policy", None),
    ]


def trusting(**changes):
    """A case of a role whose trust policy has a statement with these elements."""
    statement = {**grant(aws(ALICE), "sts:AssumeRole"), "Effect": "Deny", **changes}
    used = {name: value for name, value in statement.items() if value is not None}
    return case(action="sts:AssumeRole", resource=LAB_ROLE, shared=[used])


def test_a_roles_resource_policy_is_its_trust_policy():
    assert decide(trusting(Effect="Allow"))["layers"][0]["layer"] == "role trust policy"


UNREADABLE = [
    ({}, "missing required field `principal`"),
    (case(action="GetObject"), "not an action of the form service:Operation"),
    (case(action="s3:"), "not an action of the form service:Operation"),
    (case(action="s3:a:b"), "not an action of the form service:Operation"),
    (case(principal="alice"), "'alice' is not the ARN of a principal"),
    (case(principal="arn:aws:iam::111122223333:group/g"), "not the ARN of a principal"),
    (case(principal=7), "Expected `str`, got `int` - at `$.principal`"),
    (case(resource=""), "length >= 1 - at `$.resource`"),
    (case(resource_account="1"), "{12}"),
    (case(context=[]), "Expected `object | null`, got `array` - at `$.context`"),
    (case(context={"aws:x": {}}), "'aws:x' must have a text"),
    (case(context={"aws:x": [None]}), "'aws:x' must have a text"),
    (case(principal_is_service_linked="yes"), "Expected `bool | null`, got `str`"),
    (case(identity_policies={}) | {"identity_policies": {"a": 1}}, "`$.identity_policies`"),
    (case(identity_policies={}), "Expected `array | null`"),
    (case(session_policies=""), "at `$.session_policies`"),
    (case(permissions_boundaries=False), "at `$.permissions_boundaries`"),
    (
        case(identity_policies=[1]),
        "policy 1 is malformed: Syntax errors in policy. A policy must be",
    ),
    (case(service_control_policies={}), "at `$.service_control_policies`"),
    (case(service_control_policies=[policy(allow())]), "at `$.service_control_policies[0]`"),
    (case(resource_control_policies=[[], "x"]), "at `$.resource_control_policies[1]`"),
    (case(resource="shop/a"), "'shop/a' is not an ARN"),
    (case(action="s3:*"), "without wildcards"),
    (case(action="s3:Get?bject"), "without wildcards"),
    (case(colour="red"), "unknown field `colour`"),
    (case(identity=[{"Effect": "Allow", "Action": "*"}]), "must contain resources"),
    (case(identity=[allow(Principal="*")]), "should not specify a principal"),
    (case(shared=[allow()]), "Missing required field Principal"),
    (case(identity_policies=['{"Statement": []']), "Syntax errors in policy. Expecting"),
    # "Creating a role trust policy", "Role trust policy syntax error" of the policy checks
    (trusting(Resource="*"), "Has prohibited field Resource"),
    (trusting(Principal=None, NotPrincipal=aws(ALICE)), "must not contain NotPrincipal"),
    (trusting(Action="s3:GetObject"), "may only specify STS AssumeRole actions"),
]


@pytest.mark.parametrize(("asked", "problem"), UNREADABLE)
def test_a_case_that_cannot_be_read_says_why(asked, problem):
    found = decide(asked)
    assert set(found) == {"id", "error"}
    assert problem in found["error"]
    ((line, readable),) = answers(json.dumps(asked))
    assert (line, readable) == (found, False)


@pytest.mark.parametrize(
    "line",
    [
        '{"id": 1, "id": 2, "principal": "%s", "action": "s3:GetObject", "resource": "*"}',
        '{"id": 2, "principal": "%s", "action": "s3:GetObject", "resource": "*", "identity_policies": [{"Statement": {"Effect" : "Deny", "Effect": "Allow", "Action": "*", "Resource": "*"}}]}',
        '{"id": 2, "principal": "%s", "action": "s3:GetObject", "resource": "*", "identity_policies": [{"Statement": {"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}]}',
        '{"id": 2, "principal": "%s", "action": "s3:GetObject", "resource": "*", "context": {"aws:x": "1", "aws:x": "2"}}',
        # As many colons behind quotation marks as keys: an escape hides one.
        '{"id": 1, "id": 2, "principal": "%s", "action": "s3:GetObject", "resource": "*", "identity_policies": ["{\\"Version\\"\\n:\\"2012-10-17\\",\\"Statement\\":{\\"Effect\\":\\"Allow\\",\\"Action\\":\\"*\\",\\"Resource\\":\\"*\\"}}"]}',
    ],
)
def test_a_repeated_key_is_an_error(line):
    ((found, readable),) = answers(line % ALICE)
    assert not readable
    assert "is there twice" in found["error"]


@pytest.mark.parametrize("value", ['say ":', 'a" :b', "tab\t:", ": ", '\\":'])
def test_texts_that_look_like_keys_are_allowed(value):
    asked = case(identity=[allow()], context={"aws:x": value})
    ((found, readable),) = answers(json.dumps(asked))
    assert (found["decision"], readable) == ("Allowed", True)


def test_null_is_the_same_as_a_missing_value():
    fields = ["principal_is_service_linked", "resource_account", "context", "resource_policy"]
    lists = ["permissions_boundaries", "session_policies", "service_control_policies"]
    asked = case(identity=[allow()]) | dict.fromkeys([*fields, *lists])
    assert decide(asked)["decision"] == "Allowed"


def test_context_values_may_be_numbers_and_booleans():
    condition = {"Bool": {"x:a": "true"}, "NumericLessThan": {"x:b": "5"}}
    asked = case(identity=[allow(Condition=condition)], context={"x:a": True, "x:b": 4.5})
    assert decide(asked)["decision"] == "Allowed"


def test_keys_derived_from_the_principal_are_in_the_context():
    keys = {
        "aws:PrincipalArn": "arn:aws:iam::111122223333:role/worker",
        "aws:PrincipalAccount": "111122223333",
        "aws:PrincipalType": "AssumedRole",
        "aws:PrincipalIsAWSService": "false",
    }
    principal = "arn:aws:sts::111122223333:assumed-role/worker/night"
    asked = case(principal, identity=[allow(Condition={"StringEquals": keys})])
    assert decide(asked)["decision"] == "Allowed"
    told = asked | {"context": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/x/worker"}}
    assert decide(told)["decision"] == "ImplicitlyDenied"


def test_empty_lists_of_policies_do_not_limit():
    asked = case(identity=[allow()])
    asked |= {"permissions_boundaries": [], "session_policies": [], "service_control_policies": []}
    assert decide(asked)["decision"] == "Allowed"


@given(
    st.dictionaries(
        st.sampled_from(sorted(case(context={}))), st.text() | st.none() | st.lists(st.none())
    )
)
def test_every_case_is_answered(changes):
    asked = {**case(identity=[allow()]), **changes}
    assert {"decision", "error"} & set(decide(asked))
    ((found, _),) = answers(json.dumps(asked))
    assert found == decide(asked)


@given(st.text(max_size=60))
def test_every_line_is_answered(line):
    for found, readable in answers(line):
        assert ("error" in found) != readable


def test_names_with_quotation_marks_stay_json():
    asked = case(resource=f'{BUCKET}"\\\u20ac', identity=[allow(resource="arn:aws:s3:::x")])
    ((found, _),) = answers(json.dumps(asked))
    (layer,) = found["layers"]
    (statement,) = layer["policies"][0]["statements"]
    assert statement["mismatch"]["found"] == f'{BUCKET}"\\\u20ac'


WRITTEN = json.dumps(case(id=1))
NO_JSON = [
    (WRITTEN.replace('"id": 1', '"id": NaN'), "NaN is not a JSON value."),
    (WRITTEN.replace('"id": 1', '"id": [-Infinity]'), "-Infinity is not a JSON value."),
    (WRITTEN.replace('"id": 1', '"id": 1e999'), "a number is too large."),
    (WRITTEN.replace('"id": 1', f'"id": {"9" * 5000}'), "a number has too many digits."),
    (WRITTEN.replace('"id": 1', f'"id": {"[" * 100_000}'), "it is nested too deeply."),
    (WRITTEN.replace("shop", "sh\udcf6p"), "it is not UTF-8."),
    (WRITTEN.encode("utf-16").decode(errors="surrogateescape"), "it is UTF-16; save it as UTF-8."),
    (WRITTEN.replace("shop", "sh\0p"), "Invalid control character at column 118."),
    ("\0", "Expecting value at column 1."),
    (WRITTEN * 2, "Extra data at column 124."),
]


@pytest.mark.parametrize(("line", "problem"), NO_JSON, ids=[each for _, each in NO_JSON])
def test_a_line_that_is_not_json_is_reported_and_the_next_one_decided(line, problem):
    (found, readable), (_, next_readable) = answers(line, WRITTEN)
    assert found == {"id": None, "error": f"Line 1 is not JSON: {problem}"}
    assert (readable, next_readable) == (False, True)


@pytest.mark.parametrize("number", ["9" * 4000, "-0", "1.5", "1e300", "0.1e-999"])
def test_ids_that_are_numbers_come_back_as_json(number):
    (text, readable) = next(decide_lines([WRITTEN.replace('"id": 1', f'"id": {number}')]))
    assert readable
    assert json.loads(text)["id"] == json.loads(number)


@pytest.mark.parametrize("text", ["\\ud800", "\\ud83d\\ude00", "\\u0000", "\\u001b[2J", "\u2028"])
def test_the_answer_is_always_one_line_of_ascii(text):
    line = WRITTEN.replace('"id": 1', f'"id": "{text}"').replace("shop", text)
    (found, readable) = next(decide_lines([line]))
    assert readable
    assert found.isascii()
    assert found.isprintable()
    assert json.loads(found)["id"] == json.loads(f'"{text}"')
