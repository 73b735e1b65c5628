"""Undoes one journaled call: reads only the journal, and looks before it deletes.

A call whose answer is known is undone as the journal says. One that is perhaps done is
looked for first, and only what is recognised as the run's own is removed.
"""

from msgspec.structs import replace

from stslab.errors import RunError
from stslab.kinds.table import KINDS, creation_of, is_gone, search
from stslab.runner.calls.look import complete, is_ours, label, look, read_of
from stslab.runner.calls.patience import Verdict
from stslab.runner.calls.work import Work
from stslab.runner.events import UndoOutcome
from stslab.runner.journal.records import PERHAPS, Entry, EntryState, Result, Thing, UndoCall
from stslab.runner.ports import Answer, Data, Lost, Refusal
from stslab.runner.undo.removal import Undone, failed, removal_of, remove
from stslab.structures import texts

_APPEARS_SECONDS = 15.0
_STATES = {
    UndoOutcome.UNDONE: EntryState.UNDONE,
    UndoOutcome.WAS_GONE: EntryState.UNDONE,
    UndoOutcome.NEVER_MADE: EntryState.NEVER_MADE,
    UndoOutcome.KEPT: EntryState.KEPT,
    UndoOutcome.NOT_OURS: EntryState.NOT_OURS,
}


def undo(work: Work, entry: Entry) -> Undone:
    """Undo one call, and journal how that ended (a failure leaves it as it was)."""
    undone = _perhaps(work, entry) if entry.state in PERHAPS else _undo(work, entry, entry.undo)
    state = _STATES.get(undone.outcome)
    if state:
        work.conclude(entry.seq, Result(state, work.calls.clean_text(undone.detail)))
    return undone


def is_there(work: Work, thing: Thing) -> bool | None:
    """Whether a thing is there that was perhaps made just now; None where it can't be told.

    Where changes take time to show, it is looked for more than once.
    """
    limit = _APPEARS_SECONDS if work.calls.target.eventually_consistent else 0.0

    def judge(there: bool | None) -> Verdict:
        return Verdict(0.0 if there else limit, f"{label(thing)} to show")

    return work.calls.patience.until(lambda: look(work, thing).there, judge)


def discovered(work: Work, entry: Entry) -> tuple[Thing, ...]:
    """The things that a perhaps-done call may have made, where only its answer names them.

    They are what is there now, on a thing of the run's, and was made by no other call.

    Raises:
        RunError: what is there can't be listed.
    """
    creation, thing = creation_of(entry.call, entry.intent.params), entry.thing
    if not (creation and creation.discover and thing and _can_be_listed(thing)):
        return ()
    name, others = creation.discovered, (one for one in work.entries() if one.seq != entry.seq)
    known = {one.thing.names.get(name) for one in others if one.thing}
    ids = search(creation.discover, _listed(work, thing)) or []
    every = (replace(thing, names={**thing.names, name: str(one)}) for one in ids)
    return tuple(one for one in every if one.names[name] not in known)


def is_resolved(undo: tuple[UndoCall, ...]) -> bool:
    """Whether an undo has all that it needs: its parameters refer to nothing unknown."""
    return not any("${{" in text for call in undo for text in texts(call.params))


def _perhaps(work: Work, entry: Entry) -> Undone:
    thing = entry.thing
    if thing and KINDS[thing.kind].put:  # what was there before is put back
        return _undo(work, entry, entry.undo)
    if thing and complete(thing):
        return _if_ours(work, entry, thing)
    found = discovered(work, entry)
    if found:
        return _undo(work, entry, tuple(map(removal_of, found)))
    if thing and _can_be_listed(thing):
        return Undone(UndoOutcome.NEVER_MADE, "it is not there")
    # A kind that is not known: undone only if the undo itself names the run.
    if is_resolved(entry.undo) and work.run.id in str([call.params for call in entry.undo]):
        return _undo(work, entry, entry.undo)
    why = "nothing tells whether it was made, or whether it is the run's own"
    return Undone(UndoOutcome.KEPT, why)


def _if_ours(work: Work, entry: Entry, thing: Thing) -> Undone:
    there = is_there(work, thing)
    if there is None:
        return failed("it could not be looked up")
    if not there:
        return Undone(UndoOutcome.NEVER_MADE, "it is not there")
    if not is_ours(work, look(work, thing)):
        return Undone(UndoOutcome.NOT_OURS, "it does not carry this run's tag or id")
    return _undo(work, entry, entry.undo if is_resolved(entry.undo) else (removal_of(thing),))


def _undo(work: Work, entry: Entry, calls: tuple[UndoCall, ...]) -> Undone:
    """Make the undo calls, all of them although one failed; the worst says how it ended."""
    results = [remove(work, call, entry.seq) for call in calls]
    shown = tuple(work.calls.shown(call.call) for call in calls)
    for worst in (UndoOutcome.FAILED, UndoOutcome.NOT_OURS, UndoOutcome.UNDONE):
        for one in results:
            if one.outcome is worst:
                return replace(one, detail=work.calls.clean_text(one.detail), calls=shown)
    return Undone(UndoOutcome.WAS_GONE if results else UndoOutcome.UNDONE, "", shown)


def _listed(work: Work, thing: Thing) -> Data:
    """What a listing answers; nothing where what it hangs on is gone."""
    outcome = work.calls.make(read_of(thing))
    if isinstance(outcome, Answer):
        return outcome.data
    if isinstance(outcome, Refusal) and is_gone(
        KINDS[thing.kind].service, outcome.code, outcome.message
    ):
        return {}
    reason = outcome.reason if isinstance(outcome, Lost) else outcome.code
    raise RunError(f"What is there could not be listed ({reason}).", "Try again.")


def _can_be_listed(thing: Thing) -> bool:
    """Whether enough of its names are known to list its kind."""
    return set(KINDS[thing.kind].look_names) <= thing.names.keys()
