"""What the journal holds, as frozen values: no secret is in them, and each is sealed."""

import getpass
import hashlib
import json
import platform
import secrets
import string
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from stslab.kinds.own import Allowed
from stslab.runner.ports import ADMIN, Call, Data


def shared(source: msgspec.Struct, kind: type[msgspec.Struct]) -> dict[str, Any]:
    """What ``source`` has of the members of another kind, by name: most of one of that kind."""
    names = {*source.__struct_fields__}.intersection(kind.__struct_fields__)
    return {name: getattr(source, name) for name in names}


class RunState(StrEnum):
    """Where a run stands."""

    ACTIVE = "active"
    """It goes on, or was stopped and may go on."""
    UNDOING = "undoing"
    """Cleanup has begun and has not ended."""
    FINISHED = "finished"
    """All its stages are done and nothing is left."""
    CLEANED = "cleaned"
    """Cleanup undid it before its end; nothing is left."""
    LOST = "lost"
    """The account that it ran on is gone, and with it all that it made."""


UNFINISHED = (RunState.ACTIVE, RunState.UNDOING)


class EntryState(StrEnum):
    """What became of a call that was about to be made."""

    INTENDED = "intended"
    """No answer is known: perhaps done."""
    LOST = "lost"
    """The answer was lost: perhaps done."""
    ANSWERED = "answered"
    """It succeeded; what it began is still waited for."""
    DONE = "done"
    """It succeeded, and so did its wait."""
    FAILED = "failed"
    """It was answered, but what it began did not succeed: something is there."""
    REFUSED = "refused"
    """AWS refused it: it made nothing."""
    NOT_OURS = "not ours"
    """The thing existed before, made by someone else."""
    REPLACED = "replaced"
    """The call was made again; the later entry stands for both."""
    UNDONE = "undone"
    """It was undone."""
    NEVER_MADE = "never made"
    """It was looked for and is not there."""
    KEPT = "kept"
    """It is there, but could not be recognised as the run's own."""


PERHAPS = (EntryState.INTENDED, EntryState.LOST, EntryState.KEPT)
MADE = (EntryState.ANSWERED, EntryState.DONE, EntryState.FAILED)


class Body(msgspec.Struct, frozen=True):
    """What a record can be: one of KINDS."""


class ClaimOutline(msgspec.Struct, frozen=True):
    """A claim as a lab has it. ``proves`` is the hash of how it is asked and what must come.

    ``call`` is ``service.Operation``, or empty; ``by`` are the gates that are to refuse.
    """

    says: str
    identity: str
    call: str
    proves: str
    by: tuple[str, ...] = ()


class StageOutline(msgspec.Struct, frozen=True):
    """A stage as a lab has it."""

    id: str
    title: str
    cleanup: bool
    claims: tuple[ClaimOutline, ...]


class RunRecord(Body, frozen=True):
    """One attempt at a lab on one target. Times are ISO 8601 in UTC.

    ``caller`` is the ARN of who ``admin`` was, ``person`` the user and machine; both may be
    empty. ``instance`` tells one embedded account from the next; elsewhere it is the URL that
    stands for AWS itself, or empty. ``allowed`` is what its lab declares and the person agreed
    to. ``accounts`` are the ids of its further accounts, by the identities that administer them.
    ``profiles`` are those of which it says how they get their credentials. ``outline`` is the lab
    as it was when the run began.
    """

    id: str
    lab: str
    title: str
    path: str
    sha256: str
    target: str
    kind: str
    account: str
    region: str
    partition: str
    instance: str
    state: RunState
    started: str
    ended: str = ""
    caller: str = ""
    person: str = ""
    allowed: Allowed = msgspec.field(default_factory=Allowed)
    accounts: Mapping[str, str] = msgspec.field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    outline: tuple[StageOutline, ...] = ()


class Thing(msgspec.Struct, frozen=True):
    """Something in an account: its kind (an id of ``stslab.kinds.table``) and what names it.

    ``identity`` tells it from another that is made later with the same names; empty where that
    is not known. ``admin`` administers the account that it is in.
    """

    kind: str
    names: Mapping[str, str]
    identity: str = ""
    admin: str = ADMIN

    def same(self, other: "Thing") -> bool:
        ours, theirs = (self.kind, self.admin), (other.kind, other.admin)
        return ours == theirs and dict(self.names) == dict(other.names)


class UndoCall(msgspec.Struct, frozen=True):
    """A call that undoes a step. ``waiter`` is a botocore waiter's name, or empty."""

    identity: str
    service: str
    operation: str
    params: Data
    waiter: str = ""
    waiter_params: Data = msgspec.field(default_factory=dict)

    @property
    def call(self) -> Call:
        return Call(self.identity, self.service, self.operation, self.params)


class Intent(Body, frozen=True):
    """What is about to be called, how it is undone, and how its thing is recognised.

    ``thing`` may lack names that only the answer tells. ``replaces`` is an earlier
    perhaps-done entry, or 0.
    """

    stage: str
    step: int
    title: str
    identity: str
    service: str
    operation: str
    params: Data
    thing: Thing | None
    undo: tuple[UndoCall, ...]
    profile: str = ""
    replaces: int = 0

    @property
    def call(self) -> Call:
        return Call(self.identity, self.service, self.operation, self.params)


class Entry(msgspec.Struct, frozen=True):
    """An intent as it was journaled, and what became of it.

    ``state`` is what became of it in the end: undone or not; ``happened`` what came of the call
    itself, and ``answered`` when. Times are ISO 8601 in UTC; ``ended`` is empty where no answer
    is known.
    """

    seq: int
    run: str
    intent: Intent
    state: EntryState
    thing: Thing | None
    undo: tuple[UndoCall, ...]
    detail: str
    happened: EntryState
    request_id: str
    started: str
    answered: str
    ended: str

    @property
    def call(self) -> str:
        return f"{self.intent.service}.{self.intent.operation}"


class Result(msgspec.Struct, frozen=True):
    """What came back. ``thing`` and ``undo`` are complete now; None where nothing new is known.

    ``profile`` is (name, access key id, expiration) of credentials that were saved.
    """

    state: EntryState
    detail: str = ""
    request_id: str = ""
    thing: Thing | None = None
    undo: tuple[UndoCall, ...] | None = None
    saved: Data = msgspec.field(default_factory=dict)
    profile: tuple[str, str, str] | None = None


class SavedProfile(msgspec.Struct, frozen=True):
    """A profile that a run wrote. ``expiration`` is ISO 8601, or empty for a long-term key."""

    name: str
    access_key_id: str
    expiration: str


class How(StrEnum):
    """How somebody went through a stage."""

    PROMPT = "at the prompt"
    """Step by step, with a person at the terminal."""
    BY_NAME = "stslab step"
    """At once, by a command that names it."""
    YES = "--yes"
    """At once, and nothing was asked."""
    ALONE = "without a terminal"
    """At once, since nobody could be asked."""
    BREAK = "stslab break"
    """At once, to have a set-up to break."""
    HAND = "by hand"
    """Beside stslab, which found it done."""


class Entered(Body, frozen=True):
    """A stage was begun. ``sha256`` is of the lab, with all that it includes, as it was then."""

    stage: str
    sha256: str
    how: How


class Skipped(Body, frozen=True):
    """A person left a stage out, or the rest of it."""

    stage: str


class StageRecord(Body, frozen=True):
    """A stage whose checkpoint was tried, and when."""

    stage: str
    held: bool
    seconds: float
    at: str = ""


class CheckRecord(Body, frozen=True):
    """A claim, and how it was tried once. ``number`` counts from 0 in its stage.

    ``claim`` is as the lab had it then. ``denied``: it holds because AWS refused. ``void``: it
    says that something is gone that this run never made. ``gates`` refused, as far as that was
    told.
    """

    stage: str
    number: int
    title: str
    says: str
    claim: ClaimOutline
    held: bool
    denied: bool
    code: str
    proof: str
    request_id: str
    seconds: float
    at: str
    void: bool = False
    gates: tuple[str, ...] = ()


class Prediction(Body, frozen=True):
    """What the learner said before a check. ``said`` is their answer in words."""

    stage: str
    number: int
    concept: str
    said: str
    right: bool


class Hint(Body, frozen=True):
    """A hint that the learner took. ``grade`` counts from 0: a nudge, a pointer, the command.

    ``step`` is HINT or WHY where it is about a fault, or a refusal: ``about`` is its request.
    """

    stage: str
    step: int
    grade: int
    about: str = ""


HINT, WHY = -1, -2


class Fault(msgspec.Struct, frozen=True):
    """One change that breaks the set-up: by calls, or in a profile's credentials (``spoil``).

    ``title`` is the symptom, ``cells`` (cell, who) those of the access table that change.
    ``whose`` credentials the profile gets instead, if any.
    """

    id: str
    title: str
    after: str
    derived: bool
    change: tuple[Call, ...] = ()
    fix: tuple[Call, ...] = ()
    hints: tuple[str, ...] = ()
    profile: str = ""
    spoil: str = ""
    whose: str = ""
    cells: tuple[tuple[str, str], ...] = ()


class FaultState(StrEnum):
    """How far a learner is with a fault."""

    CHOSEN = "chosen"
    """The set-up is being made."""
    PLANTING = "planting"
    PLANTED = "planted"
    FIXED = "fixed"


class Broken(Body, frozen=True):
    """The run's fault, and how far it is. ``asked`` are the flags that chose it.

    ``gate``, ``where`` and ``advice`` tell what is wrong. ``opened``: more than before was open.
    ``tries`` is how often somebody changed something, ``solved``: stslab fixed it. ``at`` is when
    it was planted, or when it came so far before that.
    """

    fault: Fault
    state: FaultState
    asked: str
    gate: str = ""
    where: str = ""
    advice: str = ""
    opened: bool = False
    at: str = ""
    tries: int = 0
    solved: bool = False


class Marked(Body, frozen=True):
    """Where the run stands from now on."""

    state: RunState


class Outcome(Body, frozen=True):
    """What became of the call whose intent has this number."""

    entry: int
    result: Result


class Found(Body, frozen=True):
    """What else a call made."""

    entry: int
    thing: Thing


class Forgot(Body, frozen=True):
    """A profile that is out of the files."""

    profile: str


KINDS: Mapping[str, type[Body]] = {
    "begun": RunRecord,
    "marked": Marked,
    "intent": Intent,
    "outcome": Outcome,
    "found": Found,
    "forgot": Forgot,
    "entered": Entered,
    "skipped": Skipped,
    "stage": StageRecord,
    "check": CheckRecord,
    "prediction": Prediction,
    "hint": Hint,
    "broken": Broken,
}
"""What a record can be, by the word that the journal has for it."""


class Record(msgspec.Struct, frozen=True):
    """One record of a run. ``number`` counts from 1; ``at`` is ISO 8601 in UTC."""

    number: int
    at: str
    body: Body


# -- what makes the names of a run's things its own; and who runs it ---------------------------

LENGTH = 8
_FIRST = string.ascii_lowercase
_REST = string.ascii_lowercase + string.digits


def new_run_id() -> str:
    """Eight lower-case letters and digits (40 bits of chance): valid in any name of AWS's."""
    rest = (secrets.choice(_REST) for _ in range(LENGTH - 1))
    return secrets.choice(_FIRST) + "".join(rest)


def person() -> str:
    """The user and the machine, for reports; what can't be told is left out."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # no name in the environment, nor for this user's number
        user = ""
    return "@".join(filter(None, [user, platform.node()]))


# Each record is sealed together with the one before it: what was changed, left out or put in
# afterwards breaks the chain, unless whoever did it made all that follows anew.


class Link(NamedTuple):
    """A record as it is kept: ``body`` is JSON, ``seal`` the hash of all this and the one before.

    ``number`` counts from 1 in its run.
    """

    number: int
    kind: str
    at: str
    body: str
    seal: str


def sealed(*parts: object) -> str:
    """The seal (SHA-256, in hex) of (run, the seal before it, number, kind, at, body)."""
    text = json.dumps(parts, ensure_ascii=False, default=repr)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def first_broken(run: str, links: Iterable[Link]) -> int | None:
    """The number of the first record that is not as it was written; None where all are."""
    before = ""
    for number, link in enumerate(links, 1):
        if link.number != number or link.seal != sealed(run, before, *link[:4]):
            return number
        before = link.seal
    return None
