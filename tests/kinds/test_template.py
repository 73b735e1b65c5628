"""A template's text is read with limits, before its resources are judged."""

import pytest

from stslab.kinds.template import Unjudgeable, parse


def test_the_deepest_allowed_template():
    assert parse(f"a: {'[' * 58}x{']' * 58}").keys() == {"a"}


@pytest.mark.parametrize("depth", [59, 60, 900])
def test_a_deeper_template_is_refused(depth: int):
    with pytest.raises(Unjudgeable, match="nested too deep"):
        parse(f"a: {'[' * depth}x{']' * depth}")


def test_deeper_than_libyaml_reads():
    with pytest.raises(Unjudgeable):
        parse(f"a: {'[' * 20_000}")


@pytest.mark.parametrize("text", ["a: &a x\nb: *a", "a: &a [*a]"])
def test_aliases(text: str):
    with pytest.raises(Unjudgeable, match="YAML aliases"):
        parse(text)


@pytest.mark.parametrize("text", ["a: !!bool 1", "a: !!timestamp soon", "a: !!int x"])
def test_a_value_that_does_not_fit_its_tag(text: str):
    with pytest.raises(Unjudgeable, match="neither YAML nor JSON"):
        parse(text)
