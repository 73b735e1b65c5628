"""Proves that nothing of a run is left: looks for each thing, then for whatever carries its tag."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain

import msgspec

from stslab.kinds.table import KINDS, LISTINGS, Listing, search
from stslab.runner.calls.calls import Calls
from stslab.runner.calls.look import Sight, complete, is_guarded, label, look, read_of, tag_in
from stslab.runner.calls.work import Work
from stslab.runner.events import CallShown, Describe, Notice, ThingLookedUp, UndoOutcome
from stslab.runner.journal.records import Entry, EntryState, Result, Thing
from stslab.runner.ports import ADMIN, Call, Data, Refusal
from stslab.runner.undo.undo import Undone, children, removal_of

# The target's clock and this machine's may differ by so much.
_CLOCKS = timedelta(hours=1)
_MOST_TAGS_READ = 200


class Item(msgspec.Struct, frozen=True):
    """A thing as a listing has it. ``created`` is ISO 8601, or empty where that is not told."""

    row: Listing
    thing: Thing
    data: Data

    @property
    def created(self) -> str:
        return str(self.data.get("Created") or "")

    def run(self, calls: Calls) -> str | None:
        """The run that its tag names; None where it has none, or its kind has none."""
        if not self.row.tagging:  # the listing tells them
            return tag_in(self.data.get("Tags"))
        service, names = KINDS[self.thing.kind].service, dict(self.thing.names)
        outcome = calls.make(Call(self.thing.admin, service, self.row.tagging, names))
        return tag_in(search(self.row.tags, outcome.data))


def listed(
    calls: Calls, kind: str, refused: Callable[[str, Refusal], None], identity: str = ADMIN
) -> Iterator[Item]:
    """All things of a kind in an account; ``refused`` is told of a listing that AWS refuses."""
    row, call = LISTINGS[kind], _listing(kind, identity)
    for page in calls.pages(call, row.pages):
        if isinstance(page, Refusal):
            refused(call.name, page)
        for one in search(row.each, page.data) or []:
            names = {name: str(one[name]) for name in KINDS[kind].names}
            yield Item(row, Thing(kind, names, admin=identity), one)


def leftovers(work: Work, identity: str = ADMIN) -> Iterator[Thing]:
    """What has the run's tag, or else its id in its name, in the account of ``identity``."""
    tags_read = 0

    def refused(call: str, refusal: Refusal) -> None:
        said = f"{call} was refused ({refusal.code}): what carries the run's tag could not be"
        hint = f"Allow {identity} to list what IAM, CloudFormation and S3 have there."
        work.calls.emit(Notice("warning", f"{said} listed everywhere.", hint))

    for kind in work.calls.ahead(LISTINGS, lambda kind: _listing(kind, identity)):
        for item in listed(work.calls, kind, refused, identity):
            named = any(work.run.id in name for name in item.thing.names.values())
            if not named and not _is_young(work, item):
                continue
            asked = bool(item.row.tagging)
            unread = asked and not named and tags_read >= _MOST_TAGS_READ
            tag = None if unread else item.run(work.calls)
            tags_read += asked and not unread
            if named if tag is None else tag == work.run.id:
                yield item.thing


def _listing(kind: str, identity: str) -> Call:
    row = LISTINGS[kind]
    return Call(identity, KINDS[kind].service, row.listing, row.params)


def _is_young(work: Work, item: Item) -> bool:
    """Whether it was made since the run began: nothing older can be the run's."""
    try:
        began = datetime.fromisoformat(work.run.started)
        return datetime.fromisoformat(item.created) >= began - _CLOCKS
    except (ValueError, TypeError):
        return True


_GONE_SECONDS = 60.0
_NEVER_LOOKED_UP = (EntryState.REFUSED, EntryState.REPLACED, EntryState.NOT_OURS)
# The profiles that administer other accounts, in which a person may have made things for a lab.
_OTHERS = ("partner",)
Tried = Sequence[tuple[Entry, Undone]]


def left_of(work: Work, tried: Tried, describe: Describe) -> dict[str, str]:
    """What is left, each thing with the command that removes it by hand.

    What can be looked up is left only where that finds it, or can't tell; an entry that failed
    and is gone all the same is concluded as undone.
    """
    stays = [thing for entry, one in tried if one.failed for thing in _own(work, entry)]
    things = _looked_up(work, stays)
    things += _swept(work, things)
    left: dict[str, str] = {}
    for entry, one in tried:
        own = _own(work, entry)
        if one.failed and own and not any(_among(each, things) for each in own):
            work.conclude(entry.seq, Result(EntryState.UNDONE, "it is gone all the same"))
        elif one.failed or one.outcome is UndoOutcome.KEPT:
            left[name(entry)] = undo_by_hand(work, entry, describe)
    left |= {label(one): _removal_by_hand(work, one, describe) for one in things}
    return left | _elsewhere(work, describe)


def name(entry: Entry) -> str:
    """What people call what an entry made."""
    if entry.thing and complete(entry.thing):
        return label(entry.thing)
    return f"“{entry.intent.title}” ({entry.call})"


def by_hand(thing: Thing, describe: Describe) -> str:
    """The command that removes a thing of a known kind, for who can."""
    kind = KINDS[thing.kind]
    if kind.by_hand:
        return kind.by_hand.format(identity=thing.admin, **thing.names)
    call = removal_of(thing)
    return describe(CallShown(call.identity, call.service, call.operation, call.params))


def undo_by_hand(work: Work, entry: Entry, describe: Describe) -> str:
    """The commands that undo an entry."""
    if entry.thing and complete(entry.thing) and not _is_setting(entry.thing):
        return by_hand(entry.thing, describe)
    return "; ".join(describe(work.calls.shown(call.call)) for call in entry.undo)


def _removal_by_hand(work: Work, thing: Thing, describe: Describe) -> str:
    """What removes it by hand; first what hangs on it, and what ends its protection."""
    kind, before = KINDS[thing.kind], list[str]()
    if not kind.by_hand:
        calls = (call for extra in children(work, thing) for call in extra.calls())
        before = [describe(work.calls.shown(call)) for call in calls]
    if kind.unguard and is_guarded(look(work, thing)):
        before.append(kind.unguard.format(identity=thing.admin, **thing.names))
    return " && ".join([*before, by_hand(thing, describe)])


def _looked_up(work: Work, stays: list[Thing]) -> list[Thing]:
    """Look each thing up; those that are there, or could not be looked up.

    ``stays`` could not be removed: there is nothing to wait for. Once a wait was in vain,
    the others have had that time too.
    """
    left: list[Thing] = []
    for thing in work.calls.ahead(_to_look_up(work), read_of):
        in_vain = any(not _among(one, stays) for one in left)
        sight = _until_gone(work, thing, patient=not in_vain and not _among(thing, stays))
        gone = sight.there is False
        work.calls.emit(ThingLookedUp(label(thing), sight.call, gone, sight.proof))
        if not gone:
            left.append(thing)
    return left


def _to_look_up(work: Work) -> list[Thing]:
    """Every thing of a known kind that the run made or may have made, each once."""
    found: list[Thing] = []
    for entry in work.entries():
        if entry.undo and entry.state not in _NEVER_LOOKED_UP:
            found += [thing for thing in _own(work, entry) if not _among(thing, found)]
    return found


def _swept(work: Work, left: list[Thing]) -> list[Thing]:
    """What else carries the run's tag or id; ``left`` is known to be there."""
    others = [one.thing for one in work.entries() if one.thing and one.state is EntryState.NOT_OURS]
    more: list[Thing] = []
    for thing in chain.from_iterable(leftovers(work, one) for one in (ADMIN, *work.run.accounts)):
        if _among(thing, [*others, *left]):
            continue
        sight = _until_gone(work, thing, patient=not left)
        if sight.there is not False:
            work.calls.emit(ThingLookedUp(label(thing), sight.call, gone=False, proof=sight.proof))
            more.append(thing)
    return more


def _elsewhere(work: Work, describe: Describe) -> dict[str, str]:
    """What carries the run's tag or id in another account that somebody had a profile for.

    A person made it: it is told, and left to them. Such profiles are the embedded account's, and
    no lab's own.
    """
    left: dict[str, str] = {}
    own = {*work.run.accounts, *(entry.intent.profile for entry in work.entries())}
    lent = [one for one in _OTHERS if one not in own and work.calls.profiles.get(one)]
    for identity in lent if work.run.kind == "sandbox" else ():
        for thing in leftovers(work, identity):
            named = f"{label(thing)} (profile {identity})"
            proof = "it carries the run's id"
            work.calls.emit(ThingLookedUp(named, None, gone=False, proof=proof))
            left[named] = by_hand(thing, describe)
    return left


def _until_gone(work: Work, thing: Thing, *, patient: bool) -> Sight:
    """Look a thing up; more than once, where deletions take time to show."""
    limit = _GONE_SECONDS if patient and work.calls.target.eventually_consistent else 0.0
    return work.calls.until(
        lambda: look(work, thing),
        lambda sight: (limit if sight.there else 0.0, f"{label(thing)} to be gone"),
    )


def _own(work: Work, entry: Entry) -> list[Thing]:
    """What an entry made that can be looked up."""
    return [one for one in work.things_of(entry) if complete(one) and not _is_setting(one)]


def _is_setting(thing: Thing) -> bool:
    """Whether it belongs to the whole account: it was put back, and is there all the same."""
    return bool(KINDS[thing.kind].put)


def _among(thing: Thing, others: Iterable[Thing]) -> bool:
    return any(thing.same(other) for other in others)
