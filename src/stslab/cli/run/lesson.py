"""Sets a lesson up: the runner, the screen and the prompt, for one open account."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile

import msgspec

from stslab.aws import environment
from stslab.cli.accounts import Open
from stslab.cli.bench import Bench
from stslab.cli.describing import command_of, describer
from stslab.cli.run.at_prompt import Quit
from stslab.cli.run.loop import Loop
from stslab.cli.run.prompt import Prompt
from stslab.cli.run.walk import end, say_how_to_go_on
from stslab.cli.run.why import explained
from stslab.home import Home
from stslab.lab.model import Lab, Stage
from stslab.lesson.byhand import ByHand
from stslab.lesson.ports import is_own
from stslab.render.lesson.screen import Screen
from stslab.render.terminal.console import draws_over
from stslab.render.terminal.paper import Paper
from stslab.render.text.durations import spoken
from stslab.render.why import GRADES, show_grade
from stslab.runner.events import CallShown, Event
from stslab.runner.journal.records import WHY, Hint, How
from stslab.runner.journal.store import Journal
from stslab.runner.run.run import Runner
from stslab.runner.run.scope import variables
from stslab.sandbox.pipeline.log_file import Tail, newest_first
from stslab.sandbox.server.client import control

_NO_AWS = (
    "There is no aws command here. `python -m pip install 'stslab[cli]'` brings one. The lab's own"
    " commands run without it, as long as they are unchanged."
)
_ONE_LINE = (
    "Variables that begin with AWS_ last for this line only, since the prompt shows who asks."
    " `--profile NAME` behind a command asks as somebody else."
)
_FRESH = 2.0  # seconds


def learn(
    laid: Bench,
    opened: Open,
    lab: Lab,
    stages: Sequence[Stage],
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
        loop.hand, loop.follows = hand_of(opened, lab, runner), True
    standing = runner.start_or_resume()
    try:
        loop.go(stages, standing.done, resumed=standing.resumed)
    except Quit:
        say_how_to_go_on(laid.console)
        return
    told = end(laid.console, lab, stages, runner)
    if told.outcome != "open":
        with suppress(Quit):
            loop.ended(told)


def set_up(laid: Bench, opened: Open, lab: Lab, how: How) -> Loop:
    plain = not draws_over(laid.console)

    def hear(event: Event) -> None:
        loop.hear(event)  # which is made below

    runner = opened.runner(lab, laid.journal, hear, describe=laid.describe, how=how)
    hand = opened.hand
    screen = Screen(laid.console, laid.describe, clears=not plain)
    command = commands(opened, lab, runner)

    def take_turn() -> None:
        """What is done by hand from now on is this run's."""
        profiles = runner.scope()["profiles"].values()
        if hand:
            hand.begin(runner.run.id, [one["access_key_id"] for one in profiles])

    status = _lately(
        lambda: _status(loop, opened, laid.console.width, plain=plain),
        lambda: (loop.stage, loop.who),
    )
    loop = Loop(
        lab=lab,
        runner=runner,
        screen=screen,
        prompt=Prompt(laid.console, status, plain=plain),
        decide=opened.decide,
        waiting=laid.lock.paused,
        happened=_happened(opened, laid.journal),
        take_turn=take_turn,
        now=_clock(opened),
        names=lambda: variables(lab, runner.scope()),
        command=command,
        shell=_shell(opened, lab, runner, take_turn),
        words={"why": Why(laid.home, runner if how is How.HAND else None, lambda: loop.stage)},
        place=_place(opened),
        editable=opened.kind == "sandbox",
    )
    screen.describe = command
    return loop


def _shell(
    opened: Open, lab: Lab, runner: Runner, take_turn: Callable[[], None]
) -> Callable[[str, str], str]:
    """What runs a line in the learner's shell as a profile, and says what it lacks there.

    Each line is run in the folder in which the one before ended, with the variables that were set;
    but who asks, and where, stays as the prompt shows it.
    """
    folder, own_names = Path.cwd(), dict[str, str]()

    def shell(line: str, who: str) -> str:
        nonlocal folder
        take_turn()
        changes = environment.variables(opened.profiles, opened.target.info.region)
        found = environment.applied(changes)
        own = str(Path(sys.executable).parent)  # stslab itself is there, and its extra `cli`
        path = os.pathsep.join(filter(None, [found.get("PATH"), own]))
        named = variables(lab, runner.scope())
        environ = {**found, "PATH": path, **named, "AWS_PROFILE": who, **own_names}
        where = folder if folder.is_dir() else None
        with TemporaryFile("r+", errors="surrogateescape") as ended:  # nameless: it holds secrets
            number = ended.fileno()
            note = f"{{ printf '%s\\0' \"$PWD\"; env -0; }} > /dev/fd/{number}"
            noting = f"trap {shlex.quote(note)} EXIT; set -a\n{line}"
            subprocess.run(  # noqa: S602 - the learner's own
                noting, shell=True, env=environ, cwd=where, check=False, pass_fds=(number,)
            )
            ended.seek(0)
            here, *after = ended.read().split("\0")
        folder = Path(here or folder)
        known = dict(one.split("=", 1) for one in after if "=" in one)
        new = {name: value for name, value in known.items() if environ.get(name) != value}
        own_names.update((name, value) for name, value in new.items() if name[:4] != "AWS_")
        if not new.keys() <= own_names.keys():
            return _ONE_LINE
        lacks = not shutil.which("aws", path=path)
        return _NO_AWS if lacks and line.split(maxsplit=1)[:1] == ["aws"] else ""

    return shell


def commands(opened: Open, lab: Lab, runner: Runner) -> Callable[..., str]:
    """What gives the ``aws`` command of a call (for a profile that a shell has), as it runs."""
    brief = describer(lab, keep=opened.home.root / "shown")

    def command(call: CallShown, who: str = "") -> str:
        files = {opened.profiles.token(): opened.profiles.token_file}
        return command_of(call, variables(lab, runner.scope()), brief, who, files)

    return command


def hand_of(opened: Open, lab: Lab, runner: Runner) -> ByHand:
    made = (step.profile.name for stage in lab.stages for step in stage.steps if step.profile)
    opened.profiles.prepare(*made)
    return ByHand(lab, runner, opened.decide, lambda: newest_first(opened.home.sandbox))


def _happened(opened: Open, journal: Journal) -> Callable[[], bool]:
    """What tells whether somebody called, or wrote the journal or a profile, since it was asked.

    What this process itself calls and writes in order to look is not news: it would never end.
    """
    last, log = [tuple[int, ...]()], Tail(opened.home.sandbox)

    def happened() -> bool:
        before = last[0]
        last[0] = (journal.written_by_others, *opened.profiles.written())
        return not all(map(is_own, log.read())) or last[0] != before

    return happened


class Why(msgspec.Struct, frozen=True):
    """The explanation of the last refusal: whole, or by hand, each time a little more.

    By hand, the journal of ``runner`` knows how far one went.
    """

    home: Home
    runner: Runner | None
    stage: Callable[[], Stage | None]

    def __call__(self, paper: Paper) -> None:
        told = explained(self.home, "")
        if told is None:
            paper.prose("The embedded account has refused nothing yet.", indent=1)
            return
        request, grade, stage = told["request"]["requestID"], GRADES - 1, self.stage()
        if self.runner and stage:
            grade = self.runner.past.hinted(stage.id, WHY, request)
            if grade < GRADES:
                self.runner.note(Hint(stage.id, WHY, grade, request))
        show_grade(paper.console, told, grade)


def _place(opened: Open) -> str:
    account = opened.target.info.account
    if opened.kind == "sandbox":
        return f"On the embedded account {account}, on this machine. No AWS account is needed."
    return f"On the account {account}."


def _status(loop: Loop, opened: Open, width: int, *, plain: bool) -> str:
    """The bottom line: how far, who, where, how long the session lasts; words, if there is room."""
    stage = loop.stage
    of = len(loop.lab.stages)
    done = loop.runner.stages_done
    number = loop.lab.stages.index(stage) + 1 if stage else len(done)
    bar = "▓" * number + "░" * (of - number)
    stands = f"stage {number} of {of}" if plain else f"{bar} {number}/{of}"
    where = "embedded account" if opened.kind == "sandbox" else "account"
    account, left = loop.runner.account_of(loop.who), _left(loop)
    beginning, words = [stands, loop.who], "why  hint  access  help"
    forms = (
        [f"{where} {account}", left, words],
        [f"{where} {account}", left, "help"],
        [account, left, "help"],
        [account, left],
    )
    lines = [" " + "   ".join(filter(None, beginning + form)) for form in forms]
    return next((one for one in lines if len(one) <= width), lines[-1])


def _left(loop: Loop) -> str:
    ends = [one.get("expiration") for one in loop.runner.scope()["profiles"].values()]
    if not any(ends):
        return ""
    minutes = min(loop.minutes_to(str(end)) for end in ends if end)
    return f"session {spoken(minutes * 60)}" if minutes > 0 else "session ended"


def _clock(opened: Open) -> Callable[[], datetime]:
    """The account's clock, which may be moved."""

    def now() -> datetime:
        embedded = opened.kind == "sandbox"
        ahead = control(opened.home.sandbox, "GET", "clock")["offset"] if embedded else 0.0
        return datetime.now(UTC) + timedelta(seconds=ahead)

    return now


def _lately(make: Callable[[], str], about: Callable[[], object]) -> Callable[[], str]:
    """A text that is made anew where it is about something else, and every other second.

    The bottom line is drawn at each key, and what it tells is looked up.
    """
    known: list[tuple[object, float, str]] = []

    def told() -> str:
        now = about(), time.monotonic()
        if not known or known[0][0] != now[0] or now[1] - known[0][1] > _FRESH:
            known[:] = [(*now, make())]
        return known[0][2]

    return told
