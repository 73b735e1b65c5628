"""Scenes: what the learner's screen shows, as frozen values that ``render`` draws."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from stslab.lesson.access import CellState, Key, Link
from stslab.lesson.byhand import StageTasks
from stslab.lesson.faults import Remaining
from stslab.lesson.questions import Question
from stslab.lesson.verdict import Verdict
from stslab.runner import events
from stslab.runner.journal.standing import Concept


class Welcome(msgspec.Struct, frozen=True):
    """The lab, before anything runs. ``advice`` names the other choices."""

    title: str
    summary: str
    stages: tuple[events.StageShown, ...]
    place: str
    resumed: bool = False
    advice: str = ""


class Story(msgspec.Struct, frozen=True):
    """Markdown under a heading: the introduction of a stage or of cleanup, or a longer text."""

    title: str
    text: str
    place: str = ""  # in the lab, as in "stage 2 of 6"
    things: tuple[str, ...] = ()  # what cleanup will remove
    pages: tuple[tuple[str, str], ...] = ()  # further reading at AWS


class Done(msgspec.Struct, frozen=True):
    """The result of the last step or check, shown above the next scene."""

    lines: tuple[tuple[bool, str], ...]  # whether it went well, and what it was
    shown: tuple[tuple[str, Any], ...] = ()

    def brief(self) -> "Done":
        """Only what went wrong, or one line if nothing did."""
        wrong = tuple(line for line in self.lines if not line[0])
        return Done(wrong or ((True, "Every step and every check went well"),))


class Doing(msgspec.Struct, frozen=True):
    """A step that waits for Enter. ``documents`` are policies worth reading first, by name."""

    title: str
    why: str
    place: str
    documents: Mapping[str, Any]
    intro: Story | None = None  # the stage's introduction, if it is shown above
    before: Done | None = None


class Asking(msgspec.Struct, frozen=True):
    """A prediction: the evidence for each possible caller, and the answers."""

    title: str
    call: events.CallShown
    question: Question
    evidence: Mapping[str, Verdict]
    target: str  # the resource, in words
    number: int
    of: int
    before: Done | None = None
    brief: bool = False  # show only the statements that name the action


class Answered(msgspec.Struct, frozen=True):
    """The result of the real call, and the prediction: ``said`` is the answer's digit or 0."""

    title: str
    who: str
    target: str
    question: Question
    said: int
    verdict: Verdict
    held: bool
    message: str
    because: str
    refusal: str = ""  # AWS's message if it refused


class Matrix(msgspec.Struct, frozen=True):
    """The access table and the stage's changes. Cells in ``asked`` are hidden: they come next."""

    title: str
    cells: tuple[CellState, ...]
    changed: frozenset[Key]
    before: Done | None = None
    chain: tuple[Link, ...] = ()
    asked: frozenset[Key] = frozenset()


class Stuck(msgspec.Struct, frozen=True):
    """An error that stopped the lesson, and what to do."""

    title: str
    message: str
    hint: str
    before: Done | None = None


class Drifted(msgspec.Struct, frozen=True):
    """Steps that were undone by hand, before a stage that needs them."""

    title: str
    drifted: tuple[events.StepDrifted, ...]


class Documents(msgspec.Struct, frozen=True):
    """The full policies that apply to a request; the deciding ones may be marked."""

    title: str
    verdict: Verdict
    marked: bool


class Tasks(msgspec.Struct, frozen=True):
    """A stage's tasks by hand, and which are done."""

    title: str
    place: str
    standing: StageTasks


class Ticket(msgspec.Struct, frozen=True):
    """A fault: a colleague's report, the command that shows it, and that command's answer."""

    title: str
    place: str
    command: str
    answer: str
    remaining: Remaining
    reason: str = ""  # what `why` answered last
    documents: Mapping[str, Any] = {}  # the policies that fix it, once `why` shows them


class Session(msgspec.Struct, frozen=True):
    """The credentials of a new session."""

    title: str
    access_key_id: str
    ends: str  # ISO 8601
    minutes: int  # how long they last
    profile: str  # that holds them
    before: Done | None = None


class Remember(msgspec.Struct, frozen=True):
    """What to remember of the lab, and the chain of callers with what each may do."""

    lines: tuple[str, ...]
    chain: tuple[Link, ...]


class Ended(msgspec.Struct, frozen=True):
    """The end: how many of the lab's checks were proved, the predictions, and what is next."""

    proved: int
    claims: int  # the lab's checks
    notes: tuple[tuple[str, tuple[str, ...]], ...]  # a note, and the stages that it is about
    concepts: tuple[Concept, ...]
    gone: tuple[str, ...]  # the checks that cleanup proved
    left: int
    next: tuple[tuple[str, str], ...] = ()


@dataclass
class Heard:
    """Collects the runner's events since the last scene."""

    lines: list[tuple[bool, str]] = field(default_factory=list)
    shown: list[tuple[str, Any]] = field(default_factory=list)
    by_hand: bool = False

    def hear(self, event: events.Event) -> None:
        if isinstance(event, events.StepFinished):
            self.lines.append((True, f"{event.title}{' (by hand)' if self.by_hand else ''}"))
            self.shown += event.shown
            self.by_hand = False
        elif isinstance(event, events.StepAdopted):
            self.by_hand = True
        elif isinstance(event, events.StepSkipped):
            self.lines.append((True, f"{event.title} (done before)"))
        elif isinstance(event, events.Notice):
            self.lines.append((event.level == "info", f"{event.message} {event.hint}".strip()))
        elif isinstance(event, events.StepFailed):
            self.lines.append((False, f"{event.title}: {event.code}. {event.message}"))

    def take(self) -> Done | None:
        """Return what was collected, and clear it."""
        done = Done(tuple(self.lines), tuple(self.shown)) if self.lines else None
        self.lines, self.shown = [], []
        return done
