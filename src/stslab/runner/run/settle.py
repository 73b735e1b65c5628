"""Settles a step that was left half-done: was it made? Adopt it, or take it back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from stslab.errors import RunError
from stslab.kinds.creations import is_repeatable
from stslab.kinds.kind import Kind, search
from stslab.kinds.table import KINDS
from stslab.runner.calls.calls import ADMIN
from stslab.runner.calls.look import Lookout, complete, label
from stslab.runner.calls.work import Work
from stslab.runner.journal.records import (
    MADE,
    PERHAPS,
    Entry,
    EntryState,
    Intent,
    Result,
    Thing,
    UndoCall,
)
from stslab.runner.run.prepare import Prepared
from stslab.runner.undo.takeback import TakeBack


@dataclass(frozen=True, slots=True)
class Settled:
    """What to do now: go on with ``data`` as the answer of ``entry``, or call.

    ``replaces`` is the entry that the new call stands for as well, or 0.
    """

    data: Mapping[str, Any] | None = None
    entry: int = 0
    replaces: int = 0


class Settler:
    """Settles entries, for one run."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._lookout = Lookout(work)
        self._takeback = TakeBack(work)

    def settle(self, entry: Entry, prepared: Prepared) -> Settled:
        """Find out what became of the entry.

        Raises:
            RunError: it can't be told, or what is there could not be taken back.
        """
        if entry.state in PERHAPS:
            return self._perhaps(entry, prepared)
        if entry.state in MADE:
            return self._taken_back(entry)
        return Settled()

    def restoring(self, prepared: Prepared, entry: Entry | None) -> Prepared:
        """The step; where it changes a setting of the whole account, with the undo of that.

        It puts back what was there before: before the earlier try, where there was one.

        Raises:
            RunError: what is there can't be looked up.
            NotOwn: it is no setting that a run may change here.
        """
        thing = prepared.intent.thing
        kind = KINDS[thing.kind] if thing else None
        if not (thing and kind and kind.put):
            return prepared
        undo = (entry.undo if entry else ()) or (self._put_back(prepared, kind, thing),)
        return replace(prepared, intent=replace(prepared.intent, undo=undo))

    def _put_back(self, prepared: Prepared, kind: Kind, thing: Thing) -> UndoCall:
        step = prepared.step
        self._work.own.require(step.identity, step.service, step.operation, prepared.params)
        sight = self._lookout.look(thing)
        if sight.there is None:
            raise RunError(f"The {label(thing)} could not be looked up.", "Try again: stslab run")
        was = search(kind.was, {"answer": sight.data}) if sight.there else {}
        known = {name: value for name, value in was.items() if value is not None}
        if known:
            return UndoCall(ADMIN, kind.service, kind.put, known)
        named = {name: prepared.params[name] for name in kind.remove.names}
        return UndoCall(ADMIN, kind.service, kind.remove.operation, named)

    def adopt_existing(self, prepared: Prepared) -> Mapping[str, Any] | None:
        """The answer of a call that said that its thing exists, if the thing is the run's own.

        Only an earlier try of the same call, whose answer was lost, can have made it.
        """
        thing = prepared.intent.thing
        if not (prepared.intent.replaces and thing and complete(thing)):
            return None
        sight = self._lookout.look(thing)
        ours = sight.there and self._lookout.is_ours(sight)
        return _adopted(prepared, sight.data) if ours else None

    def written(self, prepared: Prepared) -> Intent:
        """The intent as it is journaled: without secrets."""
        intent = prepared.intent
        return replace(
            intent,
            params=self._work.calls.clean(intent.params),
            thing=self.clean_thing(intent.thing),
            undo=self.clean_undo(intent.undo),
        )

    def clean_thing(self, thing: Thing | None) -> Thing | None:
        """A thing whose names hold no secret."""
        return thing and Thing(thing.kind, self._work.calls.clean(dict(thing.names)))

    def clean_undo(self, undo: tuple[UndoCall, ...]) -> tuple[UndoCall, ...]:
        """Undo calls without secrets: one that needs a secret can't be made later."""
        clean = self._work.calls.clean
        return tuple(
            replace(call, params=clean(call.params), waiter_params=clean(call.waiter_params))
            for call in undo
        )

    def _perhaps(self, entry: Entry, prepared: Prepared) -> Settled:
        creation, thing = prepared.creation, entry.thing
        if is_repeatable(entry.call) or not (entry.undo or creation):
            return Settled(replaces=entry.seq)
        if creation and creation.discover:
            return self._discovered(entry, prepared)
        if not (creation and thing and complete(thing)):
            raise RunError(
                f"Nothing tells whether {entry.call} of “{entry.intent.title}” took effect: its"
                " answer was lost.",
                "Take back what was made with `stslab cleanup`, then begin again.",
            )
        return self._looked_up(entry, prepared, thing)

    def _looked_up(self, entry: Entry, prepared: Prepared, thing: Thing) -> Settled:
        there = self._takeback.is_there(thing)
        if there is None:
            raise RunError(f"The {label(thing)} could not be looked up.", "Try again: stslab run")
        if not there:
            return Settled(replaces=entry.seq)
        sight = self._lookout.look(thing)
        if not self._lookout.is_ours(sight):
            self._work.journal.conclude(self._work.run.id, entry.seq, Result(EntryState.NOT_OURS))
            raise RunError(
                f"The {label(thing)} is there, but does not carry this run's tag: it is left"
                " alone.",
                "Remove it yourself if it is yours, or change its name in the lab.",
            )
        data = _adopted(prepared, sight.data)
        return Settled(data, entry.seq) if data is not None else self._taken_back(entry)

    def _discovered(self, entry: Entry, prepared: Prepared) -> Settled:
        """Adopt a key whose secret was saved; one whose secret nobody has is taken back."""
        profile = self._work.profiles.get(prepared.intent.profile)
        for thing in self._takeback.discovered(entry):
            if profile and profile.access_key_id in thing.names.values():
                answer = {"AccessKey": {**thing.names}}
                return Settled(answer, entry.seq)
        return self._taken_back(entry)

    def _taken_back(self, entry: Entry) -> Settled:
        taken = self._takeback.entry(entry)
        if taken.outcome in ("failed", "kept"):
            raise RunError(
                f"What “{entry.intent.title}” left half-done could not be taken back:"
                f" {taken.detail}",
                "Try again with `stslab run`, or take all back with `stslab cleanup`.",
            )
        return Settled()


def _adopted(prepared: Prepared, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The creating call's answer, built from the lookup's."""
    if not (prepared.creation and prepared.creation.adopt):
        return None
    built = search(prepared.creation.adopt, data)
    return built if isinstance(built, Mapping) else {}
