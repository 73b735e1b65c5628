"""The journal's records: frozen values without secrets, each with a seal."""

import json
import platform
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from stslab.kinds.own import Allowed
from stslab.runner.ports import Call, Data
from stslab.vocabulary import ADMIN

if TYPE_CHECKING:
    from stslab.kinds.table import Kind


def shared(source: msgspec.Struct, kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The members of ``source`` that ``kind`` has too, by name."""
    names = {*source.__struct_fields__}.intersection(kind.__struct_fields__)
    return {name: getattr(source, name) for name in names}


class RunState(StrEnum):
    ACTIVE = "active"  # it can continue
    UNDOING = "undoing"  # cleanup has begun and has not ended
    FINISHED = "finished"  # all its stages are done and nothing is left
    CLEANED = "cleaned"  # it was cleaned up before its end; nothing is left
    LOST = "lost"  # its account is gone with everything in it


UNFINISHED = (RunState.ACTIVE, RunState.UNDOING)


class EntryState(StrEnum):
    INTENDED = "intended"  # no answer is known: it may have taken effect
    LOST = "lost"  # the answer was lost: it may have taken effect
    ANSWERED = "answered"  # it succeeded, and its wait has not ended
    DONE = "done"  # it succeeded, and so did its wait
    FAILED = "failed"  # it succeeded, but its wait failed: something exists
    REFUSED = "refused"  # AWS refused it: it made nothing
    NOT_OURS = "not ours"  # the thing existed before, made by someone else
    REPLACED = "replaced"  # the call was made again; the later entry covers both
    UNDONE = "undone"
    NEVER_MADE = "never made"  # it was looked up and does not exist
    KEPT = "kept"  # it exists, but could not be recognised as the run's own


PERHAPS = (EntryState.INTENDED, EntryState.LOST, EntryState.KEPT)
MADE = (EntryState.ANSWERED, EntryState.DONE, EntryState.FAILED)
REMAINS = (*MADE, *PERHAPS)  # what it made is not known to be gone


class Body(msgspec.Struct, frozen=True):
    """What a record holds: one of BODIES."""


class ClaimOutline(msgspec.Struct, frozen=True):
    says: str
    identity: str
    call: str  # ``service.Operation``, or empty
    proves: str  # the hash of the call and its expected answer
    by: tuple[str, ...] = ()  # the gates that should refuse


class StageOutline(msgspec.Struct, frozen=True):
    id: str
    title: str
    cleanup: bool
    claims: tuple[ClaimOutline, ...]


class RunRecord(Body, frozen=True):
    """One attempt at a lab on one target. Times are ISO 8601 in UTC."""

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
    instance: str  # as in ``ports.TargetInfo``
    state: RunState
    started: str
    ended: str = ""
    caller: str = ""  # the ARN of ``admin``, if known
    person: str = ""  # the user and the machine, if known
    allowed: Allowed = Allowed()  # what the lab declares and the person agreed to
    accounts: Mapping[str, str] = {}  # further accounts, by the identity that calls there
    flags: str = ""  # those that select its target in commands, if known
    profiles: tuple[str, ...] = ()  # those with settings in the lab
    outline: tuple[StageOutline, ...] = ()  # the lab when the run began


def _kinds() -> "Mapping[str, Kind]":
    """The kinds of things. To read a journal needs none of them, so they are imported late."""
    from stslab.kinds.table import KINDS

    return KINDS


class Thing(msgspec.Struct, frozen=True):
    kind: str  # an id of ``stslab.kinds.table``
    names: Mapping[str, str]
    identity: str = ""  # distinguishes it from a later thing of these names; empty if unknown
    admin: str = ADMIN  # administers its account

    @property
    def label(self) -> str:
        kind, names = _kinds().get(self.kind), self.names
        return kind.label(names) if kind else f"{self.kind} {', '.join(names.values())}"

    @property
    def complete(self) -> bool:
        """Whether all its names are known."""
        kind = _kinds().get(self.kind)
        return kind is not None and all(self.names.get(name) for name in kind.names)

    @property
    def parent(self) -> "Thing | None":
        """The thing that it belongs to; None if its kind has none, or its names do not say it."""
        kind = _kinds()[self.kind]
        if not kind.parent or not set(kind.parent_names) <= self.names.keys():
            return None
        names = {name: self.names[name] for name in kind.parent_names}
        return Thing(kind.parent, names, admin=self.admin)

    def call(self, operation: str, names: Iterable[str]) -> Call:
        """A call as its account's administrator, with these of its names as parameters."""
        params = {name: self.names[name] for name in names}
        return Call(self.admin, _kinds()[self.kind].service, operation, params)

    @property
    def lookup(self) -> Call:
        kind = _kinds()[self.kind]
        return self.call(kind.look, kind.look_names)

    @property
    def removal(self) -> "UndoCall":
        remove = _kinds()[self.kind].remove
        return UndoCall(**shared(self.call(remove.operation, remove.names), UndoCall))

    def same(self, other: "Thing") -> bool:
        return (self.kind, self.admin, self.names) == (other.kind, other.admin, other.names)

    def is_among(self, others: "Iterable[Thing]") -> bool:
        return any(self.same(other) for other in others)


class UndoCall(Call, frozen=True, kw_only=True):
    waiter: str = ""  # botocore's name of it
    waiter_params: Data = msgspec.field(default_factory=dict)


class Intent(Body, frozen=True):
    """A call that is about to be made."""

    stage: str
    step: int
    title: str
    identity: str
    service: str
    operation: str
    params: Data
    thing: Thing | None  # it may lack names that only the answer has
    undo: tuple[UndoCall, ...]
    profile: str = ""
    replaces: int = 0  # the number of an earlier entry that may have taken effect

    @property
    def call(self) -> Call:
        return Call(self.identity, self.service, self.operation, self.params)


class Entry(msgspec.Struct, frozen=True):
    """A journaled intent and its outcome. Times are ISO 8601 in UTC."""

    seq: int
    intent: Intent
    thing: Thing | None
    undo: tuple[UndoCall, ...]
    started: str
    state: EntryState = EntryState.INTENDED  # the latest, undone or not
    happened: EntryState = EntryState.INTENDED  # the state after the call itself, at ``answered``
    request_id: str = ""
    answered: str = ""
    ended: str = ""  # empty if no answer is known

    @property
    def call(self) -> str:
        return f"{self.intent.service}.{self.intent.operation}"


class SavedProfile(msgspec.Struct, frozen=True, array_like=True):
    name: str
    access_key_id: str
    expiration: str  # ISO 8601; empty for a long-term key


class Result(msgspec.Struct, frozen=True):
    state: EntryState
    detail: str = ""
    request_id: str = ""
    thing: Thing | None = None  # completed from the answer; None if nothing is new
    undo: tuple[UndoCall, ...] | None = None  # as ``thing``
    saved: Data = msgspec.field(default_factory=dict)
    profile: SavedProfile | None = None  # of saved credentials


class How(StrEnum):
    PROMPT = "at the prompt"  # step by step, with a person at the terminal
    BY_NAME = "stslab step"  # at once, by a command that names it
    YES = "--yes"  # at once, without questions
    ALONE = "without a terminal"  # at once, since there was nobody to ask
    BREAK = "stslab break"  # at once, to have a set-up to break
    HAND = "by hand"  # outside stslab, which found it done


class Entered(Body, frozen=True):
    stage: str
    sha256: str  # of the lab with its included files at that time
    how: How


class Skipped(Body, frozen=True):
    """The learner skipped a stage, or the rest of it."""

    stage: str


class StageRecord(Body, frozen=True):
    stage: str
    held: bool
    seconds: float


class CheckRecord(Body, frozen=True):
    stage: str
    number: int  # from 0, in the stage
    title: str
    says: str
    claim: ClaimOutline  # the lab's at that time
    held: bool
    denied: bool  # it holds because AWS refused
    code: str
    proof: str
    request_id: str
    seconds: float
    at: str
    void: bool = False  # it is about a thing that this run never made
    gates: tuple[str, ...] = ()  # the known gates that refused


class Prediction(Body, frozen=True):
    stage: str
    number: int
    concept: str
    said: str  # the learner's answer in words
    right: bool


class Hint(Body, frozen=True):
    stage: str
    step: int  # HINT for a fault, WHY for a refused request
    grade: int  # from 0: a nudge, a pointer, the command
    about: str = ""  # the id of the refused request


HINT, WHY = -1, -2


class RunFault(msgspec.Struct, frozen=True):
    """One change that breaks the set-up: by calls, or in a profile's credentials."""

    id: str
    title: str  # the symptom
    after: str
    derived: bool
    change: tuple[Call, ...] = ()
    fix: tuple[Call, ...] = ()
    hints: tuple[str, ...] = ()
    profile: str = ""
    spoil: str = ""  # what is wrong in the credentials
    whose: str = ""  # the profile whose credentials replace this one's, if any
    cells: tuple[tuple[str, str], ...] = ()  # cell and identity, in the access table


class FaultState(StrEnum):
    CHOSEN = "chosen"  # the set-up is being made
    PLANTING = "planting"
    PLANTED = "planted"
    FIXED = "fixed"


class Broken(Body, frozen=True):
    fault: RunFault
    state: FaultState
    asked: str  # the flags that chose it
    gate: str = ""  # this and the next two say what is wrong
    where: str = ""
    advice: str = ""
    opened: bool = False  # a fix allowed too much
    at: str = ""  # when it was planted, or the time of an earlier state
    tries: int = 0  # the learner's changes
    solved: bool = False  # stslab fixed it


class Marked(Body, frozen=True):
    state: RunState  # the run's new one
    target: str = ""  # the run's new one, if it was imported


class Concluded(Body, frozen=True):
    entry: int  # the number of the call's intent
    result: Result


class Found(Body, frozen=True):
    """A further thing that a call made."""

    entry: int  # the number of the call's intent
    thing: Thing


class Forgot(Body, frozen=True):
    profile: str  # was removed from the files


BODIES: Mapping[str, type[Body]] = {
    "begun": RunRecord,
    "marked": Marked,
    "intent": Intent,
    "outcome": Concluded,
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
"""The bodies of records, by their names in the journal."""


class Record(msgspec.Struct, frozen=True):
    number: int  # from 1, in its run
    at: str  # ISO 8601 in UTC
    body: Body


LENGTH = 8  # of a run's id


def new_run_id() -> str:
    """Eight random lower-case letters and digits (40 bits), valid in all AWS names."""
    import secrets
    from string import ascii_lowercase, digits

    first, rest = ascii_lowercase, ascii_lowercase + digits
    return secrets.choice(first) + "".join(secrets.choice(rest) for _ in range(LENGTH - 1))


def person() -> str:
    """The user and the machine, for reports, as far as they are known."""
    import getpass

    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # no name in the environment, nor for this user id
        user = ""
    return "@".join(filter(None, [user, platform.node()]))


# Each record is sealed together with the one before it. A later change, omission or insertion
# breaks the chain, unless all following records are written again.


class Link(NamedTuple):
    """A record as it is stored."""

    number: int  # from 1, in its run
    kind: str
    at: str
    body: str  # JSON
    seal: str  # a hash of the record, and of the seal before it


def sealed(*parts: object) -> str:
    """The seal (SHA-256, in hex) of (run, the seal before it, number, kind, at, body)."""
    import hashlib

    text = json.dumps(parts, ensure_ascii=False, default=repr)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def first_broken(run: str, links: Iterable[Link], free: Iterable[str] = ()) -> int | None:
    """The number of the first record that was changed, if it is not of the kinds in ``free``."""
    before = ""
    for number, link in enumerate(links, 1):
        kinds = BODIES if link.kind in free else [link.kind]  # which may not have been its own
        seals = {sealed(run, before, number, kind, link.at, link.body): kind for kind in kinds}
        was = seals.get(link.seal, link.kind if link.kind in free else None)
        if (link.number, link.kind) != (number, was):
            return number
        before = link.seal
    return None
