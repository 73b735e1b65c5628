"""What is read at the prompt of a command."""

from prompt_toolkit.application import create_app_session, get_app
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from stslab.cli.run.prompt import Prompt


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
