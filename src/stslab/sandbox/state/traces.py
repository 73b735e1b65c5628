"""What a learner did by hand in a run: which records it changed, and how they were before.

A run has an access key of the administrator that no listing shows. What is changed with it, or
with keys that came of it, is the run's, and can be put back as it was.
"""

from typing import ClassVar

import msgspec

from stslab.sandbox.state.snapshot import TABLES, Address, Record, Snapshot, Transaction, View
from stslab.sandbox.state.stacks import Stack

_NEVER = frozenset({"settings", "run", "trace"})


class Run(Record, frozen=True, kw_only=True):
    """A run that a learner works in. ``keys`` are the ids of its keys: its own comes first.

    ``turn`` counts: the run that was worked in last has the highest.
    """

    table: ClassVar[str] = "run"
    keyed_by: ClassVar[str] = "run"

    account: str = ""
    run: str
    turn: int
    keys: tuple[str, ...]


class Trace(Record, frozen=True, kw_only=True):
    """One record that a run changed by hand.

    ``was`` is the record before the first change, ``left`` after the last, as JSON; empty where
    there was none. ``by`` is the key that the last was made with.
    """

    table: ClassVar[str] = "trace"

    account: str = ""
    run: str
    of: tuple[str, str, str]
    was: str
    left: str
    by: str = ""

    @property
    def key(self) -> str:
        """The run, and the address of the record."""
        return "/".join((self.run, *self.of))


def runs(view: View) -> list[Run]:
    """The runs that are worked in, that of the last turn first."""
    return sorted(view.all(Run, ""), key=lambda one: -one.turn)


def traces(view: View, run: str) -> list[Trace]:
    return [one for one in view.all(Trace, "") if one.run == run]


def note(before: Snapshot, tx: Transaction) -> None:
    """Note what this transaction changes, for the run whose learner made it.

    What nobody asked for goes on from what somebody did: a stack's work, when a key was used.
    """
    known = runs(before)
    if not known or any(address[0] == Trace.table for address in tx.changes):
        return  # nobody works in a run, or it is being undone
    for address, record in tuple(tx.changes.items()):
        run = address[0] not in _NEVER and _run(before, tx.by or _worker(before, record))
        if not (run or tx.by):
            run = next((one.run for one in known if _traced(before, one.run, address)), "")
        if run:
            trace = _traced(before, run, address)
            first = trace.was if trace else _text(before.record(address))
            tx.put(Trace(run=run, of=address, was=first, left=_text(record), by=tx.by))


def _traced(view: View, run: str, address: Address) -> Trace | None:
    return view.get(Trace, "", "/".join((run, *address)))


def read(text: str) -> Record | None:
    """A record as a trace has it."""
    if not text:
        return None
    table, _, json = text.partition(" ")
    return msgspec.json.decode(json, type=TABLES[table])


def past(view: View) -> Snapshot:
    """The records as they were before they were changed by hand."""
    found = (read(one.was) for one in view.all(Trace, ""))
    return Snapshot.of(one for one in found if one)


def _text(record: Record | None) -> str:
    return f"{record.table} {msgspec.json.encode(record).decode()}" if record else ""


def _worker(view: View, record: Record | None) -> str:
    """The key in whose name the work on a stack goes on."""
    stack = view.get(Stack, record.account, getattr(record, "stack_id", "")) if record else None
    return stack.caller_key if stack else ""


def _run(view: View, key: str) -> str:
    """The run that a key belongs to: it is the run's, or was made with one that is."""
    if not key:
        return ""
    for one in runs(view):
        made = any(trace.of[2] == key for trace in traces(view, one.run))
        if key in one.keys or made:
            return one.run
    return ""
