"""Takes one journaled call back: reads only the journal, and looks before it deletes.

A call whose answer is known is undone as the journal says. One that is perhaps done is
looked for first, and only what is recognised as the run's own is removed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stslab.errors import RunError
from stslab.kinds.creations import creation_of
from stslab.kinds.kind import is_gone, search
from stslab.kinds.table import KINDS
from stslab.runner.calls.look import Lookout, can_be_listed, complete, label
from stslab.runner.calls.patience import Verdict
from stslab.runner.calls.work import Work
from stslab.runner.events import CallShown
from stslab.runner.journal.records import PERHAPS, Entry, EntryState, Result, Thing, UndoCall
from stslab.runner.ports import Answer, Lost, Outcome, Refusal
from stslab.runner.run.prepare import is_resolved
from stslab.runner.undo.remove import Remover, removal_of

_APPEARS_SECONDS = 15.0
_STATES = {
    "undone": EntryState.UNDONE,
    "was gone": EntryState.UNDONE,
    "never made": EntryState.NEVER_MADE,
    "kept": EntryState.KEPT,
    "not ours": EntryState.NOT_OURS,
}


@dataclass(frozen=True, slots=True)
class Taken:
    """How it ended: undone, was gone, never made, kept, not ours, or failed; and why."""

    outcome: str
    detail: str = ""
    calls: tuple[CallShown, ...] = ()


class TakeBack:
    """Takes calls back, for one run."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._remover = Remover(work)
        self._lookout = Lookout(work)

    def entry(self, entry: Entry) -> Taken:
        """Take one call back, and journal how that ended (a failure leaves it as it was)."""
        taken = self._perhaps(entry) if entry.state in PERHAPS else self._undone(entry, entry.undo)
        state = _STATES.get(taken.outcome)
        if state:
            detail = self._work.calls.clean_text(taken.detail)
            self._work.journal.conclude(self._work.run.id, entry.seq, Result(state, detail))
        return taken

    def is_there(self, thing: Thing) -> bool | None:
        """Whether a thing is there that was perhaps made just now; None where it can't be told.

        Where changes take time to show, it is looked for more than once.
        """
        patient = self._work.account.target.eventually_consistent
        limit = _APPEARS_SECONDS if patient else 0.0

        def judge(there: bool | None) -> Verdict:
            return Verdict(0.0 if there else limit, f"{label(thing)} to show")

        look = self._work.calls.patience.until
        return look(lambda: self._lookout.look(thing).there, judge)

    def discovered(self, entry: Entry) -> tuple[Thing, ...]:
        """The things that a perhaps-done call may have made, where only its answer names them.

        They are what is there now, on a thing of the run's, and was made by no other call.

        Raises:
            RunError: what is there can't be listed.
        """
        creation, thing = creation_of(entry.call, entry.intent.params), entry.thing
        if not (creation and creation.discover and thing and can_be_listed(thing)):
            return ()
        outcome = self._work.calls.read(entry.intent.service, *_listing(thing))
        listed = _listed(thing, outcome)
        ids = search(creation.discover, listed) or []
        known = self._ids_made(creation.discovered, entry)
        return tuple(
            Thing(thing.kind, {**thing.names, creation.discovered: str(one)})
            for one in ids
            if one not in known
        )

    def _ids_made(self, name: str, entry: Entry) -> set[str]:
        others = [one for one in self._work.journal.entries(entry.run) if one.seq != entry.seq]
        return {one.thing.names[name] for one in others if one.thing and name in one.thing.names}

    def _perhaps(self, entry: Entry) -> Taken:
        if entry.thing and KINDS[entry.thing.kind].put:  # what was there before is put back
            return self._undone(entry, entry.undo)
        if entry.thing and complete(entry.thing):
            return self._if_ours(entry, entry.thing)
        found = self.discovered(entry)
        if found:
            return self._undone(entry, tuple(map(removal_of, found)))
        if entry.thing and can_be_listed(entry.thing):
            return Taken("never made", "it is not there")
        return self._unknown(entry)

    def _if_ours(self, entry: Entry, thing: Thing) -> Taken:
        there = self.is_there(thing)
        if there is None:
            return Taken("failed", "it could not be looked up")
        if not there:
            return Taken("never made", "it is not there")
        if not self._lookout.is_ours(self._lookout.look(thing)):
            return Taken("not ours", "it does not carry this run's tag or id")
        calls = entry.undo if is_resolved(entry.undo) else (removal_of(thing),)
        return self._undone(entry, calls)

    def _unknown(self, entry: Entry) -> Taken:
        """A kind that is not known: undone only if the undo itself names the run."""
        named = is_resolved(entry.undo) and self._work.run.id in str(
            [call.params for call in entry.undo]
        )
        if named:
            return self._undone(entry, entry.undo)
        return Taken("kept", "nothing tells whether it was made, or whether it is the run's own")

    def _undone(self, entry: Entry, calls: tuple[UndoCall, ...]) -> Taken:
        """Make the undo calls, all of them although one failed."""
        results = [self._remover.undo(call, entry.seq) for call in calls]
        bad = [result for result in results if result.failed]
        shown = tuple(map(self._shown, calls))
        if bad:
            return Taken("failed", self._work.calls.clean_text(bad[0].detail), shown)
        others = [result for result in results if result.outcome == "not ours"]
        if others:
            return Taken("not ours", others[0].detail, shown)
        gone = bool(results) and all(result.outcome == "was gone" for result in results)
        return Taken("was gone" if gone else "undone", "", shown)

    def _shown(self, call: UndoCall) -> CallShown:
        return self._work.calls.shown(call.identity, call.service, call.operation, call.params)


def _listed(thing: Thing, outcome: Outcome) -> Mapping[str, Any]:
    """What a listing answered; nothing where what it hangs on is gone."""
    if isinstance(outcome, Answer):
        return outcome.data
    if isinstance(outcome, Refusal) and is_gone(KINDS[thing.kind].service, outcome):
        return {}
    reason = outcome.reason if isinstance(outcome, Lost) else outcome.code
    raise RunError(f"What is there could not be listed ({reason}).", "Try again.")


def _listing(thing: Thing) -> tuple[str, dict[str, str]]:
    kind = KINDS[thing.kind]
    return kind.look, {name: thing.names[name] for name in kind.look_names}
