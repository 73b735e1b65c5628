"""Hints name commands for the same run."""

import sys

import pytest

from stslab.cli.failures import for_same_run, hints_name, hints_use


@pytest.fixture(autouse=True)
def _forget():
    yield
    hints_name("assume-role")


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
    hints_name("my lab.yaml")
    assert for_same_run(hint) == said


def test_hints_do_not_name_the_usual_lab():
    hints_name("assume-role")
    assert for_same_run("Go on with `stslab run`.") == "Go on with `stslab run`."


def test_hints_select_the_account_that_an_option_named(monkeypatch):
    monkeypatch.setattr("stslab.cli.failures._Same.before", "")
    hints_use("exam")
    hints_name("my lab.yaml")
    assert for_same_run('eval "$(stslab env)"') == 'eval "$(STSLAB_SANDBOX=exam stslab env)"'
    said = "STSLAB_SANDBOX=exam stslab sandbox reset --yes"
    assert for_same_run("stslab sandbox reset --yes") == said


def test_hints_name_a_stslab_that_is_not_on_the_path(monkeypatch):
    monkeypatch.setattr(sys, "argv", [".venv/bin/stslab", "run"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert for_same_run('eval "$(stslab env)"') == 'eval "$(.venv/bin/stslab env)"'
    monkeypatch.setattr(sys, "argv", ["/site-packages/stslab/__main__.py"])
    assert for_same_run("stslab cleanup") == "stslab cleanup"
