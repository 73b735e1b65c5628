"""The settings of a rehearsal are read or refused, and its chance is reproducible."""

from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stslab.errors import UsageError
from stslab.sandbox.rehearsal.rehearsal import KINDS, Faults, Scripted
from stslab.sandbox.rehearsal.spec import BARE, Span, parse, share


def test_every_setting_is_read():
    spec = parse(
        "seed=7,keys=3s,roles=2..6s,policies=250ms,throttle=0.05,errors=0.02,reset-before=0.01,"
        "reset-after=1,slow-stacks=5s,fail-stacks=Bucket+AWS::IAM::Role"
    )
    assert (spec.seed, spec.keys, spec.roles) == (7, Span(3, 3), Span(2, 6))
    assert (spec.policies, spec.users) == (Span(0.25, 0.25), Span())
    assert (spec.throttle, spec.errors, spec.reset_after) == (0.05, 0.02, 1.0)
    assert spec.fail_stacks == ("Bucket", "AWS::IAM::Role")


def test_blank_text_has_the_usual_settings():
    assert parse("") == parse(" ") == parse(BARE)
    assert parse("").throttle > 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("speed=3", "no setting 'speed'"),
        ("keys", "no setting 'keys'"),
        ("keys=soon", "not a time"),
        ("keys=6..2s", "goes backwards"),
        ("keys=3600s", "ten minutes"),
        ("throttle=2", "not a rate"),
        ("throttle=nan", "not a rate"),
        ("seed=x", "not a whole number"),
        pytest.param(f"seed={'9' * 5000}", "not a whole number", id="a seed too long for Python"),
        ("fail-stacks=a b", "no setting 'b'"),
        ("fail-stacks=*", "does not name a resource"),
    ],
)
def test_invalid_settings_are_refused(text: str, said: str):
    with pytest.raises(UsageError) as refused:
        parse(text)
    assert said in refused.value.message


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str):
    with suppress(UsageError):
        assert parse(text).seed >= 0


@given(st.integers(), st.text(), st.integers())
def test_chance_is_reproducible(seed: int, what: str, number: int):
    assert share(seed, what, number) == share(seed, what, number)
    assert 0 <= share(seed, what, number) < 1


def test_rates_are_about_what_they_say_and_depend_on_the_seed():
    struck = {}
    for seed in (1, 2):
        faults = Faults(parse(f"seed={seed},throttle=0.2,reset-after=0.1"))
        struck[seed] = [faults.next("iam.GetUser") for _ in range(2000)]
        counted = Counter(struck[seed])
        assert 320 < counted["throttle"] < 480
        assert 110 < counted["reset-after"] < 220
        assert counted["error"] == 0
    again = Faults(parse("seed=1,throttle=0.2,reset-after=0.1"))
    assert struck[1] == [again.next("iam.GetUser") for _ in range(2000)]
    assert struck[1] != struck[2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_script_strikes_at_its_call_and_no_other(kind: str):
    faults = Faults(parse("seed=1"))
    faults.script([Scripted("iam.*User", kind, at=2, times=2), Scripted("*", "error", at=6)])
    calls = [
        "iam.GetUser",
        "iam.GetRole",
        "iam.DeleteUser",
        "iam.CreateUser",
        "iam.GetUser",
        "s3.HeadBucket",
    ]
    assert [faults.next(call) for call in calls] == ["", "", kind, kind, "", "error"]
    assert faults.struck.total() == 3
