"""Sets a guided lesson up: the runner, the screen and the prompt, for one open account."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from stslab.cli.accounts import tell_of
from stslab.cli.run import shown
from stslab.cli.run.guided import Guided, Quit
from stslab.cli.run.prompt import Prompt
from stslab.cli.run.walk import end, say_how_to_go_on
from stslab.lesson import verdict
from stslab.lesson.ports import UNKNOWN, Verdict
from stslab.render.lesson.screen import Screen
from stslab.render.terminal.console import draws_over
from stslab.runner.events import CallShown
from stslab.runner.run.run import Runner

if TYPE_CHECKING:
    from pathlib import Path

    from stslab.cli.accounts import Open
    from stslab.cli.bench import Bench
    from stslab.home import Home
    from stslab.lab.model import Lab, Stage
    from stslab.lesson.ports import Decide
    from stslab.render.terminal.paper import Paper


def learn(laid: "Bench", opened: "Open", lab: "Lab", stages: "Sequence[Stage]") -> None:
    """Go through the lab with a learner at the terminal.

    Raises:
        UndoIncomplete: something could not be undone.
    """
    plain = not draws_over(laid.console)
    runner = Runner(
        lab,
        opened.account,
        opened.profiles,
        laid.journal,
        lambda event: guided.hear(event),  # noqa: PLW0108 - made below
        describe=laid.describe,
        services=opened.services,
        tell=tell_of(laid.home, opened.kind),
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
        decide=decider(laid.home.sandbox, opened),
        command=command,
        environ=environ,
        words={"why": lambda paper: draw_why(laid.home, paper)},
        place=_place(opened),
        editable=opened.kind == "sandbox",
    )
    screen.describe = command
    standing = runner.start_or_resume()
    started = time.monotonic()
    try:
        guided.go(stages, standing.done, resumed=standing.resumed)
    except Quit:
        say_how_to_go_on(laid.console)
        return
    told = end(laid.console, lab, stages, runner)
    if told.outcome != "open":
        guided.ended(told, (time.monotonic() - started) / 60)


def decider(folder: "Path", opened: "Open") -> "Decide":
    """What the embedded account in ``folder`` decides; elsewhere nothing is known beforehand."""
    if opened.kind != "sandbox":
        return lambda *_: UNKNOWN
    from stslab.sandbox.server import client

    def decide(identity: str, service: str, operation: str, params: Mapping[str, Any]) -> Verdict:
        credentials = opened.profiles.get(identity)
        if credentials is None:
            return UNKNOWN
        call = {
            "key": credentials.access_key_id,
            "service": service,
            "operation": operation,
            "params": params,
        }
        return verdict.of(client.control(folder, "POST", "would", {"calls": [call]}))

    return decide


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
