"""Traces: the records that a learner changed by hand in a run, and how they were before.

A run has an access key that no listing shows. Changes made with it, or with keys that were made
with it, belong to the run and can be undone.
"""

from types import NoneType
from typing import Annotated

import msgspec

from stslab.sandbox.state import snapshot
from stslab.sandbox.state.snapshot import Address, Record, Snapshot, Transaction, View, stored
from stslab.sandbox.state.stacks import Stack

_NEVER = frozenset({"settings", "run", "trace"})


@stored("run", "run")
class Run(Record, frozen=True, kw_only=True):
    """A run that a learner works in."""

    account: str = ""
    run: str
    turn: int  # the highest is that of the run that was used last
    keys: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]  # their ids, its own key first


@stored("trace")
class Trace(Record, frozen=True, kw_only=True):
    """One record that a run changed by hand."""

    account: str = ""
    run: str
    of: Address
    was: str  # the text of the record before the first change; empty if there was none
    left: str  # the same after the last change
    by: str = ""  # the access key that made the last change

    def __post_init__(self) -> None:  # raises ValueError if it can't be read
        read(self.was)
        read(self.left)

    @property
    def key(self) -> str:
        """The run and the address of the record."""
        return "/".join((self.run, *self.of))


def runs(view: View) -> list[Run]:
    """The runs that learners work in, the last used one first."""
    return sorted(view.all(Run, ""), key=lambda one: -one.turn)


def traces(view: View, run: str) -> list[Trace]:
    return [one for one in view.all(Trace, "") if one.run == run]


def note(before: Snapshot, tx: Transaction) -> None:
    """Record the changes of a transaction for the run that they belong to."""
    known = runs(before)
    if not known or any(address[0] == Trace.table for address in tx.changes):
        return  # there is no run, or it is being undone
    for address, record in tuple(tx.changes.items()):
        run = address[0] not in _NEVER and _run(before, tx.by or _worker(before, record))
        if not (run or tx.by):  # nobody asked for it: the time when a key was used
            run = next((one.run for one in known if _traced(before, one.run, address)), "")
        if run:
            trace = _traced(before, run, address)
            first = trace.was if trace else _text(before.record(address))
            tx.put(Trace(run=run, of=address, was=first, left=_text(record), by=tx.by))


def _traced(view: View, run: str, address: Address) -> Trace | None:
    return view.get(Trace, "", "/".join((run, *address)))


def read(text: str) -> Record | None:
    """The record in the text of a trace; None for an empty text."""
    table, _, json = text.partition(" ")
    kind = snapshot.TABLES.get(table, NoneType)  # refuses the record of an unknown table
    return msgspec.json.decode(json, type=kind) if text else None


def past(view: View) -> Snapshot:
    """The records that were changed by hand, as they were before."""
    return Snapshot.of(filter(None, (read(one.was) for one in view.all(Trace, ""))))


def _text(record: Record | None) -> str:
    return f"{record.table} {msgspec.json.encode(record).decode()}" if record else ""


def _worker(view: View, record: Record | None) -> str:
    """The access key in whose name the stack of a record is worked on."""
    stack = view.get(Stack, record.account, getattr(record, "stack_id", "")) if record else None
    return stack.caller_key if stack else ""


def _run(view: View, key: str) -> str:
    """The run that owns an access key, or that made it; or empty."""
    for one in runs(view) if key else ():
        if key in one.keys or any(trace.of[2] == key for trace in traces(view, one.run)):
            return one.run
    return ""
