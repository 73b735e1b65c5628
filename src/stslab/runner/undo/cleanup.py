"""Takes a whole run back, from the journal alone, and proves that nothing is left."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stslab.errors import JournalError, NotOwn, RunError, UndoIncomplete
from stslab.kinds.table import KINDS
from stslab.runner.calls.calls import ADMIN, Calls
from stslab.runner.calls.look import Lookout, Sight, complete, is_guarded, label, read_of
from stslab.runner.calls.patience import Verdict
from stslab.runner.calls.pin import Pin, pinned
from stslab.runner.calls.work import Work
from stslab.runner.clock import Clock, SystemClock
from stslab.runner.events import (
    CallShown,
    CleanupFinished,
    Event,
    Notice,
    ThingLookedUp,
    UndoFinished,
    UndoStarted,
)
from stslab.runner.journal.records import (
    MADE,
    PERHAPS,
    Entry,
    EntryState,
    Result,
    RunRecord,
    RunState,
    Thing,
)
from stslab.runner.journal.store import Journal
from stslab.runner.ports import Account, Profiles
from stslab.runner.undo.children_of import Children
from stslab.runner.undo.remove import removal_of
from stslab.runner.undo.sweep import OTHERS, Sweep
from stslab.runner.undo.takeback import TakeBack, Taken

_GONE_SECONDS = 60.0
_REMOVED = ("undone", "was gone")
_NEVER_LOOKED_UP = (EntryState.REFUSED, EntryState.REPLACED, EntryState.NOT_OURS)
Describe = Callable[[CallShown], str]


@dataclass(frozen=True, slots=True)
class Planned:
    """One thing that cleanup will take back, with which calls.

    ``extras`` is what else hangs on it and goes with it. ``perhaps``: it is looked for
    first, since no answer of the call that makes it is known.
    """

    thing: str
    calls: tuple[CallShown, ...]
    perhaps: bool
    extras: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CleanupReport:
    """What cleanup did: ``removed`` and ``remaining`` as in the event CleanupFinished."""

    run: str
    removed: tuple[str, ...]
    remaining: tuple[tuple[str, str], ...]


class Cleanup:
    """Takes runs back. ``describe`` gives the ``aws`` command of a call, for what remains."""

    def __init__(
        self,
        journal: Journal,
        account: Account,
        profiles: Profiles,
        emit: Callable[[Event], None],
        clock: Clock | None = None,
        *,
        describe: Describe,
    ) -> None:
        self._journal = journal
        self._account = account
        self._profiles = profiles
        self._emit = emit
        self._clock = clock or SystemClock()
        self._describe = describe
        self._calls = Calls(account, profiles, emit, self._clock)

    def plan(self, run_id: str, *, extras: bool = False) -> tuple[Planned, ...]:
        """What will be taken back, in order. ``extras``: look in the account what goes with it.

        Raises:
            JournalError: there is no such run.
        """
        work = self._work(run_id)
        entries = _undoable(self._journal.entries(run_id))
        owned = [thing for entry in entries for thing in work.things_of(entry)]
        return tuple(self._planned(work, entry, owned if extras else None) for entry in entries)

    def left(self, run_id: str) -> tuple[tuple[str, str], ...]:
        """What would be undone now, each thing with the command that removes it by hand."""
        entries = _undoable(self._journal.entries(run_id))
        return tuple((_label(entry), self._by_hand(entry)) for entry in entries)

    def run(self, run_id: str) -> CleanupReport:
        """Take the run back, prove that nothing is left, and end it.

        Raises:
            UndoIncomplete: something is left, all of it listed.
            CredentialsError: the credentials are for another account, or can't be used.
        """
        report = self.undo(run_id)
        run = self._journal.run(run_id)
        if run and run.state is not RunState.LOST:
            self.end(run_id, RunState.CLEANED)
        return report

    def undo(self, run_id: str) -> CleanupReport:
        """Take the run back and prove it, but leave its profiles, and do not end it.

        Raises: as :meth:`run`.
        """
        work = self._work(run_id)
        if self._is_lost(work.run):
            return CleanupReport(run_id, (), ())
        started = self._clock.monotonic()
        self._journal.verify_run(run_id)
        self._journal.mark(run_id, RunState.UNDOING)
        entries = _undoable(self._journal.entries(run_id))
        self._emit(UndoStarted(run_id, tuple(_label(entry) for entry in entries)))
        taken = [(entry, self._take_back(work, entry)) for entry in entries]
        gone, remaining = self._proved(work, taken)
        removed = tuple(
            _label(entry) for entry, one in taken if one.outcome in _REMOVED or entry.seq in gone
        )
        seconds = self._clock.monotonic() - started
        self._emit(CleanupFinished(run_id, removed, remaining, seconds))
        if remaining:
            raise _incomplete(remaining)
        return CleanupReport(run_id, removed, ())

    def end(self, run_id: str, state: RunState) -> None:
        """Take the run's profiles out of the files, and say that the run has ended."""
        self.remove_profiles(run_id)
        self._journal.mark(run_id, state)

    def remove_profiles(self, run_id: str) -> None:
        """Take the run's profiles out of the files; one that another run wrote since stays."""
        ours = {one.name: one.access_key_id for one in self._journal.profiles(run_id)}
        # Saved, but the process was stopped before the journal knew.
        perhaps = {
            entry.intent.profile
            for entry in self._journal.entries(run_id)
            if entry.intent.profile and entry.intent.profile not in ours
        }
        for name in [*ours, *perhaps]:
            found = self._profiles.get(name)
            if found and self._is_of(run_id, name, found.access_key_id, ours):
                self._profiles.remove(name)
            self._journal.forget_profile(run_id, name)

    def _is_of(self, run_id: str, name: str, access_key_id: str, ours: dict[str, str]) -> bool:
        if ours.get(name) == access_key_id:
            return True
        others = (run.id for run in self._journal.unfinished() if run.id != run_id)
        return not any(
            one.name == name and one.access_key_id == access_key_id
            for other in others
            for one in self._journal.profiles(other)
        )

    def _work(self, run_id: str) -> Work:
        run = self._journal.run(run_id)
        if run is None:
            raise JournalError(f"There is no run {run_id}.", "See which there are: stslab status.")
        self._calls.learn_profiles(self._profiles.names())
        return Work(
            run,
            self._journal,
            self._account,
            self._profiles,
            self._calls,
            self._emit,
            self._clock,
        )

    def _is_lost(self, run: RunRecord) -> bool:
        """Whether the run's account is gone, and with it all that the run made."""
        if pinned(run, self._account.target) is not Pin.GONE:
            return False
        self.end(run.id, RunState.LOST)
        self._emit(Notice("info", f"The account of run {run.id} is gone, and all in it."))
        return True

    def _planned(self, work: Work, entry: Entry, owned: list[Thing] | None) -> Planned:
        calls = tuple(
            self._calls.shown(call.identity, call.service, call.operation, call.params)
            for call in entry.undo
        )
        extras = () if owned is None else tuple(_extras(work, entry, owned))
        return Planned(_label(entry), calls, entry.state in PERHAPS, extras)

    def _take_back(self, work: Work, entry: Entry) -> Taken:
        started = self._clock.monotonic()
        try:
            taken = TakeBack(work).entry(entry)
        except (RunError, NotOwn) as error:
            taken = Taken("failed", error.message)
        seconds = self._clock.monotonic() - started
        self._emit(UndoFinished(_label(entry), taken.calls, taken.outcome, taken.detail, seconds))
        return taken

    def _proved(
        self, work: Work, taken: list[tuple[Entry, Taken]]
    ) -> tuple[frozenset[int], tuple[tuple[str, str], ...]]:
        """The entries that failed and are gone all the same; and what is left.

        What can be looked up is left only where that finds it, or can't tell.
        """
        stays = [thing for entry, one in taken if one.outcome == "failed"
                 for thing in _own(work, entry)]  # fmt: skip
        things = self._looked_up(work, stays)
        things += self._swept(work, things)
        gone, left = set[int](), dict[str, str]()
        for entry, one in taken:
            own = _own(work, entry)
            if one.outcome == "failed" and own and not any(_among(each, things) for each in own):
                work.journal.conclude(
                    work.run.id, entry.seq, Result(EntryState.UNDONE, "it is gone all the same")
                )
                gone.add(entry.seq)
            elif one.outcome in ("failed", "kept"):
                left[_label(entry)] = self._by_hand(entry)
        left |= {label(one): self._command(one, work) for one in things}
        left |= self._elsewhere(work)
        return frozenset(gone), tuple(left.items())

    def _elsewhere(self, work: Work) -> dict[str, str]:
        """What carries the run's tag or id in another account that somebody had a profile for.

        A person made it: it is told, and left to them.
        """
        left = {}
        for identity in self._lent(work):
            for thing in Sweep(work, identity).leftovers():
                named = f"{label(thing)} (profile {identity})"
                self._emit(ThingLookedUp(named, None, gone=False, proof="it carries the run's id"))
                left[named] = by_hand(thing, self._describe, identity)
        return left

    def _lent(self, work: Work) -> list[str]:
        """The profiles of other accounts: they are the embedded account's, and no lab's own."""
        if work.run.kind != "sandbox":
            return []
        own = {entry.intent.profile for entry in work.journal.entries(work.run.id)}
        return [name for name in OTHERS if name not in own and self._profiles.get(name)]

    def _looked_up(self, work: Work, stays: list[Thing]) -> list[Thing]:
        """Look each thing up; those that are there, or could not be looked up.

        ``stays`` could not be removed: there is nothing to wait for. Once a wait was in vain,
        the others have had that time too.
        """
        left: list[Thing] = []
        for thing in self._calls.ahead(_to_look_up(work), read_of):
            in_vain = any(not _among(one, stays) for one in left)
            patient = not in_vain and not _among(thing, stays)
            sight = self._until_gone(work, thing, patient=patient)
            self._emit(ThingLookedUp(label(thing), sight.call, sight.there is False, sight.proof))
            if sight.there is not False:
                left.append(thing)
        return left

    def _swept(self, work: Work, left: list[Thing]) -> list[Thing]:
        """What else carries the run's tag or id; ``left`` is known to be there."""
        more, others = [], [*_not_ours(work), *left]
        for thing in Sweep(work).leftovers():
            if _among(thing, others):
                continue
            sight = self._until_gone(work, thing, patient=not left)
            if sight.there is not False:
                self._emit(ThingLookedUp(label(thing), sight.call, gone=False, proof=sight.proof))
                more.append(thing)
        return more

    def _until_gone(self, work: Work, thing: Thing, *, patient: bool) -> Sight:
        """Look a thing up; more than once, where deletions take time to show."""
        waits = patient and self._account.target.eventually_consistent
        limit = _GONE_SECONDS if waits else 0.0

        def judge(sight: Sight) -> Verdict:
            return Verdict(limit if sight.there else 0.0, f"{label(thing)} to be gone")

        return self._calls.patience.until(lambda: Lookout(work).look(thing), judge)

    def _by_hand(self, entry: Entry) -> str:
        if entry.thing and complete(entry.thing) and not _is_setting(entry.thing):
            return self._command(entry.thing)
        calls = (
            self._calls.shown(call.identity, call.service, call.operation, call.params)
            for call in entry.undo
        )
        return "; ".join(map(self._describe, calls))

    def _command(self, thing: Thing, work: Work | None = None) -> str:
        """What removes it by hand; first what ends its protection, and what hangs on it."""
        command, kind = by_hand(thing, self._describe), KINDS[thing.kind]
        if work is None:
            return command
        before = [] if kind.by_hand else [self._describe(one) for one in _calls_before(work, thing)]
        if kind.unguard and is_guarded(Lookout(work).look(thing)):
            before.append(kind.unguard.format(identity="admin", **thing.names))
        return " && ".join([*before, command])


def _calls_before(work: Work, thing: Thing) -> Iterable[CallShown]:
    """What removes all that hangs on a thing."""
    for extra in Children(work).of(thing):
        for call in extra.calls():
            yield CallShown(call.identity, call.service, call.operation, call.params)


def by_hand(thing: Thing, describe: Describe, identity: str = ADMIN) -> str:
    """The command that removes a thing of a known kind, for who can."""
    kind = KINDS[thing.kind]
    if kind.by_hand:
        return kind.by_hand.format(identity=identity, **thing.names)
    call = removal_of(thing)
    return describe(CallShown(identity, call.service, call.operation, call.params))


def _undoable(entries: Iterable[Entry]) -> list[Entry]:
    """The entries that are to be taken back, the last first."""
    states = (*MADE, *PERHAPS)
    return [one for one in reversed(list(entries)) if one.undo and one.state in states]


def _own(work: Work, entry: Entry) -> list[Thing]:
    """What an entry made that can be looked up."""
    return [one for one in work.things_of(entry) if complete(one) and not _is_setting(one)]


def _to_look_up(work: Work) -> list[Thing]:
    """Every thing of a known kind that the run made or may have made, each once."""
    found: list[Thing] = []
    for entry in work.journal.entries(work.run.id):
        if entry.undo and entry.state not in _NEVER_LOOKED_UP:
            found += [
                thing
                for thing in _own(work, entry)
                if not any(thing.same(known) for known in found)
            ]
    return found


def _is_setting(thing: Thing) -> bool:
    """Whether it belongs to the whole account: it was put back, and is there all the same."""
    return bool(KINDS[thing.kind].put)


def _not_ours(work: Work) -> list[Thing]:
    """What the run came upon, and what somebody else had made."""
    entries = work.journal.entries(work.run.id)
    return [one.thing for one in entries if one.thing and one.state is EntryState.NOT_OURS]


def _among(thing: Thing, others: Iterable[Thing]) -> bool:
    return any(thing.same(other) for other in others)


def _extras(work: Work, entry: Entry, owned: list[Thing]) -> Iterable[str]:
    for thing in work.things_of(entry):
        if not complete(thing):
            continue
        for extra in Children(work).of(thing):
            own = extra.thing
            if own is None or not any(own.same(known) for known in owned):
                yield extra.text


def _label(entry: Entry) -> str:
    if entry.thing and complete(entry.thing):
        return label(entry.thing)
    return f"“{entry.intent.title}” ({entry.call})"


def _incomplete(remaining: tuple[tuple[str, str], ...]) -> UndoIncomplete:
    some = "1 thing is" if len(remaining) == 1 else f"{len(remaining)} things are"
    return UndoIncomplete(
        f"{some} left in the account: {'; '.join(thing for thing, _ in remaining)}.",
        remaining,
        "Fix what kept it and run `stslab cleanup` again. Or remove it by hand with the commands"
        ' above; `eval "$(stslab env)"` sets up the profile that they use.',
    )
