"""Prove that nothing of a run is left: look up each thing, then search for the run's tag."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from stslab.kinds.table import KINDS, LISTINGS, Listing, search
from stslab.runner.calls.calls import Calls
from stslab.runner.calls.look import is_guarded, look, look_until, tag_in
from stslab.runner.calls.work import Work
from stslab.runner.events import Describe, Notice, ThingLookedUp, UndoOutcome
from stslab.runner.journal.records import Entry, EntryState, Result, Thing
from stslab.runner.ports import Call, Data, Refusal
from stslab.runner.undo.undo import Undone, children
from stslab.vocabulary import ADMIN

# How far the target's clock and this machine's may differ.
_CLOCKS = timedelta(hours=1)


class Item(msgspec.Struct, frozen=True):
    row: Listing
    thing: Thing
    created: str  # ISO 8601, or empty if the listing lacks it
    data: Data

    def run(self, calls: Calls) -> str | None:
        """The run that its tag names; None if it has no such tag, or its kind has no tags."""
        if not self.row.tagging:  # the listing includes them
            return tag_in(self.data.get("Tags"))
        outcome = calls.make(self.thing.call(self.row.tagging, self.thing.names))
        return tag_in(search(self.row.tags, outcome.data))


def listed(
    calls: Calls, kind: str, refused: Callable[[str, Refusal], None], identity: str = ADMIN
) -> Iterator[Item]:
    """All things of a kind in an account. ``refused`` is called if AWS refuses the listing."""
    row, call = LISTINGS[kind], _listing(kind, identity)
    for page in calls.pages(call, row.pages):
        if isinstance(page, Refusal):
            refused(call.name, page)
        for item in search(row.each, page.data) or []:
            names = {name: str(item[name]) for name in KINDS[kind].names}
            thing = Thing(kind, names, admin=identity)
            yield Item(row, thing, str(item.get("Created") or ""), item)


def leftovers(work: Work, identity: str = ADMIN) -> Iterator[Thing]:
    """The things with the run's tag, or else its id in their names, in one account."""

    def refused(call: str, refusal: Refusal) -> None:
        message = f"{call} was refused ({refusal.code}): the search for the run's tag is incomplete"
        hint = f"Allow {identity} to list the things of IAM, CloudFormation and S3."
        work.calls.emit(Notice("warning", f"{message}.", hint))

    for kind in work.calls.ahead(LISTINGS, lambda kind: _listing(kind, identity)):
        for item in listed(work.calls, kind, refused, identity):
            named = any(work.run.id in name for name in item.thing.names.values())
            if named or _is_young(work, item):
                tag = item.run(work.calls)
                if tag == work.run.id or (named and tag is None):
                    yield item.thing


def _listing(kind: str, identity: str) -> Call:
    row = LISTINGS[kind]
    return Call(identity, KINDS[kind].service, row.listing, row.params)


def _is_young(work: Work, item: Item) -> bool:
    """Whether it was created since the run began. Older things can't be the run's."""
    with suppress(ValueError, TypeError):
        began = datetime.fromisoformat(work.run.started)
        return datetime.fromisoformat(item.created) >= began - _CLOCKS
    return True


_GONE_SECONDS = 60.0
_NEVER_LOOKED_UP = (EntryState.REFUSED, EntryState.REPLACED, EntryState.NOT_OURS)
_OTHER = "partner"  # the profile of another account, where a learner may have made things
Tried = Sequence[tuple[Entry, Undone]]


def left_of(work: Work, tried: Tried, describe: Describe) -> dict[str, str]:
    """What is left, each thing with the command that removes it by hand.

    A thing that can be looked up is left if it exists, or the lookup fails. An entry whose undo
    failed, but whose thing is gone, is marked as undone.
    """
    stays = [thing for entry, undone in tried if undone.failed for thing in _own(work, entry)]
    things = _looked_up(work, stays)
    things += _swept(work, things)
    left: dict[str, str] = {}
    for entry, undone in tried:
        own = _own(work, entry)
        if undone.failed and own and not any(each.is_among(things) for each in own):
            work.conclude(entry.seq, Result(EntryState.UNDONE, "it is gone all the same"))
        elif undone.failed or undone.outcome is UndoOutcome.KEPT:
            left[name(entry)] = undo_by_hand(work, entry, describe)
    for thing in things:
        known = thing.admin in (ADMIN, *work.run.accounts)
        named = thing.label if known else f"{thing.label} (profile {thing.admin})"
        left[named] = _removal_by_hand(work, thing, describe)
    return left


def name(entry: Entry) -> str:
    """A label for the thing that an entry made."""
    if entry.thing and entry.thing.complete:
        return entry.thing.label
    return f"the step “{entry.intent.title}” ({entry.call})"


def by_hand(thing: Thing, describe: Describe) -> str:
    kind = KINDS[thing.kind]
    if kind.by_hand:
        return kind.by_hand.format(identity=thing.admin, **thing.names)
    return describe(thing.removal)


def undo_by_hand(work: Work, entry: Entry, describe: Describe) -> str:
    if entry.thing in _own(work, entry):
        return by_hand(entry.thing, describe)
    return "; ".join(describe(work.calls.shown(call)) for call in entry.undo)


def _removal_by_hand(work: Work, thing: Thing, describe: Describe) -> str:
    """The commands that remove a thing, after its children, and after its protection ends."""
    kind, before = KINDS[thing.kind], list[str]()
    if not kind.by_hand:
        calls = (call for extra in children(work, thing) for call in extra.calls)
        before = [describe(work.calls.shown(call)) for call in calls]
    if kind.unguard and is_guarded(look(work, thing)):
        before.append(kind.unguard.format(identity=thing.admin, **thing.names))
    return " && ".join([*before, by_hand(thing, describe)])


def _looked_up(work: Work, stays: list[Thing]) -> list[Thing]:
    """Look each thing up that may have been made. Return those that exist, or may exist.

    Things in ``stays`` could not be removed and are not waited for. After one wait was in vain
    none of the others is waited for: they have had that time too.
    """
    things, left = list[Thing](), list[Thing]()
    for entry in work.past.entries():
        if entry.undo and entry.state not in _NEVER_LOOKED_UP:
            things += [thing for thing in _own(work, entry) if not thing.is_among(things)]
    for thing in work.calls.ahead(things, lambda each: each.lookup):
        in_vain = any(not each.is_among(stays) for each in left)
        seconds = 0.0 if in_vain or thing.is_among(stays) else _GONE_SECONDS
        sight = look_until(work, thing, there=False, seconds=seconds)
        gone = sight.there is False
        work.calls.emit(ThingLookedUp(thing.label, sight.call, gone, sight.proof))
        if not gone:
            left.append(thing)
    return left


def _swept(work: Work, left: list[Thing]) -> list[Thing]:
    """Things with the run's tag or id that are not in ``left`` yet.

    On the embedded account also those that the learner made by hand with a profile for another
    account; only the learner can remove them.
    """
    entries, more = work.past.entries(), list[Thing]()
    others = [each.thing for each in entries if each.thing and each.state is EntryState.NOT_OURS]
    own = {*work.run.accounts, *(entry.intent.profile for entry in entries)}
    lent = _OTHER not in own and work.calls.profiles.get(_OTHER) and work.run.kind == "sandbox"
    admins = (ADMIN, *work.run.accounts, *([_OTHER] if lent else []))
    for thing in (thing for admin in admins for thing in leftovers(work, admin)):
        if thing.is_among([*others, *left]):
            continue
        sight = look_until(work, thing, there=False, seconds=0.0 if left else _GONE_SECONDS)
        if sight.there is not False:
            work.calls.emit(ThingLookedUp(thing.label, sight.call, gone=False, proof=sight.proof))
            more.append(thing)
    return more


def _own(work: Work, entry: Entry) -> list[Thing]:
    """The things of an entry that can be looked up; settings of the account are undone instead."""
    things = work.things_of(entry)
    return [thing for thing in things if thing.complete and not KINDS[thing.kind].put]
