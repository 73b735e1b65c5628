"""What is on the learner's screen: one thought each, as frozen values that ``render`` draws.

A scene says what can be entered at it. ``line`` is the command that stands on the line already.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from stslab.lesson.access import CellState, Key, Link
from stslab.lesson.byhand import Standing
from stslab.lesson.faults import Remaining
from stslab.lesson.ports import Verdict
from stslab.lesson.questions import Question
from stslab.runner import events
from stslab.runner.journal.standing import Concept


class Welcome(msgspec.Struct, frozen=True):
    """The lab, before anything runs. ``advice`` says what else there is to choose."""

    title: str
    summary: str
    stages: tuple[events.StageShown, ...]
    place: str
    resumed: bool = False
    advice: str = ""


class Story(msgspec.Struct, frozen=True):
    """Markdown under a heading: a stage before its first step or cleanup, or its longer story."""

    title: str
    text: str
    place: str = ""  # where it stands in the lab
    things: tuple[str, ...] = ()  # what cleanup will remove
    pages: tuple[tuple[str, str], ...] = ()  # those of AWS that tell more


class Done(msgspec.Struct, frozen=True):
    """What came of the last step or proof; it stands above the next scene."""

    lines: tuple[tuple[bool, str], ...]  # What happened: whether it went well, and what it was
    shown: tuple[tuple[str, Any], ...] = ()

    def brief(self) -> "Done":
        """The same in a line, and what went wrong."""
        wrong = tuple(one for one in self.lines if not one[0])
        return Done(wrong or ((True, "Every step and every check went well"),))


class Doing(msgspec.Struct, frozen=True):
    """A step that waits for Enter. ``documents`` are policies worth reading first, by name."""

    title: str
    why: str
    place: str
    documents: Mapping[str, Any]
    intro: Story | None = None  # the stage's, where it stands above
    before: Done | None = None


class Asking(msgspec.Struct, frozen=True):
    """A prediction: the evidence by who could be calling, and the answers."""

    title: str
    call: events.CallShown
    question: Question
    evidence: Mapping[str, Verdict]
    target: str  # what is asked for
    number: int
    of: int
    before: Done | None = None
    brief: bool = False  # of the evidence only the statements that name the action


class Answered(msgspec.Struct, frozen=True):
    """The proof by the real call, beside the prediction. ``said`` is 0 for *I don't know*."""

    title: str
    who: str
    target: str
    question: Question
    said: int
    verdict: Verdict
    held: bool
    message: str
    because: str
    refusal: str = ""  # AWS's message, where it refused


class Matrix(msgspec.Struct, frozen=True):
    """The access table, with what the stage changed; without what is to be predicted first."""

    title: str
    cells: tuple[CellState, ...]
    changed: frozenset[Key]
    before: Done | None = None
    chain: tuple[Link, ...] = ()
    asked: frozenset[Key] = frozenset()


class Stuck(msgspec.Struct, frozen=True):
    """Something stopped the lesson: what it was, and what to do."""

    title: str
    message: str
    hint: str
    before: Done | None = None


class Drifted(msgspec.Struct, frozen=True):
    """What was done before and is no longer so, before a stage that needs it."""

    title: str
    drifted: tuple[events.StepDrifted, ...]


class Documents(msgspec.Struct, frozen=True):
    """The policies that have a say in a request, whole; those that decide may be marked."""

    title: str
    verdict: Verdict
    marked: bool


class Tasks(msgspec.Struct, frozen=True):
    """What is to be reached by hand in a stage, and how far it is."""

    title: str
    place: str
    standing: Standing


class Ticket(msgspec.Struct, frozen=True):
    """A fault: what a colleague reports, the command that shows it, and what came of that."""

    title: str
    place: str
    command: str
    answer: str
    remaining: Remaining
    told: str = ""  # what was asked about it


class Session(msgspec.Struct, frozen=True):
    """The credentials of a session: ``ends`` is ISO 8601, ``profile`` where they are now."""

    title: str
    access_key_id: str
    ends: str
    minutes: int  # that they last
    profile: str
    before: Done | None = None


class Remember(msgspec.Struct, frozen=True):
    """What to remember of the lab, and who could do what through which caller."""

    lines: tuple[str, ...]
    chain: tuple[Link, ...]


class Ended(msgspec.Struct, frozen=True):
    """The end: what was proved of all there is, what was predicted, and what to remember."""

    proved: int
    claims: int
    notes: tuple[tuple[str, tuple[str, ...]], ...]  # what there is to say, of which stages
    concepts: tuple[Concept, ...]
    gone: tuple[str, ...]  # the claims that cleanup proved
    left: int
    next: tuple[tuple[str, str], ...] = ()


@dataclass
class Heard:
    """What the runner told since the last scene."""

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
        """What there is to show, which is forgotten."""
        told = Done(tuple(self.lines), tuple(self.shown)) if self.lines else None
        self.lines, self.shown = [], []
        return told
