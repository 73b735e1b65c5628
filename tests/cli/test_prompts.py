"""Questions at the terminal, and their answers."""

import io

import pytest
from tests.render.drawing import Screen

from stslab.cli.workspace import agrees
from stslab.render.terminal.console import make_console
from stslab.render.terminal.paper import Paper

CLEANS_UP = ("c", "cleans up")
GOES_ON = ("", "Enter goes on")


def asked(answers: str, done=CLEANS_UP, question="Next: something"):
    screen = Screen()
    paper = Paper(make_console(screen, environ={"COLUMNS": "80"}))
    letter, does = done
    return agrees(paper, question, letter, does, io.StringIO(answers)), screen.getvalue()


@pytest.mark.parametrize(
    ("answer", "done", "agrees"),
    [
        ("\n", GOES_ON, True),
        ("  \n", GOES_ON, True),
        ("q\n", GOES_ON, False),
        ("c\n", CLEANS_UP, True),
        ("clean\n", CLEANS_UP, True),
        ("C\n", CLEANS_UP, True),
        (" q \n", CLEANS_UP, False),
        ("", CLEANS_UP, False),
        ("", GOES_ON, False),
        ("x\ny\n\n", GOES_ON, True),
        ("x\n", CLEANS_UP, False),
        ("\nc\n", CLEANS_UP, True),
    ],
)
def test_an_answer_agrees_or_quits(answer, done, agrees):
    assert asked(answer, done)[0] is agrees


def test_the_question_and_its_answers_are_shown():
    text = asked("c\n")[1]
    assert "Next: something" in text
    assert "c cleans up, q quits: " in text
    assert "Enter goes on, q quits: " in asked("\n", GOES_ON)[1]


def test_a_question_can_not_control_the_terminal():
    assert "\x1b" not in asked("c\n", question="Next: \x1b[31m")[1]
