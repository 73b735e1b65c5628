"""Undoes a whole run, from the journal alone, and proves that nothing is left."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from stslab.errors import JournalError, NotOwn, RunError, UndoIncomplete
from stslab.lab.embedded import GIVES_TOKEN
from stslab.runner.calls.calls import Calls
from stslab.runner.calls.look import complete
from stslab.runner.calls.work import Pin, Work, pinned
from stslab.runner.events import (
    CallShown,
    CleanupFinished,
    Describe,
    Event,
    Notice,
    UndoFinished,
    UndoOutcome,
    UndoStarted,
)
from stslab.runner.journal.records import MADE, PERHAPS, Entry, Forgot, Marked, RunState, Thing
from stslab.runner.journal.store import Journal
from stslab.runner.ports import Account, Clock, Hand, Profiles
from stslab.runner.undo.proof import left_of, name, undo_by_hand
from stslab.runner.undo.undo import Undone, children, failed, undo

_BY_HAND = " (changed by hand)"
_KEPT = "# You made or changed it, and somebody else changed it since. It is left as it is."
_FIX = (
    "Fix what kept it and run `stslab cleanup` again. Or remove it by hand with the commands"
    ' above; `eval "$(stslab env)"` sets up the profile that they use.'
)
_REMOVED = (UndoOutcome.UNDONE, UndoOutcome.WAS_GONE)


class Planned(msgspec.Struct, frozen=True):
    """One thing that cleanup will undo, with which calls.

    ``extras`` is what else hangs on it and goes with it. ``perhaps``: it is looked for
    first, since no answer of the call that makes it is known.
    """

    thing: str
    calls: tuple[CallShown, ...]
    perhaps: bool
    extras: tuple[str, ...] = ()


class Cleanup:
    """Undoes runs. ``describe`` gives the ``aws`` command of a call, for what remains.

    Each method raises JournalError for a run that is not there.
    """

    def __init__(
        self,
        journal: Journal,
        account: Account,
        profiles: Profiles,
        emit: Callable[[Event], None],
        clock: Clock | None = None,
        *,
        describe: Describe,
        hand: Hand | None = None,
    ) -> None:
        self._journal = journal
        self._describe = describe
        self._calls = Calls(account, profiles, emit, clock or Clock(), hand)

    def plan(self, run_id: str, *, extras: bool = False) -> tuple[Planned, ...]:
        """What will be undone, in order. ``extras``: look in the account what goes with it."""
        work, entries = self._work(run_id), self._undoable(run_id)
        owned = [thing for entry in entries for thing in work.things_of(entry)]
        planned = []
        for entry in entries:
            calls = tuple(work.calls.shown(one.call) for one in entry.undo)
            more = tuple(_extras(work, entry, owned)) if extras else ()
            planned.append(Planned(name(entry), calls, entry.state in PERHAPS, more))
        by_hand = work.calls.hand.look(run_id, _own(work)).restored
        return (*planned, *(Planned(f"{one}{_BY_HAND}", (), perhaps=False) for one in by_hand))

    def left(self, run_id: str) -> tuple[tuple[str, str], ...]:
        """What would be undone now, each thing with the command that removes it by hand."""
        work, entries = self._work(run_id), self._undoable(run_id)
        by_hand = work.calls.hand.look(run_id, _own(work)).restored
        return (
            *((name(one), undo_by_hand(work, one, self._describe)) for one in entries),
            *((f"{one}{_BY_HAND}", "stslab cleanup") for one in by_hand),
        )

    def run(self, run_id: str) -> tuple[str, ...]:
        """Undo the run, prove that nothing is left, and end it; what was removed.

        Raises:
            UndoIncomplete: something is left, all of it listed.
            CredentialsError: the credentials are for another account, or can't be used.
        """
        removed = self.undo(run_id)
        run = self._journal.run(run_id)
        if run and run.state is not RunState.LOST:
            self.end(run_id, RunState.CLEANED)
        return removed

    def undo(self, run_id: str) -> tuple[str, ...]:
        """Undo the run and prove it, but do not end it, nor its profiles. Raises as :meth:`run`."""
        work, emit = self._work(run_id), self._calls.emit
        if pinned(work.run, self._calls.target) is Pin.GONE:
            self.end(run_id, RunState.LOST)
            emit(Notice("info", f"The account of run {run_id} is gone, and all in it."))
            return ()
        started = self._calls.clock.monotonic()
        self._journal.verify_run(run_id)
        self._journal.write(run_id, Marked(RunState.UNDOING))
        entries = self._undoable(run_id)
        emit(UndoStarted(run_id, tuple(map(name, entries))))
        tried = [(entry, self._undo(work, entry)) for entry in entries]
        left = left_of(work, tried, self._describe)
        removed = tuple(
            name(entry)
            for entry, one in tried
            if one.outcome in _REMOVED or (one.failed and name(entry) not in left)
        )
        by_hand = work.calls.hand.restore(run_id, _own(work))
        for one in by_hand.restored:
            emit(UndoFinished(f"{one}{_BY_HAND}", (), UndoOutcome.UNDONE, "as before the run", 0.0))
        remaining = (*left.items(), *((one, _KEPT) for one in by_hand.kept))
        removed = (*removed, *by_hand.restored)
        emit(CleanupFinished(run_id, removed, remaining, self._calls.clock.monotonic() - started))
        if remaining:
            some = "1 thing is" if len(remaining) == 1 else f"{len(remaining)} things are"
            things = "; ".join(thing for thing, _ in remaining)
            raise UndoIncomplete(f"{some} left in the account: {things}.", remaining, _FIX)
        return removed

    def end(self, run_id: str, state: RunState) -> None:
        """Take the run's profiles out of the files, and say that the run has ended."""
        self.remove_profiles(run_id)
        self._journal.write(run_id, Marked(state))

    def remove_profiles(self, run_id: str, named: Iterable[str] = ()) -> None:
        """Take the run's profiles out of the files; one that another run wrote since stays.

        Nothing is done by hand in this run any more. ``named``: the lab says that these go, and
        somebody may have written one by hand that no step took up.
        """
        self._calls.hand.end(run_id)
        ours = {one.name: one.access_key_id for one in self._journal.past(run_id).profiles()}
        # Saved, but the process was stopped before the journal knew.
        perhaps = {one.intent.profile for one in self._journal.past(run_id).entries()} - {"", *ours}
        perhaps |= {one for one in named if one not in ours and self._calls.profiles.get(one)}
        others = {
            (one.name, one.access_key_id)
            for run in self._journal.unfinished()
            if run.id != run_id
            for one in self._journal.past(run.id).profiles()
        }
        if any(one.call == GIVES_TOKEN for one in self._journal.past(run_id).entries()):
            self._calls.profiles.save_token("")
        run = self._journal.run(run_id)
        beside = self._journal.unfinished(run.target) if run else ()
        used = {each for one in beside if one.id != run_id for each in one.profiles}
        for profile in {*(run.profiles if run else ())} - used:
            self._calls.profiles.configure(profile, {})
        for profile in [*ours, *perhaps]:
            found = self._calls.profiles.get(profile)
            key = found.access_key_id if found else ""
            if found and (ours.get(profile) == key or (profile, key) not in others):
                self._calls.profiles.remove(profile)
            self._journal.write(run_id, Forgot(profile))

    def _work(self, run_id: str) -> Work:
        run = self._journal.run(run_id)
        if run is None:
            raise JournalError(f"There is no run {run_id}.", "See which there are: stslab status.")
        self._calls.learn_profiles(self._calls.profiles.names())
        return Work(run, self._journal, self._calls)

    def _undoable(self, run_id: str) -> list[Entry]:
        """The entries that are to be undone, the last first."""
        states = (*MADE, *PERHAPS)
        entries = self._journal.past(run_id).entries()
        return [one for one in reversed(entries) if one.undo and one.state in states]

    def _undo(self, work: Work, entry: Entry) -> Undone:
        started = self._calls.clock.monotonic()
        try:
            undone = undo(work, entry)
        except (RunError, NotOwn) as error:
            undone = failed(error.message)
        seconds = self._calls.clock.monotonic() - started
        told = (undone.calls, undone.outcome, undone.detail)
        self._calls.emit(UndoFinished(name(entry), *told, seconds))
        return undone


def _own(work: Work) -> tuple[str, ...]:
    """The names of what the journal undoes, or has undone."""
    named = (tuple(thing.names.values()) for thing in work.known())
    return tuple(one for names in named for one in (*names, "/".join(names)))


def _extras(work: Work, entry: Entry, owned: Iterable[Thing]) -> Iterator[str]:
    for thing in filter(complete, work.things_of(entry)):
        for extra in children(work, thing):
            own = extra.thing
            if own is None or not any(own.same(known) for known in owned):
                yield extra.text
