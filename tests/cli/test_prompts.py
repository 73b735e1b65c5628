"""What a person at a terminal may answer."""

import io

import pytest
from tests.render.drawing import Screen

from stslab.cli.prompts import CLEAN_UP, QUIT, Asker, Option
from stslab.render.terminal.console import make_console

CONTINUE = Option("", "Enter goes on")
BETWEEN = [CONTINUE, CLEAN_UP, QUIT]


def asked(answers: str, options=BETWEEN, question="Next: something"):
    screen = Screen()
    console = make_console(screen, environ={"COLUMNS": "80"})
    chosen = Asker(console, io.StringIO(answers)).choose(question, options)
    return chosen, screen.getvalue()


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        ("\n", CONTINUE),
        ("  \n", CONTINUE),
        ("c\n", CLEAN_UP),
        ("clean\n", CLEAN_UP),
        ("C\n", CLEAN_UP),
        (" q \n", QUIT),
        ("", QUIT),
        ("x\ny\n\n", CONTINUE),
        ("x\n", QUIT),
    ],
)
def test_an_answer_chooses(answer, chosen):
    assert asked(answer)[0] is chosen


def test_the_question_and_its_answers_are_shown():
    text = asked("\n")[1]
    assert "Next: something" in text
    assert "Enter goes on, c cleans up, q quits: " in text


def test_a_question_can_not_drive_the_terminal():
    assert "\x1b" not in asked("\n", question="Next: \x1b[31m")[1]


def test_after_a_failure_enter_alone_chooses_nothing():
    options = [CLEAN_UP, QUIT]
    assert asked("\nc\n", options)[0] is CLEAN_UP
