"""Whether a run ever made what a claim of its cleanup stage says is gone.

That a role is gone which never was proves nothing.
"""

from collections.abc import Mapping

from stslab.errors import UnresolvedReference
from stslab.kinds.table import BY_REMOVAL, KINDS
from stslab.lab.model import Check
from stslab.lab.references import names_used, resolve
from stslab.runner.calls.work import Work
from stslab.runner.journal.records import MADE, Entered, EntryState, How, Thing
from stslab.runner.ports import ADMIN, Data

# What is listed of a thing, by the call that lists it.
_LISTED: Mapping[str, frozenset[str]] = {
    f"{kind.service}.{child.listing}": frozenset({removed.id})
    for kind in KINDS.values()
    for child in kind.children
    if (removed := BY_REMOVAL.get(f"{kind.service}.{child.removals[0].operation}"))
}
_ONCE_MADE = (*MADE, EntryState.UNDONE)


def was_made(work: Work, check: Check, params: Data, scope: Data) -> bool:
    """Whether the run made it: what the call looks for, and whoever asks.

    ``params`` are the call's, with all that is known put in.
    """
    made = [one for one in work.entries() if one.state in _ONCE_MADE]
    profiles = {one.intent.profile for one in made} | {*(work.run.profiles if made else ())}
    if not check.call:
        return not profiles.isdisjoint(check.profiles_gone)
    if check.identity not in {ADMIN, *work.run.accounts, *profiles}:
        return False
    things = [thing for one in made for thing in work.things_of(one)]
    kinds = {kind.id for kind in KINDS.values() if f"{kind.service}.{kind.look}" == check.call}
    listed = _LISTED.get(check.call, frozenset())
    if kinds | listed:
        made_so = any(thing.kind in kinds | listed and _is(thing, params) for thing in things)
        return made_so or (bool(listed) and _in_another_form(work))
    names = [name for thing in things for name in thing.names.values()]
    return all(any(name in one for name in names) for one in _named(work.run.id, check, scope))


def _in_another_form(work: Work) -> bool:
    """Whether a stage holds that was done by hand, and by nothing that the lab would make."""
    past = work.journal.past(work.run.id)
    begun = (one.body for one in past.records(Entered) if isinstance(one.body, Entered))
    by_hand = {one.stage for one in begun if one.how is How.HAND}
    return bool((past.held() & by_hand) - {one.intent.stage for one in past.entries()})


def _named(run: str, check: Check, scope: Data) -> set[str]:
    """The names in the claim that only a run's things have: with its id."""
    found = set[str]()
    for name in names_used([check.params, check.expect or ""]):
        try:
            value = resolve(f"${{{{ {name} }}}}", scope)
        except UnresolvedReference:  # of the response, in `expect`
            continue
        if isinstance(value, str) and run in value:
            found.add(value)
    return found


def _is(thing: Thing, params: Data) -> bool:
    """Whether a lookup with these parameters is for this thing."""
    names = KINDS[thing.kind].look_names
    return all(thing.names.get(name) == params[name] for name in names if name in params)
