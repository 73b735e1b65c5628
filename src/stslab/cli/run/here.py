"""What a learner at the terminal works with: commands, a shell, the clock, the status line."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil
from pathlib import Path
from tempfile import TemporaryFile

from stslab.aws import environment
from stslab.aws.command import command_of, describer
from stslab.cli.accounts import OpenAccount
from stslab.cli.run.refusals import explained
from stslab.cli.workspace import Workspace
from stslab.durations import spoken
from stslab.kinds.operations import changes
from stslab.lab.model import Stage
from stslab.lesson.byhand import ByHand, called, is_own
from stslab.lesson.faults import Faults
from stslab.render.terminal.paper import Paper
from stslab.render.why import GRADES, show_grade
from stslab.runner.journal.records import WHY, Hint
from stslab.runner.ports import Call
from stslab.runner.run.run import Runner
from stslab.runner.run.scope import variables
from stslab.sandbox.pipeline.log_file import Tail, newest_first
from stslab.sandbox.server.client import control, ensure
from stslab.structures import beside

TEXTS: dict[str, str] = beside(__file__, "texts.yaml")
_FRESH = 2.0  # seconds
_SHELL = shutil.which("bash") or "/bin/sh"
# In what a shell says of a text:
_WAITS = re.compile("unexpected EOF|EOF in |by end-of|end of file|Unterminated quoted|Missing '")


def no_command(line: str) -> str:
    """Why a line that belongs elsewhere in the lesson is not run, or ""."""
    if line.isdecimal():
        return "There is no question here for a digit to answer."
    if line.partition(" ")[0] == "begin":
        return "`begin` is for the first screen. Here `skip` leaves out the rest of the stage."
    return TEXTS["cut off"] if goes_on(line) else ""


def goes_on(text: str) -> bool:
    """Whether a shell waits for more lines: for the end of a quote, a loop or a here-document."""
    backslashes = len(text) - len(text.rstrip("\\"))  # two stand for one that is no end of a line
    reads = partial(subprocess.run, [_SHELL, "-n"], env={"LC_ALL": "C"}, cwd="/", check=False)
    reads = partial(reads, capture_output=True, encoding="utf-8", errors="replace")
    if backslashes % 2 or _WAITS.search(reads(input=text).stderr.partition("\n")[0]):
        return True
    # A here-document that is open takes any line, and not each shell says that it is open.
    return "<<" in text.replace("\\\n", "") and reads(input=f"{text}\n)").returncode == 0


@dataclass
class Here:
    """The run of a lab in an open account."""

    workspace: Workspace
    opened: OpenAccount
    runner: Runner

    def __post_init__(self) -> None:
        self.lab = self.runner.lab
        self.embedded, account = self.opened.kind == "sandbox", self.opened.target.info.account
        named = f" ({self.workspace.home.named})" if self.workspace.home.named else ""
        self.place = TEXTS["embedded" if self.embedded else "real"].format(account, named)
        self.decide = self.opened.decide
        self._brief = describer(self.lab, keep=self.workspace.home.root / "shown")
        self._log = Tail(self.workspace.home.sandbox)
        self._folder, self._own_names = Path.cwd(), dict[str, str]()
        self._last, self.tried = tuple[int, ...](), False
        self._status: tuple[object, float, str] = ((), 0.0, "")

    def names(self) -> dict[str, str]:
        """The variables that shown commands use, with their values."""
        return variables(self.lab, self.runner.scope())

    def awake(self) -> None:
        """Start the embedded account again, which ends after two idle hours; else SandboxError."""
        if self.embedded:
            port = int(self.opened.target.endpoint_url.rpartition(":")[2])
            ensure(self.workspace.home.sandbox, port=port)

    def now(self) -> datetime:
        """The time by the account's clock, which may have been moved."""
        self.awake()
        folder = self.workspace.home.sandbox
        ahead = control(folder, "GET", "clock")["offset"] if self.embedded else 0.0
        return datetime.now(UTC) + timedelta(seconds=ahead)

    def minutes_to(self, end: str) -> int:
        """The minutes until ``end`` (ISO 8601), rounded up."""
        return ceil((datetime.fromisoformat(end) - self.now()).total_seconds() / 60)

    def command(self, call: Call, who: str = "") -> str:
        """The ``aws`` command of a call. ``who`` is the shell's own profile."""
        files = {self.opened.profiles.token(): self.opened.profiles.token_file}
        return command_of(call, self.names(), self._brief, who, files)

    def hand(self) -> ByHand:
        """The tasks of the lab. Also prepare its profiles, which the learner may write."""
        self.opened.profiles.prepare(*self.lab.makers)
        return ByHand(self.runner, self.decide, partial(newest_first, self.workspace.home.sandbox))

    def faults(self) -> Faults:
        verbs = partial(control, self.workspace.home.sandbox)
        return Faults(self.runner, self.opened.profiles, self.decide, verbs)

    def take_turn(self) -> None:
        """Count what is done by hand from now on as this run's."""
        if self.opened.hand:
            profiles = self.runner.scope()["profiles"].values()
            keys = [profile["access_key_id"] for profile in profiles]
            self.opened.hand.begin(self.runner.run.id, keys)

    def happened(self) -> bool:
        """Whether another process called, or wrote the journal or a profile, since last time.

        ``tried`` tells then whether it did more than look.
        """
        theirs, before = [one for one in self._log.read() if not is_own(one)], self._last
        self._last = (self.workspace.journal.written_by_others, *self.opened.profiles.written())
        self.tried = self._last != before or any(map(changes, map(called, theirs)))
        return bool(before) and (bool(theirs) or self._last != before)

    def shell(self, line: str, who: str) -> str:
        """Run a line as a profile, in bash if there is one, else in sh. Return advice, or "".

        It runs in the folder in which the previous line ended, with the variables that were set,
        except AWS's own: caller and account stay as the prompt shows them.
        """
        self.take_turn()
        opened, own_names = self.opened, self._own_names
        ours = environment.variables(opened.profiles, opened.target.info.region)
        applied = environment.applied(ours)
        own = str(Path(sys.executable).parent)  # has stslab itself, and its extra `cli`
        path = os.pathsep.join(filter(None, [applied.get("PATH"), own]))
        environ = {**applied, "PATH": path, **self.names(), "AWS_PROFILE": who, **own_names}
        environ.pop("BASH_ENV", None)  # a file that bash would run first
        where = self._folder if self._folder.is_dir() else None
        self.happened()  # ``tried`` is about what follows
        with TemporaryFile("r+", errors="surrogateescape") as ended:  # it holds secrets: no name
            number = ended.fileno()
            note = f"{{ unset SHLVL; printf '%s\\0' \"$PWD\"; env -0; }} > /dev/fd/{number}"
            does = f'_line=" $1"; shift; trap {shlex.quote(note)} EXIT; set -a; eval "$_line"'
            stops = signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C ends only the command
            try:
                done = subprocess.run(
                    ["bash", "-c", does, "bash", line],  # as its errors name it; line 1 of them
                    executable=_SHELL,
                    env=environ,
                    cwd=where,
                    check=False,
                    pass_fds=(number,),
                )
            except OSError as error:  # the line, or a variable, is too long for the system
                return f"The shell can't run that: {error.strerror}."
            finally:
                signal.signal(signal.SIGINT, stops)
            if done.returncode == -signal.SIGINT:
                self.workspace.paper.blank()  # what is said next begins below the terminal's "^C"
            ended.seek(0)
            here, *after = ended.read().split("\0")
        self._folder = Path(here or self._folder)
        known = dict(pair.split("=", 1) for pair in after if "=" in pair)
        new = {name: value for name, value in known.items() if environ.get(name) != value}
        own_names.update((name, value) for name, value in new.items() if name[:4] != "AWS_")
        if not new.keys() <= own_names.keys():
            return TEXTS["one line"]
        lacks = not shutil.which("aws", path=path)
        return TEXTS["no aws"] if lacks and line.split(maxsplit=1)[:1] == ["aws"] else ""

    def why(self, paper: Paper, stage: Stage | None) -> None:
        """Explain the run's last failure: in full, or in a stage by hand more each time."""
        # The log's times are the account's, whose clock may be behind.
        behind = min(self.now() - datetime.now(UTC), timedelta())
        since = datetime.fromisoformat(self.runner.run.started) + behind
        explanation = explained(self.workspace.home, since=since.isoformat())
        if explanation is None:
            paper.prose("Nothing was refused in this run yet.", indent=1)
            return
        request, grade = explanation["request"]["requestID"], GRADES - 1
        if stage and explanation["decision"] and explanation["decision"]["decision"] != "Allowed":
            grade = self.runner.past.hinted(stage.id, WHY, request)
            if grade < GRADES:
                self.runner.note(Hint(stage.id, WHY, grade, request))
        show_grade(paper, explanation, grade)

    def status(self, stage: Stage | None, who: str, *, plain: bool) -> str:
        """The status line. It is drawn at each key, and looked up again every two seconds."""
        about, now = (stage, who), time.monotonic()
        if self._status[0] != about or now - self._status[1] > _FRESH:
            self._status = about, now, self._status_line(stage, who, plain=plain)
        return self._status[2]

    def _status_line(self, stage: Stage | None, who: str, *, plain: bool) -> str:
        stages = self.lab.stages
        done = self.runner.stages_done
        next_one = next((each for each in stages if each.id not in done), stages[-1])
        of, number = len(stages), stages.index(stage or next_one) + 1
        bar = "▓" * number + "░" * (of - number)
        stands = f"stage {number} of {of}" if plain else f"{bar} {number}/{of}"
        where = "embedded account" if self.embedded else "account"
        left = self._left(who if stage else "") if who else ""  # at a question it could tell
        account = self.runner.work.place_of(who).account if who or not self.lab.accounts else ""
        whole = [f"{where} {account}".strip(), left, "why  hint  access  help"]
        short = ([account, left, "help"], [account, left], [left, "help"], ["help"])
        forms = (whole, [*whole[:2], "help"], *short)
        lines = [" " + "   ".join(filter(None, [stands, who, *form])) for form in forms]
        return self.fitting(lines)

    def fitting(self, lines: list[str]) -> str:
        """The first of the status lines that is not wider than the terminal, or the last."""
        width = self.workspace.paper.console.width
        return next((line for line in lines if len(line) <= width), lines[-1])

    def _left(self, who: str) -> str:
        """The time that the session of ``who`` has left, or without one, the next of all to end."""
        profiles = self.runner.scope()["profiles"]
        chosen = [profiles.get(who, {})] if who else profiles.values()
        ends = [str(end) for profile in chosen if (end := profile.get("expiration"))]
        going = [minutes for end in ends if (minutes := self.minutes_to(end)) > 0]
        if not going:
            return "session ended" if ends else ""
        return f"session {spoken(min(going) * 60)}"
