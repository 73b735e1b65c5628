"""Sweep an account: find leftovers of runs without their journal, and journal them again.

A thing belongs to a run if it has the tag ``stslab:run`` with the run's id, and that id in
its name. A thing of a kind without tags (a group) belongs to it if its name holds the id of
a run that is known from tags or from the journal. Anything else is left alone. The found
things are journaled as a run, which an ordinary cleanup then undoes.
"""

import re

import msgspec

from stslab.kinds.table import LISTINGS
from stslab.runner.calls.calls import Calls
from stslab.runner.events import Notice
from stslab.runner.journal import records
from stslab.runner.journal.records import LENGTH
from stslab.runner.journal.store import Journal
from stslab.runner.ports import ADMIN, Refusal
from stslab.runner.undo.proof import Item, listed

RECOVERED = "recovered"  # the lab of a run that is known only from its leftovers

_ID = re.compile(rf"[a-z][a-z0-9]{{{LENGTH - 1}}}")
_IDS_IN = re.compile(rf"(?<![a-zA-Z0-9]){_ID.pattern}(?![a-zA-Z0-9])")


class Leftover(msgspec.Struct, frozen=True):
    """One thing that was found. ``tag`` is None if it has no such tag, or its kind no tags."""

    item: Item
    tag: str | None = None

    @property
    def ids(self) -> set[str]:
        """The texts in its names that may be run ids."""
        names = self.item.thing.names.values()
        return {text for name in names for text in _IDS_IN.findall(name)}

    @property
    def is_certain(self) -> bool:
        """Whether it is a run's own: its tag has the id, and so has its name, if names can."""
        if self.tag is None or not _ID.fullmatch(self.tag):
            return False
        return self.tag in self.ids or not self.item.row.named

    def is_of(self, run: str) -> bool:
        """Whether it is that run's own, by its name if its kind has no tags."""
        if self.item.row.taggable:
            return self.is_certain and self.tag == run
        return run in self.ids


class FoundRun(msgspec.Struct, frozen=True):
    """The leftovers of one run, in the order in which they are undone."""

    id: str
    things: tuple[records.Thing, ...]
    since: str  # when the oldest was created (ISO 8601), or empty
    known: records.RunRecord | None  # the run in this machine's journal, if it has it

    @property
    def unfinished(self) -> bool:
        """Whether it is an unfinished run of this machine, whose journal knows more."""
        known = self.known
        return known is not None and known.lab != RECOVERED and known.state in records.UNFINISHED


class Found(msgspec.Struct, frozen=True):
    """The result of a sweep."""

    runs: tuple[FoundRun, ...]
    doubtful: tuple[tuple[records.Thing, str], ...]  # with our tag, but its id not in the name
    refused: tuple[str, ...]  # the listings that AWS refused


class Sweep:
    """Sweeps one account. It only reads, until :meth:`adopt`."""

    def __init__(self, journal: Journal, calls: Calls) -> None:
        self._journal = journal
        self._target = calls.target
        self._calls = calls
        self._refused: list[str] = []

    def find(self) -> Found:
        """Look for the leftovers of all runs."""
        accounts = self._target.accounts
        admins = (ADMIN, *(name for name in accounts if not self._calls.lacks(name)))
        found = [
            self._leftover(item)
            for admin in admins
            for kind in LISTINGS
            for item in listed(self._calls, kind, self._note_refused, admin)
        ]
        doubtful = [each for each in found if each.tag is not None and not each.is_certain]
        ids = {each.tag for each in found if each.tag and each.is_certain}
        # Things without tags may belong to runs of this machine on this account.
        here = {run.id for run in self._journal.runs() if self._is_here(run)}
        ids |= {run for each in found if not each.item.row.taggable for run in each.ids & here}
        runs = (self._run(run, [each for each in found if each.is_of(run)]) for run in sorted(ids))
        return Found(
            tuple(run for run in runs if run.things),
            tuple((each.item.thing, each.tag or "") for each in doubtful),
            tuple(self._refused),
        )

    def adopt(self, found: FoundRun) -> str:
        """Journal the leftovers, so that a cleanup undoes them. Return the run's id."""
        if found.known is None:
            target, admins = self._target, {thing.admin for thing in found.things}
            accounts = {name: id_ for name, id_ in target.accounts.items() if name in admins}
            run = records.RunRecord(
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
            self._journal.begin(run)
        else:
            self._journal.write(found.id, records.Marked(records.RunState.UNDOING))
        for number, thing in enumerate(reversed(found.things)):
            intent = records.Intent(
                stage="sweep",
                step=number,
                title=thing.label,
                thing=thing,
                undo=(thing.removal,),
                **records.shared(thing.call("(found)", ()), records.Intent),
            )
            entry = self._journal.intend(found.id, intent)
            done = records.Outcome(entry, records.Result(records.EntryState.DONE))
            self._journal.write(found.id, done)
        return found.id

    def _leftover(self, item: Item) -> Leftover:
        untagged = Leftover(item)
        # Accounts are large: tags that need a call are read only of things that may be ours.
        perhaps = untagged.ids or not item.row.tagging or not item.row.named
        return Leftover(item, item.run(self._calls)) if perhaps else untagged

    def _is_here(self, run: records.RunRecord) -> bool:
        target = self._target
        place = (target.kind, target.account)
        return (run.kind, run.account) == place and run.instance == target.instance

    def _run(self, run_id: str, found: list[Leftover]) -> FoundRun:
        known = self._journal.run(run_id)
        return FoundRun(
            id=run_id,
            things=tuple(each.item.thing for each in found),
            since=min((each.item.created for each in found if each.item.created), default=""),
            known=known if known and self._is_here(known) else None,
        )

    def _note_refused(self, call: str, refusal: Refusal) -> None:
        self._refused.append(call)
        message = f"{call} was refused ({refusal.code}): its things are unknown."
        self._calls.emit(Notice("warning", message))
