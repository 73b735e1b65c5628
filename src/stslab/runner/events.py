"""The events of a run: frozen values without secrets. Durations are in seconds."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from stslab.lab.effects import Summary
from stslab.runner.ports import Call


class Event(msgspec.Struct, frozen=True):
    @property
    def kind(self) -> str:
        """The event's name in JSON lines: ``StepStarted`` is ``step_started``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()


Describe = Callable[[Call], str]  # returns the equivalent ``aws`` command line of a call


class StageShown(msgspec.Struct, frozen=True):
    id: str
    title: str
    state: str = "pending"  # or done, or current


class RunStarted(Event, frozen=True):
    run: str
    lab: str
    title: str
    target: str
    account: str
    region: str
    stages: tuple[StageShown, ...]
    resumed: bool = False  # it continues where it was stopped
    dry: bool = False


class Foreseen(Summary, Event, frozen=True):
    """A run's changes and reads, cleanup's calls, and warnings (``notes``), in advance."""


class StageStarted(Event, frozen=True):
    stage: str
    title: str
    intro: str  # Markdown
    pages: tuple[tuple[str, str], ...]  # titles and URLs of AWS's documentation
    number: int
    of: int


class StageFinished(Event, frozen=True):
    stage: str
    held: bool  # its checkpoint holds
    seconds: float


class _OfStep(msgspec.Struct, frozen=True):
    stage: str
    title: str


class StepStarted(_OfStep, Event, frozen=True):
    call: Call
    number: int
    of: int
    why: str = ""  # the lab's reason for it


class StepSkipped(_OfStep, Event, frozen=True):
    """A step was done before, in an earlier process."""


class Difference(msgspec.Struct, frozen=True):
    """What a step makes, and what exists instead; of a policy, the statements that differ."""

    what: str
    wanted: tuple[str, ...]
    found: tuple[str, ...]


class StepDrifted(_OfStep, Event, frozen=True):
    """A step was done, and its thing is gone, has expired or was changed since."""

    number: int
    what: str  # what is wrong
    again: bool  # the step is done again
    differences: tuple[Difference, ...] = ()
    fix: tuple[Call, ...] = ()  # if not, the calls that revert the change


class StepAdopted(_OfStep, Event, frozen=True):
    """A step's thing was made by hand, correctly: the run adopts it, and undoes it later."""


class StepDiffers(_OfStep, Event, frozen=True):
    """A thing made by hand differs from what the step makes (``what``), and isn't adopted."""

    what: str
    differences: tuple[Difference, ...]


class StepFinished(_OfStep, Event, frozen=True):
    shown: tuple[tuple[str, object], ...]  # labels and values to display
    saved: Mapping[str, object]
    profile: str | None
    request_id: str
    seconds: float


class StepFailed(_OfStep, Event, frozen=True):
    call: Call
    code: str
    message: str
    request_id: str
    seconds: float


class Waiting(Event, frozen=True):
    what: str  # is waited for
    tries: int
    elapsed: float
    limit: float


class StackProgress(Event, frozen=True):
    time: str
    resource: str
    type: str
    status: str
    reason: str = ""


class CheckStarted(Event, frozen=True):
    stage: str
    says: str  # the claim
    call: Call | None


class CheckFinished(Event, frozen=True):
    stage: str
    says: str
    held: bool
    denied: bool  # the claim is a refusal, and AWS refused
    code: str
    proof: str  # AWS's message, or the compared value
    because: str
    why: str  # what did not hold
    request_id: str
    seconds: float
    gates: tuple[str, ...] = ()  # the known gates that refused
    void: bool = False  # the thing that should be gone was never made: it does not count
    held_at: str = ""  # of a claim that need no longer hold: the time of its proof
    changed_by: str = ""  # and the id of the stage that has changed it since


class UndoStarted(Event, frozen=True):
    run: str
    things: tuple[str, ...]  # in the order in which they are undone


class UndoOutcome(StrEnum):
    UNDONE = "undone"
    WAS_GONE = "was gone"
    NEVER_MADE = "never made"  # it may have been made, was looked up, and does not exist
    NOT_OURS = "not ours"  # it was made by somebody else
    KEPT = "kept"  # it may not be the run's own, so it was left
    FAILED = "failed"


class UndoFinished(Event, frozen=True):
    thing: str
    calls: tuple[Call, ...]
    outcome: UndoOutcome
    detail: str
    seconds: float


class ThingLookedUp(Event, frozen=True):
    """The proof of cleanup."""

    thing: str
    call: Call | None
    gone: bool
    proof: str


class CleanupFinished(Event, frozen=True):
    run: str
    removed: tuple[str, ...]
    remaining: tuple[tuple[str, str], ...]  # things, and the ``aws`` commands that remove them
    seconds: float


class RunFinished(Event, frozen=True):
    run: str
    outcome: str
    proved: int  # how many claims were proved
    claims: tuple[tuple[str, str, str], ...]  # all of the lab: stage title, claim, verdict
    notes: tuple[tuple[str, tuple[str, ...]], ...]  # remarks, and the stages they are about
    left: tuple[tuple[str, str], ...]  # what cleanup would still remove, by which command
    calls: int
    seconds: float


class Notice(Event, frozen=True):
    level: str  # info or warning
    message: str
    hint: str = ""
