"""Looks things up in the account, and tells whether a thing is the run's own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from stslab.kinds.creations import CREATIONS
from stslab.kinds.kind import RUN_TAG, Kind, is_gone, search
from stslab.kinds.table import KINDS
from stslab.runner.calls.ahead import Read
from stslab.runner.calls.work import Work
from stslab.runner.events import CallShown
from stslab.runner.journal.records import Thing
from stslab.runner.ports import Answer, Lost, Outcome, Refusal

_MADE_WITH_TAGS = frozenset(creation.kind for creation in CREATIONS.values() if creation.tags)


@dataclass(frozen=True, slots=True)
class Sight:
    """What a lookup showed. ``there`` is None where it could not be told; ``proof`` says why."""

    thing: Thing
    there: bool | None
    proof: str
    call: CallShown
    data: Mapping[str, Any]


def label(thing: Thing) -> str:
    """What people call the thing."""
    kind = KINDS.get(thing.kind)
    return kind.label(thing.names) if kind else f"{thing.kind} {', '.join(thing.names.values())}"


def complete(thing: Thing) -> bool:
    """Whether all that names it is known."""
    kind = KINDS.get(thing.kind)
    return kind is not None and all(thing.names.get(name) for name in kind.names)


def can_be_listed(thing: Thing) -> bool:
    """Whether enough of its names are known to list its kind."""
    return set(KINDS[thing.kind].look_names) <= thing.names.keys()


def is_guarded(sight: Sight) -> bool:
    """Whether somebody protected what was seen against removal (a stack's termination)."""
    kind = KINDS[sight.thing.kind]
    return bool(kind.guarded and search(kind.guarded, {"answer": sight.data}))


def read_of(thing: Thing) -> Read:
    """The lookup that shows the thing. Its kind is known and its names are complete."""
    kind = KINDS[thing.kind]
    return Read(kind.service, kind.look, {name: thing.names[name] for name in kind.look_names})


class Lookout:
    """Looks things up as ``admin``, for one run."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def look(self, thing: Thing) -> Sight:
        """Look the thing up once. Its kind is known and its names are complete."""
        kind, read = KINDS[thing.kind], read_of(thing)
        outcome = self._work.calls.read(*read)
        there, proof = _seen(kind, thing, outcome)
        return Sight(
            thing,
            there,
            self._work.calls.clean_text(proof),
            self._work.calls.shown("admin", *read),
            outcome.data if isinstance(outcome, Answer) else {},
        )

    def is_ours(self, sight: Sight) -> bool:
        """Whether this run made what was seen: by its tag; else by what it hangs on, or its name.

        A thing with another run's tag is never ours, whatever its name; nor is one without a
        tag whose kind is made with one: the call that made it was not the run's.
        """
        ours = self._is_ours(sight)
        if ours:
            self._work.own.recognise(sight.thing)
        return ours

    def _is_ours(self, sight: Sight) -> bool:
        read, tag = self._tag(sight)
        if tag is not None or (read and sight.thing.kind in _MADE_WITH_TAGS):
            return tag == self._work.run.id
        kind = KINDS[sight.thing.kind]
        if kind.parent:
            return self.parent_is_ours(sight.thing)
        return any(self._work.run.id in name for name in sight.thing.names.values())

    def identified(self, thing: Thing) -> Thing:
        """The thing with what tells it from another of its names that is made later."""
        kind = KINDS[thing.kind]
        if thing.identity or kind.parent or not complete(thing):
            return thing
        return replace(thing, identity=self._identity(self.look(thing)))

    def is_replaced(self, thing: Thing) -> bool:
        """Whether what has the thing's names now, or what it hangs on, was made after the run's."""
        kind = KINDS[thing.kind]
        if kind.parent:
            known = set(kind.parent_names) <= thing.names.keys()
            return known and self.is_replaced(_parent(thing))
        own = {one.identity for one in self._work.known() if one.same(thing)}
        if not own or not complete(thing):
            return False
        sight = self.look(thing)
        if "" in own:  # it could not be told then; the tag of another run tells enough
            return bool(sight.there) and self._tag(sight)[1] not in (None, self._work.run.id)
        return bool(sight.there) and self._identity(sight) not in own

    def _identity(self, sight: Sight) -> str:
        kind = KINDS[sight.thing.kind]
        if not sight.there:
            return ""
        if kind.identity:
            return identity_in(kind, sight.data)
        return self._tag(sight)[1] or ""

    def parent_is_ours(self, thing: Thing) -> bool:
        """Whether what the thing hangs on (a key's user, an object's bucket) is the run's own."""
        kind = KINDS[thing.kind]
        if not kind.parent or not set(kind.parent_names) <= thing.names.keys():
            return False
        parent = _parent(thing)
        if any(parent.same(made) for made in self._work.made()):
            return True
        sight = self.look(parent)
        return bool(sight.there) and self.is_ours(sight)

    def _tag(self, sight: Sight) -> tuple[bool, str | None]:
        """Whether its tags could be read, and the run that they name."""
        kind = KINDS[sight.thing.kind]
        data, read = sight.data, bool(sight.there)
        if kind.tagging:
            params = {name: sight.thing.names[name] for name in kind.tagging_names}
            outcome = self._work.calls.read(kind.service, kind.tagging, params)
            none = isinstance(outcome, Refusal) and is_gone(kind.service, outcome)
            read = none or isinstance(outcome, Answer)
            data = outcome.data if isinstance(outcome, Answer) else {}
        found = search(kind.tags, {"answer": data, "thing": dict(sight.thing.names)})
        return read, tag_in(found)


def identity_in(kind: Kind, answer: Mapping[str, Any]) -> str:
    """The unique id, or the time of creation, in a response of the lookup or of the creation."""
    found = search(kind.identity, {"answer": answer}) if kind.identity else None
    return str(found or "")


def _parent(thing: Thing) -> Thing:
    """What a thing hangs on. All that names it is known."""
    kind = KINDS[thing.kind]
    return Thing(kind.parent, {name: thing.names[name] for name in kind.parent_names})


def tag_in(tags: Any) -> str | None:
    """The run that a list of tags names, or None."""
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, Mapping) and tag.get("Key") == RUN_TAG:
            return str(tag.get("Value"))
    return None


def _seen(kind: Kind, thing: Thing, outcome: Outcome) -> tuple[bool | None, str]:
    if isinstance(outcome, Answer):
        there = search(kind.present, {"answer": outcome.data, "thing": dict(thing.names)})
        return bool(there), f"{kind.look} {'finds it' if there else 'no longer lists it'}"
    if isinstance(outcome, Lost):
        return None, outcome.reason
    gone = is_gone(kind.service, outcome)
    return False if gone else None, f"{outcome.code}: {outcome.message}"
