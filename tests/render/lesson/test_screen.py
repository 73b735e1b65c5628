"""Long texts come in parts that fit the terminal."""

import io
from itertools import pairwise

import pytest
from rich.console import Console

from stslab.aws.command import aws_command
from stslab.render.lesson.screen import Heard, Screen
from stslab.render.terminal.paper import Paper
from stslab.runner.events import StepFinished


def test_a_line_that_the_terminal_wraps_takes_as_many_rows() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=40, height=24), aws_command, clears=False)
    pages: list[str] = []

    def draw(paper: Paper) -> None:
        for number in range(20):
            paper.whole(f"{number:02} " + "x" * 60)

    def more() -> bool:
        pages.append(out.getvalue())
        out.truncate(0)
        out.seek(0)
        return True

    screen.page(draw, more)
    assert [page.count("x" * 60) for page in pages] == [10]  # two rows each, of 21
    assert out.getvalue().count("x" * 60) == 10


def test_text_is_narrow_enough_to_read() -> None:
    out = io.StringIO()
    console = Console(file=out, width=200, height=24, force_terminal=True)
    screen = Screen(console, aws_command, clears=False)
    for draw in (Paper.prose, Paper.markdown):
        out.seek(0)
        out.truncate()
        screen.page(lambda paper: draw(paper, "word " * 60))  # noqa: B023
        assert max(len(line.strip()) for line in out.getvalue().split("\n")) in range(80, 97)


def test_a_command_that_does_not_fit_begins_the_next_part() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=80, height=24), aws_command, clears=False)
    told = [
        "Why",
        *("  reason" for _ in range(9)),
        "      {",
        '        "Effect": "Allow"',
        "      }",
    ]
    command = ["    aws iam x \\", *(f"      --option-{at} \\" for at in range(9)), "      --last"]
    pages: list[str] = []

    def more() -> bool:
        pages.append(out.getvalue())
        return True

    screen.page(lambda paper: paper.put("\n".join([*told, *command])), more)
    assert [page.strip().split("\n") for page in pages] == [told]


def test_a_long_command_in_the_prompt_leaves_less_room() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=80, height=24), aws_command, clears=False)

    commands: list[str] = []
    screen.command = lambda: "".join(commands)

    def fits(*filled_in: str) -> bool:
        def draw(paper: Paper) -> None:
            paper.put("\n".join(["text"] * 21))
            commands.extend(filled_in)

        out.truncate(0)
        out.seek(0)
        screen.page(draw, lambda: False)
        return out.getvalue().count("text") == 21

    assert fits()
    assert not fits("admin $ ")  # a row of its own, below what Enter does
    commands.clear()
    assert not fits("admin $ " + "x" * 200)  # three rows; filled in by what is shown
    assert not fits()


def test_a_command_that_fills_the_screen_has_one_of_its_own() -> None:
    out, parts = io.StringIO(), [0]

    def more() -> bool:
        parts.append(out.getvalue().count("line"))
        return True

    console = Console(file=out, width=80, height=10, force_terminal=True)
    screen = Screen(console, aws_command, clears=True)
    screen.command = lambda: "admin $ " + "x" * 390  # five rows
    assert screen.page(lambda paper: paper.put("line\n" * 9), more)
    assert parts == [0, 7, 9]
    assert out.getvalue().endswith("\x1b[2J\x1b[H")


def test_what_hangs_below_a_line_stays_with_it() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=80, height=12), aws_command, clears=False)
    lines = [f"   row {at // 2}" if at % 2 else "     allowed" for at in range(1, 21)]
    screen.page(lambda paper: paper.put("\n".join(lines)), lambda: False)
    assert out.getvalue().strip().split("\n")[-1].strip() == "allowed"


@pytest.mark.parametrize(("width", "height", "rows"), [(80, 10, 7), (30, 15, 11), (58, 24, 21)])
def test_a_small_terminal_loses_no_line(width: int, height: int, rows: int) -> None:
    """As beside `stslab watch`, one above the other; a narrow one wraps the prompt."""
    out, parts = io.StringIO(), [0]

    def more() -> bool:
        parts.append(out.getvalue().count("line"))
        return True

    screen = Screen(Console(file=out, width=width, height=height), aws_command, clears=True)
    screen.page(lambda paper: paper.put("line\n" * 40), more)
    assert all(after - before <= rows for before, after in pairwise(parts))


def test_what_a_step_made_stands_below_it_and_not_below_a_later_check() -> None:
    heard = Heard()
    made = StepFinished("one", "Ask for a session", (("Expires", "soon"),), {}, None, "", 0.1)
    heard.lines.append((True, "Read it"))
    heard.hear(made)
    heard.lines.append((True, "It lists no buckets"))
    done, out = heard.take(), io.StringIO()
    assert done is not None
    done.draw(Paper(Console(file=out, width=80, height=24)))
    rows = [line.strip() for line in out.getvalue().strip().split("\n")]
    assert rows == ["✔ Read it", "✔ Ask for a session", "Expires  soon", "✔ It lists no buckets"]
    assert heard.take() is None
