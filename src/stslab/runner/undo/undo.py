"""Undo one journaled call, from the journal alone.

If its answer is unknown, its thing is looked up first, and removed only if it is the run's own.
"""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from stslab.errors import CredentialsError, RunError
from stslab.kinds import table
from stslab.kinds.table import BY_REMOVAL, KINDS, Child, Remove, search
from stslab.runner.calls import look as looks
from stslab.runner.calls.calls import Patience
from stslab.runner.calls.look import STACK, is_replaced, look, made_by_hand, says_gone
from stslab.runner.calls.waiters import StackEvents, wait
from stslab.runner.calls.work import Work
from stslab.runner.events import UndoOutcome
from stslab.runner.journal.records import PERHAPS, Entry, EntryState, Result, Thing, UndoCall
from stslab.runner.ports import Answer, Call, Data, Outcome, Refusal
from stslab.structures import texts


class Extra(msgspec.Struct, frozen=True):
    """Something, or several, that belongs to a thing and is removed before it."""

    text: str
    calls: tuple[Call, ...]
    singly: tuple[Call, ...]  # the calls that remove each of several by itself, if there are such
    thing: Thing | None  # if it is of a known kind


def removed_by(call: str, params: Data, admin: str) -> Thing | None:
    """The thing of a known kind that a call (``service.Operation``) removes, or None."""
    kind = BY_REMOVAL.get(call)
    if kind is None or not all(name in params for name in kind.names):
        return None
    return Thing(kind.id, {name: str(params[name]) for name in kind.names}, admin=admin)


def children(work: Work, thing: Thing) -> Iterator[Extra]:
    """All children that must be removed first, as far as they can be listed."""
    for child in _kinds(work, thing):
        for page in _pages(work, thing, child):
            yield from page


def clear(work: Work, thing: Thing) -> str:
    """Remove all children. Return why one could not be removed, or ""."""
    return "; ".join(filter(None, [_clear(work, thing, child) for child in _kinds(work, thing)]))


def _clear(work: Work, thing: Thing, child: Child) -> str:
    """List and remove until nothing is listed: things may be added meanwhile."""
    for _ in range(100):
        extras = next(_pages(work, thing, child), [])
        if not extras:
            return ""
        problems = [_remove_child(work, extra) for extra in extras]
        if all(problems):
            return problems[0]
    return f"{child.what} keep coming back"


def _remove_child(work: Work, extra: Extra) -> str:
    for number, call in enumerate(extra.calls):
        kind = BY_REMOVAL.get(call.name)
        if kind:  # a child of the run's thing may be removed too
            work.recognise(Thing(kind.id, call.params))
        problem = _problem(call.service, work.calls.make(call))
        if problem and number == 0:
            singly = (_problem(each.service, work.calls.make(each)) for each in extra.singly)
            return f"{extra.text}: {problem}" if not extra.singly or any(singly) else ""
    return ""


def _kinds(work: Work, thing: Thing) -> Iterator[Child]:
    """The kinds of children that the thing may have; their listings run at the same time."""
    children = KINDS[thing.kind].children
    return work.calls.ahead(children, lambda child: thing.call(child.listing, child.names))


def _pages(work: Work, thing: Thing, child: Child) -> Iterator[list[Extra]]:
    for outcome in work.calls.pages(thing.call(child.listing, child.names), child.pages):
        listed = child.listed(thing.names, outcome.data)
        yield [_extra(thing, child, names) for names in listed if isinstance(names, Mapping)]


def _extra(parent: Thing, child: Child, names: Data) -> Extra:
    service, count = KINDS[parent.kind].service, int(search(child.count, names) or 1)

    def call(removal: Remove, names: Data) -> Call:
        params = {name: {**parent.names, **names}[name] for name in removal.names}
        return Call(parent.admin, service, removal.operation, params)

    removal, what = child.removals[0], child.what.format_map(names)
    return Extra(
        f"{what} ({count})" if count > 1 else what,
        tuple(call(each, names) for each in child.removals),
        tuple(call(child.singly, each) for each in search(child.ones, names) or () if child.singly),
        removed_by(f"{service}.{removal.operation}", {**parent.names, **names}, parent.admin),
    )


def _problem(service: str, outcome: Outcome) -> str:
    if isinstance(outcome, Answer):
        errors = outcome.data.get("Errors")
        return f"{errors[0].get('Code')}: {errors[0].get('Message')}" if errors else ""
    return "" if says_gone(service, outcome) else outcome.text


_BUSY_SECONDS = 90.0
_PROTECTED = "somebody switched on its termination protection: switch it off, and clean up again"
_REPLACED = "made by somebody else after the run's own of that name was deleted: left alone"


class Undone(msgspec.Struct, frozen=True):
    outcome: UndoOutcome
    detail: str = ""
    calls: tuple[Call, ...] = ()

    @property
    def failed(self) -> bool:
        return self.outcome is UndoOutcome.FAILED


UNDONE, WAS_GONE = Undone(UndoOutcome.UNDONE), Undone(UndoOutcome.WAS_GONE)
_WORST_FIRST = [UndoOutcome.FAILED, UndoOutcome.NOT_OURS, UndoOutcome.UNDONE, UndoOutcome.WAS_GONE]


def failed(why: str) -> Undone:
    return Undone(UndoOutcome.FAILED, why)


def remove(work: Work, call: UndoCall, entry: int) -> Undone:
    """Make one undo call of a journal entry, with its wait."""
    thing = removed_by(call.name, call.params, work.place_of(call.identity).admin)
    if thing and _is_anothers(work, thing):
        return Undone(UndoOutcome.NOT_OURS, _REPLACED)
    if thing and thing.kind == STACK:
        return _remove_stack(work, call, thing, entry)
    undone = _remove(work, call, thing)
    if undone.failed or not call.waiter:
        return undone
    why = wait(work, Call(call.identity, call.service, call.waiter, call.waiter_params))
    return failed(why) if why else undone


def _is_anothers(work: Work, thing: Thing) -> bool:
    """Whether the thing's names are those of another thing now, not made by hand in the run."""
    return is_replaced(work, thing) and not made_by_hand(work, thing)


def _remove(work: Work, call: UndoCall, thing: Thing | None) -> Undone:
    """Remove the children, make the call, and repeat both while AWS says that it is busy."""
    problem = ""

    def attempt() -> Outcome:
        nonlocal problem
        problem = clear(work, thing) if thing else ""
        return _make(work, call)

    def judge(outcome: Outcome) -> Patience:
        code = outcome.code if isinstance(outcome, Refusal) else ""
        busy = code in table.BUSY and not problem
        return _BUSY_SECONDS if busy else 0.0, f"{call.operation} ({code})"

    outcome = work.calls.until(attempt, judge)
    set_back = isinstance(outcome, Refusal) and outcome.code in table.EXISTS
    if isinstance(outcome, Answer) or set_back:
        return UNDONE
    if says_gone(call.service, outcome):
        return WAS_GONE
    refused = problem and isinstance(outcome, Refusal)
    return failed(f"{outcome.text} ({problem})" if refused else outcome.text)


def _make(work: Work, call: UndoCall) -> Outcome:
    """Make the call as its identity, or as admin if those credentials no longer work."""
    admin = work.place_of(call.identity).admin
    as_admin = replace(call, identity=admin)
    if call.identity == admin:
        return work.calls.make(as_admin)
    try:
        outcome = work.calls.make(call)
    except CredentialsError:
        return work.calls.make(as_admin)
    unusable = isinstance(outcome, Refusal) and outcome.code in table.UNUSABLE
    return work.calls.make(as_admin) if unusable else outcome


def _remove_stack(work: Work, call: UndoCall, stack: Thing, entry: int) -> Undone:
    """Delete a stack. Clear what blocks the deletion, and remove what it leaves."""
    if looks.is_guarded(look(work, stack)):  # somebody protected it on purpose
        return failed(_PROTECTED)
    inside = looks.remember(work, stack, entry)
    replaced = [thing.label for thing in inside if _is_anothers(work, thing)]
    if replaced:
        return failed(f"it would delete {', '.join(replaced)}, {_REPLACED}")
    undone = _delete_stack(work, call, stack, inside)
    if undone.failed:
        return undone
    left = [remove(work, thing.removal, 0) for thing in inside if look(work, thing).there]
    return next((each for each in left if each.failed), undone)


def _delete_stack(work: Work, call: UndoCall, stack: Thing, inside: tuple[Thing, ...]) -> Undone:
    """Empty the stack's buckets, and delete it. Clear the other things only if that fails."""
    events = StackEvents(work, stack.names["StackName"], stack.admin)
    events.skip()
    waiter = call.waiter or "stack_delete_complete"
    params = call.waiter_params or {"StackName": call.params["StackName"]}
    undone = WAS_GONE
    for tried in range(3):
        for thing in inside:
            if tried or thing.kind == "s3.bucket":
                clear(work, thing)
        # If the lookup failed, the deletion shows whether the stack exists.
        if look(work, stack).there is False:
            return WAS_GONE
        undone = _remove(work, call, None)
        if not undone.failed:
            why = wait(work, Call(stack.admin, call.service, waiter, params), events)
            undone = failed(why) if why else UNDONE
        if not undone.failed:
            break
    return undone


def undo(work: Work, entry: Entry) -> Undone:
    """Undo one call, and journal the result. After a failure the entry keeps its state."""
    undone = _perhaps(work, entry) if entry.state in PERHAPS else _undo(work, entry, entry.undo)
    if not undone.failed:
        gone = undone.outcome is UndoOutcome.WAS_GONE
        state = EntryState.UNDONE if gone else EntryState(undone.outcome)
        work.conclude(entry.seq, Result(state, work.calls.clean_text(undone.detail)))
    return undone


def discovered(work: Work, entry: Entry) -> tuple[Thing, ...]:
    """The things that a call with a lost answer may have made, if only its answer names them.

    These are the children of the run's thing that no other call has made. RunError: the
    children can't be listed.
    """
    creation = table.creation_of(entry.call, entry.intent.params)
    thing = entry.thing
    if not (creation and creation.discover and thing and _can_be_listed(thing)):
        return ()
    name, entries = creation.discovered, work.past.entries()
    known = {one.thing.names.get(name) for one in entries if one.thing and one.seq != entry.seq}
    outcome = work.calls.make(thing.lookup)
    if not isinstance(outcome, Answer) and not says_gone(KINDS[thing.kind].service, outcome):
        raise RunError(f"What exists could not be listed: {outcome.text}.", "Try again.")
    ids = search(creation.discover, outcome.data) or []
    every = (replace(thing, names={**thing.names, name: str(id_)}) for id_ in ids)
    return tuple(each for each in every if each.names[name] not in known)


def _perhaps(work: Work, entry: Entry) -> Undone:
    """Undo a call whose answer is unknown, if the run has made its thing."""
    thing = entry.thing
    # Whether the undo calls refer to nothing unknown.
    resolved = not any("${{" in text for call in entry.undo for text in texts(call.params))
    if thing and KINDS[thing.kind].put:  # the undo restores the setting
        return _undo(work, entry, entry.undo)
    if thing and thing.complete:
        return _if_ours(work, entry, thing, entry.undo if resolved else (thing.removal,))
    found = discovered(work, entry)
    if found:
        return _undo(work, entry, tuple(each.removal for each in found))
    if thing and _can_be_listed(thing):
        return Undone(UndoOutcome.NEVER_MADE, "it does not exist")
    # A thing of an unknown kind is undone only if the undo itself names the run.
    if resolved and work.run.id in str([call.params for call in entry.undo]):
        return _undo(work, entry, entry.undo)
    why = "it is unknown whether it was made, and whether it is the run's own"
    return Undone(UndoOutcome.KEPT, why)


def _if_ours(work: Work, entry: Entry, thing: Thing, undo: tuple[UndoCall, ...]) -> Undone:
    sight = looks.look_for(work, thing)
    if sight.there is None:
        return failed("it could not be looked up")
    if not sight.there:
        return Undone(UndoOutcome.NEVER_MADE, "it does not exist")
    if not looks.is_ours(work, sight):
        return Undone(UndoOutcome.NOT_OURS, "it does not carry this run's tag or id")
    return _undo(work, entry, undo)


def _undo(work: Work, entry: Entry, calls: tuple[UndoCall, ...]) -> Undone:
    """Make all undo calls, even after a failure. The worst result counts."""
    results = [remove(work, call, entry.seq) for call in calls]
    worst = min(results, key=lambda result: _WORST_FIRST.index(result.outcome), default=UNDONE)
    shown = tuple(work.calls.shown(call) for call in calls)
    return replace(worst, detail=work.calls.clean_text(worst.detail), calls=shown)


def _can_be_listed(thing: Thing) -> bool:
    """Whether enough of its names are known to list its kind."""
    return set(KINDS[thing.kind].look_names) <= thing.names.keys()
