"""Values are filled in with their types, and a value never becomes part of an expression."""

import json
from contextlib import nullcontext, suppress
from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stslab.errors import UnresolvedReference
from stslab.lab.reading.expressions import DEEPEST, LONGEST
from stslab.lab.references import evaluate, names_used, resolve, resolve_vars, truthy

SCOPE: dict[str, Any] = {
    "run": {"id": "ab12"},
    "account": "111122223333",
    "user": "o'brien",
    "count": 3,
    "on": False,
    "list": ["a", "b"],
    "map": {"k": "v"},
    "profiles": {"sts": {"access_key_id": "AKIAEXAMPLE", "expiration": ""}},
}


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ("plain", "plain"),
        ("${aws:username} and ${AWS::AccountId}", "${aws:username} and ${AWS::AccountId}"),
        ("$${{ count }}", "$3"),
        ("${{ count }}", 3),
        ("${{count}}", 3),
        (" ${{ count }}", " 3"),
        ("${{ on }}", False),
        ("on=${{ on }}", "on=false"),
        ("${{ list }}", ["a", "b"]),
        ("${{ list[1] }}", "b"),
        ("list=${{ list }} map=${{ map }}", 'list=["a","b"] map={"k":"v"}'),
        ("${{ run.id }}-${{ user }}", "ab12-o'brien"),
        ("${{ profiles.sts.access_key_id }}", "AKIAEXAMPLE"),
        ("${{ profiles.sts.expiration }}", ""),
        ("${{ {a: {b: count}}.a.b }}", 3),
        ("${{ '}}' }}", "}}"),
        ("${{ '${{ user }}' }}", "${{ user }}"),
        ("${{ missing || 'else' }}", "else"),
        (
            {"${{ user }}": ["${{ count }}", {"a": "${{ map }}"}]},
            {"${{ user }}": [3, {"a": {"k": "v"}}]},
        ),
        (("${{ count }}",), [3]),
        (5, 5),
        (None, None),
    ],
)
def test_resolve(value: Any, resolved: Any):
    assert resolve(value, SCOPE) == resolved
    assert type(resolve(value, SCOPE)) is type(resolved)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("${{ missing }}", "${{ missing }} has no value here"),
        ("a ${{ run.number }} b", "${{ run.number }} has no value here"),
        ("${{ list[5] }}", "has no value here"),
        ("${{ length(count) }}", "can't be applied"),
        ("${{ nothing(count) }}", "can't be applied"),
        ("${{ list[::0] }}", "can't be applied"),
        ("${{ run.id", "is not closed"),
        ("${{ }}", "empty"),
    ],
)
def test_what_cannot_be_resolved(value: str, says: str):
    with pytest.raises(UnresolvedReference, match=r".") as caught:
        resolve(value, SCOPE)
    assert says in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_an_unresolved_reference_says_what_is_known():
    with pytest.raises(UnresolvedReference) as caught:
        resolve("${{ usr }}", {"user": "x", "run": {}})
    assert caught.value.hint == "Known here: run, user."


def test_an_error_never_shows_a_value():
    with pytest.raises(UnresolvedReference) as caught:
        evaluate("length(Secret)", {"Secret": 123456789}, {})
    assert "123456789" not in f"{caught.value.message} {caught.value.hint}"
    assert "length() takes" in caught.value.message


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("no names", set()),
        ("${{ a.b[?c == 'd'].e | [0] }}", {"a"}),
        ("${{ a || b }} ${{ join('-', [c, d.e]) }}", {"a", "b", "c", "d"}),
        ("${{ {x: a}.x }}", {"a"}),
        ("${{ a[1:2] }} ${{ a.* }} ${{ !b }} ${{ c == d && e }}", {"a", "b", "c", "d", "e"}),
        (["${{ a }}", {"k": "${{ run.id }}", "n": 5}], {"a", "run"}),
    ],
)
def test_names_used(value: Any, names: set[str]):
    assert names_used(value) == names


@pytest.mark.parametrize(
    ("expression", "data", "found"),
    [
        ("ends_with(Arn, ':user/${{ user }}')", {"Arn": "arn:user/o'brien"}, True),
        ("N == ${{ count }}", {"N": 3}, True),
        ("N == '${{ count }}'", {"N": 3}, False),
        ("contains(${{ list }}, Name)", {"Name": "b"}, True),
        ("M == ${{ map }}", {"M": {"k": "v"}}, True),
        ('"${{ user }}"', {"o'brien": 1}, 1),
        ('M == `{"k": "${{ user }}"}`', {"M": {"k": "o'brien"}}, True),
        ("M == {a: [{b: '${{ run.id }}'}]}", {"M": {"a": [{"b": "ab12"}]}}, True),
        ("Users[?Name == '${{ user }}'].Id | [0]", {"Users": [{"Name": "o'brien", "Id": 7}]}, 7),
        ("'it\\'s ${{ user }}'", {}, "it's o'brien"),
        ("Missing", {}, None),
        ("@", 5, 5),
        ("sort_by(L, &k)[].k", {"L": [{"k": 2}, {"k": 1}]}, [1, 2]),
    ],
)
def test_evaluate(expression: str, data: Any, found: Any):
    assert evaluate(expression, data, SCOPE) == found


@pytest.mark.parametrize(
    "expression",
    [
        "ends_with(Arn, 'x')",
        "Arn.",
        "a ==",
        "'open",
        "`x`",
        "",
        "${{ missing }}",
        "a.${{ user }}",
        "&a",
        "not_null(&a)",
        "[&a]",
    ],
)
def test_what_cannot_be_evaluated(expression: str):
    with pytest.raises(UnresolvedReference):
        evaluate(expression, {}, SCOPE)


@settings(deadline=None)
@given(value=st.text(), before=st.sampled_from(["", "a", "it\\'s "]))
def test_text_in_quotes_stays_text(value: str, before: str):
    """A text can't end the quotes around it: it is compared as it is."""
    scope = {"value": value}
    text = before.replace("\\'", "'") + value
    assert evaluate(f"Name == '{before}${{{{ value }}}}'", {"Name": text}, scope) is True
    assert evaluate(f"Name == '{before}${{{{ value }}}}'", {"Name": text + "x"}, scope) is False
    assert evaluate("Name == ${{ value }}", {"Name": value}, scope) is True


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(value=JSON.filter(lambda value: value is not None))
def test_values_keep_their_type(value: Any):
    assert resolve("${{ value }}", {"value": value}) == value
    assert evaluate("[${{ value }}]", {}, {"value": value}) == [value]


@settings(deadline=None)
@given(text=st.text(alphabet="ab.[]{}()'\"`|&!=<>*@,:?0-$ \\", max_size=40))
def test_any_expression_gives_a_value_or_our_error(text: str):
    scope = {"a": {"b": [1, {"a": "x"}]}, "b": "y"}
    for attempt in (
        lambda: evaluate(text, scope, scope),
        lambda: resolve(f"${{{{{text}}}}}", scope),
    ):
        with suppress(UnresolvedReference):
            attempt()


@settings(deadline=None)
@given(text=st.text(alphabet="ab.[]{}()'|&!=*@,:?0 ", max_size=30))
def test_an_expression_without_references_is_plain_jmespath(text: str):
    data = {"a": {"b": [1, {"a": "x"}]}, "b": "y"}
    try:
        wanted = jmespath.search(text, data)
        json.dumps(wanted)  # jmespath gives out its own objects for &a
    except Exception:  # noqa: BLE001 - whatever jmespath raises, ours raises its own
        with pytest.raises(UnresolvedReference):
            evaluate(text, data, {})
    else:
        # Ours refuses an & that is not a function's argument; `!&a` is false to jmespath.
        with suppress(UnresolvedReference) if "&" in text else nullcontext():
            assert evaluate(text, data, {}) == wanted


@pytest.mark.parametrize(
    "expression",
    [
        "a" * (LONGEST + 1),
        "(" * LONGEST,
        "!" * LONGEST,
        "[" * 500 + "a" + "]" * 500,
        "|".join("a" * (2 * DEEPEST)),
        "`" + "[" * 3000 + "]" * 3000 + "`",
        "'\\" * 1500,
    ],
)
def test_expressions_are_bounded(expression: str):
    """Long and deep expressions are refused at once."""
    for attempt in (
        lambda: evaluate(expression, {}, {}),
        lambda: resolve(f"${{{{ {expression} }}}}", {}),
    ):
        with pytest.raises(UnresolvedReference):
            attempt()


def nested(times: int) -> str:
    text = "`[0,1,2,3,4,5,6,7,8,9]`"
    for _ in range(times):
        text = f"map(&{text}, `[0,1,2,3,4,5,6,7,8,9]`)"
    return text


TEN = ",".join(["{0}"] * 10)


@pytest.mark.parametrize(
    "grow",
    [
        "${{{{ {0} }}}}" * 10,
        f"${{{{{{{{ [{TEN}][] }}}}}}}}",
        f"${{{{{{{{ [{TEN}] }}}}}}}}",
        "${{{{ join({0}, `" + str([""] * 11).replace("'", '"') + "`) }}}}",
    ],
)
@pytest.mark.parametrize("first", ["x" * 10, ["x"]])
def test_variables_that_grow_without_end_are_refused(grow: str, first: object):
    """Each is ten times the one before: it is refused before it is made."""
    grown = {f"v{i}": grow.format(f"v{i - 1}") for i in range(1, 30)}
    with pytest.raises(UnresolvedReference):
        resolve_vars({"v0": first, **grown}, SCOPE)


def test_values_nested_without_end_are_refused():
    with pytest.raises(UnresolvedReference, match="too deep"):
        resolve_vars({"v0": "x", **{f"v{i}": [f"${{{{ v{i - 1} }}}}"] for i in range(1, 999)}}, {})


@pytest.mark.parametrize(
    "expression",
    [
        nested(9),
        " | ".join(["[@,@,@,@,@,@,@,@,@,@][]"] * 20),
        " | ".join(["[@,@,@,@,@,@,@,@,@,@]"] * 20),
    ],
)
def test_work_is_bounded(expression: str):
    with pytest.raises(UnresolvedReference, match="too much work"):
        evaluate(expression, ["x"], {})


def test_real_labs_are_far_from_the_limits():
    answer = {
        "Users": [{"Arn": f"arn:{i}", "Tags": [{"Key": "k", "Value": "v"}]} for i in range(10_000)]
    }
    assert evaluate("Users[?Arn=='arn:9999'].Tags[].Value", answer, {}) == ["v"]
    assert len(resolve("${{ body }}", {"body": "x" * 1024 * 1024})) == 1024 * 1024


def test_variables_are_resolved_in_order_of_their_references():
    made = resolve_vars(
        {"c": "${{ b }}!", "b": "${{ a }}-${{ run.id }}", "a": "x", "n": {"of": ["${{ c }}"]}},
        {"run": {"id": "1"}},
    )
    assert made == {"a": "x", "b": "x-1", "c": "x-1!", "n": {"of": ["x-1!"]}}


def test_variables_in_a_circle_are_refused():
    with pytest.raises(UnresolvedReference, match="in a circle: a, b"):
        resolve_vars({"a": "${{ b }}", "b": "${{ a }}", "c": "x"}, {})


@pytest.mark.parametrize("value", [None, False, "", [], {}])
def test_what_is_not_true(value: Any):
    assert not truthy(value)


@pytest.mark.parametrize("value", [True, 0, 1, 0.0, "x", [None], {"a": None}])
def test_what_is_true(value: Any):
    """As JMESPath has it, where zero is true."""
    assert truthy(value)
