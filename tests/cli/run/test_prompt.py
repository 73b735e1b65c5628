"""What is read at the prompt of a command."""

import pytest
from prompt_toolkit.application import create_app_session, get_app
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from stslab.cli.run.prompt import Prompt, Typed, _Words


class Slow(DummyOutput):
    """A terminal that is asked where its cursor is, and does not answer in time."""

    responds_to_cpr = True

    def get_rows_below_cursor_position(self) -> int:
        raise NotImplementedError


def test_what_happens_after_the_line_is_kept_for_the_next_one():
    looked = []

    def watch() -> bool:
        looked.append(get_app().is_done)
        return looked[-1]

    with create_pipe_input() as typing, create_app_session(input=typing, output=Slow()):
        typing.send_text("why\n")
        entered = Prompt(Console(), lambda: "", plain=False).command("admin", watch=watch)
    assert entered.word == "why"
    assert looked
    assert not any(looked)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("aws iam \\\nx --y 'a\nb'\n", "aws iam \\\nx --y 'a\nb'"),
        ("\x1b[200~cat <<E\na'\x1b[201~\nE\n", "cat <<E\na'\nE"),  # the first part is pasted
        ("aws \\\x1b[D\x1b[D\nx\n", "aws \\\nx"),  # Enter, not at the end
        ("echo 'a\n\x03echo b\n", "echo b"),
        ("echo 'a\n\x04", "echo 'a"),  # it is told where it would run
        ("aws \\\n\n", "aws \\\n"),  # an empty line ends it
        ("ls a\\ \n", "ls a\\ "),
    ],
)
def test_a_command_goes_on_until_it_is_whole(keys: str, line: str) -> None:
    with create_pipe_input() as typing, create_app_session(input=typing, output=DummyOutput()):
        typing.send_text(keys)
        entered = Prompt(Console(), lambda: "", plain=False).command("admin")
    assert entered == Typed(line=line)


def test_a_command_over_several_lines_completes() -> None:
    (found,) = _Words().get_completions(Document("aws iam \\\n  create-us"), None)
    assert (found.text, found.start_position) == ("create-user", -len("create-us"))
