"""What a run says while it goes: frozen events, which ``stslab.render`` draws.

No event holds a secret key or a session token: what the runner puts into one has
been redacted. Times are seconds. An event's ``kind`` is its name in JSON.
"""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from stslab.kinds.own import Changed
from stslab.runner.ports import Data

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


class Event(msgspec.Struct, frozen=True):
    """Something that happened in a run."""

    @property
    def kind(self) -> str:
        """The event's name in JSON lines: ``StepStarted`` is ``step_started``."""
        return _WORD.sub("_", type(self).__name__).lower()


class CallShown(msgspec.Struct, frozen=True):
    """A call as it may be shown: who makes it, and with what (redacted) parameters."""

    identity: str
    service: str
    operation: str
    params: Data = msgspec.field(default_factory=dict)


Describe = Callable[[CallShown], str]
"""Gives the equivalent, copyable ``aws`` command line of a call."""


class StageShown(msgspec.Struct, frozen=True):
    """A stage on the lab's map. ``state`` is pending, done or current."""

    id: str
    title: str
    state: str = "pending"


class RunStarted(Event, frozen=True):
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


class Foreseen(Event, frozen=True):
    """What a run would change and read, what cleanup may call, and ``notes`` to be known before."""

    changed: tuple[Changed, ...]
    reads: tuple[str, ...]
    cleanup: tuple[str, ...]
    notes: tuple[str, ...]


class StageStarted(Event, frozen=True):
    """A stage begins. ``intro`` is Markdown; ``pages`` are (title, URL) of AWS's documentation."""

    stage: str
    title: str
    intro: str
    pages: tuple[tuple[str, str], ...]
    number: int
    of: int


class StageFinished(Event, frozen=True):
    """A stage's steps are done and its checkpoint holds (``held``), or does not."""

    stage: str
    held: bool
    seconds: float


class StepStarted(Event, frozen=True):
    """A step is about to make its call. ``why`` is its reason, if the lab tells one."""

    stage: str
    title: str
    call: CallShown
    number: int
    of: int
    why: str = ""


class StepSkipped(Event, frozen=True):
    """A step was done before, in an earlier process."""

    stage: str
    title: str


class Difference(msgspec.Struct, frozen=True):
    """In what a thing is not as its step makes it: what the step says, and what is there.

    Of a policy they are the statements that differ, as JSON.
    """

    what: str
    wanted: tuple[str, ...]
    found: tuple[str, ...]


class StepDrifted(Event, frozen=True):
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


class StepAdopted(Event, frozen=True):
    """What a step makes was made by hand, and rightly: the run takes it up, and undoes it later."""

    stage: str
    title: str


class StepDiffers(Event, frozen=True):
    """What was made by hand (``what``) is not as the step makes it: it is not taken up."""

    stage: str
    title: str
    what: str
    differences: tuple[Difference, ...]


class StepFinished(Event, frozen=True):
    """A step's call succeeded. ``shown`` are its (label, value) lines worth reading."""

    stage: str
    title: str
    shown: tuple[tuple[str, object], ...]
    saved: Mapping[str, object]
    profile: str | None
    request_id: str
    seconds: float


class StepFailed(Event, frozen=True):
    """A step's call failed where the lab needs it to succeed: what AWS said."""

    stage: str
    title: str
    call: CallShown
    code: str
    message: str
    request_id: str
    seconds: float


class Waiting(Event, frozen=True):
    """A wait goes on: for what, since when, for how long at most, and how often tried."""

    what: str
    tries: int
    elapsed: float
    limit: float


class StackProgress(Event, frozen=True):
    """One event of a CloudFormation stack, as it comes."""

    time: str
    resource: str
    type: str
    status: str
    reason: str = ""


class CheckStarted(Event, frozen=True):
    """A claim is about to be proved."""

    stage: str
    says: str
    call: CallShown | None


class CheckFinished(Event, frozen=True):
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


class UndoStarted(Event, frozen=True):
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


class UndoFinished(Event, frozen=True):
    """One thing was undone, by these calls, or was not."""

    thing: str
    calls: tuple[CallShown, ...]
    outcome: UndoOutcome
    detail: str
    seconds: float


class ThingLookedUp(Event, frozen=True):
    """The proof of cleanup: a thing was looked for. ``gone`` says whether it is."""

    thing: str
    call: CallShown | None
    gone: bool
    proof: str


class CleanupFinished(Event, frozen=True):
    """Cleanup ended. ``remaining``: (thing, the ``aws`` command that removes it)."""

    run: str
    removed: tuple[str, ...]
    remaining: tuple[tuple[str, str], ...]
    seconds: float


class RunFinished(Event, frozen=True):
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


class Notice(Event, frozen=True):
    """Something that a person should know. ``level``: info or warning."""

    level: str
    message: str
    hint: str = ""
