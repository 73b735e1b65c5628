"""Undo a whole run, from the journal alone, and prove that nothing is left."""

from collections.abc import Iterable

import msgspec

from stslab.errors import NotOwn, RunError, UndoIncomplete
from stslab.lab.embedded import GIVES_TOKEN
from stslab.runner import events
from stslab.runner.calls.calls import Calls
from stslab.runner.calls.work import Work, account_is_gone
from stslab.runner.journal.records import PERHAPS, REMAINS, Entry, Forgot, Marked, RunState
from stslab.runner.journal.store import Journal
from stslab.runner.ports import Call
from stslab.runner.undo.proof import left_of, name, undo_by_hand
from stslab.runner.undo.undo import Undone, children, failed, undo

_BY_HAND = " (made or changed by hand)"
_KEPT = "# You made or changed it, and somebody else has changed it since. It is left as it is."
_FIX = (
    "Fix the cause and run `stslab cleanup` again. Or remove it by hand with the commands"
    ' above; `eval "$(stslab env)"` sets up the profile that they use.'
)
_REMOVED = (events.UndoOutcome.UNDONE, events.UndoOutcome.WAS_GONE)


class Planned(msgspec.Struct, frozen=True):
    thing: str
    calls: tuple[Call, ...]
    by_hand: str  # the command that removes it by hand
    perhaps: bool = False  # it may not exist: the answer of the call that makes it is unknown
    extras: tuple[str, ...] = ()  # they belong to it and are removed with it


class Cleanup:
    """Undoes runs; JournalError: a run is unknown. ``describe`` is for leftovers."""

    def __init__(self, journal: Journal, calls: Calls, *, describe: events.Describe) -> None:
        self._journal, self._calls, self._describe = journal, calls, describe

    def plan(self, run_id: str, *, extras: bool = False) -> tuple[Planned, ...]:
        """The things that cleanup will undo, in order. ``extras``: look up what belongs to them."""
        work, entries = self._work(run_id), self._undoable(run_id)
        owned = [thing for entry in entries for thing in work.things_of(entry)]
        planned = []
        for entry in entries:
            calls = tuple(work.calls.shown(undo) for undo in entry.undo)
            things = [thing for thing in work.things_of(entry) if extras and thing.complete]
            found = (extra for thing in things for extra in children(work, thing))
            foreign = (each for each in found if not (each.thing and each.thing.is_among(owned)))
            more = tuple(each.text for each in foreign)
            by_hand = undo_by_hand(work, entry, self._describe)
            planned.append(Planned(name(entry), calls, by_hand, entry.state in PERHAPS, more))
        restored = work.calls.hand.look(run_id, _own(work)).restored
        planned += [Planned(f"{thing}{_BY_HAND}", (), "stslab cleanup") for thing in restored]
        return tuple(planned)

    def run(self, run_id: str) -> None:
        """Undo the run, prove that nothing is left, and end it.

        UndoIncomplete: something is left; the error names all of it. CredentialsError: the
        credentials are for another account, or can't be used.
        """
        self.undo(run_id)
        if self._journal.past(run_id).run().state is not RunState.LOST:
            self.end(run_id, RunState.CLEANED)

    def undo(self, run_id: str) -> None:
        """Like :meth:`run`, but keep the run open and its profiles in the files."""
        work, emit, now = self._work(run_id), self._calls.emit, self._calls.clock.monotonic
        if account_is_gone(work.run, self._calls.target):
            self.end(run_id, RunState.LOST)
            gone = f"The account of run {run_id} is gone with everything in it."
            emit(events.Notice("info", gone))
            return
        started = now()
        self._journal.verify_run(run_id)
        self._journal.write(run_id, Marked(RunState.UNDOING))
        entries = self._undoable(run_id)
        emit(events.UndoStarted(run_id, tuple(map(name, entries))))
        tried = [(entry, self._undo(work, entry)) for entry in entries]
        by_hand = work.calls.hand.restore(run_id, _own(work))
        for thing in by_hand.restored:
            named, undone = f"{thing}{_BY_HAND}", events.UndoOutcome.UNDONE
            emit(events.UndoFinished(named, (), undone, "as before the run", 0.0))
        left = left_of(work, tried, self._describe)
        were_removed = (
            name(entry)
            for entry, undone in tried
            if undone.outcome in _REMOVED or (undone.failed and name(entry) not in left)
        )
        removed = (*were_removed, *by_hand.restored)
        remaining = (*left.items(), *((thing, _KEPT) for thing in by_hand.kept))
        emit(events.CleanupFinished(run_id, removed, remaining, now() - started))
        if remaining:
            some = "1 thing is" if len(remaining) == 1 else f"{len(remaining)} things are"
            things = "; ".join(thing for thing, _ in remaining)
            raise UndoIncomplete(f"{some} left in the account: {things}.", _FIX)

    def end(self, run_id: str, state: RunState) -> None:
        """Remove the run's profiles, and mark the run as ended in this state."""
        self.remove_profiles(run_id)
        self._journal.write(run_id, Marked(state))

    def remove_profiles(self, run_id: str, named: Iterable[str] = ()) -> None:
        """Remove the run's profiles from the files, except those that another run wrote since.

        This also ends the run's work by hand. ``named`` are profiles that the lab says are gone:
        the learner may have written one by hand that no step adopted.
        """
        past, profiles = self._journal.past(run_id), self._calls.profiles
        self._calls.hand.end(run_id)
        ours = {profile.name: profile.access_key_id for profile in past.profiles()}
        # A process may have been stopped after it saved a profile, before it journaled that.
        perhaps = {entry.intent.profile for entry in past.entries()} - {"", *ours}
        perhaps |= {each for each in named if each not in ours and profiles.get(each)}
        run, unfinished = self._work(run_id).run, self._journal.unfinished()
        others = [other for other in unfinished if other.id != run_id]
        theirs = {
            (profile.name, profile.access_key_id)
            for other in others
            for profile in self._journal.past(other.id).profiles()
        }
        if any(entry.call == GIVES_TOKEN for entry in past.entries()):
            profiles.save_token("")
        used = {each for other in others if other.target == run.target for each in other.profiles}
        for profile in {*run.profiles} - used:
            profiles.configure(profile, {})
        for profile in [*ours, *perhaps]:
            credentials = profiles.get(profile)
            key = credentials.access_key_id if credentials else ""
            if credentials and (ours.get(profile) == key or (profile, key) not in theirs):
                profiles.remove(profile)
            self._journal.write(run_id, Forgot(profile))

    def _work(self, run_id: str) -> Work:
        run = self._journal.past(run_id).run()
        self._calls.learn_profiles(self._calls.profiles.names())
        return Work(run, self._journal, self._calls)

    def _undoable(self, run_id: str) -> list[Entry]:
        """The entries to undo, newest first."""
        entries = self._journal.past(run_id).entries()
        return [entry for entry in reversed(entries) if entry.undo and entry.state in REMAINS]

    def _undo(self, work: Work, entry: Entry) -> Undone:
        started = self._calls.clock.monotonic()
        try:
            undone = undo(work, entry)
        except (RunError, NotOwn) as error:
            undone = failed(error.message)
        took = self._calls.clock.monotonic() - started
        result = undone.calls, undone.outcome, undone.detail
        self._calls.emit(events.UndoFinished(name(entry), *result, took))
        return undone


def _own(work: Work) -> tuple[str, ...]:
    """The accounts and names of the things that the journal undoes, or has undone."""
    named = ((work.account_of(thing), (*thing.names.values(),)) for thing in work.known())
    return tuple(f"{at} {text}" for at, names in named for text in (*names, "/".join(names)))
