"""Sets a lesson up: the runner, the screen and the prompt, for one open account."""

from collections.abc import Sequence
from contextlib import suppress

from stslab.cli.accounts import Open
from stslab.cli.bench import Bench
from stslab.cli.run.at_prompt import Quit
from stslab.cli.run.here import Here
from stslab.cli.run.loop import Loop
from stslab.cli.run.prompt import Prompt
from stslab.cli.run.walk import end, say_how_to_go_on
from stslab.lab.model import Lab, Stage
from stslab.render.lesson.screen import Screen
from stslab.render.terminal.console import draws_over
from stslab.runner.events import Event
from stslab.runner.journal.records import How


def learn(
    laid: Bench,
    opened: Open,
    lab: Lab,
    stages: Sequence[Stage],
    *,
    by_hand: bool = False,
    predict: bool = True,
) -> None:
    """Go through the lab, guided or by hand. Raises UndoIncomplete: something is left."""
    loop = set_up(laid, opened, lab, How.HAND if by_hand else How.PROMPT)
    loop.predict = predict
    if by_hand:
        loop.hand, loop.follows = loop.here.hand(), True
    standing = loop.runner.start_or_resume()
    try:
        loop.go(stages, standing.done, resumed=standing.resumed)
    except Quit:
        say_how_to_go_on(laid.console)
        return
    told = end(laid.console, lab, stages, loop.runner)
    if told.outcome != "open":
        with suppress(Quit):
            loop.ended(told)


def set_up(laid: Bench, opened: Open, lab: Lab, how: How) -> Loop:
    plain = not draws_over(laid.console)

    def hear(event: Event) -> None:
        loop.hear(event)  # which is made below

    runner = opened.runner(lab, laid.journal, hear, describe=laid.describe, how=how)
    here = Here(laid, opened, lab, runner)

    def status() -> str:
        return here.status(loop.stage, loop.who, plain=plain)

    loop = Loop(
        here=here,
        screen=Screen(laid.console, here.command, clears=not plain),
        prompt=Prompt(laid.console, status, plain=plain),
        words={"why": lambda paper: here.why(paper, loop.stage if how is How.HAND else None)},
    )
    return loop
