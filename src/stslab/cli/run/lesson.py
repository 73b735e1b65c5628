"""Sets a guided lesson up: the runner, the screen and the prompt, for one open account."""

import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stslab.cli.run import shown
from stslab.cli.run.guided import Guided, Quit
from stslab.cli.run.prompt import Prompt
from stslab.lesson.ports import UNKNOWN
from stslab.render.lesson.screen import Screen
from stslab.runner.events import CallShown
from stslab.runner.run.run import Runner

if TYPE_CHECKING:
    from stslab.cli.accounts import Open
    from stslab.cli.bench import Bench
    from stslab.lab.model import Lab, Stage


def learn(laid: "Bench", opened: "Open", lab: "Lab", stages: "Sequence[Stage]") -> None:
    """Go through the lab with a learner at the terminal.

    Raises:
        UndoIncomplete: something could not be undone.
    """
    plain = os.environ.get("TERM") == "dumb"
    runner = Runner(
        lab,
        opened.account,
        opened.profiles,
        laid.journal,
        lambda event: guided.hear(event),  # noqa: PLW0108 - made below
        describe=laid.describe,
        services=opened.services,
    )
    screen = Screen(laid.console, laid.describe, clears=not plain)

    def env() -> dict[str, str]:
        return shown.variables(lab, runner.scope())

    def command(call: CallShown, who: str = "") -> str:
        return shown.command(call, env(), laid.describe, who)

    def environ() -> Mapping[str, str]:
        from stslab.aws import environment

        changes = environment.variables(opened.profiles, opened.target.info.region)
        return {**environment.applied(changes), **env()}

    guided = Guided(
        lab=lab,
        runner=runner,
        screen=screen,
        prompt=Prompt(laid.console, lambda: _status(guided, opened), plain=plain),
        decide=lambda *_: UNKNOWN,
        command=command,
        environ=environ,
        words={},
        place=_place(opened),
        editable=opened.kind == "sandbox",
    )
    screen.describe = command
    standing = runner.start_or_resume()
    started = time.monotonic()
    try:
        guided.go(stages, standing.done, resumed=standing.resumed)
    except Quit:
        from stslab.cli.run.afterwards import say_how_to_go_on

        say_how_to_go_on(laid.console)
        return
    if runner.finish().outcome == "open":
        from stslab.cli.run.afterwards import say_what_to_try

        say_what_to_try(laid.console, opened, runner.scope())
        return
    proved = sum(one.held for one in laid.journal.checks(standing.run.id))
    guided.ended(proved, (time.monotonic() - started) / 60)


def _place(opened: "Open") -> str:
    account = opened.target.info.account
    if opened.kind == "sandbox":
        return f"On the embedded account {account}, on this machine. No AWS account is needed."
    return f"On the account {account}."


def _status(guided: Guided, opened: "Open") -> str:
    """The bottom line: how far, who, where, how long the session lasts, and the words."""
    stage = guided.stage
    of = len(guided.lab.stages)
    number = guided.lab.stages.index(stage) + 1 if stage else 0
    bar = "▓" * number + "░" * (of - number)
    where = "embedded account" if opened.kind == "sandbox" else "account"
    parts = [f"{bar} {number}/{of}", f"{where} {opened.target.info.account}"]
    left = _left(guided)
    if left:
        parts.append(left)
    return " " + "   ".join(parts) + "   why  hint  access  help"


def _left(guided: Guided) -> str:
    ends = [one.get("expiration") for one in guided.runner.scope()["profiles"].values()]
    known = [datetime.fromisoformat(str(end)) for end in ends if end]
    if not known:
        return ""
    minutes = int((min(known) - datetime.now(UTC)).total_seconds() // 60)
    return f"session {minutes} min" if minutes > 0 else "session ended"
