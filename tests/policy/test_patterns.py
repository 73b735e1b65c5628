"""Patterns agree with a slow, obvious matcher, and hostile patterns stay fast."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stslab.policy.patterns import glob, no_value

LETTERS = "ab:*?/"
patterns = st.text("ab:/*?", max_size=12)
values = st.text("ab:/", max_size=12)


def slowly(pattern, value):
    """Try everything: ``*`` is nothing, or one character and ``*`` again."""
    if not pattern:
        return not value
    if pattern[0] == "*":
        return slowly(pattern[1:], value) or bool(value and slowly(pattern, value[1:]))
    return bool(value) and pattern[0] in ("?", value[0]) and slowly(pattern[1:], value[1:])


def slowly_by_arn(pattern, value, *, before=""):
    """As ``slowly``, within segments of ARNs: see "IAM JSON policy elements: Resource"."""
    if not pattern:
        return not value
    head, rest = pattern[0], pattern[1:]
    crosses = before.count(":") >= 5 or (head == "*" and rest[:1] in ("", ":"))
    if head == "*":
        if rest[:1] == "*":
            return slowly_by_arn(rest, value, before=before)
        taken = value and (crosses or value[0] != ":")
        return slowly_by_arn(rest, value, before=before) or bool(
            taken and slowly_by_arn(pattern, value[1:], before=before)
        )
    if not value or (head == "?" and value[0] == ":" and not crosses):
        return False
    return head in ("?", value[0]) and slowly_by_arn(rest, value[1:], before=before + head)


@given(patterns, values)
@example("a*?b", "ab")
@example("**", "")
@example("", "")
def test_globs_agree_with_a_slow_obvious_matcher(pattern, value):
    assert glob(pattern).matches(value, no_value) == slowly(pattern, value)


@given(patterns, values)
@example("::::a*b:c", "::::a:b:c")
@example(":::::a*b", ":::::a:b")
@example("a*", "a:b:c")
def test_arn_patterns_agree_with_a_slow_obvious_matcher(pattern, value):
    assert glob(pattern, arn=True).matches(value, no_value) == slowly_by_arn(pattern, value)


@given(st.text(max_size=8))
def test_the_value_of_a_variable_is_literal(value):
    pattern = glob("x${aws:username}y")
    assert pattern.matches(f"x{value}y", lambda _key: value or None) == bool(value)


@given(st.text("ab*?", min_size=1, max_size=6), values)
def test_wildcards_in_values_are_literal(variable, value):
    assert glob("${aws:username}").matches(value, lambda _key: variable) == (variable == value)


@pytest.mark.parametrize(
    ("pattern", "value", "known", "matches"),
    [
        ("${*}", "*", {}, True),
        ("${*}", "a", {}, False),
        ("${?}x", "?x", {}, True),
        ("${$}", "$", {}, True),
        ("${$}{x}", "${x}", {}, True),
        ("a-${aws:PrincipalTag/team, 'all'}", "a-all", {}, True),
        ("a-${aws:PrincipalTag/team, 'all'}", "a-red", {"aws:principaltag/team": "red"}, True),
        ("a-${aws:PrincipalTag/team, 'all'}", "a-all", {"aws:principaltag/team": "red"}, False),
        ("a-${aws:PrincipalTag/team, 'all *'}", "a-all *", {}, True),
        ("${aws:PrincipalTag/two words}", "x", {"aws:principaltag/two words": "x"}, True),
        ("${AWS:UserName}", "bob", {"aws:username": "bob"}, True),
        ("${aws:username}", "", {}, False),
        ("${aws:username}", "", {"aws:username": ""}, False),
        ("${aws:username", "${aws:username", {}, True),
        ("$x", "$x", {}, True),
    ],
)
def test_variables_and_escapes(pattern, value, known, matches):
    assert glob(pattern).matches(value, known.get) is matches


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("arn:aws:s3:::${aws:username}/*", "arn:aws:s3:::bob/x", True),
        ("arn:aws:sqs:${aws:username}:1:q", "arn:aws:sqs:bob:1:q", False),
        ("arn:aws:sqs:${aws:username}:1:q", "arn:aws:sqs:${aws:username}:1:q", True),
        ("arn:aws:iam::*", "arn:aws:iam::1:user/bob", True),
        ("arn:aws:sqs:us-*-2:1:q", "arn:aws:sqs:us-east-2:1:q", True),
        ("arn:aws:sqs:u*2:1:q", "arn:aws:sqs:us:x-2:1:q", False),
        ("*", "arn:aws:sqs:us:x-2:1:q", True),
        ("*", "*", True),
        ("arn:aws:s3:::shop/*", "*", False),
    ],
)
def test_resource_patterns(pattern, value, matches):
    assert glob(pattern, arn=True).matches(value, {"aws:username": "bob"}.get) is matches


def test_variables_are_text_in_a_version_without_variables():
    assert glob("${aws:username}", variables=False).matches("${aws:username}", no_value)
    assert glob("${*}", variables=False).matches("${xyz}", no_value)


@pytest.mark.parametrize(
    "pattern",
    ["*a" * 40 + "*b", "a*" * 60 + "?b", "arn:a*a?a*" + "a*a?" * 30 + ":b", "?" * 60 + "*b*" * 30],
)
def test_hostile_patterns_cost_no_more_than_the_length_of_the_text(pattern):
    compiled = glob(pattern, arn=True)

    def seconds(length):
        value = "arn:" + "a" * length
        best = float("inf")
        for _ in range(3):
            start = time.thread_time()
            for _ in range(20):
                assert not compiled.matches(value, no_value)
            best = min(best, time.thread_time() - start)
        return best

    assert seconds(4000) < 40 * max(seconds(400), 1e-5)


LONG = 60_000  # characters


@pytest.mark.parametrize(
    "pattern",
    [
        "*" + "a?" * 3000 + "b*",
        "*" + "??a?" * 1500 + "b*",
        "*" + "a" * 3000 + "?b*",
        "*" + "".join(chr(0x4E00 + each) + "?" for each in range(3000)) + "b*",
        "arn:aws:s3:::*" + "a?" * 3000 + "b*",
    ],
)
def test_long_patterns_are_not_searched_again_at_each_position(pattern):
    """That took twenty seconds."""
    compiled = glob(pattern, arn=True)
    start = time.perf_counter()
    assert not compiled.matches("arn:aws:s3:::" + "a" * LONG, no_value)
    assert time.perf_counter() - start < 5


def test_many_variables_with_a_long_value_are_not_expanded():
    """Together they would be three gigabytes, and took minutes to join."""
    value = "a" * LONG
    compiled = glob("${x:y}" * 50_000)
    start = time.perf_counter()
    assert not compiled.matches(value, lambda _key: value)
    assert not compiled.matches_ignoring_case(value, lambda _key: value)
    assert compiled.shown(lambda _key: value) == compiled.text
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("*" + "a?" * 20 + "b*", "x" + "ay" * 20 + "bz", True),
        ("*" + "a?" * 20 + "b*", "x" + "ay" * 19 + "bz", False),
        ("h?" + "*" + "a?" * 20 + "*" + "t?", "hx" + "ay" * 20 + "tx", True),
        ("?" * 40, "a:" * 20, True),
        ("?" * 40, "a" * 39, False),
        ("*" + "?:" * 20 + "*", "é:" * 20, True),
        ("${x:y}${x:y}", "abab", True),
        ("${x:y}*${x:y}", "abab", True),
        ("${x:y}${x:y}", "aba", False),
    ],
)
def test_long_runs_and_several_variables(pattern, value, matches):
    assert glob(pattern).matches(value, {"x:y": "ab"}.get) is matches


@pytest.mark.parametrize(("value", "matches"), [("STRASSE-ab", True), ("İ-AB", False), ("", False)])
def test_variables_ignoring_case(value, matches):
    assert glob("strasse-${x:y}").matches_ignoring_case(value, {"x:y": "AB"}.get) is matches
    assert glob("İ-${x:y}").matches_ignoring_case("i̇-ab", {"x:y": "AB"}.get)
