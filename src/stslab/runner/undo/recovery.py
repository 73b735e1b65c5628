"""Finds what stslab left in an account without any journal, and journals it anew.

What carries the tag ``stslab:run`` with a run's id, and that id in its name, is that run's.
A kind that AWS has no tags for (a group) is, if its name holds the id of a run that is
known from tags or from the journal. Anything else is left alone, however much its name is
like ours. What was found is journaled as a run of its own, and then an ordinary cleanup
undoes it: in order, past failures, with proof, and it goes on when it was stopped.
"""

import re
from collections.abc import Callable

import msgspec

from stslab.kinds.table import KINDS, LISTINGS
from stslab.runner.calls.calls import Calls
from stslab.runner.calls.look import label
from stslab.runner.events import Event, Notice
from stslab.runner.journal import records
from stslab.runner.journal.records import LENGTH
from stslab.runner.journal.store import Journal
from stslab.runner.ports import ADMIN, Account, Clock, Profiles, Refusal
from stslab.runner.undo.proof import Item, listed
from stslab.runner.undo.undo import removal_of

RECOVERED = "recovered"
"""The lab that a run is of which is known from its leftovers alone."""

_ID = re.compile(rf"[a-z][a-z0-9]{{{LENGTH - 1}}}")
_IDS_IN = re.compile(rf"(?<![a-zA-Z0-9]){_ID.pattern}(?![a-zA-Z0-9])")


class Leftover(msgspec.Struct, frozen=True):
    """One thing that was found. ``tag`` is None where it has none, or its kind has none."""

    item: Item
    tag: str | None = None

    @property
    def ids(self) -> set[str]:
        """What may be run ids in its names."""
        names = self.item.thing.names.values()
        return {found for name in names for found in _IDS_IN.findall(name)}

    @property
    def is_certain(self) -> bool:
        """Whether it is a run's own: by its tag, and by its name where that can hold an id."""
        if self.tag is None or not _ID.fullmatch(self.tag):
            return False
        return self.tag in self.ids or not self.item.row.named

    def is_of(self, run: str) -> bool:
        """Whether it is that run's; of a kind without tags, by its name."""
        if self.item.row.taggable:
            return self.is_certain and self.tag == run
        return run in self.ids


class FoundRun(msgspec.Struct, frozen=True):
    """What is left of one run, in the order in which it is undone.

    ``known`` is the run as this machine's journal has it, if it does. ``since`` is when the
    oldest of its things was made (ISO 8601), or empty.
    """

    id: str
    things: tuple[records.Thing, ...]
    since: str
    known: records.RunRecord | None

    @property
    def unfinished(self) -> bool:
        """Whether it is a run of this machine that goes on: its journal knows more."""
        known = self.known
        return known is not None and known.lab != RECOVERED and known.state in records.UNFINISHED


class Found(msgspec.Struct, frozen=True):
    """What a sweep found. ``doubtful`` carries our tag, but not that run's id in its name.

    ``refused`` are the listings that AWS refused: what they would have shown is not known.
    """

    runs: tuple[FoundRun, ...]
    doubtful: tuple[tuple[records.Thing, str], ...]
    refused: tuple[str, ...]


class Recovery:
    """Sweeps one account. It only reads, until :meth:`adopt`."""

    def __init__(
        self,
        journal: Journal,
        account: Account,
        profiles: Profiles,
        emit: Callable[[Event], None],
        clock: Clock | None = None,
    ) -> None:
        self._journal = journal
        self._target = account.target
        self._calls = Calls(account, profiles, emit, clock or Clock())
        self._refused: list[str] = []

    def find(self) -> Found:
        """Look for leftovers of all runs, or what may be such."""
        admins = (ADMIN, *(one for one in self._target.accounts if not self._calls.lacks(one)))
        items = (
            one
            for admin in admins
            for kind in LISTINGS
            for one in listed(self._calls, kind, self._tell_refused, admin)
        )
        found = [self._leftover(one) for one in items]
        doubtful = [one for one in found if one.tag is not None and not one.is_certain]
        ids = {one.tag for one in found if one.tag and one.is_certain}
        # The runs of this machine on this account that things without tags may be of.
        here = {run.id for run in self._journal.runs() if self._is_here(run)}
        ids |= {run for one in found if not one.item.row.taggable for run in one.ids & here}
        runs = (self._run(run, [one for one in found if one.is_of(run)]) for run in sorted(ids))
        return Found(
            tuple(run for run in runs if run.things),
            tuple((one.item.thing, one.tag or "") for one in doubtful),
            tuple(self._refused),
        )

    def adopt(self, found: FoundRun) -> str:
        """Journal what was found, so that a cleanup undoes it; the run's id."""
        if found.known is None:
            self._journal.begin(self._record(found))
        else:
            self._journal.write(found.id, records.Marked(records.RunState.UNDOING))
        for number, thing in enumerate(reversed(found.things)):
            entry = self._journal.intend(found.id, _intent(number, thing))
            self._journal.write(
                found.id, records.Outcome(entry, records.Result(records.EntryState.DONE))
            )
        return found.id

    def _leftover(self, item: Item) -> Leftover:
        told = Leftover(item)
        # Tags that must be asked for are only asked of what may be ours: accounts are large.
        perhaps = told.ids or not item.row.tagging or not item.row.named
        return Leftover(item, item.run(self._calls)) if perhaps else told

    def _is_here(self, run: records.RunRecord) -> bool:
        target = self._target
        place = (target.kind, target.account)
        return (run.kind, run.account) == place and run.instance == target.instance

    def _run(self, run_id: str, found: list[Leftover]) -> FoundRun:
        known = self._journal.run(run_id)
        return FoundRun(
            id=run_id,
            things=tuple(one.item.thing for one in found),
            since=min((one.item.created for one in found if one.item.created), default=""),
            known=known if known and self._is_here(known) else None,
        )

    def _record(self, found: FoundRun) -> records.RunRecord:
        target = self._target
        there = {one.admin for one in found.things}
        accounts = {name: one for name, one in target.accounts.items() if name in there}
        return records.RunRecord(
            id=found.id,
            lab=RECOVERED,
            title="Leftovers that a sweep found",
            path="",
            sha256="",
            target=target.name,
            state=records.RunState.UNDOING,
            started=self._calls.clock.now().isoformat(timespec="milliseconds"),
            **records.shared(target, records.RunRecord) | {"accounts": accounts},
        )

    def _tell_refused(self, call: str, refusal: Refusal) -> None:
        self._refused.append(call)
        told = f"{call} was refused ({refusal.code}): nothing is known."
        self._calls.emit(Notice("warning", told))


def _intent(number: int, thing: records.Thing) -> records.Intent:
    return records.Intent(
        stage="sweep",
        step=number,
        title=label(thing),
        identity=thing.admin,
        service=KINDS[thing.kind].service,
        operation="(found)",
        params={},
        thing=thing,
        undo=(removal_of(thing),),
    )
