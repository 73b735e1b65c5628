"""Hints name commands for the same run."""

import sys

import pytest

from stslab.cli.failures import for_same_run, hints_name


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
        ("stslab run next", "stslab run next"),
    ],
)
def test_hints_name_a_foreign_lab(hint, said):
    hints_name("my lab.yaml")
    assert for_same_run(hint) == said


def test_hints_do_not_name_the_usual_lab():
    hints_name("assume-role")
    assert for_same_run("Go on with `stslab run`.") == "Go on with `stslab run`."


def test_hints_select_the_account_that_the_command_worked_on(monkeypatch):
    monkeypatch.setenv("STSLAB_SANDBOX", "exam")  # perhaps for this one command only
    hints_name("my lab.yaml")
    assert for_same_run('eval "$(stslab env)"') == 'eval "$(STSLAB_SANDBOX=exam stslab env)"'
    for command in ("sandbox reset --yes", "why 4d6919c9", "hint", "report"):
        assert for_same_run(f"stslab {command}") == f"STSLAB_SANDBOX=exam stslab {command}"
    monkeypatch.setattr("stslab.cli.failures._Same.account", " --target aws")
    assert for_same_run("stslab cleanup") == "stslab cleanup --target aws"
    assert for_same_run("stslab report") == "stslab report"
    monkeypatch.setenv("STSLAB_SANDBOX", "")
    monkeypatch.setattr("stslab.cli.failures._Same.account", "")
    assert for_same_run("stslab cleanup") == "stslab cleanup"


def test_hints_name_a_stslab_that_is_not_on_the_path(monkeypatch):
    monkeypatch.setattr(sys, "argv", [".venv/bin/stslab", "run"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert for_same_run('eval "$(stslab env)"') == 'eval "$(.venv/bin/stslab env)"'
    assert for_same_run("stslab run next") == ".venv/bin/stslab run next"
    monkeypatch.setattr(sys, "argv", ["/site-packages/stslab/__main__.py"])
    assert for_same_run("stslab cleanup") == "stslab cleanup"
