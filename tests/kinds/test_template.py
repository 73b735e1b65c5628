"""A template's text is read within bounds, before its resources are judged."""

import pytest

from stslab.kinds.template import Unjudgeable, parse


def test_as_deep_as_it_may_be():
    assert parse(f"a: {'[' * 58}x{']' * 58}").keys() == {"a"}


@pytest.mark.parametrize("depth", [59, 60, 900])
def test_deeper_than_that(depth: int):
    with pytest.raises(Unjudgeable, match="nested too deep"):
        parse(f"a: {'[' * depth}x{']' * depth}")


def test_deeper_than_libyaml_reads():
    with pytest.raises(Unjudgeable):
        parse(f"a: {'[' * 20_000}")


@pytest.mark.parametrize("text", ["a: &a x\nb: *a", "a: &a [*a]"])
def test_aliases(text: str):
    with pytest.raises(Unjudgeable, match="YAML aliases"):
        parse(text)
