"""A run in an open account, as a learner at the terminal has it: commands, a shell, the time."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryFile

from stslab.aws import environment
from stslab.cli.accounts import Open
from stslab.cli.bench import Bench
from stslab.cli.describing import command_of, describer
from stslab.cli.run.why import explained
from stslab.lab.model import Lab, Stage
from stslab.lesson.byhand import ByHand
from stslab.lesson.faults import Faults
from stslab.lesson.ports import is_own
from stslab.render.terminal.paper import Paper
from stslab.render.text.durations import spoken
from stslab.render.why import GRADES, show_grade
from stslab.runner.events import CallShown, Describe
from stslab.runner.journal.records import WHY, Hint
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


@dataclass
class Here:
    """What a learner works in: the run of a lab, in an open account."""

    laid: Bench
    opened: Open
    lab: Lab
    runner: Runner

    def __post_init__(self) -> None:
        self.embedded = self.opened.kind == "sandbox"
        self.decide = self.opened.decide
        self._folder, self._own_names = Path.cwd(), dict[str, str]()
        self._last: tuple[int, ...] = ()
        self._status: tuple[object, float, str] = ((), 0.0, "")

    @property
    def place(self) -> str:
        account = self.opened.target.info.account
        if self.embedded:
            return f"On the embedded account {account}, on this machine. No AWS account is needed."
        return f"On the account {account}."

    def names(self) -> dict[str, str]:
        """The variables that shown commands use, with their values."""
        return variables(self.lab, self.runner.scope())

    def now(self) -> datetime:
        """The time by the account's clock, which may be moved."""
        folder = self.laid.home.sandbox
        ahead = control(folder, "GET", "clock")["offset"] if self.embedded else 0.0
        return datetime.now(UTC) + timedelta(seconds=ahead)

    def minutes_to(self, end: str) -> int:
        """How long it is until then (ISO 8601)."""
        return int((datetime.fromisoformat(end) - self.now()).total_seconds() // 60)

    def command(self, call: CallShown, who: str = "") -> str:
        """The ``aws`` command of a call (for a profile that a shell has), as it runs."""
        files = {self.opened.profiles.token(): self.opened.profiles.token_file}
        return command_of(call, self.names(), self._brief, who, files)

    @cached_property
    def _brief(self) -> Describe:
        return describer(self.lab, keep=self.laid.home.root / "shown")

    def hand(self) -> ByHand:
        """The tasks of the lab, whose profiles a learner may write."""
        steps = (step for stage in self.lab.stages for step in stage.steps)
        self.opened.profiles.prepare(*(step.profile.name for step in steps if step.profile))
        log = partial(newest_first, self.laid.home.sandbox)
        return ByHand(self.lab, self.runner, self.decide, log)

    def faults(self) -> Faults:
        """The faults of the run, in the embedded account."""
        asks, opened = partial(control, self.laid.home.sandbox), self.opened
        ports = (opened.account, opened.profiles)
        return Faults(self.lab, self.runner, *ports, self.decide, asks)

    def take_turn(self) -> None:
        """What is done by hand from now on is this run's."""
        if self.opened.hand:
            profiles = self.runner.scope()["profiles"].values()
            self.opened.hand.begin(self.runner.run.id, [one["access_key_id"] for one in profiles])

    def happened(self) -> bool:
        """Whether somebody called, or wrote the journal or a profile, since it was asked.

        What this process itself calls and writes in order to look is not news: it would never end.
        """
        before = self._last
        self._last = (self.laid.journal.written_by_others, *self.opened.profiles.written())
        return not all(map(is_own, self._log.read())) or self._last != before

    @cached_property
    def _log(self) -> Tail:
        return Tail(self.laid.home.sandbox)

    def shell(self, line: str, who: str) -> str:
        """Run a line in the learner's shell as a profile, and say what it lacks there.

        It is run in the folder in which the one before ended, with the variables that were set;
        but who asks, and where, stays as the prompt shows it.
        """
        self.take_turn()
        opened, own_names = self.opened, self._own_names
        changes = environment.variables(opened.profiles, opened.target.info.region)
        found = environment.applied(changes)
        own = str(Path(sys.executable).parent)  # stslab itself is there, and its extra `cli`
        path = os.pathsep.join(filter(None, [found.get("PATH"), own]))
        environ = {**found, "PATH": path, **self.names(), "AWS_PROFILE": who, **own_names}
        where = self._folder if self._folder.is_dir() else None
        with TemporaryFile("r+", errors="surrogateescape") as ended:  # nameless: it holds secrets
            number = ended.fileno()
            note = f"{{ printf '%s\\0' \"$PWD\"; env -0; }} > /dev/fd/{number}"
            noting = f"trap {shlex.quote(note)} EXIT; set -a\n{line}"
            subprocess.run(  # noqa: S602 - the learner's own
                noting, shell=True, env=environ, cwd=where, check=False, pass_fds=(number,)
            )
            ended.seek(0)
            here, *after = ended.read().split("\0")
        self._folder = Path(here or self._folder)
        known = dict(one.split("=", 1) for one in after if "=" in one)
        new = {name: value for name, value in known.items() if environ.get(name) != value}
        own_names.update((name, value) for name, value in new.items() if name[:4] != "AWS_")
        if not new.keys() <= own_names.keys():
            return _ONE_LINE
        lacks = not shutil.which("aws", path=path)
        return _NO_AWS if lacks and line.split(maxsplit=1)[:1] == ["aws"] else ""

    def why(self, paper: Paper, stage: Stage | None) -> None:
        """Explain the last refusal: whole, or by hand, in a stage, each time a little more."""
        told = explained(self.laid.home, "")
        if told is None:
            paper.prose("The embedded account has refused nothing yet.", indent=1)
            return
        request, grade = told["request"]["requestID"], GRADES - 1
        if stage:
            grade = self.runner.past.hinted(stage.id, WHY, request)
            if grade < GRADES:
                self.runner.note(Hint(stage.id, WHY, grade, request))
        show_grade(paper.console, told, grade)

    def status(self, stage: Stage | None, who: str, *, plain: bool) -> str:
        """The bottom line: how far, who, where, how long the session lasts; words if they fit.

        It is drawn at each key, and what it tells is looked up: anew every other second.
        """
        about, now = (stage, who), time.monotonic()
        if self._status[0] != about or now - self._status[1] > _FRESH:
            self._status = about, now, self._told(stage, who, plain=plain)
        return self._status[2]

    def _told(self, stage: Stage | None, who: str, *, plain: bool) -> str:
        stages, done = self.lab.stages, self.runner.stages_done
        of, number = len(stages), stages.index(stage) + 1 if stage else len(done)
        bar = "▓" * number + "░" * (of - number)
        stands = f"stage {number} of {of}" if plain else f"{bar} {number}/{of}"
        where = "embedded account" if self.embedded else "account"
        account, left = self.runner.account_of(who), self._left()
        forms = (
            [f"{where} {account}", left, "why  hint  access  help"],
            [f"{where} {account}", left, "help"],
            [account, left, "help"],
            [account, left],
        )
        lines = [" " + "   ".join(filter(None, [stands, who, *form])) for form in forms]
        return next((one for one in lines if len(one) <= self.laid.console.width), lines[-1])

    def _left(self) -> str:
        ends = [one.get("expiration") for one in self.runner.scope()["profiles"].values()]
        if not any(ends):
            return ""
        minutes = min(self.minutes_to(str(end)) for end in ends if end)
        return f"session {spoken(minutes * 60)}" if minutes > 0 else "session ended"
