"""Hints name commands for the same run."""

import pytest

from stslab.cli.failures import goes_on_in, with_flags


@pytest.fixture(autouse=True)
def _forget():
    yield
    goes_on_in("assume-role")


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        ("Go on with `stslab run`.", "Go on with `stslab run 'my lab.yaml'`."),
        ("stslab check attach-policy", "stslab check --lab 'my lab.yaml' attach-policy"),
        ("stslab step a --with-needed.", "stslab step --lab 'my lab.yaml' a --with-needed."),
        ("`stslab cleanup`", "`stslab cleanup`"),
    ],
)
def test_hints_name_a_foreign_lab(hint, said):
    goes_on_in("my lab.yaml")
    assert with_flags(hint) == said


def test_hints_do_not_name_the_usual_lab():
    goes_on_in("assume-role")
    assert with_flags("Go on with `stslab run`.") == "Go on with `stslab run`."
