"""Look things up in the account, and decide whether a thing is the run's own."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from stslab.errors import NotOwn
from stslab.kinds.table import BY_RESOURCE_TYPE, CREATIONS, KINDS, RUN_TAG, Kind, is_gone, search
from stslab.runner.calls.work import Work
from stslab.runner.journal.records import MADE, Found, Thing
from stslab.runner.ports import Answer, Call, Data, Outcome, Refusal

_MADE_WITH_TAGS = frozenset(creation.kind for creation in CREATIONS.values() if creation.tags)


class Sight(msgspec.Struct, frozen=True):
    thing: Thing
    there: bool | None  # None if the lookup failed
    proof: str
    call: Call
    data: Data


def is_guarded(sight: Sight) -> bool:
    """Whether the thing is protected against removal (a stack's termination protection)."""
    return bool(search(KINDS[sight.thing.kind].guarded, {"answer": sight.data}))


def look(work: Work, thing: Thing) -> Sight:
    """Look the thing up once. Its kind must be known and its names complete."""
    kind, read = KINDS[thing.kind], thing.lookup
    outcome, shown = work.calls.make(read), work.calls.shown(read)
    if not isinstance(outcome, Answer):
        there = False if says_gone(kind.service, outcome) else None
        return Sight(thing, there, work.calls.clean_text(outcome.text), shown, outcome.data)
    there = bool(search(kind.present, {"answer": outcome.data, "thing": dict(thing.names)}))
    proof = f"{kind.look} {'finds it' if there else 'no longer lists it'}"
    return Sight(thing, there, proof, shown, outcome.data)


def look_until(work: Work, thing: Thing, *, there: bool, seconds: float) -> Sight:
    """Look the thing up; repeatedly, where changes take time to show, until it is there or not."""
    limit = seconds if work.calls.target.eventually_consistent else 0.0
    wanted = "to show" if there else "to be gone"
    return work.calls.until(
        lambda: look(work, thing),
        lambda sight: (0.0 if bool(sight.there) is there else limit, f"{thing.label} {wanted}"),
    )


def look_for(work: Work, thing: Thing) -> Sight:
    """Look up a thing that may just have been made."""
    return look_until(work, thing, there=True, seconds=15.0)


def is_ours(work: Work, sight: Sight) -> bool:
    """Whether this run made the thing, by its tag; else by its parent or its name.

    A thing with another run's tag is never ours. Neither is a thing without a tag if the run
    makes its kind with one. A thing that the learner made by hand always is.
    """
    read, tag = _tag(work, sight)
    if tag is not None or (read and sight.thing.kind in _MADE_WITH_TAGS):
        ours = tag == work.run.id
    elif KINDS[sight.thing.kind].parent:
        ours = parent_is_ours(work, sight.thing)
    else:
        ours = any(work.run.id in name for name in sight.thing.names.values())
    ours = ours or made_by_hand(work, sight.thing)
    if ours:
        work.recognise(sight.thing)
    return ours


def made_by_hand(work: Work, thing: Thing) -> bool:
    return thing.label in work.calls.hand.look(work.run.id).made


def parent_is_ours(work: Work, thing: Thing) -> bool:
    """Whether the thing's parent (a key's user, an object's bucket) is the run's own."""
    parent = thing.parent
    if parent is None:
        return False
    if parent.is_among(work.made()):
        return True
    sight = look(work, parent)
    return bool(sight.there) and is_ours(work, sight)


def identified(work: Work, thing: Thing) -> Thing:
    """The thing with its ``identity``, if its kind has one and it can be looked up."""
    if thing.identity or KINDS[thing.kind].parent or not thing.complete:
        return thing
    return replace(thing, identity=_identity(work, look(work, thing)))


def is_replaced(work: Work, thing: Thing) -> bool:
    """Whether a later thing has the thing's names now, or those of its parent."""
    if KINDS[thing.kind].parent:
        return thing.parent is not None and is_replaced(work, thing.parent)
    own = {known.identity for known in work.known() if known.same(thing)}
    if not own or not thing.complete:
        return False
    sight = look(work, thing)
    if "" in own:  # the identity is unknown: only another run's tag shows it
        return bool(sight.there) and _tag(work, sight)[1] not in (None, work.run.id)
    return bool(sight.there) and _identity(work, sight) not in own


def identity_in(kind: Kind, answer: Data) -> str:
    """The thing's unique id or time of creation, in the answer of its lookup or creation."""
    return str(search(kind.identity, {"answer": answer}) or "")


def tag_in(tags: object) -> str | None:
    """The run id in a list of tags, or None."""
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, Mapping) and tag.get("Key") == RUN_TAG:
            return str(tag.get("Value"))
    return None


def _identity(work: Work, sight: Sight) -> str:
    kind = KINDS[sight.thing.kind]
    if not sight.there:
        return ""
    return identity_in(kind, sight.data) if kind.identity else _tag(work, sight)[1] or ""


def _tag(work: Work, sight: Sight) -> tuple[bool, str | None]:
    """Whether the thing's tags could be read, and the run id in them."""
    kind, thing = KINDS[sight.thing.kind], sight.thing
    data, read = sight.data, bool(sight.there)
    if kind.tagging:
        outcome = work.calls.make(thing.call(kind.tagging, kind.tagging_names))
        read = says_gone(kind.service, outcome) or isinstance(outcome, Answer)
        data = outcome.data
    return read, tag_in(search(kind.tags, {"answer": data, "thing": dict(thing.names)}))


def says_gone(service: str, outcome: Outcome) -> bool:
    """Whether AWS says that the thing of the call does not exist."""
    return isinstance(outcome, Refusal) and is_gone(service, outcome.code, outcome.message)


STACK = "cloudformation.stack"


def remember(work: Work, stack: Thing, entry: int) -> tuple[Thing, ...]:
    """The things of known kinds that the stack has, or had when they were remembered.

    They are journaled with ``entry`` (0: not at all), for the proof after the stack is gone.
    """
    things = tuple(inside(work, stack).values())
    if not entry:
        return things
    known = work.past.things(entry)
    unknown = (thing for thing in things if not thing.is_among(known))
    new = [Found(entry, identified(work, thing)) for thing in unknown]
    if new:
        work.journal.write(work.run.id, *new)
    return work.past.things(entry)


def inside(work: Work, stack: Thing) -> dict[str, Thing]:
    """The stack's present things of known kinds, by their names in its template."""
    params = {"StackName": stack.names["StackName"]}
    call = Call(stack.admin, "cloudformation", "DescribeStackResources", params)
    listed = work.calls.make(call).data.get("StackResources", [])
    things = {str(row.get("LogicalResourceId")): _made(work, row, stack.admin) for row in listed}
    return {name: thing for name, thing in things.items() if thing}


def require_own(work: Work, call: Call) -> None:
    """Raise NotOwn if the call may not be made. Look for new things of stacks first."""
    try:
        work.require(call)
    except NotOwn:
        before = work.made()
        for entry in work.past.entries():
            if entry.thing and entry.thing.kind == STACK and entry.state in MADE:
                remember(work, entry.thing, entry.seq)
        if work.made() == before:
            raise
        work.require(call)


def _made(work: Work, resource: Data, admin: str) -> Thing | None:
    """A stack's resource as a thing; None if its kind is unknown, or it does not exist."""
    kind = BY_RESOURCE_TYPE.get(str(resource.get("ResourceType")))
    physical, status = resource.get("PhysicalResourceId"), resource.get("ResourceStatus")
    # A thing of a failed creation's name may exist, made by somebody else.
    others = status == "CREATE_FAILED" and work.run.id not in str(physical)
    if kind is None or not physical or others or status == "DELETE_COMPLETE":
        return None
    return Thing(kind.id, {kind.names[0]: str(physical)}, admin=admin)
