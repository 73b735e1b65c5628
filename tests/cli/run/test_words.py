"""Words at the prompt, and their completion."""

import io
import sys
from unittest.mock import Mock

import pytest
from rich.console import Console

from stslab.cli.run.here import no_command
from stslab.cli.run.prompt import Prompt, Typed, completions, word_of


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("why", "why"), ("w", "why"), (" Quit ", "quit"), ("q", "quit"), ("h", "help"), ("hi", "hint"),
        ("?", "help"), ("exit", "quit"), ("s", ""), ("so", "solve"), ("", ""), ("aws iam", ""), ("whyever", ""),
    ],
)  # fmt: skip
def test_first_letters_are_enough_if_unique(text: str, word: str) -> None:
    assert word_of(text) == word


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (["a"], {"access", "aws"}),
        (["aws", "s3"], {"s3", "s3api"}),
        (["aws", "iam", "create-u"], {"create-user"}),
        (["aws", "iam", "create-user", "--us"], {"--user-name"}),
        (["ls", "x"], set()),
        (["aws", "nothing", "x"], set()),
    ],
)
def test_words_services_operations_and_options_complete(words: list[str], some: set[str]) -> None:
    assert some <= set(completions(words))
    assert all(one.startswith(words[-1]) for one in completions(words))


@pytest.mark.parametrize(
    ("entered", "typed", "means"),
    [
        ("", "", Typed(line="aws iam x", unchanged=True)),
        ("", "ls", Typed(line="ls")),  # typed before something happened elsewhere
        ("so", "", Typed("solve")),
        ("ls  ", "", Typed(line="ls")),
        ("aws iam x", "", Typed(line="aws iam x", unchanged=True)),
        ("aws iam \\\n  x", "", Typed(line="aws iam \\\n  x", unchanged=True)),
        ("echo 'a\nb'", "", Typed(line="echo 'a\nb'")),
    ],
)
def test_only_the_filled_in_command_is_unchanged(
    entered: str, typed: str, means: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{entered}\n"))
    prompt = Prompt(Console(file=io.StringIO()), lambda: "", plain=True)
    assert prompt.command("admin", "aws iam x", typed) == means


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("s", "Enter goes on, or type solve or skip or status."),
        ("hnt", "Enter goes on, or type hint."),
        ("foo", "Enter goes on, or type a word: `help` lists them."),
        ("aws s3 ls", "Enter goes on, or use another terminal: `stslab shell`."),
    ],
)
def test_invalid_input_at_enter_is_explained(
    typed: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed}\n\n"))
    shown = io.StringIO()
    assert (
        Prompt(Console(file=shown, width=200), lambda: "", plain=True).enter("goes on").word == ""
    )
    assert told in shown.getvalue()


def test_only_a_digit_on_the_screen_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\N{SUPERSCRIPT TWO}\n3\n2\n"))
    shown = io.StringIO()
    prompt = Prompt(Console(file=shown, width=200), lambda: "", plain=True)
    assert prompt.digit([0, 1, 2]) == Typed(line="2")
    assert shown.getvalue().count("Type 1, 2 or 0") == 2
    assert "3 is not an answer here. Type" in shown.getvalue()


def test_what_is_said_after_ctrl_c_begins_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, stdin = io.StringIO(), Mock(readline=Mock(side_effect=KeyboardInterrupt))
    stdin.isatty.return_value = False
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(KeyboardInterrupt):
        Prompt(Console(file=shown), str, plain=True).enter("goes on")
    assert shown.getvalue().endswith("Enter goes on: \n")


def test_in_the_middle_of_a_command_ctrl_c_drops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Mock(readline=Mock(side_effect=["aws iam \\\n", KeyboardInterrupt, "echo b\n"]))
    monkeypatch.setattr(sys, "stdin", lines)
    shown = io.StringIO()
    prompt = Prompt(Console(file=shown), str, plain=True)
    assert prompt.command("admin") == Typed(line="echo b")
    assert shown.getvalue() == "\n\nadmin $ > \n\nadmin $ "


def test_a_command_that_the_end_of_the_input_cuts_off_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("echo 'a\nb\n"))
    prompt = Prompt(Console(file=io.StringIO()), str, plain=True)
    entered = prompt.command("admin")
    assert entered == Typed(line="echo 'a\nb")
    assert "The command was not whole" in no_command(entered.line)


def test_where_something_is_to_be_fixed_a_command_line_is_entered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prompt = Prompt(Console(file=io.StringIO()), str, plain=True)
    for typed, entered in (
        ("aws s3 ls", Typed(line="aws s3 ls")),
        ("aws s3 \\\nls", Typed(line="aws s3 \\\nls")),
        ("aws s3\0 ls ", Typed(line="aws s3 ls")),
        ("aws s3 ls \\\n\n", Typed(line="aws s3 ls \\\n")),
        ("hint", Typed("hint")),
        ("", Typed()),
    ):
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed}\n"))
        assert prompt.enter("tries again", runs=True) == entered


@pytest.mark.parametrize(
    ("typed", "more", "keys", "entered"),
    [
        ("a", "again", "", Typed("again")),  # the screen's own word comes first
        ("ag", "again", "", Typed("again")),
        ("access", "again", "", Typed("access")),
        ("b 4", "begin", "", Typed("begin", argument="4")),
        ("bac", "begin", "", Typed("back")),
        ("a", "", "", Typed("access")),
        (" ", "", "q ", Typed()),
        ("aws s3 ls", "", "q ", Typed(line="aws s3 ls")),  # ends a long text
        ("aws s3 ls\nq", "", "", Typed("quit")),
        ("what's this\nq", "", "", Typed("quit")),  # no command runs here, so none goes on
    ],
)
def test_what_is_entered_where_enter_goes_on(
    monkeypatch: pytest.MonkeyPatch, typed: str, more: str, keys: str, entered: Typed
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed}\n"))
    prompt = Prompt(Console(file=io.StringIO()), str, plain=True)
    assert prompt.enter("goes on", more, keys) == entered


@pytest.mark.parametrize(
    ("line", "told"),
    [("2", "no question here"), ("begin 2", "first screen"), ("beginning", ""), ("2 2", "")],
)
def test_a_line_for_another_place_is_not_run(line: str, told: str) -> None:
    assert told in no_command(line)
    assert bool(no_command(line)) is bool(told)
