"""Each operator: match, no match, absent key, several values; beyond AWS's own tables."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stslab.policy import Principal, Request, conditions
from stslab.policy.conditions import OPERATORS, Condition, moment, number, read_test
from stslab.policy.documents import grammar
from stslab.policy.request import Context

ALICE = Principal.from_arn("arn:aws:iam::111122223333:user/alice")


def compiled(element):
    return [Condition(*test, variables=True) for test in grammar.read_tests(element)]


def known(operator: str) -> conditions.Test:
    test = read_test(operator)
    assert test
    return test


def holds(operator, wanted, context, *, key="x:k", variables=True, denies=False):
    values = [wanted] if isinstance(wanted, str) else wanted
    condition = Condition(known(operator), key, values, variables=variables, denies=denies)
    return condition.holds(Context(Request(ALICE, "s3:GetObject", "*", context)))


def k(value):
    return {"x:k": value}


TRUE, FALSE = True, False
ROWS = [
    ("StringEquals", "a", k("a"), TRUE),
    ("StringEquals", "a", k("A"), FALSE),
    ("StringEquals", "a*", k("ab"), FALSE),
    ("StringEquals", "a*", k("a*"), TRUE),
    ("StringEquals", ["a", "b"], k("b"), TRUE),
    ("StringEquals", "a", {}, FALSE),
    ("StringNotEquals", ["a", "b"], k("b"), FALSE),
    ("StringNotEquals", ["a", "b"], k("c"), TRUE),
    ("StringNotEquals", "a", {}, TRUE),
    ("StringEqualsIgnoreCase", "aB", k("Ab"), TRUE),
    ("StringEqualsIgnoreCase", "${aws:username}", k("ALICE"), TRUE),
    ("StringEqualsIgnoreCase", "${aws:nothing}", k("${aws:nothing}"), FALSE),
    ("StringNotEqualsIgnoreCase", "aB", k("Ab"), FALSE),
    ("StringLike", "a*c", k("abc"), TRUE),
    ("StringLike", "a?c", k("ac"), FALSE),
    ("StringLike", "home/${aws:username}/*", k("home/alice/x"), TRUE),
    ("StringNotLike", "a*c", k("abc"), FALSE),
    ("StringNotLike", "a*c", {}, TRUE),
    ("NumericEquals", "10", k("10.0"), TRUE),
    ("NumericNotEquals", "10", k("11"), TRUE),
    ("NumericLessThan", "10", k("9.5"), TRUE),
    ("NumericLessThan", "10", k("10"), FALSE),
    ("NumericLessThanEquals", "10", k("10"), TRUE),
    ("NumericGreaterThan", "10", k("9"), FALSE),
    ("NumericGreaterThan", "9", k("10"), TRUE),
    ("NumericGreaterThanEquals", "-1", k("-1"), TRUE),
    ("NumericEquals", "ten", k("10"), FALSE),
    ("NumericNotEquals", "10", k("ten"), TRUE),
    ("NumericEquals", "NaN", k("NaN"), FALSE),
    ("NumericNotEquals", "NaN", k("1"), TRUE),
    ("NumericNotEquals", "NaN", k("NaN"), TRUE),
    ("NumericNotEquals", ["NaN", "1"], k("1"), FALSE),
    ("NumericGreaterThan", "NaN", k("1"), FALSE),
    ("DateEquals", "soon", k("soon"), FALSE),
    ("DateNotEquals", "soon", k("2024-05-01"), TRUE),
    ("NotIpAddress", "anywhere", k("203.0.113.7"), TRUE),
    ("NotIpAddress", "anywhere", k("anywhere"), FALSE),
    ("NotIpAddress", ["anywhere", "203.0.113.0/24"], k("203.0.113.7"), FALSE),
    ("NotIpAddress", "2001:db8::5/64", k("2001:db8::5"), TRUE),
    ("IpAddress", "2001:db8::5/64", k("2001:db8::5"), FALSE),
    ("IpAddress", "::ffff:192.0.2.0/120", k("192.0.2.1"), FALSE),
    ("ArnNotLike", "nowhere", k("arn:aws:iam::1:user/alice"), FALSE),
    ("Bool", "yes", k("false"), TRUE),
    ("Bool", "yes", k("true"), FALSE),
    ("Null", "yes", k(""), TRUE),
    ("Null", "yes", {}, FALSE),
    ("NumericLessThan", "10", {}, FALSE),
    ("DateEquals", "2024-05-01T00:00:00Z", k("2024-05-01"), TRUE),
    ("DateEquals", "2024-05-01T02:00:00+02:00", k("2024-05-01T00:00:00Z"), TRUE),
    ("DateEquals", "1714521600", k("2024-05-01T00:00:00Z"), TRUE),
    ("DateEquals", "2024-05", k("2024-05-01T00:00:00Z"), TRUE),
    ("DateNotEquals", "2024-05-01", k("2024-05-02"), TRUE),
    ("DateLessThan", "2024-05-02", k("2024-05-01T23:59:59.999Z"), TRUE),
    ("DateLessThanEquals", "2024-05-01", k("2024-05-01"), TRUE),
    ("DateGreaterThan", "2024-05-01", k("2024-05-01"), FALSE),
    ("DateGreaterThanEquals", "2024-05-01", k("2024-05-01"), TRUE),
    ("DateGreaterThan", "soon", k("2024-05-01"), FALSE),
    ("Bool", "true", k("True"), TRUE),
    ("Bool", "false", k("true"), FALSE),
    ("Bool", "true", k("yes"), FALSE),
    ("Bool", "${x:other}", {"x:k": "true", "x:other": "true"}, TRUE),
    ("Bool", "true", {}, FALSE),
    ("BoolIfExists", "true", {}, TRUE),
    ("BinaryEquals", "QmluYXJ5", k("Binary"), TRUE),
    ("BinaryEquals", "QmluYXJ5", k("QmluYXJ5"), TRUE),
    ("BinaryEquals", "QmluYXJ5", k("binary"), FALSE),
    ("BinaryEquals", "no base 64", k("no base 64"), FALSE),
    ("BinaryEquals", "QmluYXJ5", k("\ud800"), FALSE),
    ("IpAddress", "203.0.113.0/24", k("203.0.113.9"), TRUE),
    ("IpAddress", "203.0.113.0/24", k("203.0.114.9"), FALSE),
    ("IpAddress", "203.0.113.7", k("203.0.113.7"), TRUE),
    ("IpAddress", "2001:DB8:1234:5678::/64", k("2001:db8:1234:5678::1"), TRUE),
    ("IpAddress", "2001:DB8::/32", k("203.0.113.7"), FALSE),
    ("IpAddress", ["10.0.0.0/8", "2001:db8::1"], k("2001:db8:0::1"), TRUE),
    ("IpAddress", "anywhere", k("203.0.113.7"), FALSE),
    ("IpAddress", "10.0.0.0/8", {}, FALSE),
    ("NotIpAddress", "10.0.0.0/8", k("11.0.0.1"), TRUE),
    ("NotIpAddress", ["10.0.0.0/8", "11.0.0.0/8"], k("11.0.0.1"), FALSE),
    ("NotIpAddress", "10.0.0.0/8", k("2001:db8::1"), TRUE),
    ("NotIpAddress", "10.0.0.0/8", {}, TRUE),
    ("ArnEquals", "arn:aws:sns:*:1:t*", k("arn:aws:sns:eu:1:topic"), TRUE),
    ("ArnLike", "arn:aws:sns:*:1:t*", k("arn:aws:sns:eu:2:x:1:topic"), FALSE),
    ("ArnLike", "arn:aws:iam::1:user/${aws:username}", k("arn:aws:iam::1:user/alice"), TRUE),
    ("ArnLike", "*", k("arn:aws:iam::1:user/alice"), TRUE),
    ("ArnLike", "arn:aws:iam", k("arn:aws:iam::1:user/alice"), FALSE),
    ("ArnLike", "arn:aws:iam::1:user/*", k("alice"), FALSE),
    ("ArnNotLike", "arn:aws:iam::1:user/*", k("arn:aws:iam::1:role/x"), TRUE),
    ("ArnNotEquals", "arn:aws:iam::1:user/*", k("arn:aws:iam::1:user/x"), FALSE),
    ("ArnNotEquals", "arn:aws:iam::1:user/*", {}, TRUE),
    ("NumericNotEquals", "10", k("10"), FALSE),
    ("NumericLessThanEquals", "10", k("11"), FALSE),
    ("NumericGreaterThanEquals", "-1", k("-2"), FALSE),
    ("NumericEquals", "0.1", k("0.1"), TRUE),
    ("DateEquals", "2024-05-01", k("2024-05-02"), FALSE),
    ("DateNotEquals", "2024-05-01", k("2024-05-01"), FALSE),
    ("DateLessThan", "2024-05-01", k("2024-05-01"), FALSE),
    ("DateLessThanEquals", "2024-05-01", k("2024-05-02"), FALSE),
    ("DateGreaterThan", "2024-05-01", k("2024-05-02"), TRUE),
    ("DateGreaterThanEquals", "2024-05-01", k("2024-04-30"), FALSE),
    ("StringNotEqualsIgnoreCase", "aB", k("Ac"), TRUE),
    ("ArnEquals", "arn:aws:sns:*:1:t*", k("arn:aws:sns:eu:1:x"), FALSE),
    ("ArnNotLike", "arn:aws:iam::1:user/*", k("arn:aws:iam::1:user/x"), FALSE),
    ("DateEquals", "2024", k("2024-01-01"), TRUE),
    ("DateEquals", "86400", k("1970-01-02"), TRUE),
    ("StringEquals", [], k("a"), FALSE),
    ("StringEqualsIfExists", [], {}, TRUE),
    ("ForAllValues:StringEquals", [], k(["a"]), FALSE),
    ("ForAllValues:Null", "true", k("a"), TRUE),
    ("ForAnyValue:Null", "false", k("a"), FALSE),
    ("Null", "true", {}, TRUE),
    ("Null", "true", k(""), FALSE),
    ("Null", "false", k(""), TRUE),
    ("Null", "false", {}, FALSE),
    ("Null", "true", k([]), TRUE),
    ("StringEqualsIfExists", "a", {}, TRUE),
    ("StringEqualsIfExists", "a", k("b"), FALSE),
    ("StringNotEqualsIfExists", "a", {}, TRUE),
    ("ForAnyValue:StringEquals", ["a", "b"], k(["c", "b"]), TRUE),
    ("ForAnyValue:StringEquals", ["a", "b"], k(["c"]), FALSE),
    ("ForAnyValue:StringEquals", "a", {}, FALSE),
    ("ForAnyValue:StringEquals", "a", k([]), FALSE),
    ("ForAnyValue:StringEquals", "", k(""), TRUE),
    ("ForAnyValue:StringNotEquals", "a", {}, FALSE),
    ("ForAnyValue:StringNotEquals", ["a", "b"], k(["a", "c"]), TRUE),
    ("ForAnyValue:StringNotEquals", ["a", "b"], k(["a", "b"]), FALSE),
    ("ForAnyValue:StringEqualsIfExists", "a", {}, FALSE),
    ("ForAnyValue:StringEquals", "a", k("a"), TRUE),
    ("ForAllValues:StringEquals", ["a", "b"], k(["a", "b", "a"]), TRUE),
    ("ForAllValues:StringEquals", ["a", "b"], k(["a", "c"]), FALSE),
    ("ForAllValues:StringEquals", "a", {}, TRUE),
    ("ForAllValues:StringEquals", "a", k([]), TRUE),
    ("ForAllValues:StringEquals", "a", k(""), FALSE),
    ("ForAllValues:StringNotEquals", ["a", "b"], k(["c", "d"]), TRUE),
    ("ForAllValues:StringNotEquals", ["a", "b"], k(["c", "a"]), FALSE),
    ("ForAllValues:StringLike", "a*", k(["ab", "ac"]), TRUE),
    ("forallvalues:stringlike", "a*", k(["ab", "b"]), FALSE),
    ("StringEquals", "a", k(["a"]), TRUE),
    ("StringEquals", "a", k(["a", "a"]), FALSE),
    ("StringNotEquals", "a", k(["b", "c"]), FALSE),
    ("StringEquals", "${x:many}", {"x:k": "a", "x:many": ["a"]}, FALSE),
    ("StringNotEquals", "${aws:PrincipalTag/none}", k("a"), TRUE),
    ("StringEquals", "${aws:PrincipalTag/none, 'a'}", k("a"), TRUE),
    ("NumericEquals", "${x:other}", {"x:k": "1", "x:other": "1"}, FALSE),
]


@pytest.mark.parametrize(("operator", "wanted", "context", "expected"), ROWS)
def test_operators(operator, wanted, context, expected):
    assert holds(operator, wanted, context) is expected


def test_every_operator_has_a_row_that_holds_and_one_that_does_not():
    outcomes: dict[str, set[bool]] = {}
    for operator, _, _, expected in ROWS:
        outcomes.setdefault(known(operator).operator.name, set()).add(expected)
    assert outcomes == {row.name: {True, False} for row in OPERATORS.values()}


def test_several_keys_must_all_hold():
    conditions = compiled({"StringEquals": {"x:a": ["1"], "x:b": ["2"]}, "Bool": {"x:c": ["true"]}})
    context = Context(Request(ALICE, "s3:Get", "*", {"x:a": "1", "x:b": "2", "x:c": "false"}))
    assert [condition.holds(context) for condition in conditions] == [True, True, False]


def test_key_names_are_not_case_sensitive():
    assert holds("StringEquals", "a", {"X:K": "a"})
    assert holds(
        "StringEquals", "bob", {"AWS:PrincipalTag/Team": "bob"}, key="aws:principaltag/team"
    )


def test_of_tags_that_differ_only_in_case_one_counts():
    """Public records: radkawar/stackd, testdata/aws/lambda/tag_condition_case.json."""
    twins = {"aws:ResourceTag/case": "lower", "aws:ResourceTag/Case": "upper"}
    for key in ("aws:ResourceTag/case", "aws:ResourceTag/Case", "aws:ResourceTag/CASE"):
        for which in ("", "ForAnyValue:", "ForAllValues:"):
            assert holds(f"{which}StringEquals", "lower", twins, key=key)
            assert not holds(f"{which}StringEquals", "upper", twins, key=key)
            assert holds(f"{which}StringNotEquals", "upper", twins, key=key)
            assert not holds(f"{which}StringNotEquals", "lower", twins, key=key)


def test_a_variable_of_a_multivalued_key_has_no_value_nor_default():
    """Public records: radkawar/stackd, testdata/aws/iam/condition_sets.json."""
    context = {"aws:TagKeys": ("team",), "x:k": "fallback"}
    for wanted in ("${aws:TagKeys}", "${aws:TagKeys, 'fallback'}"):
        assert not holds("StringEquals", wanted, context)
        assert holds("StringNotEquals", wanted, context)
    assert holds("StringEquals", "${aws:TagKeys, 'fallback'}", {"x:k": "fallback"})


def test_where_a_value_is_not_an_arn_a_deny_holds_unless_the_requests_is_none_either():
    for operator in ("ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"):
        for found, expected in (("arn:aws:iam::1:user/alice", True), ("alice", False)):
            assert holds(operator, "nowhere", k(found), denies=True) is expected
            assert not holds(operator, "nowhere", k(found))


@pytest.mark.parametrize(
    "wanted",
    ["${x:arn}", "${x:none}", "${x:none, 'arn:aws:iam::1:user/alice'}", "arn:aws:iam:${x:rest}"],
)
def test_a_variable_for_a_whole_arn_matches_nothing_and_denies_nobody(wanted):
    """IAM User Guide, "Policy variables with no value": "the statement does not take effect"."""
    context = k("arn:aws:iam::1:user/alice") | {"x:arn": "arn:aws:iam::1:user/alice"}
    for operator in ("ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"):
        assert not holds(operator, wanted, context, denies=True)
        assert not holds(operator, wanted, context)


def test_a_variable_in_another_value_changes_nothing_for_what_is_no_arn():
    values, context = ["nowhere", "arn:aws:iam::1:user/${aws:username}"], k("arn:aws:iam::1:user/x")
    for operator in ("ArnLike", "ArnNotLike"):
        assert holds(operator, values, context, denies=True)
        assert not holds(operator, values, context)
        assert holds(operator, "${*}", context, denies=True)


def test_an_ordinary_star_ends_no_comparison():
    assert holds("ArnLike", ["*", "*:*:*:*:*:*"], k("x:y:z:a:b:c"), denies=True)


def test_in_the_older_version_variables_are_text():
    assert holds("StringEquals", "${aws:username}", k("${aws:username}"), variables=False)
    assert not holds("StringEquals", "${aws:username}", k("alice"), variables=False)


@pytest.mark.parametrize(
    "written",
    ["StringEqual", "NullIfExists", "ForSomeValues:StringLike", ":StringLike", "StringLike:", ""],
)
def test_unknown_operators_are_not_read(written):
    assert read_test(written) is None


def test_a_condition_explains_what_it_compared():
    (condition,) = compiled({"StringLike": {"s3:prefix": ["home/${aws:username}/*", "x"]}})
    context = Context(Request(ALICE, "s3:ListBucket", "*", {"S3:Prefix": "home/bob/"}))
    assert condition.explain(context) == {
        "operator": "StringLike",
        "key": "s3:prefix",
        "wanted": ["home/alice/*", "x"],
        "found": "home/bob/",
        "holds": False,
    }


@given(st.sampled_from(sorted(OPERATORS)), st.text(max_size=6), st.text(max_size=6), st.booleans())
def test_operators_take_any_value(name, wanted, found, variables):
    assert holds(name, wanted, k(found), variables=variables) in (True, False)


@given(st.sampled_from(sorted(OPERATORS)), st.text("a*1", max_size=4), st.text("a1", max_size=4))
def test_a_negated_operator_is_the_opposite_where_values_can_be_compared(name, wanted, found):
    row = OPERATORS[name]
    if row.negated:
        positive = row.name.replace("Not", "")
        if not (holds(name, wanted, k(found)) is holds(positive, wanted, k(found)) is False):
            assert holds(name, wanted, k(found)) != holds(positive, wanted, k(found))


@given(st.text(max_size=12))
def test_numbers_and_dates_are_read_or_not_but_never_fail(text):
    amount, when = number(text), moment(text)
    assert amount is None or amount.is_finite()
    assert when is None or when.tzinfo is not None


@pytest.mark.parametrize("operator", ["NumericEquals", "DateLessThan"])
@pytest.mark.parametrize(
    "text", ["1" * 50_000 + "x", "1" * 50_000 + ".x", "." + "1" * 50_000 + "x"]
)
def test_a_long_text_that_is_no_number_is_known_at_once(operator, text):
    started = time.perf_counter()
    assert not holds(operator, "1", {"x:k": text})
    assert not holds(operator, text, {"x:k": "1"})
    assert time.perf_counter() - started < 2
