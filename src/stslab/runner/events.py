"""What a run says while it goes: frozen events, which ``stslab.render`` draws.

No event holds a secret key or a session token: what the runner puts into one has
been redacted. Times are seconds. An event's ``kind`` is its name in JSON.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from stslab.lab.changed import Changed
from stslab.runner.ports import Data

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a run."""

    @property
    def kind(self) -> str:
        """The event's name in JSON lines: ``StepStarted`` is ``step_started``."""
        return _WORD.sub("_", type(self).__name__).lower()


@dataclass(frozen=True, slots=True)
class CallShown:
    """A call as it may be shown: who makes it, and with what (redacted) parameters."""

    identity: str
    service: str
    operation: str
    params: Data = field(default_factory=dict)


Describe = Callable[[CallShown], str]
"""Gives the equivalent, copyable ``aws`` command line of a call."""


@dataclass(frozen=True, slots=True)
class StageShown:
    """A stage on the lab's map. ``state`` is pending, done or current."""

    id: str
    title: str
    state: str = "pending"


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A run begins, or goes on (``resumed``) where it was stopped."""

    run: str
    lab: str
    title: str
    target: str
    account: str
    region: str
    stages: tuple[StageShown, ...]
    resumed: bool = False
    dry: bool = False


@dataclass(frozen=True, slots=True)
class Foreseen(Event):
    """What a run would change, with which calls; what it would read; what cleanup may call.

    ``notes`` is what a person should know before they agree.
    """

    changed: tuple[Changed, ...]
    reads: tuple[str, ...]
    cleanup: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StageStarted(Event):
    """A stage begins. ``intro`` is Markdown; ``pages`` are (title, URL) of AWS's documentation."""

    stage: str
    title: str
    intro: str
    pages: tuple[tuple[str, str], ...]
    number: int
    of: int


@dataclass(frozen=True, slots=True)
class StageFinished(Event):
    """A stage's steps are done and its checkpoint holds (``held``), or does not."""

    stage: str
    held: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class StepStarted(Event):
    """A step is about to make its call. ``why`` is its reason, if the lab tells one."""

    stage: str
    title: str
    call: CallShown
    number: int
    of: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class StepSkipped(Event):
    """A step was done before, in an earlier process."""

    stage: str
    title: str


@dataclass(frozen=True, slots=True)
class Difference:
    """In what a thing is not as its step makes it: what the step says, and what is there.

    Of a policy they are the statements that differ, as JSON.
    """

    what: str
    wanted: tuple[str, ...]
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepDrifted(Event):
    """A step was done before, and what came of it is gone, has ended or was changed (``what``).

    ``again`` says whether the step is done again. Where it is not, ``fix`` are the calls that put
    back what was changed.
    """

    stage: str
    number: int
    title: str
    what: str
    again: bool
    differences: tuple[Difference, ...] = ()
    fix: tuple[CallShown, ...] = ()


@dataclass(frozen=True, slots=True)
class StepAdopted(Event):
    """What a step makes was made by hand, and rightly: the run takes it up, and undoes it later."""

    stage: str
    title: str


@dataclass(frozen=True, slots=True)
class StepDiffers(Event):
    """What was made by hand (``what``) is not as the step makes it: it is not taken up."""

    stage: str
    title: str
    what: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class StepFinished(Event):
    """A step's call succeeded. ``shown`` are its (label, value) lines worth reading."""

    stage: str
    title: str
    shown: tuple[tuple[str, object], ...]
    saved: Mapping[str, object]
    profile: str | None
    request_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class StepFailed(Event):
    """A step's call failed where the lab needs it to succeed: what AWS said."""

    stage: str
    title: str
    call: CallShown
    code: str
    message: str
    request_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Waiting(Event):
    """A wait goes on: for what, since when, for how long at most, and how often tried."""

    what: str
    tries: int
    elapsed: float
    limit: float


@dataclass(frozen=True, slots=True)
class StackProgress(Event):
    """One event of a CloudFormation stack, as it comes."""

    time: str
    resource: str
    type: str
    status: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CheckStarted(Event):
    """A claim is about to be proved."""

    stage: str
    says: str
    call: CallShown | None


@dataclass(frozen=True, slots=True)
class CheckFinished(Event):
    """A claim was tried: held or not, and the proof.

    ``denied`` is true where the claim is a refusal and AWS refused: the expected success.
    ``gates`` are those that refused, as far as that was told. ``proof`` is AWS's message or the
    value that was compared; ``why`` says what did not hold. ``void``: what it says is gone was
    never made, and the claim does not count. A claim that does not hold any more and need not
    has ``held_at``, when it was proved, and ``changed_by``, the stage (its id) that has changed
    that since.
    """

    stage: str
    says: str
    held: bool
    denied: bool
    code: str
    proof: str
    because: str
    why: str
    request_id: str
    seconds: float
    gates: tuple[str, ...] = ()
    void: bool = False
    held_at: str = ""
    changed_by: str = ""


@dataclass(frozen=True, slots=True)
class UndoStarted(Event):
    """Cleanup begins: what it will undo, in its order."""

    run: str
    things: tuple[str, ...]


class UndoOutcome(StrEnum):
    """How undoing one thing ended."""

    UNDONE = "undone"
    WAS_GONE = "was gone"
    NEVER_MADE = "never made"
    """It was perhaps made, was looked for, and is not there."""
    NOT_OURS = "not ours"
    """What is there was made by somebody else."""
    KEPT = "kept"
    """It could not be recognised as the run's own."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class UndoFinished(Event):
    """One thing was undone, by these calls, or was not."""

    thing: str
    calls: tuple[CallShown, ...]
    outcome: UndoOutcome
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ThingLookedUp(Event):
    """The proof of cleanup: a thing was looked for. ``gone`` says whether it is."""

    thing: str
    call: CallShown | None
    gone: bool
    proof: str


@dataclass(frozen=True, slots=True)
class CleanupFinished(Event):
    """Cleanup ended. ``remaining``: (thing, the ``aws`` command that removes it)."""

    run: str
    removed: tuple[str, ...]
    remaining: tuple[tuple[str, str], ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """A run ended, or stands still: ``claims`` are all of the lab's, (stage title, claim, verdict).

    ``proved`` counts those that were proved; the verdicts are those of a report. ``notes`` are
    (what there is to say, of which stages): skipped, not reached, tried more than once and the
    like. ``left`` is what cleanup would still remove: (thing, the ``aws`` command for it).
    """

    run: str
    outcome: str
    proved: int
    claims: tuple[tuple[str, str, str], ...]
    notes: tuple[tuple[str, tuple[str, ...]], ...]
    left: tuple[tuple[str, str], ...]
    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """Something that a person should know. ``level``: info or warning."""

    level: str
    message: str
    hint: str = ""
