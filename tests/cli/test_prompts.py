"""What a person at a terminal may answer."""

import io

import pytest
from tests.render.drawing import Screen

from stslab.cli.prompts import AGAIN, CLEAN_UP, CONTINUE, EXPLAIN, QUIT, SKIP, Asker
from stslab.render.terminal.console import make_console

BETWEEN = [CONTINUE, SKIP, EXPLAIN, QUIT]


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
        ("s\n", SKIP),
        ("skip\n", SKIP),
        ("E\n", EXPLAIN),
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
    assert "Enter goes on, s skips, e explains, q quits: " in text


def test_a_question_can_not_drive_the_terminal():
    assert "\x1b" not in asked("\n", question="Next: \x1b[31m")[1]


def test_after_a_failure_enter_alone_chooses_nothing():
    options = [AGAIN, CLEAN_UP, QUIT]
    assert asked("\nr\n", options)[0] is AGAIN
    assert asked("c\n", options)[0] is CLEAN_UP
