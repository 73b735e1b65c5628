"""Questions at the terminal, and their answers."""

import io
import sys
from unittest.mock import Mock

import click
import pytest

from stslab.cli.workspace import agrees


@pytest.mark.parametrize(
    ("answer", "usually", "agreed"),
    [
        ("y\n", False, True),
        ("YES\n", False, True),
        (" n \n", True, False),
        ("\n", False, False),
        ("\n", True, True),
        ("x\ny\n", False, True),
        ("", False, False),
        ("", True, False),
        ("x\n", True, False),
    ],
)
def test_an_answer_agrees_or_not_and_the_end_of_the_input_does_not(
    monkeypatch, capsys, answer, usually, agreed
):
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    assert agrees("Undo this?", usually=usually) is agreed
    assert f"Undo this? {'[Y/n]' if usually else '[y/N]'}" in capsys.readouterr().err


def test_ctrl_c_stops_the_command(monkeypatch):
    monkeypatch.setattr(click.termui, "visible_prompt_func", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(click.Abort):
        agrees("Undo this?")
