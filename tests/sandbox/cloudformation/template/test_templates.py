"""Reading and evaluating templates: any text is a template, or is refused."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sandbox.cloudformation.harness import Harness

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation import validation
from stslab.sandbox.cloudformation.resources.types import TYPES
from stslab.sandbox.cloudformation.template import patterns, template
from stslab.sandbox.cloudformation.template.blueprint import waves
from stslab.sandbox.cloudformation.template.functions import (
    NO_VALUE,
    UNKNOWN,
    Scope,
    evaluate,
    references,
)
from stslab.sandbox.cloudformation.template.parameters import check_declarations, resolve
from stslab.sandbox.cloudformation.template.template import parse

NAMES = st.sampled_from(["A", "B", "Ref", "Fn::Sub", "Fn::GetAtt", "Fn::If", "Resources", "Type"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize("nothing", ["[]", "''", "0", "false"])
def test_other_empty_properties_are_only_in_saved_stacks(nothing: str) -> None:
    read = parse(f"Resources: {{B: {{Type: AWS::S3::Bucket, Properties: {nothing}}}}}")
    assert read.resources["B"].properties == {}
    with pytest.raises(ApiFault, match="'Properties' must be an object"):
        validation.check(read)


def accept_or_refuse(text: str) -> None:
    with suppress(ApiFault):  # any other exception fails the test
        validation.check(parse(text))


@pytest.mark.parametrize("group", ["()", "(())", "((?:))", "(a{0})", "(?:())", "(?<=())"])
def test_a_pattern_with_very_many_groups_is_refused_at_once(group: str) -> None:
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"\)"):
        patterns.compiled(group * 20_000)
    assert patterns.compiled(group * 1_000)[0].fullmatch("")
    assert time.monotonic() - started < 5


def test_a_pattern_that_tries_ever_more_ways_is_given_up() -> None:
    declared = {"P": {"Type": "String", "AllowedPattern": "(a|a)+$"}}
    assert resolve(declared, [{"ParameterKey": "P", "ParameterValue": "a" * 40}])
    with pytest.raises(ApiFault, match="takes too long to match"):
        resolve(declared, [{"ParameterKey": "P", "ParameterValue": "a" * 40 + "b"}])


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["Resources", "Outputs", "Parameters", "Conditions", "Mappings"]),
        st.dictionaries(
            NAMES,
            VALUES
            | st.fixed_dictionaries(
                {"Type": st.sampled_from(["AWS::S3::Bucket", "String"])},
                optional={"Properties": VALUES, "DependsOn": VALUES, "Default": VALUES},
            ),
            max_size=3,
        ),
    )
)
def test_any_structure_is_accepted_or_refused(data: object) -> None:
    accept_or_refuse(json.dumps(data))


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="Resoucs:{}[]!&* \n-\"'AB|>,?#%@`\t\0é", max_size=60))
def test_any_text_is_accepted_or_refused(text: str) -> None:
    accept_or_refuse(text)


TWICE = {
    "Fn::Sub": lambda text: {"Fn::Sub": ["${a}${a}", {"a": text}]},
    "Fn::Join": lambda text: {"Fn::Join": [text, ["", "", ""]]},
    "Fn::Base64": lambda text: {"Fn::Base64": {"Fn::Base64": {"Fn::Base64": text}}},
}


@pytest.mark.parametrize("function", TWICE)
def test_nested_functions_do_not_fill_the_memory(function: str) -> None:
    text: object = "x" * 1000
    for _ in range(26):
        text = TWICE[function](text)
    with pytest.raises(ApiFault, match="a text is longer than"):
        evaluate(text, Scope({}))


def test_nesting_that_would_exhaust_the_stack_is_refused() -> None:
    for text in ("[" * 50_000, '{"Resources": ' + "[" * 40_000, "a: " * 10_000):
        accept_or_refuse(text)


@pytest.mark.parametrize("text", ['{"A": {"B": {"C": %s}}}', "A: {B: {C: %s}}"])
def test_a_number_may_be_long_but_not_too_long(text: str) -> None:
    read = template.read(text % ("9" * 4_300))
    assert read == {"A": {"B": {"C": "9" * 4_300}}}
    assert template.read(text % 9_223_372_036_854_775_807)["A"]["B"]["C"] == 2**63 - 1
    with pytest.raises(ApiFault, match="ValidationError: Template format error"):
        template.read(text % ("9" * 4_301))


@pytest.mark.parametrize(
    "text",
    [
        '{"A": .NaN}', '{"A": 1e999}', '{"A": "\\ud800"}', "A: .inf", 'A: "\\ud800"',
        "A: 0x" + "f" * 5_000, "A: !!timestamp 2001-01-01", "A: !!binary aGk=", "A: !!set {a}", "? [a]\n: b",
    ],
)  # fmt: skip
def test_what_json_can_not_hold_is_refused(text: str) -> None:
    with pytest.raises(ApiFault, match="ValidationError: Template format error"):
        template.read(text)


def test_a_very_long_number_of_base_60_is_refused_at_once() -> None:
    assert template.read("A: 1:2:03") == {"A": 3723}
    started = time.monotonic()
    for text in ("A: 1" + ":2" * 400_000, "A: !!int '1" + ":2" * 400_000 + "'"):
        with pytest.raises(ApiFault, match="ValidationError: Template format error"):
            template.read(text)
    assert time.monotonic() - started < 5


def test_a_very_long_chain_of_conditions_is_decided(lab: Harness) -> None:
    names = [f"C{number}" for number in range(1_500)]
    links = "".join(f"{a}: !Not [Condition: {b}]\n" for a, b in pairwise(names))
    text = f"Conditions:\n  C1499: !Equals [a, a]\n  {links.replace(chr(10), chr(10) + '  ')}\n"
    text += "Resources: {A: {Type: AWS::IAM::Group, Condition: C0}, B: {Type: AWS::IAM::Group}}\n"
    lab.deploy(text, Capabilities=["CAPABILITY_IAM"])
    assert list(lab.resources()) == ["B"]


def test_a_long_chain_of_resources_is_ordered_quickly() -> None:
    needs = {f"r{n}": frozenset([f"r{n + 1}"] if n < 499 else []) for n in range(500)}
    assert waves(needs) == [[f"r{n}"] for n in reversed(range(500))]


def test_a_body_with_one_byte_too_many_is_refused() -> None:
    template.check_size("x" * 51_200)
    with pytest.raises(ApiFault, match="length less than or equal to 51200"):
        template.check_size("x" * 51_201)


@pytest.mark.parametrize("letter", ["x", "\u00e9"])
def test_a_template_in_a_bucket_has_a_megabyte_of_bytes(lab: Harness, letter: str) -> None:
    """User Guide of 2026, "Understand CloudFormation quotas"; for the number AWS's message.

    A public record has it: aws-samples/aws-vpc-cidr-mgmt#10 (2021).
    """
    text = "Resources: {B: {Type: AWS::S3::Bucket}}\n#" + letter * 480_000
    s3, url = lab.client("s3"), "https://s3.amazonaws.com/templates/t"
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="t", Body=text.encode().ljust(1_000_000))
    lab.call("ValidateTemplate", TemplateURL=url)
    s3.put_object(Bucket="templates", Key="t", Body=text.encode().ljust(1_000_001))
    with pytest.raises(ApiFault, match="may not exceed 1000000 bytes"):
        lab.call("ValidateTemplate", TemplateURL=url)


LONG = "n" * 256
BUCKETS = {"B": {"Type": "AWS::S3::Bucket"}}


@pytest.mark.parametrize(
    "section",
    [
        {"Resources": {LONG: BUCKETS["B"]}},
        {"Parameters": {LONG: {"Type": "String"}}},
        {"Outputs": {LONG: {"Value": "x"}}},
        {"Mappings": {LONG: {"a": {"b": "c"}}}},
        {"Mappings": {"M": {"a": {f"b{number}": "c" for number in range(201)}}}},
    ],
)
def test_names_and_mappings_have_quotas(section: dict[str, object]) -> None:
    with pytest.raises(ApiFault, match=r"longer than 255 characters|maximum allowed, 200"):
        validation.check(parse(json.dumps({"Resources": BUCKETS} | section)))


def test_a_parameter_with_one_byte_too_many_is_refused() -> None:
    declared = {"P": {"Type": "String"}}
    resolve(declared, [{"ParameterKey": "P", "ParameterValue": "x" * 4_096}])
    with pytest.raises(ApiFault, match="at most 4096 bytes"):
        resolve(declared, [{"ParameterKey": "P", "ParameterValue": "\xe9" * 2_049}])


def test_dates_stay_text() -> None:
    data = template.read("A: 2012-10-17\nB: 010\nC: yes\nD: '5'\nE: 1.5\nF: !GetAtt X.Y.Z")
    assert data["A"] == "2012-10-17"
    assert data["C"] is True
    assert data["D"] == "5"
    assert [(one.name, one.attribute) for one in references(data["F"])] == [("X", "Y.Z")]


def test_only_the_used_branch_of_an_if_has_references() -> None:
    value = {"Fn::If": ["C", {"Ref": "A"}, {"Fn::GetAtt": ["B", "Arn"]}]}
    assert {ref.name for ref in references(value)} == {"A", "B"}
    assert {ref.name for ref in references(value, lambda _condition: False)} == {"B"}


def test_waves_begin_with_resources_without_dependencies() -> None:
    needs = {
        "c": frozenset("ab"),
        "b": frozenset("a"),
        "a": frozenset[str](),
        "d": frozenset[str](),
    }
    assert waves(needs) == [["a", "d"], ["b"], ["c"]]


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::Sub": "x${R}"},
        {"Fn::Sub": ["${V}", {"V": {"Ref": "R"}}]},
        {"Fn::Join": ["-", ["a", {"Ref": "R"}]]},
        {"Fn::Select": [5, {"Fn::Split": ["-", {"Ref": "R"}]}]},
        {"Fn::Base64": {"Ref": "R"}},
        {"Fn::Join": ["-", {"Fn::Split": ["-", {"Ref": "R"}]}]},
    ],
)
def test_a_function_of_an_unknown_value_is_unknown(value: object) -> None:
    assert evaluate(value, Scope(names={}, resource=lambda _reference: UNKNOWN)) == UNKNOWN


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ({"Fn::Sub": "${!Literal}-${AWS::Region}"}, "${Literal}-us-east-1"),
        ({"Fn::Join": [",", [1, True, "x"]]}, "1,true,x"),
        ({"Fn::Split": ["|", "a||b"]}, ["a", "", "b"]),
        ({"a": [{"Ref": "AWS::NoValue"}, 1], "b": {"Ref": "AWS::NoValue"}}, {"a": [1]}),
    ],
)
def test_the_value_of_a_function(value: object, result: object) -> None:
    names = {"AWS::Region": "us-east-1", "AWS::NoValue": NO_VALUE}
    assert evaluate(value, Scope(names=names)) == result


@given(
    st.from_regex(r"[A-Za-z][-A-Za-z0-9]{0,127}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9]{1,255}", fullmatch=True),
)
def test_physical_ids_keep_to_the_limits(stack: str, logical: str) -> None:
    limits = {"S3::Bucket": 63, "IAM::Role": 64, "IAM::ManagedPolicy": 128, "IAM::Policy": 24}
    for kind, limit in limits.items():
        made = TYPES[f"AWS::{kind}"].new_name(stack, logical, {})
        assert len(made) == min(limit, len(stack) + 1 + len(logical) + 1 + 12)
        assert made[0].lower() == stack[0].lower()


@pytest.mark.parametrize("text", ["1" * 50_000 + "x", "1" * 50_000 + ".x"])
def test_a_long_limit_that_is_no_number_is_refused_at_once(text: str) -> None:
    started = time.monotonic()
    with pytest.raises(ApiFault, match="Every MinValue member must be a number"):
        check_declarations({"P": {"Type": "Number", "MinValue": text}})
    assert time.monotonic() - started < 2
