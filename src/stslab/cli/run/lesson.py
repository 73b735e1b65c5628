"""Sets a lesson up: the runner, the screen and the prompt, for one open account."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stslab.cli.run import shown
from stslab.cli.run.loop import Loop, Quit
from stslab.cli.run.prompt import Prompt
from stslab.cli.run.walk import end, say_how_to_go_on
from stslab.lesson.byhand import ByHand
from stslab.render.lesson.screen import Screen
from stslab.render.terminal.console import draws_over
from stslab.runner.events import CallShown
from stslab.runner.journal.records import How
from stslab.runner.run.run import Runner

if TYPE_CHECKING:
    from pathlib import Path

    from stslab.cli.accounts import Open
    from stslab.cli.bench import Bench
    from stslab.home import Home
    from stslab.lab.model import Lab, Stage
    from stslab.render.terminal.paper import Paper


def learn(
    laid: "Bench",
    opened: "Open",
    lab: "Lab",
    stages: "Sequence[Stage]",
    *,
    by_hand: bool = False,
    predict: bool = True,
) -> None:
    """Go through the lab with a learner at the terminal, guided or by hand.

    Raises:
        UndoIncomplete: something could not be undone.
    """
    loop = set_up(laid, opened, lab, How.HAND if by_hand else How.PROMPT)
    runner, loop.predict = loop.runner, predict
    if by_hand:
        loop.hand, loop.follows = hand_of(laid.home, opened, lab, runner), True
    standing = runner.start_or_resume()
    started = time.monotonic()
    try:
        loop.go(stages, standing.done, resumed=standing.resumed)
    except Quit:
        say_how_to_go_on(laid.console)
        return
    told = end(laid.console, lab, stages, runner)
    if told.outcome != "open":
        with suppress(Quit):
            loop.ended(told, (time.monotonic() - started) / 60)


def set_up(laid: "Bench", opened: "Open", lab: "Lab", how: How) -> Loop:
    """The loop, with its runner, screen and prompt."""
    plain = not draws_over(laid.console)
    runner = opened.runner(
        lab,
        laid.home,
        laid.journal,
        lambda event: loop.hear(event),  # noqa: PLW0108 - made below
        describe=laid.describe,
        how=how,
    )
    screen = Screen(laid.console, laid.describe, clears=not plain)

    def env() -> dict[str, str]:
        return shown.variables(lab, runner.scope())

    def command(call: CallShown, who: str = "") -> str:
        files = {opened.profiles.token(): opened.profiles.token_file}
        return shown.command(call, env(), laid.describe, who, files)

    def environ() -> Mapping[str, str]:
        from stslab.aws import environment

        changes = environment.variables(opened.profiles, opened.target.info.region)
        return {**environment.applied(changes), **env()}

    loop = Loop(
        lab=lab,
        runner=runner,
        screen=screen,
        prompt=Prompt(laid.console, lambda: _status(loop, opened), plain=plain),
        decide=opened.decider(laid.home),
        waiting=laid.lock.paused,
        happened=_happened(laid.home, opened),
        command=command,
        environ=environ,
        words={"why": lambda paper: draw_why(laid.home, paper)},
        place=_place(opened),
        editable=opened.kind == "sandbox",
    )
    screen.describe = command
    return loop


def hand_of(home: "Home", opened: "Open", lab: "Lab", runner: Runner) -> ByHand:
    """The tasks of a run in the embedded account."""
    from stslab.sandbox.pipeline.log_file import newest_first

    decide = opened.decider(home)
    made = (step.profile.name for stage in lab.stages for step in stage.steps if step.profile)
    opened.profiles.prepare(*made)
    return ByHand(lab, runner, decide, lambda: newest_first(home.sandbox))


def _happened(home: "Home", opened: "Open") -> Callable[[], bool]:
    """What tells whether the account's log, the journal or a profile grew since the last time."""
    from stslab.sandbox.pipeline.log_file import NAME

    files = (
        home.sandbox / NAME,
        home.journal.with_name(f"{home.journal.name}-wal"),
        opened.profiles.credentials_file,
        opened.profiles.config_file,
    )
    last = [tuple[int, ...]()]

    def happened() -> bool:
        before, last[0] = last[0], tuple(_stamp(file) for file in files)
        return last[0] != before

    return happened


def _stamp(file: "Path") -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def draw_why(home: "Home", paper: "Paper") -> None:
    """The explanation of the last refusal."""
    from stslab.cli.refusals import explained
    from stslab.render.why import show

    told = explained(home, "")
    if told is None:
        paper.prose("The embedded account has refused nothing yet.", indent=1)
    else:
        show(paper.console, told)


def _place(opened: "Open") -> str:
    account = opened.target.info.account
    if opened.kind == "sandbox":
        return f"On the embedded account {account}, on this machine. No AWS account is needed."
    return f"On the account {account}."


def _status(loop: Loop, opened: "Open") -> str:
    """The bottom line: how far, who, where, how long the session lasts, and the words."""
    stage = loop.stage
    of = len(loop.lab.stages)
    number = loop.lab.stages.index(stage) + 1 if stage else 0
    bar = "▓" * number + "░" * (of - number)
    where = "embedded account" if opened.kind == "sandbox" else "account"
    parts = [f"{bar} {number}/{of}", f"{where} {opened.target.info.account}"]
    left = _left(loop)
    if left:
        parts.append(left)
    return " " + "   ".join(parts) + "   why  hint  access  help"


def _left(loop: Loop) -> str:
    ends = [one.get("expiration") for one in loop.runner.scope()["profiles"].values()]
    known = [datetime.fromisoformat(str(end)) for end in ends if end]
    if not known:
        return ""
    minutes = int((min(known) - datetime.now(UTC)).total_seconds() // 60)
    return f"session {minutes} min" if minutes > 0 else "session ended"
