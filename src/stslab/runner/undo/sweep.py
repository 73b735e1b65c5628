"""Sweep an account: find leftovers of runs without their journal, and journal them again.

A thing belongs to a run if it has the tag ``stslab:run`` with the run's id, and that id in
its name. A thing of a kind without tags (a group) belongs to it if its name holds the id of
a run that is known from tags or from the journal. Anything else is left alone.
"""

import re

import msgspec

from stslab.kinds.table import LISTINGS
from stslab.runner.calls.calls import Calls
from stslab.runner.events import Notice
from stslab.runner.journal import records
from stslab.runner.journal.store import Journal
from stslab.runner.ports import Refusal
from stslab.runner.undo.proof import Item, listed
from stslab.vocabulary import ADMIN

RECOVERED = "recovered"  # the lab of a run that is known only from its leftovers

_ID = re.compile(rf"[a-z][a-z0-9]{{{records.LENGTH - 1}}}")
_IDS_IN = re.compile(rf"(?<![a-zA-Z0-9]){_ID.pattern}(?![a-zA-Z0-9])")


class Leftover(msgspec.Struct, frozen=True):
    item: Item
    ids: frozenset[str]  # the texts in its names that may be run ids
    tag: str | None  # None if it lacks the tag, or its kind has no tags

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


class Swept(msgspec.Struct, frozen=True):
    runs: tuple[FoundRun, ...]
    left: tuple[tuple[records.Thing, str], ...]  # with our tag, and why they are left alone
    refused: tuple[str, ...]  # the listings that AWS refused


def find(journal: Journal, calls: Calls) -> Swept:
    """Look for the leftovers of all runs in an account."""
    target, refused = calls.target, list[str]()

    def note(call: str, refusal: Refusal) -> None:
        refused.append(call)
        message = f"{call} was refused ({refusal.code}): its things are unknown."
        calls.emit(Notice("warning", message))

    found = [
        _leftover(calls, item)
        for admin in (ADMIN, *target.accounts)
        for kind in LISTINGS
        for item in listed(calls, kind, note, admin)
    ]
    place = (target.kind, target.account, target.instance)
    known = {run.id: run for run in journal.runs()}
    here = {run.id: run for run in known.values() if (run.kind, run.account, run.instance) == place}

    def why_left(each: Leftover) -> str:
        if each.tag is not None and not each.is_certain:
            return f"it has the tag of run {each.tag!r}, but its name lacks that id"
        run = None if each.tag in here else known.get(each.tag or "")
        return f"its run {run.id} began in another account ({run.target})" if run else ""

    left = [(each.item.thing, why) for each in found if (why := why_left(each))]
    ids = {each.tag for each in found if each.tag and not why_left(each)}
    # Things without tags may belong to runs of this machine on this account.
    ids |= {run for each in found if not each.item.row.taggable for run in each.ids & here.keys()}

    def found_run(run: str) -> FoundRun:
        items = [each.item for each in found if each.is_of(run)]
        since = min((item.created for item in items if item.created), default="")
        return FoundRun(run, tuple(item.thing for item in items), since, here.get(run))

    runs = map(found_run, sorted(ids))
    return Swept(tuple(run for run in runs if run.things), tuple(left), tuple(refused))


def _leftover(calls: Calls, item: Item) -> Leftover:
    ids = frozenset(text for name in item.thing.names.values() for text in _IDS_IN.findall(name))
    # Accounts are large: tags that need a call are read only of things that may be ours.
    perhaps = ids or not item.row.tagging or not item.row.named
    return Leftover(item, ids, item.run(calls) if perhaps else None)


def adopt(journal: Journal, calls: Calls, found: FoundRun) -> str:
    """Journal the leftovers, so that a cleanup undoes them. Return the run's id."""
    if found.known is None:
        target = calls.target
        admins = {thing.admin for thing in found.things}
        accounts = {name: id_ for name, id_ in target.accounts.items() if name in admins}
        run = records.RunRecord(
            id=found.id,
            lab=RECOVERED,
            title="Leftovers that a sweep found",
            path="",
            sha256="",
            target=target.name,
            state=records.RunState.UNDOING,
            started=calls.clock.now().isoformat(timespec="milliseconds"),
            **records.shared(target, records.RunRecord) | {"accounts": accounts},
        )
        journal.begin(run)
    else:
        journal.write(found.id, records.Marked(records.RunState.UNDOING))
    for number, thing in enumerate(reversed(found.things)):
        intent = records.Intent(
            stage="sweep",
            step=number,
            title=thing.label,
            thing=thing,
            undo=(thing.removal,),
            **records.shared(thing.call("(found)", ()), records.Intent),
        )
        entry = journal.intend(found.id, intent)
        journal.write(found.id, records.Concluded(entry, records.Result(records.EntryState.DONE)))
    return found.id
